// Δ of one layer over sound that is past: the worker absorbs the codes that are still known once
// more, aside, and the session's owner fetches the rows.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "kernels/engine.h"
#include "model/model.h"

namespace mambo {

// What is to be absorbed: codes of the positions first, first + 1, ... of what was heard.
struct PastSound {
  std::shared_ptr<const Model> model;  // that heard them
  int layer = 0;
  std::uint64_t first = 0;
  std::vector<std::uint8_t> codes;
  std::uint64_t shown_from = 0;  // rows of steps that end before this position are left out
  std::uint64_t number = 0;      // of the reading: see PastRows
};

struct PastRows {
  std::uint64_t reading = 0;
  int layer = 0, channels = 0;
  std::uint64_t first_step = 0;  // of the layer's tier, counted from position 0
  std::vector<float> delta;      // [steps][channels]
  bool last = false;             // nothing follows; delta may be empty
};

// Between the worker and the owner; holds some 8 MB. A lock held for a move.
class PastQueue {
 public:
  // ---- Owner ----
  std::uint64_t begin();  // another reading: what is there of earlier ones is forgotten
  bool fetch(PastRows& to);
  // ---- Worker ----
  // False: there is no room yet. Rows of an earlier reading are dropped.
  bool offer(PastRows& rows);

 private:
  std::mutex mutex_;
  std::deque<PastRows> rows_;
  std::size_t floats_ = 0;
  std::uint64_t reading_ = 0;
};

// Absorbs from the zero state: of a sound that is not known from its beginning the first rows are
// those of a network that has just woken up (PastSound::shown_from). Leaves the cores alone half of
// the time: what plays goes on. progress(0..1) returns false to cancel: throws Cancelled. Worker
// thread; seconds.
void read_past(const Engine& engine, const PastSound& sound, PastQueue& to,
               const std::function<bool(float)>& progress);

}  // namespace mambo
