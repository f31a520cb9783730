// What selectivity is worth: bits per sample with delta, B and C held at their means, singly and
// together, in one tier and in all.
//
// Gu & Dao (arXiv 2312.00752, tables 6 to 8) train a network for each choice of what is selective.
// Here one trained network is asked what it uses: a parameter that is held is one that it can no
// longer select by. The two need not agree; a network trained without would have found other ways.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "kernels/engine.h"

namespace mambo {

struct AblationCase {
  bool delta = false, B = false, C = false;  // held
  int tier = -1;                             // all
  std::string held() const;                  // "delta", "delta, B", ..., "nothing"
};

// Nothing held, first; then each choice in all tiers, then in each tier that selects, outermost
// first, where there are several tiers that select. Empty: nothing in the network selects.
std::vector<AblationCase> ablation_cases(const NetworkView& net);

// The means of delta, B and C over codes, absorbed from the zero state. progress(samples): false
// cancels: throws Cancelled. Empty where that is less than a step of every layer.
SelectionMeans measure_means(const Engine& engine, const NetworkView& net,
                             std::span<const std::uint8_t> codes,
                             const std::function<bool(std::uint64_t)>& progress = {});

// Sum of -ln p over codes[1...], each predicted from all before it. means: of this network.
double ablated_nats(const Engine& engine, const NetworkView& net, const AblationCase& held,
                    const SelectionMeans& means, std::span<const std::uint8_t> codes,
                    const std::function<bool(std::uint64_t)>& progress = {});

}  // namespace mambo
