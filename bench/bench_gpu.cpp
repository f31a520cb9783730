// The table of `mambo bench all --backend cuda` where the program cannot be built, because the
// libraries for sound and text are missing:
//   bench_gpu [MODEL] [--shape NAME] [--weights f32] [--plan P] [--by-hand]
//             [--step SAMPLES | --prefill SAMPLES | --batch STREAMS]
// Without a model: random weights of a known shape, if not told otherwise piano-lab's. --step,
// --prefill and --batch (0 streams: what keeps the GPU busy) measure that alone, for a profiler to
// look at. --by-hand: with selectivity played by hand in every layer, in these three.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "bench/bench.h"
#include "kernels/random_network.h"
#include "model/model.h"

namespace {

int run(int argc, char** argv) {
  using namespace mambo;
  EngineOptions options;
  BenchSubject subject{};
  std::string path;
  std::string shape = "piano";
  int streams = -1;
  std::uint64_t samples = 0;
  std::uint64_t absorbed = 0;
  for (int i = 1; i < argc; ++i) {
    const bool more = i + 1 < argc;
    if (std::strcmp(argv[i], "--weights") == 0 && more)
      options.storage =
          std::strcmp(argv[++i], "f32") == 0 ? WeightStorage::f32 : WeightStorage::half;
    else if (std::strcmp(argv[i], "--plan") == 0 && more)
      options.cuda.plan = argv[++i];
    else if (std::strcmp(argv[i], "--by-hand") == 0)
      subject.by_hand = true;
    else if (std::strcmp(argv[i], "--batch") == 0 && more)
      streams = std::atoi(argv[++i]);
    else if (std::strcmp(argv[i], "--shape") == 0 && more)
      shape = argv[++i];
    else if (std::strcmp(argv[i], "--prefill") == 0 && more)
      absorbed = std::strtoull(argv[++i], nullptr, 10);
    else if (std::strcmp(argv[i], "--step") == 0 && more)
      samples = std::strtoull(argv[++i], nullptr, 10);
    else
      path = argv[i];
  }
  std::shared_ptr<const Model> model;
  std::unique_ptr<RandomNetwork> random;
  if (path.empty()) {
    random = std::make_unique<RandomNetwork>(named_shape(shape));
    subject.net = random->view();
    subject.name = shape + " (random weights)";
  } else {
    model = Model::load(path);
    subject.net = model->network();
    subject.name = model->config().name;
    subject.sample_rate = model->config().sample_rate;
  }
  const auto engine = make_engine(subject.net, backend_name(Backend::cuda), options);
  subject.engine = engine.get();
  std::printf("%s, %s\n", subject.name.c_str(), engine->description().c_str());
  if (samples > 0) {
    std::printf("%s\n", bench_line(bench_step(subject, samples, 0, {})).c_str());
    return 0;
  }
  if (absorbed > 0) {
    std::printf("%s\n", bench_line(bench_prefill(subject, absorbed, {})).c_str());
    return 0;
  }
  if (streams >= 0) {
    std::printf("%s\n", bench_line(bench_batch(subject, streams, 20000, {})).c_str());
    return 0;
  }
  bench_gpu_table(subject, options, {}, [](const BenchRow& row) {
    std::printf("%s\n", bench_line(row).c_str());
    std::fflush(stdout);
  });
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bench_gpu: %s\n", e.what());
    return 1;
  }
}
