#include "kernels/cpu/step.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/step.cpp"
#include <hwy/foreach_target.h>

#include "kernels/cpu/block-inl.h"
#include "kernels/cpu/gemv-inl.h"
#include "kernels/cpu/mixer_s4d-inl.h"
#include "kernels/cpu/mixer_s6-inl.h"
#include "kernels/cpu/sampling-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mambo {
namespace HWY_NAMESPACE {

using cpu::Layer;
using cpu::Network;
using cpu::StatePlan;
using cpu::Tier;

constexpr int kMaxConv = 64;

// Adds one step's delta.
HWY_INLINE void TapSummary(const float* delta, int d_inner, LayerSummary& s) {
  const int lanes = static_cast<int>(kLanes);
  const int whole = d_inner / lanes * lanes;
  float sum = 0.0F;
  float low = delta[0];
  float high = delta[0];
  if (whole > 0) {
    V vs = hn::Zero(d);
    V vl = hn::Load(d, delta);
    V vh = vl;
    for (int c = 0; c < whole; c += lanes) {
      const V x = hn::Load(d, delta + c);
      vs = hn::Add(vs, x);
      vl = hn::Min(vl, x);
      vh = hn::Max(vh, x);
    }
    sum = SumLanes(vs);
    low = hn::GetLane(hn::MinOfLanes(d, vl));
    high = hn::GetLane(hn::MaxOfLanes(d, vh));
  }
  for (int c = whole; c < d_inner; ++c) {
    sum += delta[c];
    low = HWY_MIN(low, delta[c]);
    high = HWY_MAX(high, delta[c]);
  }
  s.add({sum / static_cast<float>(d_inner), low, high, 1});
}

HWY_INLINE void Tap(DeltaTap& tap, int layer, const Layer& l, uint64_t step, const float* delta) {
  if (!tap.layers.empty()) TapSummary(delta, l.d_inner, tap.layers[static_cast<size_t>(layer)]);
  if (layer == tap.layer && static_cast<size_t>(tap.steps + 1) * l.d_inner <= tap.delta.size()) {
    if (tap.steps == 0) tap.first_step = step;
    std::memcpy(tap.delta.data() + static_cast<size_t>(tap.steps) * l.d_inner, delta,
                static_cast<size_t>(l.d_inner) * sizeof(float));
    ++tap.steps;
  }
}

// One block, in place on the residual stream x [wp]. `step`: of the layer's tier.
HWY_INLINE void Block(const Network& net, const StatePlan& plan, float* m, int layer, uint64_t step,
                      float* x, DeltaTap* tap, const Selectivity* by_hand) {
  const Layer& l = net.layers[static_cast<size_t>(layer)];
  const StatePlan::LayerPlan& at = plan.layers[static_cast<size_t>(layer)];
  float* xn = m + plan.xn;
  float* uz = m + plan.uz;
  float* u = m + plan.u;

  RmsNorm(x, l.norm.data(), l.width, l.wp, net.eps, xn);
  Gemv(l.in_proj.packed, xn, l.in_proj.bias.data(), uz);

  float* ring = m + at.conv;
  const unsigned K = static_cast<unsigned>(net.K);
  unsigned slot = static_cast<unsigned>(step % K);
  std::memcpy(ring + static_cast<size_t>(slot) * l.dp, uz,
              static_cast<size_t>(l.dp) * sizeof(float));
  const float* rows[kMaxConv];
  for (unsigned k = 0; k < K; ++k) {
    slot = slot + 1 == K ? 0 : slot + 1;  // the oldest stands just after the newest
    rows[k] = ring + static_cast<size_t>(slot) * l.dp;
  }
  ConvSilu(l.conv.data(), l.conv_bias.data(), rows, net.K, l.dp, u);

  cpu::MixerStep mixer_step{.u = u,
                            .z = uz + l.dp,
                            .D = l.D.data(),
                            .projected = m + plan.projected,
                            .delta = m + plan.delta,
                            .h = m + at.h,
                            .y = u};
  std::visit(
      [&](const auto& w) {
        const float* delta = SelectStep(w, mixer_step);
        if (HWY_UNLIKELY(tap != nullptr && !tap->said.empty()))
          TapSummary(delta, l.d_inner, tap->said[static_cast<size_t>(layer)]);
        if (HWY_UNLIKELY(by_hand != nullptr)) {
          const Selectivity::Layer& hand = by_hand->layers()[static_cast<size_t>(layer)];
          if (!hand.off) PlayByHand(w, hand, mixer_step);
        }
        if (HWY_UNLIKELY(tap != nullptr)) Tap(*tap, layer, l, step, delta);
        StatesStep(w, mixer_step);
      },
      l.mixer);
  Gemv(l.out_proj.packed, u, x, x);
  const float* bias = l.out_proj.bias.data();
  for (int i = 0; i < l.wp; i += static_cast<int>(kLanes)) {
    hn::Store(hn::Add(hn::Load(d, x + i), hn::Load(d, bias + i)), d, x + i);
  }
}

// One step of tier s on x [wp], in place; steps the tiers inside when a group is full.
void TierStep(const Network& net, const StatePlan& plan, float* m, size_t s, uint64_t step,
              DeltaTap* tap, const Selectivity* by_hand) {
  const Tier& t = net.tiers[s];
  float* x = m + plan.x[s];
  for (int i = t.down_begin; i < t.down_end; ++i) Block(net, plan, m, i, step, x, tap, by_hand);
  if (t.pool == 0) return;

  const size_t phase = static_cast<size_t>(step % static_cast<uint64_t>(t.pool));
  float* group = m + plan.pools[s].group;
  float* up = m + plan.pools[s].up;
  for (int i = 0; i < t.wp; i += static_cast<int>(kLanes)) {
    const V v = hn::Load(d, x + i);
    hn::Store(v, d, group + phase * t.wp + i);
    hn::Store(hn::Add(v, hn::Load(d, up + phase * t.wp + i)), d, x + i);
  }
  for (int i = t.up_begin; i < t.up_end; ++i) Block(net, plan, m, i, step, x, tap, by_hand);

  if (phase + 1 == static_cast<size_t>(t.pool)) {  // the result feeds the next group
    float* inner = m + plan.x[s + 1];
    Gemv(t.down_pool.packed, group, t.down_pool.bias.data(), inner);
    TierStep(net, plan, m, s + 1, step / static_cast<uint64_t>(t.pool), tap, by_hand);
    Gemv(t.up_pool.packed, inner, t.up_pool.bias.data(), up);
  }
}

void FinishLogits(const Network& net, const StatePlan& plan, float* m) {
  const Tier& outer = net.tiers[0];
  float* xn = m + plan.xn;
  RmsNorm(m + plan.x[0], net.norm_f.data(), outer.width, outer.wp, net.eps, xn);
  Gemv(net.head.packed, xn, net.head.bias.data(), m + plan.logits);
}

HWY_INLINE void Absorb(const Network& net, const StatePlan& plan, float* m, uint64_t position,
                       uint8_t code, DeltaTap* tap, const Selectivity* by_hand) {
  const Tier& outer = net.tiers[0];
  float* x = m + plan.x[0];
  std::memcpy(x, net.embed.data() + static_cast<size_t>(code) * outer.wp,
              static_cast<size_t>(outer.wp) * sizeof(float));
  TierStep(net, plan, m, 0, position, tap, by_hand);
  FinishLogits(net, plan, m);
}

void Advance(const Network& net, const StatePlan& plan, float* m, uint64_t& position,
             std::span<const uint8_t> codes, const Selectivity* by_hand) {
  for (const uint8_t code : codes) Absorb(net, plan, m, position++, code, nullptr, by_hand);
}

void Generate(const Network& net, const StatePlan& plan, float* m, uint64_t& position,
              const GenerateRequest& r) {
  DeltaTap* tap = r.tap;
  if (tap != nullptr) {
    for (LayerSummary& s : tap->layers) s = {};
    for (LayerSummary& s : tap->said) s = {};
    tap->steps = 0;
  }
  const Selectivity* by_hand = r.by_hand != nullptr && !r.by_hand->off() ? r.by_hand : nullptr;
  if (position == 0) Absorb(net, plan, m, position++, silence_code, tap, by_hand);
  float* logits = m + plan.logits;
  float* p = m + plan.probs;
  for (size_t i = 0; i < r.codes.size(); ++i) {
    const float u = philox_uniform(r.rng_seed, r.rng_index + i);
    const int code = Draw(logits, net.vocab, net.vp, r.sampling, u, p);
    r.codes[i] = static_cast<uint8_t>(code);
    if (!r.logits.empty()) {
      std::memcpy(r.logits.data() + i * static_cast<size_t>(net.vocab), logits,
                  static_cast<size_t>(net.vocab) * sizeof(float));
    }
    if (!r.last_logits.empty() && i + 1 == r.codes.size())
      std::copy_n(logits, net.vocab, r.last_logits.data());
    if (!r.log_prob.empty() || !r.entropy.empty()) {
      Likelihood(logits, net.vp, code, p, r.log_prob.empty() ? nullptr : &r.log_prob[i],
                 r.entropy.empty() ? nullptr : &r.entropy[i]);
    }
    Absorb(net, plan, m, position++, static_cast<uint8_t>(code), tap, by_hand);
  }
}

const char* InstructionSet() { return hwy::TargetName(HWY_TARGET); }

}  // namespace HWY_NAMESPACE
}  // namespace mambo
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mambo {

HWY_EXPORT(Advance);
HWY_EXPORT(Generate);
HWY_EXPORT(FinishLogits);
HWY_EXPORT(InstructionSet);

namespace cpu {

void advance(const Network& net, const StatePlan& plan, float* memory, std::uint64_t& position,
             std::span<const std::uint8_t> codes, const Selectivity* by_hand) {
  HWY_DYNAMIC_DISPATCH(Advance)(net, plan, memory, position, codes, by_hand);
}

void generate(const Network& net, const StatePlan& plan, float* memory, std::uint64_t& position,
              const GenerateRequest& request) {
  HWY_DYNAMIC_DISPATCH(Generate)(net, plan, memory, position, request);
}

void finish_logits(const Network& net, const StatePlan& plan, float* memory) {
  HWY_DYNAMIC_DISPATCH(FinishLogits)(net, plan, memory);
}

const char* instruction_set() {
  const std::string_view name = HWY_DYNAMIC_DISPATCH(InstructionSet)();
  return name == "AVX3" ? "AVX-512" : name.data();
}

}  // namespace cpu
}  // namespace mambo
#endif  // HWY_ONCE
