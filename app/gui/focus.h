// The keyboard's place among the window's controls: which one Enter acts on, and where Tab and the
// arrows go from there. Controls register themselves while they are drawn, every frame; a move goes
// among those of the frame before. GUI thread only; knows no window system and not Dear ImGui.
#pragma once

#include <vector>

namespace mambo::gui {

struct Rect {
  float left = 0, top = 0, right = 0, bottom = 0;
  float width() const { return right - left; }
  float height() const { return bottom - top; }
  float x() const { return (left + right) / 2; }
  float y() const { return (top + bottom) / 2; }
  bool overlaps(const Rect& o) const {
    return left < o.right && o.left < right && top < o.bottom && o.top < bottom;
  }
};

class Focus {
 public:
  using Id = unsigned;
  enum class Way : int { left, right, up, down };

  void begin_frame();
  // A control that is drawn here. True: it has the focus. steps: it takes left and right itself.
  bool item(Id id, const Rect& rect, bool steps = false);

  void next(int by);   // in the order of drawing, round and round; from nowhere to the first, last
  void move(Way way);  // to the nearest in this direction; stays where there is none
  void leave() { id_ = 0; }
  bool any() const { return id_ != 0; }
  bool is_at(Id id) const { return any() && id == id_; }
  // Whether the control in focus takes left and right as steps of its value.
  bool steps() const;
  bool just_came() const { return came_; }  // in this frame: it may have to scroll into view

  // What the keyboard asks of the control in focus, for one frame.
  void press() { pressed_ = true; }
  void step(int by) { step_ += by; }
  bool pressed(Id id) const { return pressed_ && id == id_; }
  int stepped(Id id) const { return id == id_ ? step_ : 0; }

 private:
  struct Item {
    Id id;
    Rect rect;
    bool steps;
  };
  const Item* here() const;
  void go(Id id);

  std::vector<Item> items_, before_;
  Id id_ = 0;
  bool came_ = false, coming_ = false;
  bool pressed_ = false;
  int step_ = 0;
};

// Where a note of this size stands beside `item` without covering it: left of it, right, below,
// above, the first that has room on the display with `gap` between them; never beyond its edges.
// Sideways first, because the controls stand in a column. below_first: they stand in a row.
Rect place_beside(const Rect& item, float width, float height, const Rect& display, float gap,
                  bool below_first);

}  // namespace mambo::gui
