// The kernel whose CTAs play a stream each, or a few: no cluster, no exchange. The fallback for any
// device, and the way to play many streams at once: the tensor core's product of eight vectors
// costs what one costs, so a CTA advances several streams for little more than one.
#pragma once

#include "kernels/cuda/step/launch_setup.cuh"
#include "kernels/cuda/step/step_kernels.h"

namespace mambo::cuda {

// W: how weights are stored; NS: streams per CTA.
template <class W, int NS, class Shape, bool kByHand, StepMixer... Mixers>
__global__ void __launch_bounds__(kThreads, 1) play_single(const __grid_constant__ Launch launch) {
  using T = StepTraits<W, NS, CtaExchange, Split::rows, Shape, kByHand, Mixers...>;
  extern __shared__ __align__(128) unsigned char smem[];
  StepLaunch<T> step(launch, launch.roles[0], smem, CtaExchange{},
                     launch.streams + static_cast<std::size_t>(blockIdx.x) * NS);
  Everything<T> everything(step);
  everything.set_up();
  step.play(everything);
  everything.keep();
}

template <class W, int NS, class Shape, StepMixer... Mixers>
StepKernels single_kernels() {
  return {play_single<W, NS, Shape, false, Mixers...>, play_single<W, NS, Shape, true, Mixers...>};
}

}  // namespace mambo::cuda
