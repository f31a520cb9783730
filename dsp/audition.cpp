#include "dsp/audition.h"

#include <algorithm>
#include <utility>

namespace mambo {

void Audition::play(std::vector<float> samples) {
  const std::uint64_t reached = reached_.load(std::memory_order_acquire);
  std::erase_if(kept_, [reached](const auto& s) { return s->number < reached; });
  kept_.push_back(std::make_unique<const Sound>(Sound{std::move(samples), next_++}));
  wanted_.store(kept_.back().get(), std::memory_order_release);
}

bool Audition::active() const {
  return !kept_.empty() && !kept_.back()->samples.empty() &&
         ended_.load(std::memory_order_relaxed) != kept_.back()->number;
}

bool Audition::busy() const noexcept {
  if (!fader_.is_closed()) return true;
  const Sound* wanted = wanted_.load(std::memory_order_acquire);
  if (wanted == nullptr) return false;
  return !wanted->samples.empty() && (wanted != now_ || at_ < now_->samples.size());
}

void Audition::read(std::span<float> to) noexcept {
  const Sound* wanted = wanted_.load(std::memory_order_acquire);
  if (!busy()) {
    std::fill(to.begin(), to.end(), 0.0F);
    return;
  }
  for (float& x : to) {
    if (wanted != now_ && fader_.is_closed()) {
      now_ = wanted;
      at_ = 0;
      reached_.store(now_->number, std::memory_order_release);
    }
    const std::size_t left = now_->samples.size() - at_;
    const bool closes = wanted != now_ || fader_.to_close() >= left;
    if (left == 0 || (closes && fader_.is_closed())) {
      x = 0;
      at_ = now_->samples.size();
      fader_.shut();
      if (wanted == now_) ended_.store(now_->number, std::memory_order_relaxed);
      continue;
    }
    x = now_->samples[at_++] * (closes ? fader_.close() : fader_.open());
  }
}

}  // namespace mambo
