#include "app/live/layer_past.h"

#include <algorithm>
#include <chrono>
#include <span>
#include <thread>
#include <utility>

#include "kernels/error.h"
#include "model/voice.h"

namespace mambo {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kMostFloats = 2U << 20U;  // waiting; a stretch of rows may exceed it once

class PastSink final : public PrefillSink {
 public:
  PastSink(const PastSound& sound, std::uint64_t left_out, std::size_t absorbed, PastQueue& to,
           const std::function<bool(float)>& progress)
      : sound_(sound), absorbed_(absorbed), to_(to), progress_(progress) {
    const NetworkView& net = sound.model->network();
    const LayerView& layer = net.layers[static_cast<std::size_t>(sound.layer)];
    const TierView& tier = net.tiers[static_cast<std::size_t>(layer.tier)];
    channels_ = tier.d_inner;
    const auto stride = static_cast<std::uint64_t>(tier.stride);
    steps_before_ = left_out / stride;
    from_ = sound.shown_from > left_out ? (sound.shown_from - left_out) / stride : 0;
  }

  bool progress(std::uint64_t samples) override {
    const auto now = Clock::now();
    const auto pause = std::min<Clock::duration>(now - resumed_, 100ms);
    std::this_thread::sleep_for(pause);
    resumed_ = Clock::now();
    return goes_on(samples);
  }
  bool wants_layer(int layer) const override { return layer == sound_.layer; }
  std::uint64_t layer_from(int /*layer*/) const override { return from_; }
  void layer(int layer, std::uint64_t first, int rows, const float* delta, const float* /*B*/,
             const float* /*C*/) override {
    PastRows out;
    out.reading = sound_.number;
    out.layer = layer;
    out.channels = channels_;
    out.first_step = steps_before_ + first;
    const auto n = static_cast<std::size_t>(rows) * static_cast<std::size_t>(channels_);
    out.delta.assign(delta, delta + n);
    // Not thrown out of prefill from here: its next look at progress() ends it.
    while (!to_.offer(out) && goes_on(done_)) std::this_thread::sleep_for(2ms);
  }
  void finish() {
    PastRows out;
    out.reading = sound_.number;
    out.layer = sound_.layer;
    out.channels = channels_;
    out.last = true;
    while (!to_.offer(out)) {
      if (!goes_on(done_)) throw Cancelled();
      std::this_thread::sleep_for(2ms);
    }
  }

 private:
  bool goes_on(std::uint64_t samples) {
    done_ = samples;
    return progress_(static_cast<float>(samples) / static_cast<float>(absorbed_));
  }

  const PastSound& sound_;
  std::size_t absorbed_;
  PastQueue& to_;
  const std::function<bool(float)>& progress_;
  int channels_ = 0;
  std::uint64_t steps_before_ = 0, from_ = 0, done_ = 0;
  Clock::time_point resumed_ = Clock::now();
};

}  // namespace

std::uint64_t PastQueue::begin() {
  const std::lock_guard lock(mutex_);
  rows_.clear();
  floats_ = 0;
  return ++reading_;
}

bool PastQueue::fetch(PastRows& to) {
  const std::lock_guard lock(mutex_);
  if (rows_.empty()) return false;
  to = std::move(rows_.front());
  rows_.pop_front();
  floats_ -= to.delta.size();
  return true;
}

bool PastQueue::offer(PastRows& rows) {
  const std::lock_guard lock(mutex_);
  if (rows.reading != reading_) return true;
  if (floats_ > kMostFloats) return false;
  floats_ += rows.delta.size();
  rows_.push_back(std::move(rows));
  return true;
}

void read_past(const Engine& engine, const PastSound& sound, PastQueue& to,
               const std::function<bool(float)>& progress) {
  const NetworkView& net = sound.model->network();
  if (sound.layer < 0 || sound.layer >= static_cast<int>(net.layers.size())) return;
  // Whole steps of the innermost tier, so that every tier's groups begin where they did.
  const auto stride = static_cast<std::uint64_t>(net.tiers.back().stride);
  const std::uint64_t left_out = (sound.first + stride - 1) / stride * stride;
  const std::uint64_t skipped = std::min<std::uint64_t>(left_out - sound.first, sound.codes.size());
  const std::span<const std::uint8_t> codes =
      std::span(sound.codes).subspan(static_cast<std::size_t>(skipped));
  PastSink sink(sound, left_out, std::max<std::size_t>(codes.size(), 1), to, progress);
  if (!codes.empty()) {
    Voice voice(engine);
    voice.prefill(codes, &sink);
  }
  sink.finish();
}

}  // namespace mambo
