// Speed of an engine, as `mambo bench` and bench/bench_gpu.cpp both report it; all times are wall
// time (steady clock).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "kernels/engine.h"

namespace mambo {

// Asked between calls of the engine; true: the benchmark throws Cancelled.
using BenchStop = std::function<bool()>;

// A network in use: on which engine, by which name.
struct BenchSubject {
  const Engine* engine;
  NetworkView net;
  std::string name;
  int sample_rate = 16000;
  bool by_hand = false;  // selectivity is played by hand, in every layer

  bool on_gpu() const { return engine->backend() != Backend::cpu; }
};

// One line of a table: what was measured of what, and the numbers by the names they have in JSON.
// Those that are whole stay whole.
struct BenchRow {
  struct Number {
    std::string key;
    double value;
    bool whole = false;
  };
  std::string part;     // "step"
  std::string subject;  // "piano-lab, 128 samples per call"
  std::vector<Number> numbers;
  std::string summary;  // "7.52 us per sample (p99 7.61), 8.3 x real time"

  double operator[](const std::string& key) const;  // throws Error when there is none
};

// Draws `samples` on one thread, sampling included, in calls of `chunk`: the times are those of the
// calls, divided by chunk. chunk 0: what the engine is played with: one on a CPU, to see how
// samples differ; 128 on a GPU, where a call is a launch.
BenchRow bench_step(const BenchSubject& s, std::uint64_t samples, int chunk, const BenchStop& stop);

// Absorbs `samples` from the zero state; the median run where runs are short. The percentiles are
// over the stretches after which the engine reports progress.
BenchRow bench_prefill(const BenchSubject& s, std::uint64_t samples, const BenchStop& stop);

// Advances `streams` voices (0: what keeps the device busy, eight on a CPU) by `samples` in all,
// and compares with one.
BenchRow bench_batch(const BenchSubject& s, int streams, std::uint64_t samples,
                     const BenchStop& stop);

// The selective scan alone. half: 16-bit inputs; a GPU's only. threads: a CPU's only; 0: a core
// each.
struct ScanBench {
  int d_inner = 128, d_state = 16;
  std::int64_t steps = 1 << 20;
  bool half = false, on_gpu = false;
  int threads = 0;
};
BenchRow bench_scan_alone(const ScanBench& o);

// All that docs/performance.md has a GPU's target for, in about half a minute: step, prefill and
// batch of the subject, step of the named shapes (kernels/random_network.h) on engines like its
// own, and the scan. Each row is reported as soon as it is measured.
void bench_gpu_table(const BenchSubject& s, const EngineOptions& options, const BenchStop& stop,
                     const std::function<void(const BenchRow&)>& tell);

// "step     piano-lab, 128 samples per call     7.52 us per sample ...": the columns of the table.
std::string bench_line(const BenchRow& row);

}  // namespace mambo
