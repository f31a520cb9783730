// The sound card, through PortAudio: the only file pair that sees it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace mambo {

struct AudioDeviceInfo {
  std::string name;  // what --device takes: unique, "ALSA: pulse"
  std::string host_api;
  double default_rate = 0;
  double low_latency_s = 0, high_latency_s = 0;
  int channels = 0;  // most output channels
  bool is_default = false;
};

// Output devices. Empty where there is no sound card: not an error.
std::vector<AudioDeviceInfo> list_audio_devices();

// What tells that list_audio_devices may have something new to say: the kernel's sound devices and
// the sockets of sound servers on this machine, as text to be compared. Cheap: a folder is read, a
// few files are looked at. Any thread.
std::string sound_system_signs();

// Throws Error unless `device` (not empty) means exactly one of them, as open_audio understands it.
void expect_audio_device(const std::string& device);

// What the device calls for sound. Audio thread: must not allocate, lock, wait, log or throw.
// out: interleaved [frames][channels].
class AudioSource {
 public:
  virtual ~AudioSource() = default;
  // Before the first render, on the opening thread; may allocate.
  virtual void prepare(double device_rate, int channels, int max_frames) = 0;
  virtual void render(float* out, int frames) noexcept = 0;
  // Before each render: how long after this call its first frame is heard, as the device says, or
  // what lies behind it (a sound server's buffers). Seconds.
  virtual void heard_after(double /*seconds*/) noexcept {}
};

struct AudioDeviceRequest {
  std::string device;         // empty: the default; a part of a name is enough if it is unique
  double preferred_rate = 0;  // tried first (the model's own: then nothing is resampled)
  double latency_s = 0.04;    // suggested to the device
};

// An open output. Without any device, a silent clock: a timer thread that calls render in real time
// and discards the sound, so that the program keeps working and says so (is_silent()).
class AudioOutput {
 public:
  virtual ~AudioOutput() = default;  // stops
  virtual std::string name() const = 0;
  virtual double rate() const = 0;
  virtual int channels() const = 0;
  virtual double latency_s() const = 0;  // as the device reports it
  virtual bool is_silent() const = 0;
  virtual bool alive() const = 0;                       // false once the device was lost
  virtual std::uint64_t device_underflows() const = 0;  // reported by PortAudio's callback flags
};

// Throws Error when `request.device` names none or several of the devices, or it does not open.
std::unique_ptr<AudioOutput> open_audio(const AudioDeviceRequest& request, AudioSource& source);
std::unique_ptr<AudioOutput> open_silent_clock(double rate, AudioSource& source);

}  // namespace mambo
