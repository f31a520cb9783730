// LayerStep's second phase: the mixers. Between u and y, S6 multiplies by x_proj (an exchange),
// S4D by nothing.
#pragma once

#include "kernels/cuda/step/layer_in_proj.cuh"

namespace mambo::cuda {

template <class T>
template <StepMixer M>
__device__ void LayerStep<T>::mix(const Layer& l, std::uint32_t row) {
  ScanAhead<M> ahead;
  if constexpr (!M::kSelective)
    keep_in_step(l, ahead);
  else if constexpr (T::kColumns)
    x_proj_columns(l, ahead);
  else
    x_proj(l, ahead);
  if constexpr (NS == 1) {
    scan(l, row, ahead);
  } else if (l.h != nullptr) {
    scan_streams<true>(M{}, l);
  } else {
    scan_streams<false>(M{}, l);
  }
}

// S4D has no x_proj, so u need not be exchanged; the exchange is kept as flow control. Without it a
// fast CTA could overwrite y while a slow one reads it: where not all CTAs have rows of out_proj, x
// alone does not order them. In an all-reduce an empty arrive (signal_all) takes its place: its
// sender has summed the partials of the last out_proj.
template <class T>
template <StepMixer M>
__device__ void LayerStep<T>::keep_in_step(const Layer& l, ScanAhead<M>& ahead) {
  if constexpr (NS == 1) fetch_scan(l, l.tile_begin + warp_id(), ahead);
  if constexpr (T::kColumns) {
    fetch_out_proj(l);
    __syncthreads();
    if (warp_id() == 0) exchange.signal_all(kDbc, partial_dbc);
    exchange.wait(kDbc, partial_dbc, static_cast<std::uint32_t>(exchange.members) * 8U);
  } else {
    exchange.wait(kU, u, static_cast<std::uint32_t>(l.dp * sizeof(W)));
    if constexpr (T::kShared) __syncthreads();
  }
}

template <class T>
__device__ ScanRows LayerStep<T>::scan_rows(const Layer& l, int tile) const {
  const int r = lane_id() >> 2;
  const float* matrices = record(l, tile);
  return {matrices + r * h_floats(l) + lane_id() % 4 * 4,
          matrices + 8 * h_floats(l) + r * l.second,
          dbc,
          l.second,
          l.rp,
          np};
}

template <class T>
template <StepMixer M>
__device__ void LayerStep<T>::fetch_scan(const Layer& l, int tile, ScanAhead<M>& ahead) const {
  if (tile >= l.tile_end) return;
  const float* of_channel = channel_record(l, tile);
  ahead.channel.load(scan_rows(l, tile), lane_id() & 3);
  ahead.h = *reinterpret_cast<const float4*>(lane_h(l, tile, 0));
  ahead.channel.delta_record = of_channel[24 + 8 * K];
  ahead.D = of_channel[32 + 8 * K];
  ahead.hand = by_hand_of<M>(l, 0, tile * 8 + (lane_id() >> 2));
}

template <class T>
template <StepMixer M>
__device__ void LayerStep<T>::scan(const Layer& l, std::uint32_t row, ScanAhead<M>& ahead) {
  const int r = lane_id() >> 2;
  const int q = lane_id() & 3;
  // Of a fixed shape S6 has 16 states.
  const int columns = M::kSelective ? (T::kFixed ? 16 : np) : h_floats(l);
#pragma unroll 1
  for (int tile = l.tile_begin + warp_id(); tile < l.tile_end; tile += kWarps) {
    const ScanAhead<M> now = ahead;
    const ScanRows rows = scan_rows(l, tile);
    float4 v = now.h;
    const int own = (tile - l.tile_begin) * 8 + r;
    const float u_here = own_u[own];
    float* h = lane_h(l, tile, 0);
    float sum = 0.0F;
    ByHand hand = now.hand;
    const auto tap_here = [&] {
      return l.tap_at + row * static_cast<std::uint32_t>(l.dp) + tile * 8 + r;
    };
    if constexpr (T::kByHand)
      if (streams[0].said != nullptr) hand.said = streams[0].said + tap_here();
    const typename M::Input in = M::input(rows, now.channel, q, u_here, hand);
    M::update(v, now.channel, in, sum);
    *reinterpret_cast<float4*>(h) = v;
#pragma unroll 1
    for (int n = 16; n < columns; n += 16) {
      v = *reinterpret_cast<const float4*>(h + n);
      M::update(v, rows, n, in, sum);
      *reinterpret_cast<float4*>(h + n) = v;
    }
    const float value = fmaf(now.D, u_here, M::read(quad_sum(sum), hand)) * own_gate[own];
    if (tap != nullptr && q == 0) tap[tap_here()] = in.delta;
    if constexpr (T::kColumns) {
      CtaExchange().put_tile(kY, y, tile, value);
    } else {
      // WAR: dbc, own_u and own_gate may be overwritten by CTAs that have received y, so all lanes
      // have read them before it is put.
      if constexpr (T::kShared) __syncwarp();
      exchange.put_tile(kY, y, tile, value);
    }
    fetch_scan(l, tile + kWarps, ahead);
  }
}

}  // namespace mambo::cuda
