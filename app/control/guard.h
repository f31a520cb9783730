// The guard: hears when a model goes astray (dsp/trouble.h) and says which healthy moment of the
// same run it should go on from.
//
// A moment is a copy of the state, kept every few seconds while all is well. Trouble sends the
// stream back to the latest that is two seconds older than the trouble; where trouble returns
// within twenty seconds, to the oldest that is kept; from then on to the end of the clip. The
// random stream goes on, so that what follows is drawn anew and not the same again.
//
// Decisions depend on the samples and entropies alone and fall on the borders of its blocks, never
// of chunks: a rendering decides the same each time. A live performance logs what was decided, and
// is drawn again from its log.
// One thread. prepare() allocates kMoments states; nothing else does.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "dsp/trouble.h"
#include "kernels/engine.h"
#include "model/config.h"

namespace mambo {

// How long silence, noise and drones may last after this clip: the defaults of TroubleLimits or
// what the model's file says of its own data (about.guard), and no less than twice what the clip's
// last minute has itself. Allocates; milliseconds.
TroubleLimits guard_limits(const Config& config, std::span<const std::uint8_t> clip,
                           const std::array<float, 256>& table);

class Guard {
 public:
  static constexpr std::size_t kMoments = 4;
  static constexpr double kKeepEvery_s = 5;  // at least
  static constexpr double kOlder_s = 2;      // than the trouble
  static constexpr double kSoon_s = 20;      // trouble after so short a time is the same trouble

  // The engine and clip_end outlive it, or the next prepare(). rate: Hz.
  void prepare(const Engine& engine, const State& clip_end, double rate,
               const TroubleLimits& limits);
  // At the end of the clip: nothing was drawn yet.
  void begin_run();
  // From here on it listens anew, with no moment but the end of the clip: after it was off, or the
  // stream was moved by hand.
  void begin_at(std::uint64_t position);

  std::uint64_t to_boundary() const { return meter_.to_boundary(); }  // samples

  struct Return {
    Trouble trouble = Trouble::none;
    std::uint64_t to = 0;  // the position whose state it is; 0: the end of the clip
    const State* state = nullptr;
  };
  // What was drawn, at most to_boundary() samples, and the state after it. now: samples since the
  // end of the clip, these included. A return is to be made at once: copy the state.
  std::optional<Return> heard(std::span<const float> samples, std::span<const float> entropy,
                              const State& state, std::uint64_t now);

 private:
  struct Moment {
    std::unique_ptr<State> state;
    std::uint64_t position = 0;
    bool filled = false;
  };
  void keep(const State& state, std::uint64_t now);
  Return go_back(std::uint64_t now);

  const Engine* engine_ = nullptr;
  const State* clip_end_ = nullptr;
  double rate_ = 16000, keep_every_s_ = kKeepEvery_s;
  TroubleMeter meter_;
  std::array<Moment, kMoments> moments_;
  std::uint64_t kept_at_ = 0, returned_at_ = 0;
  int returns_soon_ = 0;  // one after the other
};

}  // namespace mambo
