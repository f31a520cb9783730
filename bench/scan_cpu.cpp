#include <algorithm>
#include <chrono>
#include <random>

#include "bench/scan.h"
#include "kernels/cpu/rows.h"
#include "kernels/cpu/step.h"
#include "kernels/cpu/team.h"

namespace mambo {

double bench_scan(int d_inner, int d_state, std::int64_t length, int threads) {
  using namespace cpu;
  constexpr int kTile = 256;
  Layer l;
  l.d_inner = d_inner;
  l.dp = round_up(d_inner);
  l.rank = 0;
  l.xp = round_up(2 * d_state);
  const auto dp = static_cast<std::size_t>(l.dp);
  l.A = AlignedBuffer<float>(dp * static_cast<std::size_t>(d_state));
  l.D = AlignedBuffer<float>(dp);
  AlignedBuffer<float> delta(kTile * dp);
  AlignedBuffer<float> u(kTile * dp);
  AlignedBuffer<float> uz(kTile * 2 * dp);
  AlignedBuffer<float> dbc(kTile * static_cast<std::size_t>(l.xp));
  AlignedBuffer<float> h(dp * static_cast<std::size_t>(d_state));
  std::mt19937 rng(1);
  std::uniform_real_distribution<float> uniform(0.0F, 1.0F);
  const auto fill = [&](AlignedBuffer<float>& b, float low, float high) {
    std::generate_n(b.data(), b.size(), [&] { return low + (high - low) * uniform(rng); });
  };
  fill(l.A, -16.0F, -1.0F);
  fill(delta, 0.001F, 0.1F);
  fill(u, -1.0F, 1.0F);
  fill(uz, -1.0F, 1.0F);
  fill(dbc, -1.0F, 1.0F);

  Team team(threads);
  const auto begin = std::chrono::steady_clock::now();
  team.run([&](int thread) {
    const FlushSubnormals flush;
    const Range blocks = part(l.dp / kBlock, thread, team.size());
    for (std::int64_t at = 0; at < length; at += kTile) {
      const int rows = static_cast<int>(std::min<std::int64_t>(kTile, length - at));
      for (int b = blocks.begin; b < blocks.end; ++b) {
        scan_block(
            l, d_state, b, rows, delta.data(), u.data(), dbc.data(), uz.data() + dp, 2 * dp,
            h.data() + static_cast<std::size_t>(b) * static_cast<std::size_t>(d_state) * kBlock,
            uz.data());
      }
    }
  });
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace mambo
