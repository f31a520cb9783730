// What one real-time stream needs beside its state: pinned and device staging buffers for all that
// travels between host and device in a launch, allocated once by prepare().
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cuda/launch_length.h"
#include "kernels/cuda/plan/plan.h"
#include "kernels/cuda/runtime/memory.h"
#include "kernels/cuda/runtime/streams.h"
#include "kernels/cuda/tap.h"
#include "kernels/engine.h"

namespace mambo::cuda {

struct StreamBuffers {
  // row_floats: of one layer's delta over a launch, at most; table_floats: of a ByHandTable.
  StreamBuffers(const DeviceNetwork& net, const StepPlan& plan, std::size_t row_floats,
                std::size_t table_floats)
      : args(1),
        codes(kMaxSteps),
        forced(kMaxSteps),
        device_forced(kMaxSteps),
        log_prob(kMaxSteps),
        entropy(kMaxSteps),
        jobs(net.records().layers.size()),
        device_jobs(net.records().layers.size()),
        results(net.records().layers.size()),
        said_results(net.records().layers.size()),
        rows(row_floats),
        logits(static_cast<std::size_t>(kMaxSteps) *
               static_cast<std::size_t>(net.records().view.vocab)),
        tap(net.records().tap_floats),
        said(net.records().tap_floats),
        table(table_floats),
        device_table(table_floats),
        ll_words(plan.ll_words()),
        launch_length(plan.estimate_us(), kMaxSteps) {
    if (ll_words.size() > 0)
      MAMBO_CUDA(cudaMemsetAsync(ll_words.data(), 0, ll_words.bytes(), stream.get()));
    MAMBO_CUDA(cudaMemsetAsync(tap.data(), 0, tap.bytes(), stream.get()));
    MAMBO_CUDA(cudaMemsetAsync(said.data(), 0, said.bytes(), stream.get()));
  }
  ~StreamBuffers() { stream.drain(); }
  StreamBuffers(const StreamBuffers&) = delete;
  StreamBuffers& operator=(const StreamBuffers&) = delete;

  StreamHandle stream{Urgency::playing};
  PinnedBuffer<StreamArgs> args;
  PinnedBuffer<std::uint8_t> codes, forced;
  DeviceBuffer<std::uint8_t> device_forced;  // read code by code: host memory is too far away
  PinnedBuffer<float> log_prob, entropy;
  PinnedBuffer<TapJob> jobs;
  DeviceBuffer<TapJob> device_jobs;
  PinnedBuffer<LayerSummary> results, said_results;
  PinnedBuffer<float> rows;    // delta of the chosen layer
  PinnedBuffer<float> logits;  // [kMaxSteps][V]
  DeviceBuffer<float> tap, said;
  PinnedBuffer<float> table;  // what is played by hand (ByHandTable) ...
  DeviceBuffer<float> device_table;
  std::uint64_t table_version = 0;  // ... of this Selectivity::version()
  DeviceBuffer<uint4> ll_words;     // of a grid (exchange_grid.cuh)
  std::uint32_t seq = 1;
  LaunchLength launch_length;
};

}  // namespace mambo::cuda
