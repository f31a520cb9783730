#include "app/gui/shell.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <system_error>

#include "app/files/paths.h"
#include "app/gui/keys.h"
#include "app/gui/panels/help.h"
#include "app/gui/panels/meter.h"
#include "app/gui/panels/selectivity_strips.h"
#include "app/gui/panels/transport.h"
#include "app/gui/plot/plot.h"
#include "app/gui/plot/ruler.h"
#include "app/gui/terminal.h"
#include "app/gui/words.h"

namespace mambo::gui {
namespace {

namespace fs = std::filesystem;
constexpr int most_past_rows = 16;       // stretches of a layer's past, likewise
constexpr int most_observations = 4096;  // a frame; what is more waits for the next one

bool is_there(const fs::path& p) {
  std::error_code error;
  return !p.empty() && fs::exists(p, error);
}

}  // namespace

Shell::Shell(Session& session, Settings& settings, Theme& theme, const GuiOptions& options)
    : session_(session),
      settings_(settings),
      theme_(theme),
      play_when_ready_(options.autoplay),
      ablation_(options.engine),
      // A picture is of the window, not of yesterday.
      leftovers_(options.screenshot.empty() ? recordings_dir() : fs::path()) {
  theme.focus = &focus_;
  for (const ControlSpec& spec : kControlTable) {  // what no model has a say in
    if (!is_remembered(spec) || models_own(spec.id)) continue;
    session_.set(spec.id, resolve(spec, options.controls, settings_.controls, {}));
  }
  session_.set_observing(true);
  timeline_.show(settings_.span_s * timeline_.rate());
  open_first(options);
}

void Shell::open_first(const GuiOptions& options) {
  fs::path model = options.model;
  if (model.empty())
    model = is_there(settings_.model) ? fs::path(settings_.model) : default_model();
  fs::path clip = options.seed_clip;
  if (clip.empty()) clip = clip_for(settings_, model);
  if (options.seed_clip.empty() && !is_there(clip)) clip = default_seed_clip(model);
  // In time for what the clip does to it.
  session_.set_tap_layer(settings_.layer < 0 ? kFavouriteLayer : settings_.layer);
  open_model(session_, settings_, model, options.load, options.controls, clip);
}

Context Shell::context() {
  return Context{session_, history_, timeline_, settings_, theme_,
                 notice_,  facts_,   keys_,     changes_,  status_};
}

bool Shell::lively() const {
  return status_.playing || status_.recording || !status_.input.device.empty() ||
         play_when_ready_ || ablation_.running() ||
         (status_.activity != Activity::ready && status_.activity != Activity::empty);
}

void Shell::say(const std::string& words, bool is_error) {
  notice_.say(words, is_error);
  if (is_error) print_to_terminal(words);
}

void Shell::drop(const std::vector<fs::path>& paths) { gui::drop(session_, settings_, paths); }

void Shell::adopt_model() {
  std::shared_ptr<const Model> model = session_.model();
  if (!model || model == facts_.model) return;
  facts_ = read_facts(std::move(model));
  history_.set_model(facts_.shape());
  for (const ControlSpec& spec : kControlTable) {  // those values were another model's
    if (models_own(spec.id)) changes_.forget(spec.id);
  }
  changes_.forget_layers();
  timeline_.set_rate(facts_.rate);
  const int asked = session_.tap_layer();  // with the model, or of the one before: the same file
  const bool fits = asked >= 0 && asked < static_cast<int>(facts_.layers.size());
  settings_.layer = fits ? asked : facts_.favourite;
  session_.set_tap_layer(settings_.layer);
}

// seconds: since the last frame. What the hand does waits for the next frame, half of one on
// average; while nothing moves, the next frame comes at once.
void Shell::look_after_latency(double seconds) {
  if (lively()) frame_s_ += 0.1 * (std::min(seconds, 0.5) - frame_s_);
  if (status_.output_latency_ms > 0) status_.output_latency_ms += 500 * frame_s_;
  const double latency_ms = session_.control(ControlId::latency).real;
  latency_keeper_.look(ImGui::GetTime(), status_, latency_ms);
  const std::optional<double> advice = latency_keeper_.advice();
  if (!advice || !settings_.raise_latency) return;
  say(Words("{} underruns in {:.0f} s: latency raised to {:.0f} ms.", latency_keeper_.underruns(),
            LatencyKeeper::kWindow_s, *advice)
          .c_str(),
      false);
  session_.set(ControlId::latency, *advice);
}

void Shell::fetch(double seconds) {
  status_ = session_.status();
  look_after_latency(seconds);
  adopt_model();
  for (int i = 0; i < most_observations; ++i) {
    const Observation* o = session_.front();
    if (o == nullptr) break;
    if (o->generation != generation_) adopt_model();  // it may have changed since
    generation_ = o->generation;
    history_.add(*o);
    session_.pop();
  }
  PastRows past;
  for (int i = 0; i < most_past_rows && session_.fetch_past(past); ++i) history_.add_past(past);
  if (play_when_ready_ && status_.activity == Activity::ready) {
    if (!status_.playing) session_.play();
    play_when_ready_ = false;
  }
  const double end = static_cast<double>(history_.end());
  const double heard = static_cast<double>(history_.clip_end() + status_.heard);
  const double now =
      playhead_.advance(std::min(heard, end), status_.playing, history_.rate(), seconds);
  timeline_.set_live(std::min(now, end));
  settings_.span_s = timeline_.span() / timeline_.rate();
}

// Each of the following takes the key, or leaves it to the next.

bool Shell::take_window_key(Keys& keys) {
  if (keys.take(Key::help)) {
    help_ = !help_;
  } else if (keys.take(Key::full_screen)) {
    full_screen_ = !full_screen_;
  } else if (keys.take(Key::quit)) {
    quit_ = true;
  } else if (keys.take(Key::bigger)) {
    settings_.zoom = std::min(settings_.zoom * 1.1F, 3.0F);
  } else if (keys.take(Key::smaller)) {
    settings_.zoom = std::max(settings_.zoom / 1.1F, 0.5F);
  } else if (keys.take(Key::normal_size)) {
    settings_.zoom = 1;
  } else {
    return false;
  }
  return true;
}

bool Shell::take_sound_key(Context& c) {
  if (c.keys.take(Key::play)) {
    if (session_.status().playing) {
      session_.pause();
    } else {
      session_.play();
      timeline_.follow();
    }
  } else if (c.keys.take(Key::again)) {
    session_.again();
    timeline_.follow();
  } else if (c.keys.take(Key::record)) {
    toggle_record(session_, status_.recording);
  } else if (c.keys.first() == Key::freeze || c.keys.first() == Key::forget) {
    controls_.selectivity().take_keys(c);
  } else if (c.keys.first() == Key::listen || c.keys.first() == Key::keep_heard) {
    controls_.input().take_keys(c);
  } else if (c.keys.first() == Key::louder || c.keys.first() == Key::quieter) {
    const int by = c.keys.take_all(Key::louder) - c.keys.take_all(Key::quieter);
    c.change(ControlId::level, session_.control(ControlId::level).real + by);
  } else {
    return false;
  }
  return true;
}

bool Shell::take_panel_key(Keys& keys) {
  if (!keys.take(Key::ablation)) return false;
  settings_.ablation = !settings_.ablation;
  return true;
}

bool Shell::take_undo_key(Keys& keys) {
  const bool undo = keys.first() == Key::undo;
  if (!keys.take(Key::undo) && !keys.take(Key::redo)) return false;
  const auto set = undo ? changes_.undo() : changes_.redo();
  if (set && set->layers.empty()) session_.set(set->id, set->value);
  if (set && !set->layers.empty()) {
    if (const auto values = session_.layers()) send_layers(session_, *values, set->layers);
  }
  if (!set)
    notice_.say(undo ? "There is nothing to undo." : "There is nothing to do again.", false);
  return true;
}

bool Shell::take_focus_key(Keys& keys) {
  if (keys.take(Key::next)) {
    focus_.next(1);
  } else if (keys.take(Key::previous)) {
    focus_.next(-1);
  } else if (keys.take(Key::escape)) {
    if (!focus_.any()) full_screen_ = false;
    focus_.leave();
  } else {
    return focus_.any() && take_key_in_focus(keys);
  }
  return true;
}

bool Shell::take_key_in_focus(Keys& keys) {
  if (keys.take(Key::enter)) {
    focus_.press();
    keys.hold();
  } else if (keys.take(Key::up)) {
    focus_.move(Focus::Way::up);
  } else if (keys.take(Key::down)) {
    focus_.move(Focus::Way::down);
  } else if (focus_.steps() && (keys.first() == Key::left || keys.first() == Key::right)) {
    focus_.step(keys.take_all(Key::right) - keys.take_all(Key::left));
  } else if (keys.take(Key::left)) {
    focus_.move(Focus::Way::left);
  } else if (keys.take(Key::right)) {
    focus_.move(Focus::Way::right);
  } else {
    return false;
  }
  return true;
}

bool Shell::take_time_key(Keys& keys) {
  const TimeView view = timeline_.view();
  const double tenth = view.columns * 0.1;
  const double live = timeline_.following() ? view.px(timeline_.live()) : tenth * 5;
  if (keys.take(Key::follow)) {
    timeline_.follow();
  } else if (keys.take(Key::left)) {
    timeline_.pan(tenth);
  } else if (keys.take(Key::right)) {
    timeline_.pan(-tenth);
  } else if (keys.take(Key::up)) {
    timeline_.zoom(1.5, live);
  } else if (keys.take(Key::down)) {
    timeline_.zoom(1 / 1.5, live);
  } else {
    return false;
  }
  return true;
}

// A key is of what is topmost: the help, a menu, a field that is typed into, a control, the rest.
// What is not taken here is left to what is drawn.
void Shell::handle_keys(Context& c) {
  focus_.begin_frame();
  if (ImGui::IsMouseClicked(0)) focus_.leave();
  if (!ImGui::IsAnyItemActive()) changes_.rest(ImGui::GetTime());
  const bool menu = ImGui::IsPopupOpen("", ImGuiPopupFlags_AnyPopup);
  if (c.keys.first() == Key::none || take_window_key(c.keys)) return;
  if (help_) {
    if (c.keys.take(Key::escape)) help_ = false;
    c.keys.drop();
  } else if (!menu && ImGui::GetIO().WantTextInput) {
    // Dear ImGui knows two frames later whether this has ended it.
    if (c.keys.first() == Key::enter || c.keys.first() == Key::escape) c.keys.hold();
    c.keys.drop();
  } else if (menu || c.keys.first() == Key::open_model || c.keys.first() == Key::open_clip) {
    c.keys.hold();  // a menu, drawn below, takes it: it may open or close
  } else if (!take_sound_key(c) && !take_panel_key(c.keys) && !take_undo_key(c.keys) &&
             !take_focus_key(c.keys)) {
    take_time_key(c.keys);
  }
}

void Shell::draw_top(Context& c, float right) {
  const float y = c.u(8);
  float x = c.u(14);
  const float field = std::clamp((right - c.u(898)) / 2, c.u(112), c.u(260));
  x = files_.draw(c, ImVec2(x, y), field) + c.u(12);
  x = draw_transport(c, ImVec2(x, y));
  draw_meter(c, ImVec2(x + c.u(18), y), right - c.u(10));
}

void Shell::draw_plots(Context& c, ImVec2 min, ImVec2 max) {
  c.panel_left = min.x;
  c.plot_left = std::floor(min.x + c.u(82) + SelectivityStrips::width(c));
  c.plot_right = std::floor(max.x);
  timeline_.resize(static_cast<int>(c.plot_right - c.plot_left));
  c.view = timeline_.view();

  const float ruler = c.u(26);
  draw_ruler(c, min.y, min.y + ruler);
  const float gap = c.u(5);
  const float shares[] = {0.20F, 0.12F, 0.19F, 0.25F, 0.24F};
  const float with_bars[] = {0.18F, 0.10F, 0.15F, 0.25F, 0.32F};
  const float free = max.y - min.y - ruler - 4 * gap;
  float y = min.y + ruler;
  const auto next = [&](std::size_t i) {
    const float top = std::floor(y);
    y += free * (settings_.ablation ? with_bars : shares)[i] + gap;
    return std::pair(top, std::floor(y - gap));
  };
  const auto [w0, w1] = next(0);
  waveform_.draw(c, w0, w1);
  const auto [s0, s1] = next(1);
  surprise_.draw(c, s0, s1);
  const auto [f0, f1] = next(2);
  spectrogram_.draw(c, f0, f1);
  const auto [l0, l1] = next(3);
  layers_.draw(c, l0, l1);
  const auto [d0, d1] = next(4);
  if (settings_.ablation) {
    ablation_.draw(c, d0, d1);
  } else {
    channels_.draw(c, d0, d1);
  }
  if (!c.has_model() && status_.activity == Activity::empty) {
    draw_text(*ImGui::GetWindowDrawList(), theme_.body,
              ImVec2((c.plot_left + c.plot_right) / 2, (w0 + header_height(c) + w1) / 2), 0.5F,
              0.5F, colour::dim,
              "No model is open: choose one above, or drop a .safetensors file onto the window");
  }
  if (c.cursor >= 0) {
    const float x = c.plot_left + static_cast<float>(c.cursor);
    ImGui::GetWindowDrawList()->AddRectFilled(ImVec2(x, min.y + ruler), ImVec2(x + 1, max.y),
                                              IM_COL32(255, 255, 255, 90));
  }
}

void Shell::draw(double seconds) {
  fetch(seconds);
  Context c = context();
  c.latency_offer = settings_.raise_latency ? std::nullopt : latency_keeper_.advice();
  c.hand_ms = 500 * frame_s_;
  handle_keys(c);
  controls_.selectivity().look(c);
  ablation_.look(c);
  controls_.input().look(c);
  const ImVec2 display = ImGui::GetIO().DisplaySize;
  ImGui::SetNextWindowPos(ImVec2(0, 0));
  ImGui::SetNextWindowSize(display);
  ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, ImVec2(0, 0));
  ImGui::Begin("mambo", nullptr,
               ImGuiWindowFlags_NoDecoration | ImGuiWindowFlags_NoMove |
                   ImGuiWindowFlags_NoBringToFrontOnFocus | ImGuiWindowFlags_NoScrollWithMouse |
                   ImGuiWindowFlags_NoSavedSettings | ImGuiWindowFlags_NoBackground);
  ImGui::PopStyleVar();
  ImGui::PushFont(theme_.body);
  const float top = c.u(68);
  const float bottom = display.y - c.u(28);
  const float side = display.x - c.u(236);
  ImDrawList& list = *ImGui::GetWindowDrawList();
  list.AddRectFilled(ImVec2(0, 0), ImVec2(display.x, top), colour::panel);
  list.AddRectFilled(ImVec2(side, top), ImVec2(display.x, bottom), colour::panel);
  list.AddRectFilled(ImVec2(0, top - 1), ImVec2(display.x, top), colour::line);
  list.AddRectFilled(ImVec2(side, top), ImVec2(side + 1, bottom), colour::line);
  draw_top(c, display.x);
  draw_plots(c, ImVec2(c.u(14), top + c.u(2)), ImVec2(side - c.u(12), bottom - c.u(8)));
  controls_.draw(c, ImVec2(side + 1, top), ImVec2(display.x, bottom));
  status_line_.draw(c, ImVec2(0, bottom), ImVec2(display.x, display.y));
  list.AddRectFilled(ImVec2(0, bottom), ImVec2(display.x, bottom + 1), colour::line);
  ImGui::PopFont();
  ImGui::End();
  leftovers_.draw(c, bottom - c.u(12));
  if (help_ && draw_help(c)) help_ = false;
  keys_.end_frame();
}

}  // namespace mambo::gui
