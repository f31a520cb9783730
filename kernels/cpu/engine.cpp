#include "kernels/cpu/engine.h"

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cstring>
#include <exception>
#include <fstream>
#include <mutex>
#include <thread>

#include "kernels/cpu/network.h"
#include "kernels/cpu/prefill.h"
#include "kernels/cpu/step.h"
#include "kernels/cpu/team.h"
#include "kernels/usable_cores.h"

#if defined(__linux__)
#include <unistd.h>
#endif

namespace mambo::cpu {
namespace {

int threads_of(const EngineOptions& options) {
  return options.threads > 0 ? options.threads : usable_cores();
}

// Of `wanted` threads what the system lets this process have. Half of what there was room for,
// where it refuses some: a limit on memory counts their stacks, and the rest of the program needs
// some.
int available_threads(int wanted) {
  const int there = Team(wanted).size();
  return there < wanted ? std::max(1, there / 2) : wanted;
}

class CpuState final : public State {
 public:
  explicit CpuState(std::size_t floats) : memory(floats) {}
  std::uint64_t position() const override { return at; }
  AlignedBuffer<float> memory;
  std::uint64_t at = 0;
};

CpuState& mine(State& s) { return static_cast<CpuState&>(s); }
const CpuState& mine(const State& s) { return static_cast<const CpuState&>(s); }

class CpuEngine final : public Engine {
 public:
  CpuEngine(const NetworkView& view, const EngineOptions& options)
      : Engine(view),
        net_(view, options.storage),
        plan_(net_),
        description_(describe_cpu_engine(options)),
        threads_(available_threads(threads_of(options))) {}

  int threads() const { return threads_; }

  Backend backend() const override { return Backend::cpu; }
  std::string description() const override { return description_; }
  std::size_t weight_bytes() const override { return net_.weight_bytes; }
  std::size_t state_bytes() const override { return plan_.size * sizeof(float); }
  // One per thread has all of the gain of many, and few are under way at a time.
  int streams_at_once() const override { return threads_; }
  std::unique_ptr<State> make_state() const override {
    return std::make_unique<CpuState>(plan_.size);
  }

  void reset(State& state) const override {
    CpuState& s = mine(state);
    std::fill_n(s.memory.data(), plan_.persistent, 0.0F);
    s.at = 0;
  }

  void copy(const State& from, State& to) const override {
    std::memcpy(mine(to).memory.data(), mine(from).memory.data(), plan_.persistent * sizeof(float));
    mine(to).at = mine(from).at;
  }

  void prefill(State& state, std::span<const std::uint8_t> codes, PrefillSink* sink,
               const Selectivity* by_hand) const override {
    CpuState& s = mine(state);
    try {
      cpu::prefill(net_, plan_, s.memory.data(), s.at, codes, sink, in_use(by_hand), threads_);
    } catch (...) {
      reset(state);  // never half a chunk
      throw;
    }
  }

  void step(State& state, std::span<const std::uint8_t> codes,
            const Selectivity* by_hand) const override {
    const FlushSubnormals flush;
    CpuState& s = mine(state);
    advance(net_, plan_, s.memory.data(), s.at, codes, in_use(by_hand));
  }

  void forget(State& state, int layer, float factor) const override {
    const Layer& l = net_.layers[static_cast<std::size_t>(layer)];
    float* h = mine(state).memory.data() + plan_.layers[static_cast<std::size_t>(layer)].h;
    const auto floats = static_cast<std::size_t>(l.dp) * static_cast<std::size_t>(l.h_rows());
    for (std::size_t i = 0; i < floats; ++i) h[i] *= factor;
  }

  void generate(State& state, const GenerateRequest& request) const override {
    const FlushSubnormals flush;
    CpuState& s = mine(state);
    cpu::generate(net_, plan_, s.memory.data(), s.at, request);
  }

  void generate_many(std::span<Stream> streams) const override {
    // Streams are handed out one at a time: their costs differ little and the last ones even out.
    std::atomic<std::size_t> next{0};
    std::exception_ptr failure;
    std::mutex failure_mutex;
    const auto work = [&] {
      try {
        for (std::size_t i = next++; i < streams.size(); i = next++)
          generate(*streams[i].state, streams[i].request);
      } catch (...) {
        const std::lock_guard lock(failure_mutex);
        failure = std::current_exception();
      }
    };
    {
      const int threads = std::min<int>(threads_, static_cast<int>(streams.size()));
      const auto helpers = start_helpers(threads - 1, [&](int /*thread*/) { work(); });
      work();
    }
    if (failure) std::rethrow_exception(failure);
  }

  void read_state(const State& state, std::span<float> out) const override {
    assert(out.size() == layout().size);
    const CpuState& s = mine(state);
    exchange(s.at, [&](std::size_t external, std::size_t internal, int n) {
      std::copy_n(s.memory.data() + internal, n,
                  out.begin() + static_cast<std::ptrdiff_t>(external));
    });
    layout().clear_open_groups(out, s.at);
  }

  void write_state(State& state, std::span<const float> in, std::uint64_t position) const override {
    if (in.size() != layout().size) {
      throw Error("a state of " + std::to_string(layout().size) + " numbers was expected, found " +
                  std::to_string(in.size()));
    }
    CpuState& s = mine(state);
    reset(state);
    s.at = position;
    exchange(position, [&](std::size_t external, std::size_t internal, int n) {
      std::copy_n(in.begin() + static_cast<std::ptrdiff_t>(external), n,
                  s.memory.data() + internal);
    });
  }

 private:
  static const Selectivity* in_use(const Selectivity* by_hand) {
    return by_hand != nullptr && !by_hand->off() ? by_hand : nullptr;
  }

  // Visits every run of n floats: (place in StateLayout, place in the stream's memory, n).
  template <class F>
  void exchange(std::uint64_t position, F f) const {
    const auto K = static_cast<std::uint64_t>(net_.K);
    for (std::size_t i = 0; i < plan_.layers.size(); ++i) {
      const Layer& l = net_.layers[i];
      const std::uint64_t steps =
          position /
          static_cast<std::uint64_t>(net_.tiers[static_cast<std::size_t>(l.tier)].stride);
      for (std::uint64_t k = 0; k + 1 < K; ++k) {  // + K keeps it positive; the ring repeats
        f(layout().layers[i].conv + k * static_cast<std::uint64_t>(l.d_inner),
          plan_.layers[i].conv + (steps + 1 + k) % K * static_cast<std::uint64_t>(l.dp), l.d_inner);
      }
      const auto states = static_cast<std::size_t>(l.states);
      const auto parts = static_cast<std::size_t>(layout().layers[i].parts);
      for (std::size_t c = 0; c < static_cast<std::size_t>(l.d_inner); ++c) {
        for (std::size_t row = 0; row < states * parts; ++row) {
          const std::size_t n = row / parts;
          const std::size_t part = row % parts;
          f(layout().layers[i].h + (part * static_cast<std::size_t>(l.d_inner) + c) * states + n,
            plan_.layers[i].h + (c / kBlock * states * parts + row) * kBlock + c % kBlock, 1);
        }
      }
    }
    for (std::size_t i = 0; i < plan_.pools.size(); ++i) {
      const Tier& t = net_.tiers[i];
      for (int r = 0; r < t.pool; ++r) {
        f(layout().pools[i].group + static_cast<std::size_t>(r) * t.width,
          plan_.pools[i].group + static_cast<std::size_t>(r) * t.wp, t.width);
        f(layout().pools[i].up + static_cast<std::size_t>(r) * t.width,
          plan_.pools[i].up + static_cast<std::size_t>(r) * t.wp, t.width);
      }
    }
    f(layout().logits, plan_.logits, net_.vocab);
  }

  Network net_;
  StatePlan plan_;
  std::string description_;
  int threads_;
};

}  // namespace

std::unique_ptr<Engine> make_cpu_engine(const NetworkView& net, const EngineOptions& options,
                                        std::string& notice) {
  auto engine = std::make_unique<CpuEngine>(net, options);
  const int wanted = threads_of(options);
  if (engine->threads() < wanted) {
    notice = "the system lets this process have no " + std::to_string(wanted) +
             " threads (ulimit -u and -v): " + std::to_string(engine->threads()) + " are used";
  }
  return engine;
}

std::string describe_cpu_engine(const EngineOptions& options) {
  const int threads = threads_of(options);
  return std::string("CPU, ") + instruction_set() +
         (options.storage == WeightStorage::half ? ", bf16" : ", float32") + " weights, " +
         std::to_string(threads) + (threads == 1 ? " thread" : " threads");
}

ComputeDevice cpu_device() {
  ComputeDevice device;
  device.backend = Backend::cpu;
  device.name = "CPU";
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.rfind("model name", 0) != 0) continue;
    device.name = line.substr(std::min(line.size(), line.find(':') + 2));
    break;
  }
  device.capabilities =
      std::string(instruction_set()) + ", " + std::to_string(usable_cores()) + " threads";
#if defined(__linux__)
  device.memory_bytes = static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) *
                        static_cast<std::uint64_t>(sysconf(_SC_PAGE_SIZE));
#endif
  return device;
}

}  // namespace mambo::cpu
