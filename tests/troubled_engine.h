// An engine that plays a tune of its own, at no cost, until it goes astray as models do: at given
// draws its state falls silent, turns to noise or sticks in a tone, and stays so whatever is drawn.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <numbers>
#include <utility>
#include <vector>

#include "dsp/trouble.h"
#include "kernels/engine.h"

namespace mambo::testing {

class TroubledEngine final : public Engine {
 public:
  // `what` befalls the state that makes draw `at`, counted by the random stream. Where `from` is
  // given, the states that draw `from` passed through carry it: each such is astray from `at` on.
  struct Fall {
    std::uint64_t at = 0;
    Trouble what = Trouble::silence;
    std::uint64_t from = 0;
  };
  TroubledEngine(const NetworkView& net, std::vector<Fall> falls)
      : Engine(net), falls_(std::move(falls)) {
    for (const TierView& t : net.tiers) strides_.push_back(static_cast<std::uint64_t>(t.stride));
  }

  Backend backend() const override { return Backend::cpu; }
  std::string description() const override { return "CPU, pretended"; }
  std::size_t weight_bytes() const override { return 1; }
  std::size_t state_bytes() const override { return sizeof(Mood); }
  int streams_at_once() const override { return 2; }
  std::unique_ptr<State> make_state() const override { return std::make_unique<Mood>(); }
  void reset(State& state) const override { mood(state) = Mood(); }
  void copy(const State& from, State& to) const override { mood(to) = mood(from); }
  void prefill(State& state, std::span<const std::uint8_t> codes, PrefillSink* /*sink*/,
               const Selectivity* /*by_hand*/) const override {
    mood(state).absorbed += codes.size();
  }
  void step(State& state, std::span<const std::uint8_t> codes,
            const Selectivity* /*by_hand*/) const override {
    mood(state).absorbed += codes.size();
  }
  void generate(State& state, const GenerateRequest& r) const override {
    Mood& m = mood(state);
    if (r.tap != nullptr && r.tap->layer >= 0) {  // where the state stands, and no more
      r.tap->steps = 1;
      const auto tier =
          static_cast<std::size_t>(layout().layers[static_cast<std::size_t>(r.tap->layer)].tier);
      r.tap->first_step = m.absorbed / strides_[tier];
    }
    for (std::size_t i = 0; i < r.codes.size(); ++i) {
      const std::uint64_t draw = r.rng_index + i;
      for (std::size_t f = 0; f < falls_.size(); ++f) {
        const std::uint32_t mark = 1U << f;
        if (falls_[f].from != 0 && draw == falls_[f].from) m.carries |= mark;
        const bool falls = falls_[f].from == 0 ? draw == falls_[f].at
                                               : draw >= falls_[f].at && (m.carries & mark) != 0;
        if (falls) m.astray = falls_[f].what;
      }
      r.codes[i] = sound(m.astray, draw);
      ++m.absorbed;
    }
    const float nats = m.astray == Trouble::noise ? 5.0F : 1.0F;
    std::fill(r.entropy.begin(), r.entropy.end(), nats);
    std::fill(r.log_prob.begin(), r.log_prob.end(), -nats);
    std::fill(r.last_logits.begin(), r.last_logits.end(), 0.0F);
  }
  void generate_many(std::span<Stream> streams) const override {
    for (const Stream& s : streams) generate(*s.state, s.request);
  }
  void read_state(const State& /*state*/, std::span<float> out) const override {
    std::fill(out.begin(), out.end(), 0.0F);
  }
  void write_state(State& state, std::span<const float> /*in*/,
                   std::uint64_t position) const override {
    mood(state) = Mood();
    mood(state).absorbed = position;
  }

  // Codes of mulaw8 around 128.
  static std::uint8_t sound(Trouble astray, std::uint64_t draw) {
    const auto tone = [&](double hz, double size) {
      const double phase = 2 * std::numbers::pi * hz * static_cast<double>(draw) / 16000;
      return static_cast<std::uint8_t>(std::lround(128 + size * std::sin(phase)));
    };
    std::uint64_t mixed = (draw + 1) * 0x9E3779B97F4A7C15ULL;  // splitmix64
    mixed = (mixed ^ (mixed >> 30U)) * 0xBF58476D1CE4E5B9ULL;
    mixed = (mixed ^ (mixed >> 27U)) * 0x94D049BB133111EBULL;
    switch (astray) {
      case Trouble::silence:
        return 128;
      case Trouble::noise:
        return static_cast<std::uint8_t>(mixed >> 56U);
      case Trouble::drone:
        return tone(440, 50);
      case Trouble::none:
        break;
    }
    const std::uint64_t note = draw / 3200;  // five per second, up and down
    return tone(300 + 130 * static_cast<double>(note * note % 11), 60);
  }

 private:
  struct Mood final : State {
    Mood() = default;
    ~Mood() override = default;
    Mood(const Mood& other) : State() { *this = other; }
    Mood& operator=(const Mood& other) {
      absorbed = other.absorbed;
      astray = other.astray;
      carries = other.carries;
      return *this;
    }
    std::uint64_t position() const override { return absorbed; }
    std::uint64_t absorbed = 0;
    Trouble astray = Trouble::none;
    std::uint32_t carries = 0;
  };
  static Mood& mood(State& s) { return static_cast<Mood&>(s); }
  static const Mood& mood(const State& s) { return static_cast<const Mood&>(s); }

  std::vector<Fall> falls_;
  std::vector<std::uint64_t> strides_;  // samples per step, by tier
};

}  // namespace mambo::testing
