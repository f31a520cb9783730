#include "app/live/status_board.h"

#include <algorithm>
#include <cstddef>
#include <numeric>

#include "model/message.h"

namespace mambo {

void StatusBoard::say(const std::string& text, bool is_error) {
  const std::lock_guard lock(mutex_);
  message_ = printable(text, text.size());  // it may quote a file
  message_is_error_ = is_error;
  ++message_id_;
}

void StatusBoard::fill(SessionStatus& status) const {
  status.activity = activity_;
  status.progress = progress_;
  const std::lock_guard lock(mutex_);
  status.message = message_;
  status.message_is_error = message_is_error_;
  status.message_id = message_id_;
}

void fill_times(SessionStatus& status, std::vector<float> times, double rate) {
  if (times.empty()) return;
  const double sum = std::accumulate(times.begin(), times.end(), 0.0);
  status.us_per_sample_mean = sum / static_cast<double>(times.size());
  const auto p99 = times.begin() + static_cast<std::ptrdiff_t>((times.size() - 1) * 99 / 100);
  std::nth_element(times.begin(), p99, times.end());
  status.us_per_sample_p99 = *p99;
  if (status.us_per_sample_mean > 0) {
    status.real_time_factor = 1e6 / (rate * status.us_per_sample_mean);
  }
}

}  // namespace mambo
