// A few threads that run the same function together and meet at barriers: prefill's parallelism.
// The caller is thread 0, so what must happen on the calling thread happens there.
#pragma once

#include <barrier>
#include <functional>
#include <thread>
#include <vector>

namespace mambo::cpu {

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
  std::barrier<> barrier_;
  const std::function<void(int)>* job_ = nullptr;  // written by thread 0 between two meetings
  std::vector<std::jthread> threads_;
};

struct Range {
  int begin, end;
};
// Part `thread` of `size` of [0, n), cut at multiples of `grain`.
Range part(int n, int thread, int size, int grain = 1);

}  // namespace mambo::cpu
