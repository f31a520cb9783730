// One voice: an engine's state, the sampling controls and the random stream, advanced a chunk at a
// time. Used by the generator thread, render and eval.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "kernels/engine.h"

namespace mambo {

// A copy of a voice at one moment: state, position in the random stream. Made by Voice.
class Snapshot {
 public:
  Snapshot() = default;  // of nothing: to be assigned to
  // Allocates room for a state of this engine's: the zero state.
  explicit Snapshot(const Engine& engine) : state_(engine.make_state()) {}

  std::uint64_t position() const { return position_; }
  const State& state() const { return *state_; }
  std::uint64_t rng_seed() const { return rng_seed_; }
  std::uint64_t drawn() const { return rng_index_; }  // the random stream's counter
  void set_rng(std::uint64_t seed, std::uint64_t index) {
    rng_seed_ = seed;
    rng_index_ = index;
  }
  // As Engine::read_state and write_state; by the engine of the voice that made it.
  void read(const Engine& engine, std::span<float> out) const { engine.read_state(*state_, out); }
  void write(const Engine& engine, std::span<const float> in, std::uint64_t position);
  void copy_from(const Engine& engine, const Snapshot& other);  // no allocation
  void copy_from(const Engine& engine, const State& state);     // likewise; the rest is as it was
  void copy_to(const Engine& engine, State& state) const { engine.copy(*state_, state); }

 private:
  friend class Voice;
  std::unique_ptr<State> state_;
  std::uint64_t position_ = 0;
  std::uint64_t rng_index_ = 0;
  std::uint64_t rng_seed_ = 0;
};

class Voice {
 public:
  // Allocates the state; the engine must outlive the voice.
  explicit Voice(const Engine& engine);

  // Not real-time: prefill allocates scratch and uses all cores. With the present selectivity.
  void prefill(std::span<const std::uint8_t> codes, PrefillSink* sink = nullptr);

  // What prefill and generate compute with. Its means are those of the clip that was absorbed, set
  // by who absorbed it (SelectionSums); they stay over restore().
  Selectivity& selectivity() { return selectivity_; }
  const Selectivity& selectivity() const { return selectivity_; }
  // h of the layer <- factor h. Allocates nothing where Engine::forget does not.
  void forget(int layer, float factor) { engine_.forget(*state_, layer, factor); }

  // Draws chunk.size() samples with the current controls. One thread; no allocation, no lock.
  // Optional outputs have chunk.size() elements or are empty; last_logits [V]: those that the last
  // of the chunk was drawn from.
  void generate(std::span<std::uint8_t> chunk, std::span<float> log_prob = {},
                std::span<float> entropy = {}, DeltaTap* tap = nullptr,
                std::span<float> last_logits = {});

  // Absorbs codes one step at a time, with the present selectivity, and moves on in the random
  // stream, as if it had drawn them. One thread; no allocation, no lock.
  void step(std::span<const std::uint8_t> codes);

  void set_sampling(const SamplingParams& p) { sampling_ = p; }
  const SamplingParams& sampling() const { return sampling_; }
  void set_rng(std::uint64_t seed, std::uint64_t index = 0);
  std::uint64_t rng_seed() const { return rng_seed_; }
  std::uint64_t drawn() const { return rng_index_; }  // samples drawn: the random stream's counter
  std::uint64_t position() const { return state_->position(); }
  const Engine& engine() const { return engine_; }
  const State& state() const { return *state_; }
  State& state() { return *state_; }

  // Zero state, random stream from the start. No allocation.
  void reset();
  // Allocates; for reuse without allocation pass the snapshot made before to save_into.
  Snapshot snapshot() const;
  void save_into(Snapshot& s) const;  // no allocation
  void restore(const Snapshot& s);    // no allocation
  // The same from a state in the layout of StateLayout. As Engine::write_state.
  void restore(std::span<const float> state, std::uint64_t position);

 private:
  const Engine& engine_;
  std::unique_ptr<State> state_;
  SamplingParams sampling_;
  Selectivity selectivity_;
  std::uint64_t rng_seed_ = 0;
  std::uint64_t rng_index_ = 0;
};

}  // namespace mambo
