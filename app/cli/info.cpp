// mambo info: a model's shape, cost and provenance.
#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <cmath>

#include "app/cli/commands.h"
#include "app/cli/options.h"
#include "app/cli/say.h"
#include "app/control/sampling_controls.h"
#include "model/horizon.h"
#include "model/json_text.h"
#include "model/message.h"
#include "model/moment_file.h"

namespace mambo {
namespace {

struct InfoOptions {
  ModelOptions model;
  ComputeOptions compute;
  bool json = false;
};

std::string bytes_text(double bytes) {
  if (bytes >= 1e6) return fmt::format("{:.2f} MB", bytes / 1e6);
  return fmt::format("{:.1f} kB", bytes / 1e3);
}

// A time from microseconds to minutes, with three digits.
std::string time_text(double s) {
  if (s < 1e-3) return fmt::format("{:.3g} us", s * 1e6);
  if (s < 1) return fmt::format("{:.3g} ms", s * 1e3);
  return fmt::format("{:.3g} s", s);
}

// The mixer of a tier's layers: "s6, N = 16", "s4d, M = 8", "s4d, M = 3 to 8".
std::string mixer_text(const NetworkView& net, int tier) {
  int least = 0;
  int most = 0;
  Mixer mixer = Mixer::s6;
  for (const LayerView& l : net.layers) {
    if (l.tier != tier) continue;
    mixer = l.mixer();
    least = most == 0 ? l.states() : std::min(least, l.states());
    most = std::max(most, l.states());
  }
  if (most == 0) return "-";  // a tier may be without blocks
  const char* letter = mixer_info(mixer).state_parts == 1 ? "N" : "M";  // real, complex
  return least == most ? fmt::format("{}, {} = {}", mixer_name(mixer), letter, most)
                       : fmt::format("{}, {} = {} to {}", mixer_name(mixer), letter, least, most);
}

bool any_s4d(const NetworkView& net) {
  return std::any_of(net.layers.begin(), net.layers.end(),
                     [](const LayerView& l) { return l.mixer() == Mixer::s4d; });
}

// "temperature 0.95, top k off, top p 0.98", and of the later ones those that act.
std::string sampling_text(const SamplingParams& p) {
  std::string text = fmt::format("temperature {:g}", p.temperature);
  for (const ControlId id : kSamplingControls) {
    const ControlSpec& spec = control_spec(id);
    const double value = sampling_value(p, id);
    const bool off = spec.off && value == *spec.off;
    if (id == ControlId::temperature) continue;
    if (off && id != ControlId::top_k && id != ControlId::top_p) continue;
    std::string name = spec.label;
    name.front() = static_cast<char>(std::tolower(static_cast<unsigned char>(name.front())));
    text += fmt::format(", {} {}", name, off ? "off" : fmt::format("{:.6g}", value));
  }
  return text;
}

Json info_json(const Model& model, const std::string& engine) {
  const Config& c = model.config();
  const NetworkView& net = model.network();
  const ModelStats& stats = model.stats();
  Json j;
  j["name"] = c.name;
  j["path"] = model.path().string();
  j["sha256"] = model.hash();
  j["file_bytes"] = stats.file_bytes;
  j["sample_rate_hz"] = c.sample_rate;
  j["encoding"] = encoding_name(c.encoding);
  j["vocab_size"] = net.vocab;
  j["d_state"] = net.d_state;
  j["d_conv"] = net.d_conv;
  j["parameters"] = stats.parameters;
  j["weight_bytes_half"] = stats.parameters * 2;
  j["weight_bytes_f32"] = stats.parameters * 4;
  j["state_bytes"] = stats.state_bytes;
  j["multiply_adds_per_sample_mean"] = stats.macs_per_sample_mean;
  j["multiply_adds_per_sample_worst"] = stats.macs_per_sample_worst;
  j["stride_samples"] = stats.stride;
  j["stride_ms"] = 1e3 * stats.stride / c.sample_rate;
  j["tiers"] = Json::array();
  for (std::size_t s = 0; s < net.tiers.size(); ++s) {
    const TierView& tier = net.tiers[s];
    Json t;
    t["mixer"] = mixer_name(c.mixer(static_cast<int>(s)));
    t["width"] = tier.width;
    t["d_inner"] = tier.d_inner;
    t["stride_samples"] = tier.stride;
    t["step_ms"] = 1e3 * tier.stride / c.sample_rate;
    t["pool"] = tier.pool;
    t["layers"] = tier.down_end - tier.down_begin + tier.up_end - tier.up_begin;
    j["tiers"].push_back(t);
  }
  j["layers"] = Json::array();
  for (const LayerView& layer : net.layers) {
    const HorizonQuantiles q = resting_horizon(net, layer, c.sample_rate);
    j["layers"].push_back({{"name", layer.name},
                           {"tier", layer.tier},
                           {"mixer", mixer_name(layer.mixer())},
                           {"time_invariant", layer.time_invariant()},
                           {"states", layer.states()},  // per channel; of s4d complex ones
                           {"dt_rank", layer.dt_rank()},
                           {"horizon_seconds_p05", q.p05},
                           {"horizon_seconds_p50", q.p50},
                           {"horizon_seconds_p95", q.p95}});
  }
  for (const ControlId id : kSamplingControls) {
    const ControlSpec& spec = control_spec(id);
    // Through text, so that 0.9F is written as 0.9, not 0.89999998.
    j["sampling"][spec.key] =
        Json::parse(fmt::format("{}", static_cast<float>(sampling_value(c.sampling, id))));
    if (spec.kind == ControlKind::integer) j["sampling"][spec.key] = c.sampling.top_k;
  }
  j["ranges"] = Json::object();
  if (c.temperature_range) {
    j["ranges"]["temperature"] = {c.temperature_range->from, c.temperature_range->to};
  }
  j["engine"] = engine;
  j["about"] = c.about.empty() ? Json(nullptr) : parse_json(c.about, "about");
  return j;
}

void print_info(const Model& model, const std::string& engine) {
  const Config& c = model.config();
  const NetworkView& net = model.network();
  const ModelStats& stats = model.stats();
  put("{}  {}\n", c.name.empty() ? "(no name)" : c.name, model.path().string());
  put("  sha256      {}\n", model.hash());
  put("  sound       {} Hz, {}, {} codes\n", c.sample_rate, encoding_name(c.encoding), net.vocab);
  put("  parameters  {}  ({} on disk)\n", grouped(stats.parameters),
      bytes_text(static_cast<double>(stats.file_bytes)));
  put("  memory      weights {} (half) or {} (f32), one stream's state {}\n",
      bytes_text(2.0 * static_cast<double>(stats.parameters)),
      bytes_text(4.0 * static_cast<double>(stats.parameters)),
      bytes_text(static_cast<double>(stats.state_bytes)));
  put("  per sample  {} multiply-adds on average, {} when every tier steps\n",
      grouped(static_cast<std::uint64_t>(std::llround(stats.macs_per_sample_mean))),
      grouped(stats.macs_per_sample_worst));
  put("              {:.2f} G multiply-adds per second of sound\n",
      stats.macs_per_sample_mean * c.sample_rate / 1e9);
  put("  stride      the innermost tier steps every {} ({})\n",
      stats.stride == 1 ? "sample" : fmt::format("{} samples", stats.stride),
      time_text(static_cast<double>(stats.stride) / c.sample_rate));
  put("  sampling    {}\n", sampling_text(c.sampling));
  if (c.temperature_range) {
    put("              useful temperatures {:g} to {:g}\n", c.temperature_range->from,
        c.temperature_range->to);
  }
  put("  engine      {}\n", engine);
  put("  block       convolution over {} steps; mixer s6: N states per channel, selective",
      net.d_conv);
  if (any_s4d(net)) put(";\n              s4d: M complex states per channel, time-invariant");
  put("\n\n  tier   width  d_inner   layers   pool   mixer           a step is\n");
  for (std::size_t s = 0; s < net.tiers.size(); ++s) {
    const TierView& t = net.tiers[s];
    const std::string layers =
        t.up_end > t.up_begin
            ? fmt::format("{} + {}", t.down_end - t.down_begin, t.up_end - t.up_begin)
            : std::to_string(t.down_end - t.down_begin);
    put("  {:>4}  {:>6}  {:>7}  {:>7}  {:>5}   {:<15} {} sample{}, {}\n", s, t.width, t.d_inner,
        layers, t.pool > 0 ? std::to_string(t.pool) : "-", mixer_text(net, static_cast<int>(s)),
        t.stride, t.stride == 1 ? "" : "s",
        time_text(static_cast<double>(t.stride) / c.sample_rate));
  }
  put("\n  memory horizon of the states at rest (delta = softplus of its bias{})\n",
      any_s4d(net) ? "; of s4d always: exp(log_dt)" : "");
  put("  layer        shortest 5 %   median      longest 5 %\n");
  for (const LayerView& layer : net.layers) {
    const HorizonQuantiles q = resting_horizon(net, layer, c.sample_rate);
    put("  {:<12} {:<14} {:<11} {}\n", layer.name, time_text(q.p05), time_text(q.p50),
        time_text(q.p95));
  }
  if (c.about.empty()) {
    put("\n  about: the file does not say how it was made\n");
  } else {
    const Json about = parse_json(c.about, "about");
    put("\n  about\n");
    if (about.is_object()) {
      for (const auto& [key, value] : about.items()) {
        const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
        put("    {}: {}\n", printable(key), printable(text, text.size()));
      }
    } else {
      put("    {}\n", printable(c.about, c.about.size()));
    }
  }
}

int tell_moment(const std::filesystem::path& path, bool json) {
  const MomentFacts m = moment_facts(path);
  if (json) {
    Json j;
    j["moment"] = path.string();
    j["name"] = m.name;
    j["model_name"] = m.model_name;
    j["model_sha256"] = m.model_sha256;
    j["sample_rate_hz"] = m.sample_rate;
    j["position"] = m.position;
    j["rng_seed"] = m.rng_seed;
    j["drawn"] = m.drawn;
    j["mambo_version"] = m.version;
    write_output(json_line(j));
    return 0;
  }
  put("{}  a moment of {}\n", path.string(), printable(m.model_name));
  if (!m.name.empty()) put("  name        {}\n", printable(m.name));
  put("  model       sha256 {}\n", m.model_sha256);
  put("  stands      {} samples from the beginning of its clip ({:.2f} s at {} Hz)\n",
      grouped(m.position), static_cast<double>(m.position) / m.sample_rate, m.sample_rate);
  put("  random      seed {}, {} drawn\n", m.rng_seed, grouped(m.drawn));
  put("  made by     mambo {}\n", printable(m.version));
  put("\nmambo render --moment FILE continues it; the window loads it into a slot.\n");
  return 0;
}

}  // namespace

void add_info(CLI::App& app, Run& run) {
  CLI::App* sub =
      app.add_subcommand("info", "describe a model: tiers, parameters, cost, provenance");
  auto o = std::make_shared<InfoOptions>();
  CLI::Option* file = sub->add_option("file", o->model.model, "the model: as with --model");
  add_model_options(*sub, o->model);
  file->type_name("PATH")->check(a_name())->excludes(sub->get_option("--model"));
  add_compute_options(*sub, o->compute);
  sub->add_flag("--json", o->json, "one line of JSON");
  sub->footer(
      "\nThe engine is the one that would run this model here, with these --backend and "
      "--weights.\n"
      "\nExamples:\n"
      "  mambo info my.safetensors\n"
      "  mambo info --backend cuda --json");
  sub->callback([&run, o] {
    run = [o] {
      if (is_moment_file(o->model.model)) return tell_moment(o->model.model, o->json);
      const auto model = open_model(o->model);
      std::string notice;
      const std::string engine = describe_engine(model->network(), o->compute.backend,
                                                 engine_options(o->compute), &notice);
      tell_notice(notice);
      if (o->json) {
        write_output(json_line(info_json(*model, engine)));
      } else {
        print_info(*model, engine);
      }
      return 0;
    };
  });
}

}  // namespace mambo
