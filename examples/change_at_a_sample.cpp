// Moves the temperature from one sample on, along a ramp, and shows that nothing before that sample
// changed and that the size of the calls does not matter:
//   change_at_a_sample MODEL.safetensors SAMPLE TEMPERATURE RAMP
// A generate call has constant controls. A track says how far the present values hold.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <span>
#include <vector>

#include "app/control/track.h"
#include "kernels/engine.h"
#include "model/model.h"
#include "model/voice.h"

using namespace mambo;

// Draws one second from silence, in calls of at most `chunk` samples.
static std::vector<std::uint8_t> draw(const Model& model, const Engine& engine, ControlTrack track,
                                      std::uint64_t chunk) {
  const SamplingParams& own = model.config().sampling;
  track.patch().set(ControlId::temperature, {own.temperature, 0});
  track.patch().set(ControlId::top_k, {static_cast<double>(own.top_k), 0});
  track.patch().set(ControlId::top_p, {own.top_p, 0});
  Voice voice(engine);
  voice.set_rng(1);
  std::vector<std::uint8_t> codes(static_cast<std::size_t>(model.config().sample_rate));
  for (std::uint64_t at = 0; at < codes.size();) {
    track.take_up(at);
    const std::uint64_t end = std::min({at + chunk, track.next_boundary(at), codes.size()});
    voice.set_sampling(track.patch().sampling());
    voice.generate(std::span(codes).subspan(at, end - at));
    at = end;
  }
  return codes;
}

int main(int argc, char** argv) try {
  if (argc != 5) throw Error("expected MODEL SAMPLE TEMPERATURE RAMP");
  const auto model = Model::load(argv[1]);
  const auto engine = make_engine(model->network());
  ControlEvent event;
  event.id = ControlId::temperature;
  event.at = std::strtoul(argv[2], nullptr, 10);
  event.value.real = std::strtod(argv[3], nullptr);
  event.ramp = static_cast<std::uint32_t>(std::strtoul(argv[4], nullptr, 10));
  ControlTrack moved(1);
  moved.add(event);

  const auto plain = draw(*model, *engine, ControlTrack(), 256);
  const auto changed = draw(*model, *engine, moved, 256);
  const bool same = changed == draw(*model, *engine, moved, 100);
  const auto differ = std::mismatch(plain.begin(), plain.end(), changed.begin()).first;
  const std::uint64_t first = static_cast<std::uint64_t>(differ - plain.begin());
  std::printf("first difference at sample %llu; calls of 100 and of 256 samples draw %s\n",
              static_cast<unsigned long long>(first), same ? "the same" : "other samples");
  return same && first >= event.at && first < plain.size() ? 0 : 1;
} catch (const std::exception& e) {
  std::fprintf(stderr, "change_at_a_sample: %s\n", e.what());
  return 1;
}
