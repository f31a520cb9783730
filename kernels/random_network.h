// Networks of random weights in memory: for tests of every shape, and for benchmarks of shapes for
// which there is no trained model.
#pragma once

#include <deque>
#include <random>
#include <string>
#include <vector>

#include "kernels/network.h"

namespace mambo {

struct NetworkShape {
  std::string name;
  std::vector<int> pool, layers;  // layers: one number a tier, for each of its half-stages
  int d_model, widen, expand;
  int N, K;
  int rank;  // of delta; 0: a sixteenth of each tier's width, rounded up
  bool biases = false;
  std::vector<Mixer> mixers = {};  // one a tier; empty: all s6
  std::vector<int> M = {8};        // complex states of the s4d layers, taken in turn
};

// "piano" (the shipped model's), "piano-s4d" (the same with a time-invariant outermost tier),
// "sc09" (that of Goel et al. for spoken digits, in Mamba blocks), "flat256", "flat512": what
// docs/performance.md measures. Throws Error naming what there is.
NetworkShape named_shape(const std::string& name);
std::vector<std::string> shape_names();

// Weights of a size that keeps activations near 1. The same seed, the same weights.
class RandomNetwork {
 public:
  explicit RandomNetwork(const NetworkShape& shape, unsigned seed = 1);
  RandomNetwork(const RandomNetwork&) = delete;
  RandomNetwork& operator=(const RandomNetwork&) = delete;
  const NetworkView& view() const { return net_; }
  std::size_t parameters() const { return parameters_; }

 private:
  TensorView matrix(int rows, int cols, double deviation = 0, double mean = 0);
  void add_layer(const NetworkShape& s, int tier, Side side, int i);
  std::mt19937_64 rng_;
  std::deque<std::vector<float>> store_;
  std::size_t parameters_ = 0;
  NetworkView net_;
};

}  // namespace mambo
