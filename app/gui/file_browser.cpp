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

void FileBrowser::open(Wants what, const fs::path& start) {
  wants_ = what;
  asked_ = true;
  std::error_code error;
  fs::path folder = fs::is_directory(start, error) ? start : start.parent_path();
  if (folder.empty() || !fs::is_directory(folder, error)) folder = fs::current_path(error);
  enter(folder);
}

void FileBrowser::enter(const fs::path& folder) {
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
}

bool FileBrowser::draw(const Context& c, fs::path& chosen) {
  constexpr const char* name = "Choose a file";
  if (asked_) ImGui::OpenPopup(name);
  asked_ = false;
  const ImVec2 display = ImGui::GetIO().DisplaySize;
  ImGui::SetNextWindowSize(
      ImVec2(std::min(c.u(620), display.x * 0.9F), std::min(c.u(460), display.y * 0.85F)));
  ImGui::SetNextWindowPos(ImVec2(display.x / 2, display.y / 2), ImGuiCond_Always,
                          ImVec2(0.5F, 0.5F));
  bool stays = true;
  if (!ImGui::BeginPopupModal(
          name, &stays,
          ImGuiWindowFlags_NoResize | ImGuiWindowFlags_NoMove | ImGuiWindowFlags_NoTitleBar)) {
    return false;
  }
  bool done = false;
  text_in(c.theme.strong, colour::text, wants_ == Wants::model ? "Open a model" : "Open a clip");
  text_in(c.theme.small, colour::dim, folder_.string().c_str());
  fs::path next;
  ImGui::BeginChild("entries", ImVec2(0, -c.u(44)));
  if (folder_.has_parent_path() && folder_ != folder_.root_path() && ImGui::Selectable("..")) {
    next = folder_.parent_path();
  }
  for (const Entry& e : entries_) {
    ImGui::PushID(e.name.c_str());
    const ImVec2 at = ImGui::GetCursorScreenPos();
    if (ImGui::Selectable("##entry", false, 0, ImVec2(0, c.u(22)))) {
      if (e.is_folder && !e.is_model_folder) {
        next = folder_ / e.name;
      } else {
        chosen = folder_ / e.name;
        done = true;
      }
    }
    ImDrawList& list = *ImGui::GetWindowDrawList();
    if (e.is_folder) {
      draw_icon(list, Icon::folder, ImVec2(at.x + c.u(9), at.y + c.u(11)), c.u(12),
                e.is_model_folder ? colour::accent : colour::dim);
    }
    draw_text(list, c.theme.body, ImVec2(at.x + c.u(24), at.y + c.u(11)), 0, 0.5F, colour::text,
              e.name.c_str());
    ImGui::PopID();
  }
  if (!complaint_.empty()) text_in(c.theme.body, colour::error, complaint_.c_str());
  if (complaint_.empty() && entries_.empty()) {
    text_in(c.theme.body, colour::dim, "nothing here that can be opened");
  }
  ImGui::EndChild();
  ImGui::SetCursorPosY(ImGui::GetWindowHeight() - c.u(42));
  if (ImGui::Button("Cancel", ImVec2(c.u(90), c.u(30))) || c.keys.take(Key::escape) || done ||
      !stays) {
    ImGui::CloseCurrentPopup();
  }
  ImGui::EndPopup();
  if (!next.empty()) enter(next);
  return done;
}

}  // namespace mambo::gui
