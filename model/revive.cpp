#include "model/revive.h"

#include <algorithm>
#include <vector>

namespace mambo {
namespace {

// From the zero state: absorbs the end of a stream of `end` samples, of which `tail` is the last
// part, and stands at its end. Whole steps of the innermost tier are left out, so that every tier's
// groups begin where they would.
void absorb_tail(Voice& voice, const NetworkView& net, std::span<const std::uint8_t> tail,
                 std::uint64_t end, PrefillSink* sink) {
  const auto stride = static_cast<std::uint64_t>(net.tiers.back().stride);
  const std::uint64_t left_out = std::min((end - tail.size() + stride - 1) / stride * stride, end);
  voice.prefill(tail.last(static_cast<std::size_t>(end - left_out)), sink);
  if (left_out == 0) return;
  const Engine& engine = voice.engine();
  std::vector<float> state(engine.layout().size);
  engine.read_state(voice.state(), state);
  engine.write_state(voice.state(), state, end);
}

}  // namespace

Snapshot revive(Voice& voice, const NetworkView& net, const Heard& heard, PrefillSink* of_clip,
                PrefillSink* of_drawn) {
  absorb_tail(voice, net, heard.clip_tail, heard.clip_samples, of_clip);
  Snapshot clip_end = voice.snapshot();
  if (heard.drawn.size() == heard.drawn_in_all) {
    if (!heard.drawn.empty()) voice.prefill(heard.drawn, of_drawn);
  } else {
    voice.reset();
    absorb_tail(voice, net, heard.drawn, heard.clip_samples + heard.drawn_in_all, of_drawn);
  }
  return clip_end;
}

}  // namespace mambo
