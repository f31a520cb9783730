// Facts of a model for the panels, read once when it is loaded.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "app/control/choice.h"
#include "app/gui/history/history.h"
#include "model/model.h"

namespace mambo::gui {

struct LayerFacts {
  std::string name;   // as its tensors are named
  std::string group;  // "down 0", "center", "up 1"
  int tier = 0;
  int stride = 1;  // samples per step
  int channels = 0;
  // Divided by Δ: the memory horizon, in seconds, of a channel's slowest state.
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
  ControlChoice controls;    // the model's own
  Useful temperature_range;  // useful_temperature
  int tiers = 1;
  double parameters = 0;       // how many
  double macs_per_sample = 0;  // multiply-adds, on average
  std::string states;          // per channel: "16", "16 and 8 complex", "3 to 16 complex"
  std::vector<LayerFacts> layers;
  int favourite = 0;  // the layer shown at first

  HistoryShape shape() const;
};

// Where temperature is useful: what the model's file says, else, about its own temperature, what
// holds of the models that ship (docs/models.md). None of a model that takes the likeliest code.
Useful useful_temperature(const Config& config);

// Decodes A_log of every layer: a few milliseconds.
ModelFacts read_facts(std::shared_ptr<const Model> model);

// "3.6 M, 16 kHz"; empty: it is no model that can be opened. Reads the header.
std::string glance_at_model(const std::filesystem::path& path);

}  // namespace mambo::gui
