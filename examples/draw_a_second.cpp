// Draws one second of sound from a model and writes it to a WAV file:
//   draw_a_second MODEL.safetensors OUT.wav
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <vector>

#include "app/files/audio_file.h"
#include "app/files/codes.h"
#include "kernels/engine.h"
#include "model/model.h"
#include "model/voice.h"

int main(int argc, char** argv) try {
  if (argc != 3) throw mambo::Error("expected MODEL OUT.wav");
  const auto model = mambo::Model::load(argv[1]);            // header and shapes, checked
  const auto engine = mambo::make_engine(model->network());  // weights on the best device
  const int rate = model->config().sample_rate;

  mambo::Voice voice(*engine);  // a state at zero, and its random stream
  voice.set_sampling(model->config().sampling);
  voice.set_rng(1);  // another random seed, another second
  std::vector<std::uint8_t> codes(static_cast<std::size_t>(rate));
  voice.generate(codes);

  const auto table = mambo::decode_table(model->config().encoding);
  std::vector<float> samples;
  double energy = 0;
  for (const std::uint8_t code : codes) {
    samples.push_back(table[code]);
    energy += table[code] * table[code];
  }
  mambo::WriterOptions format;  // WAV, 16 bits
  format.rate = rate;
  format.replace = {mambo::is_own_sound, "mambo"};  // of what may lie there
  mambo::AudioWriter out(argv[2], format);
  out.write(samples);
  out.close();
  std::printf("%s: %llu samples, %.1f dBFS\n", argv[2],
              static_cast<unsigned long long>(out.file_frames()), 10 * std::log10(energy / rate));
} catch (const std::exception& e) {
  std::fprintf(stderr, "draw_a_second: %s\n", e.what());
  return 1;
}
