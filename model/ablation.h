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
  bool operator==(const AblationCase&) const = default;
};

// Nothing held, first; then each choice in all tiers, then in each tier that selects, outermost
// first, where there are several tiers that select. Empty: nothing in the network selects.
std::vector<AblationCase> ablation_cases(const NetworkView& net);
// The same; throws Error, with the model's name, where nothing selects.
std::vector<AblationCase> expect_cases(const NetworkView& net, const std::string& model);

// The means of delta, B and C over codes, absorbed from the zero state. progress(samples): false
// cancels: throws Cancelled. Empty where that is less than a step of every layer.
SelectionMeans measure_means(const Engine& engine, const NetworkView& net,
                             std::span<const std::uint8_t> codes,
                             const std::function<bool(std::uint64_t)>& progress = {});

// Sum of -ln p over codes[1...], each predicted from all before it. means: of this network.
double ablated_nats(const Engine& engine, const NetworkView& net, const AblationCase& held,
                    const SelectionMeans& means, std::span<const std::uint8_t> codes,
                    const std::function<bool(std::uint64_t)>& progress = {});

// A clip to be judged, and the means to hold at.
struct AblationClip {
  std::string name;  // a path, as it was given
  std::vector<std::uint8_t> codes;
  SelectionMeans means;
  // What is scored: all codes but the first, which nothing precedes.
  double terms() const { return static_cast<double>(codes.size()) - 1; }
};
// Throw Error, with the clip's name and what was found, where that is too little: two samples to be
// judged, a step of every tier for means.
void expect_enough(const std::string& name, std::span<const std::uint8_t> codes);
SelectionMeans expect_means(const Engine& engine, const NetworkView& net, const std::string& name,
                            std::span<const std::uint8_t> codes,
                            const std::function<bool(std::uint64_t)>& progress = {});

// Over all clips together. progress(samples of all of them so far): false cancels: throws
// Cancelled.
double ablated_bits(const Engine& engine, const NetworkView& net, const AblationCase& held,
                    std::span<const AblationClip> clips,
                    const std::function<bool(double)>& progress = {});

// What was measured, of what.
struct AblationTable {
  std::string model;               // its name
  std::vector<std::string> clips;  // paths
  std::string means_of;            // the path of another recording; empty: of each clip
  double seconds = 0;              // judged
  std::string engine;              // its description
  struct Row {
    AblationCase held;
    double bits_per_sample = 0;
  };
  std::vector<Row> rows;  // as many of ablation_cases() as are known
};
// `mambo ablate --json`: an object as one line of text, with the line's end.
std::string ablation_json(const AblationTable& table);

}  // namespace mambo
