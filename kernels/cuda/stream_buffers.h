// One stream on the device, and what it needs beside its memory to be played.
#pragma once

#include <cstdint>
#include <memory>

#include "kernels/cuda/launch_length.h"
#include "kernels/cuda/plan/plan.h"
#include "kernels/cuda/runtime/memory.h"
#include "kernels/cuda/runtime/streams.h"
#include "kernels/cuda/tap.h"
#include "kernels/engine.h"

namespace mambo::cuda {

// What a stream that is played alone needs besides its state: everything that travels between host
// and device in a launch, allocated once.
struct StreamBuffers {
  StreamBuffers(const DeviceNetwork& net, const StepPlan& plan, std::size_t row_floats)
      : args(1),
        codes(kMaxSteps),
        forced(kMaxSteps),
        device_forced(kMaxSteps),
        log_prob(kMaxSteps),
        entropy(kMaxSteps),
        jobs(net.layers().size()),
        device_jobs(net.layers().size()),
        results(net.layers().size()),
        rows(row_floats),
        logits(static_cast<std::size_t>(kMaxSteps) * static_cast<std::size_t>(net.view().vocab)),
        tap(net.tap_floats()),
        mail(plan.mail_words()),
        launch_length(plan.estimate_us(), kMaxSteps) {
    if (mail.size() > 0) MAMBO_CUDA(cudaMemsetAsync(mail.data(), 0, mail.bytes(), stream.get()));
    MAMBO_CUDA(cudaMemsetAsync(tap.data(), 0, tap.bytes(), stream.get()));
  }
  ~StreamBuffers() { stream.drain(); }
  StreamBuffers(const StreamBuffers&) = delete;
  StreamBuffers& operator=(const StreamBuffers&) = delete;

  StreamHandle stream{Urgency::playing};
  PinnedBuffer<StreamArgs> args;
  PinnedBuffer<std::uint8_t> codes, forced;
  DeviceBuffer<std::uint8_t> device_forced;  // read a code at a time: too far away in the host
  PinnedBuffer<float> log_prob, entropy;
  PinnedBuffer<TapJob> jobs;
  DeviceBuffer<TapJob> device_jobs;
  PinnedBuffer<LayerSummary> results;
  PinnedBuffer<float> rows;    // of the chosen layer
  PinnedBuffer<float> logits;  // [kMaxSteps][V]
  DeviceBuffer<float> tap;
  DeviceBuffer<uint4> mail;  // a grid's letters
  std::uint32_t seq = 1;
  LaunchLength launch_length;
};

class CudaState final : public State {
 public:
  explicit CudaState(std::size_t floats) : memory(floats) { memory.zero(); }
  ~CudaState() override {
    if (in_use) log_failure(cudaEventSynchronize(used.get()), "cudaEventSynchronize");
  }
  std::uint64_t position() const override { return at; }

  // Work on `stream` that comes later waits for what still reads or writes the memory.
  void wait(cudaStream_t stream) const {
    if (in_use) MAMBO_CUDA(cudaStreamWaitEvent(stream, used.get(), 0));
  }
  // What is on `stream` by now reads or writes the memory. It has waited for what did before, so
  // that the last mark stands for all.
  void mark(cudaStream_t stream) {
    MAMBO_CUDA(cudaEventRecord(used.get(), stream));
    in_use = true;
  }
  // All of it is done: somebody waited.
  void rest() { in_use = false; }

  DeviceBuffer<float> memory;
  std::uint64_t at = 0;
  std::unique_ptr<StreamBuffers> kit;  // once it is played alone

 private:
  Event used;  // the last reset, and the last copy from or into this state
  bool in_use = false;
};

// Many streams at once; one batch at a time.
struct Batch {
  explicit Batch(double guess_us)
      : silence(std::vector<std::uint8_t>{silence_code}),
        launch_length{LaunchLength(guess_us, kMaxSteps), LaunchLength(guess_us, kMaxSteps),
                      LaunchLength(guess_us, kMaxSteps)} {}
  ~Batch() { stream.drain(); }
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  StreamHandle stream{Urgency::background};
  PinnedBuffer<StreamArgs> args;
  PinnedBuffer<std::uint8_t> codes;
  DeviceBuffer<std::uint8_t> device_codes;
  DeviceBuffer<StreamArgs> device_args;
  DeviceBuffer<std::uint8_t> silence;            // one code
  std::vector<std::unique_ptr<CudaState>> idle;  // fill the last CTA
  LaunchLength launch_length[3];                 // by streams an SM: one, four, eight
};

}  // namespace mambo::cuda
