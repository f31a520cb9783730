#include "app/audio/audio_input.h"

#include <fmt/core.h>
#include <portaudio.h>
#if defined(__linux__)
#include <pa_linux_alsa.h>
#endif

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <optional>
#include <thread>

#include "app/audio/audio_device_list.h"

namespace mambo {
namespace {

using namespace std::chrono_literals;

constexpr auto kOpenPatience = 5s;
constexpr auto kClosePatience = 1s;
constexpr double kSilenceOfTheLost = 1.0;  // seconds without a callback
constexpr int kMostChannels = 2;           // asked for; what a device has beyond is not heard

std::int64_t now_ns() {
  return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// A PortAudio stream and all that its callback touches. Shared with the calls that may outlast the
// input (portaudio::ask): when they do, it is cut off from the sink and stays behind.
class InputLine {
 public:
  InputLine() = default;
  ~InputLine() {  // open only if a call outlasted its input
    if (!library_) return;
    const std::lock_guard guard(portaudio::lock());
    close();
  }
  InputLine(const InputLine&) = delete;
  InputLine& operator=(const InputLine&) = delete;

  // ---- Under portaudio::lock() ----
  void open(const AudioInputRequest& request);
  void start();
  void close();

  // ---- Any thread ----
  void connect(AudioSink& sink) { sink_ = &sink; }
  // When it returns, the sink is never called again.
  void disconnect() {
    sink_ = nullptr;
    while (taking_) std::this_thread::sleep_for(100us);
  }
  bool alive() const {
    const double quiet_s = 1e-9 * static_cast<double>(now_ns() - last_call_ns_.load());
    return quiet_s < std::max(kSilenceOfTheLost, 4 * latency_s) && Pa_IsStreamActive(stream_) == 1;
  }
  std::uint64_t overflows() const { return overflows_.load(std::memory_order_relaxed); }

  // Set by open().
  std::string name;
  double rate = 0, latency_s = 0;
  int channels = 0;

 private:
  static int callback(const void* in, void*, unsigned long frames, const PaStreamCallbackTimeInfo*,
                      PaStreamCallbackFlags flags, void* self) {
    InputLine& me = *static_cast<InputLine*>(self);
    if ((flags & paInputOverflow) != 0) me.overflows_.fetch_add(1, std::memory_order_relaxed);
    me.taking_ = true;  // sequentially consistent, as disconnect: one of them sees the other
    if (AudioSink* sink = me.sink_) {
      sink->take(static_cast<const float*>(in), static_cast<int>(frames));
    }
    me.taking_ = false;
    me.last_call_ns_.store(now_ns(), std::memory_order_relaxed);
    return paContinue;
  }

  std::optional<portaudio::Library> library_;
  PaStream* stream_ = nullptr;
  std::atomic<AudioSink*> sink_{nullptr};
  std::atomic<bool> taking_{false};
  std::atomic<std::int64_t> last_call_ns_{0};
  std::atomic<std::uint64_t> overflows_{0};
};

void InputLine::open(const AudioInputRequest& request) {
  try {
    library_.emplace();
    const std::vector<portaudio::Device> all = portaudio::inputs();
    const portaudio::Device& chosen = portaudio::choose(
        all, request.device == kDefaultInput ? std::string() : request.device, "audio input");
    name = chosen.info.name;
    PaStreamParameters from{};
    from.device = chosen.index;
    from.sampleFormat = paFloat32;
    from.suggestedLatency = request.latency_s;
    PaError error = paInvalidSampleRate;
    for (const double wanted : {chosen.info.default_rate, request.fallback_rate}) {
      if (wanted <= 0 || stream_ != nullptr) continue;
      rate = std::round(wanted);
      for (channels = std::min(kMostChannels, chosen.info.channels); channels > 0; --channels) {
        from.channelCount = channels;
        error = Pa_OpenStream(&stream_, &from, nullptr, rate, paFramesPerBufferUnspecified,
                              paNoFlag, &callback, this);
        if (error == paNoError) break;
        stream_ = nullptr;
      }
    }
    if (error != paNoError) {
      throw Error(
          fmt::format("the audio input \"{}\" does not open: {}", name, portaudio::text_of(error)));
    }
#if defined(__linux__)
    if (chosen.alsa) PaAlsa_EnableRealtimeScheduling(stream_, 1);  // where it is permitted
#endif
    latency_s = Pa_GetStreamInfo(stream_)->inputLatency;
  } catch (...) {
    library_.reset();
    throw;
  }
}

void InputLine::start() {
  last_call_ns_ = now_ns();
  const PaError error = Pa_StartStream(stream_);
  if (error == paNoError) return;
  const std::string why = portaudio::text_of(error);
  close();
  throw Error(fmt::format("the audio input \"{}\" does not start: {}", name, why));
}

void InputLine::close() {
  Pa_AbortStream(stream_);
  Pa_CloseStream(stream_);
  library_.reset();
}

class PortAudioInput final : public AudioInput {
 public:
  PortAudioInput(const AudioInputRequest& request, AudioSink& sink)
      : line_(std::make_shared<InputLine>()) {
    portaudio::ask(kOpenPatience, [line = line_, request] { line->open(request); });
    try {
      sink.prepare(line_->rate, line_->channels);
    } catch (...) {
      close();
      throw;
    }
    line_->connect(sink);
    try {
      portaudio::ask(kOpenPatience, [line = line_] { line->start(); });
    } catch (...) {
      line_->disconnect();  // a call that is left behind may start it yet
      throw;
    }
  }
  ~PortAudioInput() override {
    line_->disconnect();
    close();
  }
  PortAudioInput(const PortAudioInput&) = delete;
  PortAudioInput& operator=(const PortAudioInput&) = delete;

  std::string name() const override { return line_->name; }
  double rate() const override { return line_->rate; }
  double latency_s() const override { return line_->latency_s; }
  bool alive() const override { return line_->alive(); }
  std::uint64_t device_overflows() const override { return line_->overflows(); }

 private:
  void close() {
    try {
      portaudio::ask(kClosePatience, [line = line_] { line->close(); });
    } catch (const Error&) {  // it hangs; its owner continues without it
    }
  }

  std::shared_ptr<InputLine> line_;
};

}  // namespace

std::unique_ptr<AudioInput> open_audio_input(const AudioInputRequest& request, AudioSink& sink) {
  return std::make_unique<PortAudioInput>(request, sink);
}

}  // namespace mambo
