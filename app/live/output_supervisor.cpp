#include "app/live/output_supervisor.h"

#include <algorithm>
#include <cmath>
#include <thread>
#include <utility>

#include "app/audio/audio_device.h"
#include "app/control/control.h"

namespace mambo {

using namespace std::chrono_literals;

namespace {

constexpr auto kTryDeviceAgain = 5s;    // once something of the sound system has changed
constexpr auto kTryAnywayAfter = 120s;  // at the latest: what is on another machine leaves no sign

// Linear; the bottom of the scale is silence.
float gain(float db) {
  static constexpr double silence = *control_spec(ControlId::level).off;
  return db <= silence ? 0.0F : std::pow(10.0F, db / 20.0F);
}

double within_bounds(double latency_s) {
  return 1e-3 * clamped(control_spec(ControlId::latency), {1e3 * latency_s, 0}).real;
}

}  // namespace

OutputSupervisor::OutputSupervisor(GeneratorThread& generator, StatusBoard& board,
                                   const SessionOptions& options)
    : generator_(generator),
      board_(board),
      chunk_(static_cast<std::size_t>(options.chunk)),
      latency_s_(within_bounds(options.latency_s)),
      output_(generator.ring()),
      device_(options.device) {}

void OutputSupervisor::set_playing(bool on) {
  const std::lock_guard lock(stage_mutex_);
  playing_ = on;
  if (stage_ != nullptr) stage_->set_playing(on);
}

void OutputSupervisor::set_level_db(float db) {
  const std::lock_guard lock(stage_mutex_);
  level_db_ = db;
  if (stage_ != nullptr) stage_->set_gain(gain(db));
}

void OutputSupervisor::set_match_level(bool on) {
  const std::lock_guard lock(stage_mutex_);
  match_level_ = on;
  match_level();
}

void OutputSupervisor::set_clip_loudness(std::optional<double> lufs) {
  const std::lock_guard lock(stage_mutex_);
  clip_lufs_ = lufs;
  match_level();
}

void OutputSupervisor::match_level() {
  if (stage_ == nullptr) return;
  stage_->set_match(match_level_ && clip_lufs_ ? static_cast<float>(*clip_lufs_) : NAN);
}

bool OutputSupervisor::audition(std::vector<float> samples) {
  const std::lock_guard lock(stage_mutex_);
  if (stage_ != nullptr) stage_->audition().play(std::move(samples));
  return stage_ != nullptr;
}

void OutputSupervisor::end_audition() {
  {
    const std::lock_guard lock(stage_mutex_);
    if (stage_ == nullptr || !stage_->audition().active()) return;
    stage_->audition().play({});
  }
  std::this_thread::sleep_for(50ms);  // several of a device's blocks
}

void OutputSupervisor::set_latency(double seconds) { latency_s_ = within_bounds(seconds); }

void OutputSupervisor::open(double rate) {
  rate_ = rate;
  forget_stage();
  // The device takes a part of the latency wanted, the ring the rest.
  const double latency_s = latency_s_;
  const std::string trouble = output_.open(rate, device_, std::max(0.01, latency_s * 0.5));
  if (!trouble.empty()) board_.say(trouble, true);
  const OutputFacts facts = output_.facts();
  const double ring_s = latency_s - (facts.silent ? 0.0 : facts.latency_s);
  const auto wanted = static_cast<std::size_t>(std::max(0.0, ring_s) * rate);
  OutputStage* stage = output_.stage();
  generator_.set_target(std::max({2 * chunk_, wanted, output_.least_target(chunk_)}));
  stage->set_refill(generator_.target() - chunk_);
  generator_.set_stage(stage);
  // Together with the publication: a change from another thread goes before it or after it.
  const std::lock_guard lock(stage_mutex_);
  stage->set_gain(gain(level_db_));
  stage->set_playing(playing_);
  stage_ = stage;
  match_level();
}

void OutputSupervisor::reopen() {
  end_audition();
  generator_.park();
  output_.flush();
  open(rate_);
  generator_.unpark();
}

void OutputSupervisor::close() {
  forget_stage();
  output_.close();
}

void OutputSupervisor::forget_stage() {
  const std::lock_guard lock(stage_mutex_);
  if (stage_ != nullptr) underruns_before_ += stage_->underruns();
  stage_ = nullptr;
}

void OutputSupervisor::watch() {
  if (!is_open()) return;
  const auto now = std::chrono::steady_clock::now();
  if (output_.lost()) {
    const std::string lost = output_.facts().device;
    reopen();
    const OutputFacts facts = output_.facts();
    board_.say(
        "The audio device " + lost + " went away; " +
            (facts.silent ? "running silently, clocked by a timer" : "playing on " + facts.device) +
            ".",
        true);
    tried_ = now;
    try_after_ = kTryDeviceAgain;
    return;
  }
  const std::size_t least = output_.least_target(chunk_);
  if (least > generator_.target()) {  // a device may ask for more than in the beginning
    generator_.set_target(least);
    output_.stage()->set_refill(least - chunk_);
  }
  if (!output_.facts().silent || now - tried_ < kTryDeviceAgain) return;
  // Listing devices loads and unloads libraries, some of which leave kilobytes behind each time: so
  // it is done when something has changed, and less and less often when nothing has.
  std::string signs = sound_system_signs();
  if (signs != signs_) {
    signs_ = std::move(signs);
    try_after_ = kTryDeviceAgain;
  }
  if (now - tried_ < try_after_) return;
  tried_ = now;
  try_after_ = std::min<std::chrono::seconds>(2 * try_after_, kTryAnywayAfter);
  if (list_audio_devices().empty()) return;
  reopen();
  if (!output_.facts().silent) board_.say("Playing on " + output_.facts().device + ".");
}

void OutputSupervisor::fill(SessionStatus& status, double rate) const {
  const OutputFacts facts = output_.facts();
  status.playing = playing_;
  status.device = facts.device;
  status.device_rate = facts.rate;
  status.silent = facts.silent;
  const auto waiting = static_cast<double>(generator_.waiting());
  const std::lock_guard lock(stage_mutex_);
  status.underruns = underruns_before_;
  status.clip_lufs = clip_lufs_.value_or(-INFINITY);
  if (stage_ != nullptr) {
    status.underruns += stage_->underruns();
    status.auditioning = stage_->audition().active();
    status.playing_lufs = stage_->heard_lufs();
  }
  if (rate <= 0) return;
  status.ring_ms = 1e3 * waiting / rate;
  status.ring_fill = std::min(1.0, waiting / static_cast<double>(generator_.target()));
  const double path_s = waiting / rate + device_path_s();
  const auto ahead = static_cast<std::uint64_t>(path_s * rate);
  status.heard = status.generated > ahead ? status.generated - ahead : 0;
  // A change waits for the chunk that is being drawn, if one is.
  const double drawing =
      status.real_time_factor > 0 ? std::min(1.0, 1 / status.real_time_factor) : 0;
  const auto chunk = static_cast<double>(std::min(chunk_, generator_.target() / 2));
  status.device_path_ms = 1e3 * mean_device_path_s_.follow(path_s - waiting / rate);
  status.output_latency_ms = 1e3 * mean_path_s_.follow(path_s + drawing * chunk / rate);
}

// From now until what leaves the ring next is heard: what is left of the device's block, the rate
// converter, the limiter, the device, a sound server's buffers. Under the stage's lock.
double OutputSupervisor::device_path_s() const {
  if (stage_ == nullptr) return 0;
  const OutputStage::Place& place = stage_->place();
  if (place.when_ns == 0) return 0;  // nothing was rendered yet
  const std::chrono::nanoseconds now = std::chrono::steady_clock::now().time_since_epoch();
  return std::max(0.0, place.delay_s - 1e-9 * static_cast<double>(now.count() - place.when_ns));
}

double OutputSupervisor::Mean::follow(double value) {
  const auto now = std::chrono::steady_clock::now();
  const double passed = std::chrono::duration<double>(now - when_).count();
  const bool anew = when_ == std::chrono::steady_clock::time_point() || passed > 2;
  value_ += (value - value_) * (anew ? 1 : 1 - std::exp(-passed / 0.5));
  when_ = now;
  return value_;
}

}  // namespace mambo
