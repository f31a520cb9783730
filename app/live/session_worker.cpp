#include "app/live/session_worker.h"

#include <chrono>
#include <utility>

#include "app/control/by_hand.h"
#include "app/control/listen_event.h"
#include "model/message.h"

namespace mambo {

using namespace std::chrono_literals;

namespace {

constexpr auto kWatchEvery = 200ms;

const char* brought_back_from(Trouble trouble) {
  return trouble == Trouble::drone ? "a stuck tone" : trouble_name(trouble);
}

}  // namespace

SessionWorker::SessionWorker(const Parts& parts)
    : parts_(parts), loader_(parts.options, [this](Activity what, float progress) {
        return report(what, progress);
      }) {
  thread_ = std::thread([this] { work(); });
}

SessionWorker::~SessionWorker() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  cancelled_ = true;
  wake_.notify_all();
  thread_.join();
}

bool SessionWorker::report(Activity what, float progress) {
  parts_.board.report(what, progress);
  return !cancelled_;
}

void SessionWorker::work() {
  for (;;) {
    Requests r;
    {
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, kWatchEvery, [this] { return stopping_ || requests_.any(); });
      if (stopping_) break;
      r = std::exchange(requests_, {});
      cancelled_ = false;
    }
    try {
      obey(r);
    } catch (const Cancelled&) {
      parts_.board.say("Cancelled.");
      // By another clip, which is to be absorbed by the model that was asked for.
      const std::lock_guard lock(mutex_);
      if (r.model && requests_.clip && !requests_.model) requests_.model = std::move(r.model);
    } catch (const std::exception& e) {
      parts_.board.say(said_by(e), true);
    }
    watch_generator();
    parts_.board.report(parts_.now.get().model ? Activity::ready : Activity::empty, 0);
    parts_.output.watch();
    parts_.moments.watch();
    if (parts_.listener.watch()) stop_listening();
    parts_.recording.watch();
  }
  parts_.output.end_audition();
  parts_.generator.park();
  parts_.recording.end_safely();
  parts_.output.flush();
  parts_.output.close();
  parts_.generator.exchange(nullptr);
}

// One that cannot be had does not keep from the others.
void SessionWorker::see_to_moments(const Requests& r) {
  const auto tell = [this](auto f) {
    try {
      f();
    } catch (const std::exception& e) {
      parts_.board.say(said_by(e), true);
    }
  };
  for (const Requests::SlotFile& file : r.slot_files) {
    tell([&] {
      file.load ? parts_.moments.load(file.slot, file.path)
                : parts_.moments.save(file.slot, file.path);
    });
  }
  if (r.fork) {
    tell([&] { parts_.moments.fork(r.fork->count, r.fork->seconds, r.fork->forks_before); });
  }
  if (r.keep) tell([&] { parts_.moments.keep(r.keep->continuation, r.keep->at_end); });
}

// The model goes on from what it has heard.
void SessionWorker::stop_listening() {
  if (!parts_.generator.listening()) return;
  parts_.generator.controls().send_moment(listening_event(ControlId::answer), Source::engine);
}

void SessionWorker::see_to_input(const Requests& r) {
  try {
    if (r.keep_heard) parts_.listener.keep(*r.keep_heard);
    if (!r.input) return;
    stop_listening();
    parts_.listener.set_device(*r.input);
  } catch (const std::exception& e) {  // the rest goes on
    parts_.board.say(said_by(e), true);
  }
}

void SessionWorker::obey(const Requests& r) {
  if (r.stop_recording) parts_.recording.end();
  see_to_input(r);
  if (r.device) parts_.output.set_device(*r.device);
  if (r.again && parts_.generator.failed() && parts_.generator.nothing_to_hear()) {
    parts_.generator.park();
    parts_.generator.recover();
    given_up_ = false;
    parts_.generator.unpark();  // and Again is what it takes up first
  }
  if ((r.device || r.reopen) && parts_.output.is_open()) parts_.output.reopen();
  see_to_moments(r);
  if (r.model) {
    open_model(*r.model, r.clip ? *r.clip : parts_.now.get().clip);
  } else if (r.clip) {
    open_clip(*r.clip);
  }
  if (r.record) {
    const auto model = parts_.now.get().model;
    if (!model) throw Error("nothing to record yet: open a model first");
    parts_.recording.begin(*r.record, *model);
  }
  if (r.past) look_back(*r.past);
}

void SessionWorker::look_back(const PastSound& sound) {
  const NowPlaying::Facts now = parts_.now.get();
  if (now.model != sound.model) return;  // its layers are no longer shown
  try {
    read_past(*now.engine, sound, parts_.past,
              [this](float done) { return report(Activity::looking_back, done); });
  } catch (const Cancelled&) {
    const std::lock_guard lock(mutex_);
    if (!requests_.past && !requests_.model && !requests_.clip) throw;  // by hand: it is said
  }
}

void SessionWorker::open_model(const Requests::ToLoad& wanted, const Path& clip_so_far) {
  const ProgramLoader::Loaded loaded = loader_.open(wanted.path, wanted.options);
  expect_settings(wanted.command_line.layers, loaded.model->network(), *loaded.engine);
  Path clip = clip_so_far;
  {  // one that was asked for meanwhile: absorbed at once, and no other before it
    const std::lock_guard lock(mutex_);
    if (!requests_.model) clip = std::exchange(requests_.clip, std::nullopt).value_or(clip);
  }
  const std::string& name = loaded.model->config().name;  // may be empty
  parts_.board.say("Loaded " + (name.empty() ? wanted.path.filename().string() : name) + ".");
  ControlChoice own;
  own.say(loaded.model->config().sampling);
  const DecidedControls controls = {resolve_for_model(wanted.command_line, wanted.last, own),
                                    wanted.changes};
  try {
    prepare(loaded, clip, controls, wanted.tap_layer);
  } catch (const Cancelled&) {
    throw;
  } catch (const Error& e) {  // the model is good, the clip is not: play from silence
    prepare(loaded, {}, controls, wanted.tap_layer);
    parts_.board.say(e.what(), true);
  }
  if (!loaded.notice.empty()) remark(loaded.notice);
}

void SessionWorker::open_clip(const Path& clip) {
  const NowPlaying::Facts now = parts_.now.get();
  if (now.model) {
    prepare({now.model, now.engine, {}}, clip, {}, {});
  } else {
    parts_.now.change([&](NowPlaying::Facts& facts) { facts.clip = clip; });
  }
}

void SessionWorker::prepare(const ProgramLoader::Loaded& next, const Path& clip,
                            const DecidedControls& controls, std::optional<int> tap_layer) {
  parts_.generator.mark();
  const int layer = tap_layer.value_or(parts_.generator.tap_layer());
  change_over(loader_.prepare(next.model, next.engine, clip, layer), controls, tap_layer);
}

void SessionWorker::change_over(ProgramLoader::Prepared next, const DecidedControls& controls,
                                std::optional<int> tap_layer) {
  const auto model = next.program->model;
  const auto engine = next.program->engine;
  const ObservationSource observations = next.program->observations;
  const double rate = model->config().sample_rate;
  const bool new_rate = parts_.now.get().rate() != rate;
  if (new_rate) parts_.recording.end_safely();

  parts_.generator.park();
  parts_.output.flush();
  std::unique_ptr<Program> before;
  // The new generation begins under the lock: observations are of the old program or the new one.
  parts_.now.change([&](NowPlaying::Facts& facts) {
    // Not before: what plays until here, and goes on if this fails, keeps its own.
    before = parts_.generator.exchange(std::move(next.program), controls);
    if (tap_layer) parts_.generator.set_tap_layer(*tap_layer);
    if (facts.engine != engine) facts.engine_notice.clear();
    facts.model = model;
    facts.engine = engine;
    facts.clip = next.clip;
    facts.clip_seconds = next.clip_seconds;
    facts.clip_lufs = next.clip_lufs;
    facts.observations = observations;
    facts.layers = parts_.generator.controls().layers();
  });
  parts_.recording.log().program_changed(model, next.clip,
                                         played_engine(*engine, parts_.options.engine.storage));
  given_up_ = false;
  if (!next.clip.empty()) parts_.board.say("Absorbed " + next.clip.filename().string() + ".");
  parts_.listener.set_model(model->config());
  parts_.output.set_clip_loudness(next.clip_lufs);
  if (new_rate || !parts_.output.is_open()) parts_.output.open(rate);  // may have more to say
  parts_.generator.unpark();
  before.reset();
  if (!next.notice.empty()) remark(next.notice);
}

// The engine failed under the program that plays: the CPU goes on from what was heard so far.
void SessionWorker::watch_generator() {
  GeneratorThread& generator = parts_.generator;
  if (const std::uint64_t count = generator.brought_back(); count != brought_back_) {
    brought_back_ = count;
    parts_.board.say(std::string("Brought back from ") + brought_back_from(generator.trouble()) +
                     ".");
  }
  if (!generator.failed() || given_up_) return;
  const std::string why = generator.failure();
  if (generator.nothing_to_hear()) {
    parts_.board.say("Stopped: " + why + ". Open another model.", true);
    given_up_ = true;
    return;
  }
  generator.park();
  try {
    auto program =
        loader_.revive(*generator.program(), generator.last_codes(), generator.generated());
    const auto cpu = program->engine;
    const std::string line = "The GPU was lost (" + why + "); the CPU goes on";
    std::unique_ptr<Program> before;
    parts_.now.change([&](NowPlaying::Facts& facts) {
      before = generator.replace(std::move(program), parts_.moments.slots());
      facts.engine = cpu;
      facts.engine_notice = line;
    });
    parts_.recording.log().engine_changed(played_engine(*cpu, parts_.options.engine.storage));
    parts_.moments.renumbered();
    parts_.board.say(line + ".", true);
    generator.unpark();
  } catch (const Cancelled&) {  // something else is wanted; if not, the next look tries again
  } catch (const std::exception& e) {
    given_up_ = true;
    parts_.board.say("The engine failed (" + why + ") and nothing can go on: " + said_by(e) +
                         ". Open a model again.",
                     true);
  }
}

// Something to know about the engine; not an error.
void SessionWorker::remark(const std::string& notice) {
  parts_.now.change([&](NowPlaying::Facts& facts) { facts.engine_notice = notice; });
  parts_.board.say(notice + ".");
}

}  // namespace mambo
