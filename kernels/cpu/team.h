// A few threads that run the same function together and meet at barriers: prefill's parallelism.
// The caller is thread 0, so what must happen on the calling thread happens there.
#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <system_error>
#include <thread>
#include <vector>

namespace mambo::cpu {

// All of `size` threads meet. Meetings are tens of microseconds apart and threads arrive close
// together, so a waiting thread spins for about that long before it sleeps: waking one up would
// cost as much as the work between two meetings.
class Meeting {
 public:
  void set_size(int size) { size_ = size; }  // before anyone arrives
  void arrive_and_wait();

 private:
  int size_ = 1;
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<unsigned> round_{0};
};

class Team {
 public:
  // As many as are asked for, or fewer where the system refuses another: size() tells.
  explicit Team(int threads);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;
  int size() const { return size_; }
  // Runs f(thread) on every thread; returns when all have. f must not throw.
  void run(const std::function<void(int)>& f);
  // Within f: waits for all. What was written before is seen by all after.
  void meet() { barrier_.arrive_and_wait(); }

 private:
  void work(int thread);
  int size_ = 1;
  std::atomic<bool> complete_{false};  // size_ is known; no thread does anything before
  Meeting barrier_;
  const std::function<void(int)>* job_ = nullptr;  // written by thread 0 between two meetings
  std::vector<std::jthread> threads_;
};

// Starts up to `most` threads that run f(i), i from 1, and stops at the first that the system
// refuses (a limit on processes or on memory): they share the work, so fewer will do.
template <class F>
std::vector<std::jthread> start_helpers(int most, const F& f) {
  std::vector<std::jthread> helpers;
  helpers.reserve(static_cast<std::size_t>(std::max(0, most)));
  try {
    for (int i = 1; i <= most; ++i) helpers.emplace_back(f, i);
  } catch (const std::system_error&) {  // what there is goes on
  }
  return helpers;
}

// Waits until `value` has reached `goal`; announce sets it. Like Meeting: spins first, then sleeps.
void await(std::atomic<int>& value, int goal);
void announce(std::atomic<int>& value, int reached);

struct Range {
  int begin, end;
};
// Part `thread` of `size` of [0, n).
Range part(int n, int thread, int size);

}  // namespace mambo::cpu
