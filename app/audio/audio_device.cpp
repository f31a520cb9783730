#include "app/audio/audio_device.h"

#include <fmt/core.h>
#include <portaudio.h>
#if defined(__linux__)
#include <pa_linux_alsa.h>
#endif

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>

#include "app/audio/audio_device_list.h"

namespace mambo {
namespace {

using namespace std::chrono_literals;

constexpr auto kOpenPatience = 5s;
constexpr auto kClosePatience = 1s;
constexpr auto kBeyondLatency = 60ms;      // on its way through a sound server
constexpr double kMostDelay = 10.0;        // seconds; more is no measurement
constexpr double kSilenceOfTheLost = 1.0;  // seconds without a callback

std::int64_t now_ns() {
  return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// A PortAudio stream and all that its callback touches. Shared with the calls that may outlast the
// output (portaudio::ask): when they do, it is cut off from the source and stays behind.
class Line {
 public:
  Line() = default;
  // Open only if a call outlasted its output.
  ~Line() {
    if (!library_) return;
    const std::lock_guard guard(portaudio::lock());
    close();
  }
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  // ---- Under portaudio::lock() ----
  void open(const AudioDeviceRequest& request);
  void start();
  void close();

  // ---- Any thread ----
  // Waits until a started device has filled its own buffer, which it does with silence in one go
  // and faster than any generator. A pause alone is no sign of that: on a busy machine the device's
  // thread may be made to wait in the middle of it.
  void settle() const {
    const std::int64_t start = now_ns();
    const auto patience = static_cast<std::int64_t>(1e9 * (0.05 + 2 * latency_s));
    const auto nearly_full = static_cast<std::int64_t>(0.8 * latency_s * rate);
    while (now_ns() - start < patience) {
      const std::int64_t before = frames_;
      std::this_thread::sleep_for(3ms);
      if (before > 0 && before >= nearly_full && frames_ == before) return;
    }
  }
  void connect(AudioSource& source) { source_ = &source; }
  // When it returns, the source is never called again.
  void disconnect() {
    source_ = nullptr;
    while (rendering_) std::this_thread::sleep_for(100us);
  }
  bool alive() const {
    const double quiet_s = 1e-9 * static_cast<double>(now_ns() - last_call_ns_.load());
    return quiet_s < std::max(kSilenceOfTheLost, 4 * latency_s) && Pa_IsStreamActive(stream_) == 1;
  }
  std::uint64_t underflows() const { return underflows_.load(std::memory_order_relaxed); }

  // Set by open().
  std::string name;
  double rate = 0, latency_s = 0;
  int channels = 0;

 private:
  // Of the buffer that is asked for. On ALSA it includes what a sound server keeps, which the
  // stream's latency does not; host APIs that do not know it say 0 or nonsense.
  double delay_of(const PaStreamCallbackTimeInfo* time) const noexcept {
    const double said = time != nullptr && time->currentTime > 0
                            ? time->outputBufferDacTime - time->currentTime
                            : 0.0;
    return said > 0 && said < kMostDelay ? said : latency_s;
  }

  static int callback(const void*, void* out, unsigned long frames,
                      const PaStreamCallbackTimeInfo* time, PaStreamCallbackFlags flags,
                      void* self) {
    Line& me = *static_cast<Line*>(self);
    if ((flags & paOutputUnderflow) != 0) me.underflows_.fetch_add(1, std::memory_order_relaxed);
    me.rendering_ = true;  // sequentially consistent, as disconnect: one of them sees the other
    if (AudioSource* source = me.source_) {
      source->heard_after(me.delay_of(time));
      source->render(static_cast<float*>(out), static_cast<int>(frames));
    } else {
      std::memset(out, 0, sizeof(float) * static_cast<std::size_t>(me.channels) * frames);
    }
    me.rendering_ = false;
    me.last_call_ns_.store(now_ns(), std::memory_order_relaxed);
    me.frames_.fetch_add(static_cast<std::int64_t>(frames), std::memory_order_relaxed);
    return paContinue;
  }

  std::optional<portaudio::Library> library_;
  PaStream* stream_ = nullptr;
  std::atomic<AudioSource*> source_{nullptr};
  std::atomic<bool> rendering_{false};
  std::atomic<std::int64_t> last_call_ns_{0}, frames_{0};
  std::atomic<std::uint64_t> underflows_{0};
};

void Line::open(const AudioDeviceRequest& request) {
  try {
    library_.emplace();
    const std::vector<portaudio::Device> all = portaudio::outputs();
    const portaudio::Device& chosen = portaudio::choose(all, request.device);
    name = chosen.info.name;
    PaStreamParameters to{};
    to.device = chosen.index;
    to.sampleFormat = paFloat32;
    to.suggestedLatency = request.latency_s;
    PaError error = paInvalidSampleRate;
    for (const double wanted : {request.preferred_rate, chosen.info.default_rate}) {
      if (wanted <= 0 || stream_ != nullptr) continue;
      rate = std::round(wanted);
      for (channels = std::min(2, chosen.info.channels); channels > 0; --channels) {
        to.channelCount = channels;
        error = Pa_OpenStream(&stream_, nullptr, &to, rate, paFramesPerBufferUnspecified, paNoFlag,
                              &callback, this);
        if (error == paNoError) break;
        stream_ = nullptr;
      }
    }
    if (error != paNoError) {
      throw Error(fmt::format("the audio device \"{}\" does not open: {}", name,
                              portaudio::text_of(error)));
    }
#if defined(__linux__)
    if (chosen.alsa) PaAlsa_EnableRealtimeScheduling(stream_, 1);  // where it is permitted
#endif
    latency_s = Pa_GetStreamInfo(stream_)->outputLatency;
  } catch (...) {
    library_.reset();
    throw;
  }
}

void Line::start() {
  last_call_ns_ = now_ns();
  const PaError error = Pa_StartStream(stream_);
  if (error == paNoError) return;
  const std::string why = portaudio::text_of(error);
  close();
  throw Error(fmt::format("the audio device \"{}\" does not start: {}", name, why));
}

void Line::close() {
  Pa_AbortStream(stream_);
  Pa_CloseStream(stream_);
  library_.reset();
}

class PortAudioOutput final : public AudioOutput {
 public:
  PortAudioOutput(const AudioDeviceRequest& request, AudioSource& source)
      : line_(std::make_shared<Line>()) {
    portaudio::ask(kOpenPatience, [line = line_, request] { line->open(request); });
    try {
      source.prepare(line_->rate, line_->channels,
                     std::max(256, static_cast<int>(line_->latency_s * line_->rate) + 1));
    } catch (...) {
      close();
      throw;
    }
    portaudio::ask(kOpenPatience, [line = line_] { line->start(); });
    line_->settle();
    line_->connect(source);
  }
  ~PortAudioOutput() override {
    line_->disconnect();
    // What was rendered is heard to its end, a fade-out above all. (Pa_StopStream promises that,
    // but throws it away on ALSA.)
    if (line_->alive()) {
      std::this_thread::sleep_for(std::chrono::duration<double>(line_->latency_s) + kBeyondLatency);
    }
    close();
  }

  std::string name() const override { return line_->name; }
  double rate() const override { return line_->rate; }
  int channels() const override { return line_->channels; }
  double latency_s() const override { return line_->latency_s; }
  bool is_silent() const override { return false; }
  bool alive() const override { return line_->alive(); }
  std::uint64_t device_underflows() const override { return line_->underflows(); }

 private:
  void close() {
    try {
      portaudio::ask(kClosePatience, [line = line_] { line->close(); });
    } catch (const Error&) {  // it hangs; its owner continues without it
    }
  }

  std::shared_ptr<Line> line_;
};

}  // namespace

std::unique_ptr<AudioOutput> open_audio(const AudioDeviceRequest& request, AudioSource& source) {
  return std::make_unique<PortAudioOutput>(request, source);
}

}  // namespace mambo
