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

  void play_by_hand(const LayerSelectivity& by_hand, const SelectionMeans::Layer& means) override {
    by_hand_ = by_hand;
    means_ = means;
  }
  void forget(double factor) override {
    for (double& h : h_) h *= factor;
  }

  Vector step(const Vector& u) override {
    Vector dbc = x_proj_ * u;
    double* B = dbc.data() + rank_;
    double* C = B + N_;
    for (std::size_t n = 0; n < static_cast<std::size_t>(N_); ++n) {
      B[n] = held(B[n], by_hand_.hold_B, means_.B, n);
      C[n] = by_hand_.read * held(C[n], by_hand_.hold_C, means_.C, n);
    }
    const Vector dt = dt_proj_ * Vector(dbc.begin(), dbc.begin() + rank_);
    Vector y(u.size());
    for (std::size_t c = 0; c < u.size(); ++c) {
      const double delta = by_hand_.delta_scale * held(softplus(dt[c] + dt_bias_[c]),
                                                       by_hand_.hold_delta, means_.delta, c);
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
  // Selectivity by hand: X' = (1 - m) X + m X_mean.
  static double held(double said, double m, const std::vector<float>& mean, std::size_t i) {
    return m == 0 ? said : (1 - m) * said + m * mean[i];
  }

  int rank_, N_;
  Matrix x_proj_, dt_proj_;
  Vector dt_bias_, A_, D_;  // A: [d_inner][N]
  Vector h_;                // [d_inner][N]
  Vector delta_;            // [d_inner]
  LayerSelectivity by_hand_;
  SelectionMeans::Layer means_;
};

}  // namespace

std::unique_ptr<StepMixer> make_mixer(const S6View& view, Vector D) {
  return std::make_unique<S6>(view, std::move(D));
}

}  // namespace mambo::reference
