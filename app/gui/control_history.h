// What was done to the controls, to be undone and done again. A gesture (a drag, a run of key
// presses) is one change. Undoing sends the old value the way that any change goes, so that a
// performance holds it as it holds every other. GUI thread only.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "app/control/control.h"

namespace mambo::gui {

class ControlHistory {
 public:
  static constexpr std::size_t most = 1000;  // changes kept

  // A control got another value by hand at this time (seconds, of any clock).
  void changed(ControlId id, const ControlValue& before, const ControlValue& after, double now);
  void settle() { open_ = false; }  // the next change is another gesture
  // Ends a gesture that no hand holds and that is `now` some time ago.
  void rest(double now);

  struct Set {
    ControlId id;
    ControlValue value;
  };
  std::optional<Set> undo();  // what to set; nothing: there is nothing to undo
  std::optional<Set> redo();
  // The changes of this control are none of this model's: they can no longer be undone.
  void forget(ControlId id);

 private:
  struct Change {
    ControlId id;
    ControlValue before, after;
  };
  std::vector<Change> changes_;
  std::size_t done_ = 0;  // of changes_; the rest was undone
  bool open_ = false;     // the last one may still grow
  double last_ = 0;
};

}  // namespace mambo::gui
