#include "kernels/cuda/plan/plan.h"

#include <algorithm>
#include <functional>

#include "kernels/cuda/step/pipeline.cuh"
#include "kernels/cuda/step/stage_resident.cuh"

namespace mambo::cuda {
namespace {

static_assert(kMailKinds == kKinds);

int most_of_share(int n, int members) { return (n + members - 1) / members; }

constexpr std::uint32_t kAlign = 128;

}  // namespace

// Lays out the shared memory of one kind of CTA.
struct StepPlan::Builder {
  const DeviceNetwork& net;
  std::size_t limit;
  int streams;  // a CTA
  Role role{};
  std::vector<Resident> resident;
  std::uint32_t used = 0;
  bool all_resident = true;
  std::size_t streamed =
      0;  // bytes of weights and state that a sample reads from outside, on average

  Builder(const DeviceNetwork& n, std::size_t shared, int ns)
      : net(n), limit(shared), streams(ns), resident(n.layers().size()) {
    for (Resident& r : resident) r = {kNowhere, kNowhere, kNowhere, kNowhere, kNowhere, kNowhere};
    for (int s = 0; s < kMaxTiers; ++s) {
      role.layout.group[s] = role.layout.up[s] = kNowhere;
      role.down_pool[s] = role.up_pool[s] = kNowhere;
    }
    role.embed = role.head = role.layout.inbox = kNowhere;
    role.layout.xh = role.layout.parts_d = role.layout.parts_x = kNowhere;
    role.members = 1;
  }

  std::uint32_t take(std::size_t bytes) {
    const std::uint32_t at = used;
    used += static_cast<std::uint32_t>((bytes + kAlign - 1) / kAlign * kAlign);
    return at;
  }
  // If there is room; otherwise it is read from where it is, `rate` times a sample.
  void want(std::uint32_t& place, std::size_t bytes, double rate) {
    if (used + (bytes + kAlign - 1) / kAlign * kAlign <= limit) {
      place = take(bytes);
    } else {
      all_resident = false;
      streamed += static_cast<std::size_t>(static_cast<double>(bytes) * rate);
    }
  }

  // Buffers of every CTA that runs layers [begin, end).
  void buffers(int begin, int end) {
    const std::size_t W = net.records().element();
    int wp = net.tiers().front().wp;
    int dp = 32;
    int xp = 16;
    int own = 8;
    for (const TierDev& t : net.tiers()) wp = std::max(wp, t.wp);
    for (int i = begin; i < end; ++i) {
      const LayerDev& l = net.layers()[static_cast<std::size_t>(i)];
      dp = std::max(dp, l.dp);
      xp = std::max(xp, l.xp);
      own = std::max(own, 8 * most_of_share(l.dp / 8, role.members));
    }
    Layout& o = role.layout;
    const auto ns = static_cast<std::size_t>(streams);
    o.bars = take(8 * kBars);  // first: the same place in every CTA
    o.layers = take(sizeof(LayerRun<float>) * net.layers().size());
    o.tiers = take(sizeof(TierRun<float>) * net.tiers().size());
    o.cursors = take(sizeof(Cursor) * net.tiers().size());
    o.states = take(sizeof(float*) * ns);
    o.args = take(sizeof(StreamArgs) * ns);
    o.codes = take(sizeof(int) * std::max<std::size_t>(4, ns));
    // Paddings that keep the streams' rows on different banks where a warp reads several at once.
    o.x_stride = streams == 1 ? wp : wp + 4;
    o.act_stride = streams == 1 ? dp : dp + (dp / 32 % 2 == 0 ? 32 : 0);
    o.dbc_stride = xp;
    o.own_stride = own;
    o.x = take(sizeof(float) * ns * static_cast<std::size_t>(o.x_stride));
    o.xq = take(sizeof(float) * ns * static_cast<std::size_t>(o.x_stride));
    o.u = take(W * ns * static_cast<std::size_t>(o.act_stride));
    o.y = take(W * ns * static_cast<std::size_t>(o.act_stride));
    o.dbc = take(sizeof(float) * ns * static_cast<std::size_t>(xp));
    o.dbc_next = streams == 1 ? take(sizeof(float) * static_cast<std::size_t>(xp)) : o.dbc;
    o.uf = take(sizeof(float) * ns * static_cast<std::size_t>(own));
    o.zf = take(sizeof(float) * ns * static_cast<std::size_t>(own));
    o.part = take(sizeof(float) * kPart * kSharedWarps);
    // Flat models and teams have them (LayerStep::normed_x), and 2.5 wp bytes are too few to tell
    // who is one.
    if (role.members > 1) o.xh = take(5 * static_cast<std::size_t>(wp) / 2);
    if (role.team != 0) {
      o.parts_d = take(sizeof(float) * TeamParts::kPairs * TeamParts::kRowsD);
      o.parts_x = take(sizeof(float) * TeamParts::kPairs * TeamParts::kRowsX);
    }
    o.logits = take(sizeof(float) * ns * static_cast<std::size_t>(net.view().vp));
  }

  std::size_t group_bytes(int s) const {
    const TierDev& t = net.tiers()[static_cast<std::size_t>(s)];
    return sizeof(float) * static_cast<std::size_t>(t.pool) * static_cast<std::size_t>(t.wp);
  }
  // Copies of groups and ups of tiers [first, ...), which every member of a group keeps.
  void group_copies(int first) {
    for (int s = first; s < static_cast<int>(net.tiers().size()); ++s) {
      if (net.tiers()[static_cast<std::size_t>(s)].pool == 0) continue;
      role.layout.group[s] = take(group_bytes(s));
      role.layout.up[s] = take(group_bytes(s));
    }
  }

  // A link of narrow.cuh; `joins`: after the last of tier 0's down blocks.
  void narrow_link(int layers, bool joins, bool is_first, bool is_last) {
    Layout& o = role.layout;
    o.bars = take(8 * kBars);
    o.args = take(sizeof(StreamArgs));
    o.codes = take(16);
    o.x = take(sizeof(Narrow::Shared));
    if (joins) o.up[0] = take(2 * group_bytes(0));
    if (is_first) role.embed = take(Narrow::kTableBytes);
    if (is_last) role.head = take(Narrow::kTableBytes);
    o.u = take(static_cast<std::size_t>(layers) * Narrow::kLayerBytes);
  }

  double rate_of(int tier) const {
    double stride = 1;
    for (int s = 0; s < tier; ++s) stride *= net.tiers()[static_cast<std::size_t>(s)].pool;
    return 1.0 / stride;
  }

  // Weights and states of layers [begin, end), most often used first; then what else fits.
  void residents(int begin, int end, bool has_embed, bool has_head, int first_pool) {
    const std::size_t W = net.records().element();
    const auto ns = static_cast<std::size_t>(streams);
    const NetDev& v = net.view();
    const int m = role.members;
    for (int tier = 0; tier < static_cast<int>(net.tiers().size()); ++tier) {
      const double rate = rate_of(tier);
      const auto each = [&](const std::function<void(const LayerDev&, Resident&)>& f) {
        for (int i = begin; i < end; ++i) {
          const LayerDev& l = net.layers()[static_cast<std::size_t>(i)];
          if (l.tier == tier) f(l, resident[static_cast<std::size_t>(i)]);
        }
      };
      each([&](const LayerDev& l, Resident& r) {
        const auto units = static_cast<std::size_t>(most_of_share(l.dp / 8, m));
        want(r.h, sizeof(float) * units * ns * 8 * static_cast<std::size_t>(l.hp), 2 * rate);
      });
      each([&](const LayerDev& l, Resident& r) {
        const auto units = static_cast<std::size_t>(most_of_share(l.dp / 8, m));
        want(r.conv, sizeof(float) * units * ns * 8 * static_cast<std::size_t>(v.K), rate);
        want(r.unit, sizeof(float) * units * static_cast<std::size_t>(l.unit_floats), rate);
      });
      if (tier == 0 && has_embed && role.team == 0) want_embed();
      if (tier == 0 && has_head) {
        const auto tiles = static_cast<std::size_t>(most_of_share(v.vp / 16, m));
        want(role.head, W * tiles * tile_row_elements(net.tiers().front().wp), 1);
      }
      if (tier > first_pool) {
        const TierDev& outer = net.tiers()[static_cast<std::size_t>(tier - 1)];
        const int inner = net.tiers()[static_cast<std::size_t>(tier)].wp;
        const auto down = static_cast<std::size_t>(most_of_share(inner / 16, m));
        const auto up = static_cast<std::size_t>(most_of_share(outer.pool * outer.wp / 16, m));
        want(role.down_pool[tier - 1], W * down * tile_row_elements(outer.pool * outer.wp), rate);
        want(role.up_pool[tier - 1], W * up * tile_row_elements(inner), rate);
      }
      each([&](const LayerDev& l, Resident& r) {
        const auto rows = static_cast<std::size_t>(most_of_share(l.wp / 16, m));
        const auto dbc =
            static_cast<std::size_t>(role.split_dbc != 0 ? most_of_share(l.xp / 16, m) : l.xp / 16);
        const auto units = static_cast<std::size_t>(most_of_share(l.dp / 8, m));
        if (role.team != 0) {
          const auto all = static_cast<std::size_t>(m);
          want(r.out_proj, W * tile_row_elements(l.dp) * static_cast<std::size_t>(l.wp / 16) / all,
               rate);
          want(r.x_proj, W * tile_row_elements(l.dp) * static_cast<std::size_t>(l.xp / 16) / all,
               rate);
        } else {
          want(r.out_proj, W * rows * tile_row_elements(l.dp), rate);
          want(r.x_proj, W * dbc * tile_row_elements(l.dp), rate);
        }
        want(r.in_proj, W * units * tile_row_elements(l.wp), rate);
      });
    }
    // A row a sample, of 256: a team has weights enough that it needs more often.
    if (has_embed && role.team != 0) want_embed();
    role.layout.total = used;
  }
  void want_embed() {
    const auto wp = static_cast<std::size_t>(net.tiers().front().wp);
    const int vocab = net.view().vocab;
    want(role.embed, net.records().element() * static_cast<std::size_t>(vocab) * wp, 1.0 / vocab);
  }
};

namespace {

Blocks blocks_of(const DeviceNetwork& net) {
  Blocks b{net.view().K == 4 && net.view().np == 16, false};
  bool selective = false;  // if none is, nobody has N states
  for (const LayerDev& l : net.layers()) (l.xp == 0 ? b.mixed : selective) = true;
  b.usual |= net.view().K == 4 && !selective;
  return b;
}

int fewest_units(const DeviceNetwork& net, int begin, int end) {
  int fewest = 1 << 20;
  for (int i = begin; i < end; ++i)
    fewest = std::min(fewest, net.layers()[static_cast<std::size_t>(i)].dp / 8);
  return fewest;
}

// Groups of CTAs keep step by what they exchange in layers (exchange.cuh), so each tier needs one.
void need_layers_in_every_tier(const DeviceNetwork& net, std::size_t first) {
  for (std::size_t s = first; s < net.tiers().size(); ++s) {
    const TierDev& t = net.tiers()[s];
    if (t.down_end == t.down_begin)
      throw PlanUnsuited("a tier without layers is played by one SM alone");
  }
}

// Whether tier 0 has the shape that narrow.cuh is made for.
bool suits_narrow(const DeviceNetwork& net, int inner_begin, int inner_end) {
  const NetDev& v = net.view();
  if (net.storage() != WeightStorage::half || !blocks_of(net).usual || v.vp != kMaxVocab ||
      v.vocab != kMaxVocab)
    return false;
  for (int i = 0; i < v.n_layers; ++i) {
    const LayerDev& l = net.layers()[static_cast<std::size_t>(i)];
    if (i >= inner_begin && i < inner_end) continue;
    if (l.width != Narrow::kWidth || l.dp != Narrow::kInner || l.hp != Narrow::kStates ||
        (l.xp > 0 && (l.r4 != Narrow::kRank || l.xp != Narrow::kRows)))
      return false;
  }
  return true;
}

// As many CTAs, `most` at most, as share out all of layers [begin, end) by whole pairs of columns;
// 0: fewer than half as many.
int team_of(const DeviceNetwork& net, int begin, int end, int most) {
  if (net.storage() != WeightStorage::half) return 0;
  for (int members = most / 4 * 4; members >= 4 && 2 * members >= most; members -= 4) {
    bool all = true;
    for (int i = begin; i < end; ++i) {
      const LayerDev& l = net.layers()[static_cast<std::size_t>(i)];
      all &= l.dp % (32 * members) == 0 && l.dp % 256 == 0 && l.dp <= 32 * TeamParts::kPairs &&
             l.dp <= 64 * members && l.xp <= TeamParts::kRowsD && (l.wp == 128 || l.wp == 256);
    }
    if (all) return members;
  }
  return 0;
}

// Splitting dbc's rows costs one more exchange; not splitting them, the whole of x_proj in each
// CTA.
bool should_split_dbc(const DeviceNetwork& net, int members) {
  std::size_t most = 0;
  for (const LayerDev& l : net.layers())
    most = std::max(
        most, net.records().element() * static_cast<std::size_t>(l.xp) * static_cast<std::size_t>(l.dp));
  return members > 1 && most > (64U << 10U);
}

}  // namespace

StepPlan::StepPlan(const DeviceNetwork& net, const DeviceFacts& device, Shape shape, int together)
    : shape_(shape),
      together_(together),
      storage_(net.storage()),
      blocks_(blocks_of(net)),
      flat_(blocks_.usual && !blocks_.mixed && net.tiers().size() == 1) {
  const int n_layers = static_cast<int>(net.layers().size());
  const auto& tiers = net.tiers();
  const bool pools = tiers.size() > 1;
  const std::size_t limit = device.shared_bytes;
  std::vector<Builder> built;
  const auto too_big = [&](const Builder& b) {
    if (b.used <= limit) return;
    throw PlanUnsuited("the model's vectors need " + std::to_string(b.used / 1024) +
                       " KiB of an SM's shared memory, expected at most " +
                       std::to_string(limit / 1024) + " KiB");
  };
  const auto group_of = [&](int members, bool team = false) {
    need_layers_in_every_tier(net, 0);
    Builder b(net, limit, 1);
    b.role.members = members;
    b.role.team = team ? 1 : 0;
    b.role.end = n_layers;
    b.role.split_dbc = !team && should_split_dbc(net, members) ? 1 : 0;
    b.buffers(0, n_layers);
    b.group_copies(0);
    too_big(b);
    b.residents(0, n_layers, true, true, 0);
    return b;
  };
  // What a group takes for an exchange, a layer's own work, a byte that is not at home (us).
  const auto group_estimate = [&](const Builder& b, double exchange) {
    double us = 2.0 + 2 * exchange;
    for (const LayerDev& l : net.layers())
      us += b.rate_of(l.tier) *
            ((b.role.team != 0 ? 2 : (b.role.split_dbc != 0 && l.xp > 0 ? 4 : 3)) * exchange + 1.8);
    return us + static_cast<double>(b.streamed) / 80e3;
  };

  if (shape == Shape::alone) {
    if (together > 1 && storage_ != WeightStorage::half)
      throw PlanUnsuited("several streams an SM need half storage");
    Builder b(net, limit, together);
    b.role.end = n_layers;
    b.buffers(0, n_layers);
    too_big(b);
    b.residents(0, n_layers, true, true, 0);
    estimate_us_ = 2.0 + static_cast<double>(b.streamed) / 80e3;
    for (const LayerDev& l : net.layers()) estimate_us_ += b.rate_of(l.tier) * 3.2;
    built.push_back(std::move(b));
  } else if (shape == Shape::cluster) {
    if (device.major < 9)
      throw PlanUnsuited("a cluster of SMs needs compute capability 9.0, found " +
                         std::to_string(device.major) + "." + std::to_string(device.minor));
    const TierDev& outer = tiers.front();
    const int inner_begin = outer.down_end;
    const int inner_end = pools ? outer.up_begin : outer.down_end;
    const int outer_layers = n_layers - (inner_end - inner_begin);
    const auto layer_index = [&](int ordinal) {
      return ordinal < inner_begin ? ordinal : ordinal + inner_end - inner_begin;
    };
    // A chain, where layers of tier 0 fit an SM whole: as few links as hold all of them, of which
    // narrow ones end where x joins the group inside.
    const bool narrow = suits_narrow(net, inner_begin, inner_end);
    // Link r's first layer.
    const auto first_of = [&](int r, int links) {
      if (!narrow || !pools) return outer_layers * r / links;
      const int down = outer.down_end;
      const int before = std::clamp((links * down + outer_layers / 2) / outer_layers, 1, links - 1);
      return r <= before ? down * r / before
                         : down + (outer_layers - down) * (r - before) / (links - before);
    };
    const auto chain_of = [&](int links, int ctas) {
      std::vector<Builder> chain;
      if (narrow && links < 2) return chain;
      for (int r = 0; r < links; ++r) {
        Builder b(net, limit, 1);
        b.role.begin = first_of(r, links);
        b.role.end = first_of(r + 1, links);
        b.role.first_rank = r;
        if (narrow) {
          const int count = b.role.end - b.role.begin;
          if (count > Narrow::kMaxLayers || count < 1) return std::vector<Builder>{};
          b.narrow_link(count, pools && b.role.end == outer.down_end, r == 0, r + 1 == links);
          if (b.used > limit) return std::vector<Builder>{};
          chain.push_back(std::move(b));
          continue;
        }
        const int first = layer_index(b.role.begin);
        b.buffers(first, first + 1);  // all layers of the tier have one shape
        if (pools && b.role.begin < outer.down_end && outer.down_end <= b.role.end)
          b.role.layout.up[0] = b.take(2 * b.group_bytes(0));
        for (int i = b.role.begin; i < b.role.end; ++i)
          b.residents(layer_index(i), layer_index(i) + 1, false, false, kMaxTiers);
        b.residents(0, 0, r == 0, r + 1 == links, kMaxTiers);
        if (!b.all_resident) return std::vector<Builder>{};
        chain.push_back(std::move(b));
      }
      if (!pools) return chain;
      Builder b(net, limit, 1);
      b.role.first_rank = links;
      b.role.members = std::min(ctas - links, fewest_units(net, inner_begin, inner_end));
      const int team = team_of(net, inner_begin, inner_end, b.role.members);
      b.role.team = team > 0 ? 1 : 0;
      if (team > 0) b.role.members = team;
      b.role.split_dbc = team == 0 && should_split_dbc(net, b.role.members) ? 1 : 0;
      b.role.begin = outer_layers;
      b.role.end = outer_layers;
      b.buffers(inner_begin, inner_end);
      b.group_copies(1);
      b.role.layout.inbox = b.take(2 * b.group_bytes(0));
      if (b.used > limit || b.role.members * outer.wp / 4 > kSharedThreads)
        return std::vector<Builder>{};
      b.residents(inner_begin, inner_end, false, false, 0);
      chain.push_back(std::move(b));
      return chain;
    };
    std::string why = "not even one fits at once";
    for (const int ctas : {16, 8}) {
      if (!built.empty()) break;
      try {
        if (pools) need_layers_in_every_tier(net, 0);
        // One link and nothing beside it would be a cluster of one CTA: that is the plan `alone`,
        // and compute-sanitizer takes its st.async for an error.
        const int fewest = pools ? 1 : 2;
        for (int links = fewest; links <= outer_layers && links + (pools ? 1 : 0) <= ctas;
             ++links) {
          built = chain_of(links, ctas);
          if (built.empty()) continue;
          links_ = links;
          const bool modes = net.layers().front().xp == 0;
          kind_ = narrow ? (modes ? ClusterKind::modes_chain : ClusterKind::narrow_chain)
                         : ClusterKind::chain;
          ctas_ = links + (pools ? built.back().role.members : 0);
          if (pools && built.back().role.team != 0)
            kind_ = narrow
                        ? (modes ? ClusterKind::modes_chain_team : ClusterKind::narrow_chain_team)
                        : ClusterKind::chain_team;
          break;
        }
        if (built.empty()) {
          links_ = 0;
          ctas_ = std::min(ctas, fewest_units(net, 0, n_layers));
          const int team = flat_ ? team_of(net, 0, n_layers, ctas_) : 0;
          if (team > 0) ctas_ = team;
          kind_ = team > 0 ? ClusterKind::flat_team : ClusterKind::group;
          built.push_back(group_of(ctas_, team > 0));
        }
      } catch (const PlanUnsuited& e) {
        why = e.what();
        built.clear();
        continue;
      }
      std::size_t shared = 0;
      for (const Builder& b : built) shared = std::max<std::size_t>(shared, b.used);
      if (prepare_cluster(storage_, kind_, blocks_, ctas_, shared) < 1) built.clear();
    }
    if (built.empty()) throw PlanUnsuited("a cluster of SMs cannot play this model: " + why);
    if (links_ == 0) {
      estimate_us_ = group_estimate(built.front(), 0.75);
    } else {
      estimate_us_ = 1.5 + 0.5 * links_ + (narrow ? 1.0 : 3.2) * outer_layers;
      if (pools) {
        const double each = built.back().role.team != 0 ? 2.8 : 3.4;
        double inner = 2.0 + static_cast<double>(built.back().streamed) * outer.pool / 80e3;
        for (int i = inner_begin; i < inner_end; ++i)
          inner += net.layers()[static_cast<std::size_t>(i)].tier == 1 ? each : 0.0;
        estimate_us_ += std::max(0.0, inner - estimate_us_) / outer.pool;
      }
    }
  } else {
    ctas_ = std::min(device.sms, fewest_units(net, 0, n_layers));
    if (ctas_ < 2) throw PlanUnsuited("the model is too narrow for a grid of SMs");
    built.push_back(group_of(ctas_));
    const int can = prepare_grid(storage_, flat_, blocks_, built.front().used);
    if (can < 2) throw PlanUnsuited("the device cannot run CTAs that wait for one another");
    if (can < ctas_) {
      ctas_ = can;
      built.clear();
      built.push_back(group_of(ctas_));
    }
    estimate_us_ = group_estimate(built.front(), 1.2);
    // A place for each kind of exchange, of words that carry 8 bytes each.
    const Layout& o = built.front().role.layout;
    std::size_t up = 0;
    for (std::size_t s = 0; s < tiers.size(); ++s)
      up = std::max(up, static_cast<std::size_t>(tiers[s].pool * tiers[s].wp));
    const std::size_t act = net.records().element() * static_cast<std::size_t>(o.act_stride) / 8;
    const std::size_t sizes[kMailKinds] = {act,
                                           static_cast<std::size_t>(o.dbc_stride) / 2,
                                           act,
                                           static_cast<std::size_t>(o.x_stride) / 2,
                                           static_cast<std::size_t>(o.x_stride) / 2,
                                           up / 2,
                                           static_cast<std::size_t>(net.view().vp) / 2};
    for (int i = 0; i < kMailKinds; ++i) {
      mail_at_[i] = static_cast<std::uint32_t>(mail_words_);
      mail_words_ += (sizes[i] + 7) / 8 * 8;
    }
    exchanges_a_step_ = static_cast<std::uint32_t>(n_layers + 2 * static_cast<int>(tiers.size()));
  }

  std::vector<Role> roles;
  std::vector<Resident> resident;
  for (Builder& b : built) {
    b.role.layout.total = b.used;
    roles.push_back(b.role);
    resident.insert(resident.end(), b.resident.begin(), b.resident.end());
    shared_bytes_ = std::max<std::size_t>(shared_bytes_, b.used);
  }
  resident_ = DeviceBuffer<Resident>(resident);
  for (std::size_t r = 0; r < roles.size(); ++r)
    roles[r].resident = resident_.data() + r * static_cast<std::size_t>(n_layers);
  roles_ = DeviceBuffer<Role>(roles);
  n_roles_ = static_cast<int>(roles.size());
  if (shape == Shape::alone) prepare_alone(storage_, together_, blocks_);
  if (shape == Shape::cluster)
    (void)prepare_cluster(storage_, kind_, blocks_, ctas_, shared_bytes_);
  if (shape == Shape::grid) (void)prepare_grid(storage_, flat_, blocks_, shared_bytes_);
}

std::string StepPlan::text() const {
  if (shape_ == Shape::alone) return "one SM a stream";
  if (shape_ == Shape::grid) return "a grid of " + std::to_string(ctas_) + " SMs";
  const bool team = kind_ == ClusterKind::flat_team || kind_ == ClusterKind::chain_team ||
                    kind_ == ClusterKind::narrow_chain_team ||
                    kind_ == ClusterKind::modes_chain_team;
  if (links_ == 0) return (team ? "a team of " : "a cluster of ") + std::to_string(ctas_) + " SMs";
  const std::string links = links_ == 1 ? "1 SM" : "a chain of " + std::to_string(links_) + " SMs";
  if (ctas_ == links_) return links;
  return links + " and " + (team ? "a team of " : "") + std::to_string(ctas_ - links_) +
         " beside it, one cluster";
}

void StepPlan::fill(Launch& launch) const {
  launch.roles = roles_.data();
  launch.n_roles = n_roles_;
  launch.links = links_;
  launch.mail_words = static_cast<std::uint32_t>(mail_words_);
  std::copy(std::begin(mail_at_), std::end(mail_at_), launch.mail_at);
}

void StepPlan::launch(const Launch& launch, int groups, cudaStream_t stream) const {
  switch (shape_) {
    case Shape::alone:
      return launch_alone(storage_, together_, blocks_, launch, groups, shared_bytes_, stream);
    case Shape::cluster:
      return launch_cluster(storage_, kind_, blocks_, launch, ctas_, shared_bytes_, stream);
    case Shape::grid:
      return launch_grid(storage_, flat_, blocks_, launch, ctas_, shared_bytes_, stream);
  }
}

std::unique_ptr<StepPlan> choose_plan(const DeviceNetwork& net, const DeviceFacts& device,
                                      const std::string& wanted) {
  if (wanted == "single") return std::make_unique<StepPlan>(net, device, Shape::alone);
  if (wanted == "cluster") return std::make_unique<StepPlan>(net, device, Shape::cluster);
  if (wanted == "grid") return std::make_unique<StepPlan>(net, device, Shape::grid);
  if (!wanted.empty())
    throw DeviceError("expected a plan single, cluster or grid, found " + wanted);
  std::unique_ptr<StepPlan> best;
  std::string why;
  for (const Shape shape : {Shape::cluster, Shape::grid, Shape::alone}) {
    try {
      auto plan = std::make_unique<StepPlan>(net, device, shape);
      if (!best || plan->estimate_us() < best->estimate_us()) best = std::move(plan);
    } catch (const DeviceError& e) {  // unsuited or refused: another one may do
      why = e.what();
    }
  }
  if (!best) throw DeviceError(why);
  return best;
}

}  // namespace mambo::cuda
