// What a call of Prefill::run needs beside the state, kept between calls, so that the next clip
// neither allocates nor waits for cuBLAS to set itself up.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>

#include "kernels/cuda/prefill/products.h"
#include "kernels/cuda/runtime/memory.h"
#include "kernels/cuda/runtime/streams.h"

namespace mambo::cuda {

struct PrefillWorkspace {
  StreamHandle stream{Urgency::background};
  BlasHandle blas{stream.get()};
  DeviceBuffer<std::byte> scratch;
  PinnedBuffer<float> host;   // on its way to the sink
  DeviceBuffer<float> table;  // what is played by hand (ByHandTable)
  DeviceBuffer<double> sums;  // of every layer that selects: delta, B, C

  PrefillWorkspace() = default;
  ~PrefillWorkspace() { stream.drain(); }
  PrefillWorkspace(const PrefillWorkspace&) = delete;
  PrefillWorkspace& operator=(const PrefillWorkspace&) = delete;

  // Copies to the host and waits; valid until the next copy.
  const float* to_host(const float* from, std::size_t n) const {
    MAMBO_CUDA(cudaMemcpyAsync(host.data(), from, n * sizeof(float), cudaMemcpyDeviceToHost,
                               stream.get()));
    MAMBO_CUDA(cudaStreamSynchronize(stream.get()));
    return host.data();
  }
};

// One workspace is kept; calls beside one another make more. Any thread.
class WorkspacePool {
 public:
  // The workspace of one call. What is on its stream is done before another call may have it, also
  // where the call ends by an exception.
  class Lease {
   public:
    explicit Lease(WorkspacePool& pool) : pool_(pool), space_(pool.take()) {}
    ~Lease() {
      space_->stream.drain();
      pool_.give(std::move(space_));
    }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    PrefillWorkspace& operator*() const { return *space_; }
    PrefillWorkspace* operator->() const { return space_.get(); }

   private:
    WorkspacePool& pool_;
    std::unique_ptr<PrefillWorkspace> space_;
  };

 private:
  std::unique_ptr<PrefillWorkspace> take() {
    {
      const std::lock_guard lock(mutex_);
      if (idle_ != nullptr) return std::move(idle_);
    }
    return std::make_unique<PrefillWorkspace>();
  }
  void give(std::unique_ptr<PrefillWorkspace> space) {
    const std::lock_guard lock(mutex_);
    if (idle_ == nullptr) idle_ = std::move(space);
  }

  std::mutex mutex_;
  std::unique_ptr<PrefillWorkspace> idle_;
};

}  // namespace mambo::cuda
