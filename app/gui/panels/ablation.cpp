#include "app/gui/panels/ablation.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <exception>
#include <memory>
#include <utility>

#include "app/gui/focus.h"
#include "app/gui/plot/plot.h"
#include "app/gui/widgets.h"
#include "app/gui/words.h"

namespace mambo::gui {
namespace {

constexpr std::size_t kPerGroup = 7;  // choices of delta, B and C, without none

struct Hold {
  ControlId id;
  bool on;
};
std::array<Hold, 3> holds_of(const AblationCase& c) {
  return {{{ControlId::hold_delta, c.delta}, {ControlId::hold_B, c.B}, {ControlId::hold_C, c.C}}};
}

std::string letters(const AblationCase& c) {
  return std::string(c.delta ? "\u0394" : "") + (c.B ? "B" : "") + (c.C ? "C" : "");
}

}  // namespace

bool plays(const LayerValues& values, const AblationCase& held) {
  const LayerMap& layers = values.layers();
  for (const Hold& hold : holds_of(held)) {
    for (int l = 0; l < layers.size(); ++l) {
      const bool on = hold.on && (held.tier < 0 || layers.tier(l) == held.tier);
      if (layers.takes(hold.id, l) && values.goal(hold.id, l) != (on ? 1.0 : 0.0)) return false;
    }
  }
  return true;
}

void toggle(Context& c, const LayerValues& values, const AblationCase& held) {
  const AblationCase wanted = plays(values, held) ? AblationCase{} : held;
  c.changes.settle();
  for (const Hold& hold : holds_of(wanted)) {
    if (!hold.on || wanted.tier < 0) {
      c.change_layers(hold.id, kAllTargets, hold.on ? 1 : 0);
      continue;
    }
    // Tier by tier: what stays as it is hears nothing of it.
    for (int t = 0; t < values.layers().tiers(); ++t)
      c.change_layers(hold.id, tier_target(t), t == wanted.tier ? 1 : 0);
  }
  c.changes.settle();
}

struct AblationPanel::Frame {
  Ablator::Status status;
  std::shared_ptr<const LayerValues> values;  // null: what computes does not play by hand
  bool of_model = false;                      // what is shown is of the model that plays
  bool of_now = false;                        // and of its clip
  ImVec2 min, max;                            // of the plot
  double least = 0, most = 0;                 // bits more than with nothing held

  const std::vector<AblationTable::Row>& rows() const { return status.table->rows; }
  bool any() const { return status.table != nullptr && rows().size() > 1; }
  double more(std::size_t row) const {
    return rows()[row].bits_per_sample - rows().front().bits_per_sample;
  }
};

void AblationPanel::look(const Context& c) {
  if (!ablator_.running()) return;
  const Ablator::Status s = ablator_.status();
  if (s.model.lock() != c.session.model() || s.clip != c.session.clip_path()) ablator_.cancel();
}

void AblationPanel::save(const Context& c, const Frame& f) {
  try {
    const std::filesystem::path path = save_beside_recordings(
        f.status.table->model, f.status.clip, ".ablation.json", ablation_json(*f.status.table));
    c.notice.say("Saved as " + path.string() + ".", false);
  } catch (const std::exception& e) {
    c.notice.say(e.what(), true);
  }
}

// Returns where they begin.
float AblationPanel::buttons(Context& c, const Frame& f, float top) {
  float x = c.plot_right;
  ImGui::PushFont(c.theme.small);
  ImGui::PushStyleVar(ImGuiStyleVar_FramePadding, ImVec2(c.u(6), c.u(1)));
  const auto button = [&](const char* label, float width, const char* tip) {
    x -= c.u(width);
    ImGui::SetCursorScreenPos(ImVec2(x, top + c.u(2)));
    const bool pressed = push_button(c.theme, label, ImVec2(c.u(width), c.u(19)));
    tooltip(c.theme, tip);
    x -= c.u(6);
    return pressed;
  };
  if (button("Close", 52, "Back to the channels of the chosen layer")) c.settings.ablation = false;
  if (f.status.running) {
    const Words label("Cancel, {:.0f} %###measure", 100 * f.status.progress);
    if (button(label.c_str(), 88, "Stop measuring; what is known by now stays")) ablator_.cancel();
  } else if (c.has_model() &&
             button("Measure###measure", 88,
                    "Measure this model on the clip, at most its first minute, on the CPU, while "
                    "it plays on; as mambo ablate --backend cpu does")) {
    ablator_.start(c.session.model(), c.session.clip_path());
  }
  if (f.status.whole()) {
    if (button("Save", 48,
               "Save the table beside the recordings, as mambo ablate --json prints it"))
      save(c, f);
    if (button("Copy", 48, "Copy the table, as mambo ablate --json prints it")) {
      ImGui::SetClipboardText(ablation_json(*f.status.table).c_str());
      c.notice.say("The table was copied.", false);
    }
  }
  ImGui::PopStyleVar();
  ImGui::PopFont();
  return x;
}

// In place of bars.
void AblationPanel::words(const Context& c, const Frame& f) {
  const bool failed = !f.status.error.empty();
  const char* text = failed             ? f.status.error.c_str()
                     : f.status.running ? "Measuring\u2026"
                     : !c.has_model()   ? "Open a model first."
                     : c.session.clip_path().empty()
                         ? "Open a clip to measure on."
                         : "Not measured yet: it takes a while, beside what plays.";
  draw_text(*ImGui::GetWindowDrawList(), c.theme.body,
            ImVec2((f.min.x + f.max.x) / 2, (f.min.y + f.max.y) / 2), 0.5F, 0.5F,
            failed ? colour::error : colour::dim, text);
}

void AblationPanel::readout(const Context& c, const Frame& f, std::size_t row) {
  const AblationTable::Row& r = f.rows()[row];
  begin_readout(c);
  gui::readout(c, "held", letters(r.held).c_str());
  gui::readout(c, "where", r.held.tier < 0 ? "all tiers" : Words("tier {}", r.held.tier).c_str());
  gui::readout(c, "bits per sample", Words("{:.4f}", r.bits_per_sample).c_str());
  gui::readout(c, "nothing held", Words("{:.4f}", f.rows().front().bits_per_sample).c_str());
  gui::readout(c, "more by", Words("{:+.4f}", f.more(row)).c_str());
  if (f.of_model)
    text_in(c.theme.small, colour::faint, "click: plays it so; once more: as it was learned");
  end_readout();
}

void AblationPanel::bar(Context& c, const Frame& f, std::size_t row, float left, float right) {
  const AblationCase& held = f.rows()[row].held;
  ImDrawList& list = *ImGui::GetWindowDrawList();
  ImGui::PushID(static_cast<int>(row));
  ImGui::SetCursorScreenPos(ImVec2(left, f.min.y));
  const ImGuiID id = ImGui::GetID("bar");
  bool pressed = ImGui::InvisibleButton("bar", ImVec2(right - left, f.max.y - f.min.y));
  const bool hovered = ImGui::IsItemHovered();
  keyboard_place(c.theme, id);
  pressed = pressed || (c.theme.focus != nullptr && c.theme.focus->pressed(id));
  ImGui::PopID();

  const bool lit = f.of_model && f.values != nullptr && plays(*f.values, held);
  const float base = f.max.y - c.u(34);
  const float height = base - f.min.y - c.u(18);
  const auto y_of = [&](double more) {
    return base - static_cast<float>((more - f.least) / (f.most - f.least)) * height;
  };
  if (hovered || lit)
    list.AddRectFilled(ImVec2(left, f.min.y), ImVec2(right, f.max.y),
                       faded(colour::text, hovered ? 0.07F : 0.04F));
  const float middle = (left + right) / 2;
  const float half = std::min(c.u(22), (right - left) * 0.36F);
  const double more = f.more(row);
  const float zero = y_of(0);
  const float end = y_of(more);
  list.AddRectFilled(ImVec2(middle - half, std::min(zero, end)),
                     ImVec2(middle + half, std::max(zero, end) + 1),
                     lit         ? colour::accent
                     : !f.of_now ? colour::faint
                                 : colour::wave);
  const Words number("{:.2f}", more);
  if (c.theme.small->CalcTextSizeA(c.theme.small->FontSize, 1e6F, 0, number.c_str()).x <
      right - left) {
    draw_text(list, c.theme.small, ImVec2(middle, std::min(zero, end) - c.u(1)), 0.5F, 1,
              f.of_now ? colour::text : colour::dim, number.c_str());
  }
  draw_text(list, c.theme.small, ImVec2(middle, base + c.u(9)), 0.5F, 0.5F,
            lit ? colour::accent : colour::dim, letters(held).c_str());
  if (hovered) readout(c, f, row);
  if (!pressed) return;
  if (!f.of_model) {
    c.notice.say("These bars are of another model: measure this one first.", false);
  } else if (f.values == nullptr) {
    c.notice.say("What computes here does not play selectivity by hand.", false);
  } else {
    toggle(c, *f.values, held);
  }
}

void AblationPanel::bars(Context& c, const Frame& f) {
  ImDrawList& list = *ImGui::GetWindowDrawList();
  const std::size_t groups = std::max<std::size_t>(1, (f.status.cases - 1) / kPerGroup);
  const float width = (f.max.x - f.min.x) / static_cast<float>(groups);
  const float margin = c.u(10);
  const float slot = (width - 2 * margin) / static_cast<float>(kPerGroup);
  for (std::size_t row = 1; row < f.rows().size(); ++row) {
    const std::size_t group = (row - 1) / kPerGroup;
    const std::size_t place = (row - 1) % kPerGroup;
    const float begin = f.min.x + static_cast<float>(group) * width;
    const float left = std::floor(begin + margin + static_cast<float>(place) * slot);
    const float right = std::floor(begin + margin + static_cast<float>(place + 1) * slot);
    if (place == 0) {
      if (group > 0)
        list.AddRectFilled(ImVec2(std::floor(begin), f.min.y),
                           ImVec2(std::floor(begin) + 1, f.max.y), colour::line);
      const int tier = f.rows()[row].held.tier;
      std::string name = tier < 0 ? "all tiers" : fmt::format("tier {}", tier);
      const auto layer = std::find_if(c.facts.layers.begin(), c.facts.layers.end(),
                                      [tier](const LayerFacts& l) { return l.tier == tier; });
      if (f.of_model && layer != c.facts.layers.end())
        name += fmt::format(", {}",
                            hertz_words(static_cast<double>(c.facts.rate) / layer->stride).c_str());
      draw_text(list, c.theme.small, ImVec2(begin + width / 2, f.max.y - c.u(9)), 0.5F, 0.5F,
                colour::dim, name.c_str());
    }
    bar(c, f, row, left, right);
  }
  const float base = f.max.y - c.u(34);
  const float top = f.min.y + c.u(18);
  const auto zero = base - static_cast<float>(-f.least / (f.most - f.least)) * (base - top);
  list.AddRectFilled(ImVec2(f.min.x, zero), ImVec2(f.max.x, zero + 1), colour::line);
  axis_label(c, zero, "0");
  if (zero - top > c.u(16)) axis_label(c, top, Words("{:+.2f} bits", f.most).c_str());
}

void AblationPanel::draw(Context& c, float top, float bottom) {
  Frame f;
  f.status = ablator_.status();
  f.values = c.session.layers();
  if (f.values != nullptr && f.values->layers().size() != static_cast<int>(c.facts.layers.size()))
    f.values.reset();
  f.of_model = c.has_model() && f.status.model.lock() == c.facts.model;
  f.of_now = f.of_model && f.status.clip == c.session.clip_path();
  const float line = c.u(18);
  f.min = ImVec2(c.plot_left, std::floor(top + header_height(c) + line));
  f.max = ImVec2(c.plot_right, std::floor(std::max(bottom, f.min.y + c.u(60))));

  ImGui::PushID("ablation");
  const float right = buttons(c, f, top);
  std::string detail;
  if (f.status.table != nullptr && !f.rows().empty()) {
    detail = fmt::format("{} on {}, {}: {:.3f} bits per sample with nothing held{}",
                         f.status.table->model, f.status.clip.filename().string(),
                         seconds_words(f.status.table->seconds).c_str(),
                         f.rows().front().bits_per_sample,
                         !f.of_now                                ? "; not what plays now"
                         : !f.status.running && !f.status.whole() ? "; not finished"
                                                                  : "");
  }
  panel_title(c, top, "Worth of \u0394, B and C", detail.c_str(), right);
  ImDrawList& list = *ImGui::GetWindowDrawList();
  draw_text_fitted(list, c.theme.small, ImVec2(c.panel_left, top + header_height(c)),
                   c.plot_right - c.panel_left, colour::dim,
                   "A bar is what the clip costs more, in bits per sample, when what stands below "
                   "it is held at its mean and can no longer select. A click plays it so.");
  list.AddRectFilled(f.min, f.max, colour::plot);
  if (!f.any()) {
    words(c, f);
  } else {
    for (std::size_t row = 1; row < f.rows().size(); ++row) {
      f.least = std::min(f.least, f.more(row));
      f.most = std::max(f.most, f.more(row));
    }
    f.most = std::max(f.most, f.least + 1e-6);
    bars(c, f);
  }
  ImGui::PopID();
}

}  // namespace mambo::gui
