// An input that comes in by hand: what the test gives it, on the test's thread.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <memory>
#include <numbers>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "app/audio/audio_input.h"
#include "app/live/session_options.h"
#include "kernels/error.h"

namespace mambo::testing {

class FakeInput {
 public:
  explicit FakeInput(double rate = 16000, int channels = 1)
      : wire_(std::make_shared<Wire>(rate, channels)) {}

  // For SessionOptions::inputs; may outlive this. A device called "tuba" does not open.
  auto opener() const {
    return [wire = wire_](const AudioInputRequest& request,
                          AudioSink& sink) -> std::unique_ptr<AudioInput> {
      if (request.device == "tuba") {
        throw Error("the audio input \"tuba\" does not open: no breath");
      }
      sink.prepare(wire->rate, wire->channels);
      wire->alive = true;
      wire->sink = &sink;
      return std::make_unique<Input>(wire);
    };
  }
  // As a device does, in blocks of 10 ms, but faster; frames of all channels.
  void give(std::span<const float> samples) const {
    const auto channels = static_cast<std::size_t>(wire_->channels);
    const std::size_t block = static_cast<std::size_t>(wire_->rate / 100) * channels;
    while (!samples.empty()) {
      const std::size_t n = std::min(block, samples.size());
      if (AudioSink* sink = wire_->sink) {
        sink->take(samples.data(), static_cast<int>(n / channels));
      }
      samples = samples.subspan(n);
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }
  void go_away() const { wire_->alive = false; }

 private:
  struct Wire {
    Wire(double r, int c) : rate(r), channels(c) {}
    const double rate;
    const int channels;
    std::atomic<bool> alive{false};
    std::atomic<AudioSink*> sink{nullptr};
  };
  class Input final : public AudioInput {
   public:
    explicit Input(std::shared_ptr<Wire> wire) : wire_(std::move(wire)) {}
    ~Input() override { wire_->sink = nullptr; }
    Input(const Input&) = delete;
    Input& operator=(const Input&) = delete;
    std::string name() const override { return "by hand"; }
    double rate() const override { return wire_->rate; }
    double latency_s() const override { return 0.01; }
    bool alive() const override { return wire_->alive; }
    std::uint64_t device_overflows() const override { return 0; }

   private:
    std::shared_ptr<Wire> wire_;
  };
  std::shared_ptr<Wire> wire_;
};

// A tone that is no multiple of anything, at half of full scale.
inline std::vector<float> tone(double rate, double seconds, double hz = 330.7) {
  std::vector<float> samples(static_cast<std::size_t>(rate * seconds));
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const double phase = 2 * std::numbers::pi * hz * static_cast<double>(i) / rate;
    samples[i] = 0.5F * static_cast<float>(std::sin(phase));
  }
  return samples;
}

}  // namespace mambo::testing
