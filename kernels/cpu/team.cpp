#include "kernels/cpu/team.h"

#include <algorithm>

#include "kernels/cpu/step.h"

namespace mambo::cpu {

Team::Team(int threads) : size_(std::max(1, threads)), barrier_(size_) {
  for (int i = 1; i < size_; ++i) threads_.emplace_back([this, i] { work(i); });
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
  for (;;) {
    barrier_.arrive_and_wait();
    if (job_ == nullptr) return;
    (*job_)(thread);
    barrier_.arrive_and_wait();
  }
}

Range part(int n, int thread, int size, int grain) {
  const int grains = (n + grain - 1) / grain;
  const auto at = [&](int i) {
    return std::min(n, static_cast<int>(static_cast<long long>(grains) * i / size) * grain);
  };
  return {at(thread), at(thread + 1)};
}

}  // namespace mambo::cpu
