// Planning, which needs no GPU: which plan a model gets on a device, what stands where in shared
// memory, who owns which channels, and the sentence when a plan cannot be. One file past 400 lines:
// all cases check the same invariants of a plan, which are written once at its head.
#include <gtest/gtest.h>

#include "kernels/backends.h"

#if MAMBO_HAS_CUDA

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "kernels/cuda/plan/candidate.h"
#include "kernels/cuda/plan/state_plan.h"
#include "tests/kernels/outline.h"
#include "tests/kernels/support.h"

namespace mambo::testing {
namespace {

using cuda::DeviceFacts;
using cuda::kNowhere;
using cuda::LayerDev;
using cuda::NetworkRecords;
using cuda::PlanCandidate;
using cuda::StagePlan;
using cuda::StepFacts;
using cuda::TierDev;

constexpr std::size_t kKiB = 1024;

DeviceFacts h100() { return {0, 132, 9, 0, 227 * kKiB, "H100"}; }
DeviceFacts a100() { return {0, 108, 8, 0, 163 * kKiB, "A100"}; }
DeviceFacts small() { return {0, 40, 7, 5, 64 * kKiB, "T4"}; }

NetworkShape with_mixers(std::vector<Mixer> mixers) {  // pools of eight; outermost tier first
  NetworkShape s = piano_shape();
  s.mixers = std::move(mixers);
  return s;
}
const NetworkShape& drums() {
  static const NetworkShape shape = [] {
    NetworkShape s = with_mixers({Mixer::s4d, Mixer::s6, Mixer::s6});
    s.name = "drums";
    return s;
  }();
  return shape;
}
const NetworkShape& huge() {
  static const NetworkShape shape = {"huge", {}, {2}, 4096, 1, 2, 16, 4, 0};
  return shape;
}

std::map<std::string, NetworkShape> planned_shapes() {
  std::vector<NetworkShape> all = all_shapes();
  all.push_back(piano_shape());
  all.push_back(drums());
  for (const std::string& name : shape_names()) all.push_back(named_shape(name));
  all.push_back({"d96", {4, 4}, {4, 4, 4}, 96, 2, 2, 16, 4, 0});
  all.push_back({"d192", {8}, {6, 6}, 192, 2, 2, 16, 4, 0});
  all.push_back({"K3_N32", {2, 2}, {2, 1, 1}, 40, 2, 2, 32, 3, 0, true});
  std::map<std::string, NetworkShape> named;
  for (const NetworkShape& shape : all) {
    std::string name = shape.name;
    std::replace(name.begin(), name.end(), '-', '_');
    named[name] = shape;
  }
  return named;
}
std::vector<std::string> planned_names() {
  std::vector<std::string> names;
  for (const auto& [name, shape] : planned_shapes()) names.push_back(name);
  return names;
}

NetworkRecords records(const NetworkShape& shape, WeightStorage storage = WeightStorage::half) {
  const NetworkView net = outline(shape);
  return network_records(net, cuda::StatePlan(net), storage);
}

PlanCandidate fastest(const NetworkRecords& net, const DeviceFacts& device) {
  const StepFacts facts = cuda::step_facts();
  PlanCandidate best = plan_single(net, device, facts);
  for (PlanCandidate c :
       {plan_grid(net, device, facts, device.sms), plan_cluster(net, device, facts, 16)})
    if (c && (!best || c.estimate_us < best.estimate_us)) best = std::move(c);
  return best;
}
std::string fastest_text(const NetworkShape& shape, const DeviceFacts& device) {
  const PlanCandidate c = fastest(records(shape), device);
  return c ? c.text() : c.why_not;
}

bool is_resident(const StagePlan& s) { return s.role.kind == cuda::RoleKind::stage; }
bool by_columns(const StagePlan& s) { return cuda::by_columns(s.role.kind); }

// What device code computes (share() in step/layer_run.cuh).
std::pair<int, int> share_of(int n, int members, int me) {
  return {n * me / members, n * (me + 1) / members};
}
std::size_t most_of_share(int n, int members) {
  int most = 0;
  for (int me = 0; me < members; ++me) {
    const auto [begin, end] = share_of(n, members, me);
    most = std::max(most, end - begin);
  }
  return static_cast<std::size_t>(most);
}

// The layers of stage i, as indices into the network's.
std::vector<int> layers_of(const NetworkRecords& net, const PlanCandidate& c, std::size_t i) {
  std::vector<int> outer;
  std::vector<int> inner;
  for (int l = 0; l < net.view.n_layers; ++l)
    (net.layers[static_cast<std::size_t>(l)].tier == 0 ? outer : inner).push_back(l);
  const cuda::Role& role = c.stages[i].role;
  if (c.links > 0 && static_cast<int>(i) >= c.links) return inner;
  if (c.links > 0) return {outer.begin() + role.begin, outer.begin() + role.end};
  std::vector<int> all;
  for (int l = role.begin; l < role.end; ++l) all.push_back(l);
  return all;
}

struct Region {
  std::string what;
  std::size_t begin, bytes;
};

// Everything that a stage's CTAs keep in shared memory, by what the kernels read and write there.
class Regions {
 public:
  Regions(const NetworkRecords& net, const PlanCandidate& c, std::size_t i)
      : net_(net), stage_(c.stages[i]), members_(stage_.role.members) {
    const cuda::Role& role = stage_.role;
    const bool in_pipeline = static_cast<int>(i) < c.links;
    add("bars", role.layout.bars, facts_.bars);
    add("args", role.layout.args, sizeof(cuda::StreamArgs) * streams(c));
    if (is_resident(stage_)) {
      add("vectors", role.layout.x, facts_.resident.shared);
      add("layers", role.layout.u, facts_.resident.layer * layers_of(net, c, i).size());
      add("embed", role.embed, facts_.resident.table);
      add("head", role.head, facts_.resident.table);
    } else {
      vectors(streams(c));
      weights(layers_of(net, c, i), streams(c));
    }
    for (std::size_t s = 0; s < net.tiers.size(); ++s) {
      const TierDev& t = net.tiers[s];
      const std::size_t rows = sizeof(float) * static_cast<std::size_t>(t.pool * t.wp);
      add("group", role.layout.pool_buffer[s], rows);
      add("up", role.layout.skip[s], in_pipeline ? 2 * rows : rows);
      if (s == 0) add("inbox", role.layout.inbox, 2 * rows);
    }
  }

  void expect_apart(std::size_t limit) const {
    std::vector<Region> sorted = all_;
    std::sort(sorted.begin(), sorted.end(),
              [](const Region& a, const Region& b) { return a.begin < b.begin; });
    for (std::size_t i = 0; i < sorted.size(); ++i) {
      const Region& r = sorted[i];
      EXPECT_EQ(r.begin % 128, 0U) << r.what;
      const std::size_t next = i + 1 < sorted.size() ? sorted[i + 1].begin : stage_.shared_bytes;
      EXPECT_LE(r.begin + r.bytes, next) << r.what << " ends behind what comes next";
    }
    EXPECT_LE(stage_.shared_bytes, limit);
  }

 private:
  static std::size_t streams(const PlanCandidate& c) {
    return static_cast<std::size_t>(c.kernel.together);
  }
  void add(const std::string& what, std::uint32_t at, std::size_t bytes) {
    if (at != kNowhere && bytes > 0) all_.push_back({what, at, bytes});
  }
  void vectors(std::size_t ns) {
    const cuda::Layout& o = stage_.role.layout;
    const std::size_t W = net_.element();
    const auto n = [](int x) { return static_cast<std::size_t>(x); };
    add("layers", o.layers, facts_.layer_run * net_.layers.size());
    add("tiers", o.tiers, facts_.tier_run * net_.tiers.size());
    add("cursors", o.cursors, facts_.cursor * net_.tiers.size());
    add("states", o.states, sizeof(float*) * ns);
    add("codes", o.codes, sizeof(int) * ns);
    add("x", o.x, 4 * ns * n(o.x_stride));
    add("pooled", o.pooled, 4 * ns * n(o.x_stride));
    add("u", o.u, W * ns * n(o.act_stride));
    add("y", o.y, W * ns * n(o.act_stride));
    add("dbc", o.dbc, 4 * ns * n(o.dbc_stride));
    if (ns == 1) add("dbc_other", o.dbc_other, 4 * n(o.dbc_stride));
    add("own_u", o.own_u, 4 * ns * n(o.own_stride));
    add("own_gate", o.own_gate, 4 * ns * n(o.own_stride));
    add("warp_sums", o.warp_sums, facts_.warp_sums * n(facts_.warps));
    const int wp = net_.tiers.front().wp;
    add("x_half", o.x_half,
        2 * n(wp) + 4 * n(wp / 8));  // halves, and a float for every eight of them
    const StepFacts::Columns& parts = facts_.columns;
    add("partial_dbc", o.partial_dbc, 4 * n(parts.pairs * parts.rows_dbc));
    add("partial_x", o.partial_x, 4 * n(parts.pairs * parts.rows_x));
    add("logits", o.logits, 4 * ns * n(net_.view.vp));
  }
  void weights(const std::vector<int>& layers, std::size_t ns) {
    const std::size_t W = net_.element();
    const cuda::Role& role = stage_.role;
    const auto tile_rows = [W](std::size_t rows, int columns) {
      return W * 16 * rows * static_cast<std::size_t>(columns);
    };
    const int wp0 = net_.tiers.front().wp;
    add("embed", role.embed, tile_rows(1, wp0) / 16 * static_cast<std::size_t>(net_.view.vocab));
    add("head", role.head, tile_rows(most_of_share(net_.view.vp / 16, members_), wp0));
    for (std::size_t s = 0; s + 1 < net_.tiers.size(); ++s) {
      const int group = net_.tiers[s].pool * net_.tiers[s].wp;
      const int inner = net_.tiers[s + 1].wp;
      add("down_pool", role.down_pool[s], tile_rows(most_of_share(inner / 16, members_), group));
      add("up_pool", role.up_pool[s], tile_rows(most_of_share(group / 16, members_), inner));
    }
    for (const int i : layers) {
      const LayerDev& l = net_.layers[static_cast<std::size_t>(i)];
      const cuda::Resident& r = stage_.places[static_cast<std::size_t>(i)];
      const std::size_t tiles = most_of_share(l.dp / 8, members_);
      const auto channels = [&](int floats) {
        return 4 * tiles * ns * 8 * static_cast<std::size_t>(floats);
      };
      add("h", r.h, channels(l.h_floats));
      add("conv", r.conv, channels(net_.view.K));
      add("records", r.records, 4 * tiles * static_cast<std::size_t>(l.record_floats));
      add("in_proj", r.in_proj, tile_rows(tiles, l.wp));
      if (by_columns(stage_)) {  // all rows, a share of the columns
        add("x_proj", r.x_proj, tile_rows(1, l.dp * (l.xp / 16) / members_));
        add("out_proj", r.out_proj, tile_rows(1, l.dp * (l.wp / 16) / members_));
      } else {
        const int shared_by = role.split_dbc != 0 ? members_ : 1;
        add("x_proj", r.x_proj, tile_rows(most_of_share(l.xp / 16, shared_by), l.dp));
        add("out_proj", r.out_proj, tile_rows(most_of_share(l.wp / 16, members_), l.dp));
      }
    }
  }

  const StepFacts facts_ = cuda::step_facts();
  const NetworkRecords& net_;
  const StagePlan& stage_;
  int members_;
  std::vector<Region> all_;
};

void expect_room(const NetworkRecords& net, const PlanCandidate& c, const DeviceFacts& device) {
  std::size_t most = 0;
  for (std::size_t i = 0; i < c.stages.size(); ++i) {
    Regions(net, c, i).expect_apart(device.shared_bytes);
    most = std::max(most, c.stages[i].shared_bytes);
    if (is_resident(c.stages[i])) continue;
    const cuda::Layout& o = c.stages[i].role.layout;
    const std::vector<int> layers = layers_of(net, c, i);
    for (const int l : layers) {
      const LayerDev& layer = net.layers[static_cast<std::size_t>(l)];
      EXPECT_GE(o.x_stride, layer.wp);
      EXPECT_GE(o.act_stride, layer.dp);
      EXPECT_GE(o.dbc_stride, layer.xp);
      EXPECT_GE(static_cast<std::size_t>(o.own_stride),
                8 * most_of_share(layer.dp / 8, c.stages[i].role.members));
    }
    for (int l = 0; l < net.view.n_layers; ++l) {  // nothing of layers that others run
      if (std::find(layers.begin(), layers.end(), l) != layers.end()) continue;
      const cuda::Resident& r = c.stages[i].places[static_cast<std::size_t>(l)];
      EXPECT_TRUE(r.h == kNowhere && r.conv == kNowhere && r.records == kNowhere &&
                  r.in_proj == kNowhere && r.x_proj == kNowhere && r.out_proj == kNowhere);
    }
  }
  EXPECT_EQ(c.shared_bytes, most);
}

// Ranks are counted through, and each tile of channels has one owner. Of a group each CTA owns some
// of every layer: what it exchanges there keeps it in step (exchange.cuh).
void expect_one_owner(const NetworkRecords& net, const PlanCandidate& c) {
  std::map<std::pair<int, int>, int> owners;
  int rank = 0;
  for (std::size_t i = 0; i < c.stages.size(); ++i) {
    const cuda::Role& role = c.stages[i].role;
    // A grid's and a cluster's one group takes its size from the launch.
    const int members = role.members;
    EXPECT_EQ(role.first_rank, rank);
    rank += members;
    for (const int l : layers_of(net, c, i)) {
      const int tiles = net.layers[static_cast<std::size_t>(l)].dp / 8;
      for (int me = 0; me < members; ++me) {
        const auto [begin, end] = share_of(tiles, members, me);
        EXPECT_LT(begin, end) << "a CTA without channels of layer " << l;
        for (int t = begin; t < end; ++t) ++owners[{l, t}];
      }
    }
  }
  EXPECT_EQ(rank, c.ctas);
  std::size_t tiles = 0;
  for (const LayerDev& l : net.layers) tiles += static_cast<std::size_t>(l.dp / 8);
  EXPECT_EQ(owners.size(), tiles);
  for (const auto& [tile, n] : owners) EXPECT_EQ(n, 1) << "layer " << tile.first;
}

class Plans : public ::testing::TestWithParam<std::string> {};

TEST_P(Plans, StandApartInSharedMemoryAndEachChannelHasOneOwner) {
  const StepFacts facts = cuda::step_facts();
  for (const WeightStorage storage : {WeightStorage::half, WeightStorage::f32}) {
    const NetworkRecords net = records(planned_shapes().at(GetParam()), storage);
    for (const DeviceFacts& device : {h100(), a100(), small()}) {
      std::vector<PlanCandidate> all;
      for (const int most : {8, 16}) all.push_back(plan_cluster(net, device, facts, most));
      for (const int most : {7, device.sms}) all.push_back(plan_grid(net, device, facts, most));
      for (const int together : {1, 4, 8}) all.push_back(plan_single(net, device, facts, together));
      for (const PlanCandidate& c : all) {
        if (!c) continue;
        SCOPED_TRACE(device.name + ": " + c.text());
        expect_room(net, c, device);
        expect_one_owner(net, c);
        EXPECT_GT(c.estimate_us, 0);
      }
    }
  }
}

TEST_P(Plans, TakeNoMoreCtasThanTheyMay) {
  const StepFacts facts = cuda::step_facts();
  const NetworkRecords net = records(planned_shapes().at(GetParam()));
  for (const int most : {4, 8, 16}) {
    EXPECT_LE(plan_cluster(net, h100(), facts, most).ctas, most);
    EXPECT_LE(plan_grid(net, a100(), facts, most).ctas, most);
  }
}

INSTANTIATE_TEST_SUITE_P(All, Plans, ::testing::ValuesIn(planned_names()),
                         [](const auto& test) { return test.param; });

TEST(Plan, OfAnH100) {
  const std::string two =
      "a pipeline of 2 SMs and a column-parallel group of 8 beside it, one cluster";
  EXPECT_EQ(fastest_text(named_shape("piano"), h100()), two) << "piano-lab";
  EXPECT_EQ(fastest_text(piano_shape(), h100()), two);
  EXPECT_EQ(fastest_text(drums(), h100()), two);
  EXPECT_EQ(fastest_text(named_shape("piano-s4d"), h100()), two);
  EXPECT_EQ(fastest_text(named_shape("sc09"), h100()),
            "a pipeline of 6 SMs and a column-parallel group of 8 beside it, one cluster");
  EXPECT_EQ(fastest_text(named_shape("flat256"), h100()), "a column-parallel group of 16 SMs");
  EXPECT_EQ(fastest_text(named_shape("flat512"), h100()), "a grid of 128 SMs");
}

// What its kernel is compiled for: the group's split, the mixer of the stages, the group's mixers.
TEST(Plan, NamesItsKernel) {
  const StepFacts facts = cuda::step_facts();
  const auto kernel = [&](const NetworkShape& shape) {
    return plan_cluster(records(shape), h100(), facts, 16).kernel;
  };
  using cuda::RoleKind;
  using Stages = std::optional<Mixer>;
  for (const auto& [shape, group, stages, has_s4d] :
       {std::tuple{piano_shape(), RoleKind::columns, Stages(Mixer::s6), false},
        std::tuple{drums(), RoleKind::columns, Stages(Mixer::s4d), false},
        std::tuple{with_mixers({Mixer::s4d, Mixer::s6, Mixer::s4d}), RoleKind::columns,
                   Stages(Mixer::s4d), true},
        std::tuple{with_mixers({Mixer::s6, Mixer::s4d, Mixer::s6}), RoleKind::columns,
                   Stages(Mixer::s6), true},
        std::tuple{named_shape("flat256"), RoleKind::flat_columns, Stages(), false},
        std::tuple{named_shape("flat512"), RoleKind::rows, Stages(), false}}) {
    EXPECT_EQ(kernel(shape).group, group) << shape.name;
    EXPECT_EQ(kernel(shape).stages, stages) << shape.name;
    EXPECT_EQ(kernel(shape).blocks.has_s4d, has_s4d) << shape.name;
  }
  // A pipeline and nothing inside it.
  const NetworkShape alone = {"alone", {}, {5}, 64, 1, 2, 16, 4, 0};
  EXPECT_EQ(kernel(alone).group, RoleKind::columns);
  EXPECT_EQ(plan_cluster(records(alone), h100(), facts, 16).links, 2);
}

TEST(Plan, OfADeviceWithoutClusters) {
  for (const NetworkShape& shape : {named_shape("piano"), piano_shape(), drums()}) {
    EXPECT_EQ(fastest_text(shape, a100()), "one SM per stream") << shape.name;
    EXPECT_EQ(fastest_text(shape, small()), "one SM per stream") << shape.name;
  }
  EXPECT_EQ(fastest_text(named_shape("flat256"), a100()), "a grid of 64 SMs");
  EXPECT_EQ(fastest_text(named_shape("flat512"), a100()), "a grid of 108 SMs");
  EXPECT_EQ(fastest_text(named_shape("flat512"), small()), "a grid of 40 SMs");
}

TEST(Plan, HoldsTheOutermostTierInSharedMemory) {
  const StepFacts facts = cuda::step_facts();
  for (const NetworkShape& shape :
       {named_shape("piano"), piano_shape(), drums(), named_shape("sc09")}) {
    const NetworkRecords net = records(shape);
    const PlanCandidate c = plan_cluster(net, h100(), facts, 16);
    ASSERT_TRUE(c) << c.why_not;
    ASSERT_EQ(c.stages.size(), static_cast<std::size_t>(c.links) + 1);
    for (int i = 0; i < c.links; ++i) {
      const StagePlan& s = c.stages[static_cast<std::size_t>(i)];
      EXPECT_TRUE(is_resident(s));
      EXPECT_TRUE(s.all_resident);
      EXPECT_LE(s.role.end - s.role.begin, facts.resident.max_layers);
      EXPECT_EQ(s.role.embed != kNowhere, i == 0);
      EXPECT_EQ(s.role.head != kNowhere, i + 1 == c.links);
      // x joins the group inside where the last layer of tier 0 on the way down ends a stage.
      const bool joins = s.role.end == net.tiers.front().down_end;
      EXPECT_EQ(s.role.layout.skip[0] != kNowhere, joins);
    }
    const StagePlan& inside = c.stages.back();
    EXPECT_FALSE(is_resident(inside));
    EXPECT_TRUE(by_columns(inside));
    EXPECT_NE(inside.role.layout.inbox, kNowhere);
    for (int l = 0; l < net.view.n_layers;
         ++l) {  // what is read and written every step comes first
      if (net.layers[static_cast<std::size_t>(l)].tier != 1) continue;
      EXPECT_NE(inside.places[static_cast<std::size_t>(l)].h, kNowhere) << shape.name << " " << l;
    }
  }
}

TEST(Plan, ReadsFromOutsideWhatDoesNotFit) {
  const StepFacts facts = cuda::step_facts();
  const NetworkRecords flat = records(named_shape("flat512"));
  const PlanCandidate wide = plan_grid(flat, h100(), facts, 132);
  const PlanCandidate narrow = plan_grid(flat, h100(), facts, 16);
  ASSERT_TRUE(wide && narrow);
  for (const cuda::Resident& r : wide.stages.front().places) EXPECT_NE(r.h, kNowhere);
  EXPECT_LT(wide.stages.front().streamed, narrow.stages.front().streamed);
  EXPECT_LT(wide.estimate_us, narrow.estimate_us);
  EXPECT_FALSE(wide.stages.front().all_resident);

  const NetworkRecords little = records({"little", {}, {1}, 32, 1, 2, 16, 4, 0});
  const PlanCandidate one = plan_single(little, h100(), facts);
  ASSERT_TRUE(one);
  EXPECT_TRUE(one.stages.front().all_resident);
  EXPECT_EQ(one.stages.front().streamed, 0U);
}

TEST(Plan, OfAGridHasAPlaceForEveryExchange) {
  const NetworkRecords net = records(piano_shape());
  const PlanCandidate c = plan_grid(net, a100(), cuda::step_facts(), 108);
  ASSERT_TRUE(c);
  std::set<std::uint32_t> places(std::begin(c.ll.at), std::end(c.ll.at));
  EXPECT_EQ(places.size(), static_cast<std::size_t>(cuda::kMessages));
  std::size_t pool = 0;
  for (const TierDev& t : net.tiers) pool = std::max(pool, static_cast<std::size_t>(t.pool * t.wp));
  EXPECT_GE(c.ll.words, pool / 2);  // two floats per word
  for (const std::uint32_t at : places) EXPECT_LT(at, c.ll.words);
  EXPECT_GE(c.ll.exchanges_per_step, net.layers.size());
}

TEST(Plan, SaysWhyItCannotBe) {
  const StepFacts facts = cuda::step_facts();
  const NetworkRecords piano = records(piano_shape());
  EXPECT_EQ(plan_cluster(piano, a100(), facts, 16).why_not,
            "a cluster of SMs needs compute capability 9.0, found 8.0");
  EXPECT_EQ(plan_grid(piano, {0, 1, 9, 0, 227 * kKiB, "one SM"}, facts, 1).why_not,
            "the model is too narrow for a grid of SMs");
  EXPECT_EQ(plan_single(records(piano_shape(), WeightStorage::f32), h100(), facts, 4).why_not,
            "several streams an SM need half storage");
  for (const PlanCandidate& c :
       {plan_cluster(records(piano_shape(), WeightStorage::f32), h100(), facts, 16),
        plan_grid(records(piano_shape(), WeightStorage::f32), h100(), facts, 132)})
    EXPECT_EQ(c.why_not, "float32 weights are played by one SM alone");
  const NetworkRecords odd = records({"K3", {}, {1}, 32, 1, 2, 16, 3, 0});
  EXPECT_EQ(plan_single(odd, h100(), facts, 4).why_not,
            "several streams an SM need a window of 4 and at most 16 states");
  EXPECT_TRUE(plan_single(odd, h100(), facts));
  const NetworkRecords gap = records({"gap", {2, 2, 4}, {1, 0, 1, 1}, 16, 1, 2, 8, 4, 1});
  EXPECT_EQ(plan_cluster(gap, h100(), facts, 16).why_not,
            "a cluster of SMs cannot play this model: "
            "a tier without layers is played by one SM alone");
  EXPECT_EQ(plan_grid(gap, h100(), facts, 132).why_not,
            "a tier without layers is played by one SM alone");
  EXPECT_TRUE(plan_single(gap, h100(), facts));

  const NetworkRecords big = records(huge());
  const std::string at_most = " KiB of an SM's shared memory, expected at most 64 KiB";
  for (const PlanCandidate& c :
       {plan_single(big, small(), facts), plan_grid(big, small(), facts, 40)}) {
    EXPECT_FALSE(c);
    EXPECT_EQ(c.why_not.rfind("the model's vectors need ", 0), 0U) << c.why_not;
    EXPECT_EQ(c.why_not.find(at_most), c.why_not.size() - at_most.size()) << c.why_not;
  }
  EXPECT_FALSE(fastest(big, small()));
}

}  // namespace
}  // namespace mambo::testing

#endif
