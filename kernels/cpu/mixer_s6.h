// S6 on the CPU: its weights, and its part of prefill. One step is in mixer_s6-inl.h.
#pragma once

#include "kernels/cpu/linear.h"
#include "kernels/cpu/mixer_tile.h"
#include "kernels/mixers/s6.h"
#include "kernels/selectivity.h"

namespace mambo::cpu {

struct S6Weights {
  int d_inner = 0, dp = 0;          // dp: padded to 16
  int N = 0, rank = 0;              // states per channel; R
  int xp = 0;                       // rows of x_proj, padded
  Linear x_proj;                    // [xp][dp]: delta, B, C
  Linear dt_proj;                   // [dp][R]
  AlignedBuffer<float> dt_columns;  // [R][dp], the same weights for prefill
  AlignedBuffer<float> A;           // [dp/16][N][16], -exp(A_log) * log2(e)

  std::size_t bytes() const { return x_proj.bytes() + dt_proj.bytes() + A.size() * sizeof(float); }
  int projected() const { return xp; }   // columns of MixerTile::projected
  int b_column() const { return rank; }  // where B and then C stand in `projected`
  const float* constant_delta() const { return nullptr; }
};

S6Weights pack_mixer(const S6View& view, int d_inner, WeightStorage storage);

// Prefill: projected [rows][xp] and delta [rows][dp] from u [rows][dp].
void project(const S6Weights& w, const float* u, int rows, float* projected, float* delta);
// Prefill: what the network says of delta, B and C becomes what is played.
void play_by_hand(const S6Weights& w, const Selectivity::Layer& by_hand, int rows, float* projected,
                  float* delta);
// Prefill: one block of 16 channels along time (Gu & Dao, section 3.3). h: [N][16].
void scan_block(const S6Weights& w, const MixerTile& t, int block, float* h);

}  // namespace mambo::cpu
