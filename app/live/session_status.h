// A copy of everything the meter and the status line show.
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>

namespace mambo {

enum class Activity : std::uint8_t {
  empty,
  loading_model,
  loading_clip,
  prefilling,
  looking_back,  // a layer's past is read; what plays goes on
  ready,
};

// Of the input that can be listened to.
struct InputStatus {
  std::string device;  // empty: none is open
  double level_dbfs =
      -std::numeric_limits<double>::infinity();  // peak of the last tenths of a second
  double latency_ms = 0;                         // of the device, as it says
  // From the end of the last listening until the answer was drawn; the output's latency comes on
  // top.
  double answer_ms = 0;
  double kept_seconds = 0;     // of the last minute that came in: what keep_heard() would keep
  std::uint64_t missing = 0;   // samples that came faster than they could be read
  bool listening = false;      // what comes in is absorbed, in place of drawing
  double heard_seconds = 0;    // so, in this listening or the last one
  std::filesystem::path clip;  // what keep_heard() made last
};

struct SessionStatus {
  Activity activity = Activity::empty;
  float progress = 0;  // 0..1 of the activity
  bool playing = false;
  bool auditioning = false;  // a clip is heard in place of what is drawn
  bool recording = false;
  double recorded_seconds = 0;
  double missing_seconds = 0;  // of the recording: the disk was too slow
  std::filesystem::path recording_path;

  double us_per_sample_mean = 0;  // generator, over the last seconds
  double us_per_sample_p99 = 0;   // of chunk means (chunk time / samples)
  double real_time_factor = 0;    // model rate x mean
  double ring_fill = 0;           // 0..1 of the target
  double ring_ms = 0;
  // Mean over the last second, as measured. From a change of a control of the draw until it is
  // heard: the chunk that is being drawn, the ring, and the device's path, which is block, rate
  // converter, limiter, device and what a sound server keeps behind it.
  double output_latency_ms = 0;
  double device_path_ms = 0;
  std::uint64_t underruns = 0;
  std::uint64_t brought_back = 0;  // how often the guard has acted
  std::uint64_t dropped_observations = 0;
  double device_rate = 0;
  bool stopped = false;  // nothing can go on until another program plays: the message says why
  bool silent = false;   // no device: clocked by a timer
  std::string device;
  std::string backend;        // Engine::description()
  std::string engine_notice;  // why it is not the engine hoped for (a GPU refused); mostly empty
  // Loudness, LUFS: of the clip's last ten seconds, and of the last ten seconds that were drawn and
  // heard, before level and match. -infinity: silence, or nothing yet.
  double clip_lufs = -std::numeric_limits<double>::infinity();
  double playing_lufs = -std::numeric_limits<double>::infinity();
  double time_to_first_sound_ms =
      0;                        // from Again/Play with a new clip to the first sample in the ring
  std::uint64_t generated = 0;  // samples drawn since the clip's end
  std::uint64_t heard = 0;      // of these, what has left the device by now (estimate)

  InputStatus input;

  std::string message;  // the latest message; never empty once there was one
  bool message_is_error = false;
  std::uint64_t message_id = 0;  // changes with every message
};

}  // namespace mambo
