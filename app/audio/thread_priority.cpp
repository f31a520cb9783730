#include "app/audio/thread_priority.h"

#if defined(__linux__) || defined(__APPLE__)
#include <pthread.h>
#include <sched.h>
#endif
#if defined(__linux__)
#include <sys/resource.h>
#include <unistd.h>
#endif

namespace mambo {

void prefer_this_thread() noexcept {
#if defined(__linux__) || defined(__APPLE__)
  sched_param param{};
  param.sched_priority = sched_get_priority_min(SCHED_RR) + 4;
  (void)pthread_setschedparam(pthread_self(), SCHED_RR, &param);
#endif
}

void yield_to_others() noexcept {
#if defined(__linux__)
  constexpr int nicest = 19;
  (void)setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), nicest);  // of a thread, on Linux
#endif
}

}  // namespace mambo
