// How long a state remembers: tau = 1 / (delta |A|) steps of its tier, here in seconds. Of a
// complex A (s4d) the real part is what forgets.
#pragma once

#include <vector>

#include "kernels/network.h"

namespace mambo {

// stride / (sample_rate * min_n |Re A[c,n]|) for each channel: divided by delta it is the horizon,
// in seconds, of the channel's longest state. [d_inner]
std::vector<float> horizon_numerators(const NetworkView& net, const LayerView& layer,
                                      int sample_rate);

struct HorizonQuantiles {
  double p05 = 0, p50 = 0, p95 = 0;  // seconds, over all states of the layer
};
// With delta at rest: where dt_proj's input is 0, or of a time-invariant layer always.
HorizonQuantiles resting_horizon(const NetworkView& net, const LayerView& layer, int sample_rate);

}  // namespace mambo
