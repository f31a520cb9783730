// S4D on the CPU: its weights, and its part of prefill. One step is in mixer_s4d-inl.h.
#pragma once

#include "kernels/cpu/mixer_tile.h"
#include "kernels/cpu/packed.h"
#include "kernels/mixers/s4d.h"
#include "kernels/selectivity.h"

namespace mambo::cpu {

// Rows of 16 channels per state: real and imaginary part of decay, then of gain (S4dModes).
inline constexpr int kModeRows = 4;

struct S4dWeights {
  int d_inner = 0, dp = 0;     // dp: padded to 16
  int M = 0;                   // complex states per channel
  AlignedBuffer<float> modes;  // [dp/16][M][kModeRows][16], zeros where channels are padding
  AlignedBuffer<float> dt;     // [dp], exp(log_dt): what the tap shows

  std::size_t bytes() const { return modes.size() * sizeof(float); }
  int projected() const { return 0; }
  int b_column() const { return -1; }
  const float* constant_delta() const { return dt.data(); }
};

S4dWeights pack_mixer(const S4dView& view, int d_inner, WeightStorage storage);

// Prefill: nothing of the mixer depends on the input.
inline void project(const S4dWeights& /*w*/, const float* /*u*/, int /*rows*/, float* /*projected*/,
                    float* /*delta*/) {}
// Prefill: `read` alone, which the scan takes from its tile.
inline void play_by_hand(const S4dWeights& /*w*/, const Selectivity::Layer& /*by_hand*/,
                         int /*rows*/, float* /*projected*/, float* /*delta*/) {}
// Prefill: one block of 16 channels along time. h: [M][real, imaginary][16].
void scan_block(const S4dWeights& w, const MixerTile& t, int block, float* h);

}  // namespace mambo::cpu
