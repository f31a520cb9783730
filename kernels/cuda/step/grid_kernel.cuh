// The kernel with which many CTAs play one stream, wherever they run: for models whose weights need
// more than a cluster's shared memory, on devices with or without clusters. All of them must run at
// the same time, so the launch is cooperative, and never larger than what the device says it can
// hold at once.
#pragma once

#include "kernels/cuda/step/launch_setup.cuh"
#include "kernels/cuda/step/step_kernels.h"

namespace mambo::cuda {

template <class Shape, bool kByHand, StepMixer... Mixers>
__global__ void __launch_bounds__(kThreads, 1) play_grid(const __grid_constant__ Launch launch) {
  using T = StepTraits<__half, 1, GridExchange, Split::rows, Shape, kByHand, Mixers...>;
  extern __shared__ __align__(128) unsigned char smem[];
  GridExchange exchange;
  exchange.members = static_cast<int>(gridDim.x);
  exchange.me = static_cast<int>(blockIdx.x);
  exchange.words = launch.ll_words;
  exchange.words_per_replica = launch.ll_words_per_replica;
  for (int i = 0; i < kMessages; ++i) {
    exchange.at[i] = launch.ll_at[i];
    exchange.seq[i] = launch.seq;
  }
  StepLaunch<T> step(launch, launch.roles[0], smem, exchange, launch.streams);
  Everything<T> everything(step);
  everything.set_up();
  step.play(everything);
  everything.keep();
}

template <class Shape, StepMixer... Mixers>
StepKernels grid_kernels() {
  return {play_grid<Shape, false, Mixers...>, play_grid<Shape, true, Mixers...>};
}

}  // namespace mambo::cuda
