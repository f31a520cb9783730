// What the window and `mambo play` drive: one model, one clip, one program, one output.
//
// Threads. The owner (GUI or command line) calls the methods below from one thread; none blocks
// longer than a few microseconds. A worker thread (session_worker.h) does what takes time: opening
// files, upload, prefill, opening devices. The generator thread (generator_thread.h) draws samples
// a chunk at a time into a wait-free ring (dsp/ring_buffer.h); it neither allocates nor waits for
// anything but the ring's space, and the audio callback only reads the ring. Observation flows one
// way, through a second wait-free ring, and what is not fetched in time is dropped and counted,
// never waited for. When a GPU is lost under the generator thread, the worker goes on with the CPU
// from what was heard so far.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/control/choice.h"
#include "app/control/event.h"
#include "app/live/layer_past.h"
#include "app/live/layer_values.h"
#include "app/live/moment_status.h"
#include "app/live/observation.h"
#include "app/live/session_options.h"
#include "app/live/session_status.h"
#include "model/model.h"

namespace mambo {

class Session {
 public:
  explicit Session(const SessionOptions& options);
  ~Session();  // stops; joins its threads
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Asynchronous: results and errors come through status(). A later call replaces an earlier one.
  // load: what the file does not say itself. The controls of the draw are those of the command
  // line, else as a preset or the last session left them, else as the model's maker found best
  // (resolve() in app/control/control.h); they hold from the new program's first sample on, as does
  // whatever else the two say; what is set after this call goes before all of them. clip: as
  // open_clip takes it, absorbed with the model; else the one that is open, or is asked for before
  // the model is read. tap_layer: as set_tap_layer takes it, from this model's clip on; else as it
  // is.
  void open_model(const std::filesystem::path& path, const LoadOptions& load = {},
                  const ControlChoice& command_line = {}, const ControlChoice& last = {},
                  const std::optional<std::filesystem::path>& clip = {},
                  std::optional<int> tap_layer = {});
  // Mono at the model's rate; prefilled when ready. An empty path: from silence.
  void open_clip(const std::filesystem::path& path);
  void clear_clip();                         // generation starts from silence
  void cancel();                             // whatever is loading or prefilling
  void set_device(const std::string& name);  // empty: default

  // Sets any control of the table; out of range is the nearest value. Drawn with from the next
  // sample that the generator thread begins a chunk with, or over `ramp` samples from there. What
  // the output alone hears, and playing, act at once. False: a minute of changes waits already.
  bool set(ControlId id, const ControlValue& value, std::uint32_t ramp = 0);
  bool set(ControlId id, double value, std::uint32_t ramp = 0) {
    return set(id, ControlValue{value, 0}, ramp);
  }
  // The same of a layer's control, for the layers of a target (app/control/target.h). What the
  // model has not is ignored.
  bool set_layers(ControlId id, std::int16_t target, double value, std::uint32_t ramp = 0);
  // The same with a sample (see ControlEvent::at), a ramp or a source of its own.
  bool send(const ControlEvent& event);
  // What was asked for last, by any source, or decided when a model was opened. Not of a layer's
  // control.
  ControlValue control(ControlId id) const;
  // The layers' controls in the model that plays, as they are taken up: within a chunk of set().
  // Kept by the caller, read without a lock at any time; another model has another. Null until
  // there is one.
  std::shared_ptr<const LayerValues> layers() const;

  void play();
  void pause();  // fades out; the program stands still
  void again();  // back to the end of the clip: no prefill needed, the state was kept
  // The three together, at one sample.
  void set_sampling(const SamplingParams& p);
  SamplingParams sampling() const;
  void set_rng_seed(std::uint64_t seed) { set(ControlId::rng_seed, {0, seed}); }

  // ---- Moments (model/moments.h). Slots: 0 to kSlots - 1. Each is an event of the performance and
  // takes effect within a chunk; what there is nothing for (an empty slot) is counted by
  // moments().refused. False: a minute of changes waits already.
  bool store(int slot);    // what plays, at the next sample that can be mixed
  bool unstore(int slot);  // undoes the last store or clear of this run; again: does it again
  bool clear_slot(int slot);
  bool recall(int slot);  // plays on from there; controls stay. kBefore: undoes the last move
  bool morph(const Morph& morph);  // plays on from between; may be sent as fast as a hand moves
  // Plays on from a sample of the last minute, counted since the clip's end (or Again) as
  // status().generated is. Takes some tenths of a second, during which the present plays on.
  bool jump(std::uint64_t sample);
  // Draws `count` (1 to 16) continuations of `seconds` (0.1 to 30) aside, with random streams of
  // their own, of a slot or of what plays now; moments() says how far it is and ranks them.
  void fork(int count, double seconds, int slot = kNoSlot);
  void cancel_fork();
  // The i-th likeliest, as audition() plays a clip.
  void audition_continuation(int i);
  // Plays it: from where it begins (the same sound is heard once more and goes on), or behind its
  // end.
  void keep(int i, bool at_end = false);
  void name_slot(int slot, const std::string& name);
  void save_slot(int slot, const std::filesystem::path& path);
  void load_slot(int slot, const std::filesystem::path& path);
  MomentStatus moments() const;

  // ---- An input. What comes in is metered and its last minute kept in memory, as long as one is
  // open. Empty: none; kDefaultInput; else as open_audio_input takes it. Errors through status().
  void set_input(const std::string& name);
  // On: what comes in is absorbed as it comes, in place of what would be drawn, and the output is
  // silent; off: the model goes on from what it has heard. Events of the performance; what came in
  // stands in the recording, and in a file beside it. False: there is no input, or a minute of
  // changes waits already.
  bool listen(bool on);
  // The last minute that came in, listened to or not, as a clip: a new file of this name, or one
  // with a number behind it.
  void keep_heard(const std::filesystem::path& path);

  // Plays a clip as it is in its file, through the same output and its level, while what is drawn
  // waits: neither a recording nor a performance knows of it. Its last minute, or the first ten
  // seconds of one that is only looked at. Replaces what is auditioned; errors through status().
  enum class Part : std::uint8_t { end, beginning };
  void audition(const std::filesystem::path& clip, Part part);
  void stop_audition();
  // Of what was auditioned last; status() says whether it still is.
  std::filesystem::path auditioned() const;

  void start_recording(const std::filesystem::path& path);  // wav/flac/ogg by extension
  void stop_recording();

  // Observation. Off until on; the layer's per-step delta is delivered at full rate.
  void set_observing(bool on);
  void set_tap_layer(int layer);  // -1: none; kFavouriteLayer
  int tap_layer() const;          // of the model that plays
  // Reads Δ of a layer of the model that plays over the sound that is past, aside: its codes are
  // absorbed once more (read_past). They are of the positions first, first + 1, ...; rows are given
  // from the position shown_from on. Another call, model or clip, or cancel() ends it.
  void look_back(int layer, std::uint64_t first, std::vector<std::uint8_t> codes,
                 std::uint64_t shown_from);
  bool fetch_past(PastRows& to);  // the next rows of the last call; false: none yet
  // The oldest observation not popped yet, in place; null: nothing new. Valid until pop() or the
  // next front(). The end of the clip comes first. The slot is the generator thread's again after
  // pop(): what is kept too long costs observations, never sound.
  const Observation* front();
  void pop();

  SessionStatus status() const;
  std::shared_ptr<const Model> model() const;  // null until one is loaded
  std::filesystem::path clip_path() const;
  double clip_seconds() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mambo
