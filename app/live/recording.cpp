#include "app/live/recording.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#include "app/files/audio_file.h"
#include "app/files/codes.h"
#include "app/files/free_name.h"
#include "kernels/error.h"
#include "model/moment_file.h"
#include "model/platform_file.h"
#include "model/sha256.h"

namespace mambo {

namespace {

std::string tenths(double seconds) { return fmt::format("{:.1f} s", seconds); }

// A sample is what its code stands for, so that the codes can be had again.
void write_codes(const std::filesystem::path& path, std::span<const std::uint8_t> codes,
                 const Config& config) {
  WriterOptions options;
  options.rate = config.sample_rate;
  options.bits = SampleBits::float32;
  options.comment = "mambo, listened to";
  const std::array<float, 256> table = decode_table(config.encoding);
  std::vector<float> samples(codes.size());
  std::transform(codes.begin(), codes.end(), samples.begin(),
                 [&](std::uint8_t code) { return table[code]; });
  AudioWriter writer(path, options);
  writer.write(samples);
  writer.close();
}

// What was reserved and never became a recording.
void give_up_name(const std::filesystem::path& path) {
  std::error_code error;
  if (std::filesystem::file_size(path, error) == 0 && !error) std::filesystem::remove(path, error);
}

}  // namespace

void Recording::begin(const std::filesystem::path& wanted, const Model& model) {
  end();
  rate_ = model.config().sample_rate;
  model_name_ = model.config().name;
  const std::filesystem::path path = reserve_free_name(wanted);
  try {
    recorder_.start(path, rate_, recording_comment(model_name_));
  } catch (...) {
    give_up_name(path);
    throw;
  }
  {
    const std::lock_guard lock(mutex_);
    path_ = path;
  }
  log_.begin_recording();
  lost_before_ = generator_.lost_record_samples();
  said_missing_ = 0;
  generator_.begin_recording();
  board_.say("Recording to " + path.string() + ".");
}

void Recording::end() {
  if (!running()) return;
  generator_.end_recording();
  const std::uint64_t lost = missing();
  const double missing_s = static_cast<double>(lost) / rate_;
  try {
    recorder_.stop(lost > 0 ? recording_comment(model_name_, missing_s) : std::string());
  } catch (const Error&) {
    give_up_name(path_);
    log_.end_recording();
    throw;
  }
  give_up_name(path_);
  const std::uint64_t samples = recorder_.samples();
  const std::string performance = write_performance(samples);
  log_.end_recording();
  std::string words =
      "Recorded " + tenths(static_cast<double>(samples) / rate_) + " to " + path_.string();
  if (lost > 0) words += "; " + tenths(missing_s) + " are missing: the disk was too slow";
  board_.say(words + "." + performance, lost > 0);
}

void Recording::watch() {
  log_.collect();
  if (recorder_.failed()) return end_safely();
  if (!running()) return;
  const std::uint64_t lost = missing();
  const bool a_second_more = lost >= said_missing_ + static_cast<std::uint64_t>(rate_);
  if (lost == said_missing_ || (said_missing_ > 0 && !a_second_more)) return;
  said_missing_ = lost;
  board_.say("The disk is too slow: " + tenths(static_cast<double>(lost) / rate_) +
                 " of the recording are missing.",
             true);
}

// The sentence about it.
std::string Recording::write_performance(std::uint64_t samples) {
  if (samples == 0) return {};
  const std::filesystem::path path = performance_path(path_);
  try {
    if (!may_write_performance(path)) throw Error(path.string() + " is there and is none");
    const auto save_moment = [&](int slot, const Moment& moment, const Model& model) {
      if (!moment.path.empty()) return PlayedMoment{moment.path, moment.sha256};
      const std::filesystem::path file = reserve_free_name(
          std::filesystem::path(path_).replace_extension(fmt::format("slot{}.moment", slot + 1)));
      write_moment(file, moment, model, MAMBO_VERSION);
      return PlayedMoment{std::filesystem::absolute(file), sha256_file(file)};
    };
    const auto save_sound = [&](std::size_t number, std::span<const std::uint8_t> codes,
                                const Model& model) {
      const std::filesystem::path file = reserve_free_name(
          std::filesystem::path(path_).replace_extension(fmt::format("heard{}.wav", number)));
      write_codes(file, codes, model.config());
      return PlayedSound{std::filesystem::absolute(file), sha256_file(file)};
    };
    Performance p = log_.performance(save_moment, save_sound);
    p.file = path_.filename().string();
    p.file_sha256 = sha256_file(path_);
    p.recorded_samples = samples;
    p.lost_samples = missing();
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
  if (rate_ > 0) {
    status.recorded_seconds = static_cast<double>(recorder_.samples()) / rate_;
    status.missing_seconds = static_cast<double>(missing()) / rate_;
  }
  const std::lock_guard lock(mutex_);
  status.recording_path = path_;
}

}  // namespace mambo
