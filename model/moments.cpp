// Past 400 lines: one class, whose slots, moves, past and fork share states and the fade.
#include "model/moments.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <utility>

namespace mambo {
namespace {

constexpr std::uint64_t kOpen = std::numeric_limits<std::uint64_t>::max();
constexpr std::size_t kFadePiece = 256;  // codes of what fades out, at a time

std::uint64_t samples(double seconds, int rate) {
  return std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::lround(seconds * rate)));
}

std::size_t states_kept(const StateLayout& layout, bool keeps_past) {
  if (!keeps_past) return 0;
  const std::size_t each = std::max<std::size_t>(1, layout.size * sizeof(float));
  return std::clamp<std::size_t>(Moments::kPastBytes / each, 2, Moments::kKept);
}

// Allocates nothing: both are of one network, and their means are there or not.
void follow(Selectivity& copy, const Selectivity& of) {
  if (copy.version() != of.version()) copy = of;
}

// How the floats of a state are mixed: `to` holds those of `from`, which counts `weight` of it.
void add(std::span<float> to, std::span<const float> from, float weight, bool first) {
  for (std::size_t i = 0; i < to.size(); ++i) {
    to[i] = first ? weight * from[i] : to[i] + weight * from[i];
  }
}

}  // namespace

// What two threads want to reach, one of them without ever waiting.
class Moments::Hold {
 public:
  explicit Hold(std::atomic<bool>& held)
      : held_(held.exchange(true, std::memory_order_acquire) ? nullptr : &held) {}
  ~Hold() {
    if (held_ != nullptr) held_->store(false, std::memory_order_release);
  }
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;
  explicit operator bool() const { return held_ != nullptr; }

 private:
  std::atomic<bool>* held_;
};

Moments::Moments(Voice& voice, const NetworkView& net, const Options& options)
    : voice_(voice),
      engine_(voice.engine()),
      stride_(common_stride(net)),
      options_(options),
      grid_(samples(kGrid, options.sample_rate)),
      mixed_(engine_.layout().size),
      before_(voice.snapshot()),
      spare_(voice.snapshot()),
      leaving_(engine_),
      fade_(static_cast<std::size_t>(samples(kFade, options.sample_rate))),
      leaving_codes_(kFadePiece),
      aside_(engine_),
      jump_codes_(static_cast<std::size_t>(grid_)),
      fork_(voice.snapshot()),
      end_(voice.snapshot()),
      fork_selectivity_(voice.selectivity()) {
  leaving_.selectivity() = voice.selectivity();  // with its means: later copies allocate nothing
  aside_.selectivity() = voice.selectivity();
  for (Slot& slot : slots_) {
    slot.now.at = voice.snapshot();
    slot.previous.at = voice.snapshot();
    slot.host.resize(engine_.layout().size);
  }
  for (std::size_t i = 0; i < fade_.size(); ++i) {
    const double phase = (static_cast<double>(i) + 0.5) / static_cast<double>(fade_.size());
    fade_[i] = static_cast<float>(0.5 - 0.5 * std::cos(std::numbers::pi * phase));
  }
  fade_at_ = fade_.size();
  past_.resize(states_kept(engine_.layout(), options.keeps_past));
  for (Kept& k : past_) k.at = voice.snapshot();
  // A second for pictures, and what lies between the states that are kept.
  codes_.resize(std::max<std::size_t>(past_.size() + 2, 4) * static_cast<std::size_t>(grid_));
  begin_run(0);
}

void Moments::begin_run(std::uint64_t position) {
  fade_at_ = fade_.size();
  jumping_ = false;
  forked_ = false;
  has_end_ = false;
  has_before_ = false;
  for (Slot& slot : slots_) slot.previous.filled = false;
  moved_ = position;
  past_first_ = past_count_ = 0;
  codes_from_ = position;
  keep_past(position, position % grid_ == 0);
}

void Moments::take_over(Moments& from) {
  next_number_ = from.next_number_;
  for (int i = 0; i < kSlots; ++i) {
    Slot& to = slot_(i);
    Slot& old = from.slot_(i);
    const auto carry = [&](Content& a, Content& b) {
      if (&engine_ == &from.engine_) {
        std::swap(a, b);
      } else if (b.filled) {
        b.at.read(from.engine_, mixed_);
        a.at.write(engine_, mixed_, b.at.position());
        a.at.set_rng(b.at.rng_seed(), b.at.drawn());
        a.filled = true;
        a.picture = b.picture;
        a.number = b.number;
      }
    };
    carry(to.now, old.now);
    carry(to.previous, old.previous);
    to.host_number = 0;
    numbers_[static_cast<std::size_t>(i)] = to.now.filled ? to.now.number : 0;
  }
}

void Moments::take_over(const std::array<std::shared_ptr<const Moment>, kSlots>& kept) {
  for (int i = 0; i < kSlots; ++i) {
    const auto& moment = kept[static_cast<std::size_t>(i)];
    if (moment) put(i, *moment);
  }
}

// ---- Slots ----

std::uint64_t Moments::to_alignment() const {
  return (stride_ - voice_.position() % stride_) % stride_;
}

bool Moments::filled(int slot) const { return is_slot(slot) && slot_(slot).now.filled; }

void Moments::came_in(int slot) {
  Content& now = slot_(slot).now;
  now.number = now.filled ? next_number_++ : now.number;
  numbers_[static_cast<std::size_t>(slot)].store(now.filled ? now.number : 0,
                                                 std::memory_order_release);
}

bool Moments::store(int slot, std::uint64_t position) {
  if (!is_slot(slot) || !aligned()) return false;
  const Hold hold(held_[static_cast<std::size_t>(slot)]);
  if (!hold) return false;
  Slot& s = slot_(slot);
  std::swap(s.now, s.previous);
  voice_.save_into(s.now.at);
  s.now.filled = true;
  s.now.picture = picture_at(position);
  came_in(slot);
  return true;
}

bool Moments::can_unstore(int slot) const {
  return is_slot(slot) && (slot_(slot).previous.filled || slot_(slot).now.filled);
}

bool Moments::unstore(int slot) {
  if (!can_unstore(slot)) return false;
  const Hold hold(held_[static_cast<std::size_t>(slot)]);
  if (!hold) return false;
  Content& now = slot_(slot).now;
  std::swap(now, slot_(slot).previous);
  numbers_[static_cast<std::size_t>(slot)].store(now.filled ? now.number : 0,
                                                 std::memory_order_release);
  return true;
}

bool Moments::clear(int slot) {
  if (!filled(slot)) return false;
  const Hold hold(held_[static_cast<std::size_t>(slot)]);
  if (!hold) return false;
  std::swap(slot_(slot).now, slot_(slot).previous);
  slot_(slot).now.filled = false;
  came_in(slot);
  return true;
}

bool Moments::put(int slot, const Moment& moment) {
  if (!is_slot(slot)) return false;
  const Hold hold(held_[static_cast<std::size_t>(slot)]);
  if (!hold) return false;
  Slot& s = slot_(slot);
  std::swap(s.now, s.previous);
  s.now.at.write(engine_, moment.state, moment.position);
  s.now.at.set_rng(moment.rng_seed, moment.drawn);
  s.now.filled = true;
  s.now.picture = moment.picture;
  came_in(slot);
  return true;
}

std::optional<Moment> Moments::read(int slot, std::uint64_t number) {
  if (!is_slot(slot) || number == 0) return std::nullopt;
  Moment m;
  m.state.resize(engine_.layout().size);
  const Hold hold(held_[static_cast<std::size_t>(slot)]);
  if (!hold) return std::nullopt;
  const Content& now = slot_(slot).now;
  if (!now.filled || now.number != number) return std::nullopt;
  now.at.read(engine_, m.state);
  m.position = now.at.position();
  m.rng_seed = now.at.rng_seed();
  m.drawn = now.at.drawn();
  m.picture = now.picture;
  return m;
}

// ---- Moves ----

void Moments::leave(std::uint64_t position) {
  engine_.copy(voice_.state(), leaving_.state());
  leaving_.set_rng(voice_.rng_seed(), voice_.drawn());
  // Of moves in quick succession (a morph under the hand) the first.
  if (!has_before_ || position - moved_ >= static_cast<std::uint64_t>(options_.sample_rate)) {
    voice_.save_into(before_);
    has_before_ = true;
  }
}

void Moments::arrive(std::uint64_t position) {
  moved_ = position;
  ++moves_;
  fade_at_ = 0;
  keep_past(position, false);
}

bool Moments::recall(int slot, std::uint64_t position) {
  if (fading() || (slot == kBefore ? !has_before_ : !filled(slot))) return false;
  if (slot == kBefore) {
    voice_.save_into(spare_);
    leave(moved_);
    voice_.restore(before_);
    std::swap(before_, spare_);
  } else {
    leave(position);
    voice_.restore(slot_(slot).now.at);
  }
  arrive(position);
  return true;
}

std::span<const float> Moments::host(Slot& slot) {
  if (slot.host_number != slot.now.number) {
    slot.now.at.read(engine_, slot.host);
    slot.host_number = slot.now.number;
  }
  return slot.host;
}

bool Moments::morph(const Morph& morph, std::uint64_t position) {
  if (fading()) return false;
  std::uint64_t sum = 0;
  int count = 0;
  int base = kNoSlot;
  for (std::size_t i = 0; i < Morph::kMost; ++i) {
    if (morph.weights[i] == 0) continue;
    if (!filled(morph.slots[i])) return false;
    if (base == kNoSlot) base = morph.slots[i];
    sum += morph.weights[i];
    ++count;
  }
  if (count == 0) return false;
  const StateLayout& layout = engine_.layout();
  int tiers = 0;
  for (const StateLayout::Layer& l : layout.layers) tiers = std::max(tiers, l.tier + 1);
  const std::uint32_t all =
      tiers >= 16 ? Morph::kAllTiers : (1U << static_cast<unsigned>(tiers)) - 1U;
  const bool every_tier = (morph.tiers & all) == all;
  if (count == 1 && every_tier) return recall(base, position);
  if (!every_tier) base = morph.slots[0];  // what is not mixed is all of it
  if (!filled(base)) return false;
  leave(position);
  const std::span<float> mixed(mixed_);
  const std::span<const float> whole = host(slot_(base));
  std::copy(whole.begin(), whole.end(), mixed.begin());
  bool first = true;
  for (std::size_t i = 0; i < Morph::kMost; ++i) {
    if (morph.weights[i] == 0) continue;
    const std::span<const float> from = host(slot_(morph.slots[i]));
    const float w =
        static_cast<float>(static_cast<double>(morph.weights[i]) / static_cast<double>(sum));
    const auto part = [&](std::size_t begin, std::size_t end) {
      add(mixed.subspan(begin, end - begin), from.subspan(begin, end - begin), w, first);
    };
    const auto wanted = [&](int tier) {
      return ((morph.tiers >> static_cast<unsigned>(tier)) & 1U) != 0;
    };
    for (const StateLayout::Layer& l : layout.layers) {
      if (wanted(l.tier)) part(l.conv, l.h + l.h_size());
    }
    for (std::size_t tier = 0; tier < layout.pools.size(); ++tier) {
      const StateLayout::Pool& p = layout.pools[tier];
      const std::size_t rows = static_cast<std::size_t>(p.pool) * static_cast<std::size_t>(p.width);
      if (wanted(static_cast<int>(tier))) part(p.group, p.up + rows);
    }
    if (wanted(0)) part(layout.logits, layout.size);
    first = false;
  }
  const Snapshot& at = slot_(base).now.at;
  voice_.restore(mixed, at.position());
  voice_.set_rng(at.rng_seed(), at.drawn());
  arrive(position);
  return true;
}

// ---- The last minute ----

const Moments::Kept& Moments::kept(std::size_t i) const {
  return past_[(past_first_ + i) % past_.size()];
}
Moments::Kept& Moments::kept(std::size_t i) { return past_[(past_first_ + i) % past_.size()]; }

// Of moves within one cell of the grid the last one is kept, so that a morph under the hand does
// not push the minute out.
void Moments::keep_past(std::uint64_t position, bool on_grid) {
  if (past_.empty()) return;
  const bool again = !on_grid && past_count_ > 0 && !kept(past_count_ - 1).on_grid &&
                     kept(past_count_ - 1).position / grid_ == position / grid_;
  if (!on_grid && past_count_ > 0 && kept(past_count_ - 1).until == kOpen) {
    kept(past_count_ - 1).until = position;
  }
  if (!again) {
    if (past_count_ == past_.size()) {
      past_first_ = (past_first_ + 1) % past_.size();
    } else {
      ++past_count_;
    }
  }
  Kept& k = kept(past_count_ - 1);
  voice_.save_into(k.at);
  k.position = position;
  k.until = kOpen;
  k.on_grid = on_grid;
}

std::uint64_t Moments::reach(std::uint64_t position) const {
  return past_count_ == 0 ? position : kept(0).position;
}

bool Moments::begin_jump(std::uint64_t to, std::uint64_t position) {
  if (past_count_ == 0) return false;
  to = std::min(to, position);
  std::size_t i = 0;  // the last one that is not behind it
  while (i + 1 < past_count_ && kept(i + 1).position <= to) ++i;
  if (to > kept(i).until) ++i;  // a stretch between two moves, of which nothing is kept
  const Kept& from = kept(i);
  to = std::max(to, from.position);
  const std::uint64_t n = std::min<std::uint64_t>(to - from.position, jump_codes_.size());
  for (std::size_t k = 0; k < n; ++k) {
    jump_codes_[k] = codes_[static_cast<std::size_t>((from.position + k) % codes_.size())];
  }
  aside_.restore(from.at);
  follow(aside_.selectivity(), voice_.selectivity());
  jump_at_ = 0;
  jump_end_ = static_cast<std::size_t>(n);
  jumping_ = true;
  return true;
}

void Moments::absorb(std::size_t most) {
  const std::size_t n = std::min(most, jump_end_ - jump_at_);
  if (n > 0) aside_.step(std::span<const std::uint8_t>(jump_codes_).subspan(jump_at_, n));
  jump_at_ += n;
}

bool Moments::land(std::uint64_t position) {
  if (fading() || !absorbed()) return false;
  leave(position);
  engine_.copy(aside_.state(), voice_.state());
  voice_.set_rng(aside_.rng_seed(), aside_.drawn());
  jumping_ = false;
  arrive(position);
  return true;
}

// ---- Aside ----

bool Moments::fork(int slot) {
  if (slot != kNoSlot && !filled(slot)) return false;
  const Hold hold(held_.back());
  if (!hold) return false;
  if (slot == kNoSlot) {
    voice_.save_into(fork_);
  } else {
    fork_.copy_from(engine_, slot_(slot).now.at);
  }
  fork_sampling_ = voice_.sampling();
  follow(fork_selectivity_, voice_.selectivity());
  forked_ = true;
  has_end_ = false;
  return true;
}

std::optional<Moments::Fork> Moments::read_fork() {
  // The voice is another thread's, and so is the mark until it is held.
  Fork f{Snapshot(engine_), {}, Selectivity(engine_.layout())};
  const Hold hold(held_.back());
  if (!hold || !forked_) return std::nullopt;
  f.begin.copy_from(engine_, fork_);
  f.sampling = fork_sampling_;
  f.selectivity = fork_selectivity_;
  return f;
}

bool Moments::keep(std::uint64_t rng_seed, std::uint32_t samples, bool at_end,
                   std::uint64_t position) {
  if (fading() || !forked_) return false;
  if (at_end && !(has_end_ && end_seed_ == rng_seed && end_samples_ == samples)) return false;
  leave(position);
  voice_.restore(at_end ? end_ : fork_);
  voice_.set_rng(rng_seed, at_end ? samples : 0);
  arrive(position);
  return true;
}

void Moments::put_end(const State& state, std::uint64_t rng_seed, std::uint32_t samples) {
  end_.copy_from(engine_, state);
  end_seed_ = rng_seed;
  end_samples_ = samples;
  has_end_ = true;
}

void Moments::draw_end(std::uint64_t rng_seed, std::uint32_t samples) {
  Voice voice(engine_);
  voice.restore(fork_);
  voice.set_rng(rng_seed);
  voice.set_sampling(fork_sampling_);
  voice.selectivity() = fork_selectivity_;
  std::vector<std::uint8_t> codes(samples);
  voice.generate(codes);
  put_end(voice.state(), rng_seed, samples);
}

// ---- Drawing ----

std::uint64_t Moments::next_boundary(std::uint64_t position) const {
  std::uint64_t next = (position / grid_ + 1) * grid_;
  if (fading()) next = std::min<std::uint64_t>(next, position + fade_.size() - fade_at_);
  return next;
}

void Moments::fade_out(std::span<float> samples) {
  const std::size_t n = std::min(samples.size(), fade_.size() - fade_at_);
  leaving_.set_sampling(voice_.sampling());
  follow(leaving_.selectivity(), voice_.selectivity());
  for (std::size_t at = 0; at < n;) {
    const std::size_t piece = std::min(n - at, leaving_codes_.size());
    leaving_.generate(std::span(leaving_codes_).first(piece));
    for (std::size_t i = 0; i < piece; ++i) {
      const float w = fade_[fade_at_ + at + i];
      float& x = samples[at + i];
      x = w * x + (1.0F - w) * options_.table[leaving_codes_[i]];
    }
    at += piece;
  }
  fade_at_ += n;
}

void Moments::drew(std::span<const std::uint8_t> codes, std::span<float> samples,
                   std::uint64_t position) {
  for (std::size_t i = 0; i < codes.size(); ++i) {
    codes_[static_cast<std::size_t>((position + i) % codes_.size())] = codes[i];
  }
  if (fading()) fade_out(samples);
  const std::uint64_t end = position + codes.size();
  if (end % grid_ == 0) keep_past(end, true);
}

MomentPicture Moments::picture_at(std::uint64_t position) const {
  constexpr std::size_t columns = MomentPicture::kColumns;
  MomentPicture p;
  const auto all = static_cast<std::uint64_t>(options_.sample_rate);
  const std::uint64_t from = position - std::min(position - codes_from_, all);
  for (std::uint64_t i = from; i < position; ++i) {
    const auto column = static_cast<std::size_t>((all - (position - i)) * columns / all);
    const float x = options_.table[codes_[static_cast<std::size_t>(i % codes_.size())]];
    p.low[column] = std::min(p.low[column], x);
    p.high[column] = std::max(p.high[column], x);
  }
  return p;
}

}  // namespace mambo
