// A small chooser of files inside the window: folders first, then what may be opened.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "app/gui/context.h"

namespace mambo::gui {

class FileBrowser {
 public:
  enum class Wants : int { model, clip };

  void open(Wants what, const std::filesystem::path& start);
  // Draws the popup while it is open. True when a file (or a model's folder) was chosen.
  bool draw(const Context& c, std::filesystem::path& chosen);
  Wants wants() const { return wants_; }

 private:
  struct Entry {
    std::string name;
    bool is_folder;
    bool is_model_folder;
  };
  void enter(const std::filesystem::path& folder);

  Wants wants_ = Wants::clip;
  bool asked_ = false;
  std::filesystem::path folder_;
  std::vector<Entry> entries_;
  std::string complaint_;
};

}  // namespace mambo::gui
