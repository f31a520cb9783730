#include "app/live/latency_keeper.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "app/control/control.h"

namespace mambo {
namespace {

// At least twice as much: what fails now and then fails less often with a little more, but fails.
constexpr std::array steps_ms = {20.0,  40.0,  60.0,  100.0, 150.0,
                                 200.0, 300.0, 500.0, 750.0, 1000.0};

}  // namespace

void LatencyKeeper::look(double now_s, const SessionStatus& status, double latency_ms) {
  if (!started_ || latency_ms != latency_ms_) {
    when_.clear();
    from_s_ = now_s + (started_ ? kSettle_s : 0);
    latency_ms_ = latency_ms;
    seen_ = status.underruns;
    started_ = true;
  }
  const bool fast = status.real_time_factor == 0 || status.real_time_factor > 1;
  const bool counts =
      status.playing && status.activity == Activity::ready && fast && now_s >= from_s_;
  for (; seen_ < status.underruns; ++seen_) {
    if (counts) when_.push_back(now_s);
    if (when_.size() > 999) when_.pop_front();
  }
  while (!when_.empty() && now_s - when_.front() > kWindow_s) when_.pop_front();
}

std::optional<double> LatencyKeeper::advice() const {
  const double most = control_spec(ControlId::latency).max;
  if (underruns() < kMany || latency_ms_ >= most) return {};
  const auto* const step = std::find_if(steps_ms.begin(), steps_ms.end(),
                                        [this](double ms) { return ms >= 2 * latency_ms_; });
  return step == steps_ms.end() ? most : std::min(*step, most);
}

}  // namespace mambo
