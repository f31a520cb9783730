#include "app/live/live_moments.h"

#include <algorithm>

namespace mambo {
namespace {

constexpr std::size_t kPiece = 32;     // codes of a jump where the generator never sleeps
constexpr int kChunksPerPiece = 2;     // an eighth more work: half a second takes four
constexpr std::uint64_t kTell = 1024;  // samples between looks at what can be reached

}  // namespace

void LiveMoments::take(const ControlEvent& event) {
  // A morph under the hand: the last position counts.
  if (event.id == ControlId::morph && count_ > 0 && waiting(count_ - 1).id == ControlId::morph) {
    waiting(count_ - 1) = event;
    return;
  }
  if (count_ == kWaiting) {
    ++facts_.refused;
    return;
  }
  waiting(count_++) = event;
}

LiveMoments::Done LiveMoments::apply(Moments& m, const ControlEvent& e, std::uint64_t position) {
  const auto done = [](bool yes) { return yes ? Done::yes : Done::never; };
  const int slot = slot_of(e);
  switch (e.id) {
    case ControlId::store:
      if (slot < 0 || slot >= kSlots) return Done::never;
      return m.store(slot, position) ? Done::yes : Done::later;
    case ControlId::unstore:
      if (!m.can_unstore(slot)) return Done::never;
      return m.unstore(slot) ? Done::yes : Done::later;
    case ControlId::clear:
      if (!m.filled(slot)) return Done::never;
      return m.clear(slot) ? Done::yes : Done::later;
    case ControlId::recall:
      return m.fading() ? Done::later : done(m.recall(slot, position));
    case ControlId::morph:
      return m.fading() ? Done::later : done(m.morph(morph_of(e), position));
    case ControlId::jump:
      return done(m.begin_jump(sample_of(e), position));
    case ControlId::fork:
      if (slot != kNoSlot && !m.filled(slot)) return Done::never;
      return m.fork(slot) ? Done::yes : Done::later;
    case ControlId::keep: {
      const Kept k = kept_of(e);
      return m.fading() ? Done::later : done(m.keep(k.rng_seed, k.samples, k.at_end, position));
    }
    default:
      return Done::never;
  }
}

void LiveMoments::settle(Moments& moments, std::uint64_t position) {
  bool changed = false;
  land(moments, position);
  while (count_ > 0) {
    const ControlEvent e = waiting(0);
    const Done done = apply(moments, e, position);
    if (done == Done::later) break;
    first_ = (first_ + 1) % kWaiting;
    --count_;
    changed = true;
    if (done == Done::never) {
      ++facts_.refused;
    } else {
      controls_.log_moment(e, position);
      if (e.id == ControlId::fork) forks_.fetch_add(1, std::memory_order_release);
      if (e.id == ControlId::jump) chunks_ = 0;
      land(moments, position);  // a jump to where a state is kept
    }
  }
  if (changed || position >= published_ + kTell) publish(moments, position);
}

void LiveMoments::land(Moments& moments, std::uint64_t position) {
  if (!moments.absorbed() || !moments.land(position)) return;
  ControlEvent e;
  e.id = ControlId::land;
  controls_.log_moment(e, position);
  publish(moments, position);
}

std::uint64_t LiveMoments::next_boundary(const Moments& moments, std::uint64_t position) const {
  std::uint64_t next = moments.next_boundary(position);
  const bool store = count_ > 0 && waiting_[first_].id == ControlId::store;
  if (store) next = std::min(next, position + std::max<std::uint64_t>(1, moments.to_alignment()));
  return next;
}

bool LiveMoments::absorb(Moments& moments, std::size_t most) {
  if (!moments.jumping() || moments.absorbed()) return false;
  moments.absorb(most);
  chunks_ = 0;
  return true;
}

void LiveMoments::absorb_anyway(Moments& moments) {
  if (++chunks_ >= kChunksPerPiece) absorb(moments, kPiece);
}

void LiveMoments::begin_run(Moments& moments, std::uint64_t generation) {
  count_ = 0;
  moments.begin_run(0);
  facts_.generation = generation;
  for (int i = 0; i < kSlots; ++i) {
    if (moments.filled(i)) {
      controls_.log_moment(content_event(i, moments.number(i), Source::start), 0);
    }
  }
  publish(moments, 0);
}

void LiveMoments::begin_engine(const Moments& moments) {
  count_ = 0;
  publish(moments, published_);
}

void LiveMoments::came_in(const Moments& moments, int slot, std::uint64_t position) {
  controls_.log_moment(content_event(slot, moments.number(slot), Source::owner), position);
  publish(moments, position);
}

void LiveMoments::publish(const Moments& moments, std::uint64_t position) {
  for (int i = 0; i < kSlots; ++i) {
    MomentsNow::Slot& slot = facts_.slots[static_cast<std::size_t>(i)];
    if (slot.number == moments.number(i)) continue;
    slot.number = moments.number(i);
    slot.picture = moments.filled(i) ? moments.picture(i) : MomentPicture{};
  }
  facts_.can_return = moments.can_return();
  facts_.jumping = moments.jumping();
  facts_.reach = moments.reach(position);
  facts_.moves = moments.moves();
  published_ = position;
  now_.write(facts_);
}

}  // namespace mambo
