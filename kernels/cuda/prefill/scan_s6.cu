// The scan's launches: how many segments of time, and which of the kernels' shapes.
#include <algorithm>

#include "kernels/cuda/prefill/scan_s6.cuh"
#include "kernels/cuda/runtime/check.h"

namespace mambo::cuda {
namespace {

using namespace scan_device;

constexpr int kShortest = 32;  // steps of a segment: shorter ones cost more to start than they save

int channel_blocks(int dp) { return (dp + kChannels - 1) / kChannels; }

int resident_ctas(int states) {
  return states == 16 ? Shape<16>::ctas : (states == 32 ? Shape<32>::ctas : Shape<64>::ctas);
}

// As many segments as give every SM all the CTAs that it holds at once, and no second wave.
int most_segments(int dp, int states, int sms) {
  return std::max(1, sms * resident_ctas(states) / channel_blocks(dp));
}

int ceil_div(int a, int b) { return (a + b - 1) / b; }

template <class T, int NP>
void launch(const S6ScanArgs<T>& args, cudaStream_t stream) {
  const int most = most_segments(args.dp, NP, args.sms);
  const int steps = std::max(kShortest, ceil_div(args.length, most));
  Kernel<T> k{args, ceil_div(steps, kSteps) * kSteps, nullptr};
  const int segments = ceil_div(args.length, k.segment);
  k.sums = args.ends + static_cast<std::size_t>(segments) * NP * args.dp;
  const auto blocks = static_cast<unsigned>(channel_blocks(args.dp));
  constexpr int kThreads = Shape<NP>::threads;
  if (segments > 1) {
    const auto ends = static_cast<unsigned>(segments - 1);
    scan_ends<T, NP><<<dim3(blocks, ends), kThreads, 0, stream>>>(k);
    MAMBO_CUDA(cudaGetLastError());
    const dim3 chains(static_cast<unsigned>(args.dp / 32), NP);
    scan_carry<T><<<chains, 32 * kCarryWarps, 0, stream>>>(k, segments);
    MAMBO_CUDA(cudaGetLastError());
  }
  scan_segments<T, NP><<<dim3(blocks, static_cast<unsigned>(segments)), kThreads, 0, stream>>>(k);
  MAMBO_CUDA(cudaGetLastError());
}

}  // namespace

std::size_t s6_scan_scratch(int dp, int states, int sms) {
  return static_cast<std::size_t>(most_segments(dp, states, sms)) *
         static_cast<std::size_t>(states + 1) * static_cast<std::size_t>(dp);
}

template <class T>
void scan(S6ScanArgs<T> args, cudaStream_t stream) {
  if (args.length <= 0) return;
  switch (args.states) {
    case 16:
      return launch<T, 16>(args, stream);
    case 32:
      return launch<T, 32>(args, stream);
    default:
      return launch<T, 64>(args, stream);
  }
}

template void scan<float>(S6ScanArgs<float>, cudaStream_t);
template void scan<__half>(S6ScanArgs<__half>, cudaStream_t);

}  // namespace mambo::cuda
