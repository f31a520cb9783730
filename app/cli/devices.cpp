// mambo devices: audio outputs, inputs and compute devices.
#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "app/audio/audio_device.h"
#include "app/audio/audio_input.h"
#include "app/cli/commands.h"
#include "app/cli/options.h"
#include "app/cli/say.h"

namespace mambo {
namespace {

using Json = nlohmann::ordered_json;

Json audio_json(const std::vector<AudioDeviceInfo>& devices) {
  Json list = Json::array();
  for (const AudioDeviceInfo& d : devices) {
    list.push_back({{"name", d.name},
                    {"host_api", d.host_api},
                    {"channels", d.channels},
                    {"default_rate_hz", d.default_rate},
                    {"low_latency_ms", 1e3 * d.low_latency_s},
                    {"high_latency_ms", 1e3 * d.high_latency_s},
                    {"default", d.is_default}});
  }
  return list;
}

Json devices_json() {
  Json j;
  j["audio"] = audio_json(list_audio_devices());
  j["audio_inputs"] = audio_json(list_audio_inputs());
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

void print_audio(const std::vector<AudioDeviceInfo>& devices, const char* none) {
  if (devices.empty()) put("  none: {}\n", none);
  for (const AudioDeviceInfo& d : devices) {
    put("{} {}\n    {}, {} channels, {:.0f} Hz, latency {:.1f} to {:.1f} ms\n",
        d.is_default ? "*" : " ", d.name, d.host_api, d.channels, d.default_rate,
        1e3 * d.low_latency_s, 1e3 * d.high_latency_s);
  }
}

void print_devices() {
  put("Audio outputs\n");
  print_audio(list_audio_devices(), "there is no sound card here. mambo render works without one.");
  put("Audio inputs\n");
  print_audio(list_audio_inputs(), "there is nothing to listen to.");
  put("Compute\n");
  for (const ComputeDevice& d : compute_devices()) print_compute_device(d);
}

}  // namespace

void add_devices(CLI::App& app, Run& run) {
  CLI::App* sub =
      app.add_subcommand("devices", "audio outputs, inputs and compute devices of this machine");
  auto json = std::make_shared<bool>(false);
  sub->add_flag("--json", *json, "one line of JSON");
  sub->footer(
      "\nExample:\n  mambo devices\nA * marks the output used unless --device says otherwise, and "
      "the input\nthat --input default means.");
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
