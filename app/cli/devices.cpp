// mambo devices: audio outputs and compute devices.
#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "app/audio/audio_device.h"
#include "app/cli/commands.h"
#include "app/cli/options.h"
#include "app/cli/say.h"

namespace mambo {
namespace {

using Json = nlohmann::ordered_json;

Json devices_json() {
  Json j;
  j["audio"] = Json::array();
  for (const AudioDeviceInfo& d : list_audio_devices()) {
    j["audio"].push_back({{"name", d.name},
                          {"host_api", d.host_api},
                          {"channels", d.channels},
                          {"default_rate_hz", d.default_rate},
                          {"low_latency_ms", 1e3 * d.low_latency_s},
                          {"high_latency_ms", 1e3 * d.high_latency_s},
                          {"default", d.is_default}});
  }
  j["compute"] = Json::array();
  for (const ComputeDevice& d : compute_devices()) {
    Json c = {{"backend", backend_name(d.backend)},
              {"name", d.name},
              {"capabilities", d.capabilities},
              {"memory_bytes", d.memory_bytes},
              {"usable", d.usable}};
    if (!d.usable) c["reason"] = d.reason;
    j["compute"].push_back(c);
  }
  return j;
}

void print_compute_device(const ComputeDevice& d) {
  std::string facts;
  const auto add = [&](const std::string& fact) {
    if (!fact.empty()) facts += (facts.empty() ? "" : ", ") + fact;
  };
  add(d.name);
  add(d.capabilities);
  if (d.memory_bytes > 0)
    add(fmt::format("{:.1f} GiB",
                    static_cast<double>(d.memory_bytes) / (1024.0 * 1024.0 * 1024.0)));
  if (d.usable)
    put("  {}: {}\n", backend_name(d.backend), facts);
  else if (facts.empty())
    put("  {}: none ({})\n", backend_name(d.backend), d.reason);
  else
    put("  {}: {} (not usable: {})\n", backend_name(d.backend), facts, d.reason);
}

void print_devices() {
  const std::vector<AudioDeviceInfo> audio = list_audio_devices();
  put("Audio outputs\n");
  if (audio.empty()) {
    put("  none: there is no sound card here. mambo render works without one.\n");
  }
  for (const AudioDeviceInfo& d : audio) {
    put("{} {}\n    {}, {} channels, {:.0f} Hz, latency {:.1f} to {:.1f} ms\n",
        d.is_default ? "*" : " ", d.name, d.host_api, d.channels, d.default_rate,
        1e3 * d.low_latency_s, 1e3 * d.high_latency_s);
  }
  put("Compute\n");
  for (const ComputeDevice& d : compute_devices()) print_compute_device(d);
}

}  // namespace

void add_devices(CLI::App& app, Run& run) {
  CLI::App* sub =
      app.add_subcommand("devices", "audio outputs and compute devices of this machine");
  auto json = std::make_shared<bool>(false);
  sub->add_flag("--json", *json, "one line of JSON");
  sub->footer(
      "\nExample:\n  mambo devices\nA * marks the output used unless --device says otherwise.");
  sub->callback([&run, json] {
    run = [json] {
      if (*json) {
        write_output(json_line(devices_json()));
      } else {
        print_devices();
      }
      return 0;
    };
  });
}

}  // namespace mambo
