// mambo controls: the table of everything that can be changed, for people and for programs.
#include <fmt/core.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/options.h"
#include "app/cli/say.h"

namespace mambo {
namespace {

using Json = nlohmann::ordered_json;

// A whole number as one; the 64-bit one exactly.
Json value_json(const ControlSpec& spec, const ControlValue& value) {
  if (spec.kind == ControlKind::trigger) return nullptr;
  if (spec.kind == ControlKind::whole64) return value.whole;
  if (spec.kind == ControlKind::real || spec.kind == ControlKind::impulse) return value.real;
  return static_cast<std::int64_t>(value.real);
}

Json spec_json(const ControlSpec& spec) {
  const bool whole64 = spec.kind == ControlKind::whole64;
  Json j;
  j["key"] = spec.key;
  j["label"] = spec.label;
  j["kind"] = kind_name(spec.kind);
  j["scope"] = scope_name(spec.scope);
  j["unit"] = spec.unit;
  j["min"] = value_json(spec, {spec.min, 0});
  j["max"] = value_json(spec, {spec.max, UINT64_MAX});
  j["default"] = value_json(spec, spec.normal);
  j["off"] = spec.off ? value_json(spec, {*spec.off, 0}) : Json(nullptr);
  j["taper"] = taper_name(spec.taper);
  if (spec.taper == Taper::knee || spec.taper == Taper::logarithmic_from_zero) {
    j["knee"] = spec.knee;
  }
  j["step"] = whole64 ? Json(1) : Json(spec.step);
  j["ramps"] = spec.ramps() && (spec.scope == Scope::voice || spec.scope == Scope::layer);
  if (spec.has_targets()) j["targets"] = target_words;
  j["help"] = spec.help;
  return j;
}

std::string normal_text(const ControlSpec& spec) {
  if (spec.kind == ControlKind::trigger) return "";
  if (spec.kind == ControlKind::whole64) return fmt::format("{}", spec.normal.whole);
  return fmt::format("{}", spec.normal.real);
}

int list_controls(bool json) {
  if (json) {
    Json all = Json::array();
    for (const ControlSpec& spec : kControlTable) all.push_back(spec_json(spec));
    Json j;
    j["controls"] = std::move(all);
    write_output(json_line(j));
    return 0;
  }
  constexpr std::size_t help_width = 96;
  put("{:<12} {:<8} {:<18} {}\n", "control", "scope", "range", "default");
  for (const ControlSpec& spec : kControlTable) {
    std::string range = spec.happens() ? "happens" : range_text(spec);
    if (spec.kind == ControlKind::impulse) range += ", " + range_text(spec);
    put("{:<12} {:<8} {:<18} {}\n", spec.key, scope_name(spec.scope), range, normal_text(spec));
    std::string help = wrapped(spec.help, help_width);
    for (std::size_t at = 0; (at = help.find('\n', at)) != std::string::npos; at += 5) {
      help.replace(at, 1, "\n    ");
    }
    put("    {}\n", help);
  }
  return 0;
}

}  // namespace

void add_controls(CLI::App& app, Run& run) {
  CLI::App* sub = app.add_subcommand("controls", "everything that can be changed while it plays");
  auto json = std::make_shared<bool>(false);
  sub->add_flag("--json", *json, "one line of JSON: ranges, units, defaults, scopes, helps");
  sub->footer(
      "\nscope: voice is what is drawn, layer the memory of a target's layers, output the sound "
      "after it\n"
      "was drawn, session the rest. A target is all, a tier (tier0 is the outermost) or a layer, "
      "by "
      "the\n"
      "names of `mambo info`: --set hold_B.tier1=1, --set delta_scale.down.0.1=0.5.\n"
      "Options, sliders, settings and performances have these names and ranges.\n"
      "\nExamples:\n"
      "  mambo controls\n"
      "  mambo controls --json");
  sub->callback([&run, json] { run = [json] { return list_controls(*json); }; });
}

}  // namespace mambo
