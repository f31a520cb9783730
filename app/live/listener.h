// Hears an input device: meters it, keeps its last minute, and between the generator thread's
// orders (hearing.h) sends it what comes in, at the model's rate and in its codes, as clips are
// encoded.
//
// Silence before the first sound and behind the last one is not sent, and of one between them a
// second: what a model has heard last is what it goes on with, and of silence that is silence.
//
// The device's callback mixes to mono and writes a wait-free ring; a thread of the listener's own,
// which may allocate, does the rest every few milliseconds.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "app/audio/audio_input.h"
#include "app/files/rate_converter.h"
#include "app/live/hearing.h"
#include "app/live/session_status.h"
#include "app/live/status_board.h"
#include "dsp/ring_buffer.h"
#include "model/config.h"

namespace mambo {

// What the device calls. The rules of the audio callback hold for take().
class Ear final : public AudioSink {
 public:
  void prepare(double rate, int channels) override;
  void take(const float* in, int frames) noexcept override;

  // ---- One reading thread ----
  std::size_t read(std::span<float> to) { return ring_.read(to); }
  double rate() const { return rate_; }  // Hz; 0: not prepared
  std::uint64_t missing() const { return missing_.load(std::memory_order_relaxed); }  // frames

 private:
  static constexpr std::size_t kRoom = 1U << 16U;  // 1.4 s at 48 kHz
  RingBuffer<float> ring_{kRoom};
  double rate_ = 0;
  int channels_ = 1;
  std::atomic<std::uint64_t> missing_{0};
};

class Listener {
 public:
  using Open = std::function<std::unique_ptr<AudioInput>(const AudioInputRequest&, AudioSink&)>;
  static constexpr double kKept_s = 60;

  // open: empty: open_audio_input. hearing and board outlive it.
  Listener(Hearing& hearing, StatusBoard& board, Open open);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // ---- The worker thread ----
  // Closes what was open; empty: no more. What came in before is forgotten. Throws Error.
  void set_device(const std::string& name);
  void set_model(const Config& config);  // rate and encoding, from the next listening on
  // Writes the last minute as a new file, and says so. Throws Error.
  void keep(const std::filesystem::path& wanted);
  // A few times per second. True: the device was lost, which is said.
  bool watch();

  // ---- Any thread; a lock held for a copy of a name ----
  bool is_open() const { return open_; }
  void fill(InputStatus& status) const;

 private:
  void close();
  void run();
  void hear();              // under mutex_: what has come in
  void take_in(bool send);  // likewise: all of it that is there
  void send(std::span<const float> samples);
  void meter(std::span<const float> samples);

  Hearing& hearing_;
  StatusBoard& board_;
  const Open opener_;
  std::atomic<bool> open_{false}, stop_{false};
  std::atomic<float> peak_{0};
  std::atomic<double> kept_s_{0}, latency_s_{0};
  std::atomic<std::uint64_t> missing_{0};

  mutable std::mutex facts_mutex_;
  std::string name_;
  std::filesystem::path clip_;

  std::unique_ptr<AudioInput> input_;  // the worker's
  std::uint64_t said_missing_ = 0;     // likewise
  bool warned_ = false;                // likewise

  // Of the worker and the listener's thread, never of a callback.
  std::mutex mutex_;
  std::unique_ptr<Ear> ear_;
  std::vector<float> minute_;  // a ring, at the device's rate
  std::uint64_t minute_end_ = 0;
  double model_rate_ = 0;
  Encoding encoding_ = Encoding::mulaw8;
  std::unique_ptr<RateConverter> converter_;  // null: the rates are one
  unsigned seen_ = 0;                         // order
  bool sending_ = false;
  bool sounded_ = false;      // in the listening under way
  std::vector<float> quiet_;  // since the last sound, at the model's rate
  std::vector<float> block_, converted_, sound_;

  std::thread thread_;  // since the first device
};

}  // namespace mambo
