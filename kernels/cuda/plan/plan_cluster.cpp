// One cluster plays one stream (sm_90). Where tier 0 has the shape of resident stages, as a
// pipeline: as few stages as hold all of its layers, beside a group for the tiers inside, which
// step while the outer one goes on. Else as one group.
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
    if (std::string why = layers_missing(net_); !why.empty()) return unsuited(prefix + why);
    const int inside = pools_ ? 1 : 0;
    const int stages_at_most = resident_ ? std::min(outer_layers_, most - inside) : 0;
    for (int stages = 2; stages <= stages_at_most; ++stages) {
      if (PlanCandidate c = pipeline(stages, most)) return c;
    }
    PlanCandidate c = group(most);
    if (!c) c.why_not = prefix + c.why_not;
    return c;
  }

 private:
  // Whether tier 0 has the shape that a resident stage is compiled for.
  bool suits_resident_stages() const {
    const StepFacts::Resident& r = facts_.resident;
    const NetDev& v = net_.view;
    if (!blocks_of(net_).fixed || v.vp != facts_.max_vocab || v.vocab != facts_.max_vocab)
      return false;
    for (int i = 0; i < v.n_layers; ++i) {
      const LayerDev& l = net_.layers[size(i)];
      if (i >= inner_begin_ && i < inner_end_) continue;
      if (l.width != r.width || l.dp != r.inner || l.h_floats != r.states ||
          (l.mixer == Mixer::s6 && (l.second != r.rank || l.xp != r.dbc_rows)))
        return false;
    }
    return true;
  }

  // Stage r's first layer. A stage ends where x joins the group inside.
  int first_layer(int r, int stages) const {
    if (!pools_) return outer_layers_ * r / stages;
    const int down = outer_.down_end;
    const int before =
        std::clamp((stages * down + outer_layers_ / 2) / outer_layers_, 1, stages - 1);
    return r <= before ? down * r / before
                       : down + (outer_layers_ - down) * (r - before) / (stages - before);
  }

  // False where it does not fit.
  bool lay_out_stage(StageBuilder& b, bool is_first, bool is_last) const {
    Role& role = b.stage.role;
    const int count = role.end - role.begin;
    if (count > facts_.resident.max_layers || count < 1) return false;
    b.resident_stage(count, pools_ && role.end == outer_.down_end, is_first, is_last);
    return b.fits();
  }

  // The group for the tiers inside, beside `stages` of the pipeline. False where it does not fit.
  bool lay_out_inside(StageBuilder& b, int stages, int most) const {
    Role& role = b.stage.role;
    role.first_rank = stages;
    role.members = std::min(most - stages, fewest_tiles(net_, inner_begin_, inner_end_));
    const int columns = column_members(net_, facts_, inner_begin_, inner_end_, role.members);
    role.kind = columns > 0 ? RoleKind::columns : RoleKind::rows;
    if (columns > 0) role.members = columns;
    role.split_dbc = columns == 0 && should_split_dbc(net_, role.members) ? 1 : 0;
    role.begin = outer_layers_;
    role.end = outer_layers_;
    b.vectors(inner_begin_, inner_end_);
    b.pool_copies(1);
    b.handover(role.layout.inbox);
    // A thread sends four floats of x to a member.
    if (!b.fits() || role.members * outer_.wp / 4 > 32 * facts_.warps) return false;
    b.weights(inner_begin_, inner_end_, false);
    return true;
  }

  PlanCandidate pipeline(int stages, int most) const {
    PlanCandidate c;
    for (int r = 0; r < stages; ++r) {
      StageBuilder b(net_, device_, facts_);
      b.stage.role.begin = first_layer(r, stages);
      b.stage.role.end = first_layer(r + 1, stages);
      b.stage.role.first_rank = r;
      if (!lay_out_stage(b, r == 0, r + 1 == stages)) return unsuited("it does not fit");
      c.stages.push_back(std::move(b.stage));
    }
    c.links = c.ctas = stages;
    if (pools_) {
      StageBuilder b(net_, device_, facts_);
      if (!lay_out_inside(b, stages, most)) return unsuited("it does not fit");
      c.ctas += b.stage.role.members;
      c.stages.push_back(std::move(b.stage));
    }
    c.estimate_us = pipeline_estimate(c);
    return finished(std::move(c));
  }

  // The group inside works while the pipeline plays the samples of its next step: only what it
  // takes longer than one sample shows.
  double pipeline_estimate(const PlanCandidate& c) const {
    const double us = 1.5 + 0.5 * c.links + 1.0 * outer_layers_;
    if (!pools_) return us;
    const StagePlan& inside = c.stages.back();
    const double each = by_columns(inside.role.kind) ? 2.8 : 3.4;
    double inner = 2.0 + static_cast<double>(inside.streamed) * outer_.pool / 80e3;
    for (int i = inner_begin_; i < inner_end_; ++i)
      inner += net_.layers[size(i)].tier == 1 ? each : 0.0;
    return us + std::max(0.0, inner - us) / outer_.pool;
  }

  PlanCandidate group(int most) const {
    const int n_layers = net_.view.n_layers;
    PlanCandidate c;
    c.ctas = std::min(most, fewest_tiles(net_, 0, n_layers));
    const int columns =
        blocks_of(net_).flat ? column_members(net_, facts_, 0, n_layers, c.ctas) : 0;
    if (columns > 0) c.ctas = columns;
    StageBuilder b = group_stage(net_, device_, facts_, c.ctas, columns > 0);
    if (!b.fits()) return unsuited(b.too_big());
    c.estimate_us = group_estimate(net_, b, kExchangeUs);
    c.stages.push_back(std::move(b.stage));
    return finished(std::move(c));
  }

  PlanCandidate finished(PlanCandidate c) const {
    const RoleKind group = c.stages.back().role.kind;
    c.kernel = {Shape::cluster, 1, net_.storage, blocks_of(net_),
                group == RoleKind::stage ? RoleKind::columns : group};
    if (c.links > 0) {
      const LayerDev* const layers = net_.layers.data();
      c.kernel.stages = layers->mixer;
      c.kernel.blocks.has_s4d =
          std::any_of(layers + inner_begin_, layers + inner_end_,
                      [](const LayerDev& l) { return l.mixer == Mixer::s4d; });
    }
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
  bool resident_;                // tier 0 can be a pipeline of resident stages
};

}  // namespace

PlanCandidate plan_cluster(const NetworkRecords& net, const DeviceFacts& device,
                           const StepFacts& facts, int most) {
  if (net.storage != WeightStorage::half)
    return unsuited("float32 weights are played by one SM alone");
  if (device.major < 9)
    return unsuited("a cluster of SMs needs compute capability 9.0, found " +
                    std::to_string(device.major) + "." + std::to_string(device.minor));
  return ClusterPlanner(net, device, facts).plan(most);
}

}  // namespace mambo::cuda
