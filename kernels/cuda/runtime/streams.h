// Streams and events, destroyed where they go out of scope.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "kernels/cuda/runtime/check.h"

namespace mambo::cuda {

class Event {
 public:
  Event() { MAMBO_CUDA(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming)); }
  ~Event() { log_failure(cudaEventDestroy(event_), "cudaEventDestroy"); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  cudaEvent_t get() const { return event_; }

 private:
  cudaEvent_t event_ = nullptr;
};

// Where both want the device, what plays comes first; prefill and batches take what it leaves.
enum class Urgency : std::uint8_t { playing, background };

// Of the device that is current. Does not wait for the default stream, nor that for it.
class StreamHandle {
 public:
  explicit StreamHandle(Urgency urgency) {
    int least = 0;
    int most = 0;
    MAMBO_CUDA(cudaDeviceGetStreamPriorityRange(&least, &most));
    MAMBO_CUDA(cudaStreamCreateWithPriority(&stream_, cudaStreamNonBlocking,
                                            urgency == Urgency::playing ? most : least));
  }
  ~StreamHandle() { log_failure(cudaStreamDestroy(stream_), "cudaStreamDestroy"); }
  StreamHandle(const StreamHandle&) = delete;
  StreamHandle& operator=(const StreamHandle&) = delete;
  cudaStream_t get() const { return stream_; }
  // For destructors: what is still on its way must not find its memory gone.
  void drain() const noexcept {
    log_failure(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
  }

 private:
  cudaStream_t stream_ = nullptr;
};

}  // namespace mambo::cuda
