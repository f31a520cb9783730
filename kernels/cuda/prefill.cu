#include "kernels/cuda/prefill.h"

#include <mutex>
#include <utility>
#include <vector>

#include "kernels/cuda/prefill_pass.cuh"

namespace mambo::cuda {

struct Prefill::Impl {
  PrefillWeights weights;
  StatePlan plan;
  WeightStorage storage;
  int device = 0;
  int sms = 1;
  std::mutex mutex;
  std::vector<std::unique_ptr<PrefillWorkspace>> idle;

  Impl(const NetworkView& net, const StatePlan& state_plan, WeightStorage weight_storage)
      : weights(net, weight_storage), plan(state_plan), storage(weight_storage) {
    MAMBO_CUDA(cudaGetDevice(&device));
    MAMBO_CUDA(cudaDeviceGetAttribute(&sms, cudaDevAttrMultiProcessorCount, device));
    idle.reserve(1);
    idle.push_back(std::make_unique<PrefillWorkspace>());
    warm_up();
  }

  // The driver loads kernels, and cuBLAS its own, when they are first launched: that takes a
  // quarter of a second, which belongs here and not between Play and the first sound.
  void warm_up() {
    constexpr std::size_t kSamples = 32768;
    const DeviceBuffer<float> state(plan.size);
    state.zero();
    run(*idle.front(), state.data(), 0, std::vector<std::uint8_t>(kSamples), nullptr, nullptr);
    idle.front()->scratch = {};
  }

  void run(PrefillWorkspace& space, float* state, std::uint64_t position,
           std::span<const std::uint8_t> codes, PrefillSink* sink, cudaStream_t stream) {
    if (storage == WeightStorage::half)
      PrefillPass<__half>(weights, plan, space, state, sink, sms, stream).run(position, codes);
    else
      PrefillPass<float>(weights, plan, space, state, sink, sms, stream).run(position, codes);
  }

  std::unique_ptr<PrefillWorkspace> take() {
    {
      const std::lock_guard lock(mutex);
      if (!idle.empty()) {
        auto space = std::move(idle.back());
        idle.pop_back();
        return space;
      }
    }
    return std::make_unique<PrefillWorkspace>();
  }
  void give(std::unique_ptr<PrefillWorkspace> space) {
    const std::lock_guard lock(mutex);
    if (idle.empty()) idle.push_back(std::move(space));  // one is kept
  }
};

namespace {

// The workspace of one call; what is on the stream is done before another may have it, also where
// the call ends by an exception.
template <class Owner>
class Lease {
 public:
  Lease(Owner& owner, cudaStream_t stream) : owner_(owner), stream_(stream), space_(owner.take()) {}
  ~Lease() {
    log_failure(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
    owner_.give(std::move(space_));
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  PrefillWorkspace& operator*() const { return *space_; }

 private:
  Owner& owner_;
  cudaStream_t stream_;
  std::unique_ptr<PrefillWorkspace> space_;
};

}  // namespace

Prefill::Prefill(const NetworkView& net, const StatePlan& plan, WeightStorage storage)
    : impl_(std::make_unique<Impl>(net, plan, storage)) {}

Prefill::~Prefill() = default;

std::size_t Prefill::weight_bytes() const { return impl_->weights.memory.bytes(); }

void Prefill::run(float* state, std::uint64_t position, std::span<const std::uint8_t> codes,
                  PrefillSink* sink, cudaStream_t stream) const {
  if (codes.empty()) return;
  Impl& m = *impl_;
  MAMBO_CUDA(cudaSetDevice(m.device));
  const Lease lease(m, stream);
  m.run(*lease, state, position, codes, sink, stream);
}

}  // namespace mambo::cuda
