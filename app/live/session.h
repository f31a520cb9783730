// What the window and `mambo play` drive: one model, one seed clip, one program, one output.
//
// Threads. The owner (GUI or command line) calls the methods below from one thread; none blocks
// longer than a few microseconds. A worker thread does what takes time (open files, upload,
// prefill, open devices). The generator thread draws samples a chunk at a time into a wait-free
// ring (dsp/ring_buffer.h); it neither allocates nor waits for anyone but the ring's space, and the
// audio callback only reads the ring. Observation flows one way, through a second wait-free ring,
// and what is not fetched in time is dropped and counted, never waited for. When a GPU is lost
// under the generator thread, the worker goes on with the CPU from what was heard so far.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "app/audio/audio_device.h"
#include "kernels/engine.h"
#include "model/model.h"

namespace mambo {

struct SessionOptions {
  std::string backend = "auto";
  EngineOptions engine;
  std::string device;       // empty: default device, or the silent clock
  double latency_s = 0.06;  // ring + device, as a target
  int chunk = 128;          // samples a generator call
  std::uint64_t rng_seed = 1;
  // Where engines come from; empty: make_engine. For tests of engines that fail.
  std::function<std::unique_ptr<Engine>(const NetworkView&, const std::string& backend,
                                        const EngineOptions&, std::string* notice)>
      engines;
};

enum class Activity : std::uint8_t { empty, loading_model, loading_clip, prefilling, ready };

// A copy of everything the meter and the status line show.
struct SessionStatus {
  Activity activity = Activity::empty;
  float progress = 0;  // 0..1 of the activity
  bool playing = false;
  bool recording = false;
  double recorded_seconds = 0;
  std::filesystem::path recording_path;

  double us_per_sample_mean = 0;  // generator, over the last seconds
  double us_per_sample_p99 = 0;   // of chunk means (chunk time / samples)
  double real_time_factor = 0;    // model rate x mean
  double ring_fill = 0;           // 0..1 of the target
  double ring_ms = 0;
  double output_latency_ms = 0;  // measured: ring + resampler + device
  std::uint64_t underruns = 0;
  std::uint64_t dropped_observations = 0;
  double device_rate = 0;
  bool silent = false;  // no device: clocked by a timer
  std::string device;
  std::string backend;        // Engine::description()
  std::string engine_notice;  // why it is not the engine hoped for (a GPU refused); mostly empty
  double time_to_first_sound_ms =
      0;                        // from Again/Play with a new clip to the first sample in the ring
  std::uint64_t generated = 0;  // samples drawn since the seed
  std::uint64_t heard = 0;      // of these, what has left the device by now (estimate)

  std::string message;  // the last thing worth saying; never empty once something happened
  bool message_is_error = false;
  std::uint64_t message_id = 0;  // changes with every message
};

// What one generator call gave. Position 0 is the first sample of the seed clip (of the generated
// sound when there is no clip); generated samples follow the seed's.
struct Observation {
  std::uint64_t generation = 0;  // changes when the history starts anew (Again, new model or clip)
  std::uint64_t first = 0;       // position of the first sample
  bool seed = false;             // these samples are the clip's, from prefill
  std::vector<std::uint8_t> codes;
  std::vector<float> log_prob, entropy;   // one a sample, nats (empty for seed samples)
  std::vector<DeltaTap::Summary> layers;  // one a layer
  int tap_layer = -1;                     // the layer below, or -1
  std::uint64_t tap_first_step = 0;       // step of its tier (step k covers samples k*stride..)
  int tap_steps = 0;
  std::vector<float> tap_delta;  // [tap_steps][d_inner]
};

class Session {
 public:
  explicit Session(const SessionOptions& options);
  ~Session();  // stops; joins its threads
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Asynchronous: results and errors come through status(). A later call replaces an earlier one.
  // load: what the file does not say itself. own_sampling: from the first sample on, drawn as the
  // model's maker found best; else as it was set.
  void open_model(const std::filesystem::path& path, const LoadOptions& load = {},
                  bool own_sampling = false);
  void open_clip(
      const std::filesystem::path& path);    // mono at the model's rate; prefilled when ready
  void clear_clip();                         // generation starts from silence
  void cancel();                             // whatever is loading or prefilling
  void set_device(const std::string& name);  // empty: default
  void set_latency(double seconds);

  void play();
  void pause();  // fades out; the program stands still
  void again();  // back to the end of the seed: no prefill needed, the state was kept
  // Takes effect within one chunk.
  void set_sampling(const SamplingParams& p);
  SamplingParams sampling() const;
  void set_level_db(float db);
  float level_db() const;
  void set_rng_seed(std::uint64_t seed);  // used from the next again() or clip
  std::uint64_t rng_seed() const;

  void start_recording(const std::filesystem::path& path);  // wav/flac/ogg by extension
  void stop_recording();

  // Observation. Off until on; the layer's per-step delta is delivered at full rate.
  void set_observing(bool on);
  void set_tap_layer(int layer);  // -1: none
  bool poll(Observation& out);    // false: nothing new. Reuses out's vectors.

  SessionStatus status() const;
  std::shared_ptr<const Model> model() const;  // null until one is loaded
  std::filesystem::path clip_path() const;
  double clip_seconds() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mambo
