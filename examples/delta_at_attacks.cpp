// Absorbs a clip and prints how the selectivity delta of each layer rises at attacks:
//   delta_at_attacks MODEL.safetensors CLIP
// Delta is how much of its state a layer overwrites at a step. An attack here is a block of 32 ms
// that is at least 6 dB louder than the one before it, and not quiet.
#include <cmath>
#include <cstdio>
#include <exception>
#include <vector>

#include "app/files/audio_file.h"
#include "app/files/codes.h"
#include "kernels/engine.h"
#include "model/model.h"
#include "model/voice.h"

constexpr int block = 512;  // samples

// The mean of delta per layer and block, from the rows that prefill hands over, one per step.
struct DeltaOfBlocks : mambo::PrefillSink {
  const mambo::NetworkView& net;
  std::vector<std::vector<double>> sum, count;  // [layer][block]; the mean is their quotient
  explicit DeltaOfBlocks(const mambo::NetworkView& n) : net(n) {}
  bool wants_layer(int /*layer*/) const override { return true; }
  void layer(int l, std::uint64_t first, int rows, const float* delta, const float* /*B*/,
             const float* /*C*/) override {
    const auto& tier = net.tiers.at(net.layers.at(l).tier);
    for (int r = 0; r < rows; ++r) {
      const std::uint64_t sample = (first + r + 1) * tier.stride - 1;  // the one after which it is
      for (int c = 0; c < tier.d_inner; ++c) sum[l].at(sample / block) += *delta++;
      count[l].at(sample / block) += tier.d_inner;
    }
  }
};

int main(int argc, char** argv) try {
  if (argc != 3) throw mambo::Error("expected MODEL CLIP");
  const auto model = mambo::Model::load(argv[1]);
  const auto engine = mambo::make_engine(model->network());
  const auto clip = mambo::load_clip(argv[2], model->config().sample_rate);
  const std::size_t blocks = clip.samples.size() / block, layers = model->network().layers.size();

  DeltaOfBlocks delta(model->network());
  delta.sum.assign(layers, std::vector<double>(blocks + 1));
  delta.count = delta.sum;
  mambo::Voice(*engine).prefill(mambo::encode(clip.samples, model->config().encoding), &delta);

  std::vector<double> power(blocks), rise(layers);  // rise: sum of ln(delta at / before an attack)
  for (std::size_t i = 0; i < blocks * block; ++i)
    power[i / block] += clip.samples[i] * clip.samples[i] / block;
  std::size_t attacks = 0, rising = 0;
  for (std::size_t b = 1; b < blocks; ++b) {
    if (power[b] < 4 * power[b - 1] || power[b] < 1e-4) continue;
    ++attacks;
    for (std::size_t l = 0; l < layers; ++l)
      rise[l] += std::log(delta.sum[l][b] / delta.count[l][b]) -
                 std::log(delta.sum[l][b - 1] / delta.count[l][b - 1]);
  }
  std::printf("%zu attacks in %.1f s\n", attacks, clip.seconds());
  for (std::size_t l = 0; l < layers && attacks > 0; ++l) {
    const double ratio = std::exp(rise[l] / static_cast<double>(attacks));
    std::printf("layer %2zu: delta x %.2f at an attack\n", l, ratio);
    if (ratio > 1) ++rising;
  }
  std::printf("delta rises at attacks in %zu of %zu layers\n", rising, layers);
  return 2 * rising > layers ? 0 : 1;
} catch (const std::exception& e) {
  std::fprintf(stderr, "delta_at_attacks: %s\n", e.what());
  return 1;
}
