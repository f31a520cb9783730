#include "app/offline/ablation.h"

#include <algorithm>

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

}  // namespace mambo
