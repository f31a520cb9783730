// Memory of the device and pinned memory of the host, move-only, freed where they go out of scope.
// Freshly allocated memory is not zeroed: zeros have to be requested.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "kernels/cuda/runtime/check.h"

namespace mambo::cuda {

template <class T>
class DeviceBuffer {
 public:
  DeviceBuffer() = default;
  explicit DeviceBuffer(std::size_t n) : size_(n) {
    if (n > 0) MAMBO_CUDA(cudaMalloc(reinterpret_cast<void**>(&data_), n * sizeof(T)));
  }
  explicit DeviceBuffer(std::span<const T> host) : DeviceBuffer(host.size()) {
    if (host.empty()) return;
    MAMBO_CUDA(cudaMemcpy(data_, host.data(), host.size_bytes(), cudaMemcpyHostToDevice));
    arrived();
  }
  explicit DeviceBuffer(const std::vector<T>& host) : DeviceBuffer(std::span<const T>(host)) {}
  ~DeviceBuffer() {
    if (data_ != nullptr) log_failure(cudaFree(data_), "cudaFree");
  }
  DeviceBuffer(DeviceBuffer&& o) noexcept
      : data_(std::exchange(o.data_, nullptr)), size_(std::exchange(o.size_, 0)) {}
  DeviceBuffer& operator=(DeviceBuffer&& o) noexcept {
    std::swap(data_, o.data_);
    std::swap(size_, o.size_);
    return *this;
  }
  DeviceBuffer(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(const DeviceBuffer&) = delete;

  // Zeros all of it; they are there when this returns.
  void zero() const {
    MAMBO_CUDA(cudaMemset(data_, 0, bytes()));
    arrived();
  }

  T* data() const { return data_; }
  std::size_t size() const { return size_; }
  std::size_t bytes() const { return size_ * sizeof(T); }

 private:
  // cudaMemset, and cudaMemcpy from memory that is not pinned, may return before the device has
  // done its part, and our streams do not wait for the default one (cudaStreamNonBlocking). Where
  // other programs use the GPU too, what comes late would overwrite what a stream wrote meanwhile.
  static void arrived() { MAMBO_CUDA(cudaStreamSynchronize(nullptr)); }

  T* data_ = nullptr;
  std::size_t size_ = 0;
};

// Host memory that the device reads and writes directly (mapped), so nothing waits for a copy.
template <class T>
class PinnedBuffer {
 public:
  PinnedBuffer() = default;
  explicit PinnedBuffer(std::size_t n) : size_(n) {
    if (n > 0)
      MAMBO_CUDA(cudaHostAlloc(reinterpret_cast<void**>(&data_), n * sizeof(T),
                               cudaHostAllocMapped | cudaHostAllocPortable));
  }
  ~PinnedBuffer() {
    if (data_ != nullptr) log_failure(cudaFreeHost(data_), "cudaFreeHost");
  }
  PinnedBuffer(PinnedBuffer&& o) noexcept
      : data_(std::exchange(o.data_, nullptr)), size_(std::exchange(o.size_, 0)) {}
  PinnedBuffer& operator=(PinnedBuffer&& o) noexcept {
    std::swap(data_, o.data_);
    std::swap(size_, o.size_);
    return *this;
  }
  PinnedBuffer(const PinnedBuffer&) = delete;
  PinnedBuffer& operator=(const PinnedBuffer&) = delete;

  T* data() const { return data_; }
  std::size_t size() const { return size_; }
  T& operator[](std::size_t i) const { return data_[i]; }

 private:
  T* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace mambo::cuda
