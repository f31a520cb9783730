#include "kernels/cuda/plan/stage_builder.h"

#include <algorithm>
#include <utility>

namespace mambo::cuda {
namespace {

constexpr std::size_t kAlign = 128;  // bytes

std::size_t size(int n) { return static_cast<std::size_t>(n); }
constexpr std::size_t aligned(std::size_t bytes) { return (bytes + kAlign - 1) / kAlign * kAlign; }

// The largest share of n that one of `members` gets.
int most_of_share(int n, int members) { return (n + members - 1) / members; }

const LayerDev& layer(const NetworkRecords& net, int i) { return net.layers[size(i)]; }

}  // namespace

StageBuilder::StageBuilder(const NetworkRecords& net, const DeviceFacts& device,
                           const StepFacts& facts, int streams)
    : net_(net), facts_(facts), limit_(device.shared_bytes), streams_(size(streams)) {
  stage.places.resize(net.layers.size());
  for (Resident& r : stage.places) r = {kNowhere, kNowhere, kNowhere, kNowhere, kNowhere, kNowhere};
  Role& role = stage.role;
  for (int s = 0; s < kMaxTiers; ++s) {
    role.layout.pool_buffer[s] = role.layout.skip[s] = kNowhere;
    role.down_pool[s] = role.up_pool[s] = kNowhere;
  }
  role.embed = role.head = role.layout.inbox = kNowhere;
  role.layout.x_half = role.layout.partial_dbc = role.layout.partial_x = kNowhere;
  role.members = 1;
}

std::string StageBuilder::too_big() const {
  if (fits()) return "";
  return "the model's vectors need " + std::to_string(stage.shared_bytes / 1024) +
         " KiB of an SM's shared memory, expected at most " + std::to_string(limit_ / 1024) +
         " KiB";
}

std::uint32_t StageBuilder::take(std::size_t bytes) {
  const auto at = static_cast<std::uint32_t>(stage.shared_bytes);
  stage.shared_bytes += aligned(bytes);
  return at;
}

// If there is room; otherwise it is read from where it is, `rate` times per sample.
void StageBuilder::want(std::uint32_t& place, std::size_t bytes, double rate) {
  if (stage.shared_bytes + aligned(bytes) <= limit_) {
    place = take(bytes);
  } else {
    stage.all_resident = false;
    stage.streamed += static_cast<std::size_t>(static_cast<double>(bytes) * rate);
  }
}

void StageBuilder::vectors(int begin, int end) {
  const std::size_t W = net_.element();
  const Role& role = stage.role;
  int wp = net_.tiers.front().wp;
  int dp = 32;
  int xp = 16;
  int own = 8;
  for (const TierDev& t : net_.tiers) wp = std::max(wp, t.wp);
  for (int i = begin; i < end; ++i) {
    const LayerDev& l = layer(net_, i);
    dp = std::max(dp, l.dp);
    xp = std::max(xp, l.xp);
    own = std::max(own, 8 * most_of_share(l.dp / 8, role.members));
  }
  Layout& o = stage.role.layout;
  const std::size_t ns = streams_;
  o.bars = take(facts_.bars);  // first: the same place in every CTA
  o.layers = take(facts_.layer_run * net_.layers.size());
  o.tiers = take(facts_.tier_run * net_.tiers.size());
  o.cursors = take(facts_.cursor * net_.tiers.size());
  o.states = take(sizeof(float*) * ns);
  o.args = take(sizeof(StreamArgs) * ns);
  o.codes = take(sizeof(int) * std::max<std::size_t>(4, ns));
  // Padding keeps the streams' rows on different banks where a warp reads several at once.
  o.x_stride = ns == 1 ? wp : wp + 4;
  o.act_stride = ns == 1 ? dp : dp + (dp / 32 % 2 == 0 ? 32 : 0);
  o.dbc_stride = xp;
  o.own_stride = own;
  o.x = take(sizeof(float) * ns * size(o.x_stride));
  o.pooled = take(sizeof(float) * ns * size(o.x_stride));
  o.u = take(W * ns * size(o.act_stride));
  o.y = take(W * ns * size(o.act_stride));
  o.dbc = take(sizeof(float) * ns * size(xp));
  o.dbc_other = ns == 1 ? take(sizeof(float) * size(xp)) : o.dbc;
  o.own_u = take(sizeof(float) * ns * size(own));
  o.own_gate = take(sizeof(float) * ns * size(own));
  o.warp_sums = take(facts_.warp_sums * size(facts_.warps));
  // Only flat models and column splits read it (LayerStep::normed_x), but 2.5 wp bytes are too few
  // to tell the others apart.
  if (role.members > 1) o.x_half = take(5 * size(wp) / 2);
  if (by_columns(role.kind)) {
    o.partial_dbc = take(sizeof(float) * size(facts_.columns.pairs * facts_.columns.rows_dbc));
    o.partial_x = take(sizeof(float) * size(facts_.columns.pairs * facts_.columns.rows_x));
  }
  o.logits = take(sizeof(float) * ns * size(net_.view.vp));
}

std::size_t StageBuilder::pool_bytes(int tier) const {
  const TierDev& t = net_.tiers[size(tier)];
  return sizeof(float) * size(t.pool) * size(t.wp);
}

void StageBuilder::pool_copies(int first) {
  for (int s = first; s < net_.view.n_tiers; ++s) {
    if (net_.tiers[size(s)].pool == 0) continue;
    stage.role.layout.pool_buffer[s] = take(pool_bytes(s));
    stage.role.layout.skip[s] = take(pool_bytes(s));
  }
}

void StageBuilder::resident_stage(int layers, bool joins, bool is_first, bool is_last) {
  stage.role.kind = RoleKind::stage;
  Layout& o = stage.role.layout;
  o.bars = take(facts_.bars);
  o.args = take(sizeof(StreamArgs));
  o.codes = take(16);
  o.x = take(facts_.resident.shared);
  if (joins) handover(o.skip[0]);
  if (is_first) stage.role.embed = take(facts_.resident.table);
  if (is_last) stage.role.head = take(facts_.resident.table);
  o.u = take(size(layers) * facts_.resident.layer);
}

double StageBuilder::rate_of(int tier) const {
  double stride = 1;
  for (int s = 0; s < tier; ++s) stride *= net_.tiers[size(s)].pool;
  return 1.0 / stride;
}

void StageBuilder::want_embed() {
  const int vocab = net_.view.vocab;
  want(stage.role.embed, net_.element() * size(vocab) * size(net_.tiers.front().wp), 1.0 / vocab);
}

void StageBuilder::want_projections(const LayerDev& l, Resident& place, double rate) {
  const std::size_t W = net_.element();
  const Role& role = stage.role;
  const std::size_t tile_row = W * tile_row_elements(l.dp);
  if (by_columns(role.kind)) {
    want(place.out_proj, tile_row * size(l.wp / 16) / size(role.members), rate);
    want(place.x_proj, tile_row * size(l.xp / 16) / size(role.members), rate);
  } else {
    const int dbc = role.split_dbc != 0 ? most_of_share(l.xp / 16, role.members) : l.xp / 16;
    want(place.out_proj, tile_row * size(most_of_share(l.wp / 16, role.members)), rate);
    want(place.x_proj, tile_row * size(dbc), rate);
  }
  const int tiles = most_of_share(l.dp / 8, role.members);
  want(place.in_proj, W * size(tiles) * tile_row_elements(l.wp), rate);
}

void StageBuilder::weights(int begin, int end, bool outermost) {
  const std::size_t W = net_.element();
  const NetDev& v = net_.view;
  Role& role = stage.role;
  const int m = role.members;
  for (int tier = 0; tier < v.n_tiers; ++tier) {
    const double rate = rate_of(tier);
    const auto each = [&](const std::function<void(const LayerDev&, Resident&)>& f) {
      for (int i = begin; i < end; ++i)
        if (layer(net_, i).tier == tier) f(layer(net_, i), stage.places[size(i)]);
    };
    each([&](const LayerDev& l, Resident& r) {  // read and written: twice
      const std::size_t tiles = size(most_of_share(l.dp / 8, m));
      want(r.h, sizeof(float) * tiles * streams_ * 8 * size(l.h_floats), 2 * rate);
    });
    each([&](const LayerDev& l, Resident& r) {
      const std::size_t tiles = size(most_of_share(l.dp / 8, m));
      want(r.conv, sizeof(float) * tiles * streams_ * 8 * size(v.K), rate);
      want(r.records, sizeof(float) * tiles * size(l.record_floats), rate);
    });
    if (tier == 0 && outermost && !by_columns(role.kind)) want_embed();
    if (tier == 0 && outermost) {
      const std::size_t tiles = size(most_of_share(v.vp / 16, m));
      want(role.head, W * tiles * tile_row_elements(net_.tiers.front().wp), 1);
    }
    if (tier > 0) {
      const TierDev& outer = net_.tiers[size(tier - 1)];
      const int inner = net_.tiers[size(tier)].wp;
      const std::size_t down = size(most_of_share(inner / 16, m));
      const std::size_t up = size(most_of_share(outer.pool * outer.wp / 16, m));
      want(role.down_pool[tier - 1], W * down * tile_row_elements(outer.pool * outer.wp), rate);
      want(role.up_pool[tier - 1], W * up * tile_row_elements(inner), rate);
    }
    each([&](const LayerDev& l, Resident& r) { want_projections(l, r, rate); });
  }
  // One row of 256 per sample: a column split has weights that it needs more often.
  if (outermost && by_columns(role.kind)) want_embed();
}

PlanCandidate unsuited(std::string why_not) {
  PlanCandidate c;
  c.why_not = std::move(why_not);
  return c;
}

Blocks blocks_of(const NetworkRecords& net) {
  Blocks b;
  b.fixed = net.view.K == 4 && net.view.np == 16;
  bool s6 = false;  // without an S6 layer N does not matter
  for (const LayerDev& l : net.layers) (l.mixer == Mixer::s4d ? b.has_s4d : s6) = true;
  b.fixed |= net.view.K == 4 && !s6;
  b.flat = b.fixed && !b.has_s4d && net.tiers.size() == 1;
  return b;
}

int fewest_tiles(const NetworkRecords& net, int begin, int end) {
  int fewest = 1 << 20;
  for (int i = begin; i < end; ++i) fewest = std::min(fewest, layer(net, i).dp / 8);
  return fewest;
}

int column_members(const NetworkRecords& net, const StepFacts& facts, int begin, int end,
                   int most) {
  for (int members = most / 4 * 4; members >= 4 && 2 * members >= most; members -= 4) {
    bool all = true;
    for (int i = begin; i < end; ++i) {
      const LayerDev& l = layer(net, i);
      all &= l.dp % (32 * members) == 0 && l.dp % 256 == 0 && l.dp <= 32 * facts.columns.pairs &&
             l.dp <= 64 * members && l.xp <= facts.columns.rows_dbc && (l.wp == 128 || l.wp == 256);
    }
    if (all) return members;
  }
  return 0;
}

bool should_split_dbc(const NetworkRecords& net, int members) {
  std::size_t most = 0;
  for (const LayerDev& l : net.layers)
    most = std::max(most, net.element() * size(l.xp) * size(l.dp));
  return members > 1 && most > (64U << 10U);
}

std::string layers_missing(const NetworkRecords& net) {
  const bool all = std::all_of(net.tiers.begin(), net.tiers.end(),
                               [](const TierDev& t) { return t.down_end != t.down_begin; });
  return all ? "" : "a tier without layers is played by one SM alone";
}

StageBuilder group_stage(const NetworkRecords& net, const DeviceFacts& device,
                         const StepFacts& facts, int members, bool columns) {
  const int n_layers = net.view.n_layers;
  StageBuilder b(net, device, facts);
  b.stage.role.members = members;
  b.stage.role.kind = columns ? RoleKind::flat_columns : RoleKind::rows;
  b.stage.role.end = n_layers;
  b.stage.role.split_dbc = !columns && should_split_dbc(net, members) ? 1 : 0;
  b.vectors(0, n_layers);
  b.pool_copies(0);
  if (b.fits()) b.weights(0, n_layers, true);
  return b;
}

double group_estimate(const NetworkRecords& net, const StageBuilder& group, double exchange_us) {
  const Role& role = group.stage.role;
  double us = 2.0 + 2 * exchange_us;
  for (const LayerDev& l : net.layers) {
    const int exchanges =
        by_columns(role.kind) ? 2 : (role.split_dbc != 0 && l.mixer == Mixer::s6 ? 4 : 3);
    us += group.rate_of(l.tier) * (exchanges * exchange_us + 1.8);
  }
  return us + streamed_us(static_cast<double>(group.stage.streamed));
}

}  // namespace mambo::cuda
