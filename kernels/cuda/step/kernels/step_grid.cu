// Many CTAs play one stream, wherever they run: for models whose weights need more than a cluster's
// shared memory, on devices with or without clusters. All of them must run at the same time, so the
// launch is cooperative, and never larger than what the device says it can hold at once.
#include "kernels/cuda/step/step_kernels.h"
#include "kernels/cuda/step/step_launch.cuh"

namespace mambo::cuda {
namespace {

constexpr int kThreads = 32 * kSharedWarps;

template <class W, class Comm>
__global__ void __launch_bounds__(kThreads, 1) play_grid(const __grid_constant__ Launch launch) {
  extern __shared__ __align__(128) unsigned char smem[];
  Comm comm;
  comm.members = static_cast<int>(gridDim.x);
  comm.me = static_cast<int>(blockIdx.x);
  comm.mail = launch.mail;
  comm.words = launch.mail_words;
  for (int i = 0; i < kKinds; ++i) {
    comm.at[i] = launch.mail_at[i];
    comm.seq[i] = launch.seq;
  }
  StepLaunch<W, 1, Comm> player(launch, launch.roles[0], smem, comm, launch.streams);
  player.set_up();
  typename StepLaunch<W, 1, Comm>::Everything everything;
  player.play(everything);
  player.keep();
}

StepKernel kernel_for(WeightStorage storage, bool flat, Blocks blocks) {
  if (blocks.mixed)
    return storage == WeightStorage::f32 ? play_grid<float, Mixed<Grid>>
                                         : play_grid<__half, Mixed<Grid>>;
  if (storage == WeightStorage::f32) return play_grid<float, Grid>;
  return flat ? play_grid<__half, Flat<Grid>> : play_grid<__half, Grid>;
}

}  // namespace

int prepare_grid(WeightStorage storage, bool flat, Blocks blocks, std::size_t shared_bytes) {
  const StepKernel kernel = kernel_for(storage, flat, blocks);
  int device = 0;
  int cooperative = 0;
  int sms = 0;
  MAMBO_CUDA(cudaGetDevice(&device));
  MAMBO_CUDA(cudaDeviceGetAttribute(&cooperative, cudaDevAttrCooperativeLaunch, device));
  MAMBO_CUDA(cudaDeviceGetAttribute(&sms, cudaDevAttrMultiProcessorCount, device));
  if (cooperative == 0) return 0;
  allow_shared_memory(reinterpret_cast<const void*>(kernel));
  int per_sm = 0;
  MAMBO_CUDA(
      cudaOccupancyMaxActiveBlocksPerMultiprocessor(&per_sm, kernel, kThreads, shared_bytes));
  return per_sm * sms;
}

void launch_grid(WeightStorage storage, bool flat, Blocks blocks, const Launch& launch, int ctas,
                 std::size_t shared_bytes, cudaStream_t stream) {
  Launch copy = launch;
  void* args[] = {&copy};
  const StepKernel kernel = kernel_for(storage, flat, blocks);
  MAMBO_CUDA(cudaLaunchCooperativeKernel(reinterpret_cast<const void*>(kernel),
                                         dim3(static_cast<unsigned>(ctas)), dim3(kThreads), args,
                                         shared_bytes, stream));
}

}  // namespace mambo::cuda
