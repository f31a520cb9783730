// Draws continuations of a moment aside, on a thread of its own that yields to all others, so that
// what plays is not disturbed; ranks them by likelihood.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "app/control/moment_event.h"
#include "app/live/moment_status.h"
#include "app/live/status_board.h"
#include "kernels/engine.h"
#include "model/moments.h"

namespace mambo {

class Forker {
 public:
  static constexpr int kMost = 16;        // continuations
  static constexpr double kLongest = 30;  // s of each
  struct Job {
    std::shared_ptr<const Engine> engine;
    Moments::Fork mark;
    int count = 4;
    std::uint32_t samples = 0;  // of each
    int sample_rate = 16000;    // Hz
    std::array<float, 256> table{};
    std::uint64_t forks = 0;  // LiveMoments::forks(): which mark it is of
  };

  explicit Forker(StatusBoard& board);
  ~Forker();  // cancels; joins
  Forker(const Forker&) = delete;
  Forker& operator=(const Forker&) = delete;

  // Any thread; a lock held for a copy. The latest job wins; what was drawn before is dropped.
  void start(Job job);
  void expect();  // a job is on its way: what was drawn before is dropped at once
  void cancel();  // drops results as well
  void fill(MomentStatus& status) const;
  std::vector<float> sound(int i) const;  // of the i-th likeliest; empty: there is none

  struct End {
    Kept kept;
    std::shared_ptr<const State> state;  // behind its last sample
    std::shared_ptr<const Engine> engine;
    std::uint64_t forks = 0;
  };
  std::optional<End> end(int i) const;

 private:
  struct Drawn {
    MomentStatus::Continuation facts;
    std::shared_ptr<const State> end;
    std::vector<float> sound;
  };
  void work();
  std::vector<Drawn> draw(const Job& job, std::uint64_t asked);
  bool wanted(std::uint64_t asked) const { return asked_ == asked; }

  StatusBoard& board_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::optional<Job> job_;
  bool stopping_ = false;
  std::atomic<std::uint64_t> asked_{0};  // changes with every start() and cancel()
  std::atomic<float> progress_{0};
  MomentStatus::Fork phase_ = MomentStatus::Fork::none;
  std::shared_ptr<const Engine> engine_;  // of what was drawn
  std::uint64_t forks_ = 0;
  std::uint32_t samples_ = 0;
  double seconds_ = 0;
  std::vector<Drawn> drawn_;
  std::thread thread_;
};

}  // namespace mambo
