// The kernel whose CTAs play a stream each, or a few: no cluster, no neighbour. The fallback for
// any device, and the way to play many streams at once: the tensor core's product of eight vectors
// costs what one costs, so a CTA advances several streams for little more than one.
#pragma once

#include "kernels/cuda/step/layer_batch.cuh"
#include "kernels/cuda/step/step_launch.cuh"

namespace mambo::cuda {

template <class W, int NS, class Comm>
__global__ void __launch_bounds__(32 * Comm::kWarps, 1)
    play_single(const __grid_constant__ Launch launch) {
  extern __shared__ __align__(128) unsigned char smem[];
  StepLaunch<W, NS, Comm> player(launch, launch.roles[0], smem, Comm{},
                                 launch.streams + static_cast<std::size_t>(blockIdx.x) * NS);
  EverythingOf<W, NS, Comm> everything(player);
  everything.set_up();
  player.play(everything);
  everything.keep();
}

}  // namespace mambo::cuda
