#include "model/ablation.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "kernels/error.h"
#include "model/surprise.h"

namespace mambo {
namespace {

class MeansSink final : public PrefillSink {
 public:
  MeansSink(const NetworkView& net, const std::function<bool(std::uint64_t)>& progress)
      : sums_(net), progress_(progress) {}
  bool progress(std::uint64_t samples) override { return !progress_ || progress_(samples); }
  SelectionSums* selection_sums() override { return &sums_; }
  SelectionMeans means() const { return sums_.means(); }

 private:
  SelectionSums sums_;
  const std::function<bool(std::uint64_t)>& progress_;
};

}  // namespace

std::string AblationCase::held() const {
  std::string text;
  const auto add = [&](bool is, const char* name) {
    if (is) text += (text.empty() ? "" : ", ") + std::string(name);
  };
  add(delta, "delta");
  add(B, "B");
  add(C, "C");
  return text.empty() ? "nothing" : text;
}

std::vector<AblationCase> ablation_cases(const NetworkView& net) {
  std::vector<int> tiers;
  for (int t = 0; t < static_cast<int>(net.tiers.size()); ++t) {
    if (std::any_of(net.layers.begin(), net.layers.end(),
                    [t](const LayerView& l) { return l.tier == t && !l.time_invariant(); })) {
      tiers.push_back(t);
    }
  }
  if (tiers.empty()) return {};
  std::vector<int> where = {-1};
  if (tiers.size() > 1) where.insert(where.end(), tiers.begin(), tiers.end());
  std::vector<AblationCase> cases = {{}};
  for (const int tier : where) {
    cases.push_back({true, false, false, tier});
    cases.push_back({false, true, false, tier});
    cases.push_back({false, false, true, tier});
    cases.push_back({true, true, false, tier});
    cases.push_back({true, false, true, tier});
    cases.push_back({false, true, true, tier});
    cases.push_back({true, true, true, tier});
  }
  return cases;
}

std::vector<AblationCase> expect_cases(const NetworkView& net, const std::string& model) {
  std::vector<AblationCase> cases = ablation_cases(net);
  if (cases.empty()) {
    throw Error(model +
                ": expected a model with layers that select (s6), found only time-invariant ones");
  }
  return cases;
}

SelectionMeans measure_means(const Engine& engine, const NetworkView& net,
                             std::span<const std::uint8_t> codes,
                             const std::function<bool(std::uint64_t)>& progress) {
  MeansSink sink(net, progress);
  const auto state = engine.make_state();
  engine.prefill(*state, codes, &sink);
  return sink.means();
}

double ablated_nats(const Engine& engine, const NetworkView& net, const AblationCase& held,
                    const SelectionMeans& means, std::span<const std::uint8_t> codes,
                    const std::function<bool(std::uint64_t)>& progress) {
  Selectivity by_hand(engine.layout());
  by_hand.set_means(means);
  LayerSelectivity values;
  values.hold_delta = held.delta ? 1.0F : 0.0F;
  values.hold_B = held.B ? 1.0F : 0.0F;
  values.hold_C = held.C ? 1.0F : 0.0F;
  for (std::size_t i = 0; i < net.layers.size(); ++i) {
    if (held.tier < 0 || net.layers[i].tier == held.tier) by_hand.set(static_cast<int>(i), values);
  }
  SurpriseSink sink(codes, 1, net.vocab, progress);
  const auto state = engine.make_state();
  engine.prefill(*state, codes, &sink, &by_hand);
  return sink.nats();
}

void expect_enough(const std::string& name, std::span<const std::uint8_t> codes) {
  if (codes.size() < 2) {
    throw Error(name + ": expected at least 2 samples, found " + std::to_string(codes.size()));
  }
}

SelectionMeans expect_means(const Engine& engine, const NetworkView& net, const std::string& name,
                            std::span<const std::uint8_t> codes,
                            const std::function<bool(std::uint64_t)>& progress) {
  SelectionMeans means = measure_means(engine, net, codes, progress);
  if (means.empty()) {
    throw Error(name + ": expected at least " + std::to_string(net.tiers.back().stride) +
                " samples, a step of every tier, found " + std::to_string(codes.size()));
  }
  return means;
}

double ablated_bits(const Engine& engine, const NetworkView& net, const AblationCase& held,
                    std::span<const AblationClip> clips,
                    const std::function<bool(double)>& progress) {
  double nats = 0;
  double terms = 0;
  double done = 0;
  for (const AblationClip& clip : clips) {
    nats += ablated_nats(engine, net, held, clip.means, clip.codes, [&](std::uint64_t samples) {
      return !progress || progress(done + static_cast<double>(samples));
    });
    terms += clip.terms();
    done += static_cast<double>(clip.codes.size());
  }
  return nats / std::log(2.0) / terms;
}

std::string ablation_json(const AblationTable& table) {
  using Json = nlohmann::ordered_json;
  Json rows = Json::array();
  for (const AblationTable::Row& row : table.rows) {
    const AblationCase& c = row.held;
    rows.push_back({{"hold_delta", c.delta ? 1 : 0},
                    {"hold_B", c.B ? 1 : 0},
                    {"hold_C", c.C ? 1 : 0},
                    {"tier", c.tier < 0 ? Json("all") : Json(c.tier)},
                    {"bits_per_sample", row.bits_per_sample}});
  }
  const Json json = {{"model", table.model},
                     {"clips", table.clips},
                     {"means_of", table.means_of.empty() ? "each clip" : table.means_of},
                     {"seconds_judged", table.seconds},
                     {"engine", table.engine},
                     {"rows", rows}};
  // Names of files may be no UTF-8: a replaced character beats no table.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace mambo
