// The one shape that a resident stage (stage_resident.cuh) is compiled for, and where its CTA keeps
// things in shared memory.
#pragma once

#include <cuda_fp16.h>

#include <cstdint>

#include "kernels/cuda/step/device_math.cuh"
#include "kernels/cuda/step/sampling.cuh"

namespace mambo::cuda {

// Tier 0 as audio models usually have it; of S6 layers N up to 16 and dt_rank up to 4, of S4D
// layers up to eight complex states.
struct ResidentShape {
  static constexpr int kWidth = 64, kInner = 128, kStates = 16, kWindow = 4, kRank = 4, kRows = 48;
  static constexpr int kTiles = kInner / 8 / kWarps;  // channel tiles per warp
  // Four pairs of tiles have a running sum each: by itself or added to it, a pair is the same.
  static_assert(kInner <= 128);
  static constexpr int kMaxLayers = 3;  // per stage: as many as fit its shared memory

  // What a layer keeps in shared memory, in bytes from its start.
  static constexpr int kIn = 0;
  static constexpr int kX = kIn + 2 * kInner * kWidth * 2;
  static constexpr int kOut = kX + kRows * kInner * 2;
  static constexpr int kOutBias = kOut + kWidth * kInner * 2;
  static constexpr int kLayerBytes = kOutBias + kWidth * 4;
  static constexpr int kTableBytes = kMaxVocab * kWidth * 2;  // the embedding or the head

  static constexpr int kOutWarps = kWidth / 16;                    // from warp 0 on
  static constexpr int kXWarps = kRows / 16, kFirstX = kOutWarps;  // behind them

  // x as it travels from stage to stage.
  struct X {
    float x[kWidth];
    __half half[kWidth];
    float squares[kWidth / 8];  // sums of eight neighbours each
  };

  struct Shared {
    X x;
    __half u[kInner], y[kInner];
    float dbc[kRows];
    float row[kWidth];          // x that joins a group, before the skip is added
    float logits[kMaxVocab];    // the last stage's
    float factors[kMaxVocab];   // the first one's: rms_factor of each code's x
    std::uint32_t scratch[16];  // of a draw
    int drawn;
    const float* by_hand[kMaxLayers];  // a layer's part of the stream's table, or null
  };
};

}  // namespace mambo::cuda
