// One CTA plays everything: no cluster, no neighbour. The fallback for any device, and the way to
// play many streams at once: the tensor core's product of eight vectors costs what one costs, so a
// CTA advances several streams for little more than one.
#include "kernels/cuda/step/layer_batch.cuh"
#include "kernels/cuda/step/step_kernels.h"
#include "kernels/cuda/step/step_launch.cuh"

namespace mambo::cuda {
namespace {

constexpr int kThreads = 32 * kAloneWarps;

template <class W, int NS, class Comm>
__global__ void __launch_bounds__(kThreads, 1) play_alone(const __grid_constant__ Launch launch) {
  extern __shared__ __align__(128) unsigned char smem[];
  StepLaunch<W, NS, Comm> player(launch, launch.roles[0], smem, Comm{},
                                 launch.streams + static_cast<std::size_t>(blockIdx.x) * NS);
  player.set_up();
  typename StepLaunch<W, NS, Comm>::Everything everything;
  player.play(everything);
  player.keep();
}

// Several streams an SM have a kernel for usual blocks, and one for all else.
template <bool kMixed>
StepKernel kernel_of(WeightStorage storage, int together, bool usual) {
  using Plain = BlocksOf<Alone, kMixed>;
  using Known = BlocksOf<Usual<Alone>, kMixed>;
  if (storage == WeightStorage::f32) return play_alone<float, 1, Plain>;
  if (together == 8) return usual ? play_alone<__half, 8, Known> : play_alone<__half, 8, Plain>;
  if (together == 4) return usual ? play_alone<__half, 4, Known> : play_alone<__half, 4, Plain>;
  return play_alone<__half, 1, Plain>;
}

StepKernel kernel_for(WeightStorage storage, int together, Blocks blocks) {
  return blocks.mixed ? kernel_of<true>(storage, together, blocks.usual)
                      : kernel_of<false>(storage, together, blocks.usual);
}

}  // namespace

void prepare_alone(WeightStorage storage, int together, Blocks blocks) {
  allow_shared_memory(reinterpret_cast<const void*>(kernel_for(storage, together, blocks)));
}

void launch_alone(WeightStorage storage, int together, Blocks blocks, const Launch& launch,
                  int ctas, std::size_t shared_bytes, cudaStream_t stream) {
  const StepKernel kernel = kernel_for(storage, together, blocks);
  kernel<<<static_cast<unsigned>(ctas), kThreads, shared_bytes, stream>>>(launch);
  MAMBO_CUDA(cudaGetLastError());
}

}  // namespace mambo::cuda
