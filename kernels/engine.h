// The one seam between what plays and what computes. Everything above it speaks to Engine and State
// and does not know whether a CPU or a GPU runs; everything below it knows no files and no sound.
//
// An Engine is one network uploaded to one device: immutable, and shared by any number of threads.
// A State is one stream's memory: used by one thread at a time; reset, fork and snapshot are
// copies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kernels/error.h"
#include "kernels/network.h"
#include "kernels/observe.h"
#include "kernels/sampling.h"
#include "kernels/selectivity.h"
#include "kernels/state_layout.h"

namespace mambo {

enum class Backend : std::uint8_t { cpu, cuda };
const char* backend_name(Backend b);  // "cpu", "cuda": as options and recipes have it

enum class WeightStorage : std::uint8_t { half, f32 };  // half: bf16 on a CPU; sums are float32

// What only the CUDA engine reads. For tests and benchmarks: every choice draws the same samples.
struct CudaOptions {
  // How a step is shared out: "single" SM, "cluster" or "grid" of SMs; empty: chosen by the model's
  // size and the device.
  std::string plan;
  int prefill_chunk = 0;  // samples absorbed at a time at most; 0: chosen
};

struct EngineOptions {
  WeightStorage storage = WeightStorage::half;
  int threads = 0;  // for prefill and generate_many; 0: one per core
  CudaOptions cuda;
};

struct GenerateRequest {
  SamplingParams sampling;
  std::uint64_t rng_seed = 0;
  std::uint64_t rng_index = 0;    // counter of the first draw; draw i uses rng_index + i
  std::span<std::uint8_t> codes;  // out: as many as it is long
  std::span<float> log_prob;      // out, optional: ln p(drawn code) under the model (T = 1)
  std::span<float> entropy;       // out, optional: entropy of that distribution, nats
  std::span<float> logits;        // out, optional: [codes][V], the logits drawn from
  std::span<float> last_logits;   // out, optional: [V], those that the last code was drawn from
  DeltaTap* tap = nullptr;
  const Selectivity* by_hand = nullptr;  // of this network; null: as the network says
};

class State {
 public:
  virtual ~State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  virtual std::uint64_t position() const = 0;  // samples absorbed since the zero state
 protected:
  State() = default;
};

struct Stream {  // one of many in generate_many
  State* state;
  GenerateRequest request;
};

class Engine {
 public:
  virtual ~Engine() = default;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  virtual Backend backend() const = 0;
  // To be read by people: "CPU, AVX-512, bf16 weights, 2 threads".
  virtual std::string description() const = 0;
  virtual std::size_t weight_bytes() const = 0;
  virtual std::size_t state_bytes() const = 0;
  // How many streams generate_many is best given at once: what keeps the whole device busy.
  virtual int streams_at_once() const { return 64; }
  const StateLayout& layout() const { return layout_; }

  // Allocates. The zero state.
  virtual std::unique_ptr<State> make_state() const = 0;
  // Allocates what step and generate need beside the state: a state that is played alone, by a
  // thread that must not allocate, is prepared before. One that is kept, or played among many, does
  // without: on a GPU it takes megabytes.
  virtual void prepare(State& /*state*/) const {}
  // No allocation. Both states were made by this engine.
  virtual void reset(State& state) const = 0;
  virtual void copy(const State& from, State& to) const = 0;

  // Absorbs codes with all cores, from any state to the exact state that stepping would leave (up
  // to float rounding); may be cut anywhere. Allocates scratch bounded independently of the length.
  // by_hand: as in GenerateRequest.
  virtual void prefill(State& state, std::span<const std::uint8_t> codes,
                       PrefillSink* sink = nullptr, const Selectivity* by_hand = nullptr) const = 0;
  // Absorbs codes one step at a time, as generation does. One thread; no allocation once prepared.
  virtual void step(State& state, std::span<const std::uint8_t> codes,
                    const Selectivity* by_hand = nullptr) const = 0;
  // Draws request.codes.size() codes, absorbing each. One thread; no allocation once prepared, no
  // lock. A state at position 0 first absorbs `silence_code` (docs/model.md: generation from
  // nothing starts with it).
  virtual void generate(State& state, const GenerateRequest& request) const = 0;
  // The same for many streams with all cores; each gives the samples that generate would give it.
  virtual void generate_many(std::span<Stream> streams) const = 0;

  // Whether selectivity can be played by hand. Where it cannot, calls with a Selectivity that is
  // not off throw Error.
  virtual bool plays_by_hand() const { return true; }
  // h of the layer <- factor h. Here by way of read_state and write_state; an engine that can do it
  // in place allocates nothing.
  virtual void forget(State& state, int layer, float factor) const;

  // The state in the layout of StateLayout: between backends, to snapshots, to panels and tests.
  // read: no allocation; out.size() == layout().size.
  virtual void read_state(const State& state, std::span<float> out) const = 0;
  virtual void write_state(State& state, std::span<const float> in,
                           std::uint64_t position) const = 0;

 protected:
  explicit Engine(const NetworkView& net) : layout_(net) {}

 private:
  StateLayout layout_;
};

inline constexpr std::uint8_t silence_code = 128;

struct ComputeDevice {
  Backend backend = Backend::cpu;
  std::string name;          // "Intel Xeon ..., 2 cores"; empty: there is no such device here
  std::string capabilities;  // "AVX-512", "sm_90, 132 SMs"
  std::uint64_t memory_bytes = 0;
  bool usable = true;
  std::string reason;  // why not, when not usable
};

// What can compute on this machine, best first, and what cannot, each with the reason why not: a
// device that the driver refuses, a backend without a device, a backend left out of this build.
// Never throws.
std::vector<ComputeDevice> compute_devices();

// backend: "auto" (the best usable one), "cpu", "cuda". Throws Error in one sentence with the
// reason when it cannot be used. auto goes on to the next best device when one refuses
// (DeviceError: too little memory, say) and leaves one sentence about that in `notice`, which is
// empty otherwise; so does a CPU engine that the system lets have fewer threads than wanted. The
// network's bytes need to live only during the call.
std::unique_ptr<Engine> make_engine(const NetworkView& net, const std::string& backend = "auto",
                                    const EngineOptions& options = {},
                                    std::string* notice = nullptr);

// Engine::description() of the engine that make_engine would give. Uploads where only the upload
// tells (CUDA chooses its plan by model and device); on a CPU it costs nothing.
std::string describe_engine(const NetworkView& net, const std::string& backend = "auto",
                            const EngineOptions& options = {}, std::string* notice = nullptr);

}  // namespace mambo
