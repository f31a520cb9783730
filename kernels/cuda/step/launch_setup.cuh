// StepLaunch's beginning and end: what a CTA copies into its shared memory, and back.
#pragma once

#include "kernels/cuda/step/step_launch.cuh"

namespace mambo::cuda {

template <class T>
__device__ StepLaunch<T>::StepLaunch(const Launch& launch, const Role& r, unsigned char* shared,
                                     const Exchange& exchange, const StreamArgs* of_cta)
    : a(launch), role(r), smem(shared), streams(at<StreamArgs>(r.layout.args)) {
  const Layout& o = role.layout;
  copy_far(at<StreamArgs>(o.args), of_cta, sizeof(StreamArgs) * NS);
  __syncthreads();
  k.exchange = exchange;
  layers = at<Layer>(o.layers);
  tiers = at<Tier>(o.tiers);
  codes = at<int>(o.codes);
  k.states = at<float*>(o.states);
  k.x = at<float>(o.x);
  k.pooled = at<float>(o.pooled);
  k.dbc = at<float>(o.dbc);
  k.dbc_other = at<float>(o.dbc_other);
  k.own_u = at<float>(o.own_u);
  k.own_gate = at<float>(o.own_gate);
  k.logits = at<float>(o.logits);
  k.warp_sums = at<float>(o.warp_sums);
  k.u = at<W>(o.u);
  k.y = at<W>(o.y);
  k.x_half = at<W>(o.x_half);
  k.partial_dbc = at<float>(o.partial_dbc);
  k.partial_x = at<float>(o.partial_x);
  k.x_stride = o.x_stride;
  k.act_stride = o.act_stride;
  k.dbc_stride = o.dbc_stride;
  k.own_stride = o.own_stride;
  k.K = T::kFixed ? 4 : a.net.K;
  k.np = T::kFixed ? 16 : a.net.np;
  k.vocab = a.net.vocab;
  k.vp = a.net.vp;
  k.eps = a.net.eps;
  k.tap = streams[0].tap;
  k.streams = streams;
  cursor = at<Cursor>(o.cursors);
  if (static_cast<int>(threadIdx.x) < a.net.n_tiers)
    cursor[threadIdx.x] = {a.tiers[threadIdx.x].phase, a.tiers[threadIdx.x].slot, 0};
  u_next = random_number(warp_id() < NS ? warp_id() : 0, 0);
  if (threadIdx.x < NS) at<float*>(o.states)[threadIdx.x] = streams[threadIdx.x].state;
}

// Elements [begin, end) of an array of `size` values each: into shared memory if they have a place
// there. Returns the pointer that global indices reach it by.
template <class T>
template <class V>
__device__ const V* StepLaunch<T>::bring(std::uint32_t place, const void* from, int begin, int end,
                                         std::size_t size) const {
  const V* all = static_cast<const V*>(from);
  if (place == kNowhere) return all;
  V* here = at<V>(place);
  copy_far(here, all + begin * size, (end - begin) * size * sizeof(V));
  return here - begin * static_cast<std::ptrdiff_t>(size);
}

// Of each tile (`pairs` of 32 columns) `own` pairs from `first` on; tile_size: elements from tile
// to tile of what is returned.
template <class T>
__device__ const typename StepLaunch<T>::W* StepLaunch<T>::bring_columns(std::uint32_t place,
                                                                         const void* from,
                                                                         int tiles, int pairs,
                                                                         int first, int own,
                                                                         int& tile_size) const {
  constexpr int kPairWords = 1024 / 16;
  const W* mine = static_cast<const W*>(from) + first * 512;
  tile_size = (place == kNowhere ? pairs : own) * 512;
  if (place == kNowhere) return mine;
  const auto* words = reinterpret_cast<const uint4*>(mine);
  auto* here = at<uint4>(place);
  const int each = own * kPairWords;
#pragma unroll 8
  for (int i = static_cast<int>(threadIdx.x); i < tiles * each; i += kThreads)
    here[i] = words[i / each * pairs * kPairWords + i % each];
  return reinterpret_cast<const W*>(here);
}

// Layer i, by every thread.
template <class T>
__device__ void StepLaunch<T>::bring_layer(int i) {
  const int members = k.exchange.members;
  const int me = k.exchange.me;
  const LayerDev& d = a.net.layers[i];
  const Resident& place = role.resident[i];
  Layer l;
  l.inv_width = 1.0F / static_cast<float>(d.width);
  l.wp = d.wp;
  l.dp = d.dp;
  l.second = d.second;
  l.rp = d.rp;
  l.xp = d.xp;
  l.record_floats = d.record_floats;
  if constexpr (T::template kHas<S4D>) {
    l.mixer = d.mixer;
    l.h_floats = d.h_floats;
  }
  l.h_at = d.h_at;
  l.conv_at = d.conv_at;
  l.tap_at = d.tap_at;
  if constexpr (T::kByHand) l.by_hand_at = d.by_hand_at;
  l.out_bias = d.out_bias;
  share(d.dp / 8, members, me, l.tile_begin, l.tile_end);
  share(d.wp / 16, members, me, l.row_begin, l.row_end);
  l.dbc_begin = 0;
  l.dbc_end = d.xp / 16;
  if (role.split_dbc != 0) share(d.xp / 16, members, me, l.dbc_begin, l.dbc_end);
  l.in_proj = bring<W>(place.in_proj, d.in_proj, l.tile_begin, l.tile_end, 16 * d.wp);
  if constexpr (T::kColumns) {
    const int first = l.tile_begin / 4;
    const int own = (l.tile_end - l.tile_begin) / 4;
    l.x_proj = bring_columns(place.x_proj, d.x_proj, d.xp / 16, d.dp / 32, first, own, l.x_tile);
    l.out_proj =
        bring_columns(place.out_proj, d.out_proj, d.wp / 16, d.dp / 32, first, own, l.out_tile);
  } else {
    l.x_proj = bring<W>(place.x_proj, d.x_proj, l.dbc_begin, l.dbc_end, 16 * d.dp);
    l.out_proj = bring<W>(place.out_proj, d.out_proj, l.row_begin, l.row_end, 16 * d.dp);
  }
  l.records = bring<float>(place.records, d.records, l.tile_begin, l.tile_end, d.record_floats);
  float* h = at<float>(place.h);
  float* conv = at<float>(place.conv);
  const auto before = static_cast<std::ptrdiff_t>(l.tile_begin) * NS * 8;
  l.h = h == nullptr ? nullptr : h - before * k.h_floats(l);
  l.conv = conv == nullptr ? nullptr : conv - before * k.K;
  state_of_layer<true>(l);
  if (threadIdx.x == 0) layers[i] = l;
}
template <class T>
__device__ void StepLaunch<T>::bring_layers(int begin, int end) {
#pragma unroll 1
  for (int i = begin; i < end; ++i) bring_layer(i);
}

// Copies what of a layer's state is in shared memory, from the streams' states (kIn) or back.
template <class T>
template <bool kIn>
__device__ void StepLaunch<T>::state_of_layer(const Layer& l) const {
  const int tiles = l.tile_end - l.tile_begin;
  const auto move = [](float* there, float* here) {
    if (kIn)
      *here = *there;
    else
      *there = *here;
  };
  if (l.h != nullptr) {
    const int size = 8 * k.h_floats(l);
    for (int i = static_cast<int>(threadIdx.x); i < tiles * NS * size; i += kThreads) {
      const int tile = l.tile_begin + i / (NS * size);
      move(streams[i / size % NS].state + l.h_at + tile * size + i % size,
           l.h + static_cast<std::ptrdiff_t>(l.tile_begin) * NS * size + i);
    }
  }
  if (l.conv != nullptr) {
    const int ring = 8 * k.K;
    for (int i = static_cast<int>(threadIdx.x); i < tiles * NS * ring; i += kThreads) {
      const int tile = l.tile_begin + i / (NS * ring);
      move(streams[i / ring % NS].state + l.conv_at + i % ring / 8 * l.dp + tile * 8 + i % 8,
           l.conv + static_cast<std::ptrdiff_t>(l.tile_begin) * NS * ring + i);
    }
  }
}

template <class T>
__device__ void StepLaunch<T>::bring_tiers() {
  for (int s = 0; s < a.net.n_tiers; ++s) {
    const TierDev& d = a.net.tiers[s];
    Tier t;
    static_cast<TierDev&>(t) = d;
    t.inv_width = 1.0F / static_cast<float>(d.width);
    t.pool_buffer = at<float>(role.layout.pool_buffer[s]);
    t.skip = at<float>(role.layout.skip[s]);
    if (d.pool > 0) {
      const int inner = a.net.tiers[s + 1].wp;
      const std::size_t bytes = sizeof(float) * d.pool * d.wp;
      int begin, end;
      share(inner / 16, k.exchange.members, k.exchange.me, begin, end);
      t.down_pool = bring<W>(role.down_pool[s], d.down_pool, begin, end, 16 * d.pool * d.wp);
      share(d.pool * d.wp / 16, k.exchange.members, k.exchange.me, begin, end);
      t.up_pool = bring<W>(role.up_pool[s], d.up_pool, begin, end, 16 * inner);
      if (t.pool_buffer != nullptr)
        copy_far(t.pool_buffer, streams[0].state + d.pool_buffer_at, bytes);
      if (t.skip != nullptr) copy_far(t.skip, streams[0].state + d.skip_at, bytes);
    }
    if (threadIdx.x == 0) tiers[s] = t;
  }
}

template <class T>
__device__ void StepLaunch<T>::set_up() {
  bring_layers(0, a.net.n_layers);
  bring_tiers();
  int begin, end;
  share(a.net.vp / 16, k.exchange.members, k.exchange.me, begin, end);
  head = bring<W>(role.head, a.net.head, begin, end, 16 * a.net.tiers[0].wp);
  for (int i = static_cast<int>(threadIdx.x); i < NS * k.vp; i += kThreads)
    k.logits[i] = streams[i / k.vp].state[a.net.logits_at + i % k.vp];
  embed = bring<W>(role.embed, a.net.embed, 0, a.net.vocab, a.net.tiers[0].wp);
  __syncthreads();
}

// Shared copies of tiers [first, ...) back into the state.
template <class T>
__device__ void StepLaunch<T>::keep_tiers(int first) const {
  for (int s = first; s < a.net.n_tiers; ++s) {
    const Tier& t = tiers[s];
    const std::size_t bytes = sizeof(float) * t.pool * t.wp;
    if (t.pool_buffer != nullptr)
      copy_far(streams[0].state + t.pool_buffer_at, t.pool_buffer, bytes);
    if (t.skip != nullptr) copy_far(streams[0].state + t.skip_at, t.skip, bytes);
  }
}
template <class T>
__device__ void StepLaunch<T>::keep() {
  __syncthreads();
  for (int i = 0; i < a.net.n_layers; ++i) state_of_layer<false>(layers[i]);
  if (k.exchange.me != 0) return;
  for (int i = static_cast<int>(threadIdx.x); i < NS * k.vp; i += kThreads)
    streams[i / k.vp].state[a.net.logits_at + i % k.vp] = k.logits[i];
  if (T::kShared) keep_tiers(0);
}

}  // namespace mambo::cuda
