// One cluster plays one stream (sm_90): as a chain with an inner group, or as one group.
#include "kernels/cuda/chain.cuh"
#include "kernels/cuda/narrow.cuh"
#include "kernels/cuda/step_kernels.h"

namespace mambo::cuda {
namespace {

template <class W>
__device__ void play_link(const Launch& launch, unsigned char* smem, int rank) {
  Player<W, 1, LinkAlone> player(launch, launch.roles[rank], smem, LinkAlone{}, launch.streams);
  Link<W> link(player, rank);
  link.set_up();
  cluster_sync();
  link.play();
}

// kInner: the tiers inside, beside a chain; else everything.
template <class W, bool kInner, class Comm = Cluster>
__device__ void play_group(const Launch& launch, unsigned char* smem, int rank) {
  const Role& role = launch.roles[launch.links];
  Comm comm;
  comm.members = role.members;
  comm.base = role.first_rank;
  comm.me = rank - role.first_rank;
  comm.bars = bar_at(smem, 0);
  if constexpr (Comm::kTeam) comm.set_up();
  Player<W, 1, Comm> player(launch, role, smem, comm, launch.streams);
  if constexpr (kInner) {
    InnerGroup<W, Comm> inner(player);
    inner.set_up();
    cluster_sync();
    player.play(inner);
    inner.keep();
  } else {
    player.set_up();
    cluster_sync();
    typename Player<W, 1, Comm>::Everything everything;
    player.play(everything);
    player.keep();
  }
}

template <class W, ClusterKind kKind>
__global__ void __launch_bounds__(kSharedThreads, 1)
    play_cluster(const __grid_constant__ Launch launch) {
#if __CUDA_ARCH__ >= 900  // elsewhere it is never launched, and not worth compiling
  extern __shared__ __align__(128) unsigned char smem[];
  const int rank = static_cast<int>(blockIdx.x);
  init_bars(smem);
  if constexpr (kKind == ClusterKind::flat_team) {
    play_group<W, false, Flat<Team>>(launch, smem, rank);
  } else if (kKind != ClusterKind::group && rank < launch.links) {
    if constexpr (kKind == ClusterKind::narrow_chain || kKind == ClusterKind::narrow_chain_team) {
      NarrowLink link(launch, smem, rank);
      link.set_up();
      cluster_sync();
      link.play();
    } else {
      play_link<W>(launch, smem, rank);
    }
  } else if constexpr (kKind == ClusterKind::narrow_chain_team) {
    play_group<W, true, Usual<Team>>(launch, smem, rank);
  } else if constexpr (kKind == ClusterKind::chain_team) {
    play_group<W, true, Team>(launch, smem, rank);
  } else {
    play_group<W, kKind != ClusterKind::group>(launch, smem, rank);
  }
  cluster_sync();  // nobody leaves while others may still write here
#endif
}

using Kernel = void (*)(const Launch);
Kernel kernel_for(WeightStorage storage, ClusterKind kind) {
  if (storage == WeightStorage::f32) {
    return kind == ClusterKind::chain ? play_cluster<float, ClusterKind::chain>
                                      : play_cluster<float, ClusterKind::group>;
  }
  if (kind == ClusterKind::flat_team) return play_cluster<__half, ClusterKind::flat_team>;
  if (kind == ClusterKind::narrow_chain) return play_cluster<__half, ClusterKind::narrow_chain>;
  if (kind == ClusterKind::chain_team) return play_cluster<__half, ClusterKind::chain_team>;
  if (kind == ClusterKind::narrow_chain_team)
    return play_cluster<__half, ClusterKind::narrow_chain_team>;
  return kind == ClusterKind::chain ? play_cluster<__half, ClusterKind::chain>
                                    : play_cluster<__half, ClusterKind::group>;
}

cudaLaunchConfig_t config(int ctas, std::size_t shared_bytes, cudaStream_t stream,
                          cudaLaunchAttribute* attribute) {
  attribute->id = cudaLaunchAttributeClusterDimension;
  attribute->val.clusterDim.x = static_cast<unsigned>(ctas);
  attribute->val.clusterDim.y = 1;
  attribute->val.clusterDim.z = 1;
  cudaLaunchConfig_t c{};
  c.gridDim = dim3(static_cast<unsigned>(ctas));
  c.blockDim = dim3(kSharedThreads);
  c.dynamicSmemBytes = shared_bytes;
  c.stream = stream;
  c.attrs = attribute;
  c.numAttrs = 1;
  return c;
}

}  // namespace

int prepare_cluster(WeightStorage storage, ClusterKind kind, int ctas, std::size_t shared_bytes) {
  const Kernel kernel = kernel_for(storage, kind);
  allow_shared_memory(reinterpret_cast<const void*>(kernel));
  if (ctas > 8) {  // more than every device with clusters must offer
    MAMBO_CUDA(cudaFuncSetAttribute(kernel, cudaFuncAttributeNonPortableClusterSizeAllowed, 1));
  }
  cudaLaunchAttribute attribute;
  const cudaLaunchConfig_t c = config(ctas, shared_bytes, nullptr, &attribute);
  int clusters = 0;
  if (cudaOccupancyMaxActiveClusters(&clusters, kernel, &c) != cudaSuccess) {
    (void)cudaGetLastError();
    return 0;
  }
  return clusters;
}

void launch_cluster(WeightStorage storage, ClusterKind kind, const Launch& launch, int ctas,
                    std::size_t shared_bytes, cudaStream_t stream) {
  cudaLaunchAttribute attribute;
  const cudaLaunchConfig_t c = config(ctas, shared_bytes, stream, &attribute);
  MAMBO_CUDA(cudaLaunchKernelEx(&c, kernel_for(storage, kind), launch));
}

}  // namespace mambo::cuda
