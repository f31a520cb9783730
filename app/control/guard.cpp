#include "app/control/guard.h"

#include <algorithm>
#include <vector>

namespace mambo {

TroubleLimits guard_limits(const Config& config, std::span<const std::uint8_t> clip,
                           const std::array<float, 256>& table) {
  constexpr double looked_at_s = 60;
  TroubleLimits least;
  const GuardFacts& own = config.guard;
  if (own.silence_s > 0) least.silence_s = own.silence_s;
  if (own.noise_s > 0) least.noise_s = own.noise_s;
  if (own.drone_s > 0) least.drone_s = own.drone_s;
  const auto most = static_cast<std::size_t>(looked_at_s * config.sample_rate);
  std::vector<float> samples;
  for (const std::uint8_t c : clip.last(std::min(most, clip.size()))) samples.push_back(table[c]);
  return limits_beside(samples, config.sample_rate, least);
}

void Guard::prepare(const Engine& engine, const State& clip_end, double rate,
                    const TroubleLimits& limits) {
  engine_ = &engine;
  clip_end_ = &clip_end;
  rate_ = rate;
  meter_.prepare(rate, limits);
  for (Moment& m : moments_) m.state = engine.make_state();
  // They have to reach back behind the longest that trouble may go unnoticed.
  const double longest_s = std::max({limits.silence_s, limits.noise_s, limits.drone_s});
  keep_every_s_ = std::max(kKeepEvery_s, (longest_s + 2 * kOlder_s) / (kMoments - 1));
  begin_run();
}

void Guard::begin_run() { begin_at(0); }

void Guard::begin_at(std::uint64_t position) {
  meter_.reset();
  for (Moment& m : moments_) m.filled = false;
  kept_at_ = position;
  returned_at_ = 0;
  returns_soon_ = 0;
}

std::optional<Guard::Return> Guard::heard(std::span<const float> samples,
                                          std::span<const float> entropy, const State& state,
                                          std::uint64_t now) {
  if (!meter_.hear(samples, entropy)) return std::nullopt;
  if (meter_.trouble() != Trouble::none) return go_back(now);
  if (meter_.is_well()) keep(state, now);
  return std::nullopt;
}

void Guard::keep(const State& state, std::uint64_t now) {
  if (static_cast<double>(now - kept_at_) < keep_every_s_ * rate_) return;
  Moment* oldest = &moments_.front();
  for (Moment& m : moments_) {
    if (oldest->filled && (!m.filled || m.position < oldest->position)) oldest = &m;
  }
  engine_->copy(state, *oldest->state);
  oldest->position = now;
  oldest->filled = true;
  kept_at_ = now;
}

Guard::Return Guard::go_back(std::uint64_t now) {
  const double ago_s = static_cast<double>(now - returned_at_) / rate_;
  // What the limits need to tell trouble is no time in which all was well.
  const bool soon = returned_at_ > 0 && ago_s < kSoon_s + meter_.lasted_s();
  returns_soon_ = soon ? returns_soon_ + 1 : 0;
  const double began = static_cast<double>(now) - (meter_.lasted_s() + kOlder_s) * rate_;
  const Moment* to = nullptr;
  for (const Moment& m : moments_) {
    if (!m.filled || static_cast<double>(m.position) > began || returns_soon_ > 1) continue;
    const bool better = to == nullptr || (returns_soon_ == 0 ? m.position > to->position
                                                             : m.position < to->position);
    if (better) to = &m;
  }
  Return r{meter_.trouble(), 0, clip_end_};
  if (to != nullptr) r = {meter_.trouble(), to->position, to->state.get()};
  for (Moment& m : moments_) m.filled = m.filled && m.position <= r.to;
  meter_.reset();
  kept_at_ = now;
  returned_at_ = now;
  return r;
}

}  // namespace mambo
