// mambo bench: the speed of the parts on this machine; bench/bench.h measures.
#include "bench/bench.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/interrupt.h"
#include "app/cli/options.h"
#include "app/cli/say.h"
#include "app/usage_error.h"
#include "kernels/random_network.h"

namespace mambo {
namespace {

using Json = nlohmann::ordered_json;

struct BenchOptions {
  std::string what = "all";
  ModelOptions model;
  std::string shape;
  ComputeOptions compute;
  std::string plan;
  std::uint64_t samples = 100000;
  int chunk = 0, streams = 0;
  double seconds = 0;
  int channels = 0, states = 0;
  std::int64_t steps = 0;
  bool json = false;
};

// The subject: the network, the owner of its weights, and the engine.
struct Bench {
  std::shared_ptr<const Model> model;
  std::unique_ptr<RandomNetwork> random;
  std::unique_ptr<Engine> engine;
  BenchSubject subject{};
};

Bench prepare(const BenchOptions& o) {
  Bench b;
  if (o.shape.empty()) {
    b.model = open_model(o.model);
    b.subject.net = b.model->network();
    b.subject.name = b.model->config().name;
    b.subject.sample_rate = b.model->config().sample_rate;
  } else {
    b.random = std::make_unique<RandomNetwork>(named_shape(o.shape));
    b.subject.net = b.random->view();
    b.subject.name = o.shape + " (random weights)";
  }
  EngineOptions options = engine_options(o.compute);
  options.cuda.plan = o.plan;
  std::string notice;
  b.engine = make_engine(b.subject.net, o.compute.backend, options, &notice);
  tell_notice(notice);
  b.subject.engine = b.engine.get();
  return b;
}

double seconds(const BenchOptions& o, const Bench& b) {
  if (o.seconds > 0) return o.seconds;
  return b.subject.on_gpu() ? 60 : 30;
}

ScanBench scan_options(const BenchOptions& o, const Bench& b) {
  ScanBench s;
  s.d_inner = o.channels > 0 ? o.channels : b.subject.net.tiers.front().d_inner;
  s.d_state = o.states > 0 ? o.states : b.subject.net.d_state;
  s.steps = o.steps > 0 ? o.steps
                        : std::max<std::int64_t>(
                              1, static_cast<std::int64_t>(seconds(o, b) * b.subject.sample_rate));
  s.on_gpu = b.subject.on_gpu();
  s.half = s.on_gpu && o.compute.weights == "half";
  s.threads = o.compute.threads;
  return s;
}

Json numbers_json(const BenchRow& row) {
  Json j;
  for (const BenchRow::Number& n : row.numbers) {
    if (n.whole)
      j[n.key] = static_cast<std::int64_t>(n.value);
    else
      j[n.key] = n.value;
  }
  return j;
}

// us_per_sample_p99 -> "us per sample p99"
void print_numbers(const BenchRow& row) {
  put("{}  {}\n", row.part, row.subject);
  for (const BenchRow::Number& n : row.numbers) {
    std::string words = n.key;
    std::replace(words.begin(), words.end(), '_', ' ');
    put("  {:<32} {}\n", words,
        n.whole ? fmt::format("{:.0f}", n.value) : fmt::format("{:.4g}", n.value));
  }
}

int run_bench(const BenchOptions& o) {
  const Bench b = prepare(o);
  const BenchSubject& s = b.subject;
  const bool all = o.what == "all";
  const bool table = all && s.on_gpu();
  catch_interrupts();
  const BenchStop stop = [] { return interrupted(); };
  if (!o.json) put("{}, {}\n", s.name, s.engine->description());
  Json results = Json::object();
  const auto add = [&](const BenchRow& row) {
    if (table) {  // a part has several rows: each says of what
      Json j = {{"of", row.subject}};
      j.update(numbers_json(row));
      results[row.part].push_back(j);
      if (!o.json) put("{}\n", bench_line(row));
      flush_output();
      return;
    }
    results[row.part] = numbers_json(row);
    if (!o.json) print_numbers(row);
  };
  const auto wanted = [&](const char* name) { return all || o.what == name; };
  if (table) {
    EngineOptions options = engine_options(o.compute);
    options.cuda.plan = o.plan;
    bench_gpu_table(s, options, stop, add);
  } else {
    const auto samples = static_cast<std::uint64_t>(seconds(o, b) * s.sample_rate);
    if (wanted("step")) add(bench_step(s, o.samples, o.chunk, stop));
    if (wanted("prefill")) add(bench_prefill(s, samples, stop));
    if (wanted("scan")) add(bench_scan_alone(scan_options(o, b)));
    if (wanted("batch")) add(bench_batch(s, o.streams, o.samples, stop));
  }
  if (o.json) {
    Json j = {{"benchmark", o.what}, {"model", s.name}, {"engine", s.engine->description()}};
    j.update(all ? results : results[o.what]);
    write_output(json_line(j));
  }
  return 0;
}

void add_size_options(CLI::App& sub, BenchOptions& o) {
  sub.add_option("--samples", o.samples, "step, batch: samples drawn")
      ->check(between(1, 1e9, "samples"))
      ->capture_default_str();
  sub.add_option("--chunk", o.chunk, "step: samples per call; 0: 1, on a GPU 128")
      ->check(between(0, 65536, "samples"))
      ->capture_default_str();
  sub.add_option("--seconds", o.seconds, "prefill, scan: sound absorbed; 0: 30, on a GPU 60")
      ->check(between(0, 86400, "s"))
      ->capture_default_str();
  sub.add_option("--streams", o.streams, "batch: voices; 0: 8, on a GPU what keeps it busy")
      ->check(between(0, 65536, "voices"))
      ->capture_default_str();
  sub.add_option("--channels", o.channels, "scan: channels; 0: the model's outermost")
      ->check(between(0, 65536))
      ->capture_default_str();
  sub.add_option("--states", o.states, "scan: states per channel; 0: the model's")
      ->check(between(0, 64))
      ->capture_default_str();
  sub.add_option("--steps", o.steps, "scan: steps in time; 0: as --seconds says")
      ->check(between(0, 1e9))
      ->capture_default_str();
}

}  // namespace

void add_bench(CLI::App& app, Run& run) {
  CLI::App* sub = app.add_subcommand("bench", "measure how fast the parts run on this machine");
  auto o = std::make_shared<BenchOptions>();
  sub->add_option("what", o->what,
                  "step: drawing samples, one voice; prefill: absorbing a clip; scan: the\n"
                  "selective scan alone; batch: many voices; all: on a GPU, a table of\n"
                  "everything that has a target")
      ->check(one_of({"step", "prefill", "scan", "batch", "all"}))
      ->capture_default_str();
  add_model_options(*sub, o->model);
  sub->add_option("--shape", o->shape, "random weights of a known shape instead of a model")
      ->check(one_of(shape_names()));
  add_size_options(*sub, *o);
  add_compute_options(*sub, o->compute);
  sub->add_option("--plan", o->plan, "how a GPU distributes a step (default: its own choice)")
      ->check(one_of({"single", "cluster", "grid"}));
  sub->add_flag("--json", o->json, "one line of JSON");
  sub->footer(
      "\nus are microseconds; the real-time factor is seconds of sound per second.\n"
      "\nExamples:\n"
      "  mambo bench step --model my.safetensors\n"
      "  mambo bench prefill --seconds 60 --threads 2 --json\n"
      "  mambo bench scan --backend cuda --channels 2048 --steps 160000 --weights f32\n"
      "  mambo bench all --backend cuda");
  sub->callback([&run, o, sub] {
    if (!o->shape.empty() && sub->count("--model") > 0)
      throw UsageError("--shape and --model exclude each other");
    run = [o] { return run_bench(*o); };
  });
}

}  // namespace mambo
