#include "app/live/session.h"

#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "app/files/audio_file.h"
#include "app/files/codes.h"
#include "app/live/generator_thread.h"
#include "app/live/output.h"
#include "app/live/program.h"
#include "app/live/recorder.h"

namespace mambo {

using namespace std::chrono_literals;
using Path = std::filesystem::path;

namespace {

// What the owner asked for and the worker has not begun yet. The latest request of a kind wins.
struct Requests {
  struct ToLoad {
    Path path;
    LoadOptions options;
    bool own_sampling = false;
  };
  std::optional<ToLoad> model;
  std::optional<Path> clip;  // an empty path: no clip
  std::optional<std::string> device;
  bool reopen = false;  // the latency changed
  std::optional<Path> record;
  bool stop_recording = false;
  bool any() const { return model || clip || device || reopen || record || stop_recording; }
};

constexpr auto kLookAfterDevice = 200ms;
constexpr auto kTryDeviceAgain = 5s;

// Linear; the bottom of the scale is silence.
float gain(float db) { return db <= -60.0F ? 0.0F : std::pow(10.0F, db / 20.0F); }

bool is_cpu(const Engine& engine) { return engine.description().rfind("CPU", 0) == 0; }

SessionOptions within_bounds(SessionOptions o) {
  o.chunk = std::clamp(o.chunk, 16, kMaxChunk);
  o.latency_s = std::clamp(o.latency_s, 0.01, 2.0);
  return o;
}

}  // namespace

struct Session::Impl {
  explicit Impl(const SessionOptions& o)
      : options(within_bounds(o)),
        latency_s(o.latency_s),
        producer(options.chunk, o.rng_seed),
        output(producer.ring()),
        recorder(producer.record_ring()) {
    worker = std::thread([this] { work(); });
  }
  ~Impl() {
    {
      const std::lock_guard lock(mutex);
      stopping = true;
    }
    cancelled = true;
    wake.notify_all();
    worker.join();
  }

  // ---- Owner ----
  template <class F>
  void request(F f) {
    {
      const std::lock_guard lock(mutex);
      f(requests);
    }
    wake.notify_all();
  }

  void say(const std::string& text, bool error = false) {
    const std::lock_guard lock(mutex);
    message = text;
    message_is_error = error;
    ++message_id;
  }

  // ---- Worker ----
  void work() {
    auto device_tried = std::chrono::steady_clock::now();
    for (;;) {
      Requests r;
      {
        std::unique_lock lock(mutex);
        wake.wait_for(lock, kLookAfterDevice, [this] { return stopping || requests.any(); });
        if (stopping) break;
        r = std::exchange(requests, {});
        cancelled = false;
      }
      try {
        if (r.stop_recording) end_recording();
        if (r.device) device = *r.device;
        if ((r.device || r.reopen) && engine) reopen();
        if (r.model)
          open_model(*r.model, r.clip.value_or(clip_path));
        else if (r.clip)
          open_clip(*r.clip);
        if (r.record) begin_recording(*r.record);
      } catch (const Cancelled&) {
        say("Cancelled.");
      } catch (const std::exception& e) {
        say(e.what(), true);
      }
      look_after_generator();
      activity = current_model ? Activity::ready : Activity::empty;
      look_after_device(device_tried);
      if (recorder.failed()) end_recording_safely();
    }
    producer.park();
    end_recording_safely();
    output.flush();
    output.close();
    producer.exchange(nullptr);
  }

  bool report(Activity what, float progress_now) {
    activity = what;
    progress = progress_now;
    return !cancelled;
  }

  void open_model(const Requests::ToLoad& wanted, const Path& clip) {
    report(Activity::loading_model, 0);
    auto loaded = Model::load(wanted.path, wanted.options);
    report(Activity::loading_model, 0.3F);
    std::string notice;
    std::shared_ptr<const Engine> uploaded = upload(*loaded, options.backend, &notice);
    if (cancelled) throw Cancelled();
    const std::string& name = loaded->config().name;  // may be empty
    say("Loaded " + (name.empty() ? wanted.path.filename().string() : name) + ".");
    try {
      prepare_somewhere(loaded, uploaded, clip, wanted.own_sampling);
    } catch (const Cancelled&) {
      throw;
    } catch (const Error& e) {  // the model is good, the clip is not: play from silence
      prepare_somewhere(loaded, uploaded, {}, wanted.own_sampling);
      say(e.what(), true);
    }
    if (!notice.empty()) remark(notice);
  }

  std::shared_ptr<const Engine> upload(const Model& model, const std::string& backend,
                                       std::string* notice) const {
    std::string none;
    std::string* to = notice != nullptr ? notice : &none;
    return options.engines ? options.engines(model.network(), backend, options.engine, to)
                           : make_engine(model.network(), backend, options.engine, to);
  }

  // Something to know about the engine; not an error.
  void remark(const std::string& notice) {
    {
      const std::lock_guard lock(mutex);
      engine_notice = notice;
    }
    say(notice + ".");
  }

  void open_clip(const Path& clip) {
    if (!current_model) {  // kept for the model to come
      const std::lock_guard lock(mutex);
      clip_path = clip;
      return;
    }
    prepare_somewhere(current_model, engine, clip, false);
  }

  // On the engine given, or, when that refuses, on the CPU.
  void prepare_somewhere(const std::shared_ptr<const Model>& next,
                         const std::shared_ptr<const Engine>& next_engine, const Path& clip,
                         bool own_sampling) {
    try {
      prepare(next, next_engine, clip, own_sampling);
    } catch (const DeviceError& e) {
      if (is_cpu(*next_engine)) throw;
      const std::string why = e.what();
      prepare(next, upload(*next, "cpu", nullptr), clip, own_sampling);
      remark("The GPU refused (" + why + "); the CPU computes");
    }
  }

  // The engine failed under the program that plays: the CPU goes on from what was heard so far.
  void look_after_generator() {
    if (!producer.failed() || given_up) return;
    producer.park();
    const std::string why = producer.failure();
    try {
      if (is_cpu(*engine)) throw Error("there is no other engine");
      report(Activity::prefilling, 0);
      const std::shared_ptr<const Engine> cpu = upload(*current_model, "cpu", nullptr);
      auto program =
          revive_program(*producer.program(), cpu, producer.last_codes(), producer.generated(),
                         [this](float done) { return report(Activity::prefilling, done); });
      std::unique_ptr<Program> before;
      const std::string line = "The GPU was lost (" + why + "); the CPU goes on";
      {
        const std::lock_guard lock(mutex);
        before = producer.replace(std::move(program));
        engine = cpu;
        engine_notice = line;
      }
      say(line + ".", true);
      producer.unpark();
    } catch (const Cancelled&) {  // something else is wanted; if not, the next look tries again
    } catch (const std::exception& e) {
      given_up = true;
      say("The engine failed (" + why + ") and nothing can go on: " + e.what() +
              ". Open a model again.",
          true);
    }
  }

  // Absorbs the clip while the program before still plays, then changes over.
  void prepare(const std::shared_ptr<const Model>& next,
               const std::shared_ptr<const Engine>& next_engine, const Path& clip,
               bool own_sampling) {
    producer.mark();
    std::vector<std::uint8_t> codes;
    double seconds = 0;
    if (!clip.empty()) {
      report(Activity::loading_clip, 0);
      const Clip loaded = load_clip(clip, next->config().sample_rate);
      seconds = loaded.seconds();
      codes = encode(loaded.samples, next->config().encoding);
      if (cancelled) throw Cancelled();
    }
    report(Activity::prefilling, 0);
    auto program =
        make_program(next, next_engine, std::move(codes), producer.tap_layer(), options.chunk,
                     [this](float done) { return report(Activity::prefilling, done); });
    const bool new_rate =
        !current_model || current_model->config().sample_rate != next->config().sample_rate;
    if (new_rate && recorder.running()) end_recording_safely();

    producer.park();
    output.flush();
    auto queue = program->queue;
    auto seed = program->seed;
    std::unique_ptr<Program> before;
    {
      // poll sees the old history or the new one, never a mixture.
      const std::lock_guard lock(mutex);
      before = producer.exchange(std::move(program));
      // Not before: what plays until here, and goes on if this fails, keeps its own.
      if (own_sampling) producer.set_sampling(next->config().sampling);
      given_up = false;
      if (engine != next_engine) engine_notice.clear();
      current_model = next;
      engine = next_engine;
      clip_path = clip;
      clip_seconds = seconds;
      eye_queue = std::move(queue);
      eye_seed = std::move(seed);
    }
    if (!clip.empty()) say("Absorbed " + clip.filename().string() + ".");
    if (new_rate || output.stage() == nullptr) open_output();  // may have more to say
    producer.unpark();
    before.reset();
  }

  void open_output() {
    forget_stage();
    // The device takes a part of the latency wanted, the ring the rest.
    const double rate = current_model->config().sample_rate;
    const std::string trouble = output.open(rate, device, std::max(0.01, latency_s * 0.5));
    if (!trouble.empty()) say(trouble, true);
    const OutputFacts facts = output.facts();
    const double ring_s = latency_s - (facts.silent ? 0.0 : facts.latency_s);
    const auto chunk = static_cast<std::size_t>(options.chunk);
    const auto wanted = static_cast<std::size_t>(std::max(0.0, ring_s) * rate);
    OutputStage* stage = output.stage();
    producer.set_target(std::max({2 * chunk, wanted, output.least_target(chunk)}));
    stage->set_refill(producer.target() - chunk);
    stage->set_gain(gain(level_db));
    stage->set_playing(playing);
    underruns_before += last_underruns;
    last_underruns = 0;
    {
      const std::lock_guard lock(stage_mutex);
      shown_stage = stage;
    }
    producer.set_stage(stage);
  }

  void reopen() {
    producer.park();
    output.flush();
    open_output();
    producer.unpark();
  }

  void forget_stage() {
    const std::lock_guard lock(stage_mutex);
    if (shown_stage != nullptr) last_underruns = shown_stage->underruns();
    shown_stage = nullptr;
  }

  void look_after_device(std::chrono::steady_clock::time_point& tried) {
    const auto now = std::chrono::steady_clock::now();
    if (output.lost()) {
      const std::string lost = output.facts().device;
      reopen();
      const OutputFacts facts = output.facts();
      say("The audio device " + lost + " went away; " +
              (facts.silent ? "running silently, clocked by a timer"
                            : "playing on " + facts.device) +
              ".",
          true);
      tried = now;
      return;
    }
    if (engine && output.stage() != nullptr) {  // a device may ask for more than in the beginning
      const auto chunk = static_cast<std::size_t>(options.chunk);
      const std::size_t least = output.least_target(chunk);
      if (least > producer.target()) {
        producer.set_target(least);
        output.stage()->set_refill(least - chunk);
      }
    }
    // Silent because there was no device: look now and then whether one has come, where that is
    // heard.
    if (!engine || !output.facts().silent || now - tried < kTryDeviceAgain) return;
    tried = now;
    if (list_audio_devices().empty()) return;
    reopen();
    if (!output.facts().silent) say("Playing on " + output.facts().device + ".");
  }

  void begin_recording(const Path& path) {
    if (!current_model) throw Error("nothing to record yet: open a model first");
    if (recorder.running()) end_recording();
    recorder.start(path, current_model->config().sample_rate,
                   "mambo, live; model " + current_model->config().name);
    {
      const std::lock_guard lock(mutex);
      recording_path = path;
    }
    producer.set_recording(true);
    say("Recording to " + path.string() + ".");
  }

  void end_recording() {
    if (!recorder.running()) return;
    producer.set_recording(false);
    std::this_thread::sleep_for(20ms);  // the chunk that may still be under way
    const std::uint64_t samples = recorder.samples();
    recorder.stop();
    const double seconds = static_cast<double>(samples) / current_model->config().sample_rate;
    say("Recorded " + std::to_string(seconds).substr(0, std::to_string(seconds).find('.') + 2) +
        " s to " + recording_path.string() + ".");
  }

  void end_recording_safely() {
    try {
      end_recording();
    } catch (const std::exception& e) {
      say(e.what(), true);
    }
  }

  const SessionOptions options;
  std::atomic<double> latency_s;
  std::atomic<bool> playing{false};
  std::atomic<float> level_db{0.0F};
  std::atomic<bool> cancelled{false};
  std::atomic<Activity> activity{Activity::empty};
  std::atomic<float> progress{0};

  // Of the worker.
  std::string device = options.device;
  bool given_up = false;  // the engine failed and no other could go on
  std::uint64_t last_underruns = 0;
  std::atomic<std::uint64_t> underruns_before{0};  // on stages that are gone
  GeneratorThread producer;
  Output output;
  Recorder recorder;

  // The stage that status() and the controls may speak to; the worker takes it away before it goes.
  std::mutex stage_mutex;
  OutputStage* shown_stage = nullptr;

  mutable std::mutex mutex;  // owner and worker; never the generator thread
  std::condition_variable wake;
  Requests requests;
  bool stopping = false;
  std::shared_ptr<const Model> current_model;
  std::shared_ptr<const Engine> engine;
  Path clip_path, recording_path;
  double clip_seconds = 0;
  std::shared_ptr<ObservationQueue> eye_queue;
  std::shared_ptr<const std::vector<Observation>> eye_seed;
  std::string message, engine_notice;
  bool message_is_error = false;
  std::uint64_t message_id = 0;

  // Of the owner: how far poll has come.
  std::shared_ptr<ObservationQueue> polled_queue;
  std::uint64_t polled_generation = 0;
  std::size_t seed_cursor = 0;
  bool observing = false;

  std::thread worker;
};

Session::Session(const SessionOptions& options) : impl_(std::make_unique<Impl>(options)) {}
Session::~Session() = default;

void Session::open_model(const Path& path, const LoadOptions& load, bool own_sampling) {
  impl_->request([&](Requests& r) {
    impl_->cancelled = true;  // what is under way gives way
    r.model = Requests::ToLoad{path, load, own_sampling};
  });
}
void Session::open_clip(const Path& path) {
  impl_->request([&](Requests& r) {
    if (impl_->activity == Activity::prefilling || impl_->activity == Activity::loading_clip) {
      impl_->cancelled = true;
    }
    r.clip = path;
  });
}
void Session::clear_clip() { open_clip({}); }
void Session::cancel() {
  impl_->request([this](Requests& r) {  // nor what waits behind it
    impl_->cancelled = true;
    r.model.reset();
    r.clip.reset();
  });
}
void Session::set_device(const std::string& name) {
  impl_->request([&](Requests& r) { r.device = name; });
}
void Session::set_latency(double seconds) {
  impl_->latency_s = std::clamp(seconds, 0.01, 2.0);
  impl_->request([](Requests& r) { r.reopen = true; });
}

void Session::play() {
  impl_->playing = true;
  const std::lock_guard lock(impl_->stage_mutex);
  if (impl_->shown_stage != nullptr) impl_->shown_stage->set_playing(true);
}
void Session::pause() {
  impl_->playing = false;
  const std::lock_guard lock(impl_->stage_mutex);
  if (impl_->shown_stage != nullptr) impl_->shown_stage->set_playing(false);
}
void Session::again() {
  impl_->producer.mark();
  impl_->producer.again();
}
void Session::set_sampling(const SamplingParams& p) { impl_->producer.set_sampling(p); }
SamplingParams Session::sampling() const { return impl_->producer.sampling(); }
void Session::set_level_db(float db) {
  impl_->level_db = db;
  const std::lock_guard lock(impl_->stage_mutex);
  if (impl_->shown_stage != nullptr) impl_->shown_stage->set_gain(gain(db));
}
float Session::level_db() const { return impl_->level_db; }
void Session::set_rng_seed(std::uint64_t seed) { impl_->producer.set_rng_seed(seed); }
std::uint64_t Session::rng_seed() const { return impl_->producer.rng_seed(); }

void Session::start_recording(const Path& path) {
  impl_->request([&](Requests& r) { r.record = path; });
}
void Session::stop_recording() {
  impl_->request([](Requests& r) { r.stop_recording = true; });
}

void Session::set_observing(bool on) {
  impl_->observing = on;
  impl_->producer.set_observing(on);
}
void Session::set_tap_layer(int layer) { impl_->producer.set_tap_layer(layer); }

bool Session::poll(Observation& out) {
  Impl& s = *impl_;
  if (!s.observing) return false;
  std::shared_ptr<const std::vector<Observation>> seed;
  std::shared_ptr<const Engine> engine;
  std::uint64_t generation = 0;
  {
    const std::lock_guard lock(s.mutex);
    generation = s.producer.generation();
    s.polled_queue = s.eye_queue;
    engine = s.engine;
    seed = s.eye_seed;
  }
  if (s.polled_queue == nullptr) return false;
  if (generation != s.polled_generation) {
    s.polled_generation = generation;
    s.seed_cursor = 0;
  }
  if (s.seed_cursor < seed->size()) {  // the history starts with the seed's last minute
    out = (*seed)[s.seed_cursor++];
    out.generation = generation;
    return true;
  }
  for (const Observation* o = s.polled_queue->front(); o != nullptr; o = s.polled_queue->front()) {
    if (o->generation != generation) {  // from before Again
      s.polled_queue->pop();
      continue;
    }
    out.generation = o->generation;
    out.first = o->first;
    out.seed = o->seed;
    out.codes = o->codes;
    out.log_prob = o->log_prob;
    out.entropy = o->entropy;
    out.layers = o->layers;
    out.tap_layer = o->tap_layer;
    out.tap_first_step = o->tap_first_step;
    out.tap_steps = o->tap_steps;
    std::size_t floats = 0;
    if (o->tap_layer >= 0 && o->tap_steps > 0) {
      floats = static_cast<std::size_t>(o->tap_steps) *
               static_cast<std::size_t>(
                   engine->layout().layers[static_cast<std::size_t>(o->tap_layer)].d_inner);
    }
    out.tap_delta.assign(o->tap_delta.begin(),
                         o->tap_delta.begin() + static_cast<std::ptrdiff_t>(floats));
    s.polled_queue->pop();
    return true;
  }
  return false;
}

SessionStatus Session::status() const {
  Impl& s = *impl_;
  SessionStatus r;
  r.activity = s.activity;
  r.progress = s.progress;
  r.playing = s.playing;
  double rate = 0;
  {
    const std::lock_guard lock(s.mutex);
    r.message = s.message;
    r.message_is_error = s.message_is_error;
    r.message_id = s.message_id;
    r.recording_path = s.recording_path;
    if (s.engine) r.backend = s.engine->description();
    r.engine_notice = s.engine_notice;
    if (s.current_model) rate = s.current_model->config().sample_rate;
  }
  r.recording = s.producer.recording();
  if (rate > 0) r.recorded_seconds = static_cast<double>(s.recorder.samples()) / rate;

  std::vector<float> times = s.producer.chunk_times(512);
  if (!times.empty()) {
    double sum = 0;
    for (const float t : times) sum += t;
    r.us_per_sample_mean = sum / static_cast<double>(times.size());
    const auto p99 = times.begin() + static_cast<std::ptrdiff_t>((times.size() - 1) * 99 / 100);
    std::nth_element(times.begin(), p99, times.end());
    r.us_per_sample_p99 = *p99;
    if (r.us_per_sample_mean > 0) r.real_time_factor = 1e6 / (rate * r.us_per_sample_mean);
  }
  const OutputFacts facts = s.output.facts();
  r.device = facts.device;
  r.device_rate = facts.rate;
  r.silent = facts.silent;
  r.generated = s.producer.generated();
  r.dropped_observations = s.producer.dropped_observations();
  r.time_to_first_sound_ms = s.producer.first_sound_ms();
  r.underruns = s.underruns_before;
  if (rate > 0) {
    const std::size_t waiting = s.producer.waiting();
    r.ring_ms = 1e3 * static_cast<double>(waiting) / rate;
    r.ring_fill =
        std::min(1.0, static_cast<double>(waiting) / static_cast<double>(s.producer.target()));
    double delay = facts.latency_s;
    const std::lock_guard lock(s.stage_mutex);
    if (s.shown_stage != nullptr) {
      r.underruns += s.shown_stage->underruns();
      delay += s.shown_stage->latency_s();
    }
    r.output_latency_ms = r.ring_ms + 1e3 * delay;
    const auto ahead = static_cast<std::uint64_t>(r.output_latency_ms * 1e-3 * rate);
    r.heard = r.generated > ahead ? r.generated - ahead : 0;
  }
  return r;
}

std::shared_ptr<const Model> Session::model() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->current_model;
}
Path Session::clip_path() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->clip_path;
}
double Session::clip_seconds() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->clip_seconds;
}

}  // namespace mambo
