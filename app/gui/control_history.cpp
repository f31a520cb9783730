#include "app/gui/control_history.h"

#include <algorithm>

namespace mambo::gui {

namespace {
constexpr double one_gesture_s = 0.7;
}

void ControlHistory::changed(ControlId id, const ControlValue& before, const ControlValue& after,
                             double now) {
  last_ = now;
  if (open_ && done_ > 0 && changes_[done_ - 1].id == id) {
    changes_[done_ - 1].after = after;
    return;
  }
  if (before == after) return;
  changes_.resize(done_);  // what was undone is out of the world
  changes_.push_back({id, before, after});
  if (changes_.size() > most) changes_.erase(changes_.begin());
  done_ = changes_.size();
  open_ = true;
}

void ControlHistory::rest(double now) {
  if (now - last_ > one_gesture_s) settle();
}

std::optional<ControlHistory::Set> ControlHistory::undo() {
  settle();
  while (done_ > 0) {
    const Change& c = changes_[--done_];
    if (c.before == c.after) continue;  // a drag there and back
    return Set{c.id, c.before};
  }
  return std::nullopt;
}

std::optional<ControlHistory::Set> ControlHistory::redo() {
  settle();
  while (done_ < changes_.size()) {
    const Change& c = changes_[done_++];
    if (c.before == c.after) continue;
    return Set{c.id, c.after};
  }
  return std::nullopt;
}

void ControlHistory::forget(ControlId id) {
  const auto is_of = [id](const Change& c) { return c.id == id; };
  const auto end_of_done = changes_.begin() + static_cast<std::ptrdiff_t>(done_);
  done_ -= static_cast<std::size_t>(std::count_if(changes_.begin(), end_of_done, is_of));
  changes_.erase(std::remove_if(changes_.begin(), changes_.end(), is_of), changes_.end());
  settle();
}

}  // namespace mambo::gui
