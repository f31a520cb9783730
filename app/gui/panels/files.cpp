#include "app/gui/panels/files.h"

#include <fmt/core.h>

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
using Chosen = MenuList::Chosen;

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

void FilesPanel::act(Context& c, Wants what, Chosen chosen, const fs::path& path) {
  if (chosen == Chosen::no) return;
  if (chosen == Chosen::listen) {
    toggle_audition(c.session, c.status.auditioning, path, Session::Part::beginning);
    return;
  }
  c.session.stop_audition();
  if (what == Wants::model) {
    open_model(c.session, c.settings, path);
  } else {
    open_clip(c.session, c.settings, path);
  }
  ImGui::CloseCurrentPopup();
}

void FilesPanel::open_typed(Context& c, Wants what) {
  std::string path = list_.typed();
  if (!list_.entered() || path.empty()) return;
  if (path.starts_with("~/")) {
    const char* home = std::getenv("HOME");  // NOLINT(concurrency-mt-unsafe): nothing calls setenv
    if (home != nullptr) path.replace(0, 1, home);
  }
  act(c, what, Chosen::open, path);
}

void FilesPanel::choice(Context& c, Wants what, const fs::path& path, bool is_shipped) {
  MenuList::Row row;
  row.name = is_shipped ? name_for_people(path) : path.filename().string();
  row.detail = facts_.of(path);
  row.current = path == fs::path(what == Wants::model ? c.settings.model : c.settings.clip);
  row.listen = what == Wants::clip;
  row.listening = c.status.auditioning && c.session.auditioned() == path;
  row.tip = path.string();
  act(c, what, list_.row(c, row), path);
}

void FilesPanel::choices(Context& c, Wants what) {
  const auto recent = what == Wants::model ? c.settings.recent_models : c.settings.recent_clips;
  const bool all = laboratory_ || !list_.typed().empty();  // a typed name asks for it
  list_.title(c, "Shipped");
  for (const fs::path& p : shipped_) {
    if (all || !is_laboratory(p)) choice(c, what, p, true);
  }
  if (what == Wants::clip) {
    MenuList::Row row;
    row.name = "Silence";
    row.detail = "no clip";
    row.current = c.settings.clip.empty();
    act(c, what, list_.row(c, row), {});
  }
  bool titled = false;
  for (const std::string& r : recent) {
    if (std::find(shipped_.begin(), shipped_.end(), fs::path(r)) != shipped_.end()) continue;
    if (!titled) list_.title(c, "Recent");
    titled = true;
    choice(c, what, r, false);
  }
  list_.title(c, "Other");
  MenuList::Row row;
  row.always = true;
  if (what == Wants::model && list_.typed().empty()) {
    row.name = laboratory_ ? "Hide the laboratory's models" : "Show the laboratory's models";
    if (list_.row(c, row) != Chosen::no) laboratory_ = !laboratory_;
  }
  row.name = "Browse\u2026";
  row.icon = Icon::folder;
  if (list_.row(c, row) != Chosen::no) {
    browsing_ = true;
    list_.clear();
    browser_.open(what, what == Wants::model ? c.settings.model : c.settings.clip, facts_);
  }
}

void FilesPanel::folder(Context& c, Wants what) {
  fs::path path;
  act(c, what, browser_.rows(c, list_, facts_, path), path);
}

void FilesPanel::menu(Context& c, Wants what) {
  const bool browsing = browsing_;  // it may change on the way
  if (browsing) text_in(c.theme.small, colour::dim, browser_.folder().c_str());
  list_.begin(c, "search, or a path", c.u(browsing ? 460 : 360),
              std::min(c.u(460), ImGui::GetIO().DisplaySize.y * 0.65F));
  if (browsing) {
    folder(c, what);
  } else {
    choices(c, what);
  }
  list_.end();
  if (list_.typed().find('/') != std::string::npos || list_.shown() == 0) open_typed(c, what);
}

void FilesPanel::list_files(Context& c, Wants what) {
  shipped_ = shipped(what);
  Paths all = shipped_;
  const auto& recent = what == Wants::model ? c.settings.recent_models : c.settings.recent_clips;
  all.insert(all.end(), recent.begin(), recent.end());
  facts_.look_at(std::move(all), what == Wants::model);
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
    browsing_ = false;
    list_.clear();
    list_files(c, what);
    ImGui::OpenPopup("choices");
  }
  tooltip(c.theme, fmt::format("{} Key: {}.", words, key_words(key)).c_str());
  ImGui::SetNextWindowPos(ImVec2(min.x, min.y + size.y + c.u(4)));
  if (ImGui::BeginPopup("choices")) {
    menu(c, what);
    ImGui::EndPopup();
  }
  ImGui::PopID();
}

void FilesPanel::listen_button(Context& c, ImVec2 at) {
  const fs::path clip = c.session.clip_path();
  const bool hears = c.status.auditioning;
  ImGui::SetCursorScreenPos(at);
  if (icon_button(c.theme, "##listen", hears ? Icon::stop : Icon::listen, "", hears, colour::accent,
                  ImVec2(listen_width(c), c.u(32)),
                  fmt::format("Listen to the clip before the model goes on with it, or stop. The "
                              "model waits; a recording does not hear it. Key: {}.",
                              key_words(Key::audition))
                      .c_str()) ||
      (!ImGui::IsPopupOpen("", ImGuiPopupFlags_AnyPopup) &&
       (c.keys.take(Key::audition) || c.keys.take(Key::preview)))) {
    if (clip.empty() && !hears) {
      c.notice.say("There is no clip to listen to.", false);
    } else {
      toggle_audition(c.session, hears, clip, Session::Part::end);
    }
  }
}

float FilesPanel::draw(Context& c, ImVec2 at, float width) {
  const auto is_shipped = [](const fs::path& path, const char* folder) {
    return path.parent_path() == assets_dir() / folder;
  };
  std::string model_name = c.has_model() ? c.facts.name : "none";
  const fs::path model = c.has_model() ? c.facts.model->path() : fs::path(c.settings.model);
  if (is_shipped(model, "models")) {
    model_name = name_for_people(model);
  } else if (!c.has_model() && !model.empty()) {
    model_name = model.filename().string();
  }
  field(c, Wants::model, "Model", model_name.c_str(), at, width,
        "The network that plays. Choose one, or drop a .safetensors file or a model's folder "
        "onto the window.");
  const fs::path clip = c.session.clip_path();
  const std::string clip_name = clip.empty()                ? "silence"
                                : is_shipped(clip, "seeds") ? name_for_people(clip)
                                                            : clip.stem().string();
  const double clip_s = c.session.clip_seconds();
  const std::string shown =
      clip.empty() ? clip_name  // the mark keeps a name from right to left apart from the number
                   : fmt::format("{}\u200E, {}", clip_name, seconds_words(clip_s).c_str());
  float x = at.x + width + c.u(8);
  field(c, Wants::clip, "Clip", shown.c_str(), ImVec2(x, at.y), width,
        "The sound that the model absorbs and then continues. Choose one, or drop any sound file "
        "onto the window.");
  x += width + c.u(4);
  listen_button(c, ImVec2(x, at.y + c.u(18)));
  return x + listen_width(c);
}

}  // namespace mambo::gui
