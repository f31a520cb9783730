#pragma once

namespace mambo {

// From here on Ctrl-C, SIGTERM and SIGHUP do not kill but are noted; a second one kills.
void catch_interrupts();
bool interrupted();  // any thread, wait-free

}  // namespace mambo
