#include "app/live/program.h"

#include <algorithm>
#include <utility>

#include "app/files/codes.h"

namespace mambo {
namespace {

std::size_t tap_floats(const NetworkView& net) {
  std::size_t most = 0;
  for (const LayerView& l : net.layers) {
    const TierView& t = net.tiers[static_cast<std::size_t>(l.tier)];
    most = std::max(most, static_cast<std::size_t>(kMaxChunk / t.stride + 2) *
                              static_cast<std::size_t>(t.d_inner));
  }
  return most;
}

// About a second of chunks, within bounds that keep big models from taking the machine.
std::shared_ptr<ObservationQueue> make_queue(const NetworkView& net) {
  const std::size_t floats = tap_floats(net);
  const std::size_t slots =
      std::clamp<std::size_t>((16U << 20U) / (floats * sizeof(float)), 24, 160);
  auto queue = std::make_shared<ObservationQueue>(slots, Observation{});
  // A copy of a vector keeps no spare room, so each slot is given its own.
  for (std::size_t i = 0; i < queue->capacity(); ++i) {
    Observation* o = queue->begin_write();
    o->codes.reserve(kMaxChunk);
    o->log_prob.reserve(kMaxChunk);
    o->entropy.reserve(kMaxChunk);
    o->layers.resize(net.layers.size());
    o->said.resize(net.layers.size());
    o->tap_delta.resize(floats);
    queue->publish();
  }
  while (queue->front() != nullptr) queue->pop();
  return queue;
}

// Cuts what prefill shows into observations of `block` samples each, as generation gives them.
class ClipObserver final : public PrefillSink {
 public:
  ClipObserver(const Model& model, std::span<const std::uint8_t> codes, int tap_layer, int block,
               const std::function<bool(float)>& progress)
      : net_(model.network()),
        codes_(codes),
        tap_layer_(tap_layer),
        progress_(progress),
        sums_(model.network()) {
    const auto kept = static_cast<std::uint64_t>(kClipHistorySeconds * model.config().sample_rate);
    const auto b = static_cast<std::uint64_t>(block);
    block_ = b;
    first_ = codes.size() > kept ? (codes.size() - kept) / b * b : 0;
    for (std::uint64_t at = first_; at < codes.size(); at += b) {
      Observation o;
      o.first = at;
      o.from_clip = true;
      const std::uint64_t end = std::min<std::uint64_t>(codes.size(), at + b);
      o.codes.assign(codes.begin() + static_cast<std::ptrdiff_t>(at),
                     codes.begin() + static_cast<std::ptrdiff_t>(end));
      o.layers.resize(net_.layers.size());
      observations_->push_back(std::move(o));
    }
    if (tap_layer_ >= static_cast<int>(net_.layers.size())) tap_layer_ = favourite_layer(net_);
    if (tap_layer_ >= 0) {
      const TierView& t = tier(tap_layer_);
      const std::uint64_t steps = codes.size() / static_cast<std::uint64_t>(t.stride);
      const std::uint64_t most =
          (16U << 20U) / (sizeof(float) * static_cast<std::uint64_t>(t.d_inner));
      // Of what is kept, as far as 16 MB go.
      tap_from_ =
          std::max(steps > most ? steps - most : 0, first_ / static_cast<std::uint64_t>(t.stride));
    } else {
      tap_layer_ = -1;
    }
  }

  bool progress(std::uint64_t samples) override {
    return progress_(static_cast<float>(samples) / static_cast<float>(codes_.size()));
  }
  // All of delta would be gigabytes per minute: a summary of each block, and all of one layer.
  int samples_per_summary() const override { return static_cast<int>(block_); }
  void summaries(int layer, std::uint64_t first, std::span<const LayerSummary> parts) override {
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const LayerSummary& part = parts[i];
      const std::uint64_t at = (first + i) * block_;
      if (part.steps == 0 || at < first_ || at >= codes_.size()) continue;
      (*observations_)[(at - first_) / block_].layers[static_cast<std::size_t>(layer)].add(part);
    }
  }
  SelectionSums* selection_sums() override { return &sums_; }
  SelectionMeans means() const { return sums_.means(); }
  bool wants_layer(int layer) const override { return layer == tap_layer_; }
  std::uint64_t layer_from(int) const override { return tap_from_; }
  void layer(int layer, std::uint64_t first, int rows, const float* delta, const float*,
             const float*) override {
    const TierView& t = tier(layer);
    const auto d = static_cast<std::size_t>(t.d_inner);
    for (int r = 0; r < rows; ++r, delta += d) {
      const std::uint64_t step = first + static_cast<std::uint64_t>(r);
      // A step belongs to the sample that completes it.
      const std::uint64_t sample = (step + 1) * static_cast<std::uint64_t>(t.stride) - 1;
      if (sample < first_ || sample >= codes_.size()) continue;
      Observation& o = (*observations_)[(sample - first_) / block_];
      if (o.tap_steps == 0) {
        o.tap_first_step = step;
        o.tap_delta.reserve((block_ / static_cast<std::uint64_t>(t.stride) + 1) * d);
      }
      o.tap_layer = layer;
      o.tap_channels = t.d_inner;
      o.tap_delta.insert(o.tap_delta.end(), delta, delta + d);
      ++o.tap_steps;
    }
  }

  std::shared_ptr<std::vector<Observation>> observations() const { return observations_; }

 private:
  const TierView& tier(int layer) const {
    return net_.tiers[static_cast<std::size_t>(net_.layers[static_cast<std::size_t>(layer)].tier)];
  }
  const NetworkView& net_;
  std::span<const std::uint8_t> codes_;
  int tap_layer_;
  const std::function<bool(float)>& progress_;
  std::uint64_t block_ = 1;
  std::uint64_t first_ = 0;
  std::uint64_t tap_from_ = 0;
  SelectionSums sums_;
  std::shared_ptr<std::vector<Observation>> observations_ =
      std::make_shared<std::vector<Observation>>();
};

class Reporter final : public PrefillSink {
 public:
  Reporter(const std::function<bool(float)>& progress, std::size_t before, std::size_t of)
      : progress_(progress), before_(before), of_(of) {}
  bool progress(std::uint64_t samples) override {
    return progress_(static_cast<float>(before_ + samples) / static_cast<float>(of_));
  }

 private:
  const std::function<bool(float)>& progress_;
  std::size_t before_, of_;
};

void add_moments(Program& program) {
  const Moments::Options options{program.model->config().sample_rate, program.table, true};
  program.moments = std::make_unique<Moments>(*program.voice, program.model->network(), options);
}

}  // namespace

int favourite_layer(const NetworkView& net) {
  const auto rank = [](const LayerView& l) { return std::pair(!l.time_invariant(), l.tier); };
  const auto at =
      std::max_element(net.layers.begin(), net.layers.end(),
                       [&](const LayerView& a, const LayerView& b) { return rank(a) < rank(b); });
  return static_cast<int>(at - net.layers.begin());
}

std::unique_ptr<Program> make_program(std::shared_ptr<const Model> model,
                                      std::shared_ptr<const Engine> engine,
                                      std::span<const std::uint8_t> codes, int tap_layer, int chunk,
                                      const std::function<bool(float)>& progress) {
  static constexpr std::array silence{silence_code};
  if (codes.empty()) codes = silence;
  auto program = std::make_unique<Program>();
  program->voice = std::make_unique<Voice>(*engine);
  ClipObserver observer(*model, codes, tap_layer, chunk, progress);
  program->voice->prefill(codes, &observer);
  program->voice->selectivity().set_means(observer.means());
  program->clip_end = program->voice->snapshot();
  program->clip_samples = codes.size();
  const auto kept = static_cast<std::size_t>(kClipHistorySeconds * model->config().sample_rate);
  const auto tail = codes.last(std::min(kept, codes.size()));
  program->clip_tail.assign(tail.begin(), tail.end());
  program->table = decode_table(model->config().encoding);
  program->observations = {observer.observations(), make_queue(model->network())};
  program->favourite_layer = favourite_layer(model->network());
  program->guard_limits = guard_limits(model->config(), codes, program->table);
  program->guard.prepare(*engine, program->clip_end.state(), model->config().sample_rate,
                         program->guard_limits);
  program->model = std::move(model);
  program->engine = std::move(engine);
  add_moments(*program);
  return program;
}

std::unique_ptr<Program> revive_program(const Program& lost, std::shared_ptr<const Engine> engine,
                                        std::span<const std::uint8_t> drawn,
                                        std::uint64_t drawn_in_all,
                                        const std::function<bool(float)>& progress) {
  const std::size_t all = lost.clip_tail.size() + drawn.size();
  Reporter clip_reporter(progress, 0, all);
  Reporter drawn_reporter(progress, lost.clip_tail.size(), all);
  auto program = std::make_unique<Program>();
  program->voice = std::make_unique<Voice>(*engine);
  const Heard heard = {lost.clip_tail, lost.clip_samples, drawn, drawn_in_all};
  program->clip_end =
      revive(*program->voice, lost.model->network(), heard, &clip_reporter, &drawn_reporter);
  program->voice->selectivity() = lost.voice->selectivity();
  program->clip_samples = lost.clip_samples;
  program->clip_tail = lost.clip_tail;
  program->table = lost.table;
  program->observations = lost.observations;
  program->favourite_layer = lost.favourite_layer;
  program->guard_limits = lost.guard_limits;
  program->guard.prepare(*engine, program->clip_end.state(), lost.model->config().sample_rate,
                         lost.guard_limits);
  program->model = lost.model;
  program->engine = std::move(engine);
  add_moments(*program);
  return program;
}

}  // namespace mambo
