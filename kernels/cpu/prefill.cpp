#include "kernels/cpu/prefill.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <exception>
#include <memory>

#include "kernels/cpu/gemm.h"
#include "kernels/cpu/prefill_memory.h"
#include "kernels/cpu/rows.h"
#include "kernels/cpu/step.h"
#include "kernels/cpu/team.h"
#include "kernels/cpu/trace.h"

namespace mambo::cpu {
namespace {

class Prefill {
 public:
  Prefill(const Network& net, const StatePlan& plan, float* memory, PrefillSink* sink,
          const Selectivity* by_hand, int threads, std::size_t length)
      : net_(net),
        plan_(plan),
        m_(memory),
        sink_(sink),
        by_hand_(by_hand),
        team_(threads),
        tiers_(net.tiers.size()) {
    choose_chunk(length);
    for (std::size_t i = 0; i < tiers_.size(); ++i) tiers_[i].allocate(net.tiers[i], chunk_);
    for (int i = 0; i < team_.size(); ++i) scratch_.emplace_back(net);
    progress_ = std::make_unique<Progress[]>(net.layers.size());
    for (std::size_t i = 0; i < net.layers.size(); ++i) progress_[i].allocate(net.layers[i]);
    tickets_ = std::make_unique<std::atomic<int>[]>(2 * net.tiers.size());
    for (const Layer& l : net.layers) {
      const float* b = l.out_proj.bias.data();
      out_bias_.push_back(std::any_of(b, b + l.wp, [](float x) { return x != 0.0F; }));
    }
    traces_.resize(net.layers.size());
    if (sink_ == nullptr) return;
    want_logits_ = sink_->wants_logits();
    sums_ = sink_->selection_sums();
    if (want_logits_) {
      head_xn_ = AlignedBuffer<float>(size(chunk_) * size(net.tiers[0].wp));
      logits_ = AlignedBuffer<float>(size(chunk_) * size(net.vp));
    }
    const int samples = sink_->samples_per_summary();
    for (std::size_t i = 0; i < net.layers.size(); ++i) {
      const bool rows = sink_->wants_layer(static_cast<int>(i));
      if (!rows && samples <= 0) continue;
      const Layer& l = net.layers[i];
      const int stride = net.tiers[size(l.tier)].stride;
      const SummaryBlocks blocks{static_cast<std::uint64_t>(std::max(samples, 0)),
                                 static_cast<std::uint64_t>(stride)};
      traces_[i] = std::make_unique<Trace>(l, size(chunk_ / stride + 1), rows,
                                           sink_->layer_from(static_cast<int>(i)), blocks);
    }
  }

  void run(std::uint64_t& position, std::span<const std::uint8_t> codes) {
    std::size_t done = 0;
    while (done < codes.size()) {
      const std::size_t n = std::min<std::size_t>(size(chunk_), codes.size() - done);
      codes_ = codes.subspan(done, n);
      last_ = done + n == codes.size();
      begin_chunk(position, n);
      team_.run([this](int thread) { chunk(thread); });
      if (sink_ != nullptr) serve_sink(done);
      position += n;
      done += n;
      if (sink_ != nullptr && !sink_->progress(done)) throw Cancelled();
    }
  }

 private:
  // Long enough that the inner tiers have rows to share out, bounded so that scratch stays small.
  void choose_chunk(std::size_t length) {
    std::size_t row = 1;  // floats per sample
    for (const Tier& t : net_.tiers) row = std::max(row, size(3 * t.wp) / size(t.stride));
    chunk_ = 8192;
    while (chunk_ > 1024 && size(chunk_) * row * sizeof(float) > (16U << 20U)) chunk_ /= 2;
    while (chunk_ > 64 && size(chunk_) / 2 >= length) chunk_ /= 2;
  }

  void begin_chunk(std::uint64_t position, std::size_t n) {
    for (std::size_t s = 0; s < tiers_.size(); ++s) {
      const auto stride = static_cast<std::uint64_t>(net_.tiers[s].stride);
      TierWork& w = tiers_[s];
      w.first = position / stride;
      w.steps = static_cast<int>((position + n) / stride - w.first);
      w.tile = std::max(16, round_up(w.steps / (2 * team_.size())));
      tickets_[2 * s] = 0;
      tickets_[2 * s + 1] = 0;
    }
    for (std::size_t i = 0; i < net_.layers.size(); ++i) {
      TierWork& w = tiers_[size(net_.layers[i].tier)];
      w.tile = std::min(w.tile, tile_rows(net_.layers[i]));
      progress_[i].conv = 0;
      progress_[i].summed = 0;
      for (int b = 0; b < net_.layers[i].dp / kBlock; ++b) progress_[i].scanned[size(b)] = 0;
    }
  }

  // Everything below runs on all threads of the team.

  void chunk(int thread) {
    const Tier& outer = net_.tiers[0];
    TierWork& w = tiers_[0];
    const Range mine = part(w.steps, thread, team_.size());
    for (int r = mine.begin; r < mine.end; ++r) {
      std::memcpy(w.x.data() + size(r) * size(outer.wp),
                  net_.embed.data() + size(codes_[size(r)]) * size(outer.wp), size(outer.wp) * 4);
    }
    team_.meet();
    tier(0, thread);
    head(thread);
  }

  // Down blocks, the tier inside, up blocks. All rows of x are there on entry and on return.
  void tier(std::size_t s, int thread) {
    const Tier& t = net_.tiers[s];
    blocks(s, 2 * s, t.down_begin, t.down_end, thread);
    team_.meet();
    if (t.pool == 0) return;
    pool(s, thread);
    team_.meet();
    if (thread == 0) keep_open_group(s);
    tier(s + 1, thread);
    unpool(s, thread);
    team_.meet();
    if (thread == 0) keep_up(s);
    blocks(s, 2 * s + 1, t.up_begin, t.up_end, thread);
    team_.meet();
  }

  // Layers [begin, end) over the chunk: each thread takes the next tile of steps and carries it
  // through all of them. Tiles are taken in order and none waits for a later one, so all get done.
  void blocks(std::size_t s, std::size_t ticket, int begin, int end, int thread) {
    const TierWork& w = tiers_[s];
    const int tiles = (w.steps + w.tile - 1) / w.tile;
    for (int tile = tickets_[ticket]++; tile < tiles; tile = tickets_[ticket]++) {
      const int at = tile * w.tile;
      for (int i = begin; i < end; ++i)
        layer(i, tile, at, std::min(w.tile, w.steps - at), scratch_[size(thread)]);
    }
  }

  // One block over n rows of x, from row `at` of the chunk, in place.
  void layer(int index, int tile, int at, int n, Scratch& b) {
    const Layer& l = net_.layers[size(index)];
    TierWork& w = tiers_[size(l.tier)];
    Progress& progress = progress_[size(index)];
    const std::size_t stride = 2 * size(l.dp);
    const std::uint64_t first = w.first + static_cast<std::uint64_t>(at);
    float* x = w.x.data() + size(at) * size(l.wp);
    float* uz = b.uz.data() + size(net_.K - 1) * stride;  // K-1 rows of history stand before it

    rmsnorm_rows(x, l.norm.data(), l.width, l.wp, net_.eps, n, b.xn.data());
    gemm(b.xn.data(), size(l.wp), l.in_proj, n, uz, stride, Init::bias);
    await(progress.conv, tile);
    exchange_conv_history(index, first, n, b.uz.data());
    announce(progress.conv, tile + 1);

    conv_silu_rows(l, net_.K, uz, stride, n, b.u.data());
    std::visit(
        [&](const auto& mixer) {
          project(mixer, b.u.data(), n, b.projected.data(), b.delta.data());
        },
        l.mixer);
    if (sums_ != nullptr) {
      SelectionSums::Layer& sums = sums_->layers()[size(index)];
      await(progress.summed, tile);  // in the order of the steps, whatever the tiles are
      std::visit(
          [&](const auto& mixer) {
            add_to_sums(mixer, b.projected.data(), b.delta.data(), n, sums);
          },
          l.mixer);
      announce(progress.summed, tile + 1);
    }
    float read = 1;
    if (by_hand_ != nullptr) {
      const Selectivity::Layer& hand = by_hand_->layers()[size(index)];
      if (!hand.off) {
        read = hand.read;
        std::visit(
            [&](const auto& mixer) {
              play_by_hand(mixer, hand, n, b.projected.data(), b.delta.data());
            },
            l.mixer);
      }
    }
    if (traces_[size(index)]) traces_[size(index)]->keep(at, n, b.delta.data(), b.projected.data());

    float* h = m_ + plan_.layers[size(index)].h;
    const MixerTile mixer_tile{.rows = n,
                               .u = b.u.data(),
                               .projected = b.projected.data(),
                               .delta = b.delta.data(),
                               .D = l.D.data(),
                               .z = uz + l.dp,
                               .uz_stride = stride,
                               .y = uz,
                               .read = read};
    for (int block = 0; block < l.dp / kBlock; ++block) {
      std::atomic<int>& scanned = progress.scanned[size(block)];
      await(scanned, tile);
      float* h_block = h + size(block) * size(l.h_rows()) * kBlock;
      std::visit([&](const auto& mixer) { scan_block(mixer, mixer_tile, block, h_block); },
                 l.mixer);
      announce(scanned, tile + 1);
    }
    gemm(uz, stride, l.out_proj, n, x, size(l.wp), Init::accumulate);
    if (!out_bias_[size(index)]) return;
    for (int r = 0; r < n; ++r) {
      for (int c = 0; c < l.wp; ++c) x[size(r) * size(l.wp) + size(c)] += l.out_proj.bias[size(c)];
    }
  }

  static void add_to_sums(const S6Weights& w, const float* projected, const float* delta, int n,
                          SelectionSums::Layer& sums) {
    for (int r = 0; r < n; ++r, projected += w.xp, delta += w.dp) {
      for (std::size_t c = 0; c < sums.delta.size(); ++c) sums.delta[c] += delta[c];
      const float* B = projected + w.b_column();
      for (std::size_t i = 0; i < sums.B.size(); ++i) sums.B[i] += B[i];
      for (std::size_t i = 0; i < sums.C.size(); ++i) sums.C[i] += B[sums.B.size() + i];
    }
    sums.steps += static_cast<std::uint64_t>(n);
  }
  static void add_to_sums(const S4dWeights& /*w*/, const float* /*projected*/,
                          const float* /*delta*/, int n, SelectionSums::Layer& sums) {
    sums.steps += static_cast<std::uint64_t>(n);
  }

  // Reads the K-1 inputs before the tile out of the state's ring and leaves the tile's last ones
  // there. rows: [K-1 of history][n], stride 2 dp.
  void exchange_conv_history(int index, std::uint64_t first, int n, float* rows) {
    const Layer& l = net_.layers[size(index)];
    const auto K = static_cast<std::uint64_t>(net_.K);
    const auto dp = static_cast<std::uint64_t>(l.dp);
    float* ring = m_ + plan_.layers[size(index)].conv;
    for (std::uint64_t i = 0; i + 1 < K; ++i) {  // step first - (K-1) + i, plus K to stay positive
      std::memcpy(rows + i * 2 * dp, ring + (first + 1 + i) % K * dp, dp * sizeof(float));
    }
    for (int i = std::max(0, n - net_.K); i < n; ++i) {
      const std::uint64_t step = first + static_cast<std::uint64_t>(i);
      std::memcpy(ring + step % K * dp, rows + size(net_.K - 1 + i) * 2 * dp, dp * sizeof(float));
    }
  }

  // Steps of the next tier: groups of `pool` rows of x, the first of which may have begun before.
  void pool(std::size_t s, int thread) {
    const Tier& t = net_.tiers[s];
    TierWork& w = tiers_[s];
    TierWork& inner = tiers_[s + 1];
    const std::size_t group = size(t.pool * t.wp);
    const std::size_t begun = open_rows(s) * size(t.wp);
    const std::size_t out = size(t.down_pool.packed.rows);
    const Range mine = part(inner.steps, thread, team_.size());
    int first = mine.begin;
    if (first == 0 && mine.end > 0 && begun > 0) {
      std::memcpy(w.group.data(), m_ + plan_.pools[s].group, begun * 4);
      std::memcpy(w.group.data() + begun, w.x.data(), (group - begun) * 4);
      gemm(w.group.data(), group, t.down_pool, 1, inner.x.data(), out, Init::bias);
      first = 1;
    }
    if (first >= mine.end) return;
    gemm(w.x.data() + size(first) * group - begun, group, t.down_pool, mine.end - first,
         inner.x.data() + size(first) * out, out, Init::bias);
  }

  // Rows of the group that was open when the chunk began.
  std::size_t open_rows(std::size_t s) const {
    return static_cast<std::size_t>(tiers_[s].first %
                                    static_cast<std::uint64_t>(net_.tiers[s].pool));
  }

  // The group that the chunk leaves open: its rows so far go to the state.
  void keep_open_group(std::size_t s) {
    const Tier& t = net_.tiers[s];
    const std::size_t begun = open_rows(s) * size(t.wp);
    const std::size_t have = begun + size(tiers_[s].steps) * size(t.wp);
    const std::size_t full = size(tiers_[s + 1].steps) * size(t.pool * t.wp);
    float* open = m_ + plan_.pools[s].group;
    const float* x = tiers_[s].x.data();
    if (full == 0)
      std::memcpy(open + begun, x, (have - begun) * 4);
    else
      std::memcpy(open, x + (full - begun), (have - full) * 4);
  }

  // x += what the tier inside gave for the group before.
  void unpool(std::size_t s, int thread) {
    const Tier& t = net_.tiers[s];
    TierWork& w = tiers_[s];
    TierWork& inner = tiers_[s + 1];
    const std::size_t group = size(t.pool * t.wp);
    const std::size_t width = size(net_.tiers[s + 1].wp);
    const Range groups = part(inner.steps, thread, team_.size());
    gemm(inner.x.data() + size(groups.begin) * width, width, t.up_pool, groups.end - groups.begin,
         w.up.data() + size(groups.begin) * group, group, Init::bias);
    team_.meet();
    const auto pool = static_cast<std::uint64_t>(t.pool);
    const Range mine = part(w.steps, thread, team_.size());
    for (int r = mine.begin; r < mine.end; ++r) {
      const std::uint64_t step = w.first + static_cast<std::uint64_t>(r);
      const std::uint64_t g = step / pool - w.first / pool;
      const float* from = g == 0 ? m_ + plan_.pools[s].up : w.up.data() + (g - 1) * group;
      from += step % pool * static_cast<std::uint64_t>(t.wp);
      float* x = w.x.data() + size(r) * size(t.wp);
      for (int i = 0; i < t.wp; ++i) x[i] += from[i];
    }
  }

  void keep_up(std::size_t s) {
    const std::size_t group = size(net_.tiers[s].pool * net_.tiers[s].wp);
    const std::size_t groups = size(tiers_[s + 1].steps);
    if (groups > 0)
      std::memcpy(m_ + plan_.pools[s].up, tiers_[s].up.data() + (groups - 1) * group, group * 4);
  }

  // Logits of every row when they are wanted; of the last one for the state, by the step's own
  // kernel.
  void head(int thread) {
    const Tier& outer = net_.tiers[0];
    const TierWork& w = tiers_[0];
    const std::size_t wp = size(outer.wp);
    if (want_logits_) {
      const Range mine = part(w.steps, thread, team_.size());
      const std::size_t at = size(mine.begin);
      const int n = mine.end - mine.begin;
      rmsnorm_rows(w.x.data() + at * wp, net_.norm_f.data(), outer.width, outer.wp, net_.eps, n,
                   head_xn_.data() + at * wp);
      gemm(head_xn_.data() + at * wp, wp, net_.head, n, logits_.data() + at * size(net_.vp),
           size(net_.vp), Init::bias);
    }
    if (thread == 0 && last_) {
      std::memcpy(m_ + plan_.x[0], w.x.data() + size(w.steps - 1) * wp, wp * 4);
      finish_logits(net_, plan_, m_);
    }
  }

  // On the calling thread, between chunks.
  void serve_sink(std::size_t done) {
    for (std::size_t i = 0; i < traces_.size(); ++i) {
      const TierWork& w = tiers_[size(net_.layers[i].tier)];
      if (!traces_[i] || w.steps == 0) continue;
      traces_[i]->send(*sink_, static_cast<int>(i), w.first, w.steps);
    }
    if (!want_logits_) return;
    const int rows = tiers_[0].steps;
    if (net_.vp != net_.vocab) {  // close the padding
      for (int r = 1; r < rows; ++r) {
        std::memmove(logits_.data() + size(r) * size(net_.vocab),
                     logits_.data() + size(r) * size(net_.vp), size(net_.vocab) * 4);
      }
    }
    sink_->logits(done, rows, logits_.data());
  }

  const Network& net_;
  const StatePlan& plan_;
  float* m_;
  PrefillSink* sink_;
  SelectionSums* sums_ = nullptr;
  const Selectivity* by_hand_;
  Team team_;
  std::vector<TierWork> tiers_;
  std::vector<Scratch> scratch_;
  std::unique_ptr<Progress[]> progress_;         // one per layer
  std::unique_ptr<std::atomic<int>[]> tickets_;  // [tier][down, up]: the next tile
  std::vector<bool> out_bias_;
  std::vector<std::unique_ptr<Trace>> traces_;  // one per layer, null where not wanted
  AlignedBuffer<float> head_xn_, logits_;
  bool want_logits_ = false;
  int chunk_ = 0;
  std::span<const std::uint8_t> codes_;
  bool last_ = false;
};

}  // namespace

void prefill(const Network& net, const StatePlan& plan, float* memory, std::uint64_t& position,
             std::span<const std::uint8_t> codes, PrefillSink* sink, const Selectivity* by_hand,
             int threads) {
  if (codes.empty()) return;
  const FlushSubnormals flush;
  Prefill(net, plan, memory, sink, by_hand, threads, codes.size()).run(position, codes);
}

}  // namespace mambo::cpu
