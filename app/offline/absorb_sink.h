// Prefill's progress as an event of a render, and the way to stop it.
#pragma once

#include <cstdint>

#include "app/offline/render.h"
#include "kernels/observe.h"

namespace mambo {

// Reports samples absorbed of `of` to RenderEvents::absorbing; prefill ends where stop() says so.
class AbsorbSink : public PrefillSink {
 public:
  AbsorbSink(RenderEvents& events, std::uint64_t of) : events_(events), of_(of) {}
  bool progress(std::uint64_t samples) override {
    events_.absorbing(samples, of_);
    return !events_.stop();
  }

 private:
  RenderEvents& events_;
  std::uint64_t of_;
};

}  // namespace mambo
