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

std::vector<double> S4dView::resting_delta() const {
  const std::vector<float> log = to_float(log_dt);
  std::vector<double> delta(log.begin(), log.end());
  for (double& x : delta) x = std::exp(x);
  return delta;
}

std::vector<TensorRow> S4dView::tensors(std::int64_t d_inner, std::int64_t states) {
  using Shape = std::vector<std::int64_t>;
  const bool known = states > 0;
  return {{"log_dt", &log_dt, {d_inner}},
          {"A_log", &A_log, {d_inner, known ? states : 1}},
          {"A_im", &A_im, known ? Shape{d_inner, states} : Shape{}},
          {"C", &C, known ? Shape{d_inner, states, 2} : Shape{}}};
}

S4dMode discretise(double dt, Complex A, Complex C) {
  return {std::exp(dt * A), 2.0 * C * (A == 0.0 ? Complex(dt) : expm1(dt * A) / A)};
}

S4dModes s4d_modes(const S4dView& view) {
  const auto M = static_cast<std::size_t>(view.states());
  const std::vector<float> A_log = to_float(view.A_log);
  const std::vector<float> A_im = to_float(view.A_im);
  const std::vector<float> C = to_float(view.C);
  S4dModes modes;
  for (const double dt : view.resting_delta()) {
    const std::size_t channel = modes.dt.size();
    modes.dt.push_back(static_cast<float>(dt));
    for (std::size_t m = 0; m < M; ++m) {
      const std::size_t i = channel * M + m;
      const S4dMode mode = discretise(dt, {-std::exp(static_cast<double>(A_log[i])), A_im[i]},
                                      {C[2 * i], C[2 * i + 1]});
      modes.decay.push_back(round_decay(mode.decay));
      modes.gain.emplace_back(mode.gain);
    }
  }
  return modes;
}

}  // namespace mambo
