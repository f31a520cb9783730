#include "app/control/choice.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "app/control/sampling_controls.h"
#include "kernels/error.h"
#include "model/message.h"

namespace mambo {
namespace {

bool may_be_said(const ControlSpec& spec, std::span<const Scope> scopes) {
  return !spec.happens() && spec.id != ControlId::playing &&
         std::find(scopes.begin(), scopes.end(), spec.scope) != scopes.end();
}

}  // namespace

void ControlChoice::say(const SamplingParams& sampling) {
  for (const ControlId id : kSamplingControls) say(id, sampling_value(sampling, id));
}

ControlValue resolve(const ControlSpec& spec, const ControlChoice& command_line,
                     const ControlChoice& last, const ControlChoice& model) {
  for (const ControlChoice* choice : {&command_line, &last, &model}) {
    if (const auto& said = (*choice)[spec.id]) return *said;
  }
  return spec.normal;
}

ControlChoice resolve_for_model(const ControlChoice& command_line, const ControlChoice& last,
                                const ControlChoice& model) {
  ControlChoice out;
  for (const ControlSpec& spec : kControlTable) {
    if (command_line[spec.id] || last[spec.id] || model[spec.id]) {
      out[spec.id] = resolve(spec, command_line, last, model);
    }
  }
  out.layers = last.layers;
  out.layers.insert(out.layers.end(), command_line.layers.begin(), command_line.layers.end());
  return out;
}

SamplingParams resolve_sampling(const ControlChoice& command_line, const ControlChoice& last,
                                const ControlChoice& model) {
  return sampling_of(
      [&](ControlId id) { return resolve(control_spec(id), command_line, last, model).real; });
}

NamedControl parse_control_name(std::string_view name) {
  const std::size_t dot = name.find('.');
  const std::string_view key = name.substr(0, dot);
  NamedControl named;
  named.spec = find_control(key);
  if (named.spec == nullptr) {
    throw Error(fmt::format("expected a control of `mambo controls`, found {}",
                            printable(std::string(key))));
  }
  if (dot == std::string_view::npos) return named;
  if (!named.spec->has_targets()) {
    throw Error(fmt::format("{} has no layers or tiers: expected it without a target, found {}",
                            key, printable(std::string(name))));
  }
  const std::string target(name.substr(dot + 1));
  const std::optional<std::int16_t> parsed = parse_target(target);
  if (!parsed) {
    throw Error(fmt::format("{}: expected {}, found {}", key, target_words, printable(target)));
  }
  named.target = *parsed;
  return named;
}

std::string layer_setting_name(const LayerSetting& s) {
  const char* key = control_spec(s.id).key;
  return s.target == kAllTargets ? key : fmt::format("{}.{}", key, target_text(s.target));
}

void say_assignment(ControlChoice& choice, std::string_view assignment,
                    std::span<const Scope> scopes) {
  const std::size_t equals = assignment.find('=');
  if (equals == std::string_view::npos) {
    throw Error(fmt::format("expected CONTROL[.TARGET]=VALUE, found {}",
                            printable(std::string(assignment))));
  }
  const NamedControl named = parse_control_name(assignment.substr(0, equals));
  const ControlSpec& spec = *named.spec;
  if (!may_be_said(spec, scopes)) {
    std::string keys;
    for (const ControlSpec& s : kControlTable) {
      if (may_be_said(s, scopes)) keys += fmt::format("{}{}", keys.empty() ? "" : ", ", s.key);
    }
    throw Error(fmt::format("expected one of {}, found {}", keys, spec.key));
  }
  const std::string_view text = assignment.substr(equals + 1);
  const char* const end = text.data() + text.size();
  ControlValue value;
  const bool whole = spec.kind == ControlKind::whole64;
  const auto [stop, error] = whole ? std::from_chars(text.data(), end, value.whole)
                                   : std::from_chars(text.data(), end, value.real);
  if (error != std::errc() || stop != end || !in_range(spec, value)) {
    throw Error(fmt::format("{}: expected {}, found {}", spec.key, range_text(spec),
                            printable(std::string(text))));
  }
  if (spec.scope == Scope::layer) {
    choice.layers.push_back({spec.id, named.target, value.real});
  } else {
    choice[spec.id] = value;
  }
}

std::vector<LayerSetting> in_short(const std::vector<LayerSetting>& values) {
  std::vector<LayerSetting> out;
  for (const LayerSetting& v : values) {
    const auto replaced = [&](const LayerSetting& before) {
      return before.id == v.id && (v.target == kAllTargets || v.target == before.target);
    };
    out.erase(std::remove_if(out.begin(), out.end(), replaced), out.end());
    out.push_back(v);
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const LayerSetting& a, const LayerSetting& b) { return a.id < b.id; });
  // The first of a control, where it says of all what would hold anyway.
  const auto idle = [](const LayerSetting& v) {
    return v.target == kAllTargets && v.value == control_spec(v.id).normal.real;
  };
  out.erase(std::remove_if(out.begin(), out.end(), idle), out.end());
  return out;
}

}  // namespace mambo
