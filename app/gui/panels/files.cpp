#include "app/gui/panels/files.h"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <system_error>

#include "app/files/paths.h"
#include "app/gui/widgets.h"
#include "app/gui/words.h"

namespace mambo::gui {
namespace {

namespace fs = std::filesystem;
using Wants = FileBrowser::Wants;

std::vector<fs::path> shipped(Wants what) {
  std::vector<fs::path> found;
  std::error_code error;
  const fs::path folder = assets_dir() / (what == Wants::model ? "models" : "seeds");
  for (fs::directory_iterator it(folder, error); !error && it != fs::directory_iterator();
       it.increment(error)) {
    const fs::path& p = it->path();
    const bool fits = what == Wants::model ? looks_like_model(p)
                                           : p.extension() == ".wav" || p.extension() == ".flac";
    if (fits) found.push_back(p);
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

void FilesPanel::open(Context& c, Wants what, const fs::path& path) const {
  if (what == Wants::model) {
    open_model(c.session, c.settings, path);
  } else {
    open_clip(c.session, c.settings, path);
  }
}

void FilesPanel::path_field(Context& c, Wants what) {
  ImGui::SetNextItemWidth(c.u(250));
  const bool entered =
      ImGui::InputTextWithHint("##path", "a path, then Enter", typed_.data(), typed_.size(),
                               ImGuiInputTextFlags_EnterReturnsTrue);
  tooltip(c.theme, what == Wants::model ? "A .safetensors file, or a folder with config.json and "
                                          "model.safetensors"
                                        : "Any sound file; ~ stands for your home folder");
  ImGui::SameLine();
  if (icon_button(c.theme, "##browse", Icon::folder, "Browse", false, colour::text,
                  ImVec2(c.u(92), 0), "Browse for a file")) {
    browser_.open(what, what == Wants::model ? c.settings.model : c.settings.clip);
    ImGui::CloseCurrentPopup();
  }
  if (!entered || typed_[0] == '\0') return;
  std::string path = typed_.data();
  if (path.starts_with("~/")) {
    const char* home = std::getenv("HOME");  // NOLINT(concurrency-mt-unsafe): nothing calls setenv
    if (home != nullptr) path.replace(0, 1, home);
  }
  open(c, what, path);
  ImGui::CloseCurrentPopup();
}

void FilesPanel::choices(Context& c, Wants what) {
  const auto choice = [&](const fs::path& p, const std::string& current) {
    ImGui::PushID(p.c_str());
    if (ImGui::Selectable(p.filename().c_str(), p == fs::path(current))) open(c, what, p);
    tooltip(c.theme, p.c_str());
    ImGui::PopID();
  };
  const std::string current = what == Wants::model ? c.settings.model : c.settings.clip;
  const auto recent = what == Wants::model ? c.settings.recent_models : c.settings.recent_clips;
  text_in(c.theme.small, colour::dim, "Shipped");
  for (const fs::path& p : shipped_) choice(p, current);
  if (shipped_.empty()) text_in(c.theme.body, colour::faint, "none");
  if (what == Wants::clip) {
    if (ImGui::Selectable("silence", current.empty())) open_clip(c.session, c.settings, {});
    tooltip(c.theme, "No clip: the model starts from silence");
  }
  bool titled = false;
  for (const std::string& r : recent) {
    if (std::find(shipped_.begin(), shipped_.end(), fs::path(r)) != shipped_.end()) continue;
    if (!titled) {
      ImGui::Spacing();
      text_in(c.theme.small, colour::dim, "Recent");
      titled = true;
    }
    choice(r, current);
  }
  ImGui::Spacing();
  text_in(c.theme.small, colour::dim, "Other");
  path_field(c, what);
}

void FilesPanel::field(Context& c, Wants what, const char* label, const char* shown, ImVec2 at,
                       float width, const char* words) {
  ImGui::PushID(label);
  ImDrawList& list = *ImGui::GetWindowDrawList();
  draw_text(list, c.theme.small, ImVec2(at.x + c.u(1), at.y + c.u(8)), 0, 0.5F, colour::dim, label);
  const ImVec2 min(at.x, at.y + c.u(18));
  const ImVec2 size(width, c.u(32));
  ImGui::SetCursorScreenPos(min);
  const Key key = what == Wants::model ? Key::open_model : Key::open_clip;
  if (choice_button(c.theme, "##open", shown, size) || c.keys.take(key)) {
    shipped_ = shipped(what);
    typed_[0] = '\0';
    ImGui::OpenPopup("choices");
  }
  tooltip(c.theme, words);
  ImGui::SetNextWindowPos(ImVec2(min.x, min.y + size.y + c.u(4)));
  if (ImGui::BeginPopup("choices")) {
    if (c.keys.take(Key::escape)) ImGui::CloseCurrentPopup();
    choices(c, what);
    ImGui::EndPopup();
  }
  ImGui::PopID();
}

void FilesPanel::draw(Context& c, ImVec2 at, float width) {
  std::string model_name = c.has_model() ? c.facts.name : "none";
  if (!c.has_model() && !c.settings.model.empty()) {
    model_name = fs::path(c.settings.model).filename().string();
  }
  field(c, Wants::model, "Model", model_name.c_str(), at, width,
        "The network that plays. Choose one, or drop a .safetensors file or a model's folder "
        "onto the window.");
  const fs::path clip = c.session.clip_path();
  const std::string clip_name = clip.empty() ? "silence" : clip.stem().string();
  const double clip_s = c.session.clip_seconds();
  const Words shown = clip.empty() ? Words("{}", clip_name)
                                   : Words("{}, {}", clip_name, seconds_words(clip_s).c_str());
  field(c, Wants::clip, "Clip", shown.c_str(), ImVec2(at.x + width + c.u(8), at.y), width,
        "The sound that the model absorbs and then continues. Choose one, or drop any sound file "
        "onto the window.");
  fs::path chosen;
  if (browser_.draw(c, chosen)) open(c, browser_.wants(), chosen);
}

}  // namespace mambo::gui
