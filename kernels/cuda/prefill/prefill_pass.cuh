// One call of Prefill::run: the network over chunks of time, a chunk through all layers before the
// next, in scratch whose size does not depend on the length.
#pragma once

#include <cuda_fp16.h>

#include <algorithm>
#include <span>
#include <type_traits>
#include <vector>

#include "kernels/cuda/pack/prefill_weights.h"
#include "kernels/cuda/plan/state_plan.h"
#include "kernels/cuda/prefill/cublas.h"
#include "kernels/cuda/prefill/prefill_kernels.h"
#include "kernels/cuda/prefill/scan.h"
#include "kernels/cuda/prefill/scan_s4d.h"
#include "kernels/cuda/runtime/memory.h"
#include "kernels/cuda/runtime/streams.h"
#include "kernels/engine.h"

namespace mambo::cuda {

// What a call needs beside the state. Kept by Prefill between calls, so that the next seed neither
// allocates nor waits for cuBLAS to set itself up.
struct PrefillWorkspace {
  StreamHandle stream{Urgency::background};
  cublasHandle_t blas = nullptr;
  DeviceBuffer<std::byte> scratch;
  PinnedBuffer<float> host;  // on its way to the sink

  PrefillWorkspace() {
    MAMBO_CUDA(cublasCreate(&blas));
    try {
      MAMBO_CUDA(cublasSetStream(blas, stream.get()));
      // Products of halves are added up in float32 to the very end, also where cuBLAS shares a sum
      // out; the default mode leaves products of float32 in float32 (no TF32).
      MAMBO_CUDA(cublasSetMathMode(
          blas, static_cast<cublasMath_t>(CUBLAS_DEFAULT_MATH |
                                          CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION)));
    } catch (...) {
      (void)cublasDestroy(blas);
      throw;
    }
  }
  ~PrefillWorkspace() {
    stream.drain();
    (void)cublasDestroy(blas);
  }
  PrefillWorkspace(const PrefillWorkspace&) = delete;
  PrefillWorkspace& operator=(const PrefillWorkspace&) = delete;
};

// T: the storage of activations, float or __half. The residual stream, delta, B, C and all of the
// state are float32 in either.
template <class T>
class PrefillPass {
 public:
  // longest: samples of a chunk, at most; 0: as many as suit.
  PrefillPass(const PrefillWeights& weights, const StatePlan& plan, PrefillWorkspace& space,
              float* state, PrefillSink* sink, int sms, int longest)
      : w_(weights),
        plan_(plan),
        space_(space),
        state_(state),
        sink_(sink),
        sms_(sms),
        longest_(longest),
        stream_(space.stream.get()),
        tiers_(weights.tiers.size()),
        wanted_(weights.layers.size(), false),
        wanted_from_(weights.layers.size(), 0) {
    if (sink == nullptr) return;
    want_logits_ = sink->wants_logits();
    block_ = static_cast<std::uint64_t>(std::max(sink->samples_per_summary(), 0));
    for (std::size_t i = 0; i < wanted_.size(); ++i) {
      wanted_[i] = sink->wants_layer(static_cast<int>(i));
      wanted_from_[i] = sink->layer_from(static_cast<int>(i));
      want_layers_ = want_layers_ || wanted_[i];
    }
  }

  void run(std::uint64_t position, std::span<const std::uint8_t> codes) {
    prepare(codes.size());
    std::size_t uploaded = 0;
    std::size_t upload_begin = 0;
    for (std::size_t done = 0; done < codes.size();) {
      if (done == uploaded) {  // many chunks' codes at once: a copy from pageable memory waits for
        upload_begin = done;   // the stream
        const std::size_t n = std::min(code_capacity_, codes.size() - done);
        MAMBO_CUDA(
            cudaMemcpyAsync(codes_, codes.data() + done, n, cudaMemcpyHostToDevice, stream_));
        uploaded += n;
      }
      const std::size_t n = std::min(size(chunk_), uploaded - done);
      chunk(position + done, n, codes_ + (done - upload_begin));
      if (want_logits_) tell_logits(done);
      if (block_ > 0) tell_summaries();
      done += n;
      if (done == codes.size()) finish_logits();
      if (sink_ == nullptr) continue;
      MAMBO_CUDA(cudaStreamSynchronize(stream_));
      if (!sink_->progress(done)) throw Cancelled();
    }
    MAMBO_CUDA(cudaStreamSynchronize(stream_));
  }

 private:
  static constexpr bool kHalf = std::is_same_v<T, __half>;
  static constexpr std::size_t kSummaryFloats = sizeof(LayerSummary) / sizeof(float);

  // The steps of one tier that fall into the chunk.
  struct TierWork {
    std::uint64_t first = 0;  // index of the first step
    int steps = 0;
    float* x = nullptr;   // [steps][wp]: the residual stream. Before it is room for the rows of a
                          // group begun earlier, so that groups lie in one piece
    float* up = nullptr;  // [1 + groups][pool * wp]: what the tier inside gave; the state's first
  };

  // Deals out one piece of memory; without one, counts what it would take.
  class Carver {
   public:
    explicit Carver(std::byte* base) : base_(base) {}
    template <class V>
    V* take(std::size_t n) {
      const std::size_t at = used_;
      used_ += (n * sizeof(V) + 255) / 256 * 256;
      return base_ == nullptr ? nullptr : reinterpret_cast<V*>(base_ + at);
    }
    std::size_t used() const { return used_; }

   private:
    std::byte* base_;
    std::size_t used_ = 0;
  };

  static std::size_t size(int n) { return static_cast<std::size_t>(n); }

  // Chunks long enough that the inner tiers fill the device and launches do not show, short enough
  // that progress is smooth and what goes to the host stays small; scratch within a bound.
  void prepare(std::size_t length) {
    constexpr std::size_t kScratch = std::size_t{384} << 20U;
    std::size_t longest = 131072;
    if (sink_ != nullptr) longest = want_logits_ || want_layers_ ? 16384 : 65536;
    if (longest_ > 0) longest = std::min(longest, size(longest_));
    chunk_ = static_cast<int>(std::min(longest, length));
    code_capacity_ = std::min(length, std::size_t{1} << 22U);
    std::size_t need = carve(nullptr);
    const auto shorten_to = [&](std::size_t budget) {
      while (need > budget && chunk_ > 64) {
        chunk_ /= 2;
        need = carve(nullptr);
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
    carve(space_.scratch.data());
    if (host_floats_ > space_.host.size()) {
      space_.host = {};
      space_.host = PinnedBuffer<float>(host_floats_);
    }
  }

  // Returns the bytes that chunk_ takes.
  std::size_t carve(std::byte* base) {
    Carver memory(base);
    codes_ = memory.template take<std::uint8_t>(code_capacity_);
    const auto steps = [this](std::size_t s) { return size(chunk_ / w_.tiers[s].stride + 1); };
    std::size_t xn = 0;
    std::size_t inner = 0;
    std::size_t delta = 0;
    std::size_t dbc = 0;
    std::size_t scratch = 0;
    std::size_t out = want_logits_ ? steps(0) * size(w_.vocab) : 0;
    for (std::size_t s = 0; s < tiers_.size(); ++s) {
      const PrefillTier& t = w_.tiers[s];
      const std::size_t before = size(std::max(t.pool - 1, 0));
      float* x = memory.template take<float>((before + steps(s)) * size(t.wp));
      tiers_[s].x = x == nullptr ? nullptr : x + before * size(t.wp);
      xn = std::max(xn, (before + steps(s)) * size(t.wp));
      if (t.pool > 0)
        tiers_[s].up = memory.template take<float>((1 + steps(s + 1)) * size(t.pool * t.wp));
    }
    for (std::size_t i = 0; i < w_.layers.size(); ++i) {
      const PrefillLayer& l = w_.layers[i];
      const std::size_t n = steps(size(l.tier));
      const bool s4d = l.mixer == Mixer::s4d;
      inner = std::max(inner, n * size(l.dp));
      if (wants_delta(i)) delta = std::max(delta, n * size(l.dp));
      dbc = std::max(dbc, n * size(l.x_proj.rows));
      scratch = std::max(
          scratch, s4d ? mode_scan_scratch(l.dp, l.M, sms_) : scan_scratch(l.dp, w_.states, sms_));
      if (wanted_[i]) out = std::max(out, n * size(told_columns(l)));
    }
    xn_ = memory.template take<T>(xn);
    uz_ = memory.template take<T>(2 * inner);
    u_ = memory.template take<T>(inner);
    delta_ = memory.template take<float>(delta);
    dbc_ = memory.template take<float>(dbc);
    scan_scratch_ = memory.template take<float>(scratch);
    if (want_logits_) logits_ = memory.template take<float>(steps(0) * size(w_.vp));
    if (out > 0) out_ = memory.template take<float>(out);
    if (block_ > 0) {
      blocks_ = size(chunk_) / block_ + 2;  // of a layer in a chunk, at most
      summaries_ = memory.template take<LayerSummary>(blocks_ * w_.layers.size());
    }
    host_floats_ = std::max(out, block_ > 0 ? blocks_ * w_.layers.size() * kSummaryFloats : 0);
    return memory.used();
  }

  void chunk(std::uint64_t position, std::size_t n, const std::uint8_t* codes) {
    for (std::size_t s = 0; s < tiers_.size(); ++s) {
      const auto stride = static_cast<std::uint64_t>(w_.tiers[s].stride);
      tiers_[s].first = position / stride;
      tiers_[s].steps = static_cast<int>((position + n) / stride - tiers_[s].first);
    }
    embed_rows(codes, static_cast<int>(n), w_.embed, w_.vocab, w_.tiers[0].wp, tiers_[0].x,
               stream_);
    tier(0);
  }

  // Down blocks, the tier inside, up blocks, in place on x.
  void tier(std::size_t s) {
    const PrefillTier& t = w_.tiers[s];
    TierWork& w = tiers_[s];
    if (w.steps == 0) return;  // then none inside has any
    for (int i = t.down_begin; i < t.down_end; ++i) layer(size(i));
    if (t.pool == 0) return;
    const StatePlan::Pool& p = plan_.pools[s];
    const std::size_t wp = size(t.wp);
    const std::size_t group = size(t.pool) * wp;
    const std::size_t begun =
        static_cast<std::size_t>(w.first % static_cast<unsigned>(t.pool)) * wp;
    const std::size_t have = begun + size(w.steps) * wp;
    const std::size_t groups = size(tiers_[s + 1].steps);
    float* rows = w.x - begun;
    copy(state_ + p.group, rows, begun);
    if (groups > 0) pool(s, rows, static_cast<int>(groups));
    copy(rows + groups * group, state_ + p.group, have - groups * group);  // the group left open

    tier(s + 1);
    copy(state_ + p.up, w.up, group);
    if (groups > 0) unpool(s, w.up + group, static_cast<int>(groups));
    copy(w.up + groups * group, state_ + p.up, group);
    add(w.up + begun, size(w.steps) * wp, w.x, stream_);
    for (int i = t.up_begin; i < t.up_end; ++i) layer(size(i));
  }

  // Groups of pool rows make the steps of the next tier.
  void pool(std::size_t s, const float* rows, int groups) {
    const PrefillMatrix& m = w_.tiers[s].down_pool;
    float* out = tiers_[s + 1].x;
    fill_rows(w_.tiers[s].down_bias, m.rows, size(groups), out, stream_);
    gemm(m, stored(rows, size(groups) * size(m.columns)), m.columns, groups, out, m.rows, 1.0F);
  }

  void unpool(std::size_t s, float* out, int groups) {
    const PrefillMatrix& m = w_.tiers[s].up_pool;
    fill_rows(w_.tiers[s].up_bias, m.rows, size(groups), out, stream_);
    gemm(m, stored(tiers_[s + 1].x, size(groups) * size(m.columns)), m.columns, groups, out, m.rows,
         1.0F);
  }

  void layer(std::size_t index) {
    const PrefillLayer& l = w_.layers[index];
    const StatePlan::Layer& p = plan_.layers[index];
    const TierWork& w = tiers_[size(l.tier)];
    const int n = w.steps;
    rmsnorm_rows(w.x, l.norm, l.width, l.wp, w_.eps, n, xn_, stream_);
    if (l.in_bias != nullptr) fill_rows(l.in_bias, 2 * l.dp, size(n), uz_, stream_);
    gemm(l.in_proj, xn_, l.wp, n, uz_, 2 * l.dp, l.in_bias != nullptr ? 1.0F : 0.0F);

    const ConvArgs conv{l.conv, l.conv_bias, state_ + p.conv, w_.K, l.dp, w.first, n, 2 * l.dp};
    conv_silu_rows(conv, uz_, u_, stream_);
    keep_conv_inputs(conv, uz_, stream_);
    if (l.mixer == Mixer::s4d)
      mix_modes(index);
    else
      mix_selective(index);

    if (l.out_bias != nullptr) add_row(l.out_bias, l.wp, size(n), w.x, stream_);
    gemm(l.out_proj, uz_, 2 * l.dp, n, w.x, l.wp, 1.0F);
  }

  // From u and z to y, which stands in place of the convolution's inputs.
  void mix_selective(std::size_t index) {
    const PrefillLayer& l = w_.layers[index];
    const int n = tiers_[size(l.tier)].steps;
    const int xp = l.x_proj.rows;
    gemm(l.x_proj, u_, l.dp, n, dbc_, xp, 0.0F);
    const float* B = dbc_;
    const float* C = dbc_ + w_.states;
    delta_rows(dbc_ + 2 * w_.states, xp, n, l.dt, l.dt_bias, l.R, l.dp, delta_, stream_);
    tell_delta(index);

    ScanArgs<T> scanned;
    scanned.u = u_;
    scanned.delta = delta_;
    scanned.B = B;
    scanned.C = C;
    scanned.z = uz_ + l.dp;
    scanned.y = uz_;
    scanned.A = l.A;
    scanned.D = l.D;
    scanned.h = state_ + plan_.layers[index].h;
    scanned.ends = scan_scratch_;
    scanned.u_row = l.dp;
    scanned.bc_row = xp;
    scanned.z_row = 2 * l.dp;
    scanned.y_row = 2 * l.dp;
    scanned.dp = l.dp;
    scanned.np = w_.np;
    scanned.states = w_.states;
    scanned.length = n;
    scanned.sms = sms_;
    scan(scanned, stream_);
  }

  // The same, time-invariant: delta is a constant, and there only for those who look at it.
  void mix_modes(std::size_t index) {
    const PrefillLayer& l = w_.layers[index];
    const StatePlan::Layer& p = plan_.layers[index];
    const int n = tiers_[size(l.tier)].steps;
    if (wants_delta(index)) fill_rows(l.delta, l.dp, size(n), delta_, stream_);
    tell_delta(index);

    ModeScanArgs<T> scanned;
    scanned.u = u_;
    scanned.z = uz_ + l.dp;
    scanned.y = uz_;
    scanned.modes = l.modes;
    scanned.D = l.D;
    scanned.h = state_ + p.h;
    scanned.ends = scan_scratch_;
    scanned.u_row = l.dp;
    scanned.z_row = 2 * l.dp;
    scanned.y_row = 2 * l.dp;
    scanned.dp = l.dp;
    scanned.hp = p.hp;
    scanned.M = l.M;
    scanned.length = n;
    scanned.sms = sms_;
    mode_scan(scanned, stream_);
  }

  // Logits of the last sample, straight into the state; the bias closes the padding.
  void finish_logits() {
    const PrefillTier& t = w_.tiers[0];
    const float* x = tiers_[0].x + size(tiers_[0].steps - 1) * size(t.wp);
    rmsnorm_rows(x, w_.norm_f, t.width, t.wp, w_.eps, 1, xn_, stream_);
    copy(w_.head_bias, state_ + plan_.logits, size(w_.vp));
    gemm(w_.head, xn_, t.wp, 1, state_ + plan_.logits, w_.vp, 1.0F);
  }

  // ---- the sink -------------------------------------------------------------------------------

  SummaryBlocks blocks_of(std::size_t layer) const {
    return {block_, static_cast<std::uint64_t>(w_.tiers[size(w_.layers[layer].tier)].stride)};
  }

  // Whether the layer's delta is asked for in rows: by an s6 layer's scan, or by the sink.
  bool wants_delta(std::size_t layer) const {
    return w_.layers[layer].mixer == Mixer::s6 || wanted_[layer] || block_ > 0;
  }

  // Floats of a step that the sink is told of: delta, and B and C where there are any.
  int told_columns(const PrefillLayer& l) const {
    return l.d_inner + (l.mixer == Mixer::s6 ? 2 * w_.N : 0);
  }

  // Once delta_ and dbc_ are the layer's.
  void tell_delta(std::size_t index) {
    const PrefillLayer& l = w_.layers[index];
    const TierWork& w = tiers_[size(l.tier)];
    if (block_ > 0)
      summarise_rows(delta_, l.dp, l.d_inner, w.first, w.steps, blocks_of(index),
                     summaries_ + index * blocks_, stream_);
    if (wanted_[index]) tell_layer(index);
  }

  void tell_layer(std::size_t index) {
    const PrefillLayer& l = w_.layers[index];
    const TierWork& w = tiers_[size(l.tier)];
    const std::uint64_t from = wanted_from_[index];
    const std::uint64_t skip = from > w.first ? from - w.first : 0;
    if (skip >= static_cast<std::uint64_t>(w.steps)) return;
    const int n = w.steps - static_cast<int>(skip);
    const std::size_t told = size(n) * size(told_columns(l));
    pack_rows(delta_ + skip * size(l.dp), l.dp, l.d_inner, n, out_, stream_);
    if (l.mixer == Mixer::s4d) {
      sink_->layer(static_cast<int>(index), w.first + skip, n, to_host(out_, told), nullptr,
                   nullptr);
      return;
    }
    const int xp = l.x_proj.rows;
    const float* dbc = dbc_ + skip * size(xp);
    float* B = out_ + size(n) * size(l.d_inner);
    float* C = B + size(n) * size(w_.N);
    pack_rows(dbc, xp, w_.N, n, B, stream_);
    pack_rows(dbc + w_.states, xp, w_.N, n, C, stream_);
    const float* host = to_host(out_, told);
    sink_->layer(static_cast<int>(index), w.first + skip, n, host, host + (B - out_),
                 host + (C - out_));
  }

  // Of all layers together, once a chunk: many small copies would cost more than what they carry.
  void tell_summaries() {
    const auto* host = reinterpret_cast<const LayerSummary*>(to_host(
        reinterpret_cast<const float*>(summaries_), blocks_ * w_.layers.size() * kSummaryFloats));
    for (std::size_t i = 0; i < w_.layers.size(); ++i) {
      const TierWork& w = tiers_[size(w_.layers[i].tier)];
      if (w.steps == 0) continue;
      const SummaryBlocks blocks = blocks_of(i);
      const std::uint64_t first = blocks.block_of(w.first);
      const std::uint64_t last = blocks.block_of(w.first + static_cast<std::uint64_t>(w.steps) - 1);
      sink_->summaries(static_cast<int>(i), first, {host + i * blocks_, last - first + 1});
    }
  }

  void tell_logits(std::size_t first) {
    const PrefillTier& t = w_.tiers[0];
    const int n = tiers_[0].steps;
    rmsnorm_rows(tiers_[0].x, w_.norm_f, t.width, t.wp, w_.eps, n, xn_, stream_);
    if (w_.has_head_bias) fill_rows(w_.head_bias, w_.vp, size(n), logits_, stream_);
    gemm(w_.head, xn_, t.wp, n, logits_, w_.vp, w_.has_head_bias ? 1.0F : 0.0F);
    pack_rows(logits_, w_.vp, w_.vocab, n, out_, stream_);
    sink_->logits(first, n, to_host(out_, size(n) * size(w_.vocab)));
  }

  const float* to_host(const float* from, std::size_t n) {
    MAMBO_CUDA(cudaMemcpyAsync(space_.host.data(), from, n * sizeof(float), cudaMemcpyDeviceToHost,
                               stream_));
    MAMBO_CUDA(cudaStreamSynchronize(stream_));
    return space_.host.data();
  }

  // ---- products and copies --------------------------------------------------------------------

  // x as the products read it: in float32 itself, in fp16 a copy in xn_.
  const T* stored(const float* x, std::size_t n) {
    if constexpr (kHalf) {
      convert(x, n, xn_, stream_);
      return xn_;
    } else {
      return x;
    }
  }

  // out [n][m.rows] = x [n][m.columns] * m^T + beta * out, sums in float32. To cuBLAS, which counts
  // by columns, all of them are transposed.
  template <class Out>
  void gemm(const PrefillMatrix& m, const T* x, int x_row, int n, Out* out, int out_row,
            float beta) {
    constexpr cudaDataType_t kIn = kHalf ? CUDA_R_16F : CUDA_R_32F;
    constexpr cudaDataType_t kOut = std::is_same_v<Out, __half> ? CUDA_R_16F : CUDA_R_32F;
    const float alpha = 1.0F;
    MAMBO_CUDA(cublasGemmEx(space_.blas, CUBLAS_OP_T, CUBLAS_OP_N, m.rows, n, m.columns, &alpha,
                            m.data, kIn, m.columns, x, kIn, x_row, &beta, out, kOut, out_row,
                            CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT));
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
  int sms_;
  int longest_;
  cudaStream_t stream_;
  std::vector<TierWork> tiers_;
  std::vector<bool> wanted_;                // layers, by the sink
  std::vector<std::uint64_t> wanted_from_;  // of these, the first step
  std::uint64_t block_ = 0;                 // samples of a summary; 0: none are wanted
  std::size_t blocks_ = 0;                  // of a layer in a chunk
  bool want_logits_ = false;
  bool want_layers_ = false;
  int chunk_ = 0;  // samples
  std::size_t code_capacity_ = 0;
  std::size_t host_floats_ = 0;
  std::uint8_t* codes_ = nullptr;
  T* xn_ = nullptr;         // [steps][wp]
  T* uz_ = nullptr;         // [steps][2 dp]
  T* u_ = nullptr;          // [steps][dp]
  float* delta_ = nullptr;  // [steps][dp]
  float* dbc_ = nullptr;    // [steps][rows of x_proj]
  float* scan_scratch_ = nullptr;
  float* logits_ = nullptr;            // [steps][vp]
  float* out_ = nullptr;               // packed for the sink
  LayerSummary* summaries_ = nullptr;  // [layers][blocks_]
};

}  // namespace mambo::cuda
