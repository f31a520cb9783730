#include "kernels/cpu/team.h"

#include "kernels/cpu/step.h"

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

namespace mambo::cpu {

namespace {

void relax() {
#if defined(__x86_64__) || defined(__i386__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

constexpr int kSpins = 1000;  // of some 40 ns

template <class T>
void wait_for_change(std::atomic<T>& value, T old) {
  for (int spin = 0; spin < kSpins; ++spin) {
    if (value.load(std::memory_order_acquire) != old) return;
    relax();
  }
  value.wait(old, std::memory_order_acquire);
}

// Hazard: a store that only releases may still be on its way when notify_all checks for waiters; a
// thread that begins to wait in between reads the old value and is never woken. Sequential
// consistency orders the store before that check.
template <class T>
void publish(std::atomic<T>& value, T now) {
  value.store(now, std::memory_order_seq_cst);
  value.notify_all();
}

}  // namespace

void Meeting::arrive_and_wait() {
  if (size_ == 1) return;
  const unsigned round = round_.load(std::memory_order_acquire);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == size_) {
    arrived_.store(0, std::memory_order_relaxed);
    publish(round_, round + 1);
    return;
  }
  wait_for_change(round_, round);
}

void await(std::atomic<int>& value, int goal) {
  for (int now = value.load(std::memory_order_acquire); now < goal;
       now = value.load(std::memory_order_acquire)) {
    wait_for_change(value, now);
  }
}

void announce(std::atomic<int>& value, int reached) { publish(value, reached); }

// Hazard: a meeting waits for all, so none may be held before it is known how many there are.
Team::Team(int threads) : threads_(start_helpers(threads - 1, [this](int i) { work(i); })) {
  size_ = 1 + static_cast<int>(threads_.size());
  barrier_.set_size(size_);
  publish(complete_, true);
}

Team::~Team() {
  job_ = nullptr;
  barrier_.arrive_and_wait();
}

void Team::run(const std::function<void(int)>& f) {
  job_ = &f;
  barrier_.arrive_and_wait();
  f(0);
  barrier_.arrive_and_wait();
}

void Team::work(int thread) {
  const FlushSubnormals flush;
  complete_.wait(false, std::memory_order_acquire);
  for (;;) {
    barrier_.arrive_and_wait();
    if (job_ == nullptr) return;
    (*job_)(thread);
    barrier_.arrive_and_wait();
  }
}

Range part(int n, int thread, int size) {
  const auto at = [&](int i) { return static_cast<int>(static_cast<long long>(n) * i / size); };
  return {at(thread), at(thread + 1)};
}

}  // namespace mambo::cpu
