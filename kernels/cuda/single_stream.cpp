#include "kernels/cuda/single_stream.h"

#include <algorithm>

namespace mambo::cuda {

StreamBuffers& SingleStream::buffers(CudaState& s) const {
  if (!s.buffers)
    s.buffers = std::make_unique<StreamBuffers>(network_.net, *plan_, network_.row_floats(),
                                                network_.by_hand.floats());
  return *s.buffers;
}

// Nothing is on the stream between calls (finish), so that the pinned copy may be written.
const float* SingleStream::table(StreamBuffers& b, const Selectivity* by_hand) const {
  if (by_hand == nullptr || by_hand->off()) return nullptr;
  if (b.table_version != by_hand->version()) {
    network_.by_hand.write(*by_hand, {b.table.data(), b.table.size()});
    b.table_version = 0;
    MAMBO_CUDA(cudaMemcpyAsync(b.device_table.data(), b.table.data(), b.device_table.bytes(),
                               cudaMemcpyHostToDevice, b.stream.get()));
    b.table_version = by_hand->version();
  }
  return b.device_table.data();
}

void SingleStream::step(CudaState& s, std::span<const std::uint8_t> codes,
                        const Selectivity* by_hand) const {
  StreamBuffers& b = buffers(s);
  const float* const played = table(b, by_hand);
  for (std::size_t done = 0; done < codes.size();) {
    const std::size_t n = b.launch_length.steps(codes.size() - done);
    const LaunchLength::Clock::time_point begin = LaunchLength::Clock::now();
    std::copy_n(codes.begin() + static_cast<std::ptrdiff_t>(done), n, b.forced.data());
    StreamArgs& a = b.args[0];
    a = {};
    a.state = s.memory.data();
    a.forced = b.device_forced.data();
    a.by_hand = played;
    MAMBO_CUDA(cudaMemcpyAsync(b.device_forced.data(), b.forced.data(), n, cudaMemcpyHostToDevice,
                               b.stream.get()));
    launch(s, b, static_cast<int>(n), false);
    finish(s, b);
    b.launch_length.took(n, begin);
    s.at += n;
    done += n;
  }
}

void SingleStream::generate(CudaState& s, const GenerateRequest& r) const {
  if (s.at == 0 && !r.codes.empty()) step(s, {&silence_code, 1}, r.by_hand);
  StreamBuffers& b = buffers(s);
  const float* const played = table(b, r.by_hand);
  if (r.tap != nullptr) TapReduction::begin(*r.tap);
  for (std::size_t done = 0; done < r.codes.size();) {
    const std::size_t n = b.launch_length.steps(r.codes.size() - done);
    const int steps = static_cast<int>(n);
    const LaunchLength::Clock::time_point begin = LaunchLength::Clock::now();
    StreamArgs& a = b.args[0];
    a = stream_args(s, r, done);
    a.codes = b.codes.data();
    a.by_hand = played;
    if (!r.log_prob.empty()) a.log_prob = b.log_prob.data();
    if (!r.entropy.empty()) a.entropy = b.entropy.data();
    if (!r.logits.empty() || !r.last_logits.empty()) a.logits = b.logits.data();
    if (r.tap != nullptr) {
      a.tap = b.tap.data();
      if (played != nullptr && !r.tap->said.empty()) a.said = b.said.data();
    }
    launch(s, b, steps, true);
    if (r.tap != nullptr) tap_.enqueue(b, s.at, steps, *r.tap);
    finish(s, b);
    b.launch_length.took(n, begin);
    std::copy_n(b.codes.data(), n, r.codes.begin() + static_cast<std::ptrdiff_t>(done));
    const auto copy_out = [&](const PinnedBuffer<float>& from, std::span<float> to,
                              std::size_t each) {
      if (!to.empty())
        std::copy_n(from.data(), n * each, to.begin() + static_cast<std::ptrdiff_t>(done * each));
    };
    copy_out(b.log_prob, r.log_prob, 1);
    copy_out(b.entropy, r.entropy, 1);
    const auto vocab = static_cast<std::size_t>(network_.net.records().view.vocab);
    copy_out(b.logits, r.logits, vocab);
    if (!r.last_logits.empty()) {  // of each launch; the last one's stay
      std::copy_n(b.logits.data() + (n - 1) * vocab, vocab, r.last_logits.begin());
    }
    if (r.tap != nullptr) tap_.add(b, s.at, *r.tap);
    s.at += n;
    done += n;
  }
}

void SingleStream::launch(CudaState& s, StreamBuffers& b, int steps, bool drawing) const {
  const cudaStream_t stream = b.stream.get();
  s.wait(stream);
  Launch l = network_.launch_at(s.at, steps, drawing);
  plan_->fill(l);
  l.streams = b.args.data();
  l.ll_words = b.ll_words.data();
  l.seq = b.seq;
  b.seq += plan_->exchanges(steps);
  plan_->launch(l, 1, b.args[0].by_hand != nullptr, stream);
}

void SingleStream::finish(CudaState& s, const StreamBuffers& b) {
  MAMBO_CUDA(cudaStreamSynchronize(b.stream.get()));
  s.unmark();
}

}  // namespace mambo::cuda
