// The output without a device: real time passes, the sound is discarded.
#include <chrono>
#include <cmath>
#include <stop_token>
#include <thread>
#include <vector>

#include "app/audio/audio_device.h"

namespace mambo {
namespace {

constexpr double period_s = 0.010;

class SilentClock final : public AudioOutput {
 public:
  SilentClock(double rate, AudioSource& source)
      : rate_(rate), frames_(static_cast<int>(std::lround(rate * period_s))), source_(source) {
    source_.prepare(rate_, 1, frames_);
    buffer_.resize(static_cast<std::size_t>(frames_));
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  }
  std::string name() const override { return "no sound (a timer)"; }
  double rate() const override { return rate_; }
  int channels() const override { return 1; }
  double latency_s() const override { return 0; }
  bool is_silent() const override { return true; }
  bool alive() const override { return true; }
  std::uint64_t device_underflows() const override { return 0; }

 private:
  void run(const std::stop_token& stop) {
    using Clock = std::chrono::steady_clock;
    const std::chrono::nanoseconds period(std::llround(1e9 * frames_ / rate_));
    Clock::time_point due = Clock::now();
    while (!stop.stop_requested()) {
      source_.render(buffer_.data(), frames_);
      due += period;
      const Clock::time_point now = Clock::now();
      if (now > due + 20 * period) due = now;  // the machine slept: do not hurry after it
      std::this_thread::sleep_until(due);
    }
  }

  double rate_;
  int frames_;
  AudioSource& source_;
  std::vector<float> buffer_;
  std::jthread thread_;  // last: stops before what it uses goes
};

}  // namespace

std::unique_ptr<AudioOutput> open_silent_clock(double rate, AudioSource& source) {
  return std::make_unique<SilentClock>(rate, source);
}

}  // namespace mambo
