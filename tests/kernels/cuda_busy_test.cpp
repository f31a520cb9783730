// A device that has other work to do: what an engine asked for earlier must not arrive later.
#include <gtest/gtest.h>

#include "tests/kernels/support.h"

#if MAMBO_HAS_CUDA

#include <cuda_runtime.h>

namespace mambo::testing {
namespace {

TEST(Cuda, ANewStatesZerosDoNotArriveLate_cuda) {
  const RandomNetwork network(shapes()[3]);
  std::string why_not;
  const auto engine = engine_or_skip(network.view(), {"cuda", WeightStorage::half, ""}, &why_not);
  if (engine == nullptr) GTEST_SKIP() << why_not;

  const auto other = engine->make_state();
  engine->step(*other, random_codes(100));
  const auto want = state_of(*engine, *other);

  // Tens of milliseconds of work on the default stream, where memory is set if no stream is named.
  constexpr std::size_t kBytes = std::size_t{1} << 28;
  void* busy = nullptr;
  ASSERT_EQ(cudaMalloc(&busy, kBytes), cudaSuccess);
  for (int i = 0; i < 400; ++i) ASSERT_EQ(cudaMemsetAsync(busy, i, kBytes, nullptr), cudaSuccess);
  const auto state = engine->make_state();
  engine->write_state(*state, want, other->position());
  ASSERT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  EXPECT_EQ(state_of(*engine, *state), want);
  EXPECT_EQ(cudaFree(busy), cudaSuccess);
}

}  // namespace
}  // namespace mambo::testing

#endif
