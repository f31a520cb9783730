// Whether what is drawn has gone astray: fallen silent, turned to noise, or stuck in a tone.
//
// Looked at in blocks of about a quarter of a second, each of some eight spectra:
//   silence  the block's level is below -60 dBFS
//   noise    it is louder than -50 dBFS, its spectrum flatter than music is (geometric by
//   arithmetic
//            mean of the power; white noise has 0.56), and, where that is told, the model is unsure
//            of what comes next
//   drone    it sounds, and from 250 Hz to 5 kHz its spectrum differs from the block's before by
//            less than 3 dB in the mean
// and trouble where that lasts for longer than its limit. train/judge/sound.py judges files in the
// same sense. Cost per sample: of a spectrum of 512 samples, some 20 ns; no allocation once
// prepared. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace mambo {

enum class Trouble : std::uint8_t { none, silence, noise, drone };
inline constexpr std::size_t kTroubles = 4;
const char* trouble_name(Trouble t);  // "silence"

// How long each may last, s, and what counts as noise.
struct TroubleLimits {
  double silence_s = 10, noise_s = 4, drone_s = 8;
  double flatness = 0.35;  // noise is flatter
  double unsure_bits = 3;  // mean entropy of the draws, of noise at least
  bool operator==(const TroubleLimits&) const = default;
};

class TroubleMeter {
 public:
  TroubleMeter();
  ~TroubleMeter();
  TroubleMeter(TroubleMeter&&) noexcept;
  TroubleMeter& operator=(TroubleMeter&&) noexcept;

  void prepare(double rate, const TroubleLimits& limits);  // Hz. Allocates; forgets
  void reset();                                            // a block begins; nothing was heard yet
  std::size_t to_boundary() const;                         // samples until the block is complete

  // At most to_boundary() samples. entropy: nats, of the distribution that each was drawn from; or
  // empty. True: a block is complete, and the following are of it.
  bool hear(std::span<const float> samples, std::span<const float> entropy = {});
  Trouble trouble() const { return trouble_; }
  double lasted_s() const { return lasted_s_; }  // that trouble, so far
  // Nothing of the kind has even begun.
  bool is_well() const;

  struct Block {
    double level_db = -120, flatness = 0, change_db = 0;
    double bits = -1;  // entropy; < 0: not told
    bool silent = false, noise = false, still = false;
  };
  const Block& block() const { return block_; }
  double block_s() const { return block_s_; }

 private:
  struct Plan;
  void transform();
  void complete();

  TroubleLimits limits_;
  std::unique_ptr<Plan> plan_;
  std::size_t size_ = 512, frames_ = 8;  // samples of a spectrum; spectra of a block
  std::size_t first_bin_ = 0, end_bin_ = 0;
  double block_s_ = 0.25;
  std::size_t filled_ = 0, frame_ = 0;
  double squares_ = 0, entropy_ = 0, flat_ = 0, weight_ = 0;
  std::size_t told_ = 0;
  bool has_before_ = false;
  double silent_s_ = 0, noise_s_ = 0, still_s_ = 0;
  Trouble trouble_ = Trouble::none;
  double lasted_s_ = 0;
  Block block_;
};

// Limits for what goes on from this clip: what the clip itself does is no trouble. `least` holds
// where the clip gives no reason for more. Allocates; 20 us per second of sound or so.
TroubleLimits limits_beside(std::span<const float> clip, double rate, const TroubleLimits& least);

}  // namespace mambo
