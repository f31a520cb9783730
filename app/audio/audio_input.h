// Sound that comes in, through PortAudio: the counterpart of audio_device.h.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "app/audio/audio_device.h"

namespace mambo {

// Input devices; channels are those that come in, latencies likewise. Empty: there are none, which
// is no error.
std::vector<AudioDeviceInfo> list_audio_inputs();

// What stands for the default input wherever one is named.
inline constexpr const char* kDefaultInput = "default";

// Throws Error unless `device` (not empty) means exactly one of them, or the default one.
void expect_audio_input(const std::string& device);

// What the device calls with sound. Audio thread: must not allocate, lock, wait, log or throw.
class AudioSink {
 public:
  virtual ~AudioSink() = default;
  // Before the first take, on the opening thread; may allocate. rate: Hz.
  virtual void prepare(double rate, int channels) = 0;
  // in: interleaved [frames][channels]; null: silence, the device had nothing.
  virtual void take(const float* in, int frames) noexcept = 0;
};

struct AudioInputRequest {
  std::string device;        // kDefaultInput, a name, or a part of one that is unique
  double latency_s = 0.02;   // suggested to the device
  double fallback_rate = 0;  // Hz, tried where the device's own does not open; 0: none
};

// An open input.
class AudioInput {
 public:
  virtual ~AudioInput() = default;  // stops; the sink is not called any more
  virtual std::string name() const = 0;
  virtual double rate() const = 0;
  virtual double latency_s() const = 0;                // as the device reports it
  virtual bool alive() const = 0;                      // false once the device was lost
  virtual std::uint64_t device_overflows() const = 0;  // reported by PortAudio's callback flags
};

// Throws Error when `request.device` names none or several of the inputs, or it does not open.
std::unique_ptr<AudioInput> open_audio_input(const AudioInputRequest& request, AudioSink& sink);

}  // namespace mambo
