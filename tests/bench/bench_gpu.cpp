// The table of `mambo bench all --backend cuda` where the program cannot be built, because the
// libraries for sound and text are missing: bench_gpu [MODEL] [--weights f32] [--plan P]. Without a
// model: random weights of the shipped model's shape.
#include <cstdio>
#include <cstring>
#include <memory>

#include "kernels/random_network.h"
#include "model/bench.h"
#include "model/model.h"

namespace {

int run(int argc, char** argv) {
  using namespace mambo;
  EngineOptions options;
  std::string path;
  for (int i = 1; i < argc; ++i) {
    const bool more = i + 1 < argc;
    if (std::strcmp(argv[i], "--weights") == 0 && more)
      options.storage =
          std::strcmp(argv[++i], "f32") == 0 ? WeightStorage::f32 : WeightStorage::half;
    else if (std::strcmp(argv[i], "--plan") == 0 && more)
      options.plan = argv[++i];
    else
      path = argv[i];
  }
  BenchSubject subject{};
  std::shared_ptr<const Model> model;
  std::unique_ptr<RandomNetwork> random;
  if (path.empty()) {
    random = std::make_unique<RandomNetwork>(named_shape("piano"));
    subject.net = random->view();
    subject.name = "piano (random weights)";
  } else {
    model = Model::load(path);
    subject.net = model->network();
    subject.name = model->config().name;
    subject.sample_rate = model->config().sample_rate;
  }
  const auto engine = make_engine(subject.net, "cuda", options);
  subject.engine = engine.get();
  std::printf("%s, %s\n", subject.name.c_str(), engine->description().c_str());
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
