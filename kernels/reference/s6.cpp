// The selective state space.
#include <cmath>
#include <utility>

#include "kernels/reference/mixer.h"

namespace mambo::reference {
namespace {

double softplus(double x) { return x > 30.0 ? x : std::log1p(std::exp(x)); }

class S6 final : public StepMixer {
 public:
  S6(const S6View& view, Vector D)
      : rank_(view.rank),
        N_(view.states()),
        x_proj_(matrix(view.x_proj)),
        dt_proj_(matrix(view.dt_proj)),
        dt_bias_(vector(view.dt_bias)),
        A_(vector(view.A_log)),
        D_(std::move(D)) {
    for (double& a : A_) a = -std::exp(a);
    reset();
  }

  void reset() override {
    h_.assign(A_.size(), 0.0);
    delta_.assign(D_.size(), 0.0);
  }

  Vector step(const Vector& u) override {
    const Vector dbc = x_proj_ * u;
    const double* B = dbc.data() + rank_;
    const double* C = B + N_;
    const Vector dt = dt_proj_ * Vector(dbc.begin(), dbc.begin() + rank_);
    Vector y(u.size());
    for (std::size_t c = 0; c < u.size(); ++c) {
      const double delta = softplus(dt[c] + dt_bias_[c]);
      delta_[c] = delta;
      y[c] = D_[c] * u[c];
      for (int n = 0; n < N_; ++n) {
        const std::size_t i = c * static_cast<std::size_t>(N_) + static_cast<std::size_t>(n);
        h_[i] = std::exp(delta * A_[i]) * h_[i] + delta * B[n] * u[c];
        y[c] += C[n] * h_[i];
      }
    }
    return y;
  }

  std::span<const double> delta() const override { return delta_; }
  Vector state() const override { return h_; }

 private:
  int rank_, N_;
  Matrix x_proj_, dt_proj_;
  Vector dt_bias_, A_, D_;  // A: [d_inner][N]
  Vector h_;                // [d_inner][N]
  Vector delta_;            // [d_inner]
};

}  // namespace

std::unique_ptr<StepMixer> make_mixer(const S6View& view, Vector D) {
  return std::make_unique<S6>(view, std::move(D));
}

}  // namespace mambo::reference
