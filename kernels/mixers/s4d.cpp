#include "kernels/mixers/s4d.h"

#include <cmath>

namespace mambo {
namespace {

using Complex = std::complex<double>;

// exp(z) - 1 without cancellation: a step of audio is short, z is near 0.
Complex expm1(Complex z) {
  const double half = std::sin(z.imag() / 2);
  return {std::expm1(z.real()) * std::cos(z.imag()) - 2 * half * half,
          std::exp(z.real()) * std::sin(z.imag())};
}

// |z| is 1 at most, A's real part being -exp. The pair of floats near z of which that is true as
// well, and which decays where z does.
std::complex<float> round_decay(Complex z) {
  auto re = static_cast<float>(z.real());
  auto im = static_cast<float>(z.imag());
  const auto too_large = [&] {
    const double norm = static_cast<double>(re) * re + static_cast<double>(im) * im;
    return std::norm(z) < 1 ? norm >= 1 : norm > 1;
  };
  while (too_large()) {
    float& larger = std::fabs(re) >= std::fabs(im) ? re : im;
    larger = std::nextafter(larger, 0.0F);
  }
  return {re, im};
}

}  // namespace

Mode discretise(double dt, Complex A, Complex C) {
  return {std::exp(dt * A), 2.0 * C * (A == 0.0 ? Complex(dt) : expm1(dt * A) / A)};
}

LayerModes layer_modes(const LayerView& layer, int d_inner) {
  const int M = layer.states();
  const std::vector<float> log_dt = to_float(layer.w.log_dt);
  const std::vector<float> A_log = to_float(layer.w.A_log);
  const std::vector<float> A_im = to_float(layer.w.A_im);
  const std::vector<float> C = to_float(layer.w.C);
  LayerModes modes;
  for (int c = 0; c < d_inner; ++c) {
    const double dt = std::exp(static_cast<double>(log_dt[static_cast<std::size_t>(c)]));
    modes.dt.push_back(static_cast<float>(dt));
    for (int m = 0; m < M; ++m) {
      const std::size_t i = static_cast<std::size_t>(c) * M + m;
      const Mode mode = discretise(dt, {-std::exp(static_cast<double>(A_log[i])), A_im[i]},
                                   {C[2 * i], C[2 * i + 1]});
      modes.decay.push_back(round_decay(mode.decay));
      modes.gain.emplace_back(mode.gain);
    }
  }
  return modes;
}

}  // namespace mambo
