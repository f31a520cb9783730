// Where one stream's memory is on the device: float32, in floats from the start of its buffer.
// Widths are padded to 32 and a channel's states to 16 floats, so that every kernel may read whole
// tiles; what is padding is zero and stays zero (the weights that would write it are zero); of
// s4d's h it may hold the last u, which its gain of zero leaves out.
#pragma once

#include <cstddef>
#include <vector>

#include "kernels/network.h"

namespace mambo::cuda {

constexpr int padded(int n, int to) { return (n + to - 1) / to * to; }

struct StatePlan {
  struct Layer {
    std::size_t conv;  // [K][dp], a ring: the input of step i of the tier stands in row i % K
    std::size_t h;     // s6: [dp][np]; s4d: [dp][hp / 2][real, imaginary]
    int d_inner, dp, tier;
    int stride;  // samples per step
    Mixer mixer;
    int states;  // N, or M complex ones
    int hp;      // floats of h that a channel has: np, or 2 M padded to 16
  };
  struct Pool {         // of tier s
    std::size_t group;  // [pool][wp]: row r is the tier's output (before `up` is added) of step r
                        // of the present group; rows not filled yet hold anything
    std::size_t up;     // [pool][wp]: what up_pool gave for the present group
    int pool, width, wp;
  };
  std::vector<Layer> layers;
  std::vector<Pool> pools;
  std::size_t logits = 0;  // [vp]
  int vocab = 0, vp = 0;   // padding of the logits holds -1e30
  int K = 0, np = 0;
  std::size_t size = 0;  // floats in all

  explicit StatePlan(const NetworkView& net)
      : vocab(net.vocab), K(net.d_conv), np(padded(net.d_state, 16)) {
    vp = padded(vocab, 32);
    for (const LayerView& view : net.layers) {
      Layer l{};
      l.tier = view.tier;
      l.stride = net.tier_of(view).stride;
      l.d_inner = net.tier_of(view).d_inner;
      l.dp = padded(l.d_inner, 32);
      l.conv = take(static_cast<std::size_t>(K) * l.dp);
      l.mixer = view.mixer();
      l.states = view.states();
      l.hp = l.mixer == Mixer::s4d ? padded(2 * l.states, 16) : np;
      l.h = take(static_cast<std::size_t>(l.hp) * l.dp);
      layers.push_back(l);
    }
    for (const TierView& tier : net.tiers) {
      if (tier.pool == 0) continue;
      Pool p{};
      p.pool = tier.pool;
      p.width = tier.width;
      p.wp = padded(tier.width, 32);
      p.group = take(static_cast<std::size_t>(p.pool) * p.wp);
      p.up = take(static_cast<std::size_t>(p.pool) * p.wp);
      pools.push_back(p);
    }
    logits = take(static_cast<std::size_t>(vp));
  }

 private:
  std::size_t take(std::size_t floats) {  // each part begins on 128 bytes
    const std::size_t at = size;
    size += (floats + 31) / 32 * 32;
    return at;
  }
};

}  // namespace mambo::cuda
