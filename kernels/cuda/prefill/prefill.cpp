#include "kernels/cuda/prefill/prefill.h"

#include <algorithm>
#include <vector>

#include "kernels/cuda/prefill/prefill_pass.h"

namespace mambo::cuda {
namespace {

// Wants all that a sink may.
class EverySink final : public PrefillSink {
 public:
  explicit EverySink(const NetworkView& net) : sums_(net) {}
  SelectionSums* selection_sums() override { return &sums_; }
  bool wants_logits() const override { return true; }
  bool wants_layer(int) const override { return true; }
  int samples_per_summary() const override { return 128; }

 private:
  SelectionSums sums_;
};

}  // namespace

struct Prefill::Shared {
  PrefillWeights weights;
  StatePlan plan;
  ByHandTable table;
  WeightStorage storage;
  int device = 0;
  int sms = 1;
  int chunk = 0;
  WorkspacePool workspaces;
};

Prefill::Prefill(const NetworkView& net, const StatePlan& plan, const ByHandTable& table,
                 WeightStorage storage, int chunk)
    : shared_(new Shared{PrefillWeights(net, storage), plan, table, storage, 0, 1, chunk, {}}) {
  MAMBO_CUDA(cudaGetDevice(&shared_->device));
  MAMBO_CUDA(
      cudaDeviceGetAttribute(&shared_->sms, cudaDevAttrMultiProcessorCount, shared_->device));
  warm_up(net);
}

Prefill::~Prefill() = default;

std::size_t Prefill::weight_bytes() const { return shared_->weights.memory.bytes(); }

// The driver loads kernels, and cuBLAS its own, when they are first launched: that takes a quarter
// of a second, which belongs here and not between Play and the first sound. The window's sink gets
// chunks of 16384 samples (PrefillPass::prepare), and cuBLAS chooses by their length.
void Prefill::warm_up(const NetworkView& net) const {
  const DeviceBuffer<float> state(shared_->plan.size);
  state.zero();
  const std::vector<std::uint8_t> codes(32768);
  EverySink everything(net);
  Selectivity by_hand{StateLayout(net)};
  by_hand.set_all({2, 0, 0, 0, 2});
  // A chunk that is forced (by tests) is not exceeded.
  const int chunk = shared_->chunk;
  const std::size_t longest = chunk > 0 ? static_cast<std::size_t>(chunk) : codes.size();
  const auto first = [&](std::size_t n) { return std::span(codes).first(std::min(n, longest)); };
  const auto wait = [](cudaStream_t) {};
  run(state.data(), 0, first(16384), &everything, &by_hand, wait);
  run(state.data(), 0, first(codes.size()), nullptr, nullptr, wait);
  const WorkspacePool::Lease space(shared_->workspaces);
  space->scratch = {};
  space->host = {};
}

void Prefill::run(float* state, std::uint64_t position, std::span<const std::uint8_t> codes,
                  PrefillSink* sink, const Selectivity* by_hand,
                  const std::function<void(cudaStream_t)>& wait) const {
  if (codes.empty()) return;
  Shared& s = *shared_;
  MAMBO_CUDA(cudaSetDevice(s.device));
  const WorkspacePool::Lease space(s.workspaces);
  wait(space->stream.get());
  const PrefillByHand hand(by_hand, s.table, s.plan, *space);
  SumsOnDevice sums(sink == nullptr ? nullptr : sink->selection_sums(), *space);
  if (s.storage == WeightStorage::half)
    PrefillPass<__half>(s.weights, s.plan, *space, state, sink, hand, sums, s.sms, s.chunk)
        .run(position, codes);
  else
    PrefillPass<float>(s.weights, s.plan, *space, state, sink, hand, sums, s.sms, s.chunk)
        .run(position, codes);
}

}  // namespace mambo::cuda
