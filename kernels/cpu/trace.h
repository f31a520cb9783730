// What a prefill's sink wants to see of a layer, kept until the chunk is over: the sink is told on
// the calling thread, the layer's tiles are computed on all.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/cpu/network.h"
#include "kernels/engine.h"

namespace mambo::cpu {

class Trace {
 public:
  // Room for so many steps of the layer, which must outlive it. rows: what PrefillSink::layer is
  // told, from step `from` on; blocks.samples > 0: what PrefillSink::summaries is told.
  Trace(const Layer& layer, std::size_t steps, bool rows, std::uint64_t from, SummaryBlocks blocks);
  // Rows [at, at + n). delta [n][dp], dbc [n][xp]; of a time-invariant layer neither is looked at.
  // Any thread, for rows of its own.
  void keep(int at, int n, const float* delta, const float* dbc);
  // first: index of row 0 in steps of the layer's tier.
  void tell(PrefillSink& sink, int index, std::uint64_t first, int rows);

 private:
  static LayerSummary summary_of(const float* delta, int n);
  void tell_rows(PrefillSink& sink, int index, std::uint64_t first, int rows) const;
  void tell_summaries(PrefillSink& sink, int index, std::uint64_t first, int rows);

  const Layer& layer_;
  bool rows_;
  std::uint64_t from_;
  SummaryBlocks blocks_;
  std::vector<float> delta_, B_, C_;  // [steps][d_inner], [steps][N] twice
  std::vector<LayerSummary> small_;   // [steps]
  std::vector<LayerSummary> parts_;   // of a chunk
};

}  // namespace mambo::cpu
