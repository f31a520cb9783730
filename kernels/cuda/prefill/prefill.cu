#include "kernels/cuda/prefill/prefill.h"

#include <algorithm>
#include <mutex>
#include <utility>
#include <vector>

#include "kernels/cuda/prefill/prefill_pass.cuh"

namespace mambo::cuda {

struct Prefill::Impl {
  PrefillWeights weights;
  StatePlan plan;
  WeightStorage storage;
  int device = 0;
  int sms = 1;
  int chunk = 0;
  std::mutex mutex;
  std::vector<std::unique_ptr<PrefillWorkspace>> idle;

  Impl(const NetworkView& net, const StatePlan& state_plan, WeightStorage weight_storage,
       int longest)
      : weights(net, weight_storage), plan(state_plan), storage(weight_storage), chunk(longest) {
    MAMBO_CUDA(cudaGetDevice(&device));
    MAMBO_CUDA(cudaDeviceGetAttribute(&sms, cudaDevAttrMultiProcessorCount, device));
    idle.reserve(1);
    idle.push_back(std::make_unique<PrefillWorkspace>());
    warm_up();
  }

  // Wants all that a sink may.
  class Everything final : public PrefillSink {
   public:
    bool wants_logits() const override { return true; }
    bool wants_layer(int) const override { return true; }
    int samples_per_summary() const override { return 128; }
  };

  // The driver loads kernels, and cuBLAS its own, when they are first launched: that takes a
  // quarter of a second, which belongs here and not between Play and the first sound. The window's
  // sink gets chunks of 16384 samples (PrefillPass::prepare), and cuBLAS chooses by their length.
  void warm_up() {
    const DeviceBuffer<float> state(plan.size);
    state.zero();
    const std::vector<std::uint8_t> codes(32768);
    PrefillWorkspace& space = *idle.front();
    Everything everything;
    // A chunk that is forced (by tests) is not exceeded.
    const std::size_t longest = chunk > 0 ? static_cast<std::size_t>(chunk) : codes.size();
    const auto first = [&](std::size_t n) { return std::span(codes).first(std::min(n, longest)); };
    run(space, state.data(), 0, first(16384), &everything);
    run(space, state.data(), 0, first(codes.size()), nullptr);
    space.scratch = {};
    space.host = {};
  }

  void run(PrefillWorkspace& space, float* state, std::uint64_t position,
           std::span<const std::uint8_t> codes, PrefillSink* sink) {
    if (storage == WeightStorage::half)
      PrefillPass<__half>(weights, plan, space, state, sink, sms, chunk).run(position, codes);
    else
      PrefillPass<float>(weights, plan, space, state, sink, sms, chunk).run(position, codes);
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
  explicit Lease(Owner& owner) : owner_(owner), space_(owner.take()) {}
  ~Lease() {
    space_->stream.drain();
    owner_.give(std::move(space_));
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  PrefillWorkspace& operator*() const { return *space_; }

 private:
  Owner& owner_;
  std::unique_ptr<PrefillWorkspace> space_;
};

}  // namespace

Prefill::Prefill(const NetworkView& net, const StatePlan& plan, WeightStorage storage, int chunk)
    : impl_(std::make_unique<Impl>(net, plan, storage, chunk)) {}

Prefill::~Prefill() = default;

std::size_t Prefill::weight_bytes() const { return impl_->weights.memory.bytes(); }

void Prefill::run(float* state, std::uint64_t position, std::span<const std::uint8_t> codes,
                  PrefillSink* sink, const std::function<void(cudaStream_t)>& wait) const {
  if (codes.empty()) return;
  Impl& m = *impl_;
  MAMBO_CUDA(cudaSetDevice(m.device));
  const Lease lease(m);
  wait((*lease).stream.get());
  m.run(*lease, state, position, codes, sink);
}

}  // namespace mambo::cuda
