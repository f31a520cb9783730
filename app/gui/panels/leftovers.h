#pragma once

#include <filesystem>
#include <vector>

#include "app/files/leftover.h"
#include "app/gui/context.h"

namespace mambo::gui {

// Offers recordings that a killed program left unfinished, one after the other, above the status
// line: to keep, to delete, or to be asked again the next time.
class LeftoversPanel {
 public:
  // Reads the folder.
  explicit LeftoversPanel(const std::filesystem::path& folder) : left_(find_leftovers(folder)) {}
  // `bottom`: of the offer, in the middle of the display. Nothing is drawn when nothing is left.
  void draw(Context& c, float bottom);
  bool any() const { return !left_.empty(); }

 private:
  void next();

  std::vector<Leftover> left_;
  bool sure_ = false;  // Delete was pressed once
};

}  // namespace mambo::gui
