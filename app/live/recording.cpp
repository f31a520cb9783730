#include "app/live/recording.h"

#include <string>

#include "kernels/error.h"
#include "model/platform_file.h"
#include "model/sha256.h"

namespace mambo {

void Recording::begin(const std::filesystem::path& path, const Model& model) {
  end();
  rate_ = model.config().sample_rate;
  recorder_.start(path, rate_, recording_comment(model.config().name));
  {
    const std::lock_guard lock(mutex_);
    path_ = path;
  }
  log_.begin_recording();
  lost_before_ = generator_.lost_record_samples();
  generator_.begin_recording();
  board_.say("Recording to " + path.string() + ".");
}

void Recording::end() {
  if (!running()) return;
  generator_.end_recording();
  try {
    recorder_.stop();
  } catch (const Error&) {
    log_.end_recording();
    throw;
  }
  const std::uint64_t samples = recorder_.samples();
  const std::string seconds = std::to_string(static_cast<double>(samples) / rate_);
  const std::string performance = write_performance(samples);
  log_.end_recording();
  board_.say("Recorded " + seconds.substr(0, seconds.find('.') + 2) + " s to " + path_.string() +
             "." + performance);
}

// The sentence about it.
std::string Recording::write_performance(std::uint64_t samples) {
  if (samples == 0) return {};
  const std::filesystem::path path = performance_path(path_);
  try {
    if (!may_write_performance(path)) throw Error(path.string() + " is there and is none");
    Performance p = log_.performance();
    p.file = path_.filename().string();
    p.file_sha256 = sha256_hex(map_file(path_).bytes);
    p.recorded_samples = samples;
    p.lost_samples = generator_.lost_record_samples() - lost_before_;
    mambo::write_performance(path, p);
    return " Its performance is " + path.filename().string() + ".";
  } catch (const std::exception& e) {
    return std::string(" It has no performance: ") + e.what() + ".";
  }
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
