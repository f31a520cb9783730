// What a session is made with; constant while it lives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "app/audio/audio_input.h"
#include "kernels/engine.h"

namespace mambo {

struct SessionOptions {
  std::string backend = "auto";
  EngineOptions engine;
  std::string device;       // empty: default device, or the silent clock
  std::string input;        // to be listened to; empty: none
  double latency_s = 0.06;  // ring + device, as a target
  int chunk = 128;          // samples per generator call
  std::uint64_t rng_seed = 1;
  // What a disk may be late by before a recording loses sound: 33 s at 16 kHz.
  std::size_t record_ring = std::size_t{1} << 19U;  // samples, a power of two
  // Where engines come from; empty: make_engine. For tests of engines that fail.
  std::function<std::unique_ptr<Engine>(const NetworkView&, const std::string& backend,
                                        const EngineOptions&, std::string* notice)>
      engines;
  // Likewise inputs; empty: open_audio_input.
  std::function<std::unique_ptr<AudioInput>(const AudioInputRequest&, AudioSink&)> inputs;
};

}  // namespace mambo
