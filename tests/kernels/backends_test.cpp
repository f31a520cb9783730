// Which engine is chosen, and the message when it is not the best one.
#include <gtest/gtest.h>

#include <chrono>

#include "tests/kernels/support.h"

#if MAMBO_HAS_CUDA
#include "kernels/cuda/engine.h"
#endif

namespace mambo::testing {
namespace {

ComputeDevice device(Backend backend, const char* name, const char* reason = "") {
  ComputeDevice d;
  d.backend = backend;
  d.name = name;
  d.reason = reason;
  d.usable = d.reason.empty();
  return d;
}
const ComputeDevice cpu = device(Backend::cpu, "CPU of two cores");
const ComputeDevice gpu = device(Backend::cuda, "Big GPU");

std::string name_of(const ComputeDevice& d) { return d.name; }

std::string error_of(const std::vector<ComputeDevice>& devices, const std::string& backend) {
  try {
    choose(devices, backend, nullptr, name_of);
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

TEST(Choice, AutoTakesTheBest) {
  std::string notice = "of before";
  EXPECT_EQ(choose(std::vector{gpu, cpu}, "auto", &notice, name_of), "Big GPU");
  EXPECT_EQ(notice, "");
  EXPECT_EQ(choose(std::vector{cpu, gpu}, "cuda", &notice, name_of), "Big GPU");
  EXPECT_EQ(choose(std::vector{gpu, cpu}, "cpu", &notice, name_of), "CPU of two cores");
}

TEST(Choice, AutoSaysNothingWhereThereIsNoGpu) {
  std::string notice;
  const auto none = device(Backend::cuda, "", "no NVIDIA driver is installed");
  EXPECT_EQ(choose(std::vector{cpu, none}, "auto", &notice, name_of), "CPU of two cores");
  EXPECT_EQ(notice, "");
}

TEST(Choice, AutoSaysWhyAGpuThatIsThereIsNotUsed) {
  std::string notice;
  const auto old = device(Backend::cuda, "Old GPU", "compute capability 6.1, expected 7.5 or more");
  EXPECT_EQ(choose(std::vector{cpu, old}, "auto", &notice, name_of), "CPU of two cores");
  EXPECT_EQ(notice,
            "Old GPU cannot be used: compute capability 6.1, expected 7.5 or more; computing on "
            "the CPU of two cores");
}

TEST(Choice, AutoGoesOnWhenADeviceRefuses) {
  std::string notice;
  int tries = 0;
  const auto refuse = [&](const ComputeDevice& d) -> std::string {
    ++tries;
    if (d.backend == Backend::cuda) throw DeviceError("out of memory");
    return d.name;
  };
  EXPECT_EQ(choose(std::vector{gpu, gpu, cpu}, "auto", &notice, refuse), "CPU of two cores");
  EXPECT_EQ(tries, 2) << "of each backend only the best device";
  EXPECT_EQ(notice, "Big GPU refused: out of memory; computing on the CPU of two cores");
  // A backend asked for by name has no fallback.
  EXPECT_THROW(choose(std::vector{gpu, cpu}, "cuda", &notice, refuse), DeviceError);
  // And with no device left, one error with all reasons.
  EXPECT_THROW(choose(std::vector{gpu}, "auto", nullptr, refuse), Error);
  // An error in the network is an error on every device.
  const auto bad = [&](const ComputeDevice&) -> std::string { throw Error("bad network"); };
  EXPECT_THROW(choose(std::vector{gpu, cpu}, "auto", &notice, bad), Error);
}

TEST(Choice, WhatIsAskedForByNameAndNotUsableSaysWhy) {
  EXPECT_EQ(error_of({cpu, device(Backend::cuda, "", "no NVIDIA driver is installed")}, "cuda"),
            "backend 'cuda' cannot be used: no NVIDIA driver is installed (usable here: cpu)");
  EXPECT_EQ(error_of({cpu, device(Backend::cuda, "Old GPU", "too old"),
                      device(Backend::cuda, "Tiny", "small")},
                     "cuda"),
            "backend 'cuda' cannot be used: Old GPU: too old; Tiny: small (usable here: cpu)");
  EXPECT_EQ(error_of({cpu}, "abacus"),
            "backend 'abacus' cannot be used: there is no such backend (usable here: cpu)");
}

TEST(Backend, UnknownNameSaysWhatIsThere) {
  const RandomNetwork network(shapes()[0]);
  try {
    make_engine(network.view(), "abacus");
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("abacus"), std::string::npos);
    EXPECT_NE(std::string(e.what()).find("usable here: "), std::string::npos);
  }
}

TEST(Backend, TheDevicesAreToldQuicklyAndEachHasItsReason) {
  const auto start = std::chrono::steady_clock::now();
  const std::vector<ComputeDevice> devices = compute_devices();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(3));
  bool cpu_told = false;
  bool cuda_told = false;
  bool usable_before = true;
  for (const ComputeDevice& d : devices) {
    cpu_told = cpu_told || d.backend == Backend::cpu;
    cuda_told = cuda_told || d.backend == Backend::cuda;
    EXPECT_EQ(d.reason.empty(), d.usable)
        << backend_name(d.backend) << " " << d.name << ": " << d.reason;
    EXPECT_TRUE(usable_before || !d.usable) << "what is usable comes first";
    usable_before = d.usable;
  }
  EXPECT_TRUE(cpu_told);
  EXPECT_TRUE(cuda_told);
}

TEST(Backend, CudaOrTheReasonWhyNot) {
  const RandomNetwork network(shapes()[0]);
  const auto devices = compute_devices();
  const bool usable = std::any_of(devices.begin(), devices.end(), [](const ComputeDevice& d) {
    return d.backend == Backend::cuda && d.usable;
  });
  if (usable) {
    const std::string text = make_engine(network.view(), "cuda")->description();
    EXPECT_EQ(text.rfind("CUDA, ", 0), 0U) << text;
    EXPECT_EQ(describe_engine(network.view()), text) << "auto takes it";
    const auto first = std::find_if(devices.begin(), devices.end(), [](const ComputeDevice& d) {
      return d.backend == Backend::cuda;
    });
    EXPECT_NE(text.find(first->name), std::string::npos) << "the first of those that are listed";
    return;
  }
  try {
    make_engine(network.view(), "cuda");
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find(reason_against(devices, "cuda")), std::string::npos);
  }
#if MAMBO_HAS_CPU
  EXPECT_EQ(describe_engine(network.view()).rfind("CPU, ", 0), 0U);
#endif
}

#if MAMBO_HAS_CUDA
// Before a device is looked for: so on every machine. More states would be written past the end.
std::string cuda_refusal(const Shape& shape) {
  const RandomNetwork network(shape);
  try {
    cuda::make_cuda_engine(network.view(), {});
  } catch (const DeviceError& e) {
    return e.what();
  }
  return "";
}
TEST(Backend, CudaRefusesMoreStatesThanItHolds) {
  Shape selective = shapes()[0];
  Shape invariant = s4d_shapes()[1];
  for (const int states : {65, 128}) {
    selective.N = states;
    invariant.M = {states};
    const std::string found = std::to_string(states) + ": the CPU runs more";
    EXPECT_EQ(cuda_refusal(selective),
              "d_state: expected at most 64 states a channel, which the CUDA engine runs, found " +
                  found);
    EXPECT_EQ(cuda_refusal(invariant),
              "layer down.0.0: expected at most 64 complex states a channel, which the CUDA engine "
              "runs, found " +
                  found);
  }
}
#endif

TEST(Backend, TheDescriptionIsTheEngines) {
  const RandomNetwork network(shapes()[1]);
  for (const std::string& backend : backends_under_test()) {
    for (const WeightStorage storage : {WeightStorage::half, WeightStorage::f32}) {
      const EngineOptions options{storage, 3, {}};
      const auto engine = engine_or_skip(network.view(), backend, options);
      if (engine == nullptr) continue;
      EXPECT_EQ(describe_engine(network.view(), backend, options), engine->description());
      EXPECT_EQ(backend_name(engine->backend()), backend);
      EXPECT_GE(engine->streams_at_once(), 1);
    }
  }
}

TEST(RandomNetwork, NamedShapesAreThoseOfThePublishedModels) {
  EXPECT_EQ(RandomNetwork(named_shape("piano")).parameters(), 3557184U - 256U);  // no head bias
  for (const std::string& name : shape_names()) EXPECT_EQ(named_shape(name).name, name);
  EXPECT_THROW(named_shape("cube"), Error);
  const RandomNetwork s4d(named_shape("piano-s4d"));
  for (const LayerView& l : s4d.view().layers)
    EXPECT_EQ(l.mixer(), l.tier == 0 ? Mixer::s4d : Mixer::s6) << l.name;
}

}  // namespace
}  // namespace mambo::testing
