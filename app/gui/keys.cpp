#include "app/gui/keys.h"

#define GLFW_INCLUDE_NONE
#include <GLFW/glfw3.h>
#include <fmt/core.h>

#include <algorithm>
#include <utility>

namespace mambo::gui {
namespace {

constexpr int ctrl = GLFW_MOD_CONTROL;
constexpr int shift = GLFW_MOD_SHIFT;
constexpr int any_shift = -1;  // a character that some keyboards write with Shift

struct Binding {
  Key key;
  int code;
  int modifiers;  // all of them; of several bindings of a key, the first is the one to be shown
  bool repeats = false;  // while held
  bool shown = true;     // in words; not where another stands for it
};

constexpr std::array bindings{
    Binding{Key::play, GLFW_KEY_SPACE, 0},
    Binding{Key::again, GLFW_KEY_R, 0},
    Binding{Key::record, GLFW_KEY_R, ctrl},
    Binding{Key::audition, GLFW_KEY_A, 0},
    Binding{Key::freeze, GLFW_KEY_Z, 0},
    Binding{Key::forget, GLFW_KEY_X, 0},
    Binding{Key::listen, GLFW_KEY_L, 0},
    Binding{Key::keep_heard, GLFW_KEY_L, ctrl},
    Binding{Key::preview, GLFW_KEY_SPACE, ctrl},
    Binding{Key::louder, GLFW_KEY_PAGE_UP, 0, true},
    Binding{Key::quieter, GLFW_KEY_PAGE_DOWN, 0, true},
    Binding{Key::undo, GLFW_KEY_Z, ctrl, true},
    Binding{Key::redo, GLFW_KEY_Z, ctrl | shift, true},
    Binding{Key::redo, GLFW_KEY_Y, ctrl, true},
    Binding{Key::open_model, GLFW_KEY_M, ctrl},
    Binding{Key::open_clip, GLFW_KEY_O, ctrl},
    Binding{Key::ablation, GLFW_KEY_B, 0},
    Binding{Key::follow, GLFW_KEY_F, 0},
    Binding{Key::left, GLFW_KEY_LEFT, 0, true},
    Binding{Key::right, GLFW_KEY_RIGHT, 0, true},
    Binding{Key::up, GLFW_KEY_UP, 0, true},
    Binding{Key::down, GLFW_KEY_DOWN, 0, true},
    Binding{Key::next, GLFW_KEY_TAB, 0, true},
    Binding{Key::previous, GLFW_KEY_TAB, shift, true},
    Binding{Key::enter, GLFW_KEY_ENTER, 0},
    Binding{Key::enter, GLFW_KEY_KP_ENTER, 0, false, false},
    Binding{Key::escape, GLFW_KEY_ESCAPE, 0},
    Binding{Key::bigger, GLFW_KEY_EQUAL, any_shift, true},
    Binding{Key::bigger, '+', any_shift, true, false},
    Binding{Key::bigger, GLFW_KEY_KP_ADD, ctrl, true, false},
    Binding{Key::smaller, GLFW_KEY_MINUS, any_shift, true},
    Binding{Key::smaller, GLFW_KEY_KP_SUBTRACT, ctrl, true, false},
    Binding{Key::normal_size, GLFW_KEY_0, ctrl},
    Binding{Key::normal_size, GLFW_KEY_KP_0, ctrl, false, false},
    Binding{Key::full_screen, GLFW_KEY_F11, 0},
    Binding{Key::help, GLFW_KEY_F1, 0},
    Binding{Key::quit, GLFW_KEY_Q, ctrl},
};

constexpr Key none = Key::none;
constexpr std::array lines{
    KeyHelp{"Sound", {Key::play, none, none, none}, "", "plays, pauses (with a fade)"},
    KeyHelp{"Sound",
            {Key::again, none, none, none},
            "",
            "starts again from the end of the clip, at once: the state was kept"},
    KeyHelp{"Sound", {Key::record, none, none, none}, "", "records what is drawn; stops recording"},
    KeyHelp{"Sound",
            {Key::audition, none, none, none},
            "",
            "plays the clip, while the model waits; once more stops it"},
    KeyHelp{"Sound",
            {Key::freeze, none, none, none},
            "",
            "while held, memory stands still: nothing fades, nothing is written"},
    KeyHelp{"Sound", {Key::forget, none, none, none}, "", "empties memory, at once"},
    KeyHelp{"Sound",
            {Key::listen, none, none, none},
            "",
            "while held, the model listens to the input; then it answers. A short press goes on "
            "until the next"},
    KeyHelp{"Sound",
            {Key::keep_heard, none, none, none},
            "",
            "keeps the last minute of the input as a clip"},
    KeyHelp{"Sound", {Key::louder, Key::quieter, none, none}, "", "level up, level down, by 1 dB"},
    KeyHelp{"Files", {Key::open_model, none, none, none}, "", "opens the menu of models"},
    KeyHelp{"Files", {Key::open_clip, none, none, none}, "", "opens the menu of clips"},
    KeyHelp{"Files",
            {Key::preview, none, none, none},
            "",
            "in a menu of clips: plays the one that is lit; once more stops it"},
    KeyHelp{"Files",
            {none, none, none, none},
            "a file dropped anywhere",
            "opens a model (`.safetensors`, a folder) or a clip (anything else)"},
    KeyHelp{"Controls",
            {Key::next, Key::previous, none, none},
            "",
            "goes to the next control, to the one before"},
    KeyHelp{"Controls",
            {Key::left, Key::right, Key::up, Key::down},
            "",
            "from a control: to the one beside it; left and right move a slider by a step"},
    KeyHelp{"Controls",
            {Key::enter, none, none, none},
            "Ctrl+click",
            "types a value; on a button, Enter presses it"},
    KeyHelp{"Controls", {none, none, none, none}, "double click", "returns to the default"},
    KeyHelp{"Controls",
            {none, none, none, none},
            "drag on the strip beside a row of \u0394",
            "how fast the layer's memory runs, and how far it stands still; with Shift its tier, "
            "with Ctrl all"},
    KeyHelp{"Controls",
            {Key::undo, Key::redo, none, none},
            "",
            "undoes, repeats a change of a control; a drag is one change"},
    KeyHelp{"Controls",
            {Key::escape, none, none, none},
            "",
            "closes a menu, leaves a control, this help or the full screen"},
    KeyHelp{"Time axis",
            {Key::follow, none, none, none},
            "double click on a plot",
            "follows the sound again"},
    KeyHelp{"Time axis",
            {Key::up, Key::down, none, none},
            "wheel",
            "zooms around the pointer, from a minute down to 24 samples"},
    KeyHelp{"Time axis", {Key::left, Key::right, none, none}, "drag", "moves through the past"},
    KeyHelp{"Window",
            {Key::ablation, none, none, none},
            "",
            "shows what \u0394, B and C are worth on the clip, in place of the channels; hides it"},
    KeyHelp{
        "Window", {Key::bigger, Key::smaller, Key::normal_size, none}, "", "size of everything"},
    KeyHelp{"Window", {Key::full_screen, none, none, none}, "", "full screen"},
    KeyHelp{"Window", {Key::help, none, none, none}, "", "shows all keys"},
    KeyHelp{"Window", {Key::quit, none, none, none}, "", "closes the window"},
};

std::string code_words(int code) {
  switch (code) {
    case GLFW_KEY_SPACE:
      return "Space";
    case GLFW_KEY_ENTER:
      return "Enter";
    case GLFW_KEY_ESCAPE:
      return "Escape";
    case GLFW_KEY_TAB:
      return "Tab";
    case GLFW_KEY_PAGE_UP:
      return "Page Up";
    case GLFW_KEY_PAGE_DOWN:
      return "Page Down";
    case GLFW_KEY_LEFT:
      return "\u2190";
    case GLFW_KEY_RIGHT:
      return "\u2192";
    case GLFW_KEY_UP:
      return "\u2191";
    case GLFW_KEY_DOWN:
      return "\u2193";
    case GLFW_KEY_EQUAL:
      return "+";
    case GLFW_KEY_MINUS:
      return "\u2212";
    default:
      break;
  }
  if (code >= GLFW_KEY_F1 && code <= GLFW_KEY_F25)
    return fmt::format("F{}", code - GLFW_KEY_F1 + 1);
  return {static_cast<char>(code)};  // a letter, a digit: GLFW numbers them as ASCII does
}

std::string binding_words(const Binding& b) {
  std::string words;
  if (b.modifiers == any_shift || (b.modifiers & ctrl) != 0) words += "Ctrl+";
  if (b.modifiers != any_shift && (b.modifiers & shift) != 0) words += "Shift+";
  return words + code_words(b.code);
}

bool fits(const Binding& b, const KeyPress& press) {
  if (b.code != press.code || (press.repeats && !b.repeats)) return false;
  if (b.modifiers == any_shift) return (press.modifiers & ~shift) == ctrl;
  return b.modifiers == press.modifiers;
}

}  // namespace

std::span<const KeyHelp> key_help() { return lines; }

int key_code(Key key) {
  const auto* found = std::find_if(bindings.begin(), bindings.end(),
                                   [key](const Binding& b) { return b.key == key; });
  return found == bindings.end() ? 0 : found->code;
}

std::string key_words(Key key) {
  std::string words;
  for (const Binding& b : bindings) {
    if (b.key != key || !b.shown) continue;
    if (!words.empty()) words += " or ";
    words += binding_words(b);
  }
  return words;
}

std::string key_words(const KeyHelp& line) {
  std::string words;
  for (const Key key : line.keys) {
    if (key == Key::none) break;
    if (!words.empty()) words += ", ";
    words += key_words(key);
  }
  if (line.pointer[0] == '\0') return words;
  return words.empty() ? line.pointer : fmt::format("{}, {}", words, line.pointer);
}

std::string key_table() {
  std::string table;
  const char* section = "";
  for (const KeyHelp& line : key_help()) {
    const bool begins = std::string_view(section) != line.section;
    section = line.section;
    table += fmt::format("| {} | {} | {} |\n", begins ? section : "", key_words(line), line.does);
  }
  return table;
}

Key key_of(const KeyPress& press) {
  KeyPress p = press;
  p.modifiers &= GLFW_MOD_CONTROL | GLFW_MOD_SHIFT | GLFW_MOD_ALT | GLFW_MOD_SUPER;  // no locks
  const auto* found =
      std::find_if(bindings.begin(), bindings.end(), [&p](const Binding& b) { return fits(b, p); });
  return found == bindings.end() ? Key::none : found->key;
}

int Keys::take_all(Key key) {
  if (first() != key) return 0;
  return std::exchange(times_, 0);
}

void Keys::end_frame() {
  times_ = 0;
  if (hold_ > 0) --hold_;
}

std::vector<KeyEvent> KeyTrickle::next_frame(bool hold) {
  std::vector<KeyEvent> now;
  int key = -1;  // pressed in this frame
  const auto is_modifier = [](int k) {
    return k >= GLFW_KEY_LEFT_SHIFT && k <= GLFW_KEY_RIGHT_SUPER;
  };
  for (; !waiting_.empty(); waiting_.pop_front()) {
    const KeyEvent& e = waiting_.front();
    const bool release = e.character == 0 && e.action == GLFW_RELEASE;
    if (hold && !release) break;
    if (key >= 0 && e.character == 0) {
      const bool repeats = e.action == GLFW_REPEAT && e.key == key;
      if (!repeats && !(release && e.key != key)) break;
    }
    const bool comes_back =
        e.character == 0 && !release &&
        std::any_of(now.begin(), now.end(), [&e](const KeyEvent& before) {
          return before.character == 0 && before.key == e.key && before.action == GLFW_RELEASE;
        });
    if (comes_back) break;  // it would seem to have been down all the time
    if (e.character == 0 && !release && !is_modifier(e.key)) key = e.key;
    now.push_back(e);
  }
  return now;
}

}  // namespace mambo::gui
