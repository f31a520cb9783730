#include "app/control/patch.h"

#include <cmath>

#include "app/control/sampling_controls.h"

namespace mambo {

const char* source_name(Source source) {
  switch (source) {
    case Source::start:
      return "start";
    case Source::owner:
      return "owner";
    case Source::preset:
      return "preset";
    case Source::engine:
      return "engine";
  }
  return "owner";
}

Patch::Patch() {
  for (const ControlSpec& spec : kControlTable)
    values_[static_cast<std::size_t>(spec.id)] = spec.normal;
}

void Patch::set(ControlId id, const ControlValue& value) {
  const auto i = static_cast<std::size_t>(id);
  values_[i] = clamped(control_spec(id), value);
  if (ramps_[i].length != 0) --moving_;
  ramps_[i].length = 0;
}

void Patch::set(const SamplingParams& sampling) {
  for (const ControlId id : kSamplingControls) set(id, {sampling_value(sampling, id), 0});
}

void Patch::apply(const ControlEvent& event) {
  const auto i = static_cast<std::size_t>(event.id);
  if (i >= kControls) return;
  const ControlSpec& spec = control_spec(event.id);
  if (spec.kind == ControlKind::trigger) return;
  advance(event.at);
  const double from = values_[i].real;
  set(event.id, event.value);
  if (event.ramp == 0 || spec.scope == Scope::output || spec.scope == Scope::session ||
      !spec.ramps()) {
    return;
  }
  ramps_[i] = {from, values_[i].real, event.at, event.ramp};
  values_[i].real = from;
  ++moving_;
}

void Patch::advance(std::uint64_t position) {
  if (moving_ == 0) return;
  const std::uint64_t grid = position / kRampGrid * kRampGrid;
  for (std::size_t i = 0; i < kControls; ++i) {
    Ramp& ramp = ramps_[i];
    if (ramp.length == 0 || grid < ramp.start) continue;
    const std::uint64_t gone = grid - ramp.start;
    if (gone >= ramp.length) {
      values_[i].real = ramp.to;
      ramp.length = 0;
      --moving_;
      continue;
    }
    const double share = static_cast<double>(gone) / static_cast<double>(ramp.length);
    const double value = ramp.from + share * (ramp.to - ramp.from);
    const bool whole = kControlTable[i].kind == ControlKind::integer;
    values_[i].real = whole ? std::round(value) : value;
  }
}

std::uint64_t Patch::next_change(std::uint64_t position) const {
  return moving_ == 0 ? kNever : (position / kRampGrid + 1) * kRampGrid;
}

void Patch::settle() {
  for (std::size_t i = 0; i < kControls; ++i) {
    if (ramps_[i].length != 0) values_[i].real = ramps_[i].to;
    ramps_[i].length = 0;
  }
  moving_ = 0;
}

SamplingParams Patch::sampling() const {
  return sampling_of([this](ControlId id) { return (*this)[id].real; });
}

}  // namespace mambo
