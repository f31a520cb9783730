// The kernel with which many CTAs play one stream, wherever they run: for models whose weights need
// more than a cluster's shared memory, on devices with or without clusters. All of them must run at
// the same time, so the launch is cooperative, and never larger than what the device says it can
// hold at once.
#pragma once

#include "kernels/cuda/step/step_launch.cuh"

namespace mambo::cuda {

template <class Comm>
__global__ void __launch_bounds__(32 * kSharedWarps, 1)
    play_grid(const __grid_constant__ Launch launch) {
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
  StepLaunch<__half, 1, Comm> player(launch, launch.roles[0], smem, comm, launch.streams);
  EverythingOf<__half, 1, Comm> everything(player);
  everything.set_up();
  player.play(everything);
  everything.keep();
}

}  // namespace mambo::cuda
