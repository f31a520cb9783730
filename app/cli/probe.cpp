// mambo probe: a model's internals while it absorbs a clip, as tensors for a notebook.
//
// One safetensors file: tokens [T] U8; logits [T,V] F32 (row t: after codes 0 ... t, from a zero
// state); and for each layer L, one row per step of its tier: L.delta [steps,d_inner], L.B and L.C
// [steps,N], L.horizon [steps,d_inner], L.h [steps,d_inner], all F32 or F16. Step k of a tier of
// stride s comes right after sample s(k+1)-1, so there are floor(T/s) steps. L.horizon is in
// seconds, of the state of each channel that remembers longest: stride / (sample_rate * delta *
// min_n |Re A|). L.h is the norm of each channel's state after the step. Of a time-invariant layer
// (s4d) delta and horizon repeat their constants, and there are no B and C. With --every, rows in
// between are left out.
// Past 400 lines: one command, and all that stands in its one file.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "app/cli/commands.h"
#include "app/cli/heat_map.h"
#include "app/cli/interrupt.h"
#include "app/cli/options.h"
#include "app/cli/probe_rows.h"
#include "app/cli/progress.h"
#include "app/cli/say.h"
#include "app/control/by_hand.h"
#include "app/control/control_json.h"
#include "app/files/png_file.h"
#include "app/files/standard_input.h"
#include "app/usage_error.h"
#include "model/ablation.h"
#include "model/horizon.h"

namespace mambo {
namespace {

namespace fs = std::filesystem;

struct ProbeOptions {
  ModelOptions model;
  ComputeOptions compute;
  ControlChoice controls;  // of layers
  fs::path audio, output, png;
  std::vector<std::string> layers, tensors = {"delta", "B", "C", "horizon"};
  double from_s = 0, to_s = 0;
  int every = 1;
  bool float16 = false, no_logits = false, force = false, quiet = false, json = false;
};

// Indices of a layer's tensors in the file; empty: not wanted.
struct Watched {
  const LayerView* layer = nullptr;
  std::optional<std::size_t> delta, b, c, horizon, h;
  std::uint64_t steps = 0;
  std::uint64_t every = 1;  // steps per row
  int stride = 1;           // samples per step
  int d_inner = 0;
  std::vector<float> numerators;  // of the horizon
};

class ProbeSink : public PrefillSink {
 public:
  ProbeSink(RowWriter& rows, std::map<int, Watched>& watched, std::map<int, HeatMap>& maps,
            const Model& model, std::uint64_t samples, const ProbeOptions& o, Progress& progress)
      : rows_(rows),
        watched_(watched),
        maps_(maps),
        vocab_(static_cast<std::size_t>(model.config().vocab_size)),
        d_state_(static_cast<std::size_t>(model.network().d_state)),
        rate_(model.config().sample_rate),
        samples_(samples),
        every_(static_cast<std::uint64_t>(o.every)),
        logits_(!o.no_logits),
        progress_(progress) {}

  bool progress(std::uint64_t samples) override {
    const auto done = static_cast<double>(samples);
    progress_.update(done, static_cast<double>(samples_), done / rate_);
    return !interrupted();
  }
  bool wants_logits() const override { return logits_; }
  bool wants_layer(int layer) const override { return watched_.count(layer) != 0; }
  void logits(std::uint64_t first, int rows, const float* logits) override {
    rows_.put(1, first, vocab_, every_, {logits, static_cast<std::size_t>(rows) * vocab_});
  }
  void layer(int index, std::uint64_t first, int rows, const float* delta, const float* b,
             const float* c) override {
    const Watched& w = watched_.at(index);
    const auto n = static_cast<std::size_t>(rows);
    const auto d_inner = static_cast<std::size_t>(w.d_inner);
    const auto put = [&](const std::optional<std::size_t>& tensor, std::size_t cols,
                         const float* data) {
      if (tensor) rows_.put(*tensor, first, cols, w.every, {data, n * cols});
    };
    put(w.delta, d_inner, delta);
    put(w.b, d_state_, b);
    put(w.c, d_state_, c);
    if (w.horizon) {
      horizon_.resize(n * d_inner);
      for (std::size_t i = 0; i < horizon_.size(); ++i)
        horizon_[i] = w.numerators[i % d_inner] / delta[i];
      put(w.horizon, d_inner, horizon_.data());
    }
    if (const auto map = maps_.find(index); map != maps_.end()) map->second.add(first, rows, delta);
  }

 private:
  RowWriter& rows_;
  std::map<int, Watched>& watched_;
  std::map<int, HeatMap>& maps_;
  std::size_t vocab_, d_state_;
  int rate_;
  std::uint64_t samples_, every_;
  bool logits_;
  Progress& progress_;
  std::vector<float> horizon_;
};

// |h| of each channel: over its states, whose parts (of complex ones) are one after another.
void norms(std::span<const float> state, const StateLayout::Layer& layer, std::vector<float>& out) {
  const auto channels = static_cast<std::size_t>(layer.d_inner);
  const auto states = static_cast<std::size_t>(layer.states);
  out.resize(channels);
  for (std::size_t c = 0; c < channels; ++c) {
    double sum = 0;
    for (std::size_t part = 0; part < static_cast<std::size_t>(layer.parts); ++part) {
      const float* h = &state[layer.h + (part * channels + c) * states];
      for (std::size_t n = 0; n < states; ++n) sum += static_cast<double>(h[n]) * h[n];
    }
    out[c] = static_cast<float>(std::sqrt(sum));
  }
}

// A second pass: a scan shows no states, so the clip is stepped from row to row.
void write_states(const Engine& engine, std::span<const std::uint8_t> codes,
                  const Selectivity* by_hand, const std::map<int, Watched>& watched,
                  RowWriter& rows, Progress& progress, int rate) {
  std::map<std::uint64_t, std::vector<int>> due;  // samples absorbed -> layers with a row there
  const auto add = [&](int index, std::uint64_t step) {
    const Watched& w = watched.at(index);
    if (step < w.steps) due[(step + 1) * static_cast<std::uint64_t>(w.stride)].push_back(index);
  };
  for (const auto& [index, w] : watched) {
    if (w.h) add(index, 0);
  }
  const auto state = engine.make_state();
  std::vector<float> all(engine.layout().size);
  std::vector<float> row;
  std::uint64_t at = 0;
  while (!due.empty()) {
    const auto next = due.extract(due.begin());
    engine.step(
        *state,
        codes.subspan(static_cast<std::size_t>(at), static_cast<std::size_t>(next.key() - at)),
        by_hand);
    at = next.key();
    engine.read_state(*state, all);
    for (const int index : next.mapped()) {
      const Watched& w = watched.at(index);
      const std::uint64_t step = at / static_cast<std::uint64_t>(w.stride) - 1;
      norms(all, engine.layout().layers[static_cast<std::size_t>(index)], row);
      rows.put(*w.h, step, row.size(), w.every, row);
      add(index, step + w.every);
    }
    const auto done = static_cast<double>(at);
    progress.update(done, static_cast<double>(codes.size()), done / rate);
    if (interrupted()) throw Cancelled();
  }
}

std::map<int, Watched> choose_layers(const NetworkView& net,
                                     const std::vector<std::string>& names) {
  std::map<int, Watched> chosen;
  const auto all = static_cast<int>(net.layers.size());
  if (names.empty()) {
    for (int i = 0; i < all; ++i) chosen[i] = {};
  }
  for (const std::string& name : names) {
    int found = -1;
    std::string known;
    for (int i = 0; i < all; ++i) {
      if (net.layers[static_cast<std::size_t>(i)].name == name) found = i;
      known += (i > 0 ? ", " : "") + net.layers[static_cast<std::size_t>(i)].name;
    }
    if (found < 0)
      throw UsageError(fmt::format("--layers: expected some of {}, found {}", known, name));
    chosen[found] = {};
  }
  return chosen;
}

bool wants(const ProbeOptions& o, const char* tensor) {
  return std::find(o.tensors.begin(), o.tensors.end(), tensor) != o.tensors.end();
}

std::vector<TensorWriter::Declaration> declare(const Model& model, std::uint64_t samples,
                                               const ProbeOptions& o,
                                               std::map<int, Watched>& watched) {
  const NetworkView& net = model.network();
  const DType dtype = o.float16 ? DType::f16 : DType::f32;
  const auto every = static_cast<std::uint64_t>(o.every);
  const auto rows_of = [](std::uint64_t all, std::uint64_t each) {
    return static_cast<std::int64_t>((all + each - 1) / each);
  };
  std::vector<TensorWriter::Declaration> tensors = {
      {"tokens", DType::u8, {static_cast<std::int64_t>(samples)}}};
  if (!o.no_logits) tensors.push_back({"logits", dtype, {rows_of(samples, every), net.vocab}});
  for (auto& entry : watched) {
    const int index = entry.first;
    Watched& w = entry.second;
    w.layer = &net.layers[static_cast<std::size_t>(index)];
    const TierView& tier = net.tiers[static_cast<std::size_t>(w.layer->tier)];
    w.stride = tier.stride;
    w.steps = samples / static_cast<std::uint64_t>(tier.stride);
    w.every = std::max<std::uint64_t>(1, every / static_cast<std::uint64_t>(tier.stride));
    w.d_inner = tier.d_inner;
    w.numerators = horizon_numerators(net, *w.layer, model.config().sample_rate);
    const auto add = [&](std::optional<std::size_t>& tensor, const char* what, std::int64_t cols) {
      if (!wants(o, what)) return;
      tensors.push_back(
          {fmt::format("{}.{}", w.layer->name, what), dtype, {rows_of(w.steps, w.every), cols}});
      tensor = tensors.size() - 1;
    };
    add(w.delta, "delta", tier.d_inner);
    if (!w.layer->time_invariant()) {
      add(w.b, "B", net.d_state);
      add(w.c, "C", net.d_state);
    }
    add(w.horizon, "horizon", tier.d_inner);
    add(w.h, "h", tier.d_inner);
  }
  return tensors;
}

// What a reader needs to find the sample of a row: row j of layer L is step j * steps_per_row,
// right after sample (step + 1) * samples_per_step - 1.
nlohmann::json about_rows(const std::map<int, Watched>& watched) {
  nlohmann::json layers = nlohmann::json::object();
  for (const auto& [index, w] : watched) {
    layers[w.layer->name] = {{"samples_per_step", w.stride}, {"steps_per_row", w.every}};
  }
  return layers;
}

constexpr const char* about_key = "mambo.probe";  // in the file's metadata: who made it

bool made_by_probe(const fs::path& path) {
  try {
    return TensorFile::metadata_of(path).count(about_key) > 0;
  } catch (const Error&) {
    return false;
  }
}

fs::path picture_path(const ProbeOptions& o, const Watched& w) {
  return o.png / fmt::format("{}.delta.png", w.layer->name);
}

int run_probe(const ProbeOptions& o) {
  if (o.to_s > 0 && o.to_s <= o.from_s) {
    throw UsageError(
        fmt::format("expected --to after --from, found {} s to {} s", o.from_s, o.to_s));
  }
  readable_path(o.audio);  // as long as Ctrl-C ends it at once
  catch_interrupts();
  const auto model = open_model(o.model, o.quiet);
  std::map<int, Watched> watched = choose_layers(model->network(), o.layers);
  const auto engine = open_engine(*model, o.compute);
  const std::vector<std::uint8_t> codes = load_codes(o.audio, *model, {o.from_s, o.to_s}, o.quiet);
  const std::vector<LayerSetting> set = in_short(o.controls.layers);
  expect_settings(set, model->network(), *engine);
  Selectivity by_hand(engine->layout());
  apply_settings(set, model->network(), by_hand);
  if (wants_means(set)) {
    const SelectionMeans means = measure_means(*engine, model->network(), codes,
                                               [](std::uint64_t) { return !interrupted(); });
    expect_means(means, model->network(), codes.size());
    by_hand.set_means(means);
  }
  const Selectivity* const hand = set.empty() ? nullptr : &by_hand;
  const int rate = model->config().sample_rate;
  const auto tensors = declare(*model, codes.size(), o, watched);
  std::map<int, HeatMap> maps;
  const Replace replace{made_by_probe, "mambo probe", o.force};
  output_place(o.output, replace);
  if (!o.png.empty()) {
    if (o.png == "-") throw UsageError("--png: expected a folder, found -");
    for (const auto& [index, w] : watched) output_place(picture_path(o, w), replace_png(o.force));
    std::error_code error;
    fs::create_directories(o.png, error);
    if (error)
      throw Error(fmt::format("cannot make the folder {}: {}", o.png.string(), error.message()));
    for (const auto& [index, w] : watched) {
      const int stride = model->network().tiers[static_cast<std::size_t>(w.layer->tier)].stride;
      maps.try_emplace(index, w.layer->name, w.d_inner, w.steps, static_cast<double>(stride) / rate,
                       o.from_s);
    }
  }
  nlohmann::json about = {{"mambo_version", MAMBO_VERSION},
                          {"model_sha256", model->hash()},
                          {"audio", o.audio.string()},
                          {"from_seconds", o.from_s},
                          {"sample_rate_hz", rate},
                          {"horizon", "seconds, longest state of each channel"},
                          {"samples_per_logits_row", o.every},
                          {"layers", about_rows(watched)}};
  if (!set.empty()) about["set"] = settings_json(set);
  TensorWriter writer(
      o.output, tensors,
      {{about_key, about.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)}}, replace);
  writer.write(0, 0, std::as_bytes(std::span(codes)));
  {
    Progress progress("probing", o.quiet);
    RowWriter rows(writer, o.float16 ? DType::f16 : DType::f32);
    ProbeSink sink(rows, watched, maps, *model, codes.size(), o, progress);
    const auto state = engine->make_state();
    engine->prefill(*state, codes, &sink, hand);
    if (wants(o, "h")) {
      progress.restart();
      write_states(*engine, codes, hand, watched, rows, progress, rate);
    }
  }
  writer.finish();
  std::vector<std::string> pictures;
  for (const auto& [index, map] : maps) {
    const fs::path picture = picture_path(o, watched.at(index));
    map.save(picture, replace_png(o.force));
    pictures.push_back(picture.string());
  }
  const double seconds = static_cast<double>(codes.size()) / rate;
  const std::uintmax_t bytes = fs::file_size(o.output);
  if (o.json) {
    nlohmann::ordered_json j;
    j["file"] = o.output.string();
    j["file_bytes"] = bytes;
    j["tensors"] = tensors.size();
    j["samples"] = codes.size();
    j["sample_rate_hz"] = rate;
    j["seconds_of_audio"] = seconds;
    j["pictures"] = pictures;
    j["engine"] = engine->description();
    write_output(json_line(j));
    return 0;
  }
  if (o.quiet) return 0;
  put("{}  {} tensors, {:.2f} s, {:.1f} MB\n", o.output.string(), tensors.size(), seconds,
      static_cast<double>(bytes) / 1e6);
  if (!pictures.empty()) put("{}  {} pictures of delta\n", o.png.string(), pictures.size());
  return 0;
}

}  // namespace

void add_probe(CLI::App& app, Run& run) {
  CLI::App* sub = app.add_subcommand(
      "probe", "write a model's internals while it absorbs a clip, for notebooks");
  auto o = std::make_shared<ProbeOptions>();
  sub->add_option("--layers", o->layers,
                  "some layers, as in down.0.1,center.2: all of the shipped model's\ntake 166 MB "
                  "per second of sound (default: all)")
      ->delimiter(',')
      ->type_name("NAMES");
  sub->add_option("--tensors", o->tensors,
                  "of each layer: delta, B, C, horizon, and h, the norm of each\nchannel's state "
                  "(default: all but h, which takes a second pass)")
      ->delimiter(',')
      ->type_name("NAMES")
      ->check(one_of({"delta", "B", "C", "horizon", "h"}));
  sub->add_option("--every", o->every, "one row per so many samples, of a slower tier per step")
      ->check(between(1, 1000000, "samples"))
      ->capture_default_str();
  sub->add_flag("--float16", o->float16, "numbers of 16 bits, 3 digits, up to 65504");
  add_model_options(*sub, o->model);
  sub->add_option("--audio,-a", o->audio,
                  "the clip, any format, rate and channels; - reads standard input")
      ->type_name("FILE|-")
      ->check(a_name())
      ->required();
  sub->add_option("-o,--output", o->output, "a .safetensors file")
      ->type_name("FILE")
      ->check(a_name())
      ->required();
  sub->add_option("--from", o->from_s, "start here, from a zero state")
      ->check(between(0, 86400, "s"));
  sub->add_option("--to", o->to_s, "end here; 0: the end")->check(between(0, 86400, "s"));
  add_set_option(*sub, o->controls, {Scope::layer});
  sub->add_flag("--no-logits", o->no_logits, "leave out the logits, 1 kB per sample");
  sub->add_option("--png", o->png, "a folder for pictures of delta, one per layer")
      ->type_name("DIR")
      ->check(a_name());
  add_compute_options(*sub, o->compute);
  sub->add_flag("--force", o->force, "replace any file, not only those that mambo probe made");
  sub->add_flag("--quiet,-q", o->quiet, "print nothing but errors");
  sub->add_flag("--json", o->json, "one line of JSON about the file");
  sub->footer(
      "\nThe file: tokens [T] and logits [T,V] (row t: after codes 0 ... t); for each layer L, "
      "one row per\n"
      "step of its tier (floor(T / stride) steps): L.delta [steps,d_inner], L.B [steps,N],\n"
      "L.C [steps,N], L.horizon [steps,d_inner]: stride / (sample_rate * delta * min |A|) "
      "seconds.\n"
      "L.h [steps,d_inner]: the norm of each channel's state.\n"
      "A time-invariant layer (s4d) has no B and C, and its delta and horizon are constants.\n"
      "\nExamples:\n"
      "  mambo probe --layers center.0 --audio riff.wav -o riff.safetensors --png pictures/\n"
      "  mambo probe --layers up.0.2 --tensors delta,h --every 16 --float16 -a riff.wav -o "
      "r.safetensors\n"
      "  python3 examples/read_probe.py riff.safetensors  # reads it with numpy alone");
  sub->callback([&run, o] { run = [o] { return run_probe(*o); }; });
}

}  // namespace mambo
