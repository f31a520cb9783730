#include "app/live/recording.h"

#include <chrono>
#include <string>
#include <thread>

namespace mambo {

void Recording::begin(const std::filesystem::path& path, const Model& model) {
  end();
  rate_ = model.config().sample_rate;
  recorder_.start(path, rate_, "mambo, live; model " + model.config().name);
  {
    const std::lock_guard lock(mutex_);
    path_ = path;
  }
  generator_.set_recording(true);
  board_.say("Recording to " + path.string() + ".");
}

void Recording::end() {
  if (!running()) return;
  generator_.set_recording(false);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));  // the chunk that may be under way
  const std::uint64_t samples = recorder_.samples();
  recorder_.stop();
  const std::string seconds = std::to_string(static_cast<double>(samples) / rate_);
  board_.say("Recorded " + seconds.substr(0, seconds.find('.') + 2) + " s to " + path_.string() +
             ".");
}

void Recording::end_safely() {
  try {
    end();
  } catch (const std::exception& e) {
    board_.say(e.what(), true);
  }
}

void Recording::fill(SessionStatus& status) const {
  status.recording = generator_.recording();
  if (rate_ > 0) status.recorded_seconds = static_cast<double>(recorder_.samples()) / rate_;
  const std::lock_guard lock(mutex_);
  status.recording_path = path_;
}

}  // namespace mambo
