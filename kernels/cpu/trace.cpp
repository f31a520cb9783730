#include "kernels/cpu/trace.h"

#include <algorithm>
#include <numeric>

namespace mambo::cpu {

Trace::Trace(const Layer& layer, std::size_t steps, bool rows, std::uint64_t from,
             SummaryBlocks blocks)
    : layer_(layer), rows_(rows), from_(from), blocks_(blocks) {
  std::visit(
      [this](const auto& w) {
        constant_ = w.constant_delta();
        b_column_ = w.b_column();
        projected_ = w.projected();
      },
      layer.mixer);
  const auto d_inner = static_cast<std::size_t>(layer.d_inner);
  if (blocks.samples > 0)
    small_.assign(steps, constant_ ? summary_of(constant_, layer.d_inner) : LayerSummary{});
  if (!rows) return;
  delta_.resize(steps * d_inner);
  if (constant_ != nullptr) {
    for (std::size_t r = 0; r < steps; ++r)
      std::copy_n(constant_, d_inner, delta_.data() + r * d_inner);
  }
  if (b_column_ < 0) return;
  B_.resize(steps * static_cast<std::size_t>(layer.states));
  C_.resize(steps * static_cast<std::size_t>(layer.states));
}

LayerSummary Trace::summary_of(const float* delta, int n) {
  constexpr int kLanes = 8;  // side by side, so that the compiler takes them together
  float sum[kLanes] = {};
  float low[kLanes];
  float high[kLanes];
  std::fill_n(low, kLanes, delta[0]);
  std::fill_n(high, kLanes, delta[0]);
  const auto take = [&](int j, float x) {
    sum[j] += x;
    low[j] = x < low[j] ? x : low[j];
    high[j] = x > high[j] ? x : high[j];
  };
  int i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (int j = 0; j < kLanes; ++j) take(j, delta[i + j]);
  for (; i < n; ++i) take(i % kLanes, delta[i]);
  return {std::accumulate(sum, sum + kLanes, 0.0F) / static_cast<float>(n),
          *std::min_element(low, low + kLanes), *std::max_element(high, high + kLanes), 1};
}

void Trace::keep(int at, int n, const float* delta, const float* projected) {
  if (constant_ != nullptr) return;
  const int N = layer_.states;
  for (int r = 0; r < n; ++r) {
    const std::size_t row = static_cast<std::size_t>(at) + static_cast<std::size_t>(r);
    const float* d = delta + static_cast<std::size_t>(r) * layer_.dp;
    if (!small_.empty()) small_[row] = summary_of(d, layer_.d_inner);
    if (!rows_) continue;
    std::copy_n(d, layer_.d_inner, delta_.data() + row * layer_.d_inner);
    if (b_column_ < 0) continue;
    const float* B = projected + static_cast<std::size_t>(r) * projected_ + b_column_;
    std::copy_n(B, N, B_.data() + row * N);
    std::copy_n(B + N, N, C_.data() + row * N);
  }
}

void Trace::send(PrefillSink& sink, int index, std::uint64_t first, int rows) {
  if (rows_) send_rows(sink, index, first, rows);
  if (!small_.empty()) send_summaries(sink, index, first, rows);
}

void Trace::send_rows(PrefillSink& sink, int index, std::uint64_t first, int rows) const {
  const std::uint64_t skip = from_ > first ? from_ - first : 0;
  if (skip >= static_cast<std::uint64_t>(rows)) return;
  const std::size_t states = skip * static_cast<std::size_t>(layer_.states);
  sink.layer(index, first + skip, rows - static_cast<int>(skip),
             delta_.data() + skip * static_cast<std::size_t>(layer_.d_inner),
             b_column_ >= 0 ? B_.data() + states : nullptr,
             b_column_ >= 0 ? C_.data() + states : nullptr);
}

void Trace::send_summaries(PrefillSink& sink, int index, std::uint64_t first, int rows) {
  const std::uint64_t block = blocks_.block_of(first);
  const std::uint64_t last = blocks_.block_of(first + static_cast<std::uint64_t>(rows) - 1);
  parts_.assign(static_cast<std::size_t>(last - block + 1), LayerSummary{});
  for (int r = 0; r < rows; ++r) {
    const std::uint64_t of = blocks_.block_of(first + static_cast<std::uint64_t>(r));
    parts_[static_cast<std::size_t>(of - block)].add(small_[static_cast<std::size_t>(r)]);
  }
  sink.summaries(index, block, parts_);
}

}  // namespace mambo::cpu
