// Everything that plays together: a model on its engine, absorbed into a seed clip, with room for
// what the window wants to see. Made by the worker thread, handed whole to the generator thread.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "app/live/session.h"
#include "dsp/ring_buffer.h"
#include "model/voice.h"

namespace mambo {

using ObservationQueue = SlotQueue<Observation>;

constexpr int kMaxChunk = 256;              // samples a generator call, at most
constexpr double kSeedHistorySeconds = 60;  // of the seed that are kept: for the eye, for revive

struct Program {
  std::shared_ptr<const Model> model;
  std::shared_ptr<const Engine> engine;
  std::unique_ptr<Voice> voice;  // stands at the end of the seed
  Snapshot seed_end;             // the same place, for Again
  std::uint64_t seed_samples = 0;
  std::vector<std::uint8_t> seed_tail;  // its last minute, for revive_program
  std::array<float, 256> table{};       // code -> sample
  std::shared_ptr<ObservationQueue> queue;
  std::shared_ptr<const std::vector<Observation>> seed;  // the last minute of the clip, in order
};

// Allocates and prefills: seconds for a long clip. codes: the seed; empty: one silent sample, from
// which generation starts. tap_layer: whose delta the seed's observations carry, as far as 16 MB
// go. progress(0..1) returns false to cancel: throws Cancelled.
std::unique_ptr<Program> make_program(std::shared_ptr<const Model> model,
                                      std::shared_ptr<const Engine> engine,
                                      std::vector<std::uint8_t> codes, int tap_layer, int chunk,
                                      const std::function<bool(float)>& progress);

// The program `lost` once more on another engine of the same network, as far as what was heard can
// tell: it listens to the end of the seed and to `drawn`, the last of the drawn_in_all codes that
// followed it, and stands where `lost` stood; position, queue and seed history are those of `lost`.
// Where not all that was drawn is there, it listens to that alone: it is more recent than the seed.
std::unique_ptr<Program> revive_program(const Program& lost, std::shared_ptr<const Engine> engine,
                                        std::span<const std::uint8_t> drawn,
                                        std::uint64_t drawn_in_all,
                                        const std::function<bool(float)>& progress);

}  // namespace mambo
