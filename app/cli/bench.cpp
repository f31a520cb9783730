// mambo bench: how fast the parts are on this machine. All times are wall time (steady clock).
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <thread>

#include "app/cli/commands.h"
#include "app/cli/interrupt.h"
#include "app/cli/options.h"
#include "app/codes.h"
#include "kernels/bench.h"
#include "model/generator.h"

namespace mambo {
namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

struct BenchOptions {
  std::string what = "all";
  ModelOptions model;
  ComputeOptions compute;
  std::uint64_t samples = 100000;
  double seconds = 30;
  int streams = 8;
  bool json = false;
};

double since(Clock::time_point t) {
  return std::chrono::duration<double>(Clock::now() - t).count();
}

void check_interrupt() {
  if (interrupted()) throw Cancelled();
}

// A tone in noise: nothing that a benchmark could profit from, and the same everywhere.
std::vector<std::uint8_t> listening_matter(std::size_t samples, const Model& model) {
  std::vector<float> sound(samples);
  for (std::size_t i = 0; i < samples; ++i) {
    const double t = static_cast<double>(i) / model.config().sample_rate;
    sound[i] = static_cast<float>(0.3 * std::sin(2 * M_PI * 220 * t)) +
               0.1F * (philox_uniform(7, i) - 0.5F);
  }
  return encode(sound, model.config().encoding);
}

struct Times {
  double mean = 0, p50 = 0, p99 = 0, most = 0;  // us a sample
};
Times summarise(std::vector<double> us) {
  Times t;
  std::sort(us.begin(), us.end());
  const auto at = [&](double q) {
    return us[static_cast<std::size_t>(q * static_cast<double>(us.size() - 1))];
  };
  t.mean = std::accumulate(us.begin(), us.end(), 0.0) / static_cast<double>(us.size());
  t.p50 = at(0.5);
  t.p99 = at(0.99);
  t.most = us.back();
  return t;
}

// What it costs to be watched, in percent of a step: chunks with the tap that the window opens
// (summaries of all layers, every step of one, likelihoods) and without it take turns, and the
// medians are compared, so that neither the machine's moods nor the music decide.
double tap_percent(Generator& generator, const Engine& engine, const NetworkView& net) {
  constexpr std::size_t chunk = 128;
  constexpr int turns = 400;
  std::vector<std::uint8_t> codes(chunk);
  std::vector<float> log_prob(chunk), entropy(chunk);
  std::vector<DeltaTap::Summary> layers(net.layers.size());
  DeltaTap tap;
  tap.layers = layers;
  tap.layer = 0;  // of the outermost tier: a row a sample
  const std::size_t width = static_cast<std::size_t>(engine.layout().layers.front().d_inner);
  std::vector<float> delta((chunk + 1) * width);
  tap.delta = delta;
  Snapshot start = generator.snapshot();
  std::vector<double> ratios;
  for (int i = 0; i < turns; ++i) {
    generator.save_into(start);
    double us[2] = {};
    for (int turn = 0; turn < 2; ++turn) {
      const bool watched = (turn == 1) == (i % 2 == 0);
      generator.restore(start);  // the same samples twice: the same tiers step
      const Clock::time_point begin = Clock::now();
      if (watched) {
        generator.generate(codes, log_prob, entropy, &tap);
      } else {
        generator.generate(codes);
      }
      us[watched ? 1 : 0] = since(begin);
    }
    ratios.push_back(us[1] / us[0]);
    check_interrupt();
  }
  const auto middle = ratios.begin() + static_cast<std::ptrdiff_t>(ratios.size() / 2);
  std::nth_element(ratios.begin(), middle, ratios.end());
  return 100 * (*middle - 1);
}

// Generation with sampling on one thread: a call a sample for the distribution, then chunks of 128,
// which is how the stream plays.
Json bench_step(const BenchOptions& o, const Model& model, const Engine& engine) {
  const int rate = model.config().sample_rate;
  Generator generator(engine);
  generator.set_rng(1);
  std::vector<std::uint8_t> chunk(128);
  for (int i = 0; i < rate / 128; ++i) generator.generate(chunk);  // warm caches and clock

  std::vector<double> us(o.samples);
  for (double& x : us) {
    const Clock::time_point start = Clock::now();
    generator.generate(std::span(chunk).first(1));
    x = 1e6 * since(start);
    check_interrupt();
  }
  const Times times = summarise(std::move(us));
  const std::uint64_t chunks = std::max<std::uint64_t>(1, o.samples / chunk.size());
  const Clock::time_point start = Clock::now();
  for (std::uint64_t i = 0; i < chunks; ++i) {
    generator.generate(chunk);
    check_interrupt();
  }
  const double chunked = 1e6 * since(start) / static_cast<double>(chunks * chunk.size());
  return {{"samples", o.samples},
          {"sample_rate_hz", rate},
          {"us_per_sample_mean", times.mean},
          {"us_per_sample_p50", times.p50},
          {"us_per_sample_p99", times.p99},
          {"us_per_sample_max", times.most},
          {"us_per_sample_in_chunks_of_128", chunked},
          {"tap_cost_percent", tap_percent(generator, engine, model.network())},
          {"real_time_factor", 1e6 / (times.mean * rate)}};
}

// Notes when prefill says how far it is: the times of its chunks.
class ChunkClock : public PrefillSink {
 public:
  bool progress(std::uint64_t samples) override {
    const Clock::time_point now = Clock::now();
    if (samples > before_) {
      us.push_back(1e6 * std::chrono::duration<double>(now - last_).count() /
                   static_cast<double>(samples - before_));
    }
    before_ = samples;
    last_ = now;
    return !interrupted();
  }
  std::vector<double> us;  // a sample, a chunk each

 private:
  Clock::time_point last_ = Clock::now();
  std::uint64_t before_ = 0;
};

Json bench_prefill(const BenchOptions& o, const Model& model, const Engine& engine) {
  const int rate = model.config().sample_rate;
  const auto codes =
      listening_matter(std::max<std::size_t>(1, static_cast<std::size_t>(o.seconds * rate)), model);
  const auto state = engine.make_state();
  engine.prefill(*state, std::span(codes).first(std::min<std::size_t>(codes.size(), rate)));
  engine.reset(*state);
  ChunkClock clock;
  const Clock::time_point start = Clock::now();
  engine.prefill(*state, codes, &clock);
  const double wall = since(start);
  const double mean = 1e6 * wall / static_cast<double>(codes.size());
  if (clock.us.empty()) clock.us.push_back(mean);
  const Times chunks = summarise(clock.us);
  const double seconds = static_cast<double>(codes.size()) / rate;
  return {{"seconds_of_audio", seconds},
          {"sample_rate_hz", rate},
          {"wall_seconds", wall},
          {"us_per_sample_mean", mean},
          {"us_per_sample_p50", chunks.p50},  // of the chunks' means
          {"us_per_sample_p99", chunks.p99},
          {"us_per_sample_max", chunks.most},
          {"real_time_factor", seconds / wall}};
}

// The CPU's selective scan alone, in the shape of the model's outermost S6 layer, whatever computes
// the rest.
Json bench_scan_alone(const BenchOptions& o, const Model& model) {
  const NetworkView& net = model.network();
  const int d_inner = net.tiers.front().d_inner;
  const auto length =
      std::max<std::int64_t>(1, static_cast<std::int64_t>(o.seconds * model.config().sample_rate));
  const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  const int threads = o.compute.threads > 0 ? o.compute.threads : cores;
  const double wall = bench_scan(d_inner, net.d_state, length, threads);
  const double steps = static_cast<double>(length) * d_inner * net.d_state;
  return {{"d_inner", d_inner},
          {"d_state", net.d_state},
          {"steps", length},
          {"threads", threads},
          {"wall_seconds", wall},
          {"steps_per_second", static_cast<double>(length) / wall},
          {"state_updates_per_second", steps / wall},
          {"real_time_factor", o.seconds / wall}};
}

double samples_a_second(const Engine& engine, int streams, std::uint64_t samples) {
  constexpr std::size_t chunk = 2048;
  std::vector<std::unique_ptr<State>> states;
  std::vector<std::vector<std::uint8_t>> codes;
  std::vector<Stream> work;
  for (int i = 0; i < streams; ++i) {
    states.push_back(engine.make_state());
    codes.emplace_back(chunk);
    GenerateRequest request;
    request.rng_seed = static_cast<std::uint64_t>(i);
    work.push_back({states.back().get(), request});
  }
  std::uint64_t done = 0;
  const auto advance = [&](std::size_t n) {
    for (std::size_t i = 0; i < work.size(); ++i) {
      work[i].request.codes = std::span(codes[i]).first(n);
      work[i].request.rng_index = done;
    }
    engine.generate_many(work);
    check_interrupt();
    done += n;
  };
  advance(256);
  const Clock::time_point start = Clock::now();
  const std::uint64_t first = done;
  while (done - first < samples) {
    advance(static_cast<std::size_t>(std::min<std::uint64_t>(chunk, samples - (done - first))));
  }
  return static_cast<double>(samples) * streams / since(start);
}

Json bench_batch(const BenchOptions& o, const Model& model, const Engine& engine) {
  const auto streams = static_cast<std::uint64_t>(o.streams);
  const double one = samples_a_second(engine, 1, std::max<std::uint64_t>(1, o.samples / 2));
  const double many =
      samples_a_second(engine, o.streams, std::max<std::uint64_t>(1, o.samples / streams));
  return {{"streams", o.streams},
          {"samples_per_second", many},
          {"samples_per_second_one_stream", one},
          {"speedup", many / one},
          {"real_time_factor", many / model.config().sample_rate}};
}

// us_per_sample_p99 -> "us per sample p99"
void print_table(const std::string& name, const Json& numbers) {
  fmt::print("{}\n", name);
  for (const auto& [key, value] : numbers.items()) {
    std::string words = key;
    std::replace(words.begin(), words.end(), '_', ' ');
    const std::string text = value.is_number_float() ? fmt::format("{:.4g}", value.get<double>())
                             : value.is_string()     ? value.get<std::string>()
                                                     : value.dump();
    fmt::print("  {:<32} {}\n", words, text);
  }
}

int run_bench(const BenchOptions& o) {
  const auto model = open_model(o.model);
  const auto engine = open_engine(*model, o.compute);
  catch_interrupts();
  Json results = Json::object();
  const auto wanted = [&](const char* name) { return o.what == name || o.what == "all"; };
  if (!o.json) fmt::print("{}, {}\n", model->config().name, engine->description());
  const auto add = [&](const char* name, const Json& numbers) {
    results[name] = numbers;
    if (!o.json) print_table(name, numbers);
  };
  if (wanted("step")) add("step", bench_step(o, *model, *engine));
  if (wanted("prefill")) add("prefill", bench_prefill(o, *model, *engine));
  if (wanted("scan")) add("scan", bench_scan_alone(o, *model));
  if (wanted("batch")) add("batch", bench_batch(o, *model, *engine));
  if (o.json) {
    Json j = {
        {"benchmark", o.what}, {"model", model->config().name}, {"engine", engine->description()}};
    if (o.what == "all") {
      j.update(results);
    } else {
      j.update(results[o.what]);
    }
    fmt::print("{}\n", j.dump(-1, ' ', false, Json::error_handler_t::replace));
  }
  return 0;
}

}  // namespace

void add_bench(CLI::App& app, Run& run) {
  CLI::App* sub = app.add_subcommand("bench", "how fast the parts are on this machine");
  auto o = std::make_shared<BenchOptions>();
  sub->add_option("what", o->what,
                  "step: drawing samples, one core; prefill: absorbing a clip, all cores;\n"
                  "scan: the selective scan alone; batch: many voices, all cores; all")
      ->check(CLI::IsMember({"step", "prefill", "scan", "batch", "all"}))
      ->capture_default_str();
  add_model_options(*sub, o->model);
  sub->add_option("--samples", o->samples, "step, batch: samples drawn")
      ->check(between(1, 1e9, "samples"))
      ->capture_default_str();
  sub->add_option("--seconds", o->seconds, "prefill, scan: sound absorbed")
      ->check(between(0.001, 86400, "s"))
      ->capture_default_str();
  sub->add_option("--streams", o->streams, "batch: voices")
      ->check(between(1, 4096, "voices"))
      ->capture_default_str();
  add_compute_options(*sub, o->compute);
  sub->add_flag("--json", o->json, "one line of JSON");
  sub->footer(
      "\nus are microseconds; the real time factor is seconds of sound made in a second.\n"
      "\nExamples:\n"
      "  mambo bench step --model my.safetensors\n"
      "  mambo bench prefill --seconds 60 --threads 2 --json");
  sub->callback([&run, o] { run = [o] { return run_bench(*o); }; });
}

}  // namespace mambo
