// An engine that passes for a GPU and is lost after a while: from then on every call throws
// DeviceError, as with a CUDA device that fell off the bus.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "kernels/engine.h"

namespace mambo::testing {

class FailingEngine final : public Engine {
 public:
  static constexpr const char* kWhy = "CUDA: pretended to be lost (test)";

  // Draws `samples` (over all streams), then is lost; 0: it already refuses the first prefill.
  FailingEngine(const NetworkView& net, const EngineOptions& options, std::int64_t samples)
      : Engine(net), inner_(make_engine(net, "cpu", options)), left_(samples) {}

  void lose() const { left_ = 0; }        // any thread
  mutable std::atomic<int> pause_ms = 0;  // before each draw: a slow device. Any thread
  mutable std::atomic<int> prepared = 0;  // states

  Backend backend() const override { return Backend::cuda; }
  std::string description() const override { return "CUDA, pretended"; }
  std::size_t weight_bytes() const override { return inner_->weight_bytes(); }
  std::size_t state_bytes() const override { return inner_->state_bytes(); }
  int streams_at_once() const override { return 3; }
  std::unique_ptr<State> make_state() const override { return inner_->make_state(); }
  void prepare(State& state) const override {
    ++prepared;
    lives().prepare(state);
  }
  void reset(State& state) const override { lives().reset(state); }
  void copy(const State& from, State& to) const override { lives().copy(from, to); }
  void prefill(State& state, std::span<const std::uint8_t> codes, PrefillSink* sink,
               const Selectivity* by_hand) const override {
    lives().prefill(state, codes, sink, by_hand);
  }
  void step(State& state, std::span<const std::uint8_t> codes,
            const Selectivity* by_hand) const override {
    lives().step(state, codes, by_hand);
  }
  void generate(State& state, const GenerateRequest& request) const override {
    std::this_thread::sleep_for(std::chrono::milliseconds(pause_ms));
    left_ -= static_cast<std::int64_t>(request.codes.size());
    lives().generate(state, request);
  }
  void generate_many(std::span<Stream> streams) const override {
    for (const Stream& s : streams) left_ -= static_cast<std::int64_t>(s.request.codes.size());
    lives().generate_many(streams);
  }
  void read_state(const State& state, std::span<float> out) const override {
    lives().read_state(state, out);
  }
  void write_state(State& state, std::span<const float> in, std::uint64_t position) const override {
    lives().write_state(state, in, position);
  }

 private:
  const Engine& lives() const {
    if (left_ <= 0) throw DeviceError(kWhy);
    return *inner_;
  }
  std::unique_ptr<Engine> inner_;
  mutable std::atomic<std::int64_t> left_;
};

}  // namespace mambo::testing
