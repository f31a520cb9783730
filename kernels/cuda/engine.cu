#include "kernels/cuda/engine.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <map>
#include <mutex>

#include "kernels/cuda/plan/plan.h"
#include "kernels/cuda/prefill/prefill.h"
#include "kernels/cuda/prefill/scan_s6.h"
#include "kernels/cuda/prefill/scan_s4d.h"
#include "kernels/cuda/stream_buffers.h"
#include "kernels/cuda/tap.h"

namespace mambo::cuda {
namespace {

CudaState& mine(State& s) { return static_cast<CudaState&>(s); }
const CudaState& mine(const State& s) { return static_cast<const CudaState&>(s); }

class CudaEngine final : public Engine {
 public:
  CudaEngine(const NetworkView& view, const EngineOptions& options, const DeviceFacts& device)
      : Engine(view),
        device_(device),
        state_plan_(view),
        net_(view, state_plan_, options.storage),
        plan_(choose_plan(net_, device_, options.cuda.plan)),
        prefill_(view, state_plan_, options.storage, options.cuda.prefill_chunk),
        staging_(state_plan_.size) {
    for (const TierView& t : view.tiers) strides_.push_back(t.stride);
    for (const LayerView& l : view.layers) d_inner_.push_back(view.tier_of(l).d_inner);
    alone_.push_back(single_plan(net_, device_));
    for (const int together : {4, 8}) {
      if (options.storage != WeightStorage::half) break;
      try {
        alone_.push_back(single_plan(net_, device_, together));
      } catch (const PlanUnsuited&) {
        break;  // too wide for so many in one SM: fewer, then
      }
    }
    for (std::size_t i = 0; i < net_.layers().size(); ++i) {
      const std::size_t stride =
          static_cast<std::size_t>(strides_[static_cast<std::size_t>(net_.layers()[i].tier)]);
      row_floats_ =
          std::max(row_floats_, (kMaxSteps / stride + 1) * static_cast<std::size_t>(d_inner_[i]));
    }
    warm_up();
  }

  Backend backend() const override { return Backend::cuda; }
  std::string description() const override {
    return "CUDA, " + device_.name +
           (net_.storage() == WeightStorage::half ? ", fp16 weights, " : ", float32 weights, ") +
           plan_->text();
  }
  // Steps and prefill have a copy each, in the order in which they read it.
  std::size_t weight_bytes() const override {
    return net_.weight_bytes() + prefill_.weight_bytes();
  }
  std::size_t state_bytes() const override { return state_plan_.size * sizeof(float); }
  int streams_at_once() const override { return device_.sms * 2 * alone_.back()->together(); }

  std::unique_ptr<State> make_state() const override {
    use_device();
    return std::make_unique<CudaState>(state_plan_.size);
  }

  void prepare(State& state) const override {
    use_device();
    kit_of(mine(state));
  }

  void reset(State& state) const override {
    use_device();
    CudaState& s = mine(state);
    const cudaStream_t stream = stream_of(s);
    s.wait(stream);
    MAMBO_CUDA(cudaMemsetAsync(s.memory.data(), 0, s.memory.bytes(), stream));
    s.mark(stream);
    s.at = 0;
  }

  // Asynchronous: later work on either state waits for it on the device, on whatever stream it
  // comes, and so does the end of either.
  void copy(const State& from, State& to) const override {
    use_device();
    auto& source = const_cast<CudaState&>(mine(from));
    CudaState& target = mine(to);
    const cudaStream_t stream = source.kit ? source.kit->stream.get() : stream_of(target);
    source.wait(stream);
    target.wait(stream);
    MAMBO_CUDA(cudaMemcpyAsync(target.memory.data(), source.memory.data(), source.memory.bytes(),
                               cudaMemcpyDeviceToDevice, stream));
    target.mark(stream);
    source.mark(stream);
    target.at = source.at;
  }

  void prefill(State& state, std::span<const std::uint8_t> codes,
               PrefillSink* sink) const override {
    if (codes.empty()) return;
    use_device();
    CudaState& s = mine(state);
    try {
      prefill_.run(s.memory.data(), s.at, codes, sink,
                   [&s](cudaStream_t stream) { s.wait(stream); });
      s.rest();
      s.at += codes.size();
    } catch (const DeviceError&) {
      s.at = 0;  // the device may be gone: what the state holds is lost
      throw;
    } catch (...) {
      reset(state);
      throw;
    }
  }

  void step(State& state, std::span<const std::uint8_t> codes) const override {
    use_device();
    CudaState& s = mine(state);
    StreamBuffers& kit = kit_of(s);
    for (std::size_t done = 0; done < codes.size();) {
      const std::size_t n = kit.launch_length.steps(codes.size() - done);
      const LaunchLength::Clock::time_point begin = LaunchLength::Clock::now();
      std::copy_n(codes.begin() + static_cast<std::ptrdiff_t>(done), n, kit.forced.data());
      StreamArgs& a = kit.args[0];
      a = {};
      a.state = s.memory.data();
      a.forced = kit.device_forced.data();
      MAMBO_CUDA(cudaMemcpyAsync(kit.device_forced.data(), kit.forced.data(), n,
                                 cudaMemcpyHostToDevice, kit.stream.get()));
      run(s, kit, static_cast<int>(n), false);
      finish(s, kit);
      kit.launch_length.took(n, begin);
      s.at += n;
      done += n;
    }
  }

  void generate(State& state, const GenerateRequest& r) const override {
    use_device();
    CudaState& s = mine(state);
    if (s.at == 0 && !r.codes.empty()) step(state, {&silence_code, 1});
    StreamBuffers& kit = kit_of(s);
    begin_tap(r.tap);
    for (std::size_t done = 0; done < r.codes.size();) {
      const std::size_t n = kit.launch_length.steps(r.codes.size() - done);
      const int steps = static_cast<int>(n);
      const LaunchLength::Clock::time_point begin = LaunchLength::Clock::now();
      StreamArgs& a = kit.args[0];
      a = arguments(s, r, done);
      a.codes = kit.codes.data();
      if (!r.log_prob.empty()) a.log_prob = kit.log_prob.data();
      if (!r.entropy.empty()) a.entropy = kit.entropy.data();
      if (!r.logits.empty()) a.logits = kit.logits.data();
      if (r.tap != nullptr) a.tap = kit.tap.data();
      run(s, kit, steps, true);
      if (r.tap != nullptr) look(s, kit, steps, *r.tap);
      finish(s, kit);
      kit.launch_length.took(n, begin);
      std::copy_n(kit.codes.data(), n, r.codes.begin() + static_cast<std::ptrdiff_t>(done));
      const auto keep = [&](std::span<float> out, const PinnedBuffer<float>& in, std::size_t each) {
        if (!out.empty())
          std::copy_n(in.data(), n * each, out.begin() + static_cast<std::ptrdiff_t>(done * each));
      };
      keep(r.log_prob, kit.log_prob, 1);
      keep(r.entropy, kit.entropy, 1);
      keep(r.logits, kit.logits, static_cast<std::size_t>(net_.view().vocab));
      if (r.tap != nullptr) add_tap(s, kit, steps, *r.tap);
      s.at += n;
      done += n;
    }
  }

  // Streams at the same position share CTAs; the rest goes one a CTA, or, where more than codes are
  // wanted, one at a time: every way draws the same samples.
  void generate_many(std::span<Stream> streams) const override {
    use_device();
    const std::lock_guard lock(batch_mutex_);
    std::vector<Stream*> new_ones;
    std::vector<Stream*> together;
    for (Stream& s : streams) {
      const GenerateRequest& r = s.request;
      if (r.codes.empty()) continue;
      if (streams.size() == 1 || r.tap != nullptr || !r.log_prob.empty() || !r.entropy.empty() ||
          !r.logits.empty()) {
        generate(*s.state, r);
        continue;
      }
      together.push_back(&s);
      if (s.state->position() == 0) new_ones.push_back(&s);
    }
    if (!new_ones.empty()) play_alike(new_ones, 1, Batched::silence, plan_for(new_ones.size()));
    std::map<std::pair<std::uint64_t, std::size_t>, std::vector<Stream*>> alike;
    for (Stream* s : together) alike[{s->state->position(), s->request.codes.size()}].push_back(s);
    for (auto& [key, group] : alike)
      play_alike(group, key.second, Batched::drawing, plan_for(group.size()));
  }

  void read_state(const State& state, std::span<float> out) const override {
    assert(out.size() == layout().size);
    use_device();
    const std::lock_guard lock(staging_mutex_);
    auto& s = const_cast<CudaState&>(mine(state));
    s.wait(staging_stream_.get());
    MAMBO_CUDA(cudaMemcpyAsync(staging_.data(), s.memory.data(), s.memory.bytes(),
                               cudaMemcpyDeviceToHost, staging_stream_.get()));
    MAMBO_CUDA(cudaStreamSynchronize(staging_stream_.get()));
    exchange(s.at, [&](std::size_t external, std::size_t internal, int n) {
      std::copy_n(staging_.data() + internal, n,
                  out.begin() + static_cast<std::ptrdiff_t>(external));
    });
    layout().clear_open_groups(out, s.at);
  }

  void write_state(State& state, std::span<const float> in, std::uint64_t position) const override {
    if (in.size() != layout().size) {
      throw Error("a state of " + std::to_string(layout().size) + " numbers was expected, found " +
                  std::to_string(in.size()));
    }
    use_device();
    const std::lock_guard lock(staging_mutex_);
    CudaState& s = mine(state);
    std::fill_n(staging_.data(), staging_.size(), 0.0F);
    for (int i = state_plan_.vocab; i < state_plan_.vp; ++i)
      staging_[state_plan_.logits + static_cast<std::size_t>(i)] = -1e30F;
    exchange(position, [&](std::size_t external, std::size_t internal, int n) {
      std::copy_n(in.begin() + static_cast<std::ptrdiff_t>(external), n,
                  staging_.data() + internal);
    });
    s.wait(staging_stream_.get());
    MAMBO_CUDA(cudaMemcpyAsync(s.memory.data(), staging_.data(), s.memory.bytes(),
                               cudaMemcpyHostToDevice, staging_stream_.get()));
    MAMBO_CUDA(cudaStreamSynchronize(staging_stream_.get()));
    s.rest();
    s.at = position;
  }

 private:
  void use_device() const { MAMBO_CUDA(cudaSetDevice(device_.index)); }
  cudaStream_t stream_of(const CudaState& s) const {
    return s.kit ? s.kit->stream.get() : staging_stream_.get();
  }
  // Allocates the first time that a state is played alone.
  StreamBuffers& kit_of(CudaState& s) const {
    if (!s.kit) s.kit = std::make_unique<StreamBuffers>(net_, *plan_, row_floats_);
    return *s.kit;
  }

  // What playing needs for the first time, the driver loads or allocates then: kernels, their local
  // memory, the tap's way to the host. That belongs here and not into a generator's thread, nor
  // between Play and the first sound.
  void warm_up() {
    prepare_tap();
    CudaState state(state_plan_.size);
    CudaState other(state_plan_.size);
    std::vector<std::uint8_t> codes(2);
    std::vector<float> likelihoods(codes.size()), rows(row_floats_);
    std::vector<float> logits(codes.size() * static_cast<std::size_t>(net_.view().vocab));
    std::vector<LayerSummary> layers(net_.layers().size());
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
    copy(state, other);
    reset(state);
    request = {};
    request.codes = codes;
    Stream one{&other, request};
    for (std::size_t plan = 0; plan < alone_.size(); ++plan)
      play_alike({&one}, codes.size(), Batched::drawing, plan);
  }

  std::uint64_t stride(std::size_t tier) const {
    return static_cast<std::uint64_t>(strides_[tier]);
  }

  Launch launch_at(std::uint64_t position, int steps, bool drawing) const {
    Launch l{};
    l.net = net_.view();
    l.steps = steps;
    l.drawing = drawing ? 1 : 0;
    for (std::size_t s = 0; s < strides_.size(); ++s) {
      const std::uint64_t tier_step = position / stride(s);
      const int pool = net_.tiers()[s].pool;
      l.tiers[s].phase =
          pool > 0 ? static_cast<std::uint32_t>(tier_step % static_cast<std::uint64_t>(pool)) : 0;
      l.tiers[s].slot =
          static_cast<std::uint32_t>(tier_step % static_cast<std::uint64_t>(state_plan_.K));
    }
    return l;
  }

  static StreamArgs arguments(const CudaState& s, const GenerateRequest& r, std::size_t done) {
    StreamArgs a{};
    a.state = s.memory.data();
    a.rng_seed = r.rng_seed;
    a.rng_index = r.rng_index + done;
    a.temperature = r.sampling.temperature;
    a.top_k = r.sampling.top_k;
    a.top_p = r.sampling.top_p;
    return a;
  }

  // Launches kit.args[0] for `steps` steps.
  void run(CudaState& s, StreamBuffers& kit, int steps, bool drawing) const {
    const cudaStream_t stream = kit.stream.get();
    s.wait(stream);
    Launch launch = launch_at(s.at, steps, drawing);
    plan_->fill(launch);
    launch.streams = kit.args.data();
    launch.mail = kit.mail.data();
    launch.seq = kit.seq;
    kit.seq += plan_->exchanges(steps);
    plan_->launch(launch, 1, stream);
  }
  static void finish(CudaState& s, const StreamBuffers& kit) {
    MAMBO_CUDA(cudaStreamSynchronize(kit.stream.get()));
    s.rest();
  }

  // Steps of a tier in a launch of `steps` from `position`.
  int tier_steps(std::size_t tier, std::uint64_t position, int steps) const {
    return static_cast<int>((position + static_cast<std::uint64_t>(steps)) / stride(tier) -
                            position / stride(tier));
  }

  // ---- The eye ----------------------------------------------------------------------------------
  void begin_tap(DeltaTap* tap) const {
    if (tap == nullptr) return;
    tap->steps = 0;
    tap->first_step = 0;
    std::fill(tap->layers.begin(), tap->layers.end(), LayerSummary{});
  }
  void look(const CudaState& s, StreamBuffers& kit, int steps, const DeltaTap& tap) const {
    const int n = static_cast<int>(net_.layers().size());
    for (std::size_t i = 0; i < net_.layers().size(); ++i) {
      const LayerDev& l = net_.layers()[i];
      kit.jobs[i] = {l.tap_at, l.dp, d_inner_[i],
                     tier_steps(static_cast<std::size_t>(l.tier), s.at, steps)};
    }
    summarise_tap(kit.tap.data(), kit.jobs.data(), kit.device_jobs.data(), n,
                  tap.layer < n ? tap.layer : -1, kit.results.data(), kit.rows.data(),
                  kit.stream.get());
  }
  void add_tap(const CudaState& s, const StreamBuffers& kit, int, DeltaTap& tap) const {
    for (std::size_t i = 0; i < tap.layers.size() && i < net_.layers().size(); ++i)
      tap.layers[i].add(kit.results[i]);
    if (tap.layer < 0 || tap.layer >= static_cast<int>(net_.layers().size())) return;
    const auto i = static_cast<std::size_t>(tap.layer);
    const auto width = static_cast<std::size_t>(d_inner_[i]);
    const std::size_t room = tap.delta.size() / width - static_cast<std::size_t>(tap.steps);
    const std::size_t rows = std::min(room, static_cast<std::size_t>(kit.jobs[i].steps));
    if (rows > 0 && tap.steps == 0)
      tap.first_step = s.at / stride(static_cast<std::size_t>(net_.layers()[i].tier));
    std::copy_n(kit.rows.data(), rows * width,
                tap.delta.begin() +
                    static_cast<std::ptrdiff_t>(static_cast<std::size_t>(tap.steps) * width));
    tap.steps += static_cast<int>(rows);
  }

  // ---- Many -------------------------------------------------------------------------------------
  enum class Batched : std::uint8_t { drawing, silence };

  // Few streams have an SM each; many share SMs, no more to each than it takes to keep all busy.
  std::size_t plan_for(std::size_t streams) const {
    std::size_t plan = 0;
    while (plan + 1 < alone_.size() &&
           streams > static_cast<std::size_t>(alone_[plan]->together() * device_.sms))
      ++plan;
    return plan;
  }

  // Streams at one position go on by `length` steps: they draw, or they absorb the silence that
  // generation from nothing begins with (one step).
  void play_alike(const std::vector<Stream*>& group, std::size_t length, Batched what,
                  std::size_t which) const {
    const bool drawing = what == Batched::drawing;
    const StepPlan& plan = *alone_[which];
    const auto each = static_cast<std::size_t>(plan.together());
    const std::size_t ctas = (group.size() + each - 1) / each;
    const auto sms = static_cast<std::size_t>(std::max(1, device_.sms));
    const std::size_t waves = (ctas + sms - 1) / sms;
    Batch& b = batch_for(ctas * each);
    LaunchLength& launch_length = b.launch_length[which];
    const cudaStream_t stream = b.stream.get();
    for (Stream* s : group) mine(*s->state).wait(stream);
    for (std::size_t done = 0; done < length;) {
      const std::size_t n = launch_length.steps(length - done, waves);
      const LaunchLength::Clock::time_point begin = LaunchLength::Clock::now();
      const std::uint64_t position = mine(*group.front()->state).at;
      for (std::size_t i = 0; i < ctas * each; ++i) {
        const bool real = i < group.size();
        const CudaState& s = real ? mine(*group[i]->state) : *b.idle[i - group.size()];
        b.args[i] = arguments(s, real ? group[i]->request : group.front()->request, done);
        if (drawing)
          b.args[i].codes = b.device_codes.data() + i * kMaxSteps;
        else
          b.args[i].forced = b.silence.data();
      }
      MAMBO_CUDA(cudaMemcpyAsync(b.device_args.data(), b.args.data(),
                                 ctas * each * sizeof(StreamArgs), cudaMemcpyHostToDevice, stream));
      Launch launch = launch_at(position, static_cast<int>(n), drawing);
      plan.fill(launch);
      launch.streams = b.device_args.data();
      plan.launch(launch, static_cast<int>(ctas), stream);
      if (drawing)
        MAMBO_CUDA(cudaMemcpyAsync(b.codes.data(), b.device_codes.data(), group.size() * kMaxSteps,
                                   cudaMemcpyDeviceToHost, stream));
      MAMBO_CUDA(cudaStreamSynchronize(stream));
      launch_length.took(n, begin, waves);
      for (std::size_t i = 0; i < group.size(); ++i) {
        CudaState& s = mine(*group[i]->state);
        if (drawing)
          std::copy_n(b.codes.data() + i * kMaxSteps, n,
                      group[i]->request.codes.begin() + static_cast<std::ptrdiff_t>(done));
        s.rest();
        s.at += n;
      }
      done += n;
    }
  }

  Batch& batch_for(std::size_t slots) const {
    if (!batch_) batch_ = std::make_unique<Batch>(2 * alone_.front()->estimate_us());
    Batch& b = *batch_;
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
    while (b.idle.size() + 1 < static_cast<std::size_t>(alone_.back()->together()))
      b.idle.push_back(std::make_unique<CudaState>(state_plan_.size));
    return b;
  }

  // Visits every run of n floats: (place in StateLayout, place in the stream's memory, n).
  template <class F>
  void exchange(std::uint64_t position, F f) const {
    const auto K = static_cast<std::uint64_t>(state_plan_.K);
    for (std::size_t i = 0; i < state_plan_.layers.size(); ++i) {
      const StatePlan::Layer& l = state_plan_.layers[i];
      const std::uint64_t steps = position / stride(static_cast<std::size_t>(l.tier));
      for (std::uint64_t k = 0; k + 1 < K; ++k) {  // the ring repeats, so + 1 is the oldest
        f(layout().layers[i].conv + k * static_cast<std::uint64_t>(l.d_inner),
          l.conv + (steps + 1 + k) % K * static_cast<std::uint64_t>(l.dp), l.d_inner);
      }
      const auto states = static_cast<std::size_t>(l.states);
      const std::size_t part = static_cast<std::size_t>(l.d_inner) * states;  // s4d: all real parts
      for (std::size_t c = 0; c < static_cast<std::size_t>(l.d_inner); ++c) {
        const std::size_t outside = layout().layers[i].h + c * states;
        const std::size_t here = l.h + c * static_cast<std::size_t>(l.hp);
        if (l.mixer == Mixer::s6) {
          f(outside, here, l.states);
          continue;
        }
        for (std::size_t m = 0; m < states; ++m) {
          f(outside + m, here + 2 * m, 1);
          f(outside + part + m, here + 2 * m + 1, 1);
        }
      }
    }
    for (std::size_t i = 0; i < state_plan_.pools.size(); ++i) {
      const StatePlan::Pool& p = state_plan_.pools[i];
      for (int r = 0; r < p.pool; ++r) {
        const auto from = static_cast<std::size_t>(r) * static_cast<std::size_t>(p.width);
        const auto to = static_cast<std::size_t>(r) * static_cast<std::size_t>(p.wp);
        f(layout().pools[i].group + from, p.group + to, p.width);
        f(layout().pools[i].up + from, p.up + to, p.width);
      }
    }
    f(layout().logits, state_plan_.logits, state_plan_.vocab);
  }

  DeviceFacts device_;
  StatePlan state_plan_;
  DeviceNetwork net_;
  std::unique_ptr<StepPlan> plan_;
  std::vector<std::unique_ptr<StepPlan>> alone_;  // one stream an SM, four, eight: what can be
  Prefill prefill_;
  std::vector<int> strides_, d_inner_;
  std::size_t row_floats_ = 1;

  mutable std::mutex staging_mutex_, batch_mutex_;
  PinnedBuffer<float> staging_;
  StreamHandle staging_stream_{Urgency::playing};  // small copies, which somebody waits for
  mutable std::unique_ptr<Batch> batch_;
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
