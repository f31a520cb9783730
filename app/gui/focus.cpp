#include "app/gui/focus.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace mambo::gui {

void Focus::begin_frame() {
  before_.swap(items_);
  items_.clear();
  if (here() == nullptr) id_ = 0;  // it is not drawn any more
  came_ = coming_;
  coming_ = false;
  pressed_ = false;
  step_ = 0;
}

bool Focus::item(Id id, const Rect& rect, bool steps) {
  items_.push_back({id, rect, steps});
  return id == id_;
}

const Focus::Item* Focus::here() const {
  const auto found =
      std::find_if(before_.begin(), before_.end(), [this](const Item& i) { return i.id == id_; });
  return found == before_.end() ? nullptr : &*found;
}

bool Focus::steps() const {
  const Item* item = here();
  return item != nullptr && item->steps;
}

void Focus::go(Id id) {
  came_ = coming_ = coming_ || id != id_;
  id_ = id;
}

void Focus::next(int by) {
  if (before_.empty() || by == 0) return;
  const auto n = static_cast<int>(before_.size());
  const Item* from = here();
  int at = by > 0 ? -1 : n;
  if (from != nullptr) at = static_cast<int>(from - before_.data());
  at = (at + by) % n;
  go(before_[static_cast<std::size_t>(at < 0 ? at + n : at)].id);
}

void Focus::move(Way way) {
  const Item* from = here();
  if (from == nullptr) return;
  const bool sideways = way == Way::left || way == Way::right;
  const float sign = way == Way::right || way == Way::down ? 1.0F : -1.0F;
  const Item* best = nullptr;
  float least = 0;
  for (const Item& i : before_) {
    const float dx = i.rect.x() - from->rect.x();
    const float dy = i.rect.y() - from->rect.y();
    const float along = sign * (sideways ? dx : dy);
    if (along < 1) continue;
    // Beside the direction counts more: a row is left for another only where it ends.
    const float aside = std::fabs(sideways ? dy : dx);
    const float distance = along + 4 * aside;
    if (best == nullptr || distance < least) {
      best = &i;
      least = distance;
    }
  }
  if (best != nullptr) go(best->id);
}

Rect place_beside(const Rect& item, float width, float height, const Rect& display, float gap,
                  bool below_first) {
  const auto at = [&](float x, float y) {
    x = std::max(display.left, std::min(x, display.right - width));
    y = std::max(display.top, std::min(y, display.bottom - height));
    return Rect{x, y, x + width, y + height};
  };
  const std::array<Rect, 2> sides = {at(item.left - gap - width, item.top),
                                     at(item.right + gap, item.top)};
  const std::array<Rect, 2> stack = {at(item.left, item.bottom + gap),
                                     at(item.left, item.top - gap - height)};
  for (const auto& places : {below_first ? stack : sides, below_first ? sides : stack}) {
    for (const Rect& place : places) {
      if (!place.overlaps(item)) return place;
    }
  }
  return stack[0];  // a display smaller than the two
}

}  // namespace mambo::gui
