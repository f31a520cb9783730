#pragma once

#include <cstdint>

#include "app/gui/context.h"

namespace mambo::gui {

// One line: the current activity (with a bar and Cancel while it takes time), or the last message;
// errors stay until the next message.
class StatusLine {
 public:
  void draw(Context& c, ImVec2 min, ImVec2 max);

 private:
  void follow_session(Context& c);

  std::uint64_t seen_ = 0;  // the session's last message
  bool superseded_ = false;
  double own_since_ = 0;
};

}  // namespace mambo::gui
