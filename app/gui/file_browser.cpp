#include "app/gui/file_browser.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <system_error>

#include "app/gui/widgets.h"

namespace mambo::gui {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t most_entries = 5000;  // a folder with more is cut

bool is_sound(const fs::path& p) {
  static constexpr std::array<const char*, 13> kinds = {".wav", ".flac", ".ogg", ".oga", ".opus",
                                                        ".mp3", ".aiff", ".aif", ".au",  ".caf",
                                                        ".w64", ".rf64", ".snd"};
  std::string extension = p.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char ch) { return static_cast<char>(std::tolower(ch)); });
  return std::any_of(kinds.begin(), kinds.end(), [&](const char* k) { return extension == k; });
}

}  // namespace

void FileBrowser::open(Wants what, const fs::path& start, FileFacts& facts) {
  wants_ = what;
  std::error_code error;
  fs::path folder = fs::is_directory(start, error) ? start : start.parent_path();
  if (folder.empty() || !fs::is_directory(folder, error)) folder = fs::current_path(error);
  enter(folder, facts);
}

void FileBrowser::enter(const fs::path& folder, FileFacts& facts) {
  folder_ = folder.lexically_normal();
  if (!folder_.has_filename() && folder_.has_parent_path() && folder_ != folder_.root_path()) {
    folder_ = folder_.parent_path();  // a trailing slash
  }
  entries_.clear();
  complaint_.clear();
  std::error_code error;
  fs::directory_iterator it(folder_, fs::directory_options::skip_permission_denied, error);
  for (; !error && it != fs::directory_iterator() && entries_.size() < most_entries;
       it.increment(error)) {
    const fs::path& p = it->path();
    Entry e{p.filename().string(), false, false};
    if (e.name.starts_with(".")) continue;
    std::error_code ignored;
    e.is_folder = it->is_directory(ignored);
    e.is_model_folder = e.is_folder && wants_ == Wants::model &&
                        fs::exists(p / "config.json", ignored) &&
                        fs::exists(p / "model.safetensors", ignored);
    const bool fits = wants_ == Wants::model ? p.extension() == ".safetensors" : is_sound(p);
    if (e.is_folder || fits) entries_.push_back(std::move(e));
  }
  if (error) complaint_ = "this folder cannot be read: " + error.message();
  std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
    return a.is_folder != b.is_folder ? a.is_folder : a.name < b.name;
  });
  std::vector<fs::path> files;
  for (const Entry& e : entries_) {
    if (!e.is_folder || e.is_model_folder) files.push_back(folder_ / e.name);
  }
  facts.look_at(std::move(files), wants_ == Wants::model);
}

MenuList::Chosen FileBrowser::rows(Context& c, MenuList& list, FileFacts& facts, fs::path& path) {
  using Chosen = MenuList::Chosen;
  fs::path next;
  Chosen chosen = Chosen::no;
  if (folder_.has_parent_path() && folder_ != folder_.root_path()) {
    MenuList::Row up;
    up.name = "..";
    up.detail = "the folder above";
    up.icon = Icon::folder;
    up.always = list.typed().empty();
    if (list.row(c, up) == Chosen::open) next = folder_.parent_path();
  }
  for (const Entry& e : entries_) {
    const bool enters = e.is_folder && !e.is_model_folder;
    MenuList::Row row;
    row.name = e.name;
    row.icon = enters ? Icon::folder : Icon::none;
    if (!enters) row.detail = facts.of(folder_ / e.name);
    row.listen = wants_ == Wants::clip && !enters;
    row.listening = c.status.auditioning && c.session.auditioned() == folder_ / e.name;
    const Chosen now = list.row(c, row);
    if (now == Chosen::no) continue;
    if (enters) {
      next = folder_ / e.name;
    } else {
      path = folder_ / e.name;
      chosen = now;
    }
  }
  if (!complaint_.empty()) text_in(c.theme.body, colour::error, complaint_.c_str());
  if (complaint_.empty() && entries_.empty()) {
    text_in(c.theme.body, colour::dim, "nothing here that can be opened");
  }
  if (!next.empty()) {
    enter(next, facts);
    list.clear();
  }
  return chosen;
}

}  // namespace mambo::gui
