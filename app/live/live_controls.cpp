#include "app/live/live_controls.h"

#include <algorithm>
#include <bit>

#include "app/control/listen_event.h"
#include "app/control/moment_event.h"
#include "app/control/sampling_controls.h"

namespace mambo {
namespace {

constexpr std::size_t kGroup = 16;  // events of one send()

constexpr std::size_t place(ControlId id) { return static_cast<std::size_t>(id); }

bool is_control(ControlId id) { return place(id) < kControls; }

std::uint64_t bits_of(ControlId id, const ControlValue& value) {
  const bool whole = control_spec(id).kind == ControlKind::whole64;
  return whole ? value.whole : std::bit_cast<std::uint64_t>(value.real);
}

}  // namespace

LiveControls::LiveControls() {
  for (const ControlSpec& spec : kControlTable) want(spec.id, spec.normal);
}

bool LiveControls::send(std::span<const ControlEvent> events) {
  std::array<ControlEvent, kGroup> group;
  if (events.empty() || events.size() > group.size()) return false;
  for (std::size_t i = 0; i < events.size(); ++i) {
    group[i] = events[i];
    group[i].at = events.front().at;
    if (!is_control(events[i].id)) return false;
    const ControlSpec& spec = control_spec(events[i].id);
    group[i].value = clamped(spec, events[i].value);
    if (!spec.has_targets()) group[i].target = kAllTargets;
  }
  const std::span<const ControlEvent> sane = std::span(group).first(events.size());
  // Counted first: begin_program() must not find an event whose count it does not see.
  for (const ControlEvent& e : sane) changes_[place(e.id)].fetch_add(1, std::memory_order_relaxed);
  if (!inboxes_[static_cast<std::size_t>(sane.front().source)].push(sane)) {
    for (const ControlEvent& e : sane) {
      changes_[place(e.id)].fetch_sub(1, std::memory_order_relaxed);
    }
    return false;
  }
  for (const ControlEvent& e : sane) {
    if (!control_spec(e.id).has_targets()) want(e.id, e.value);
  }
  return true;
}

bool LiveControls::send(ControlId id, double value, Source source) {
  ControlEvent e;
  e.id = id;
  e.value.real = value;
  e.source = source;
  return send(e);
}

bool LiveControls::send(const SamplingParams& sampling, Source source) {
  std::array<ControlEvent, kSamplingControls.size()> events;
  for (std::size_t i = 0; i < events.size(); ++i) {
    events[i].id = kSamplingControls[i];
    events[i].value.real = sampling_value(sampling, events[i].id);
    events[i].source = source;
  }
  return send(events);
}

bool LiveControls::send_rng_seed(std::uint64_t seed, Source source) {
  ControlEvent e;
  e.id = ControlId::rng_seed;
  e.value.whole = seed;
  e.source = source;
  return send(e);
}

bool LiveControls::send_moment(const ControlEvent& event, Source source) {
  ControlEvent e = event;
  e.source = source;
  const bool known = is_moment(e.id) || is_listening(e.id);
  return known && inboxes_[static_cast<std::size_t>(source)].push({&e, 1});
}

void LiveControls::want(ControlId id, const ControlValue& value) {
  wanted_[place(id)].store(bits_of(id, value), std::memory_order_relaxed);
}

ControlValue LiveControls::wanted(ControlId id) const {
  const std::uint64_t bits = wanted_[place(id)].load(std::memory_order_relaxed);
  if (control_spec(id).kind == ControlKind::whole64) return {0, bits};
  return {std::bit_cast<double>(bits), 0};
}

SamplingParams LiveControls::wanted_sampling() const {
  return sampling_of([this](ControlId id) { return wanted(id).real; });
}

ChangeCounts LiveControls::changes() const {
  ChangeCounts counts;
  for (std::size_t i = 0; i < kControls; ++i) {
    counts[i] = changes_[i].load(std::memory_order_relaxed);
  }
  return counts;
}

const ControlEvent* LiveControls::due(std::uint64_t position) {
  for (Inbox& inbox : inboxes_) {
    for (const ControlEvent* e = inbox.front(); e != nullptr; e = inbox.front()) {
      if (e->at <= position || !track_.add(*e)) {  // what has no room to wait does not wait
        from_ = &inbox;
        return e;
      }
      inbox.pop();
    }
  }
  from_ = nullptr;
  return track_.due(position);
}

ControlEvent LiveControls::take() {
  const ControlEvent* found = from_ != nullptr ? from_->front() : track_.due(kNever);
  if (found == nullptr) return {};
  const ControlEvent e = *found;
  if (from_ != nullptr)
    from_->pop();
  else
    track_.pop();
  return e;
}

void LiveControls::log_moment(ControlEvent event, std::uint64_t position) {
  event.at = position;
  write(event);
}

void LiveControls::took_effect(std::uint64_t position) {
  const ControlEvent* found = from_ != nullptr ? from_->front() : track_.due(position);
  if (found == nullptr) return;
  ControlEvent e = *found;
  if (from_ != nullptr)
    from_->pop();
  else
    track_.pop();
  e.at = position;
  const Patch& patch = track_.patch();
  // What reaches no layer changes nothing, and a performance that had it could not be drawn again.
  const bool of_layers = is_control(e.id) && control_spec(e.id).scope == Scope::layer;
  if (of_layers && !patch.layers().reaches_any(e.target, e.id)) return;
  track_.patch().apply(e);
  show_layers();
  write(e);
}

void LiveControls::set_layers(const LayerMap& layers) {
  track_.patch().set_layers(layers);
  shown_ = std::make_shared<LayerValues>(layers);
  shown_->show(track_.patch());
  shown_version_ = track_.patch().layer_version();
}

void LiveControls::show_layers() {
  const std::uint64_t version = track_.patch().layer_version();
  if (version == shown_version_ || shown_ == nullptr) return;
  shown_->show(track_.patch());
  shown_version_ = version;
}

void LiveControls::write(const ControlEvent& event) {
  ControlEvent* slot = log_.begin_write();
  if (slot == nullptr) {
    lost_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  *slot = event;
  log_.publish();
}

void LiveControls::write_start(ControlId id, std::int16_t target, const ControlValue& value) {
  ControlEvent e;
  e.id = id;
  e.target = target;
  e.value = value;
  e.source = Source::start;
  write(e);
}

void LiveControls::begin_run() {
  track_.clear();
  track_.patch().settle();
  show_layers();
  for (const ControlSpec& spec : kControlTable) {
    if (spec.happens() || spec.scope == Scope::layer) continue;
    write_start(spec.id, kAllTargets, track_.patch()[spec.id]);
  }
  // Of layers what is not at its default; who reads the log takes the rest for that.
  track_.patch().say_layers([this](ControlId id, std::int16_t target, double value) {
    write_start(id, target, {value, 0});
  });
}

// Before a program's first sample, without a ramp.
void LiveControls::begin_with(const ControlEvent& event) {
  const ControlSpec& spec = control_spec(event.id);
  if (spec.happens()) return;
  if (spec.scope != Scope::layer) return track_.patch().set(event.id, event.value);
  ControlEvent at_once = event;
  at_once.at = 0;
  at_once.ramp = 0;
  track_.patch().apply(at_once);
}

void LiveControls::begin_program(const DecidedControls& own, std::uint64_t position_before) {
  track_.patch().settle();
  for (Inbox& inbox : inboxes_) {
    for (const ControlEvent* e = inbox.front(); e != nullptr; e = inbox.front()) {
      if (is_control(e->id)) begin_with(*e);
      inbox.pop();
    }
  }
  for (const LayerSetting& v : own.values.layers) {
    const std::size_t i = place(v.id);
    if (changes_[i].load(std::memory_order_relaxed) != own.changes[i]) continue;
    ControlEvent e;
    e.id = v.id;
    e.target = v.target;
    e.value.real = v.value;
    begin_with(e);
  }
  for (const ControlSpec& spec : kControlTable) {
    const std::size_t i = place(spec.id);
    std::uint64_t wanted = wanted_[i].load(std::memory_order_relaxed);
    const bool changed = changes_[i].load(std::memory_order_relaxed) != own.changes[i];
    if (!own.values[spec.id] || changed) continue;
    track_.patch().set(spec.id, *own.values[spec.id]);
    // Unless a source asks for another value at this moment, which will hold.
    wanted_[i].compare_exchange_strong(wanted, bits_of(spec.id, track_.patch()[spec.id]),
                                       std::memory_order_relaxed);
  }
  ControlEvent e;
  e.at = position_before;
  e.id = ControlId::program;
  e.value.whole = programs_++;
  e.source = Source::owner;
  write(e);
  begin_run();
}

void LiveControls::engine_changed(std::uint64_t position) {
  ControlEvent e;
  e.at = position;
  e.id = ControlId::engine;
  e.value.whole = engines_++;
  e.source = Source::engine;
  write(e);
}

void LiveControls::recording_began(std::uint64_t position) {
  ControlEvent e;
  e.at = position;
  e.id = ControlId::recording;
  write(e);
}

void LiveControls::brought_back(std::uint64_t position, std::uint64_t to, int why) {
  ControlEvent e;
  e.at = position;
  e.id = ControlId::brought_back;
  e.value = {static_cast<double>(why), to};
  e.source = Source::engine;
  write(e);
}

}  // namespace mambo
