#include "app/live/session.h"

#include <algorithm>
#include <utility>

#include "app/control/listen_event.h"
#include "app/control/moment_event.h"
#include "app/live/auditioner.h"
#include "app/live/forker.h"
#include "app/live/generator_thread.h"
#include "app/live/listener.h"
#include "app/live/moment_desk.h"
#include "app/live/now_playing.h"
#include "app/live/observation_reader.h"
#include "app/live/output_supervisor.h"
#include "app/live/recording.h"
#include "app/live/session_worker.h"
#include "app/live/status_board.h"

namespace mambo {

using Path = std::filesystem::path;

namespace {

SessionOptions within_bounds(SessionOptions o) {
  o.chunk = std::clamp(o.chunk, 16, kMaxChunk);
  return o;
}

}  // namespace

struct Session::Impl {
  explicit Impl(const SessionOptions& o) : options(within_bounds(o)) {
    generator.controls().send(ControlId::latency, 1e3 * options.latency_s);
  }

  const SessionOptions options;
  StatusBoard board;
  NowPlaying now;
  GeneratorThread generator{options.chunk, options.rng_seed, options.record_ring};
  OutputSupervisor output{generator, board, options};
  Recording recording{generator, board};
  PastQueue past;
  ObservationReader reader;  // the owner's
  bool observing = false;    // likewise
  Auditioner auditioner{output, board};
  std::filesystem::path auditioned;  // the owner's
  Forker forker{board};
  MomentDesk desk{generator, recording, forker, board};
  Listener listener{generator.hearing(), board, options.inputs};
  SessionWorker worker{
      {options, board, now, generator, output, recording, past, desk, listener}};  // stops first

  bool send_moment(const ControlEvent& e) { return generator.controls().send_moment(e); }
};

Session::Session(const SessionOptions& options) : impl_(std::make_unique<Impl>(options)) {
  if (!options.input.empty()) set_input(options.input);
}
Session::~Session() = default;

void Session::open_model(const Path& path, const LoadOptions& load,
                         const ControlChoice& command_line, const ControlChoice& last,
                         const std::optional<Path>& clip, std::optional<int> tap_layer) {
  impl_->worker.request([&](Requests& r) {
    r.cancel_current = true;
    r.past.reset();
    r.model = Requests::ToLoad{
        path, load, command_line, last, impl_->generator.controls().changes(), tap_layer};
    if (clip) r.clip = clip;
  });
}
void Session::open_clip(const Path& path) {
  impl_->worker.request([&](Requests& r) {
    const Activity activity = impl_->board.activity();
    r.cancel_current = activity == Activity::prefilling || activity == Activity::loading_clip ||
                       activity == Activity::looking_back;
    r.past.reset();
    r.clip = path;
  });
}
void Session::clear_clip() { open_clip({}); }
void Session::cancel() {
  impl_->worker.request([](Requests& r) {
    r.cancel_current = true;
    r.model.reset();  // nor what waits behind it
    r.clip.reset();
    r.past.reset();
  });
}
void Session::set_device(const std::string& name) {
  impl_->worker.request([&](Requests& r) { r.device = name; });
}

bool Session::set(ControlId id, const ControlValue& value, std::uint32_t ramp) {
  ControlEvent event;
  event.id = id;
  event.value = value;
  event.ramp = ramp;
  return send(event);
}
bool Session::set_layers(ControlId id, std::int16_t target, double value, std::uint32_t ramp) {
  ControlEvent event;
  event.id = id;
  event.target = target;
  event.value.real = value;
  event.ramp = ramp;
  return send(event);
}
bool Session::send(const ControlEvent& event) {
  const ControlId id = event.id;
  if (id == ControlId::again) impl_->generator.mark();
  if (!impl_->generator.controls().send(event)) return false;
  if (id == ControlId::again && impl_->generator.failed()) {
    impl_->worker.request([](Requests& r) { r.again = true; });
  }
  const double real = control(id).real;  // within its range
  if (id == ControlId::level) impl_->output.set_level_db(static_cast<float>(real));
  if (id == ControlId::match_level) impl_->output.set_match_level(real != 0);
  if (id == ControlId::playing) impl_->output.set_playing(real != 0);
  if (id == ControlId::latency) {
    impl_->output.set_latency(1e-3 * real);
    impl_->worker.request([](Requests& r) { r.reopen = true; });
  }
  return true;
}
ControlValue Session::control(ControlId id) const { return impl_->generator.controls().wanted(id); }
std::shared_ptr<const LayerValues> Session::layers() const {
  return impl_->now.look([](const NowPlaying::Facts& facts) { return facts.layers; });
}

void Session::play() { set(ControlId::playing, {1, 0}); }
void Session::pause() { set(ControlId::playing, {0, 0}); }
void Session::again() { set(ControlId::again, {}); }
void Session::set_sampling(const SamplingParams& p) { impl_->generator.controls().send(p); }
SamplingParams Session::sampling() const { return impl_->generator.controls().wanted_sampling(); }

bool Session::store(int slot) { return impl_->send_moment(slot_event(ControlId::store, slot)); }
bool Session::unstore(int slot) { return impl_->send_moment(slot_event(ControlId::unstore, slot)); }
bool Session::clear_slot(int slot) {
  return impl_->send_moment(slot_event(ControlId::clear, slot));
}
bool Session::recall(int slot) { return impl_->send_moment(slot_event(ControlId::recall, slot)); }
bool Session::morph(const Morph& morph) { return impl_->send_moment(morph_event(morph)); }
bool Session::jump(std::uint64_t sample) { return impl_->send_moment(jump_event(sample)); }

void Session::fork(int count, double seconds, int slot) {
  const std::uint64_t before = impl_->generator.moments().forks();
  if (!impl_->send_moment(slot_event(ControlId::fork, slot))) return;
  impl_->forker.expect();  // the worker may be busy: moments() shows nothing older meanwhile
  impl_->worker.request([&](Requests& r) { r.fork = Requests::Fork{count, seconds, before}; });
}
void Session::cancel_fork() { impl_->forker.cancel(); }
void Session::audition_continuation(int i) {
  impl_->auditioned.clear();
  impl_->auditioner.play(impl_->forker.sound(i));
}
void Session::keep(int i, bool at_end) {
  impl_->auditioner.stop();
  impl_->worker.request([&](Requests& r) { r.keep = Requests::Keep{i, at_end}; });
}
void Session::name_slot(int slot, const std::string& name) {
  const MomentsNow& now = impl_->generator.moments().now();
  if (slot < 0 || slot >= kSlots) return;
  impl_->desk.name(slot, now.slots[static_cast<std::size_t>(slot)].number, name);
}
void Session::save_slot(int slot, const Path& path) {
  impl_->worker.request([&](Requests& r) { r.slot_files.push_back({slot, path, false}); });
}
void Session::load_slot(int slot, const Path& path) {
  impl_->worker.request([&](Requests& r) { r.slot_files.push_back({slot, path, true}); });
}
MomentStatus Session::moments() const {
  MomentStatus status;
  const MomentsNow& now = impl_->generator.moments().now();
  for (std::size_t i = 0; i < status.slots.size(); ++i) {
    MomentStatus::Slot& slot = status.slots[i];
    slot.number = now.slots[i].number;
    slot.filled = slot.number != 0;
    slot.picture = now.slots[i].picture;
  }
  status.can_return = now.can_return;
  status.jumping = now.jumping;
  status.reach = now.reach;
  status.moves = now.moves;
  status.refused = now.refused;
  impl_->desk.fill(status);
  impl_->forker.fill(status);
  return status;
}

void Session::set_input(const std::string& name) {
  impl_->worker.request([&](Requests& r) { r.input = name; });
}
bool Session::listen(bool on) {
  if (on && !impl_->listener.is_open()) {
    impl_->board.say("There is no input to listen to: choose one under Input.", true);
    return false;
  }
  if (on) impl_->auditioner.stop();
  return impl_->send_moment(listening_event(on ? ControlId::listen : ControlId::answer));
}
void Session::keep_heard(const Path& path) {
  impl_->worker.request([&](Requests& r) { r.keep_heard = path; });
}

void Session::audition(const Path& clip, Part part) {
  impl_->auditioned = clip;
  impl_->auditioner.play({clip, impl_->now.get().rate(), part == Part::end});
}
void Session::stop_audition() { impl_->auditioner.stop(); }
Path Session::auditioned() const { return impl_->auditioned; }

void Session::start_recording(const Path& path) {
  impl_->worker.request([&](Requests& r) { r.record = path; });
}
void Session::stop_recording() {
  impl_->worker.request([](Requests& r) {
    r.stop_recording = true;
    r.record.reset();  // nor one that waits behind what is loading
  });
}

void Session::set_observing(bool on) {
  impl_->observing = on;
  impl_->generator.set_observing(on);
}
void Session::set_tap_layer(int layer) { impl_->generator.set_tap_layer(layer); }
int Session::tap_layer() const { return impl_->generator.tap_layer(); }

void Session::look_back(int layer, std::uint64_t first, std::vector<std::uint8_t> codes,
                        std::uint64_t shown_from) {
  PastSound sound{model(), layer, first, std::move(codes), shown_from, impl_->past.begin()};
  if (!sound.model) return;
  impl_->worker.request([&](Requests& r) {
    r.cancel_current = impl_->board.activity() == Activity::looking_back;
    r.past = std::move(sound);
  });
}
bool Session::fetch_past(PastRows& to) { return impl_->past.fetch(to); }

const Observation* Session::front() {
  if (!impl_->observing) return nullptr;
  std::uint64_t generation = 0;
  const ObservationSource source = impl_->now.look([&](const NowPlaying::Facts& facts) {
    generation = impl_->generator.generation();
    return facts.observations;
  });
  return impl_->reader.front(source, generation);
}
void Session::pop() { impl_->reader.pop(); }

SessionStatus Session::status() const {
  SessionStatus r;
  r.stopped = impl_->worker.given_up();  // before the message, which is there already
  const NowPlaying::Facts now = impl_->now.get();
  const GeneratorThread& generator = impl_->generator;
  impl_->board.fill(r);
  impl_->recording.fill(r);
  fill_times(r, generator.chunk_times(512), now.rate());  // before the output's part
  if (now.engine) r.backend = now.engine->description();
  r.engine_notice = now.engine_notice;
  r.generated = generator.generated();
  r.brought_back = generator.brought_back();
  r.dropped_observations = generator.dropped_observations();
  r.time_to_first_sound_ms = generator.first_sound_ms();
  impl_->output.fill(r, now.rate());
  impl_->listener.fill(r.input);
  r.input.listening = generator.listening();
  r.input.answer_ms = generator.answer_ms();
  if (now.rate() > 0) r.input.heard_seconds = static_cast<double>(generator.heard()) / now.rate();
  return r;
}

std::shared_ptr<const Model> Session::model() const { return impl_->now.get().model; }
Path Session::clip_path() const { return impl_->now.get().clip; }
double Session::clip_seconds() const { return impl_->now.get().clip_seconds; }

}  // namespace mambo
