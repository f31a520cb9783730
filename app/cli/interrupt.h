#pragma once

namespace mambo {

// From here on Ctrl-C, SIGTERM and SIGHUP are noted instead of ending the program; a second one
// ends it.
void catch_interrupts();
bool interrupted();  // any thread, wait-free

}  // namespace mambo
