#include "kernels/cuda/batch.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "kernels/cuda/launch_length.h"
#include "kernels/cuda/runtime/memory.h"
#include "kernels/cuda/runtime/streams.h"

namespace mambo::cuda {

// What travels in a batch's launches.
struct BatchPlayer::Buffers {
  explicit Buffers(double guess_us)
      : silence(std::vector<std::uint8_t>{silence_code}),
        launch_length{LaunchLength(guess_us, kMaxSteps), LaunchLength(guess_us, kMaxSteps),
                      LaunchLength(guess_us, kMaxSteps)} {}
  ~Buffers() { stream.drain(); }
  Buffers(const Buffers&) = delete;
  Buffers& operator=(const Buffers&) = delete;

  StreamHandle stream{Urgency::background};
  PinnedBuffer<StreamArgs> args;
  PinnedBuffer<std::uint8_t> codes;
  DeviceBuffer<std::uint8_t> device_codes;
  DeviceBuffer<StreamArgs> device_args;
  DeviceBuffer<std::uint8_t> silence;  // one code
  // What streams play by hand (ByHandTable), made when a first one does. A slot keeps the table of
  // its last stream, which mostly comes again.
  DeviceBuffer<float> tables;                    // [slots][table floats]
  std::vector<std::uint64_t> table_versions;     // [slots]: of Selectivity::version()
  PinnedBuffer<float> table;                     // one, on its way
  std::vector<std::unique_ptr<CudaState>> idle;  // fill the last CTA
  std::array<LaunchLength, 3> launch_length;     // by plan
};

BatchPlayer::BatchPlayer(const LoadedNetwork& network) : network_(network) {
  plans_.push_back(single_plan(network.net, network.device));
  for (const int together : {4, 8}) {
    if (network.net.records().storage != WeightStorage::half) break;
    try {
      plans_.push_back(single_plan(network.net, network.device, together));
    } catch (const PlanUnsuited&) {
      break;  // too wide for so many in one SM: fewer, then
    }
  }
}

BatchPlayer::~BatchPlayer() = default;

void BatchPlayer::generate(std::span<Stream> streams, const SingleStream& single) {
  std::vector<Stream*> new_ones;
  std::vector<Stream*> together;
  for (Stream& s : streams) {
    const GenerateRequest& r = s.request;
    if (r.codes.empty()) continue;
    if (streams.size() == 1 || r.tap != nullptr || !r.log_prob.empty() || !r.entropy.empty() ||
        !r.logits.empty() || !r.last_logits.empty()) {
      single.generate(cuda_state(*s.state), r);
      continue;
    }
    together.push_back(&s);
    if (s.state->position() == 0) new_ones.push_back(&s);
  }
  if (!new_ones.empty()) play(new_ones, 1, What::silence, plan_for(new_ones.size()));
  std::map<std::pair<std::uint64_t, std::size_t>, std::vector<Stream*>> alike;
  for (Stream* s : together) alike[{s->state->position(), s->request.codes.size()}].push_back(s);
  for (auto& [key, group] : alike) play(group, key.second, What::drawing, plan_for(group.size()));
}

void BatchPlayer::warm_up(Stream stream) {
  for (std::size_t plan = 0; plan < plans_.size(); ++plan)
    play({&stream}, stream.request.codes.size(), What::drawing, plan);
}

// Few streams have an SM each; many share SMs, at most as many per SM as keep all SMs busy.
std::size_t BatchPlayer::plan_for(std::size_t streams) const {
  std::size_t plan = 0;
  while (plan + 1 < plans_.size() && streams > static_cast<std::size_t>(plans_[plan]->together()) *
                                                   static_cast<std::size_t>(network_.device.sms))
    ++plan;
  return plan;
}

// Streams at one position go on by `length` steps: they draw, or they absorb the silence that
// generation from nothing begins with (one step).
void BatchPlayer::play(const std::vector<Stream*>& group, std::size_t length, What what,
                       std::size_t which) {
  const bool drawing = what == What::drawing;
  const StepPlan& plan = *plans_[which];
  const auto each = static_cast<std::size_t>(plan.together());
  const std::size_t ctas = (group.size() + each - 1) / each;
  const auto sms = static_cast<std::size_t>(std::max(1, network_.device.sms));
  const std::size_t waves = (ctas + sms - 1) / sms;
  Buffers& b = buffers_for(ctas * each);
  LaunchLength& launch_length = b.launch_length.at(which);
  const cudaStream_t stream = b.stream.get();
  for (Stream* s : group) cuda_state(*s->state).wait(stream);
  const bool by_hand = bring_tables(b, group);
  for (std::size_t done = 0; done < length;) {
    const std::size_t n = launch_length.steps(length - done, waves);
    const LaunchLength::Clock::time_point begin = LaunchLength::Clock::now();
    const std::uint64_t position = cuda_state(*group.front()->state).at;
    for (std::size_t i = 0; i < ctas * each; ++i) {
      const bool real = i < group.size();
      const CudaState& s = real ? cuda_state(*group[i]->state) : *b.idle[i - group.size()];
      b.args[i] = stream_args(s, real ? group[i]->request : group.front()->request, done);
      if (real && plays_by_hand(*group[i]))
        b.args[i].by_hand = b.tables.data() + i * network_.by_hand.floats();
      if (drawing)
        b.args[i].codes = b.device_codes.data() + i * kMaxSteps;
      else
        b.args[i].forced = b.silence.data();
    }
    MAMBO_CUDA(cudaMemcpyAsync(b.device_args.data(), b.args.data(),
                               ctas * each * sizeof(StreamArgs), cudaMemcpyHostToDevice, stream));
    Launch launch = network_.launch_at(position, static_cast<int>(n), drawing);
    plan.fill(launch);
    launch.streams = b.device_args.data();
    plan.launch(launch, static_cast<int>(ctas), by_hand, stream);
    if (drawing)
      MAMBO_CUDA(cudaMemcpyAsync(b.codes.data(), b.device_codes.data(), group.size() * kMaxSteps,
                                 cudaMemcpyDeviceToHost, stream));
    MAMBO_CUDA(cudaStreamSynchronize(stream));
    launch_length.took(n, begin, waves);
    for (std::size_t i = 0; i < group.size(); ++i) {
      CudaState& s = cuda_state(*group[i]->state);
      if (drawing)
        std::copy_n(b.codes.data() + i * kMaxSteps, n,
                    group[i]->request.codes.begin() + static_cast<std::ptrdiff_t>(done));
      s.unmark();
      s.at += n;
    }
    done += n;
  }
}

bool BatchPlayer::plays_by_hand(const Stream& s) {
  return s.request.by_hand != nullptr && !s.request.by_hand->off();
}

// Stream i's table into slot i, where it is not there yet. Whether any stream has one.
bool BatchPlayer::bring_tables(Buffers& b, const std::vector<Stream*>& group) const {
  if (std::none_of(group.begin(), group.end(), [](const Stream* s) { return plays_by_hand(*s); }))
    return false;
  const std::size_t floats = network_.by_hand.floats();
  if (b.tables.size() < group.size() * floats) {
    b.table_versions.clear();
    b.tables = {};  // first, so that both need not fit
    b.tables = DeviceBuffer<float>(group.size() * floats);
    if (b.table.size() == 0) b.table = PinnedBuffer<float>(floats);
    b.table_versions.resize(group.size());
  }
  for (std::size_t i = 0; i < group.size(); ++i) {
    if (!plays_by_hand(*group[i])) continue;
    const Selectivity& by_hand = *group[i]->request.by_hand;
    if (b.table_versions[i] == by_hand.version()) continue;
    b.table_versions[i] = 0;
    network_.by_hand.write(by_hand, {b.table.data(), floats});
    MAMBO_CUDA(cudaMemcpyAsync(b.tables.data() + i * floats, b.table.data(), floats * sizeof(float),
                               cudaMemcpyHostToDevice, b.stream.get()));
    MAMBO_CUDA(cudaStreamSynchronize(b.stream.get()));  // the pinned table is written again
    b.table_versions[i] = by_hand.version();
  }
  return true;
}

BatchPlayer::Buffers& BatchPlayer::buffers_for(std::size_t slots) {
  if (!buffers_) buffers_ = std::make_unique<Buffers>(2 * plans_.front()->estimate_us());
  Buffers& b = *buffers_;
  if (b.args.size() < slots) {  // all of them or none: memory may not be there for one
    PinnedBuffer<StreamArgs> args(slots);
    DeviceBuffer<StreamArgs> device_args(slots);
    PinnedBuffer<std::uint8_t> codes(slots * kMaxSteps);
    DeviceBuffer<std::uint8_t> device_codes(slots * kMaxSteps);
    device_codes.zero();
    b.args = std::move(args);
    b.device_args = std::move(device_args);
    b.codes = std::move(codes);
    b.device_codes = std::move(device_codes);
  }
  while (b.idle.size() + 1 < static_cast<std::size_t>(plans_.back()->together()))
    b.idle.push_back(std::make_unique<CudaState>(network_.state_plan.size));
  return b;
}

}  // namespace mambo::cuda
