// One CTA plays everything: no cluster, no neighbour. The fallback for any device, and the way to
// play many streams at once: the tensor core's product of eight vectors costs what one costs, so a
// CTA advances several streams for little more than one.
#include "kernels/cuda/player.cuh"
#include "kernels/cuda/step_kernels.h"
#include "kernels/cuda/worker_streams.cuh"

namespace mambo::cuda {
namespace {

constexpr int kThreads = 32 * kAloneWarps;

template <class W, int NS>
__global__ void __launch_bounds__(kThreads, 1) play_alone(const __grid_constant__ Launch launch) {
  extern __shared__ __align__(128) unsigned char smem[];
  Player<W, NS, Alone> player(launch, launch.roles[0], smem, Alone{},
                              launch.streams + static_cast<std::size_t>(blockIdx.x) * NS);
  player.set_up();
  typename Player<W, NS, Alone>::Everything everything;
  player.play(everything);
  player.keep();
}

using Kernel = void (*)(const Launch);

Kernel kernel_for(WeightStorage storage, int together) {
  if (storage == WeightStorage::f32) return play_alone<float, 1>;
  if (together == 8) return play_alone<__half, 8>;
  if (together == 4) return play_alone<__half, 4>;
  return play_alone<__half, 1>;
}

}  // namespace

void prepare_alone(WeightStorage storage, int together) {
  allow_shared_memory(reinterpret_cast<const void*>(kernel_for(storage, together)));
}

void launch_alone(WeightStorage storage, int together, const Launch& launch, int ctas,
                  std::size_t shared_bytes, cudaStream_t stream) {
  kernel_for(storage,
             together)<<<static_cast<unsigned>(ctas), kThreads, shared_bytes, stream>>>(launch);
  MAMBO_CUDA(cudaGetLastError());
}

}  // namespace mambo::cuda
