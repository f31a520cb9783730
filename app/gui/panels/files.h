// The choice of model and clip: shipped ones, recent ones, any path.
#pragma once

#include <array>
#include <filesystem>
#include <vector>

#include "app/gui/context.h"
#include "app/gui/file_browser.h"

namespace mambo::gui {

class FilesPanel {
 public:
  // Two fields side by side, each `width` wide, from the cursor on.
  void draw(Context& c, ImVec2 at, float width);

 private:
  using Paths = std::vector<std::filesystem::path>;
  void field(Context& c, FileBrowser::Wants what, const char* label, const char* shown, ImVec2 at,
             float width, const char* words);
  void choices(Context& c, FileBrowser::Wants what);
  void path_field(Context& c, FileBrowser::Wants what);
  void open(Context& c, FileBrowser::Wants what, const std::filesystem::path& path) const;

  Paths shipped_;  // listed when a choice opens
  std::array<char, 1024> typed_{};
  FileBrowser browser_;
};

}  // namespace mambo::gui
