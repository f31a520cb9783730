// What a prefill's sink wants of a layer, kept until the chunk is over: the sink is called on the
// calling thread, the layer's tiles are computed on all.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/cpu/network.h"
#include "kernels/engine.h"

namespace mambo::cpu {

class Trace {
 public:
  // Room for so many steps of the layer, which must outlive it. rows: for PrefillSink::layer, from
  // step `from` on; blocks.samples > 0: for PrefillSink::summaries.
  Trace(const Layer& layer, std::size_t steps, bool rows, std::uint64_t from, SummaryBlocks blocks);
  // Rows [at, at + n). delta [n][dp] and projected as in MixerTile; of a time-invariant layer
  // neither is read. Any thread, for rows of its own.
  void keep(int at, int n, const float* delta, const float* projected);
  // first: index of row 0 in steps of the layer's tier.
  void send(PrefillSink& sink, int index, std::uint64_t first, int rows);

 private:
  static LayerSummary summary_of(const float* delta, int n);
  void send_rows(PrefillSink& sink, int index, std::uint64_t first, int rows) const;
  void send_summaries(PrefillSink& sink, int index, std::uint64_t first, int rows);

  const Layer& layer_;
  bool rows_;
  std::uint64_t from_;
  SummaryBlocks blocks_;
  const float* constant_ = nullptr;   // delta of a time-invariant layer, [dp]
  int b_column_ = -1;                 // where B and then C stand in a row of `projected`; -1: none
  int projected_ = 0;                 // columns of a row
  std::vector<float> delta_, B_, C_;  // [steps][d_inner], [steps][N] twice
  std::vector<LayerSummary> small_;   // [steps]
  std::vector<LayerSummary> parts_;   // of a chunk
};

}  // namespace mambo::cpu
