// Events of an input that is listened to: between them the model absorbs what comes in, sample by
// sample, where it would draw. They stand beside the changes of controls in a performance, and the
// samples in a file of their own, which `listen` names.
#pragma once

#include <cstdint>

#include "app/control/event.h"

namespace mambo {

constexpr bool is_listening(ControlId id) {
  return id == ControlId::listen || id == ControlId::answer;
}

inline ControlEvent listening_event(ControlId id, Source source = Source::owner) {
  ControlEvent e;
  e.id = id;
  e.source = source;
  return e;
}

// Of `listen`. In the log: how many codes the session had heard before, from the first on; in a
// performance: its place in Performance::heard.
inline ControlEvent& set_heard(ControlEvent& e, std::uint64_t number) {
  e.value.whole = number;
  return e;
}
inline std::uint64_t heard_of(const ControlEvent& e) { return e.value.whole; }

}  // namespace mambo
