// What a mixer is given on the CPU: pointers into the scratch of one step, or of a tile of steps.
// dp is d_inner padded to 16; memory is aligned and padded.
#pragma once

#include <cstddef>

namespace mambo::cpu {

// One step.
struct MixerStep {
  const float* u;    // [dp]: the convolution's output
  const float* z;    // [dp]: the gate's input
  const float* D;    // [dp]
  float* projected;  // scratch: what is computed of u for the mixer (S6: x_proj u)
  float* delta;      // scratch [dp]
  float* h;          // the stream's states
  float* y;          // out [dp]: (mixer(u) + D u) silu(z); may be u
  float read = 1;    // of a time-invariant mixer: its output's factor (Selectivity)
};

// A tile of prefill: `rows` steps. u and delta are [rows][dp], projected [rows][projected()]; z and
// y have row stride uz_stride.
struct MixerTile {
  int rows;
  const float* u;
  const float* projected;
  const float* delta;
  const float* D;  // [dp]
  const float* z;
  std::size_t uz_stride;
  float* y;
  float read = 1;  // as in MixerStep
};

}  // namespace mambo::cpu
