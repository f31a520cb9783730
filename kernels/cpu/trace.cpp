#include "kernels/cpu/trace.h"

#include <algorithm>

namespace mambo::cpu {

Trace::Trace(const Layer& layer, std::size_t steps)
    : layer_(layer), delta_(steps * static_cast<std::size_t>(layer.d_inner)) {
  if (layer.mixer ==
      Mixer::s4d) {  // of the input there is nothing, and delta is the same each step
    for (std::size_t r = 0; r < steps; ++r)
      std::copy_n(layer.dt.data(), layer.d_inner, delta_.data() + r * layer.d_inner);
    return;
  }
  B_.resize(steps * static_cast<std::size_t>(layer.states));
  C_.resize(steps * static_cast<std::size_t>(layer.states));
}

void Trace::keep(int at, int n, const float* delta, const float* dbc) {
  if (layer_.mixer == Mixer::s4d) return;
  const int N = layer_.states;
  for (int r = 0; r < n; ++r) {
    const std::size_t row = static_cast<std::size_t>(at) + static_cast<std::size_t>(r);
    const float* B = dbc + static_cast<std::size_t>(r) * layer_.xp + layer_.rank;
    std::copy_n(delta + static_cast<std::size_t>(r) * layer_.dp, layer_.d_inner,
                delta_.data() + row * layer_.d_inner);
    std::copy_n(B, N, B_.data() + row * N);
    std::copy_n(B + N, N, C_.data() + row * N);
  }
}

void Trace::tell(PrefillSink& sink, int index, std::uint64_t first, int rows) const {
  const bool selective = layer_.mixer == Mixer::s6;
  sink.layer(index, first, rows, delta_.data(), selective ? B_.data() : nullptr,
             selective ? C_.data() : nullptr);
}

}  // namespace mambo::cpu
