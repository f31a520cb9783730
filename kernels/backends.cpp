#include "kernels/backends.h"

#if MAMBO_HAS_CPU
#include "kernels/cpu/engine.h"
#endif
#if MAMBO_HAS_CUDA
#include "kernels/cuda/engine.h"
#endif

namespace mambo {
namespace {

[[maybe_unused]] ComputeDevice left_out(Backend backend, const char* reason) {
  ComputeDevice device;
  device.backend = backend;
  device.usable = false;
  device.reason = reason;
  return device;
}

}  // namespace

const char* backend_name(Backend b) {
  switch (b) {
    case Backend::cpu:
      return "cpu";
    case Backend::cuda:
      return "cuda";
  }
  return "?";
}

std::string usable_backends(std::span<const ComputeDevice> devices) {
  std::string names;
  std::optional<Backend> last;
  for (const ComputeDevice& d : devices) {
    if (!d.usable || d.backend == last) continue;
    last = d.backend;
    names += std::string(names.empty() ? "" : ", ") + backend_name(d.backend);
  }
  return names.empty() ? "nothing" : names;
}

std::string reason_against(std::span<const ComputeDevice> devices, const std::string& backend) {
  std::string reason;
  for (const ComputeDevice& d : devices) {
    if (backend_name(d.backend) != backend) continue;
    if (!reason.empty()) reason += "; ";
    if (!d.name.empty()) reason += d.name + ": ";
    reason += d.reason;
  }
  return reason.empty() ? "there is no such backend" : reason;
}

std::vector<ComputeDevice> compute_devices() {
  std::vector<ComputeDevice> devices;
#if MAMBO_HAS_CUDA
  devices = cuda::cuda_devices();
#endif
#if MAMBO_HAS_CPU
  devices.push_back(cpu::cpu_device());
#else
  devices.push_back(left_out(Backend::cpu, "this build has no CPU engine"));
#endif
#if !MAMBO_HAS_CUDA
  devices.push_back(left_out(Backend::cuda, "this build has no CUDA engine"));
#endif
  std::stable_partition(devices.begin(), devices.end(),
                        [](const ComputeDevice& d) { return d.usable; });
  return devices;
}

std::unique_ptr<Engine> make_engine(const NetworkView& net, const std::string& backend,
                                    const EngineOptions& options, std::string* notice) {
  std::string threads;
  auto engine =
      choose(compute_devices(), backend, notice,
             [&]([[maybe_unused]] const ComputeDevice& d) -> std::unique_ptr<Engine> {
#if MAMBO_HAS_CUDA
               if (d.backend == Backend::cuda) return cuda::make_cuda_engine(net, options);
#endif
#if MAMBO_HAS_CPU
               if (d.backend == Backend::cpu) return cpu::make_cpu_engine(net, options, threads);
#endif
               throw Error(std::string("no engine for backend '") + backend_name(d.backend) + "'");
             });
  if (notice != nullptr && !threads.empty()) *notice += (notice->empty() ? "" : "; ") + threads;
  return engine;
}

void Engine::forget(State& state, int layer, float factor) const {
  std::vector<float> all(layout_.size);
  read_state(state, all);
  const StateLayout::Layer& l = layout_.layers[static_cast<std::size_t>(layer)];
  for (std::size_t i = 0; i < l.h_size(); ++i) all[l.h + i] *= factor;
  write_state(state, all, state.position());
}

std::string describe_engine(const NetworkView& net, const std::string& backend,
                            const EngineOptions& options, std::string* notice) {
  return choose(compute_devices(), backend, notice,
                [&]([[maybe_unused]] const ComputeDevice& d) -> std::string {
#if MAMBO_HAS_CPU
                  if (d.backend == Backend::cpu) return cpu::describe_cpu_engine(options);
#endif
                  return make_engine(net, backend_name(d.backend), options)->description();
                });
}

}  // namespace mambo
