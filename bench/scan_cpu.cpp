#include <algorithm>
#include <chrono>
#include <random>

#include "bench/scan.h"
#include "kernels/cpu/mixer_s6.h"
#include "kernels/cpu/step.h"
#include "kernels/cpu/team.h"

namespace mambo {

double bench_scan(int d_inner, int d_state, std::int64_t length, int threads) {
  using namespace cpu;
  constexpr int kTile = 256;
  S6Weights w;
  w.d_inner = d_inner;
  w.dp = round_up(d_inner);
  w.N = d_state;
  w.xp = round_up(2 * d_state);
  const auto dp = static_cast<std::size_t>(w.dp);
  w.A = AlignedBuffer<float>(dp * static_cast<std::size_t>(d_state));
  const AlignedBuffer<float> D(dp);
  AlignedBuffer<float> delta(kTile * dp);
  AlignedBuffer<float> u(kTile * dp);
  AlignedBuffer<float> uz(kTile * 2 * dp);
  AlignedBuffer<float> projected(kTile * static_cast<std::size_t>(w.xp));
  AlignedBuffer<float> h(dp * static_cast<std::size_t>(d_state));
  std::mt19937 rng(1);
  std::uniform_real_distribution<float> uniform(0.0F, 1.0F);
  const auto fill = [&](AlignedBuffer<float>& b, float low, float high) {
    std::generate_n(b.data(), b.size(), [&] { return low + (high - low) * uniform(rng); });
  };
  fill(w.A, -16.0F, -1.0F);
  fill(delta, 0.001F, 0.1F);
  fill(u, -1.0F, 1.0F);
  fill(uz, -1.0F, 1.0F);
  fill(projected, -1.0F, 1.0F);

  Team team(threads);
  const auto begin = std::chrono::steady_clock::now();
  team.run([&](int thread) {
    const FlushSubnormals flush;
    const Range blocks = part(w.dp / kBlock, thread, team.size());
    for (std::int64_t at = 0; at < length; at += kTile) {
      const int rows = static_cast<int>(std::min<std::int64_t>(kTile, length - at));
      const MixerTile tile{.rows = rows,
                           .u = u.data(),
                           .projected = projected.data(),
                           .delta = delta.data(),
                           .D = D.data(),
                           .z = uz.data() + dp,
                           .uz_stride = 2 * dp,
                           .y = uz.data()};
      for (int b = blocks.begin; b < blocks.end; ++b) {
        const auto h_at = static_cast<std::size_t>(b) * static_cast<std::size_t>(d_state) * kBlock;
        scan_block(w, tile, b, h.data() + h_at);
      }
    }
  });
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace mambo
