#include "app/cli/interrupt.h"

#include <csignal>
#include <initializer_list>

namespace mambo {
namespace {

volatile std::sig_atomic_t noted = 0;

extern "C" void note_interrupt(int) { noted = 1; }

}  // namespace

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = note_interrupt;
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction before {};
    sigaction(signal, nullptr, &before);
    if (before.sa_handler != SIG_IGN) sigaction(signal, &action, nullptr);  // nohup stays nohup
  }
}

bool interrupted() { return noted != 0; }

}  // namespace mambo
