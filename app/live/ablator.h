// Measures what delta, B and C are worth to a model on a clip (model/ablation.h) while it plays: on
// a thread that yields to all others, with an engine of its own on the CPU, so that neither the
// generator nor what it computes with is touched. The figures are those of
// `mambo ablate --backend cpu` with the same model, clip, stretch and weights.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "kernels/engine.h"
#include "model/ablation.h"
#include "model/model.h"

namespace mambo {

class Ablator {
 public:
  static constexpr double kMost_s = 60;

  // options.threads: 0: half of the cores. most_s: of a clip, from its beginning; of a longer one
  // no more.
  explicit Ablator(EngineOptions options = {}, double most_s = kMost_s);
  ~Ablator();  // cancels; joins: a chunk of prefill, some tenths of a second
  Ablator(const Ablator&) = delete;
  Ablator& operator=(const Ablator&) = delete;

  // All of these: any thread, a lock held for a copy of some pointers.

  // Measures this from now on, and drops what was measured before. An empty clip is an error.
  void start(std::shared_ptr<const Model> model, std::filesystem::path clip);
  void cancel();  // what is known by then stays
  bool running() const { return running_; }

  struct Status {
    bool running = false;
    float progress = 0;     // 0 to 1
    std::string error;      // a sentence; empty: none
    std::size_t cases = 0;  // how many rows there will be
    // What is known so far, the row of nothing held first; null: nothing was asked for yet.
    std::shared_ptr<const AblationTable> table;
    std::weak_ptr<const Model> model;  // that it is of
    std::filesystem::path clip;        // likewise
    bool whole() const { return table != nullptr && cases > 0 && table->rows.size() == cases; }
  };
  Status status() const;

 private:
  struct Job {
    std::shared_ptr<const Model> model;
    std::filesystem::path clip;
  };
  void work();
  void measure(const Job& job, std::uint64_t asked);
  bool goes_on(std::uint64_t asked, double progress);

  EngineOptions options_;
  const double most_s_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::optional<Job> job_;
  Status status_;
  bool stopping_ = false;
  std::atomic<bool> running_{false};
  std::atomic<float> progress_{0};
  std::atomic<std::uint64_t> asked_{0};  // changes with every start() and cancel()
  std::thread thread_;                   // from the first start() on
};

}  // namespace mambo
