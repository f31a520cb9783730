// What the window remembers of the sound and of the model at work: the last minute and a half, fed
// with the session's observations. Positions count samples from the start of the clip. GUI thread
// only; add() costs a few nanoseconds per value.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "app/gui/history/delta_history.h"
#include "app/gui/history/pyramid.h"
#include "app/live/layer_past.h"
#include "app/live/observation.h"

namespace mambo::gui {

// Facts of the model that the history needs.
struct HistoryShape {
  int rate = 16000;                 // Hz
  std::array<float, 256> decode{};  // code -> sample
  struct Layer {
    int channels = 0;
    int stride = 1;
  };
  std::vector<Layer> layers;
};

class History {
 public:
  explicit History(double seconds = 90.0, std::size_t delta_budget_bytes = std::size_t{256} << 20U);

  void set_model(const HistoryShape& shape);  // clears it; allocates all memory
  void add(const Observation& o);

  std::uint64_t begin() const { return samples_.begin(); }
  std::uint64_t end() const { return samples_.end(); }
  std::uint64_t clip_end() const { return clip_end_; }  // first generated position
  // Change whenever something shown has become invalid: of the sound and all layers; of Δ of the
  // chosen layer.
  std::uint64_t epoch() const { return epoch_; }
  std::uint64_t tap_epoch() const { return epoch_ + tap_epoch_; }
  std::uint64_t missed() const { return missed_; }  // samples that were not observed in time

  int rate() const { return shape_.rate; }
  const HistoryShape& shape() const { return shape_; }
  const Pyramid<float>& samples() const { return samples_; }
  const Pyramid<float>& surprise() const { return surprise_; }  // bits, -log2 p(drawn)
  const Pyramid<float>& entropy() const { return entropy_; }    // bits
  int code_at(std::uint64_t position) const;                    // -1 when unknown

  // Layer summaries stand on a grid of grid_samples; cell g covers [g, g + 1) * grid_samples.
  static constexpr std::uint64_t grid_samples = 64;
  // Of log2 Δ.
  const Pyramid<LayerSummary>& layer(int i) const { return layers_[static_cast<std::size_t>(i)]; }
  // Of log2 of mean Δ as the network says it, where that is not what is played; else NaN.
  const Pyramid<float>& said(int i) const { return said_[static_cast<std::size_t>(i)]; }
  int layers() const { return static_cast<int>(layers_.size()); }

  int tap_layer() const { return tap_layer_; }  // -1: none observed yet
  const DeltaHistory& tap() const { return tap_; }
  double tap_seconds_kept() const;  // how far back Δ of that layer reaches

  // The codes that are known without a gap up to the end; first: the position of the first of them.
  std::vector<std::uint8_t> known_codes(std::uint64_t& first) const;
  // Δ of a layer over the past, which is read aside (Session::look_back) while what is drawn comes
  // in; it is shown when it is complete, and forgotten with what it is of.
  void expect_past(int layer);
  void add_past(const PastRows& rows);

 private:
  void restart(const Observation& o);
  void forget_from(std::uint64_t position);
  void add_samples(const Observation& o);
  void add_layers(const Observation& o);
  void add_tap(const Observation& o);
  void choose_tap(int layer);

  double seconds_;
  HistoryShape shape_;
  Pyramid<float> samples_{0}, surprise_{0}, entropy_{0};
  std::vector<std::int16_t> codes_;
  std::vector<Pyramid<LayerSummary>> layers_;
  std::vector<Pyramid<float>> said_;
  std::vector<float> held_said_;
  std::vector<LayerSummary> held_;  // what a layer that did not step still shows
  DeltaHistory tap_;
  int tap_layer_ = -1;
  DeltaHistory past_;  // of past_layer_, until it is complete
  int past_layer_ = -1;
  bool started_ = false;
  std::uint64_t generation_ = 0;
  std::uint64_t clip_end_ = 0;
  std::uint64_t epoch_ = 0;
  std::uint64_t tap_epoch_ = 0;
  std::uint64_t missed_ = 0;
};

}  // namespace mambo::gui
