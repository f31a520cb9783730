// The delta tap of a stream that generates: reduces what each launch left and adds it to the
// caller's DeltaTap.
#pragma once

#include <cstdint>

#include "kernels/cuda/loaded_network.h"
#include "kernels/cuda/stream_buffers.h"
#include "kernels/observe.h"

namespace mambo::cuda {

class TapReduction {
 public:
  explicit TapReduction(const LoadedNetwork& network) : network_(network) {}

  static void begin(DeltaTap& tap);
  // Behind a launch of `steps` samples from `position`, on its stream. Asynchronous.
  void enqueue(StreamBuffers& buffers, std::uint64_t position, int steps,
               const DeltaTap& tap) const;
  // Once the stream is done.
  void add(const StreamBuffers& buffers, std::uint64_t position, DeltaTap& tap) const;

 private:
  const LoadedNetwork& network_;
};

}  // namespace mambo::cuda
