// One take while it is made: its voices are drawn a chunk at a time, and its files written.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "app/control/by_hand.h"
#include "app/control/guard.h"
#include "app/files/loudness.h"
#include "app/offline/render.h"
#include "app/offline/verdict.h"
#include "kernels/engine.h"

namespace mambo {

// Samples drawn between looks at stop(): some 25 ms of one core.
inline constexpr std::size_t chunk_samples = 2048;

int voices_of(const Take& take);  // that are drawn at once: 0, 1 or 2
// Whether its samples are kept until the last is drawn, a byte each: what is normalized is measured
// first, and what is judged may never be written.
bool is_held(const Take& take);

// What takes that are played by hand begin with: the network's layers, and the means of the clip.
struct HandStart {
  LayerMap layers;
  Selectivity selectivity;
};

// One thread, but for keep(). Allocates.
class TakeWriter {
 public:
  // What the takes of one clip have in common; outlives them.
  struct Clip {
    std::span<const std::uint8_t> codes;
    std::optional<double> lufs;  // of its end
    // For takes with a guard:
    const Engine* engine = nullptr;
    const State* end = nullptr;
    TroubleLimits limits;
    const HandStart* by_hand = nullptr;  // null: no take has values of layers
  };
  // Opens the files, unless the take is held. Throws Error.
  TakeWriter(const Take& take, const Clip& clip, RenderEvents& events);
  ~TakeWriter();
  TakeWriter(const TakeWriter&) = delete;
  TakeWriter& operator=(const TakeWriter&) = delete;

  // Opens and drops the first file, unless it is a stream. Throws Error when it cannot be written.
  static void try_out(const Take& take);

  const Take& take() const { return take_; }
  bool done() const { return left_ == 0; }
  // One state per voice, at the end of the clip; lent until it is done.
  void lend(State& state) { states_.push_back(&state); }
  std::span<State* const> states() const { return states_; }

  void add_streams(std::vector<Stream>& streams);  // what is to be drawn next
  void keep();                                     // what was drawn; throws Error (full disk)

  // A write failed, or an engine was lost: no file of this take is whole.
  void mark_broken() { broken_ = true; }
  void set_verdict(const Verdict& verdict) { verdict_ = verdict; }
  const Measure& measure() const { return measure_; }  // of a take in a contest

  // Completes the files, as long as they are, and writes their recipes. Returns how many there are.
  // The first error is thrown after all has been tried.
  std::uint64_t close(RenderEvents& events);

 private:
  struct File;
  struct Voice {
    std::uint64_t rng_seed = 0;
    std::vector<std::uint8_t> codes;  // of this chunk
    std::vector<std::uint8_t> held;   // all of them, of a held take
    std::vector<float> log_prob, entropy;
    std::unique_ptr<Guard> guard;     // none: it is not watched
    std::vector<float> samples;       // of this chunk, as the guard hears them
    std::vector<std::uint64_t> cuts;  // samples before which it was brought back
  };
  void open();
  void watch(std::size_t voice, std::size_t n);
  void write_held();
  void write_seed(File& file);
  void write_codes(File& file, std::size_t begin, std::size_t end, bool held);
  void finish(File& file, RenderEvents& events);
  void note_loudness(Recipe& recipe) const;

  const Take& take_;
  RenderEvents& events_;
  const Clip& clip_;
  ControlTrack track_;
  std::optional<Selectivity> selectivity_;  // of its voices
  ByHand by_hand_;
  std::array<float, 256> table_{};
  std::vector<Voice> voices_;
  std::vector<State*> states_;
  std::vector<std::unique_ptr<File>> files_;
  std::vector<float> block_;
  std::unique_ptr<LoudnessMeter> loudness_;  // of what is drawn
  Measure measure_;
  std::optional<Verdict> verdict_;
  std::vector<BroughtBack> brought_back_;
  std::uint64_t left_ = 0;  // samples of each voice
  std::uint64_t written_ = 0;
  bool broken_ = false;
};

}  // namespace mambo
