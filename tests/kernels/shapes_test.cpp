// Which ways through the CPU's kernels the shapes of the parity tests take. Under a sanitizer fewer
// of them are tried (support.h): none of the ways may be missing there.
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <variant>

#include "tests/kernels/support.h"

namespace mambo::testing {
namespace {

constexpr int kBlock = 16;  // outputs of a packed matrix, channels of a state

using Ways = std::set<std::string>;

// A packed product (kernels/cpu/gemv-inl.h, gemm.cpp): groups of four blocks, what is left of them,
// inputs taken in pairs, padding of outputs and inputs.
void add_product(Ways& ways, const std::string& matrix, int outputs, int inputs) {
  const int blocks = (outputs + kBlock - 1) / kBlock;
  if (blocks > 4) ways.insert("product: many groups");
  ways.insert("product: a group of " + std::to_string(std::min(blocks, 4)));
  if (blocks % 4 != 0) ways.insert("product: left " + std::to_string(blocks % 4));
  ways.insert(inputs % 2 != 0 ? "product: an odd input" : "product: pairs");
  ways.insert(matrix + (outputs % kBlock != 0 ? ": padded outputs" : ": whole outputs"));
  ways.insert(matrix + (inputs % kBlock != 0 ? ": padded inputs" : ": whole inputs"));
}

// Runs of states that stay in registers, the longest first: once, or again; what is left, one by
// one.
void add_states(Ways& ways, const std::string& mixer, int states, std::initializer_list<int> runs) {
  bool first = true;
  for (const int run : runs) {
    const int times = states / run;
    states %= run;
    if (times == 0) continue;
    ways.insert(mixer + ": a run of " + std::to_string(run) + (first ? " first" : " later") +
                (states == 0 ? " and last" : ""));
    if (times > 1) ways.insert(mixer + ": runs of " + std::to_string(run));
    first = false;
  }
}

std::string place(const NetworkView& net, const LayerView& layer) {
  const std::size_t tiers = net.tiers.size();
  if (tiers == 1) return "in the only tier";
  if (layer.tier == 0) return "in the outermost tier";
  return static_cast<std::size_t>(layer.tier) + 1 == tiers ? "in the innermost tier" : "between";
}

void add_layer(Ways& ways, const NetworkView& net, const LayerView& layer) {
  const TierView& tier = net.tier_of(layer);
  const bool s4d = layer.time_invariant();
  ways.insert((s4d ? "s4d " : "s6 ") + place(net, layer) +
              (layer.side == Side::up ? ", going up" : ""));
  add_product(ways, "in_proj", 2 * tier.d_inner, tier.width);
  add_product(ways, "out_proj", tier.width, tier.d_inner);
  ways.insert("a tap of " + std::string(tier.d_inner % 8 != 0 ? "part of a vector" : "vectors"));
  if (tier.d_inner <= kBlock) ways.insert("one block of channels");
  if (tier.d_inner > 2 * kBlock) ways.insert("more blocks of channels than threads");
  if (const auto* s6 = std::get_if<S6View>(&layer.params)) {
    add_product(ways, "x_proj", s6->rank + 2 * s6->states(), tier.d_inner);
    add_product(ways, "dt_proj", tier.d_inner, s6->rank);
    add_states(ways, "s6 step", s6->states(), {16, 4, 1});
    add_states(ways, "s6 scan, 8 lanes", s6->states(), {8, 4, 1});
    add_states(ways, "s6 scan, 16 lanes", s6->states(), {16, 4, 1});
  } else {
    add_states(ways, "s4d scan, 8 lanes", layer.states(), {4, 2, 1});
    add_states(ways, "s4d scan, 16 lanes", layer.states(), {8, 4, 1});
  }
}

Ways ways_of(const Shape& shape) {
  const RandomNetwork network(shape);
  const NetworkView& net = network.view();
  Ways ways = {"a window of " + std::to_string(net.d_conv),
               shape.biases ? "biases of products" : "no biases of products",
               std::to_string(std::min<std::size_t>(net.tiers.size(), 3)) + " tiers"};
  bool s6 = false;
  bool s4d = false;
  for (const LayerView& layer : net.layers) {
    add_layer(ways, net, layer);
    (layer.time_invariant() ? s4d : s6) = true;
  }
  if (s6 && s4d) ways.insert("both mixers");
  for (std::size_t i = 0; i < net.tiers.size(); ++i) {
    const TierView& tier = net.tiers[i];
    if (tier.down_begin == tier.down_end) ways.insert("a tier without layers");
    if (tier.pool == 0) continue;
    const int inner = net.tiers[i + 1].width;
    ways.insert(tier.pool % 2 != 0 ? "an odd pool" : "an even pool");
    if (inner != tier.width) ways.insert("a wider tier inside");
    if (inner == tier.width) ways.insert("a tier inside that is as wide");
    add_product(ways, "down_pool", inner, tier.pool * tier.width);
    add_product(ways, "up_pool", tier.pool * tier.width, inner);
  }
  return ways;
}

Ways ways_of(const std::vector<Shape>& shapes) {
  Ways all;
  for (const Shape& shape : shapes) all.merge(ways_of(shape));
  return all;
}

TEST(Shapes, ThoseForTheGpuTakeNoOtherWayThroughTheCpu) {
  const std::vector<Shape> chosen = cpu_shapes(false);
  ASSERT_LT(chosen.size(), cpu_shapes(true).size());
  const Ways there = ways_of(chosen);
  for (const Shape& shape : cpu_shapes(true)) {
    for (const std::string& way : ways_of(shape)) {
      EXPECT_EQ(there.count(way), 1U) << shape.name << " alone has: " << way;
    }
  }
}

// What the kernels know of: with a way that no shape takes, the tests of parity would prove less.
TEST(Shapes, TakeEveryWay) {
  const Ways there = ways_of(cpu_shapes());
  for (const char* way : {"product: many groups",
                          "product: a group of 4",
                          "product: left 1",
                          "product: left 2",
                          "product: left 3",
                          "product: an odd input",
                          "product: pairs",
                          "in_proj: padded outputs",
                          "in_proj: padded inputs",
                          "x_proj: padded outputs",
                          "down_pool: padded inputs",
                          "up_pool: padded outputs",
                          "s6 step: a run of 16 first",
                          "s6 step: a run of 4 later",
                          "s6 step: a run of 1 later and last",
                          "s6 scan, 8 lanes: runs of 8",
                          "s6 scan, 8 lanes: a run of 4 later",
                          "s6 scan, 16 lanes: a run of 16 first",
                          "s4d scan, 16 lanes: a run of 8 first",
                          "s4d scan, 16 lanes: a run of 4 later",
                          "s4d scan, 8 lanes: runs of 4",
                          "s4d scan, 8 lanes: a run of 1 first and last",
                          "a window of 1",
                          "a window of 4",
                          "biases of products",
                          "a tier without layers",
                          "an odd pool",
                          "an even pool",
                          "a wider tier inside",
                          "a tier inside that is as wide",
                          "both mixers",
                          "s6 in the only tier",
                          "s4d in the only tier",
                          "s4d in the outermost tier",
                          "s4d in the outermost tier, going up",
                          "s4d in the innermost tier",
                          "s4d between",
                          "s6 between, going up"}) {
    EXPECT_EQ(there.count(way), 1U) << "no shape has: " << way;
  }
}

}  // namespace
}  // namespace mambo::testing
