#include "app/control/track.h"

#include <algorithm>

namespace mambo {

bool ControlTrack::add(const ControlEvent& event) {
  if (events_.size() == events_.capacity()) {
    events_.erase(events_.begin(), events_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
    if (events_.size() == events_.capacity()) return false;
  }
  const auto later = [](const ControlEvent& a, const ControlEvent& b) { return a.at < b.at; };
  events_.insert(std::upper_bound(events_.begin() + static_cast<std::ptrdiff_t>(first_),
                                  events_.end(), event, later),
                 event);
  return true;
}

void ControlTrack::clear() {
  events_.clear();
  first_ = 0;
}

void ControlTrack::take_up(std::uint64_t position) {
  for (const ControlEvent* next = due(position); next != nullptr; next = due(position)) {
    ControlEvent event = *next;
    event.at = position;
    patch_.apply(event);
    pop();
  }
  patch_.advance(position);
}

std::uint64_t ControlTrack::next_boundary(std::uint64_t position) const {
  const std::uint64_t moves = patch_.next_change(position);
  if (first_ == events_.size()) return moves;
  return std::min(moves, std::max(events_[first_].at, position + 1));
}

}  // namespace mambo
