#include "app/gui/control_words.h"

#include <cstdio>
#include <cstdlib>

namespace mambo::gui {
namespace {

// printf's; the table's formats take one double.
std::array<char, 64> printed(const char* format, double value) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), format, value);
  return text;
}

}  // namespace

Words value_words(const ControlSpec& spec, double value) {
  if (spec.off == value) return Words("off");
  return Words("{}", printed(spec.format, value).data());
}

double as_shown(const ControlSpec& spec, double value) {
  return clamped(spec, {std::strtod(printed(spec.format, value).data(), nullptr), 0}).real;
}

double own_value(const ControlSpec& spec, const ControlChoice& model) {
  return resolve(spec, {}, {}, model).real;
}

Words control_tip(const ControlSpec& spec, const ControlChoice& model, const Useful& useful) {
  Words range;
  if (useful) {
    range = Words(" Useful here: {} to {}.", value_words(spec, useful->from).c_str(),
                  value_words(spec, useful->to).c_str());
  }
  return Words("{}{} Double click: {}{}. Ctrl-click: type a value.", spec.help, range.c_str(),
               value_words(spec, own_value(spec, model)).c_str(),
               model[spec.id] ? ", this model's own" : "");
}

}  // namespace mambo::gui
