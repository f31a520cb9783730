#include "app/audio/thread_priority.h"

#if defined(__linux__) || defined(__APPLE__)
#include <pthread.h>
#include <sched.h>
#endif

namespace mambo {

void prefer_this_thread() noexcept {
#if defined(__linux__) || defined(__APPLE__)
  sched_param param{};
  param.sched_priority = sched_get_priority_min(SCHED_RR) + 4;
  (void)pthread_setschedparam(pthread_self(), SCHED_RR, &param);
#endif
}

}  // namespace mambo
