// The time-invariant diagonal state space, discretised in every step by the
// formula itself.
#include <cmath>
#include <complex>
#include <utility>

#include "kernels/reference/mixer.h"

namespace mambo::reference {
namespace {

using Complex = std::complex<double>;

class S4d final : public StepMixer {
 public:
  S4d(const S4dView& view, Vector D)
      : M_(static_cast<std::size_t>(view.states())), delta_(vector(view.log_dt)), D_(std::move(D)) {
    for (double& dt : delta_) dt = std::exp(dt);
    const Vector A_log = vector(view.A_log);
    const Vector A_im = vector(view.A_im);
    const Vector C = vector(view.C);
    for (std::size_t i = 0; i < A_log.size(); ++i) {
      A_.emplace_back(-std::exp(A_log[i]), A_im[i]);
      C_.emplace_back(C[2 * i], C[2 * i + 1]);
    }
    reset();
  }

  void reset() override { h_.assign(A_.size(), 0.0); }

  void play_by_hand(const LayerSelectivity& by_hand,
                    const SelectionMeans::Layer& /*means*/) override {
    read_ = by_hand.read;
  }
  void forget(double factor) override {
    for (Complex& h : h_) h *= factor;
  }

  Vector step(const Vector& u) override {
    Vector y(u.size());
    for (std::size_t c = 0; c < u.size(); ++c) {
      Complex sum = 0.0;
      for (std::size_t i = c * M_; i < (c + 1) * M_; ++i) {
        const Complex decay = std::exp(delta_[c] * A_[i]);
        h_[i] = decay * h_[i] + u[c];
        // The zero-order hold.
        const Complex held = A_[i] == 0.0 ? delta_[c] : (decay - 1.0) / A_[i];
        sum += C_[i] * held * h_[i];
      }
      y[c] = read_ * 2.0 * sum.real() + D_[c] * u[c];
    }
    return y;
  }

  std::span<const double> delta() const override { return delta_; }
  Vector state() const override {  // the real parts, then the imaginary ones
    Vector parts;
    for (const Complex& h : h_) parts.push_back(h.real());
    for (const Complex& h : h_) parts.push_back(h.imag());
    return parts;
  }

 private:
  std::size_t M_;
  double read_ = 1;
  Vector delta_, D_;            // [d_inner]
  std::vector<Complex> A_, C_;  // [d_inner][M]
  std::vector<Complex> h_;      // [d_inner][M]
};

}  // namespace

std::unique_ptr<StepMixer> make_mixer(const S4dView& view, Vector D) {
  return std::make_unique<S4d>(view, std::move(D));
}

}  // namespace mambo::reference
