// Messages, and how far the worker is with what it does. Any thread; a lock held for a copy of a
// sentence. Never used by the generator thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "app/live/session_status.h"

namespace mambo {

class StatusBoard {
 public:
  void say(const std::string& text, bool is_error = false);
  void report(Activity what, float progress) {
    activity_ = what;
    progress_ = progress;
  }
  Activity activity() const { return activity_; }

  // Fills in activity, progress and message.
  void fill(SessionStatus& status) const;

 private:
  std::atomic<Activity> activity_{Activity::empty};
  std::atomic<float> progress_{0};
  mutable std::mutex mutex_;
  std::string message_;
  bool message_is_error_ = false;
  std::uint64_t message_id_ = 0;
};

// Fills in mean, 99th percentile and real-time factor from the generator's chunk times,
// microseconds per sample; zero where there are none. rate in Hz.
void fill_times(SessionStatus& status, std::vector<float> times, double rate);

}  // namespace mambo
