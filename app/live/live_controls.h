// The controls of what plays now: events come in by wait-free inboxes, one per source, take effect
// at a sample that the generator thread stamps, and leave by a log for the worker.
//
// Nothing here allocates after construction, locks or waits.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>

#include "app/control/choice.h"
#include "app/control/inbox.h"
#include "app/control/track.h"
#include "app/live/layer_values.h"

namespace mambo {

// How often each control was asked for, by any source.
using ChangeCounts = std::array<std::uint32_t, kControls>;

// Values that were decided for a program when it was asked for, and how often the controls had been
// changed by then: a change since then is the user's newer word and goes before them.
struct DecidedControls {
  ControlChoice values;
  ChangeCounts changes{};
};

class LiveControls {
 public:
  LiveControls();

  // ---- Sources, one thread each. Wait-free ----
  // All take effect at the same sample, `at` of the first, or none is taken: the inbox is full.
  // Values out of range are clamped. The source must be the same in all.
  bool send(std::span<const ControlEvent> events);
  bool send(const ControlEvent& event) { return send({&event, 1}); }
  bool send(ControlId id, double value, Source source = Source::owner);
  bool send(const SamplingParams& sampling, Source source = Source::owner);
  bool send_rng_seed(std::uint64_t seed, Source source = Source::owner);
  // An event of moments (app/control/moment_event.h) or of listening (listen_event.h), in turn with
  // those of controls.
  bool send_moment(const ControlEvent& event, Source source = Source::owner);

  // ---- Any thread ----
  // What was asked for last, by any source; a ramp has not arrived there yet.
  // Not of a layer's control: LayerValues.
  ControlValue wanted(ControlId id) const;
  SamplingParams wanted_sampling() const;
  ChangeCounts changes() const;
  std::uint64_t lost_events() const { return lost_; }  // of the log: the worker did not come by

  // ---- The generator thread; the worker while that is parked ----
  // The next event that takes effect at this position, or null. The same one until took_effect():
  // it may fail and be tried again.
  const ControlEvent* due(std::uint64_t position);
  void took_effect(std::uint64_t position);  // of that event: applied, and in the log
  // The same for an event of moments, which takes effect elsewhere, perhaps later, and is logged
  // when it has.
  ControlEvent take();
  void log_moment(ControlEvent event, std::uint64_t position);
  // Codes absorbed between `listen` and `answer`; after the event is logged.
  void heard(std::span<const std::uint8_t> codes) {
    if (heard_.write(codes) < codes.size()) ++lost_;
  }
  // What holds from this position on, up to next_boundary().
  const Patch& at(std::uint64_t position) {
    track_.patch().advance(position);
    show_layers();
    return track_.patch();
  }
  std::uint64_t next_boundary(std::uint64_t position) const {
    return track_.next_boundary(position);
  }
  // The layers of what plays from here on: before begin_program(), by the worker. Allocates.
  void set_layers(const LayerMap& layers);
  // Where their values can be read while they play.
  std::shared_ptr<const LayerValues> layers() const { return shown_; }
  // Position 0 again: ramps arrive, events scheduled for the run before are dropped, and the log
  // gets all values, so that it can be read from here on.
  void begin_run();
  // The same for another program. What waits in the inboxes holds from its first sample on, but for
  // what happens once (Again, which it does not need; forget, which was meant for the memory
  // before); `own` holds where nothing was asked for since it was decided.
  void begin_program(const DecidedControls& own, std::uint64_t position_before);
  void engine_changed(std::uint64_t position);
  void recording_began(std::uint64_t position);
  // By the guard, to the state after sample `to`; why: a Trouble.
  void brought_back(std::uint64_t position, std::uint64_t to, int why);

  // ---- The worker ----
  SlotQueue<ControlEvent>& log() { return log_; }  // in the order of the samples
  RingBuffer<std::uint8_t>& heard() { return heard_; }

 private:
  static constexpr std::size_t kScheduled = 1024;
  static constexpr std::size_t kLog = 1U << 14U;
  static constexpr std::size_t kHeard = 1U << 18U;  // 16 s at 16 kHz: the worker may be busy
  static_assert(std::atomic<std::uint64_t>::is_always_lock_free);
  void want(ControlId id, const ControlValue& value);
  void write(const ControlEvent& event);
  void write_start(ControlId id, std::int16_t target, const ControlValue& value);
  void begin_with(const ControlEvent& event);
  void show_layers();

  std::array<Inbox, kSources> inboxes_;
  ControlTrack track_{kScheduled};
  Inbox* from_ = nullptr;                     // where due() found its event; null: in the track
  std::uint64_t programs_ = 0, engines_ = 0;  // numbers of the log's events
  SlotQueue<ControlEvent> log_{kLog, ControlEvent{}};
  RingBuffer<std::uint8_t> heard_{kHeard};
  std::array<std::atomic<std::uint64_t>, kControls> wanted_{};  // a value's bits
  std::array<std::atomic<std::uint32_t>, kControls> changes_{};
  std::atomic<std::uint64_t> lost_{0};
  std::shared_ptr<LayerValues> shown_;
  std::uint64_t shown_version_ = 0;
};

}  // namespace mambo
