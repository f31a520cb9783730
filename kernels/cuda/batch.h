// Plays many streams at once: one, four or eight per SM.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "kernels/cuda/cuda_state.h"
#include "kernels/cuda/loaded_network.h"
#include "kernels/cuda/plan/plan.h"
#include "kernels/cuda/single_stream.h"

namespace mambo::cuda {

// One call at a time: the caller locks.
class BatchPlayer {
 public:
  // Throws DeviceError when not even one stream can be played by an SM.
  explicit BatchPlayer(const LoadedNetwork& network);
  ~BatchPlayer();
  BatchPlayer(const BatchPlayer&) = delete;
  BatchPlayer& operator=(const BatchPlayer&) = delete;

  // How many streams keep the whole device busy.
  int streams_at_once() const { return network_.device.sms * 2 * plans_.back()->together(); }
  // Streams at the same position share CTAs; the rest goes one per CTA, or, where more than codes
  // are wanted, one at a time by `single`: every way draws the same samples.
  void generate(std::span<Stream> streams, const SingleStream& single);
  // Plays one stream by every plan: the driver loads kernels, and memory is allocated, at first
  // use.
  void warm_up(Stream stream);

 private:
  enum class What : std::uint8_t { drawing, silence };
  struct Buffers;

  std::size_t plan_for(std::size_t streams) const;
  void play(const std::vector<Stream*>& group, std::size_t length, What what, std::size_t plan);
  Buffers& buffers_for(std::size_t slots);
  static bool plays_by_hand(const Stream& s);
  bool bring_tables(Buffers& b, const std::vector<Stream*>& group) const;

  const LoadedNetwork& network_;
  std::vector<std::unique_ptr<StepPlan>> plans_;  // one stream per SM, four, eight: what can be
  std::unique_ptr<Buffers> buffers_;
};

}  // namespace mambo::cuda
