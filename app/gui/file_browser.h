// A page of a menu that shows a folder: folders first, then what may be opened.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "app/gui/context.h"
#include "app/gui/file_facts.h"
#include "app/gui/menu_list.h"

namespace mambo::gui {

enum class Wants : int { model, clip };

class FileBrowser {
 public:
  void open(Wants what, const std::filesystem::path& start, FileFacts& facts);
  // Between the list's begin and end. What was chosen, or is to be heard, is in `path`.
  MenuList::Chosen rows(Context& c, MenuList& list, FileFacts& facts, std::filesystem::path& path);
  const std::filesystem::path& folder() const { return folder_; }

 private:
  struct Entry {
    std::string name;
    bool is_folder;
    bool is_model_folder;
  };
  void enter(const std::filesystem::path& folder, FileFacts& facts);

  Wants wants_ = Wants::clip;
  std::filesystem::path folder_;
  std::vector<Entry> entries_;
  std::string complaint_;
};

}  // namespace mambo::gui
