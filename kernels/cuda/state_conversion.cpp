#include "kernels/cuda/state_conversion.h"

#include <algorithm>
#include <cstddef>

namespace mambo::cuda {

template <class F>
void StateConversion::each_run(std::uint64_t position, F f) const {
  const auto size = [](int n) { return static_cast<std::size_t>(n); };
  const std::size_t K = size(device_.K);
  for (std::size_t i = 0; i < device_.layers.size(); ++i) {
    const StatePlan::Layer& l = device_.layers[i];
    const StateLayout::Layer& to = external_.layers[i];
    const std::uint64_t steps = position / static_cast<std::uint64_t>(l.stride);
    for (std::size_t k = 0; k + 1 < K; ++k) {  // the ring repeats, so + 1 is the oldest
      f(to.conv + k * size(l.d_inner),
        l.conv + static_cast<std::size_t>((steps + 1 + k) % K) * size(l.dp), l.d_inner);
    }
    const std::size_t states = size(l.states);
    const std::size_t part = size(l.d_inner) * states;  // complex: all real parts come first
    for (std::size_t c = 0; c < size(l.d_inner); ++c) {
      const std::size_t outside = to.h + c * states;
      const std::size_t here = l.h + c * size(l.hp);
      if (to.parts == 1) {
        f(outside, here, l.states);
        continue;
      }
      for (std::size_t m = 0; m < states; ++m) {
        f(outside + m, here + 2 * m, 1);
        f(outside + part + m, here + 2 * m + 1, 1);
      }
    }
  }
  for (std::size_t i = 0; i < device_.pools.size(); ++i) {
    const StatePlan::Pool& p = device_.pools[i];
    for (std::size_t r = 0; r < size(p.pool); ++r) {
      const std::size_t from = r * size(p.width);
      const std::size_t to = r * size(p.wp);
      f(external_.pools[i].group + from, p.group + to, p.width);
      f(external_.pools[i].up + from, p.up + to, p.width);
    }
  }
  f(external_.logits, device_.logits, device_.vocab);
}

void StateConversion::read(const CudaState& s, std::span<float> out) {
  const std::lock_guard lock(mutex_);
  s.wait(stream());
  MAMBO_CUDA(cudaMemcpyAsync(staging_.data(), s.memory.data(), s.memory.bytes(),
                             cudaMemcpyDeviceToHost, stream()));
  MAMBO_CUDA(cudaStreamSynchronize(stream()));
  each_run(s.at, [&](std::size_t external, std::size_t internal, int n) {
    std::copy_n(staging_.data() + internal, n, out.begin() + static_cast<std::ptrdiff_t>(external));
  });
  external_.clear_open_groups(out, s.at);
}

void StateConversion::write(CudaState& s, std::span<const float> in, std::uint64_t position) {
  const std::lock_guard lock(mutex_);
  std::fill_n(staging_.data(), staging_.size(), 0.0F);
  for (int i = device_.vocab; i < device_.vp; ++i)  // padding is never drawn
    staging_[device_.logits + static_cast<std::size_t>(i)] = -1e30F;
  each_run(position, [&](std::size_t external, std::size_t internal, int n) {
    std::copy_n(in.begin() + static_cast<std::ptrdiff_t>(external), n, staging_.data() + internal);
  });
  s.wait(stream());
  MAMBO_CUDA(cudaMemcpyAsync(s.memory.data(), staging_.data(), s.memory.bytes(),
                             cudaMemcpyHostToDevice, stream()));
  MAMBO_CUDA(cudaStreamSynchronize(stream()));
  s.unmark();
  s.at = position;
}

}  // namespace mambo::cuda
