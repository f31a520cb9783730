#pragma once

namespace mambo {

// At the start: a pipe without a reader and a file that may grow no further are errors to report,
// not reasons to die.
void ignore_write_signals();

// From here on Ctrl-C, SIGTERM, SIGHUP, SIGQUIT and a SIGPIPE that another process sends are noted
// instead of ending the program; a second one (but for SIGPIPE) ends it.
void catch_interrupts();
void interrupt();    // as if one had come; any thread
bool interrupted();  // any thread, wait-free

}  // namespace mambo
