#include "app/cli/interrupt.h"

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <initializer_list>

namespace mambo {
namespace {

std::atomic<bool> noted{false};
static_assert(std::atomic<bool>::is_always_lock_free);  // a signal handler may write it

extern "C" void note_interrupt(int) { noted = true; }

// A write to a pipe whose reader is gone raises SIGPIPE in this process: the writing code sees it
// by EPIPE, and knows whether it matters. One that was sent asks to end.
extern "C" void note_sent_pipe(int, siginfo_t* info, void*) {
  if (info->si_pid != ::getpid()) noted = true;
}

}  // namespace

void ignore_write_signals() {
  for (const int signal : {SIGPIPE, SIGXFSZ}) std::signal(signal, SIG_IGN);
}

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = note_interrupt;
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) {
    struct sigaction before {};
    sigaction(signal, nullptr, &before);
    if (before.sa_handler != SIG_IGN) sigaction(signal, &action, nullptr);  // nohup stays nohup
  }
  struct sigaction pipe {};
  pipe.sa_sigaction = note_sent_pipe;
  pipe.sa_flags = SA_SIGINFO | SA_RESTART;
  sigaction(SIGPIPE, &pipe, nullptr);
}

void interrupt() { noted = true; }

bool interrupted() { return noted; }

}  // namespace mambo
