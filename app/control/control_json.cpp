#include "app/control/control_json.h"

#include <cstdint>

namespace mambo {

ControlValue json_control(const Json& value, const std::string& where, const ControlSpec& spec) {
  if (spec.kind == ControlKind::whole64) return {0, json_whole(value, where, spec.key, UINT64_MAX)};
  if (spec.kind == ControlKind::real || spec.kind == ControlKind::impulse) {
    return {json_real(value, where, spec.key, spec.min, spec.max), 0};
  }
  return {static_cast<double>(json_int(value, where, spec.key, static_cast<std::int64_t>(spec.min),
                                       static_cast<std::int64_t>(spec.max))),
          0};
}

Json settings_json(std::span<const LayerSetting> settings) {
  Json json = Json::object();
  for (const LayerSetting& s : settings) json[layer_setting_name(s)] = s.value;
  return json;
}

}  // namespace mambo
