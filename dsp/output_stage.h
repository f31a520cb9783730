// The audio callback's work: samples at the model's rate out of the ring, freed of a constant
// offset, brought to the clip's loudness where that is wanted, faded where the stream is
// interrupted, converted to the device's rate, levelled, held below a ceiling where it is noise,
// limited, copied to all channels.
//
// Interruptions never click. The stage always keeps enough of the ring in reserve to close with
// real samples: 5 ms of latency is the price. An underrun is counted whenever a playing stream has
// to close because the reserve is all that is left; starting, pausing and cutting do not count. The
// stage opens again when the ring holds refill() samples.
//
// Threads: prepare() while no render() runs; render() on the audio thread, wait-free, no
// allocation; everything else on any thread, wait-free.
#pragma once

#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "dsp/audition.h"
#include "dsp/dc_blocker.h"
#include "dsp/fader.h"
#include "dsp/latest.h"
#include "dsp/level_match.h"
#include "dsp/limiter.h"
#include "dsp/noise_ceiling.h"
#include "dsp/resampler.h"
#include "dsp/ring_buffer.h"

namespace mambo {

class OutputStage {
 public:
  // The ring outlives the stage; render() is its consumer. keeps_offset: sound that stands still is
  // meant to, which is for tests of what interrupts it.
  explicit OutputStage(RingBuffer<float>& ring, bool keeps_offset = false);

  // Hz. Throws std::invalid_argument when there is no conversion between the rates. The stage is
  // closed afterwards.
  void prepare(int model_rate, int device_rate, int channels);
  // out: interleaved [frames][channels].
  void render(float* out, std::size_t frames) noexcept;

  // Open or fade out; the contents of the ring stay.
  void set_playing(bool playing) { playing_.store(playing, std::memory_order_relaxed); }
  // Linear; reached within 20 ms.
  void set_gain(float gain) { gain_target_.store(gain, std::memory_order_relaxed); }
  // The loudness, LUFS, that what comes out of the ring is slowly brought to (dsp/level_match.h);
  // NaN: none, as it is.
  void set_match(float lufs) { match_target_.store(lufs, std::memory_order_relaxed); }
  // Of the last ten seconds out of the ring, before any gain; -infinity: silence, or too little.
  float heard_lufs() const { return heard_lufs_.load(std::memory_order_relaxed); }
  // Everything written before `index` (of RingBuffer::written) is faded out and discarded.
  void cut(std::uint64_t index) { cut_.store(index, std::memory_order_release); }
  std::uint64_t cut_index() const { return cut_.load(std::memory_order_acquire); }
  // Samples that the ring must hold before the stage opens.
  void set_refill(std::size_t samples) { refill_.store(samples, std::memory_order_relaxed); }

  // What is heard in place of the ring, which keeps what it has; also while nothing plays.
  Audition& audition() { return audition_; }
  const Audition& audition() const { return audition_; }

  bool is_closed() const { return closed_.load(std::memory_order_acquire); }
  std::uint64_t underruns() const { return underruns_.load(std::memory_order_relaxed); }
  // Samples at the model's rate: the reserve for closing; the largest demand of one render() so
  // far.
  std::size_t reserve() const { return reserve_.load(std::memory_order_relaxed); }
  std::size_t block() const { return block_.load(std::memory_order_relaxed); }
  // How long after its rendering the first frame of the next block is heard: of the device and what
  // lies behind it. The audio thread's, before render().
  void set_device_delay(double seconds) noexcept { device_delay_s_ = seconds; }
  // Of resampler and limiter.
  double latency_s() const { return latency_s_.load(std::memory_order_relaxed); }

  // Position after the last render(). For one reading thread.
  struct Place {
    std::uint64_t consumed = 0;  // RingBuffer::consumed after it
    std::int64_t when_ns = 0;    // steady_clock
    float fill = 0;              // samples in the ring when it began, averaged over some 50 calls
    // From when_ns until what the ring held behind `consumed` is heard, had it been rendered at
    // once: the block, device, resampler and limiter.
    double delay_s = 0;
  };
  const Place& place() { return place_.read(); }

 private:
  void pull(std::span<float> to) noexcept;     // at the model's rate
  void convert(std::span<float> to) noexcept;  // at the device's
  bool should_open() noexcept;
  float next(bool open) noexcept;

  static constexpr std::size_t piece = 256;  // frames per pass

  float shaped(float x) noexcept { return match_.process(keeps_offset_ ? x : dc_.process(x)); }

  RingBuffer<float>& ring_;
  const bool keeps_offset_;
  std::unique_ptr<Resampler> resampler_;
  DcBlocker dc_;  // before the fader: what fades out ends in silence
  LevelMatch match_;
  Fader fader_;
  Audition audition_;
  SmoothGain gain_;
  NoiseCeiling ceiling_;  // behind the level: what counts is what is heard
  Limiter limiter_;
  std::size_t channels_ = 1;
  std::vector<float> source_, mono_;
  std::size_t source_at_ = 0, source_end_ = 0;  // pulled, not yet resampled
  float last_ = 0;                              // the last sample out of the ring
  bool starved_ = true;                         // closing, or closed, until the ring is refilled
  bool cutting_ = false;                        // closing, to discard what is before cut_at_
  std::uint64_t cut_at_ = 0;
  float mean_fill_ = 0;
  double device_rate_ = 16000, device_delay_s_ = 0;

  std::atomic<bool> playing_{false};
  std::atomic<bool> closed_{true};
  std::atomic<float> gain_target_{1.0F};
  std::atomic<float> match_target_{NAN};
  std::atomic<float> heard_lufs_{-INFINITY};
  std::atomic<std::uint64_t> cut_{0};
  std::atomic<std::size_t> refill_{0};
  std::atomic<std::size_t> reserve_{0}, block_{0};
  std::atomic<std::uint64_t> underruns_{0};
  std::atomic<double> latency_s_{0};
  Latest<Place> place_;
};

}  // namespace mambo
