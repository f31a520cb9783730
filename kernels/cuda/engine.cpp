#include "kernels/cuda/engine.h"

#include <algorithm>
#include <cassert>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "kernels/cuda/batch.h"
#include "kernels/cuda/cuda_state.h"
#include "kernels/cuda/loaded_network.h"
#include "kernels/cuda/plan/plan.h"
#include "kernels/cuda/prefill/prefill.h"
#include "kernels/cuda/prefill/scan_s4d.h"
#include "kernels/cuda/prefill/scan_s6.h"
#include "kernels/cuda/runtime/devices.h"
#include "kernels/cuda/scale.h"
#include "kernels/cuda/single_stream.h"
#include "kernels/cuda/state_conversion.h"
#include "kernels/cuda/tap.h"

namespace mambo::cuda {
namespace {

class CudaEngine final : public Engine {
 public:
  CudaEngine(const NetworkView& view, const EngineOptions& options, const DeviceFacts& device)
      : Engine(view),
        network_(view, options.storage, device),
        single_(network_, choose_plan(network_.net, device, options.cuda.plan)),
        prefill_(view, network_.state_plan, network_.by_hand, options.storage,
                 options.cuda.prefill_chunk),
        batch_(network_),
        conversion_(network_.state_plan, layout()) {
    warm_up();
  }

  Backend backend() const override { return Backend::cuda; }
  std::string description() const override {
    const bool half = network_.net.records().storage == WeightStorage::half;
    return "CUDA, " + network_.device.name + (half ? ", fp16 weights, " : ", float32 weights, ") +
           single_.plan().text();
  }
  // Steps and prefill have a copy each, in the order in which they read it.
  std::size_t weight_bytes() const override {
    return network_.net.weight_bytes() + prefill_.weight_bytes();
  }
  std::size_t state_bytes() const override { return network_.state_plan.size * sizeof(float); }
  int streams_at_once() const override { return batch_.streams_at_once(); }

  std::unique_ptr<State> make_state() const override {
    network_.use_device();
    return std::make_unique<CudaState>(network_.state_plan.size);
  }

  void prepare(State& state) const override {
    network_.use_device();
    (void)single_.buffers(cuda_state(state));
  }

  void reset(State& state) const override {
    network_.use_device();
    CudaState& s = cuda_state(state);
    const cudaStream_t stream = stream_of(s);
    s.wait(stream);
    MAMBO_CUDA(cudaMemsetAsync(s.memory.data(), 0, s.memory.bytes(), stream));
    s.mark(stream);
    s.at = 0;
  }

  // Asynchronous: later work on either state waits for it on the device, on whatever stream it
  // comes, and so does the end of either.
  void copy(const State& from, State& to) const override {
    network_.use_device();
    auto& source = const_cast<CudaState&>(cuda_state(from));
    CudaState& target = cuda_state(to);
    const cudaStream_t stream = stream_of(source.buffers ? source : target);
    source.wait(stream);
    target.wait(stream);
    MAMBO_CUDA(cudaMemcpyAsync(target.memory.data(), source.memory.data(), source.memory.bytes(),
                               cudaMemcpyDeviceToDevice, stream));
    target.mark(stream);
    source.mark(stream);
    target.at = source.at;
  }

  void prefill(State& state, std::span<const std::uint8_t> codes, PrefillSink* sink,
               const Selectivity* by_hand) const override {
    if (codes.empty()) return;
    network_.use_device();
    CudaState& s = cuda_state(state);
    try {
      prefill_.run(s.memory.data(), s.at, codes, sink, by_hand,
                   [&s](cudaStream_t stream) { s.wait(stream); });
      s.unmark();
      s.at += codes.size();
    } catch (const DeviceError&) {
      s.at = 0;  // the device may be gone: what the state holds is lost
      throw;
    } catch (...) {
      reset(state);
      throw;
    }
  }

  void step(State& state, std::span<const std::uint8_t> codes,
            const Selectivity* by_hand) const override {
    network_.use_device();
    single_.step(cuda_state(state), codes, by_hand);
  }

  void generate(State& state, const GenerateRequest& r) const override {
    network_.use_device();
    single_.generate(cuda_state(state), r);
  }

  void generate_many(std::span<Stream> streams) const override {
    network_.use_device();
    const std::lock_guard lock(batch_mutex_);
    batch_.generate(streams, single_);
  }

  // Asynchronous, as copy() is.
  void forget(State& state, int layer, float factor) const override {
    network_.use_device();
    CudaState& s = cuda_state(state);
    const cudaStream_t stream = stream_of(s);
    const StatePlan::Layer& l = network_.state_plan.layers[static_cast<std::size_t>(layer)];
    s.wait(stream);
    scale(s.memory.data() + l.h, l.hp * l.dp, factor, stream);
    s.mark(stream);
  }

  void read_state(const State& state, std::span<float> out) const override {
    assert(out.size() == layout().size);
    network_.use_device();
    conversion_.read(cuda_state(state), out);
  }

  void write_state(State& state, std::span<const float> in, std::uint64_t position) const override {
    if (in.size() != layout().size) {
      throw Error("a state of " + std::to_string(layout().size) + " numbers was expected, found " +
                  std::to_string(in.size()));
    }
    network_.use_device();
    conversion_.write(cuda_state(state), in, position);
  }

 private:
  cudaStream_t stream_of(const CudaState& s) const {
    return s.buffers ? s.buffers->stream.get() : conversion_.stream();
  }

  // The driver loads kernels and allocates their local memory, and the tap's way to the host, at
  // first use. That belongs here and not into a generator's thread, nor between Play and the first
  // sound.
  void warm_up() {
    prepare_tap();
    const std::size_t floats = network_.state_plan.size;
    CudaState state(floats);
    CudaState other(floats);
    std::vector<std::uint8_t> codes(2);
    std::vector<float> likelihoods(codes.size()), rows(network_.row_floats());
    std::vector<float> logits(codes.size() *
                              static_cast<std::size_t>(network_.net.records().view.vocab));
    std::vector<LayerSummary> layers(network_.d_inner.size());
    DeltaTap tap;
    tap.layers = layers;
    tap.layer = 0;
    tap.delta = rows;
    GenerateRequest request;
    request.codes = codes;
    generate(state, request);
    request.log_prob = request.entropy = likelihoods;
    request.logits = logits;
    request.tap = &tap;
    generate(state, request);
    Selectivity by_hand(layout());
    by_hand.set_all({2, 0, 0, 0, 2});
    request.by_hand = &by_hand;
    generate(state, request);
    copy(state, other);
    forget(state, 0, 0.5F);
    reset(state);
    request = {};
    request.codes = codes;
    batch_.warm_up({&other, request});
    request.by_hand = &by_hand;
    batch_.warm_up({&other, request});
  }

  LoadedNetwork network_;
  SingleStream single_;
  Prefill prefill_;
  mutable std::mutex batch_mutex_;
  mutable BatchPlayer batch_;
  mutable StateConversion conversion_;
};

}  // namespace

std::unique_ptr<Engine> make_cuda_engine(const NetworkView& net, const EngineOptions& options) {
  static_assert(kMostModes == kMostStates);
  for (const LayerView& l : net.layers) {
    if (l.states() <= kMostStates) continue;
    const bool s6 = l.mixer() == Mixer::s6;
    throw DeviceError((s6 ? "d_state" : "layer " + l.name) + ": expected at most " +
                      std::to_string(kMostStates) + (s6 ? "" : " complex") +
                      " states a channel, which the CUDA engine runs, found " +
                      std::to_string(l.states()) + ": the CPU runs more");
  }
  const DeviceFacts device = best_device();
  MAMBO_CUDA(cudaSetDevice(device.index));
  need_code(device);
  return std::make_unique<CudaEngine>(net, options, device);
}

}  // namespace mambo::cuda
