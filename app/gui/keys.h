// Every key and gesture of the window, in one table: the help overlay, the tooltips, the status
// line and the table in docs/window.md are made from it. And the way of a press to what it does, on
// which none is lost.
//
// GUI thread only. Knows the numbers of GLFW's keys, but no window.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <vector>

namespace mambo::gui {

enum class Key : std::uint8_t {
  play,
  again,
  record,
  audition,
  freeze,
  forget,
  listen,
  keep_heard,
  preview,
  louder,
  quieter,
  undo,
  redo,
  open_model,
  open_clip,
  ablation,
  follow,
  left,
  right,
  up,
  down,
  next,      // control
  previous,  // control
  enter,
  escape,
  bigger,
  smaller,
  normal_size,
  full_screen,
  help,
  quit,
  none,
};

// One line of the help: what to press, or to do with the pointer, and what happens then.
struct KeyHelp {
  const char* section;
  std::array<Key, 4> keys;  // those that share the line; Key::none: no more
  const char* pointer;      // "wheel"; empty: no gesture
  const char* does;         // a sentence without its full stop, in the third person
};
std::span<const KeyHelp> key_help();

// "Space", "Ctrl+Shift+Z", "A or Ctrl+Space": what a key is bound to.
std::string key_words(Key key);
std::string key_words(const KeyHelp& line);  // of all its keys and its gesture
// The table of docs/window.md: rows of Markdown.
std::string key_table();

// GLFW's number of the key that it is bound to first: whether it is still held down.
int key_code(Key key);

// The modifiers that count, as GLFW numbers them.
struct KeyPress {
  int code = 0;  // GLFW's number; of a letter, the one that the user's keyboard writes
  int modifiers = 0;
  bool repeats = false;  // held down
};
// What a press means, or Key::none.
Key key_of(const KeyPress& press);

// What was pressed for this frame: one key, or one that repeats.
class Keys {
 public:
  void press(const KeyPress& press) {
    first_ = key_of(press);
    ++times_;
  }
  Key first() const { return times_ > 0 ? first_ : Key::none; }
  // True: it was pressed, once or more often, and is not reported again.
  bool take(Key key) { return take_all(key) > 0; }
  int take_all(Key key);
  void drop() { times_ = 0; }

  // What is pressed next may be meant for what a key of this frame brings up: a field to type into
  // listens to the keyboard from the next frame but one on.
  void hold() { hold_ = 3; }
  bool holds() const { return hold_ > 0; }
  void end_frame();

 private:
  Key first_ = Key::none;
  int times_ = 0;
  int hold_ = 0;  // frames
};

// Events of the keyboard, as they came. Dear ImGui 1.86 looks at what is down at each frame's
// start, so a frame gets one press, and the key's release another: none is lost, however long
// frames are, and each finds the window as the one before has left it.
struct KeyEvent {
  int key = 0, scancode = 0, action = 0, modifiers = 0;  // of GLFW's key callback
  unsigned character = 0;                                // or, if not 0, of its character callback
};
class KeyTrickle {
 public:
  void push(const KeyEvent& event) { waiting_.push_back(event); }
  bool empty() const { return waiting_.empty(); }
  // hold: nothing but releases.
  std::vector<KeyEvent> next_frame(bool hold);

 private:
  std::deque<KeyEvent> waiting_;
};

}  // namespace mambo::gui
