#include "call_counter.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdarg>
#include <cstddef>
#include <utility>

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define MAMBO_COUNTS_CALLS
#endif

namespace mambo::testing {
namespace {

enum Kind { kAllocation, kFree, kLock, kWait, kSleep, kFile, kKinds };

// Plain and constant-initialized, so that touching them allocates nothing.
thread_local bool here = false;
thread_local bool exempt = false;
thread_local std::uint64_t here_counts[kKinds];
std::atomic<bool> elsewhere{false};
std::atomic<std::uint64_t> elsewhere_counts[kKinds];

#if defined(MAMBO_COUNTS_CALLS)
void count(Kind kind) {
  if (here) ++here_counts[kind];
  if (elsewhere.load(std::memory_order_relaxed) && !exempt) {
    elsewhere_counts[kind].fetch_add(1, std::memory_order_relaxed);
  }
}

// During its lifetime this thread is not counted.
class Uncounted {
 public:
  Uncounted() : was_here_(std::exchange(here, false)), was_exempt_(std::exchange(exempt, true)) {}
  ~Uncounted() {
    here = was_here_;
    exempt = was_exempt_;
  }
  Uncounted(const Uncounted&) = delete;
  Uncounted& operator=(const Uncounted&) = delete;

 private:
  bool was_here_, was_exempt_;
};
#endif

template <class Counts>
Calls calls_of(const Counts& c) {
  return {c[kAllocation], c[kFree], c[kLock], c[kWait], c[kSleep], c[kFile]};
}

}  // namespace

std::string Calls::text() const {
  return std::to_string(allocations) + " allocations, " + std::to_string(frees) + " frees, " +
         std::to_string(locks) + " locks, " + std::to_string(waits) + " waits, " +
         std::to_string(sleeps) + " sleeps, " + std::to_string(files) + " file calls";
}

CountHere::CountHere() {
  for (std::uint64_t& n : here_counts) n = 0;
  here = true;
}
CountHere::~CountHere() { here = false; }
Calls CountHere::calls() const { return calls_of(here_counts); }

CountElsewhere::CountElsewhere() {
  for (auto& n : elsewhere_counts) n = 0;
  exempt = true;
  elsewhere = true;
}
CountElsewhere::~CountElsewhere() {
  elsewhere = false;
  exempt = false;
}
Calls CountElsewhere::calls() const { return calls_of(elsewhere_counts); }

#if defined(MAMBO_COUNTS_CALLS)
bool counts_calls() { return true; }
#else
bool counts_calls() { return false; }
#endif

}  // namespace mambo::testing

#if defined(MAMBO_COUNTS_CALLS)

// Replaced for the whole process: an executable's symbols take precedence over its libraries'.
using namespace mambo::testing;  // NOLINT(google-build-using-namespace)

extern "C" {

// NOLINTBEGIN(bugprone-reserved-identifier): the names are glibc's
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void __libc_free(void*);
// NOLINTEND(bugprone-reserved-identifier)

void* malloc(std::size_t size) noexcept {
  count(kAllocation);
  return __libc_malloc(size);
}
void* calloc(std::size_t n, std::size_t size) noexcept {
  count(kAllocation);
  return __libc_calloc(n, size);
}
void* realloc(void* p, std::size_t size) noexcept {
  count(kAllocation);
  return __libc_realloc(p, size);
}
void* memalign(std::size_t alignment, std::size_t size) noexcept {
  count(kAllocation);
  return __libc_memalign(alignment, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  count(kAllocation);
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** out, std::size_t alignment, std::size_t size) noexcept {
  count(kAllocation);
  void* p = __libc_memalign(alignment, size);
  if (p == nullptr) return ENOMEM;
  *out = p;
  return 0;
}
void free(void* p) noexcept {
  if (p != nullptr) count(kFree);
  __libc_free(p);
}

// Counts, then calls the original, which is looked up on the first call; if the look-up allocates,
// it does so through the functions above, which need no look-up.
#define MAMBO_COUNTED(kind, result, name, parameters, arguments, ...) \
  result name parameters __VA_ARGS__ {                                \
    using F = result parameters;                                      \
    static std::atomic<F*> known{nullptr};                            \
    count(kind);                                                      \
    F* f = known.load(std::memory_order_relaxed);                     \
    if (f == nullptr) {                                               \
      const Uncounted uncounted;                                      \
      f = reinterpret_cast<F*>(dlsym(RTLD_NEXT, #name));              \
      known.store(f, std::memory_order_relaxed);                      \
    }                                                                 \
    return f arguments;                                               \
  }

MAMBO_COUNTED(kLock, int, pthread_mutex_lock, (pthread_mutex_t * m), (m), noexcept)
MAMBO_COUNTED(kLock, int, pthread_mutex_trylock, (pthread_mutex_t * m), (m), noexcept)
MAMBO_COUNTED(kLock, int, pthread_spin_lock, (pthread_spinlock_t * s), (s), noexcept)
MAMBO_COUNTED(kLock, int, pthread_rwlock_rdlock, (pthread_rwlock_t * l), (l), noexcept)
MAMBO_COUNTED(kLock, int, pthread_rwlock_wrlock, (pthread_rwlock_t * l), (l), noexcept)
MAMBO_COUNTED(kWait, int, pthread_cond_wait, (pthread_cond_t * c, pthread_mutex_t* m), (c, m))
MAMBO_COUNTED(kWait, int, pthread_cond_timedwait,
              (pthread_cond_t * c, pthread_mutex_t* m, const timespec* t), (c, m, t))
MAMBO_COUNTED(kWait, int, pthread_cond_clockwait,
              (pthread_cond_t * c, pthread_mutex_t* m, clockid_t k, const timespec* t),
              (c, m, k, t))
MAMBO_COUNTED(kWait, int, sem_wait, (sem_t * s), (s))
MAMBO_COUNTED(kSleep, int, nanosleep, (const timespec* t, timespec* left), (t, left))
MAMBO_COUNTED(kSleep, int, clock_nanosleep,
              (clockid_t k, int flags, const timespec* t, timespec* left), (k, flags, t, left))
MAMBO_COUNTED(kSleep, int, usleep, (useconds_t t), (t))
MAMBO_COUNTED(kSleep, int, sched_yield, (), (), noexcept)
MAMBO_COUNTED(kFile, ssize_t, write, (int fd, const void* from, std::size_t n), (fd, from, n))
MAMBO_COUNTED(kFile, ssize_t, read, (int fd, void* to, std::size_t n), (fd, to, n))
MAMBO_COUNTED(kFile, int, poll, (pollfd * fds, nfds_t n, int timeout), (fds, n, timeout))

// Used by std::atomic's wait and notify.
long syscall(long number, ...) noexcept {
  using F = long(long, ...);
  static std::atomic<F*> known{nullptr};
  count(kWait);
  F* f = known.load(std::memory_order_relaxed);
  if (f == nullptr) {
    const Uncounted uncounted;
    f = reinterpret_cast<F*>(dlsym(RTLD_NEXT, "syscall"));
    known.store(f, std::memory_order_relaxed);
  }
  std::va_list list;
  va_start(list, number);
  long a[6];
  for (long& x : a) x = va_arg(list, long);
  va_end(list);
  return f(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

}  // extern "C"

#endif
