// The generator thread: draws samples a chunk at a time and keeps the ring to the sound card
// filled.
//
// In steady state it allocates nothing and takes no lock; it sleeps only while the ring is full.
// It alone decides at which sample a change of a control takes effect (live_controls.h): at the
// next one it draws, or at the one that the event names. A chunk is cut there, and each piece is
// one generate call with constant controls. What it plays is changed while it is parked: park()
// returns once the thread stands still. When the engine fails (a GPU that was lost), the thread
// stands still by itself, the sound fades out as at any shortage, and failed() says so until
// another program is exchanged for the one that failed. The same when what the model says cannot be
// drawn from, or its sound stays at an end of the scale (model/sanity.h), looked at once per chunk:
// then recover() lets it try again.
//
// Between the events `listen` and `answer` it absorbs what comes in (hearing.h), as it comes, where
// it would draw; the output is silent meanwhile, and the recording holds what came in. These
// samples count as those of the run do.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "app/control/by_hand.h"
#include "app/live/hearing.h"
#include "app/live/live_controls.h"
#include "app/live/live_moments.h"
#include "app/live/program.h"
#include "dsp/mirror_fade.h"
#include "dsp/output_stage.h"
#include "dsp/ring_buffer.h"
#include "kernels/error.h"
#include "model/sanity.h"

namespace mambo {

class GeneratorThread {
 public:
  // record_ring: samples that a recorder may be late by, a power of two.
  GeneratorThread(int chunk, std::uint64_t rng_seed, std::size_t record_ring = 1U << 19U);
  ~GeneratorThread();
  GeneratorThread(const GeneratorThread&) = delete;
  GeneratorThread& operator=(const GeneratorThread&) = delete;

  // ---- While parked only (worker thread) ----
  void park();    // returns when the generator thread stands still; milliseconds
  void unpark();  // goes on, if there is a program
  // What has been drawn but not heard is the caller's to flush. Returns the program played before.
  // own: values of controls that were decided for this program; they hold from its first sample on.
  // Slots go over to a program of the same model.
  std::unique_ptr<Program> exchange(std::unique_ptr<Program> program,
                                    const DecidedControls& own = {});
  // The same for a program that goes on where the present one stands: history, counts and random
  // stream go on as well. slots: what they held, as it was read before the engine was lost.
  std::unique_ptr<Program> replace(
      std::unique_ptr<Program> program,
      const std::array<std::shared_ptr<const Moment>, kSlots>& slots = {});
  // A slot is filled from a file. False: no program, or another thread reads the slot.
  bool fill_slot(int slot, const Moment& moment);
  LiveMoments& moments() { return moments_; }
  Hearing& hearing() { return hearing_; }
  const Program* program() const { return program_.get(); }
  void recover() { failed_ = false; }  // what failed may be tried again
  // The last codes drawn since the end of the clip (or Again), at most kCodesKept, oldest first.
  std::vector<std::uint8_t> last_codes() const;
  std::string failure() const { return failure_; }    // why, when failed()
  bool nothing_to_hear() const { return nonsense_; }  // ... it was not the engine, but the model
  void set_stage(OutputStage* stage) { stage_ = stage; }
  void set_target(std::size_t samples);  // how full the ring is kept
  RingBuffer<float>& ring() { return ring_; }
  // Samples drawn but not heard yet. Any thread.
  std::size_t waiting() const {
    return static_cast<std::size_t>(ring_.written() - ring_.consumed());
  }
  RingBuffer<float>& record_ring() { return record_ring_; }

  // ---- Any thread, wait-free; taken up within a chunk ----
  // The engine threw: nothing is drawn until a program is exchanged or replaced.
  bool failed() const { return failed_.load(std::memory_order_acquire); }
  LiveControls& controls() { return controls_; }
  const LiveControls& controls() const { return controls_; }
  void set_observing(bool on) { observing_ = on; }
  void set_tap_layer(int layer) { tap_layer_ = layer; }
  int tap_layer() const { return tap_layer_; }
  // From one worker thread. The recording's first sample is stamped in the controls' log.
  void begin_recording() {
    if (!recording()) ++recordings_;
  }
  // Returns when nothing more comes into record_ring(): the chunk that may be under way is in it.
  void end_recording();
  bool recording() const { return recordings_ % 2 == 1; }

  bool listening() const { return listening_.load(std::memory_order_acquire); }
  // From the last asking for an answer until its first samples were drawn; 0: none yet.
  double answer_ms() const { return 1e-6 * static_cast<double>(answer_ns_.load()); }
  // Codes that came in, in this listening or the last.
  std::uint64_t heard() const { return heard_; }

  // How often the guard has acted, and why it did so last.
  std::uint64_t brought_back() const { return brought_back_.load(std::memory_order_acquire); }
  Trouble trouble() const { return trouble_.load(std::memory_order_relaxed); }
  std::uint64_t generation() const { return generation_.load(std::memory_order_acquire); }
  std::uint64_t generated() const { return generated_; }
  std::uint64_t dropped_observations() const { return dropped_; }
  std::uint64_t lost_record_samples() const { return lost_record_; }
  std::size_t target() const { return target_; }
  // Microseconds per sample of the last chunks, newest last; at most `most`.
  std::vector<float> chunk_times(std::size_t most) const;
  // From mark() until the first chunk of the program or Again that followed was in the ring; 0
  // while waiting.
  void mark() { marked_ns_ = now_ns(); }
  double first_sound_ms() const;

 private:
  static std::int64_t now_ns();
  void run();
  void play();  // what is due, then a chunk if there is room
  void take_up_controls();
  void chunk();
  void draw(std::size_t n);         // at most a chunk, with constant controls
  void draw_unseen(std::size_t n);  // without an observation
  void keep(std::size_t n);         // what was drawn
  void start_again();
  void observe(std::size_t n);
  std::uint64_t step_in_run(std::uint64_t step, int layer, std::size_t drawn) const;
  // Of listening: generator_listen.cpp.
  void obey(const ControlEvent& event);  // listen, answer
  void listen();                         // absorbs what has come in
  void begin_to_hear();
  void answer();
  void end_listening();
  void observe_heard(std::size_t n);
  void check(std::size_t n);  // what was drawn; throws Nonsense
  void guard(std::size_t n);  // likewise, and kept: brings back what went astray

  struct Nonsense : Error {
    using Error::Error;
  };
  void fail(const char* why, bool nonsense);

  static constexpr std::size_t kTimes = 512;
  const int chunk_;
  RingBuffer<float> ring_;
  RingBuffer<float> record_ring_;
  std::unique_ptr<Program> program_;
  OutputStage* stage_ = nullptr;
  std::atomic<std::size_t> target_;

  LiveControls controls_;
  LiveMoments moments_{controls_};
  Hearing hearing_;
  std::atomic<bool> stop_{false}, failed_{false};
  std::string failure_;             // written before failed_, read after it
  bool nonsense_ = false;           // likewise
  std::atomic<unsigned> order_{1};  // odd: stand still. Counts up, so that no change is ever missed
  std::atomic<unsigned> obeyed_{0};  // the last odd order the thread stands still under
  std::atomic<bool> observing_{false};
  std::atomic<bool> listening_{false};
  std::atomic<std::uint64_t> heard_{0};
  std::atomic<std::int64_t> answer_ns_{0};
  std::atomic<unsigned> recordings_{0};  // odd: records. Counts up, so that no change is missed
  std::atomic<unsigned> recordings_seen_{0};  // by the generator thread, between two chunks
  std::atomic<int> tap_layer_{-1};
  std::atomic<std::uint64_t> generation_{0}, generated_{0}, dropped_{0}, lost_record_{0};
  std::atomic<std::uint64_t> brought_back_{0};
  std::atomic<Trouble> trouble_{Trouble::none};
  std::array<std::atomic<float>, kTimes> times_{};
  std::atomic<std::size_t> times_count_{0};
  std::atomic<std::int64_t> marked_ns_{0}, first_sound_ns_{0};

  // The generator thread's own.
  std::int64_t chunk_ns_ = 0;  // of generate calls, in the chunk under way
  std::vector<std::uint8_t> codes_;
  std::vector<std::uint8_t> kept_;  // a ring: code i since the end of the clip is at i % kCodesKept
  std::vector<float> samples_, last_logits_, entropy_;
  MirrorFade fade_;
  bool guarded_ = false;         // of the piece under way
  bool hears_ = false;           // of the listening under way something came in
  std::int64_t answer_by_ = 0;   // ns; 0: no answer is asked for
  std::int64_t asked_ns_ = 0;    // when it was; 0: the answer has begun
  std::uint64_t heard_all_ = 0;  // codes, in all
  StuckMeter stuck_;
  ByHand by_hand_;      // of the voice that plays
  std::thread thread_;  // last: starts when all else is there
};

}  // namespace mambo
