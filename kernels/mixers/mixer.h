// The list of mixers: what carries a block's memory. A mixer is an id and a row here, its
// parameters in a header of its own (s6.h, s4d.h) and an alternative of MixerView
// (kernels/network.h). docs/developing.md lists what else a new one needs.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/tensor_view.h"

namespace mambo {

enum class Mixer : std::uint8_t { s6, s4d };

struct MixerInfo {
  Mixer id;
  const char* name;     // in configurations
  bool time_invariant;  // delta is a constant of each channel; there are no B and C per step
  int state_parts;      // float32 numbers of one state: 1 where it is real, 2 where it is complex
};
// In the order of the ids.
inline constexpr std::array all_mixers = {
    MixerInfo{Mixer::s6, "s6", false, 1},
    MixerInfo{Mixer::s4d, "s4d", true, 2},
};

constexpr const MixerInfo& mixer_info(Mixer m) { return all_mixers[static_cast<std::size_t>(m)]; }
constexpr const char* mixer_name(Mixer m) { return mixer_info(m).name; }

// One row of a mixer's table of tensors.
struct TensorRow {
  const char* name;    // in files, after the block's prefix
  TensorView* tensor;  // of the view that gave the table
  // As the file has it. Empty: unknown, because the tensor that would tell is missing.
  std::vector<std::int64_t> shape;
};

}  // namespace mambo
