// One call of Prefill::run: the network over chunks of time, a chunk through all layers before the
// next, in scratch whose size does not depend on the length.
#pragma once

#include <cuda_fp16.h>

#include <algorithm>
#include <span>
#include <type_traits>
#include <variant>

#include "kernels/cuda/plan/state_plan.h"
#include "kernels/cuda/prefill/chunk_memory.h"
#include "kernels/cuda/prefill/prefill_by_hand.h"
#include "kernels/cuda/prefill/prefill_kernels.h"
#include "kernels/cuda/prefill/prefill_weights.h"
#include "kernels/cuda/prefill/products.h"
#include "kernels/cuda/prefill/sink_rows.h"
#include "kernels/cuda/prefill/workspace.h"
#include "kernels/error.h"

namespace mambo::cuda {

// T: the storage of activations, float or __half. The residual stream, delta, B, C and all of the
// state are float32 in either.
template <class T>
class PrefillPass {
 public:
  // longest: samples per chunk, at most; 0: as many as suit.
  PrefillPass(const PrefillWeights& weights, const StatePlan& plan, PrefillWorkspace& space,
              float* state, PrefillSink* sink, const PrefillByHand& by_hand, SumsOnDevice& sums,
              int sms, int longest)
      : w_(weights),
        plan_(plan),
        space_(space),
        state_(state),
        sink_(sink),
        by_hand_(by_hand),
        sums_(sums),
        sms_(sms),
        longest_(longest),
        stream_(space.stream.get()),
        products_(space.blas),
        demand_(sink, weights.layers.size()),
        sink_rows_(weights, demand_, chunk_, space, sink) {}

  void run(std::uint64_t position, std::span<const std::uint8_t> codes) {
    prepare(codes.size());
    std::size_t uploaded = 0;
    std::size_t upload_begin = 0;
    for (std::size_t done = 0; done < codes.size();) {
      if (done == uploaded) {  // many chunks' codes at once: a copy from pageable memory waits for
        upload_begin = done;   // the stream
        const std::size_t n = std::min(chunk_.code_capacity, codes.size() - done);
        MAMBO_CUDA(
            cudaMemcpyAsync(chunk_.codes, codes.data() + done, n, cudaMemcpyHostToDevice, stream_));
        uploaded += n;
      }
      const std::size_t n = std::min(size(samples_), uploaded - done);
      chunk(position + done, n, chunk_.codes + (done - upload_begin));
      if (demand_.logits) {
        all_logits();
        sink_rows_.logits(done);
      }
      if (demand_.block > 0) sink_rows_.summaries();
      done += n;
      if (done == codes.size()) last_logits();
      if (sink_ == nullptr) continue;
      MAMBO_CUDA(cudaStreamSynchronize(stream_));
      if (!sink_->progress(done)) throw Cancelled();
    }
    sums_.take_back();
    MAMBO_CUDA(cudaStreamSynchronize(stream_));
  }

 private:
  static constexpr bool kHalf = std::is_same_v<T, __half>;

  static std::size_t size(int n) { return static_cast<std::size_t>(n); }

  // Chunks long enough that the inner tiers fill the device and launches do not show, short enough
  // that progress is smooth and copies to the host stay small; scratch within a bound.
  void prepare(std::size_t length) {
    constexpr std::size_t kScratch = std::size_t{384} << 20U;
    std::size_t longest = 131072;
    if (sink_ != nullptr) longest = demand_.logits || demand_.layers ? 16384 : 65536;
    if (longest_ > 0) longest = std::min(longest, size(longest_));
    samples_ = static_cast<int>(std::min(longest, length));
    chunk_.code_capacity = std::min(length, std::size_t{1} << 22U);
    std::size_t need = lay_out(nullptr);
    const auto shorten_to = [&](std::size_t budget) {
      while (need > budget && samples_ > 64) {
        samples_ /= 2;
        need = lay_out(nullptr);
      }
    };
    shorten_to(kScratch);
    const std::size_t have = space_.scratch.size();
    if (need > have) {
      std::size_t free_bytes = 0;
      std::size_t total = 0;
      MAMBO_CUDA(cudaMemGetInfo(&free_bytes, &total));
      shorten_to(std::max(have, (free_bytes + have) / 2));
    }
    if (need > have) {
      space_.scratch = {};  // first, so that both need not fit
      space_.scratch = DeviceBuffer<std::byte>(need);
      MAMBO_CUDA(cudaMemsetAsync(space_.scratch.data(), 0, need, stream_));  // once: 0.1 ms
    }
    lay_out(space_.scratch.data());
    if (chunk_.host_floats > space_.host.size()) {
      space_.host = {};
      space_.host = PinnedBuffer<float>(chunk_.host_floats);
    }
  }

  std::size_t lay_out(std::byte* base) { return chunk_.lay_out(w_, demand_, samples_, sms_, base); }

  void chunk(std::uint64_t position, std::size_t n, const std::uint8_t* codes) {
    for (std::size_t s = 0; s < chunk_.tiers.size(); ++s) {
      const auto stride = static_cast<std::uint64_t>(w_.tiers[s].stride);
      TierRows& t = chunk_.tiers[s];
      t.first = position / stride;
      t.steps = static_cast<int>((position + n) / stride - t.first);
    }
    embed_rows(codes, static_cast<int>(n), w_.embed, w_.vocab, w_.tiers[0].wp, chunk_.tiers[0].x,
               stream_);
    tier(0);
  }

  // Down blocks, the tier inside, up blocks, in place on x.
  void tier(std::size_t s) {
    const PrefillTier& t = w_.tiers[s];
    const TierRows& rows = chunk_.tiers[s];
    if (rows.steps == 0) return;  // then no tier inside has any
    for (int i = t.down_begin; i < t.down_end; ++i) layer(size(i));
    if (t.pool == 0) return;
    const StatePlan::Pool& p = plan_.pools[s];
    const std::size_t wp = size(t.wp);
    const std::size_t group = size(t.pool) * wp;
    const std::size_t begun =
        static_cast<std::size_t>(rows.first % static_cast<unsigned>(t.pool)) * wp;
    const std::size_t have = begun + size(rows.steps) * wp;
    const std::size_t groups = size(chunk_.tiers[s + 1].steps);
    float* x = rows.x - begun;
    copy(state_ + p.group, x, begun);
    float* inside = chunk_.tiers[s + 1].x;
    if (groups > 0) project(t.down_pool, t.down_bias, x, groups, inside);
    copy(x + groups * group, state_ + p.group, have - groups * group);  // the group left open

    tier(s + 1);
    copy(state_ + p.up, rows.up, group);
    if (groups > 0) project(t.up_pool, t.up_bias, inside, groups, rows.up + group);
    copy(rows.up + groups * group, state_ + p.up, group);
    add_row(rows.up + begun, size(rows.steps) * wp, 1, rows.x, stream_);
    for (int i = t.up_begin; i < t.up_end; ++i) layer(size(i));
  }

  // Between tiers: out [n][m.rows] = x [n][m.columns] * m^T + bias.
  void project(const PrefillMatrix& m, const float* bias, const float* x, std::size_t n,
               float* out) {
    fill_rows(bias, m.rows, n, out, stream_);
    products_.multiply(m, stored(x, n * size(m.columns)), m.columns, static_cast<int>(n), out,
                       m.rows, 1.0F);
  }

  void layer(std::size_t index) {
    const PrefillLayer& l = w_.layers[index];
    const TierRows& t = chunk_.tiers[size(l.tier)];
    const int n = t.steps;
    T* uz = chunk_.uz;
    rmsnorm_rows(t.x, l.norm, l.width, l.wp, w_.eps, n, chunk_.xn, stream_);
    if (l.in_bias != nullptr) fill_rows(l.in_bias, 2 * l.dp, size(n), uz, stream_);
    products_.multiply(l.in_proj, chunk_.xn, l.wp, n, uz, 2 * l.dp,
                       l.in_bias != nullptr ? 1.0F : 0.0F);

    float* ring = state_ + plan_.layers[index].conv;
    const ConvArgs conv{l.conv, l.conv_bias, ring, w_.K, l.dp, t.first, n, 2 * l.dp};
    conv_silu_rows(conv, uz, chunk_.u, stream_);
    keep_conv_inputs(conv, uz, stream_);
    std::visit([&](const auto& mixer) { mix(index, mixer); }, l.mixer);

    if (l.out_bias != nullptr) add_row(l.out_bias, size(l.wp), size(n), t.x, stream_);
    products_.multiply(l.out_proj, uz, 2 * l.dp, n, t.x, l.wp, 1.0F);
  }

  // From u and z to y, which stands in place of the convolution's inputs.
  template <PrefillMixer M>
  void mix(std::size_t index, const M& mixer) {
    const PrefillLayer& l = w_.layers[index];
    MixerRows<T> rows;
    rows.steps = chunk_.tiers[size(l.tier)].steps;
    rows.dp = l.dp;
    rows.u = chunk_.u;
    rows.uz = chunk_.uz;
    rows.delta = chunk_.delta;
    rows.dbc = chunk_.dbc;
    rows.scratch = chunk_.scan;
    rows.D = l.D;
    rows.h = state_ + plan_.layers[index].h;
    rows.hp = plan_.layers[index].hp;
    rows.sms = sms_;
    rows.stream = stream_;
    if (M::kScanReadsDelta || demand_.delta(index)) mixer.make_delta(rows, products_);
    if (sums_.wanted()) {
      mixer.add_to_sums(rows, l.d_inner, sums_.of(index));
      sums_.count(index, rows.steps);
    }
    if (by_hand_.plays(index)) {
      rows.read = by_hand_.read(index);
      mixer.play_by_hand(rows, by_hand_.rows(index));
    }
    sink_rows_.layer(index, mixer.shown_states(), mixer.bc(rows));
    mixer.scan_rows(rows);
  }

  // Of every sample of the chunk, for the sink.
  void all_logits() {
    const PrefillTier& t = w_.tiers[0];
    const int n = chunk_.tiers[0].steps;
    rmsnorm_rows(chunk_.tiers[0].x, w_.norm_f, t.width, t.wp, w_.eps, n, chunk_.xn, stream_);
    if (w_.has_head_bias) fill_rows(w_.head_bias, w_.vp, size(n), chunk_.logits, stream_);
    products_.multiply(w_.head, chunk_.xn, t.wp, n, chunk_.logits, w_.vp,
                       w_.has_head_bias ? 1.0F : 0.0F);
  }

  // Of the last sample, straight into the state; the bias closes the padding.
  void last_logits() {
    const PrefillTier& t = w_.tiers[0];
    const TierRows& rows = chunk_.tiers[0];
    const float* x = rows.x + size(rows.steps - 1) * size(t.wp);
    rmsnorm_rows(x, w_.norm_f, t.width, t.wp, w_.eps, 1, chunk_.xn, stream_);
    copy(w_.head_bias, state_ + plan_.logits, size(w_.vp));
    products_.multiply(w_.head, chunk_.xn, t.wp, 1, state_ + plan_.logits, w_.vp, 1.0F);
  }

  // x as the products read it: in float32 itself, in fp16 a copy in xn.
  const T* stored(const float* x, std::size_t n) {
    if constexpr (kHalf) {
      convert(x, n, chunk_.xn, stream_);
      return chunk_.xn;
    } else {
      return x;
    }
  }

  void copy(const float* from, float* to, std::size_t n) {
    if (n == 0) return;
    MAMBO_CUDA(cudaMemcpyAsync(to, from, n * sizeof(float), cudaMemcpyDeviceToDevice, stream_));
  }

  const PrefillWeights& w_;
  const StatePlan& plan_;
  PrefillWorkspace& space_;
  float* state_;
  PrefillSink* sink_;
  const PrefillByHand& by_hand_;
  SumsOnDevice& sums_;
  int sms_;
  int longest_;
  int samples_ = 0;  // of a chunk
  cudaStream_t stream_;
  Products<T> products_;
  SinkDemand demand_;
  ChunkMemory<T> chunk_;
  SinkRows<T> sink_rows_;
};

}  // namespace mambo::cuda
