// One stream's memory on the device.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "kernels/cuda/runtime/memory.h"
#include "kernels/cuda/runtime/streams.h"
#include "kernels/cuda/step/launch.h"
#include "kernels/cuda/stream_buffers.h"
#include "kernels/engine.h"

namespace mambo::cuda {

class CudaState final : public State {
 public:
  explicit CudaState(std::size_t floats) : memory(floats) { memory.zero(); }
  ~CudaState() override {
    if (in_use_) log_failure(cudaEventSynchronize(used_.get()), "cudaEventSynchronize");
  }
  std::uint64_t position() const override { return at; }

  // Work on `stream` that comes later waits for what still reads or writes the memory.
  void wait(cudaStream_t stream) const {
    if (in_use_) MAMBO_CUDA(cudaStreamWaitEvent(stream, used_.get(), 0));
  }
  // What is on `stream` by now reads or writes the memory. It has waited for what did before, so
  // that the last mark stands for all.
  void mark(cudaStream_t stream) {
    MAMBO_CUDA(cudaEventRecord(used_.get(), stream));
    in_use_ = true;
  }
  // The host has waited for all of it.
  void unmark() { in_use_ = false; }

  DeviceBuffer<float> memory;              // StatePlan
  std::uint64_t at = 0;                    // samples absorbed
  std::unique_ptr<StreamBuffers> buffers;  // once it is played by itself

 private:
  Event used_;  // the last reset, and the last copy from or into this state
  bool in_use_ = false;
};

inline CudaState& cuda_state(State& s) { return static_cast<CudaState&>(s); }
inline const CudaState& cuda_state(const State& s) { return static_cast<const CudaState&>(s); }

// What a stream of a launch is told of a request of which `done` codes are drawn. Outputs are the
// caller's.
inline StreamArgs stream_args(const CudaState& s, const GenerateRequest& r, std::size_t done) {
  StreamArgs a{};
  a.state = s.memory.data();
  a.rng_seed = r.rng_seed;
  a.rng_index = r.rng_index + done;
  a.temperature = r.sampling.temperature;
  a.top_k = r.sampling.top_k;
  a.top_p = r.sampling.top_p;
  a.min_p = r.sampling.min_p;
  a.floor = r.sampling.floor;
  a.gate = r.sampling.gate;
  return a;
}

}  // namespace mambo::cuda
