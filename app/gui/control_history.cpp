#include "app/gui/control_history.h"

#include <algorithm>
#include <utility>

namespace mambo::gui {

namespace {
constexpr double one_gesture_s = 0.7;
}

LayerSnapshot snapshot_of(const LayerValues& values) {
  LayerSnapshot all(static_cast<std::size_t>(values.layers().size()));
  for (std::size_t l = 0; l < all.size(); ++l) {
    for (std::size_t v = 0; v < kLayerValues; ++v)
      all[l][v] = values.goal(layer_value_id(v), static_cast<int>(l));
  }
  return all;
}

void ControlHistory::changed(ControlId id, const ControlValue& before, const ControlValue& after,
                             double now) {
  last_ = now;
  if (open_ && done_ > 0 && changes_[done_ - 1].id == id && layers_under_way() == nullptr) {
    changes_[done_ - 1].after = after;
    return;
  }
  if (before == after) return;
  begin({id, before, after, {}, {}});
}

void ControlHistory::changed_layers(LayerSnapshot before, LayerSnapshot after, double now) {
  last_ = now;
  if (layers_under_way() != nullptr) {
    changes_[done_ - 1].layers_after = std::move(after);
    return;
  }
  if (before == after) return;
  begin({{}, {}, {}, std::move(before), std::move(after)});
}

void ControlHistory::begin(Change change) {
  changes_.resize(done_);  // what was undone is out of the world
  changes_.push_back(std::move(change));
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
    if (c.nothing()) continue;  // a drag there and back
    return Set{c.id, c.before, c.layers_before};
  }
  return std::nullopt;
}

std::optional<ControlHistory::Set> ControlHistory::redo() {
  settle();
  while (done_ < changes_.size()) {
    const Change& c = changes_[done_++];
    if (c.nothing()) continue;
    return Set{c.id, c.after, c.layers_after};
  }
  return std::nullopt;
}

void ControlHistory::forget(ControlId id) {
  forget_those([id](const Change& c) { return c.layers_after.empty() && c.id == id; });
}

void ControlHistory::forget_layers() {
  forget_those([](const Change& c) { return !c.layers_after.empty(); });
}

template <class F>
void ControlHistory::forget_those(F is_of) {
  const auto end_of_done = changes_.begin() + static_cast<std::ptrdiff_t>(done_);
  done_ -= static_cast<std::size_t>(std::count_if(changes_.begin(), end_of_done, is_of));
  changes_.erase(std::remove_if(changes_.begin(), changes_.end(), is_of), changes_.end());
  settle();
}

}  // namespace mambo::gui
