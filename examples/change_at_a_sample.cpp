// Changes the temperature at one sample, exactly, and shows that nothing before it changed:
//   change_at_a_sample MODEL.safetensors SAMPLE TEMPERATURE
// A generate call has constant controls, so a change at a sample is a boundary between two calls.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <span>
#include <vector>

#include "kernels/engine.h"
#include "model/model.h"
#include "model/voice.h"

int main(int argc, char** argv) try {
  if (argc != 4) throw mambo::Error("expected MODEL SAMPLE TEMPERATURE");
  const auto model = mambo::Model::load(argv[1]);
  const auto engine = mambo::make_engine(model->network());
  const std::size_t length = static_cast<std::size_t>(model->config().sample_rate);
  const std::size_t at = std::min<std::size_t>(std::strtoul(argv[2], nullptr, 10), length);

  mambo::Voice voice(*engine);
  voice.set_sampling(model->config().sampling);
  voice.set_rng(1);
  const mambo::Snapshot start = voice.snapshot();
  std::vector<std::uint8_t> plain(length), changed(length);
  voice.generate(plain);

  voice.restore(start);  // the same state, the same place in the random stream
  voice.generate(std::span(changed).first(at));
  mambo::SamplingParams sampling = voice.sampling();
  sampling.temperature = std::strtof(argv[3], nullptr);
  voice.set_sampling(sampling);
  voice.generate(std::span(changed).subspan(at));

  const auto differ = std::mismatch(plain.begin(), plain.end(), changed.begin()).first;
  const std::size_t first = static_cast<std::size_t>(differ - plain.begin());
  std::printf("changed at sample %zu, first difference at sample %zu of %zu\n", at, first, length);
  return first >= at && first < length ? 0 : 1;
} catch (const std::exception& e) {
  std::fprintf(stderr, "change_at_a_sample: %s\n", e.what());
  return 1;
}
