// Selectivity by hand in a call of Prefill::run: what is played, and the sums that means are made
// of.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/cuda/pack/by_hand_table.h"
#include "kernels/cuda/prefill/mixer_rows.h"
#include "kernels/cuda/prefill/workspace.h"
#include "kernels/selectivity.h"

namespace mambo::cuda {

// What is played, its table on the device. Nothing where by_hand is null or off.
class PrefillByHand {
 public:
  PrefillByHand(const Selectivity* by_hand, const ByHandTable& table, const StatePlan& plan,
                PrefillWorkspace& space)
      : by_hand_(by_hand != nullptr && !by_hand->off() ? by_hand : nullptr),
        table_(table),
        plan_(plan) {
    if (by_hand_ == nullptr) return;
    std::vector<float> host(table.floats());
    table.write(*by_hand_, host);
    if (space.table.size() < host.size()) space.table = DeviceBuffer<float>(host.size());
    MAMBO_CUDA(cudaMemcpyAsync(space.table.data(), host.data(), host.size() * sizeof(float),
                               cudaMemcpyHostToDevice, space.stream.get()));
    device_ = space.table.data();
  }

  bool plays(std::size_t layer) const {
    return by_hand_ != nullptr && !by_hand_->layers()[layer].off;
  }
  // Of a layer that plays.
  float read(std::size_t layer) const { return by_hand_->layers()[layer].read; }
  RowsByHand rows(std::size_t layer) const {
    const Selectivity::Layer& from = by_hand_->layers()[layer];
    const float* part = device_ + table_.at(layer);
    return {from.delta_gain,
            from.B_gain,
            from.C_gain,
            part + kByHandHead,
            part + table_.B_offset(layer),
            part + table_.C_offset(layer),
            plan_.np};
  }

 private:
  const Selectivity* by_hand_;
  const ByHandTable& table_;
  const StatePlan& plan_;
  const float* device_ = nullptr;
};

// Sums of delta, B and C, which go on from the caller's and come back to it at the end.
class SumsOnDevice {
 public:
  SumsOnDevice(SelectionSums* sums, PrefillWorkspace& space) : sums_(sums), space_(space) {
    if (sums_ == nullptr) return;
    for (const SelectionSums::Layer& l : sums_->layers()) {
      at_.push_back(all_.size());
      for (const auto* of : {&l.delta, &l.B, &l.C}) all_.insert(all_.end(), of->begin(), of->end());
    }
    if (all_.empty()) return;
    if (space.sums.size() < all_.size()) space.sums = DeviceBuffer<double>(all_.size());
    MAMBO_CUDA(cudaMemcpyAsync(space.sums.data(), all_.data(), bytes(), cudaMemcpyHostToDevice,
                               space.stream.get()));
  }

  bool wanted() const { return sums_ != nullptr; }
  double* of(std::size_t layer) const { return space_.sums.data() + at_[layer]; }
  void count(std::size_t layer, int steps) {
    sums_->layers()[layer].steps += static_cast<std::uint64_t>(steps);
  }
  // Once all of the work is enqueued. Waits for it.
  void take_back() {
    if (sums_ == nullptr || all_.empty()) return;
    MAMBO_CUDA(cudaMemcpyAsync(all_.data(), space_.sums.data(), bytes(), cudaMemcpyDeviceToHost,
                               space_.stream.get()));
    MAMBO_CUDA(cudaStreamSynchronize(space_.stream.get()));
    const double* from = all_.data();
    for (SelectionSums::Layer& l : sums_->layers()) {
      for (auto* to : {&l.delta, &l.B, &l.C}) {
        std::copy_n(from, to->size(), to->begin());
        from += to->size();
      }
    }
  }

 private:
  std::size_t bytes() const { return all_.size() * sizeof(double); }

  SelectionSums* sums_;
  PrefillWorkspace& space_;
  std::vector<double> all_;
  std::vector<std::size_t> at_;  // [layers]
};

}  // namespace mambo::cuda
