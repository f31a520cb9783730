// What holds at one sample, handed to what computes: from a Patch to a Selectivity or a Voice.
#pragma once

#include <cstdint>
#include <span>

#include "app/control/choice.h"
#include "app/control/patch.h"
#include "kernels/engine.h"
#include "kernels/selectivity.h"
#include "model/voice.h"

namespace mambo {

// Whether a network has the targets, and an engine can play them. Throws Error, one sentence.
void expect_settings(std::span<const LayerSetting> settings, const NetworkView& net,
                     const Engine& engine);
// Whether one of them holds something at its mean over the clip.
bool wants_means(std::span<const LayerSetting> settings);
// Throws Error, one sentence, where a clip of so many samples was too short to have means.
void expect_means(const SelectionMeans& means, const NetworkView& net, std::uint64_t samples);
// In their order.
void apply_settings(std::span<const LayerSetting> settings, Patch& patch);
// Allocates.
void apply_settings(std::span<const LayerSetting> settings, const NetworkView& net,
                    Selectivity& to);

LayerSelectivity selectivity_of(const Patch& patch, int layer);

// Keeps a Selectivity as a Patch says. One thread; no allocation. Where nothing has changed it
// costs one comparison, and layers that stand as they should are not touched.
class ByHand {
 public:
  // After another Selectivity was made or copied over it.
  void forget_what_was_set() { known_ = kUnknown; }
  void hand_over(const Patch& patch, Selectivity& to);

 private:
  static constexpr std::uint64_t kUnknown = UINT64_MAX;
  std::uint64_t known_ = 0;  // Patch::layer_version() that was handed over
};

// The event `forget` on the layers that it reaches.
void forget(const Patch& patch, const ControlEvent& event, Voice& voice);

}  // namespace mambo
