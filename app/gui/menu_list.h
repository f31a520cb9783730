// The list of a menu: type to filter, arrows and Enter choose, Escape closes.
#pragma once

#include <array>
#include <string>

#include "app/gui/context.h"
#include "app/gui/widgets.h"

namespace mambo::gui {

class MenuList {
 public:
  struct Row {
    std::string name, detail;  // left, right
    Icon icon = Icon::none;
    bool current = false;    // what is open now
    bool listen = false;     // it can be heard: a button at the right, or Key::preview
    bool listening = false;  // and is
    bool always = false;     // whatever is typed
    std::string tip;
  };
  enum class Chosen : std::uint8_t { no, open, listen };

  void clear();  // before it is opened, and for another page: nothing typed, nothing lit
  // Within a popup: the search field, then the rows, `width` wide and at most `height` high.
  void begin(Context& c, const char* hint, float width, float height);
  Chosen row(Context& c, const Row& row);
  void title(Context& c, const char* words);
  void end();

  std::string typed() const { return typed_.data(); }
  bool entered() const { return entered_; }  // Enter, and no row was lit
  int shown() const { return drawn_; }

 private:
  std::array<char, 1024> typed_{};
  std::string before_;  // what was typed in the last frame
  int lit_ = -1, drawn_ = 0, last_drawn_ = 0;
  float height_ = 0, top_ = 0;
  bool enter_ = false, preview_ = false, moved_ = false, entered_ = false;
};

}  // namespace mambo::gui
