// One cluster plays one stream (sm_90). Where layers of tier 0 fit an SM whole, as a pipeline: as
// few stages as hold all of them, beside a group for the tiers inside, which step while the outer
// one goes on. Else as one group.
#include <algorithm>
#include <utility>

#include "kernels/cuda/plan/stage_builder.h"

namespace mambo::cuda {
namespace {

constexpr double kExchangeUs = 0.75;

std::size_t size(int n) { return static_cast<std::size_t>(n); }

class ClusterPlanner {
 public:
  ClusterPlanner(const NetworkRecords& net, const DeviceFacts& device, const StepFacts& facts)
      : net_(net),
        device_(device),
        facts_(facts),
        outer_(net.tiers.front()),
        pools_(net.tiers.size() > 1),
        inner_begin_(outer_.down_end),
        inner_end_(pools_ ? outer_.up_begin : outer_.down_end),
        outer_layers_(net.view.n_layers - (inner_end_ - inner_begin_)),
        resident_(suits_resident_stages()) {}

  PlanCandidate plan(int most) const {
    const std::string prefix = "a cluster of SMs cannot play this model: ";
    if (pools_) {
      if (std::string why = layers_missing(net_); !why.empty()) return unsuited(prefix + why);
    }
    // One stage and nothing beside it would be a cluster of one CTA: that is plan_single's, and
    // compute-sanitizer takes its st.async for an error.
    const int inside = pools_ ? 1 : 0;
    for (int stages = 2 - inside; stages <= outer_layers_ && stages + inside <= most; ++stages) {
      if (PlanCandidate c = pipeline(stages, most)) return c;
    }
    if (std::string why = layers_missing(net_); !why.empty()) return unsuited(prefix + why);
    PlanCandidate c = group(most);
    if (!c) c.why_not = prefix + c.why_not;
    return c;
  }

 private:
  // Whether tier 0 has the shape that a resident stage is compiled for.
  bool suits_resident_stages() const {
    const StepFacts::Resident& r = facts_.resident;
    const NetDev& v = net_.view;
    if (net_.storage != WeightStorage::half || !blocks_of(net_).usual || v.vp != facts_.max_vocab ||
        v.vocab != facts_.max_vocab)
      return false;
    for (int i = 0; i < v.n_layers; ++i) {
      const LayerDev& l = net_.layers[size(i)];
      if (i >= inner_begin_ && i < inner_end_) continue;
      if (l.width != r.width || l.dp != r.inner || l.hp != r.states ||
          (l.xp > 0 && (l.r4 != r.rank || l.xp != r.dbc_rows)))
        return false;
    }
    return true;
  }

  // A layer of tier 0, counted among them in data-flow order, among all.
  int layer_index(int ordinal) const {
    return ordinal < inner_begin_ ? ordinal : ordinal + inner_end_ - inner_begin_;
  }

  // Stage r's first layer. Resident stages end where x joins the group inside.
  int first_layer(int r, int stages) const {
    if (!resident_ || !pools_) return outer_layers_ * r / stages;
    const int down = outer_.down_end;
    const int before =
        std::clamp((stages * down + outer_layers_ / 2) / outer_layers_, 1, stages - 1);
    return r <= before ? down * r / before
                       : down + (outer_layers_ - down) * (r - before) / (stages - before);
  }

  // False where it does not fit.
  bool lay_out_stage(StageBuilder& b, bool is_first, bool is_last) const {
    const Role& role = b.stage.role;
    if (resident_) {
      const int count = role.end - role.begin;
      if (count > facts_.resident.max_layers || count < 1) return false;
      b.resident_stage(count, pools_ && role.end == outer_.down_end, is_first, is_last);
      return b.fits();
    }
    const int first = layer_index(role.begin);
    b.vectors(first, first + 1);  // all layers of the tier have one shape
    if (pools_ && role.begin < outer_.down_end && outer_.down_end <= role.end)
      b.handover(b.stage.role.layout.up[0]);
    for (int i = role.begin; i < role.end; ++i)
      b.weights(layer_index(i), layer_index(i) + 1, false, false, kMaxTiers);
    b.weights(0, 0, is_first, is_last, kMaxTiers);
    return b.stage.all_resident;
  }

  // The group for the tiers inside, beside `stages` of the pipeline. False where it does not fit.
  bool lay_out_inside(StageBuilder& b, int stages, int most) const {
    Role& role = b.stage.role;
    role.first_rank = stages;
    role.members = std::min(most - stages, fewest_tiles(net_, inner_begin_, inner_end_));
    const int columns = column_members(net_, facts_, inner_begin_, inner_end_, role.members);
    role.team = columns > 0 ? 1 : 0;
    if (columns > 0) role.members = columns;
    role.split_dbc = columns == 0 && should_split_dbc(net_, role.members) ? 1 : 0;
    role.begin = outer_layers_;
    role.end = outer_layers_;
    b.vectors(inner_begin_, inner_end_);
    b.pool_copies(1);
    b.handover(role.layout.inbox);
    // A thread sends four floats of x to a member.
    if (!b.fits() || role.members * outer_.wp / 4 > 32 * facts_.warps) return false;
    b.weights(inner_begin_, inner_end_, false, false, 0);
    return true;
  }

  PlanCandidate pipeline(int stages, int most) const {
    const PlanCandidate none = unsuited("it does not fit");
    if (resident_ && stages < 2) return none;
    PlanCandidate c;
    for (int r = 0; r < stages; ++r) {
      StageBuilder b(net_, device_, facts_);
      b.stage.role.begin = first_layer(r, stages);
      b.stage.role.end = first_layer(r + 1, stages);
      b.stage.role.first_rank = r;
      if (!lay_out_stage(b, r == 0, r + 1 == stages)) return none;
      c.stages.push_back(std::move(b.stage));
    }
    c.links = c.ctas = stages;
    bool columns = false;
    if (pools_) {
      StageBuilder b(net_, device_, facts_);
      if (!lay_out_inside(b, stages, most)) return none;
      columns = b.stage.role.team != 0;
      c.ctas += b.stage.role.members;
      c.stages.push_back(std::move(b.stage));
    }
    c.estimate_us = pipeline_estimate(c);
    return finished(std::move(c), pipeline_kind(columns));
  }

  ClusterKind pipeline_kind(bool columns) const {
    if (!resident_) return columns ? ClusterKind::chain_team : ClusterKind::chain;
    if (net_.layers.front().xp == 0)
      return columns ? ClusterKind::modes_chain_team : ClusterKind::modes_chain;
    return columns ? ClusterKind::narrow_chain_team : ClusterKind::narrow_chain;
  }

  // The group inside works while the pipeline plays the samples of its next step: only what it
  // takes longer than one sample shows.
  double pipeline_estimate(const PlanCandidate& c) const {
    const double us = 1.5 + 0.5 * c.links + (resident_ ? 1.0 : 3.2) * outer_layers_;
    if (!pools_) return us;
    const StagePlan& inside = c.stages.back();
    const double each = inside.role.team != 0 ? 2.8 : 3.4;
    double inner = 2.0 + static_cast<double>(inside.streamed) * outer_.pool / 80e3;
    for (int i = inner_begin_; i < inner_end_; ++i)
      inner += net_.layers[size(i)].tier == 1 ? each : 0.0;
    return us + std::max(0.0, inner - us) / outer_.pool;
  }

  PlanCandidate group(int most) const {
    const int n_layers = net_.view.n_layers;
    PlanCandidate c;
    c.ctas = std::min(most, fewest_tiles(net_, 0, n_layers));
    const int columns = is_flat(net_) ? column_members(net_, facts_, 0, n_layers, c.ctas) : 0;
    if (columns > 0) c.ctas = columns;
    StageBuilder b = group_stage(net_, device_, facts_, c.ctas, columns > 0);
    if (!b.fits()) return unsuited(b.too_big());
    c.estimate_us = group_estimate(net_, b, kExchangeUs);
    c.stages.push_back(std::move(b.stage));
    return finished(std::move(c), columns > 0 ? ClusterKind::flat_team : ClusterKind::group);
  }

  PlanCandidate finished(PlanCandidate c, ClusterKind kind) const {
    c.kernel = {Shape::cluster, 1, net_.storage, blocks_of(net_), is_flat(net_), kind};
    for (const StagePlan& s : c.stages) c.shared_bytes = std::max(c.shared_bytes, s.shared_bytes);
    return c;
  }

  const NetworkRecords& net_;
  const DeviceFacts& device_;
  const StepFacts& facts_;
  const TierDev& outer_;
  bool pools_;
  int inner_begin_, inner_end_;  // layers of the tiers inside
  int outer_layers_;             // of tier 0
  bool resident_;                // the pipeline is of resident stages
};

}  // namespace

PlanCandidate plan_cluster(const NetworkRecords& net, const DeviceFacts& device,
                           const StepFacts& facts, int most) {
  if (device.major < 9)
    return unsuited("a cluster of SMs needs compute capability 9.0, found " +
                    std::to_string(device.major) + "." + std::to_string(device.minor));
  return ClusterPlanner(net, device, facts).plan(most);
}

}  // namespace mambo::cuda
