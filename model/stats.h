// What a network costs, counted from its shapes.
#pragma once

#include "kernels/network.h"
#include "model/model.h"

namespace mambo {

// Parameters: elements of all tensors; a head tied to the embedding counts once.
// Multiply-adds: all matrices (projections, pooling, head), the convolution (K per channel) and the
// SSM (state update and read-out, one each per real state, four and two per complex one, and D*u).
// The embedding is a look-up. Norms, gates, biases and exponentials are not multiply-adds and are
// left out. `file_bytes` stays 0.
ModelStats count_stats(const NetworkView& net);

}  // namespace mambo
