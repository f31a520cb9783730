// Everything that plays together: a model on its engine, absorbed into a clip, with room for
// observations. Made by the worker thread, handed whole to the generator thread.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "app/control/guard.h"
#include "app/live/observation.h"
#include "model/model.h"
#include "model/moments.h"
#include "model/revive.h"
#include "model/voice.h"

namespace mambo {

constexpr int kMaxChunk = 256;  // samples per generator call, at most

struct Program {
  std::shared_ptr<const Model> model;
  std::shared_ptr<const Engine> engine;
  std::unique_ptr<Voice> voice;      // stands at the end of the clip
  Snapshot clip_end;                 // the same place, for Again
  std::unique_ptr<Moments> moments;  // of the voice
  std::uint64_t clip_samples = 0;
  std::vector<std::uint8_t> clip_tail;  // its last minute, for revive_program
  std::array<float, 256> table{};       // code -> sample
  ObservationSource observations;       // of the clip: its last minute
  int favourite_layer = 0;
  Guard guard;  // prepared, at the end of the clip
  TroubleLimits guard_limits;
};

// The layer worth observing first: the first of the innermost tier that selects, since delta of a
// time-invariant layer is constant; where none selects, of the innermost tier.
int favourite_layer(const NetworkView& net);

// Allocates and prefills: seconds for a long clip. codes: the clip; empty: one silent sample, from
// which generation starts. tap_layer: whose delta the clip's observations carry, as far as 16 MB
// go; -1: none; one that the network has not: its favourite. progress(0..1) returns false to
// cancel: throws Cancelled.
std::unique_ptr<Program> make_program(std::shared_ptr<const Model> model,
                                      std::shared_ptr<const Engine> engine,
                                      std::span<const std::uint8_t> codes, int tap_layer, int chunk,
                                      const std::function<bool(float)>& progress);

// The program `lost` once more on another engine of the same network, as far as the codes that are
// still known reach: it absorbs the end of the clip and `drawn`, the last of the drawn_in_all codes
// that followed it, and stands where `lost` stood; position and observations are those of `lost`.
// Where `drawn` is not all of them, it absorbs `drawn` alone: it is more recent than the clip.
std::unique_ptr<Program> revive_program(const Program& lost, std::shared_ptr<const Engine> engine,
                                        std::span<const std::uint8_t> drawn,
                                        std::uint64_t drawn_in_all,
                                        const std::function<bool(float)>& progress);

}  // namespace mambo
