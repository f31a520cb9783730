// Prefill's progress as an event of a render, and the way to stop it.
#pragma once

#include <cstdint>
#include <optional>

#include "app/offline/render.h"
#include "kernels/observe.h"
#include "kernels/selectivity.h"

namespace mambo {

// Reports samples absorbed of `of` to RenderEvents::absorbing; prefill ends where stop() says so.
// Given a network, measures the means that selectivity by hand holds to.
class AbsorbSink : public PrefillSink {
 public:
  AbsorbSink(RenderEvents& events, std::uint64_t of, const NetworkView* measured = nullptr)
      : events_(events), of_(of) {
    if (measured != nullptr) sums_.emplace(*measured);
  }
  bool progress(std::uint64_t samples) override {
    events_.absorbing(samples, of_);
    return !events_.stop();
  }
  SelectionSums* selection_sums() override { return sums_ ? &*sums_ : nullptr; }
  // Of what was absorbed; empty where that is less than a step of every layer.
  SelectionMeans means() const { return sums_ ? sums_->means() : SelectionMeans{}; }

 private:
  RenderEvents& events_;
  std::uint64_t of_;
  std::optional<SelectionSums> sums_;
};

}  // namespace mambo
