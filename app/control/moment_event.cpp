#include "app/control/moment_event.h"

namespace mambo {
namespace {

constexpr std::uint64_t kNobody = 0xff;  // of a slot
constexpr std::uint32_t kAtEnd = 1U << 31U;

ControlEvent event(ControlId id, std::uint64_t whole, std::uint32_t more = 0) {
  ControlEvent e;
  e.id = id;
  e.value.whole = whole;
  e.ramp = more;
  return e;
}

}  // namespace

ControlEvent slot_event(ControlId id, int slot) {
  return event(id, slot < 0 ? kNobody : static_cast<std::uint64_t>(slot));
}

int slot_of(const ControlEvent& e) {
  if (e.id == ControlId::slot) return static_cast<int>(e.ramp);
  return e.value.whole == kNobody ? kNoSlot : static_cast<int>(e.value.whole);
}

// Four weights of 16 bits; four slots of 4 bits below the tiers.
ControlEvent morph_event(const Morph& morph) {
  std::uint64_t weights = 0;
  std::uint32_t slots = 0;
  for (std::size_t i = 0; i < Morph::kMost; ++i) {
    weights |= static_cast<std::uint64_t>(morph.weights[i]) << (16 * i);
    slots |= (static_cast<std::uint32_t>(morph.slots[i]) & 0xfU) << (4 * i);
  }
  return event(ControlId::morph, weights, slots | morph.tiers << 16U);
}

Morph morph_of(const ControlEvent& e) {
  Morph m;
  for (std::size_t i = 0; i < Morph::kMost; ++i) {
    m.weights[i] = static_cast<std::uint32_t>(e.value.whole >> (16 * i) & 0xffffU);
    const std::uint32_t slot = e.ramp >> (4 * i) & 0xfU;
    m.slots[i] = slot == 0xfU ? kNoSlot : static_cast<int>(slot);
  }
  m.tiers = e.ramp >> 16U;
  return m;
}

ControlEvent jump_event(std::uint64_t sample) { return event(ControlId::jump, sample); }

ControlEvent keep_event(const Kept& kept) {
  return event(ControlId::keep, kept.rng_seed, kept.samples | (kept.at_end ? kAtEnd : 0));
}

Kept kept_of(const ControlEvent& e) {
  return {e.value.whole, e.ramp & ~kAtEnd, (e.ramp & kAtEnd) != 0};
}

ControlEvent content_event(int slot, std::uint64_t number, Source source) {
  ControlEvent e = event(ControlId::slot, number, static_cast<std::uint32_t>(slot));
  e.source = source;
  return e;
}

}  // namespace mambo
