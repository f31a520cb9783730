// A few threads that run the same function together and meet at barriers: prefill's parallelism.
// The caller is thread 0, so what must happen on the calling thread happens there.
#pragma once

#include <atomic>
#include <functional>
#include <thread>
#include <vector>

namespace mambo::cpu {

// All of `size` threads meet. Meetings are tens of microseconds apart and threads arrive close
// together, so a waiting thread spins for about that long before it sleeps: waking one up would
// cost as much as the work between two meetings.
class Meeting {
 public:
  explicit Meeting(int size) : size_(size) {}
  void arrive_and_wait();

 private:
  const int size_;
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<unsigned> round_{0};
};

class Team {
 public:
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
  int size_;
  Meeting barrier_;
  const std::function<void(int)>* job_ = nullptr;  // written by thread 0 between two meetings
  std::vector<std::jthread> threads_;
};

// Waits until `value` has reached `goal`; announce sets it. Like Meeting: spins first, then sleeps.
void await(std::atomic<int>& value, int goal);
void announce(std::atomic<int>& value, int reached);

struct Range {
  int begin, end;
};
// Part `thread` of `size` of [0, n).
Range part(int n, int thread, int size);

}  // namespace mambo::cpu
