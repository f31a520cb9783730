#include "app/gui/panels/meter.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "app/gui/widgets.h"
#include "app/gui/words.h"

namespace mambo::gui {
namespace {

struct Cell {
  const char* label;
  Words value;
  const char* tooltip;
  float width;  // units
  int urgency;  // where there is no room for all, those with less are left out
  ImU32 ink = colour::text;
  float fill = -1;  // 0..1: a bar under the value
};

void draw_cell(const Context& c, const Cell& cell, float left, float width, float top) {
  ImDrawList& list = *ImGui::GetWindowDrawList();
  draw_text(list, c.theme.small, ImVec2(left, top + c.u(8)), 0, 0.5F, colour::dim, cell.label);
  draw_text(list, c.theme.strong, ImVec2(left, top + c.u(32)), 0, 0.5F, cell.ink,
            cell.value.c_str());
  if (cell.fill >= 0) {
    const float y = top + c.u(46);
    const float w = width - c.u(14);
    list.AddRectFilled(ImVec2(left, y), ImVec2(left + w, y + c.u(3)), colour::control, c.u(1.5F));
    list.AddRectFilled(ImVec2(left, y),
                       ImVec2(left + w * std::clamp(cell.fill, 0.0F, 1.0F), y + c.u(3)),
                       cell.fill < 0.25F ? colour::warm : colour::accent, c.u(1.5F));
  }
  ImGui::SetCursorScreenPos(ImVec2(left, top));
  ImGui::PushID(cell.label);
  ImGui::InvisibleButton("cell", ImVec2(width - c.u(4), c.u(50)));
  tooltip(c.theme, cell.tooltip);
  ImGui::PopID();
}

// "CPU, AVX-512, bf16 weights, 2 threads": the first two parts say enough at a glance; of a GPU's
// name ("CUDA, NVIDIA H100 80GB HBM3, ...") as many words as there is room for.
std::string short_backend(const std::string& description) {
  const std::size_t first = description.find(',');
  const std::size_t second = first == std::string::npos ? first : description.find(',', first + 1);
  std::string text = description.substr(0, second);
  if (first != std::string::npos && first < text.size()) text.erase(first, 1);
  constexpr std::size_t room = 13;
  for (const char* known : {"NVIDIA ", "GeForce "}) {
    if (const std::size_t at = text.find(known); at != std::string::npos)
      text.erase(at, std::string(known).size());
  }
  while (text.size() > room && text.find(' ') != std::string::npos) text.erase(text.rfind(' '));
  return text.empty() ? "\u2013" : text;
}

}  // namespace

void draw_meter(Context& c, ImVec2 at, float right) {
  const SessionStatus& s = c.status;
  const bool measured = s.us_per_sample_mean > 0;
  const bool slow = measured && s.real_time_factor < 1.0;
  const bool tight = measured && s.real_time_factor < 1.3;
  const Words none("\u2013");
  const Words path(
      "From the hand to the ear, as measured: a change of the draw is heard this much later. "
      "Window {:.0f} ms, ring and chunk {:.0f} ms, rate converter, limiter, device and sound "
      "server "
      "{:.0f} ms. Level and Pause skip the ring.",
      c.hand_ms, std::max(0.0, s.output_latency_ms - c.hand_ms - s.device_path_ms),
      s.device_path_ms);
  const bool clip_heard = std::isfinite(s.clip_lufs);
  const bool heard = std::isfinite(s.playing_lufs);
  const auto lufs = [](bool there, double value) {
    return there ? Words("{:.0f}", value) : Words("\u2013");
  };
  const Words loudness("{} \u2192 {}", lufs(clip_heard, s.clip_lufs).c_str(),
                       lufs(heard, s.playing_lufs).c_str());
  const Words loudness_tip(
      "Loudness: clip {} LUFS, playing {} LUFS; of the last ten seconds each, as drawn, before "
      "level and match.",
      lufs(clip_heard, s.clip_lufs).c_str(), lufs(heard, s.playing_lufs).c_str());
  const Cell cells[] = {
      {"mean", measured ? Words("{:.1f} \u00B5s", s.us_per_sample_mean) : none,
       "Time per sample, mean over the last seconds", 72, 2},
      {"p99", measured ? Words("{:.1f} \u00B5s", s.us_per_sample_p99) : none,
       "Time per sample in the slowest 1 % of the chunks", 72, 1},
      {"speed", measured ? Words("{:.1f} \u00D7", s.real_time_factor) : none,
       "How many times faster than real time samples are drawn; below 1 \u00D7 the sound cannot "
       "keep up",
       62, 7,
       slow    ? colour::error
       : tight ? colour::warm
               : colour::text},
      {"ring", Words("{:.0f} ms", s.ring_ms),
       "Sound ready in the ring buffer; the bar is its share of the target", 66, 4, colour::text,
       static_cast<float>(s.ring_fill)},
      {"latency", s.output_latency_ms > 0 ? Words("{:.0f} ms", s.output_latency_ms) : none,
       path.c_str(), 66, 6},
      {"underruns", Words("{}", s.underruns),
       "How often the ring ran dry; the sound then fades out and back in without a click", 72, 8,
       s.underruns > 0 ? colour::warm : colour::text},
      {"loudness", clip_heard || heard ? loudness : none, loudness_tip.c_str(), 74, 3},
      {"engine", Words("{}", short_backend(s.backend)),
       s.backend.empty() ? "What computes the samples" : s.backend.c_str(), 104, 5},
  };
  const auto shown = [&](int least) {  // the width of all that are at least so urgent
    float total = 0;
    for (const Cell& cell : cells) total += cell.urgency >= least ? c.u(cell.width) : 0;
    return total;
  };
  int least = 1;
  while (least <= static_cast<int>(std::size(cells)) && right - shown(least) < at.x) ++least;
  float x = right - shown(least);
  for (const Cell& cell : cells) {
    if (cell.urgency < least) continue;
    draw_cell(c, cell, x, c.u(cell.width), at.y);
    x += c.u(cell.width);
  }
}

}  // namespace mambo::gui
