#include "kernels/cpu/prefill.h"

#include <cblas.h>

#include <algorithm>
#include <cstring>
#include <exception>

#include "kernels/cpu/rows.h"
#include "kernels/cpu/step.h"
#include "kernels/cpu/team.h"

namespace mambo::cpu {
namespace {

constexpr int kTile = 256;  // rows that go through a chain of operations while they are in cache

// C [M][N] (+)= A [M][K] * W^T, W dense [N][K].
void gemm(const float* A, std::size_t lda, const Linear& w, int rows, float* C, std::size_t ldc,
          bool accumulate) {
  if (rows == 0) return;
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows, w.packed.rows, w.packed.cols, 1.0F, A,
              static_cast<blasint>(lda), w.dense.data(), w.packed.cols, accumulate ? 1.0F : 0.0F, C,
              static_cast<blasint>(ldc));
}

void fill_bias(const Linear& w, int rows, float* C, std::size_t ldc) {
  for (int r = 0; r < rows; ++r)
    std::memcpy(C + r * ldc, w.bias.data(), static_cast<std::size_t>(w.packed.rows) * 4);
}

bool any(const AlignedBuffer<float>& v) {
  return std::any_of(v.data(), v.data() + v.size(), [](float x) { return x != 0.0F; });
}

// The steps of one tier that fall into the chunk.
struct TierWork {
  std::uint64_t first = 0;  // index of the first step
  int steps = 0;
  AlignedBuffer<float> x;      // [steps][wp]: the residual stream
  AlignedBuffer<float> up;     // [groups finished in the chunk][pool * wp]
  AlignedBuffer<float> group;  // [pool * wp]: the first group, begun before the chunk
};

class Prefill {
 public:
  Prefill(const Network& net, const StatePlan& plan, float* memory, PrefillSink* sink, int threads)
      : net_(net), plan_(plan), m_(memory), sink_(sink), team_(threads), tiers_(net.tiers.size()) {
    std::size_t row = 0;  // floats a sample: chunks are sized to keep the scratch near 16 MB
    for (std::size_t s = 0; s < net.tiers.size(); ++s)
      row = std::max(row, floats_per_step(s) / net.tiers[s].stride);
    chunk_ = 4096;
    while (chunk_ > 512 && static_cast<std::size_t>(chunk_) * row * 4 > (16U << 20U)) chunk_ /= 2;
    std::size_t uz = 0;
    std::size_t inner = 0;
    std::size_t dbc = 0;
    std::size_t xn = 0;
    for (std::size_t s = 0; s < net.tiers.size(); ++s) {
      const Tier& t = net.tiers[s];
      const std::size_t steps = static_cast<std::size_t>(chunk_ / t.stride + 1);
      tiers_[s].x = AlignedBuffer<float>(steps * t.wp);
      xn = std::max(xn, steps * t.wp);
      for (const Layer& l : net.layers) {
        if (l.tier != static_cast<int>(s)) continue;
        uz = std::max(uz, (steps + net.K) * 2 * l.dp);
        inner = std::max(inner, steps * l.dp);
        dbc = std::max(dbc, steps * l.xp);
      }
      if (t.pool == 0) continue;
      const std::size_t groups = steps / t.pool + 1;
      tiers_[s].up = AlignedBuffer<float>(groups * t.pool * t.wp);
      tiers_[s].group = AlignedBuffer<float>(static_cast<std::size_t>(t.pool) * t.wp);
    }
    uz_ = AlignedBuffer<float>(uz);
    u_ = AlignedBuffer<float>(inner);
    delta_ = AlignedBuffer<float>(inner);
    dbc_ = AlignedBuffer<float>(dbc);
    xn_ = AlignedBuffer<float>(xn);
    for (const Layer& l : net.layers) {
      has_bias_.push_back({any(l.in_proj.bias), any(l.out_proj.bias)});
      // Enough segments of time that no thread is idle when there are fewer blocks than threads.
      const int blocks = l.dp / kBlock;
      const int segments = std::max(1, (team_.size() + blocks - 1) / blocks);
      segments_.push_back(segments);
      carry_size_ = std::max(
          carry_size_, static_cast<std::size_t>(blocks) * segments * (2 * net.N + 1) * kBlock);
    }
    carry_ = AlignedBuffer<float>(carry_size_);
    if (sink_ != nullptr && sink_->wants_logits()) {
      logits_ = AlignedBuffer<float>(static_cast<std::size_t>(chunk_) * net.vp);
    }
  }

  void run(std::uint64_t& position, std::span<const std::uint8_t> codes) {
    std::size_t done = 0;
    while (done < codes.size()) {
      const std::size_t n =
          std::min<std::size_t>(static_cast<std::size_t>(chunk_), codes.size() - done);
      done_ = done;
      codes_ = codes.subspan(done, n);
      last_ = done + n == codes.size();
      for (std::size_t s = 0; s < tiers_.size(); ++s) {
        const auto stride = static_cast<std::uint64_t>(net_.tiers[s].stride);
        tiers_[s].first = position / stride;
        tiers_[s].steps = static_cast<int>((position + n) / stride - tiers_[s].first);
      }
      team_.run([this](int thread) { chunk(thread); });
      if (failure_) std::rethrow_exception(failure_);
      position += n;
      done += n;
      if (sink_ != nullptr && !sink_->progress(done)) throw Cancelled();
    }
  }

 private:
  struct Bias {
    bool in, out;
  };

  std::size_t floats_per_step(std::size_t s) const {
    std::size_t n = 2U * static_cast<std::size_t>(net_.tiers[s].wp);
    for (const Layer& l : net_.layers) {
      if (l.tier == static_cast<int>(s)) return n + static_cast<std::size_t>(4 * l.dp + l.xp);
    }
    return n;
  }

  Range rows(int n, int thread) const { return part(n, thread, team_.size(), 16); }

  // Calls of the user's sink happen on thread 0; what it throws is kept until the chunk is over.
  template <class F>
  void tell(F f) {
    if (failure_) return;
    try {
      f();
    } catch (...) {
      failure_ = std::current_exception();
    }
  }

  void chunk(int thread) {
    const Tier& outer = net_.tiers[0];
    TierWork& w = tiers_[0];
    const Range mine = rows(w.steps, thread);
    for (int r = mine.begin; r < mine.end; ++r) {
      std::memcpy(w.x.data() + static_cast<std::size_t>(r) * outer.wp,
                  net_.embed.data() +
                      static_cast<std::size_t>(codes_[static_cast<std::size_t>(r)]) * outer.wp,
                  static_cast<std::size_t>(outer.wp) * 4);
    }
    tier(0, thread);
    head(thread);
  }

  // Every tier: down blocks, the tier inside, up blocks. On entry each thread wrote its rows of x.
  void tier(std::size_t s, int thread) {
    const Tier& t = net_.tiers[s];
    for (int i = t.down_begin; i < t.down_end; ++i) layer(i, thread);
    if (t.pool == 0) return;
    pool(s, thread);
    team_.meet();
    tier(s + 1, thread);
    unpool(s, thread);
    for (int i = t.up_begin; i < t.up_end; ++i) layer(i, thread);
    team_.meet();
    if (thread == 0) keep_pool_state(s);
  }

  // Steps of the next tier: groups of `pool` rows of x, the first of which may have begun before.
  void pool(std::size_t s, int thread) {
    team_.meet();  // all rows of x are there
    const Tier& t = net_.tiers[s];
    TierWork& w = tiers_[s];
    TierWork& inner = tiers_[s + 1];
    const std::size_t group = static_cast<std::size_t>(t.pool) * t.wp;
    const std::size_t begun =
        static_cast<std::size_t>(w.first % static_cast<std::uint64_t>(t.pool)) * t.wp;
    const Linear& proj = t.down_pool;
    const std::size_t out = static_cast<std::size_t>(proj.packed.rows);
    const Range mine = part(inner.steps, thread, team_.size());
    fill_bias(proj, mine.end - mine.begin, inner.x.data() + mine.begin * out, out);
    int first = mine.begin;
    if (first == 0 && mine.end > 0 && begun > 0) {
      std::memcpy(w.group.data(), m_ + plan_.pools[s].group, begun * 4);
      std::memcpy(w.group.data() + begun, w.x.data(), (group - begun) * 4);
      gemm(w.group.data(), group, proj, 1, inner.x.data(), out, true);
      first = 1;
    }
    if (first < mine.end) {
      gemm(w.x.data() + first * group - begun, group, proj, mine.end - first,
           inner.x.data() + first * out, out, true);
    }
    // The group that stays open: its rows so far, for the state. w.x is overwritten by unpool.
    if (thread == 0) {
      float* open = m_ + plan_.pools[s].group;
      const std::size_t have =
          begun + static_cast<std::size_t>(w.steps) * t.wp;  // since the first group began
      const std::size_t full = static_cast<std::size_t>(inner.steps) * group;
      if (inner.steps == 0) {
        std::memcpy(open + begun, w.x.data(), (have - begun) * 4);
      } else {
        // Thread 0 has read the old rows above: the first group is always its own.
        std::memcpy(open, w.x.data() + full - begun, (have - full) * 4);
      }
    }
  }

  // x += what the tier inside gave for the group before.
  void unpool(std::size_t s, int thread) {
    const Tier& t = net_.tiers[s];
    TierWork& w = tiers_[s];
    TierWork& inner = tiers_[s + 1];
    const std::size_t group = static_cast<std::size_t>(t.pool) * t.wp;
    {
      // The inner tier's layers end with each thread's own rows, cut the same way for the same
      // count.
      team_.meet();
      const Range mine = rows(inner.steps, thread);
      fill_bias(t.up_pool, mine.end - mine.begin, w.up.data() + mine.begin * group, group);
      const std::size_t width = static_cast<std::size_t>(net_.tiers[s + 1].wp);
      gemm(inner.x.data() + mine.begin * width, width, t.up_pool, mine.end - mine.begin,
           w.up.data() + mine.begin * group, group, true);
      team_.meet();
    }
    const std::uint64_t pool = static_cast<std::uint64_t>(t.pool);
    const Range mine = rows(w.steps, thread);
    for (int r = mine.begin; r < mine.end; ++r) {
      const std::uint64_t step = w.first + static_cast<std::uint64_t>(r);
      const std::uint64_t g = step / pool - w.first / pool;
      const float* from = g == 0 ? m_ + plan_.pools[s].up : w.up.data() + (g - 1) * group;
      from += (step % pool) * static_cast<std::uint64_t>(t.wp);
      float* x = w.x.data() + static_cast<std::size_t>(r) * t.wp;
      for (int i = 0; i < t.wp; ++i) x[i] += from[i];
    }
  }

  void keep_pool_state(std::size_t s) {
    const Tier& t = net_.tiers[s];
    const std::size_t group = static_cast<std::size_t>(t.pool) * t.wp;
    const int groups = tiers_[s + 1].steps;
    if (groups > 0)
      std::memcpy(m_ + plan_.pools[s].up, tiers_[s].up.data() + (groups - 1) * group, group * 4);
  }

  void layer(int index, int thread) {
    const Layer& l = net_.layers[static_cast<std::size_t>(index)];
    const Bias bias = has_bias_[static_cast<std::size_t>(index)];
    TierWork& w = tiers_[static_cast<std::size_t>(l.tier)];
    if (w.steps == 0) return;  // the same on every thread: no meeting is missed
    const std::size_t stride = 2U * static_cast<std::size_t>(l.dp);
    float* uz = uz_.data() + static_cast<std::size_t>(net_.K - 1) * stride;
    const Range mine = rows(w.steps, thread);

    if (thread == 0) load_conv_history(index, w.first);
    for (int r = mine.begin; r < mine.end; r += kTile) {
      const int n = std::min(kTile, mine.end - r);
      float* xn = xn_.data() + static_cast<std::size_t>(r) * l.wp;
      rmsnorm_rows(w.x.data() + static_cast<std::size_t>(r) * l.wp, l.norm.data(), l.width, l.wp,
                   net_.eps, n, xn);
      if (bias.in) fill_bias(l.in_proj, n, uz + r * stride, stride);
      gemm(xn, static_cast<std::size_t>(l.wp), l.in_proj, n, uz + r * stride, stride, bias.in);
    }
    team_.meet();
    if (thread == 0) save_conv_history(index, w.first, w.steps);
    for (int r = mine.begin; r < mine.end; r += kTile) {
      const int n = std::min(kTile, mine.end - r);
      float* u = u_.data() + static_cast<std::size_t>(r) * l.dp;
      float* dbc = dbc_.data() + static_cast<std::size_t>(r) * l.xp;
      conv_silu_rows(l, net_.K, uz + r * stride, stride, n, u);
      gemm(u, static_cast<std::size_t>(l.dp), l.x_proj, n, dbc, static_cast<std::size_t>(l.xp),
           false);
      delta_rows(l, dbc, n, delta_.data() + static_cast<std::size_t>(r) * l.dp);
    }
    team_.meet();
    scan(index, w.steps, thread, uz, stride);
    if (thread == 0 && sink_ != nullptr && sink_->wants_layer(index)) trace(index, w);
    team_.meet();
    for (int r = mine.begin; r < mine.end; r += kTile) {
      const int n = std::min(kTile, mine.end - r);
      float* x = w.x.data() + static_cast<std::size_t>(r) * l.wp;
      gemm(uz + r * stride, stride, l.out_proj, n, x, static_cast<std::size_t>(l.wp), true);
      if (!bias.out) continue;
      for (int i = 0; i < n; ++i) {
        for (int c = 0; c < l.wp; ++c)
          x[i * l.wp + c] += l.out_proj.bias[static_cast<std::size_t>(c)];
      }
    }
  }

  void load_conv_history(int index, std::uint64_t first) {
    const Layer& l = net_.layers[static_cast<std::size_t>(index)];
    const auto K = static_cast<std::uint64_t>(net_.K);
    for (std::uint64_t i = 0; i + 1 < K; ++i) {
      float* to = uz_.data() + i * 2 * static_cast<std::uint64_t>(l.dp);
      const float* ring = m_ + plan_.layers[static_cast<std::size_t>(index)].conv;
      const std::uint64_t step = first + K - (K - 1) + i;  // + K: stays positive, the same slot
      std::memcpy(to, ring + (step % K) * static_cast<std::uint64_t>(l.dp),
                  static_cast<std::size_t>(l.dp) * 4);
    }
  }

  void save_conv_history(int index, std::uint64_t first, int steps) {
    const Layer& l = net_.layers[static_cast<std::size_t>(index)];
    const auto K = static_cast<std::uint64_t>(net_.K);
    float* ring = m_ + plan_.layers[static_cast<std::size_t>(index)].conv;
    for (int i = std::max(0, steps - net_.K); i < steps; ++i) {
      const float* from = uz_.data() + static_cast<std::size_t>(net_.K - 1 + i) * 2 * l.dp;
      std::memcpy(
          ring + ((first + static_cast<std::uint64_t>(i)) % K) * static_cast<std::uint64_t>(l.dp),
          from, static_cast<std::size_t>(l.dp) * 4);
    }
  }

  // Parallel over blocks of channels and, when there are more threads than blocks, over segments of
  // time: each segment's end from a zero state, the carry along the segments, then the replay.
  void scan(int index, int steps, int thread, float* uz, std::size_t stride) {
    const Layer& l = net_.layers[static_cast<std::size_t>(index)];
    const int blocks = l.dp / kBlock;
    const int segments =
        std::min(segments_[static_cast<std::size_t>(index)], std::max(1, steps / 64));
    const std::size_t h_size = static_cast<std::size_t>(net_.N) * kBlock;
    float* H = m_ + plan_.layers[static_cast<std::size_t>(index)].h;
    const auto run = [&](int block, int begin, int end, float* h, bool output) {
      const std::size_t at = static_cast<std::size_t>(begin);
      scan_block(l, net_.N, block, end - begin, delta_.data() + at * l.dp, u_.data() + at * l.dp,
                 dbc_.data() + at * l.xp, uz + at * stride + l.dp, stride, h,
                 output ? uz + at * stride : nullptr);
    };
    if (segments == 1) {
      const Range mine = part(blocks, thread, team_.size());
      for (int b = mine.begin; b < mine.end; ++b) run(b, 0, steps, H + b * h_size, true);
      return;
    }
    const Range mine = part(blocks * segments, thread, team_.size());
    const auto slot = [&](int item) {
      return carry_.data() + static_cast<std::size_t>(item) * (2 * h_size + kBlock);
    };
    for (int item = mine.begin; item < mine.end; ++item) {
      const int block = item / segments;
      const Range t = part(steps, item % segments, segments);
      std::fill_n(slot(item), h_size, 0.0F);
      run(block, t.begin, t.end, slot(item), false);
      sum_delta_block(l, block, t.end - t.begin,
                      delta_.data() + static_cast<std::size_t>(t.begin) * l.dp,
                      slot(item) + 2 * h_size);
    }
    team_.meet();
    const Range blocks_mine = part(blocks, thread, team_.size());
    for (int b = blocks_mine.begin; b < blocks_mine.end; ++b) {
      const float* in = H + b * h_size;
      for (int s = 0; s < segments;
           ++s) {  // the second half of a slot: the state that enters the segment
        float* here = slot(b * segments + s);
        std::copy_n(in, h_size, here + h_size);
        float* out = s + 1 < segments ? slot(b * segments + s + 1) + h_size : H + b * h_size;
        carry_block(l, net_.N, b, here + 2 * h_size, here + h_size, here, out);
        in = out;
      }
    }
    team_.meet();
    for (int item = mine.begin; item < mine.end; ++item) {
      const Range t = part(steps, item % segments, segments);
      run(item / segments, t.begin, t.end, slot(item) + h_size, true);
    }
  }

  void trace(int index, const TierWork& w) {
    const Layer& l = net_.layers[static_cast<std::size_t>(index)];
    const auto gather = [&](std::vector<float>& to, const float* from, int stride, int width) {
      to.resize(static_cast<std::size_t>(w.steps) * width);
      for (int r = 0; r < w.steps; ++r) {
        std::copy_n(from + static_cast<std::size_t>(r) * stride, width,
                    to.begin() + static_cast<std::ptrdiff_t>(r) * width);
      }
    };
    tell([&] {
      gather(trace_delta_, delta_.data(), l.dp, l.d_inner);
      gather(trace_B_, dbc_.data() + l.rank, l.xp, net_.N);
      gather(trace_C_, dbc_.data() + l.rank + net_.N, l.xp, net_.N);
      sink_->layer(index, w.first, w.steps, trace_delta_.data(), trace_B_.data(), trace_C_.data());
    });
  }

  // Logits of every row when they are wanted; of the last one for the state, by the step's own
  // kernel.
  void head(int thread) {
    const Tier& outer = net_.tiers[0];
    TierWork& w = tiers_[0];
    const bool all = sink_ != nullptr && sink_->wants_logits();
    if (all) {
      const Range mine = rows(w.steps, thread);
      const auto vp = static_cast<std::size_t>(net_.vp);
      for (int r = mine.begin; r < mine.end; r += kTile) {
        const int n = std::min(kTile, mine.end - r);
        float* xn = xn_.data() + static_cast<std::size_t>(r) * outer.wp;
        float* out = logits_.data() + static_cast<std::size_t>(r) * vp;
        rmsnorm_rows(w.x.data() + static_cast<std::size_t>(r) * outer.wp, net_.norm_f.data(),
                     outer.width, outer.wp, net_.eps, n, xn);
        fill_bias(net_.head, n, out, vp);
        gemm(xn, static_cast<std::size_t>(outer.wp), net_.head, n, out, vp, true);
      }
    }
    team_.meet();
    if (thread != 0) return;
    if (all) {
      if (net_.vp != net_.vocab) {  // close the padding
        for (int r = 1; r < w.steps; ++r) {
          std::memmove(logits_.data() + static_cast<std::size_t>(r) * net_.vocab,
                       logits_.data() + static_cast<std::size_t>(r) * net_.vp,
                       static_cast<std::size_t>(net_.vocab) * 4);
        }
      }
      tell([&] { sink_->logits(done_, w.steps, logits_.data()); });
    }
    if (last_) {
      std::memcpy(m_ + plan_.x[0], w.x.data() + static_cast<std::size_t>(w.steps - 1) * outer.wp,
                  static_cast<std::size_t>(outer.wp) * 4);
      finish_logits(net_, plan_, m_);
    }
  }

  const Network& net_;
  const StatePlan& plan_;
  float* m_;
  PrefillSink* sink_;
  Team team_;
  std::vector<TierWork> tiers_;
  AlignedBuffer<float> uz_, u_, delta_, dbc_, xn_, carry_, logits_;
  std::size_t carry_size_ = 0;
  std::vector<Bias> has_bias_;
  std::vector<int> segments_;
  std::vector<float> trace_delta_, trace_B_, trace_C_;
  std::exception_ptr failure_;
  int chunk_ = 0;
  std::size_t done_ = 0;
  std::span<const std::uint8_t> codes_;
  bool last_ = false;
};

}  // namespace

void prefill(const Network& net, const StatePlan& plan, float* memory, std::uint64_t& position,
             std::span<const std::uint8_t> codes, PrefillSink* sink, int threads) {
  if (codes.empty()) return;
  const FlushSubnormals flush;
  Prefill(net, plan, memory, sink, threads).run(position, codes);
}

}  // namespace mambo::cpu
