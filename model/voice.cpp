#include "model/voice.h"

namespace mambo {

void Snapshot::write(const Engine& engine, std::span<const float> in, std::uint64_t position) {
  engine.write_state(*state_, in, position);
  position_ = position;
}

void Snapshot::copy_from(const Engine& engine, const Snapshot& other) {
  copy_from(engine, *other.state_);
  rng_index_ = other.rng_index_;
  rng_seed_ = other.rng_seed_;
}

void Snapshot::copy_from(const Engine& engine, const State& state) {
  engine.copy(state, *state_);
  position_ = state.position();
}

Voice::Voice(const Engine& engine)
    : engine_(engine), state_(engine.make_state()), selectivity_(engine.layout()) {
  engine.prepare(*state_);
}

void Voice::prefill(std::span<const std::uint8_t> codes, PrefillSink* sink) {
  engine_.prefill(*state_, codes, sink, &selectivity_);
}

void Voice::generate(std::span<std::uint8_t> chunk, std::span<float> log_prob,
                     std::span<float> entropy, DeltaTap* tap, std::span<float> last_logits) {
  GenerateRequest request;
  request.sampling = sampling_;
  request.rng_seed = rng_seed_;
  request.rng_index = rng_index_;
  request.codes = chunk;
  request.log_prob = log_prob;
  request.entropy = entropy;
  request.tap = tap;
  request.last_logits = last_logits;
  request.by_hand = &selectivity_;
  engine_.generate(*state_, request);
  rng_index_ += chunk.size();
}

void Voice::step(std::span<const std::uint8_t> codes) {
  engine_.step(*state_, codes, &selectivity_);
  rng_index_ += codes.size();
}

void Voice::restore(std::span<const float> state, std::uint64_t position) {
  engine_.write_state(*state_, state, position);
}

void Voice::set_rng(std::uint64_t seed, std::uint64_t index) {
  rng_seed_ = seed;
  rng_index_ = index;
}

void Voice::reset() {
  engine_.reset(*state_);
  rng_index_ = 0;
}

Snapshot Voice::snapshot() const {
  Snapshot s;
  s.state_ = engine_.make_state();
  save_into(s);
  return s;
}

void Voice::save_into(Snapshot& s) const {
  engine_.copy(*state_, *s.state_);
  s.position_ = state_->position();
  s.rng_index_ = rng_index_;
  s.rng_seed_ = rng_seed_;
}

void Voice::restore(const Snapshot& s) {
  engine_.copy(*s.state_, *state_);
  rng_index_ = s.rng_index_;
  rng_seed_ = s.rng_seed_;
}

}  // namespace mambo
