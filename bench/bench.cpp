#include "bench/bench.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <numeric>
#include <span>
#include <tuple>

#include "bench/scan.h"
#include "kernels/random_network.h"
#include "kernels/usable_cores.h"
#include "model/message.h"
#include "model/voice.h"

namespace mambo {
namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point t) {
  return std::chrono::duration<double>(Clock::now() - t).count();
}

void look(const BenchStop& stop) {
  if (stop && stop()) throw Cancelled();
}

__attribute__((format(printf, 1, 2))) std::string text(const char* format, ...) {
  std::array<char, 256> line{};
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(line.data(), line.size(), format, arguments);
  va_end(arguments);
  return line.data();
}

struct Times {
  double mean = 0, p50 = 0, p99 = 0, most = 0;  // us per sample
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

// A tone in noise: the same everywhere, and without silence that would flatter a benchmark.
std::vector<std::uint8_t> listening_matter(std::size_t samples, int rate) {
  std::vector<std::uint8_t> codes(samples);
  for (std::size_t i = 0; i < samples; ++i) {
    const double t = static_cast<double>(i) / rate;
    const double x = 0.3 * std::sin(2 * M_PI * 220 * t) + 0.1 * (philox_uniform(7, i) - 0.5);
    codes[i] = static_cast<std::uint8_t>(std::lround(128 + 127 * x));
  }
  return codes;
}

// Records the times of prefill's progress reports: those of its chunks.
class ChunkClock final : public PrefillSink {
 public:
  explicit ChunkClock(const BenchStop& stop) : stop_(stop) {}
  bool progress(std::uint64_t samples) override {
    const Clock::time_point now = Clock::now();
    if (samples > before_) {
      us.push_back(1e6 * std::chrono::duration<double>(now - last_).count() /
                   static_cast<double>(samples - before_));
    }
    before_ = samples;
    last_ = now;
    return !(stop_ && stop_());
  }
  std::vector<double> us;  // per sample, one value per chunk

 private:
  const BenchStop& stop_;
  Clock::time_point last_ = Clock::now();
  std::uint64_t before_ = 0;
};

// In every layer something is to be computed.
constexpr LayerSelectivity kByHand = {1.01F, 0, 0, 0, 1};

// What chunks cost more than plain ones, in percent: both take turns, each from the same state, and
// the medians are compared, so that neither drift of the machine nor the music decides.
// draw(bool costly) draws a chunk.
template <class Draw>
double percent_more(Voice& generator, const BenchStop& stop, Draw draw) {
  constexpr int turns = 400;
  Snapshot start = generator.snapshot();
  std::vector<double> ratios;
  for (int i = 0; i < turns; ++i) {
    generator.save_into(start);
    double seconds[2] = {};
    for (int turn = 0; turn < 2; ++turn) {
      const bool costly = (turn == 1) == (i % 2 == 0);
      generator.restore(start);  // the same tiers step
      const Clock::time_point begin = Clock::now();
      draw(costly);
      seconds[costly ? 1 : 0] = since(begin);
    }
    ratios.push_back(seconds[1] / seconds[0]);
    look(stop);
  }
  const auto middle = ratios.begin() + static_cast<std::ptrdiff_t>(ratios.size() / 2);
  std::nth_element(ratios.begin(), middle, ratios.end());
  return 100 * (*middle - 1);
}

constexpr std::size_t kPlayed = 128;  // samples of a chunk as it is played

// Of observation: the tap that the window opens (summaries of all layers, every step of one,
// likelihoods).
double tap_percent(Voice& generator, const NetworkView& net, const BenchStop& stop) {
  constexpr std::size_t chunk = kPlayed;
  std::vector<std::uint8_t> codes(chunk);
  std::vector<float> log_prob(chunk), entropy(chunk);
  std::vector<LayerSummary> layers(net.layers.size());
  DeltaTap tap;
  tap.layers = layers;
  tap.layer = 0;  // of the outermost tier: one row per sample
  std::vector<float> delta((chunk + 1) * static_cast<std::size_t>(net.tiers.front().d_inner));
  tap.delta = delta;
  return percent_more(generator, stop, [&](bool watched) {
    if (watched)
      generator.generate(codes, log_prob, entropy, &tap);
    else
      generator.generate(codes);
  });
}

// Of selectivity by hand in every layer.
double by_hand_percent(Voice& generator, const BenchStop& stop) {
  std::vector<std::uint8_t> codes(kPlayed);
  const double percent = percent_more(generator, stop, [&](bool by_hand) {
    generator.selectivity().set_all(by_hand ? kByHand : LayerSelectivity());
    generator.generate(codes);
  });
  generator.selectivity().set_all({});
  return percent;
}

// Of `streams` voices that draw `samples` each.
double samples_a_second(const Engine& engine, int streams, std::uint64_t samples, bool by_hand,
                        const BenchStop& stop) {
  constexpr std::size_t chunk = 2048;
  std::vector<std::unique_ptr<State>> states;
  std::vector<std::vector<std::uint8_t>> codes;
  std::vector<Stream> work;
  Selectivity selectivity(engine.layout());
  if (by_hand) selectivity.set_all(kByHand);
  for (int i = 0; i < streams; ++i) {
    states.push_back(engine.make_state());
    codes.emplace_back(chunk);
    GenerateRequest request;
    request.rng_seed = static_cast<std::uint64_t>(i);
    if (by_hand) request.by_hand = &selectivity;
    work.push_back({states.back().get(), request});
  }
  std::uint64_t done = 0;
  const auto advance = [&](std::size_t n) {
    for (std::size_t i = 0; i < work.size(); ++i) {
      work[i].request.codes = std::span(codes[i]).first(n);
      work[i].request.rng_index = done;
    }
    engine.generate_many(work);
    look(stop);
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

}  // namespace

double BenchRow::operator[](const std::string& key) const {
  for (const Number& n : numbers) {
    if (n.key == key) return n.value;
  }
  throw Error("no number " + key + " in the benchmark " + part);
}

BenchRow bench_step(const BenchSubject& s, std::uint64_t samples, int chunk,
                    const BenchStop& stop) {
  constexpr auto as_played = static_cast<int>(kPlayed);
  const bool gpu = s.on_gpu();
  if (chunk <= 0) chunk = gpu ? as_played : 1;
  Voice generator(*s.engine);
  generator.set_rng(1);
  if (s.by_hand) generator.selectivity().set_all(kByHand);
  std::vector<std::uint8_t> codes(static_cast<std::size_t>(std::max(chunk, as_played)));
  for (int i = 0; i < s.sample_rate / as_played; ++i)  // a second: warm caches and clock
    generator.generate(std::span(codes).first(as_played));

  const auto timed = [&](int n) {
    std::vector<double> us((samples + static_cast<std::uint64_t>(n) - 1) /
                           static_cast<std::uint64_t>(n));
    for (double& x : us) {
      const Clock::time_point start = Clock::now();
      generator.generate(std::span(codes).first(static_cast<std::size_t>(n)));
      x = 1e6 * since(start) / n;
      look(stop);
    }
    return us;
  };
  const std::vector<double> us = timed(chunk);
  const Times t = summarise(us);
  const double chunked = chunk == as_played ? t.mean : summarise(timed(as_played)).mean;
  const double tap = tap_percent(generator, s.net, stop);
  const double by_hand = by_hand_percent(generator, stop);
  const double speed = 1e6 / (t.mean * s.sample_rate);
  BenchRow row;
  row.part = "step";
  row.subject =
      s.name + (chunk == 1 ? ", one sample per call" : text(", %d samples per call", chunk));
  row.numbers = {{"samples", static_cast<double>(us.size()) * chunk, true},
                 {"samples_per_call", static_cast<double>(chunk), true},
                 {"sample_rate_hz", static_cast<double>(s.sample_rate), true},
                 {"us_per_sample_mean", t.mean},
                 {"us_per_sample_p50", t.p50},
                 {"us_per_sample_p99", t.p99},
                 {"us_per_sample_max", t.most},
                 {"us_per_sample_in_chunks_of_128", chunked},
                 {"tap_cost_percent", tap},
                 {"by_hand_cost_percent", by_hand},
                 {"real_time_factor", speed}};
  row.summary =
      text("%6.2f us per sample (p99 %.2f), %.1f x real time; tap %+.1f %%, by hand %+.1f %%",
           t.mean, t.p99, speed, tap, by_hand);
  return row;
}

BenchRow bench_prefill(const BenchSubject& s, std::uint64_t samples, const BenchStop& stop) {
  const auto codes = listening_matter(std::max<std::uint64_t>(1, samples), s.sample_rate);
  const auto state = s.engine->make_state();
  // A GPU takes its scratch memory in the first run; on a CPU a second of sound warms up as well.
  const std::size_t warm =
      s.on_gpu() ? codes.size() : std::min(codes.size(), static_cast<std::size_t>(s.sample_rate));
  Selectivity selectivity(s.engine->layout());
  if (s.by_hand) selectivity.set_all(kByHand);
  s.engine->prefill(*state, std::span(codes).first(warm), nullptr, &selectivity);
  struct Run {
    double wall;
    std::vector<double> us;
  };
  std::vector<Run> runs;
  double spent = 0;
  do {
    s.engine->reset(*state);
    ChunkClock clock(stop);
    const Clock::time_point start = Clock::now();
    s.engine->prefill(*state, codes, &clock, &selectivity);
    runs.push_back({since(start), std::move(clock.us)});
    spent += runs.back().wall;
  } while (runs.size() < 9 && spent + runs.back().wall < 1.0);
  std::sort(runs.begin(), runs.end(), [](const Run& a, const Run& b) { return a.wall < b.wall; });
  Run& median = runs[runs.size() / 2];
  const double mean = 1e6 * median.wall / static_cast<double>(codes.size());
  if (median.us.empty()) median.us.push_back(mean);
  const Times chunks = summarise(median.us);
  const double seconds = static_cast<double>(codes.size()) / s.sample_rate;
  BenchRow row;
  row.part = "prefill";
  row.subject = s.name + ", " + grouped(codes.size()) + " samples";
  row.numbers = {{"seconds_of_audio", seconds},
                 {"samples", static_cast<double>(codes.size()), true},
                 {"sample_rate_hz", static_cast<double>(s.sample_rate), true},
                 {"runs", static_cast<double>(runs.size()), true},
                 {"wall_seconds", median.wall},
                 {"us_per_sample_mean", mean},
                 {"us_per_sample_p50", chunks.p50},  // of the chunks' means
                 {"us_per_sample_p99", chunks.p99},
                 {"us_per_sample_max", chunks.most},
                 {"real_time_factor", seconds / median.wall}};
  row.summary = text("%6.2f ms, %.0f x real time", 1e3 * median.wall, seconds / median.wall);
  return row;
}

BenchRow bench_batch(const BenchSubject& s, int streams, std::uint64_t samples,
                     const BenchStop& stop) {
  const bool gpu = s.on_gpu();
  if (streams <= 0) streams = gpu ? s.engine->streams_at_once() : 8;
  // A GPU's streams are many and quick: each long enough for all tiers to step often.
  const std::uint64_t least = gpu ? 4096 : 1;
  const double one =
      samples_a_second(*s.engine, 1, std::max<std::uint64_t>(1, samples / 2), s.by_hand, stop);
  const double many = samples_a_second(
      *s.engine, streams, std::max(least, samples / static_cast<std::uint64_t>(streams)), s.by_hand,
      stop);
  BenchRow row;
  row.part = "batch";
  row.subject = s.name + text(", %d streams", streams);
  row.numbers = {{"streams", static_cast<double>(streams), true},
                 {"samples_per_second", many},
                 {"samples_per_second_one_stream", one},
                 {"speedup", many / one},
                 {"real_time_factor", many / s.sample_rate}};
  row.summary =
      text("%6.2f M samples/s in all, %.0f x real time", many / 1e6, many / s.sample_rate);
  return row;
}

BenchRow bench_scan_alone(const ScanBench& o) {
  BenchRow row;
  row.part = "scan";
  row.subject =
      text("%d channels, %d states, %s steps, %s", o.d_inner, o.d_state,
           grouped(static_cast<std::uint64_t>(o.steps)).c_str(), o.half ? "fp16" : "float32");
  row.numbers = {{"d_inner", static_cast<double>(o.d_inner), true},
                 {"d_state", static_cast<double>(o.d_state), true},
                 {"steps", static_cast<double>(o.steps), true}};
  double wall = 0;
  double bytes = 0;
  if (o.on_gpu) {
#if MAMBO_HAS_CUDA
    const CudaScanTimes t = bench_scan_cuda(o.d_inner, o.d_state, o.steps, o.half);
    wall = t.seconds_median;
    bytes = t.bytes;
#else
    throw Error("the scan on a GPU: expected a build with CUDA, found one without");
#endif
  } else {
#if MAMBO_HAS_CPU
    const int threads = o.threads > 0 ? o.threads : usable_cores();
    row.numbers.push_back({"threads", static_cast<double>(threads), true});
    wall = bench_scan(o.d_inner, o.d_state, o.steps, threads);
#else
    throw Error("the scan on a CPU: expected a build with the CPU engine, found one without");
#endif
  }
  const auto steps = static_cast<double>(o.steps);
  row.numbers.insert(row.numbers.end(),
                     {{"wall_seconds", wall},
                      {"ms", 1e3 * wall},
                      {"steps_per_second", steps / wall},
                      {"giga_channel_steps_per_second", 1e-9 * steps * o.d_inner / wall},
                      {"state_updates_per_second", steps * o.d_inner * o.d_state / wall}});
  if (bytes > 0) row.numbers.push_back({"gigabytes_per_second", 1e-9 * bytes / wall});
  row.summary =
      text("%6.2f ms, %.1f G channel-steps/s", 1e3 * wall, 1e-9 * steps * o.d_inner / wall);
  if (bytes > 0) row.summary += text(", %.0f GB/s", 1e-9 * bytes / wall);
  return row;
}

void bench_gpu_table(const BenchSubject& s, const EngineOptions& options, const BenchStop& stop,
                     const std::function<void(const BenchRow&)>& tell) {
  constexpr std::uint64_t samples = 100000;
  tell(bench_step(s, samples, 0, stop));
  for (const std::string& name : shape_names()) {
    if (name == "piano") continue;  // the subject is of that shape, or else is what is asked about
    const RandomNetwork network(named_shape(name));
    const auto engine = make_engine(network.view(), "cuda", options);
    tell(bench_step({engine.get(), network.view(), name, 16000}, samples, 0, stop));
    look(stop);
  }
  tell(bench_prefill(s, 960000, stop));
  for (const auto& [channels, steps, half] :
       {std::tuple{128, 1 << 20, false}, std::tuple{128, 1 << 20, true},
        std::tuple{2048, 160000, false}}) {
    ScanBench scan;
    scan.d_inner = channels;
    scan.steps = steps;
    scan.half = half;
    scan.on_gpu = true;
    tell(bench_scan_alone(scan));
    look(stop);
  }
  tell(bench_batch(s, 0, samples, stop));
}

std::string bench_line(const BenchRow& row) {
  return text("%-8s %-48s %s", row.part.c_str(), row.subject.c_str(), row.summary.c_str());
}

}  // namespace mambo
