// The choice of model and clip: shipped ones, recent ones, any path; and a listen to the clip.
#pragma once

#include <filesystem>
#include <vector>

#include "app/gui/context.h"
#include "app/gui/file_browser.h"
#include "app/gui/file_facts.h"
#include "app/gui/menu_list.h"

namespace mambo::gui {

class FilesPanel {
 public:
  // Two fields side by side, each `width` wide, and the button that plays the clip. Returns the x
  // where they end.
  float draw(Context& c, ImVec2 at, float width);
  static float listen_width(const Context& c) { return c.u(34); }

 private:
  using Paths = std::vector<std::filesystem::path>;
  void field(Context& c, Wants what, const char* label, const char* shown, ImVec2 at, float width,
             const char* words);
  void list_files(Context& c, Wants what);
  void menu(Context& c, Wants what);
  void choices(Context& c, Wants what);
  void choice(Context& c, Wants what, const std::filesystem::path& path, bool shipped);
  void folder(Context& c, Wants what);
  void open_typed(Context& c, Wants what);
  void act(Context& c, Wants what, MenuList::Chosen chosen, const std::filesystem::path& path);
  void listen_button(Context& c, ImVec2 at);

  Paths shipped_;  // listed when a choice opens
  bool browsing_ = false, laboratory_ = false;
  MenuList list_;
  FileFacts facts_;
  FileBrowser browser_;
};

}  // namespace mambo::gui
