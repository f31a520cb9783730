// Facts of a model for the panels, read once when it is loaded.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/gui/history/history.h"
#include "model/model.h"

namespace mambo::gui {

struct LayerFacts {
  std::string name;   // as its tensors are named
  std::string group;  // "down 0", "center", "up 1"
  int tier = 0;
  int stride = 1;  // samples per step
  int channels = 0;
  // Divided by Δ: the memory horizon, in seconds, of a channel's longest state.
  std::vector<float> log2_numerator;  // [channels]
  float log2_typical = 0;             // their mean: for the layer as a whole
  bool starts_group = false;          // another tier or side than the layer before
  bool time_invariant = false;        // s4d: Δ is a constant of each channel
  int states = 16;                    // per channel: N, or M complex ones
};

struct ModelFacts {
  std::shared_ptr<const Model> model;
  std::string name;
  int rate = 16000;
  SamplingParams sampling;  // the model's own
  std::string states;       // per channel: "16", "8 complex, 16", "3 to 16 complex"
  std::vector<LayerFacts> layers;
  int favourite = 0;  // the layer shown at first

  HistoryShape shape() const;
};

// The first layer of the innermost tier that selects: Δ of a time-invariant one is constant.
int favourite_layer(const NetworkView& net);
// Decodes A_log of every layer: a few milliseconds.
ModelFacts read_facts(std::shared_ptr<const Model> model);

}  // namespace mambo::gui
