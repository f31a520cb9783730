#include "app/cli/play.h"

#include <fmt/core.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <thread>

#include "app/audio/audio_device.h"
#include "app/cli/interrupt.h"
#include "app/cli/progress.h"
#include "app/cli/say.h"
#include "app/files/leftover.h"
#include "app/files/paths.h"
#include "app/files/standard_input.h"
#include "app/live/session.h"

namespace mambo {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point t) {
  return std::chrono::duration<double>(Clock::now() - t).count();
}

// Waits until the session stands ready. False when it was interrupted; throws what went wrong.
bool wait_until_ready(Session& session, bool quiet) {
  Progress reading("reading the clip", quiet);
  Progress progress("absorbing the clip", quiet);
  for (;;) {
    const SessionStatus s = session.status();
    if (s.message_is_error && (s.activity == Activity::empty || s.activity == Activity::ready) &&
        s.generated == 0 && !session.model()) {
      throw Error(s.message);
    }
    if (s.activity == Activity::ready) return true;
    if (s.activity == Activity::loading_clip) reading.update(s.progress, 1, 0);
    if (s.activity == Activity::prefilling) {
      reading.clear();
      progress.update(s.progress, 1, 0);
    }
    if (interrupted()) {
      session.cancel();
      return false;
    }
    std::this_thread::sleep_for(20ms);
  }
}

std::string meter(const SessionStatus& s, double played) {
  return fmt::format(
      "{}  {:5.1f} us per sample, p99 {:5.1f}  {:4.1f} x real time  ring {:3.0f} %  latency "
      "{:3.0f} "
      "ms  underruns {}",
      clock_text(played), s.us_per_sample_mean, s.us_per_sample_p99, s.real_time_factor,
      100.0 * static_cast<double>(s.ring_fill), s.output_latency_ms, s.underruns);
}

// The status line: in place on a terminal, now and then elsewhere.
class StatusLine {
 public:
  explicit StatusLine(bool quiet) : quiet_(quiet), terminal_(isatty(STDERR_FILENO) != 0) {}
  ~StatusLine() { end(); }
  StatusLine(const StatusLine&) = delete;
  StatusLine& operator=(const StatusLine&) = delete;
  void show(const SessionStatus& s, double played) {
    if (quiet_ || (!terminal_ && seconds_since(last_) < 5)) return;
    last_ = Clock::now();
    if (terminal_)
      say("\r\x1b[K{}", meter(s, played));
    else
      say("{}\n", meter(s, played));
    drawn_ = terminal_;
  }
  void tell(const std::string& text) {
    end();
    if (!text.empty()) say("{}\n", text);
  }
  void end() {
    if (drawn_) say("\n");
    drawn_ = false;
  }

 private:
  bool quiet_, terminal_, drawn_ = false;
  Clock::time_point last_ = Clock::now();
};

// The window records; who plays without one should know all the same.
void tell_leftovers(StatusLine& line) {
  for (const Leftover& l : find_leftovers(recordings_dir())) {
    const std::string length = l.seconds > 0 ? fmt::format("{:.1f} s of ", l.seconds) : "";
    line.tell(fmt::format("A recording was not finished: {}{} in {}; the window offers to keep it",
                          length, l.name.filename().string(), l.aside.string()));
  }
}

void summarise(const PlayOptions& o, const SessionStatus& s, double played) {
  if (o.json) {
    nlohmann::ordered_json j;
    j["seconds_played"] = played;
    j["samples"] = s.generated;
    j["us_per_sample_mean"] = s.us_per_sample_mean;
    j["us_per_sample_p99"] = s.us_per_sample_p99;
    j["real_time_factor"] = s.real_time_factor;
    j["underruns"] = s.underruns;
    const auto lufs = [](double x) {
      return std::isfinite(x) ? nlohmann::ordered_json(x) : nlohmann::ordered_json(nullptr);
    };
    j["brought_back"] = s.brought_back;
    j["clip_lufs"] = lufs(s.clip_lufs);
    j["playing_lufs"] = lufs(s.playing_lufs);
    j["output_latency_ms"] = s.output_latency_ms;
    j["first_sound_ms"] = s.time_to_first_sound_ms;
    j["device"] = s.device;
    j["device_rate_hz"] = s.device_rate;
    j["silent"] = s.silent;
    j["engine"] = s.backend;
    write_output(json_line(j));
    return;
  }
  put("{} samples in {:.1f} s on {}: {:.1f} us per sample (p99 {:.1f}), {:.1f} x real time, {} "
      "underrun{} ({})\n",
      s.generated, played, s.silent ? "no device (silently)" : s.device, s.us_per_sample_mean,
      s.us_per_sample_p99, s.real_time_factor, s.underruns, s.underruns == 1 ? "" : "s", s.backend);
}

}  // namespace

int run_play(const PlayOptions& o) {
  const auto path = o.model.empty() ? default_model() : o.model;
  // Of standard input what it will be, as long as Ctrl-C ends it at once.
  const auto clip = readable_path(o.seed_clip.empty() ? default_seed_clip(path) : o.seed_clip);
  catch_interrupts();
  if (!o.device.empty()) expect_audio_device(o.device);
  SessionOptions options;
  options.backend = o.backend;
  options.engine = o.engine;
  options.device = o.device;
  const auto said = [&](ControlId id) { return resolve(control_spec(id), o.controls, {}, {}); };
  options.latency_s = 1e-3 * said(ControlId::latency).real;
  options.rng_seed = said(ControlId::rng_seed).whole;
  Session session(options);
  session.set(ControlId::level, said(ControlId::level));
  session.set(ControlId::match_level, said(ControlId::match_level));
  session.set(ControlId::guard, said(ControlId::guard));
  if (!o.from_silence) session.open_clip(clip);
  session.open_model(path, o.load, o.controls);
  session.play();

  StatusLine line(o.json);
  if (!wait_until_ready(session, o.json)) return 130;
  SessionStatus s = session.status();
  if (s.message_is_error && !s.stopped) {
    // The clip did not load: playing something else instead is not what was asked for.
    if (!o.from_silence && session.clip_path().empty()) throw Error(s.message);
    line.tell(s.message);
  }
  if (!s.engine_notice.empty()) line.tell(s.engine_notice);
  if (!o.json) {
    tell_leftovers(line);
    line.tell(fmt::format("Playing {} on {} ({}). Ctrl-C stops.", session.model()->config().name,
                          s.silent ? "no device" : s.device, s.backend));
  }
  std::uint64_t told = s.message_id;
  const auto start = Clock::now();
  while (!interrupted() && (o.seconds <= 0 || seconds_since(start) < o.seconds)) {
    std::this_thread::sleep_for(50ms);
    s = session.status();
    if (s.message_id != told) {
      told = s.message_id;
      if (!o.json) line.tell(s.message);
    }
    if (s.stopped) throw Error(s.message);
    line.show(s, seconds_since(start));
  }
  s = session.status();
  const double played = seconds_since(start);
  line.end();
  session.pause();
  std::this_thread::sleep_for(30ms);  // the fade
  summarise(o, s, played);
  return 0;
}

}  // namespace mambo
