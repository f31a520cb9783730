#include "app/audio/audio_device_list.h"

#include <fmt/core.h>
#include <portaudio.h>
#ifdef __linux__
#include <dlfcn.h>
#endif

#include <cstdlib>
#include <set>

#include "app/audio/audio_input.h"

namespace mambo {

using namespace std::chrono_literals;

namespace portaudio {
namespace {

int users = 0;  // Libraries alive; under lock()

// PortAudio's ALSA part ends the whole program (an assertion) where ALSA knows of no device at all,
// not even of those that its configuration defines, as in a container that has the library without
// its data: so ALSA is asked first. Its library is there already, PortAudio's own; where it is not,
// nothing is to be asked.
void expect_alsa() {
#ifdef __linux__
  using Update = int (*)();
  using Search = int (*)(void* config, const char* key, void** found);
  const auto update = reinterpret_cast<Update>(dlsym(RTLD_DEFAULT, "snd_config_update"));
  const auto search = reinterpret_cast<Search>(dlsym(RTLD_DEFAULT, "snd_config_search"));
  auto* const config = static_cast<void**>(dlsym(RTLD_DEFAULT, "snd_config"));
  if (update == nullptr || search == nullptr || config == nullptr) return;
  void* devices = nullptr;
  if (update() < 0 || *config == nullptr || search(*config, "pcm", &devices) < 0) {
    throw Error(
        "the sound system does not start: ALSA's configuration (alsa.conf, of Debian's package "
        "libasound2-data) cannot be read or defines no device");
  }
#endif
}

#ifdef __linux__
// NOLINTNEXTLINE(cert-dcl50-cpp): ALSA's type
void say_nothing(const char*, int, const char*, int, const char*, ...) {}
#endif

// ALSA tells the terminal what it thinks of each device, also from PortAudio's own thread while one
// plays, where no QuietStderr is.
void quiet_alsa() {
#ifdef __linux__
  if (std::getenv("MAMBO_VERBOSE") != nullptr) return;  // NOLINT(concurrency-mt-unsafe): no setenv
  using Handler = void (*)(const char* file, int line, const char* function, int error,
                           const char* format, ...);
  const auto set =
      reinterpret_cast<int (*)(Handler)>(dlsym(RTLD_DEFAULT, "snd_lib_error_set_handler"));
  if (set != nullptr) set(&say_nothing);
#endif
}

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

std::string names(const std::vector<const Device*>& some) {
  std::string text;
  for (const Device* o : some) text += (text.empty() ? "\"" : ", \"") + o->info.name + "\"";
  return text;
}

}  // namespace

std::mutex& lock() {
  static std::mutex mutex;
  return mutex;
}

std::atomic<int>& left_behind() {
  static std::atomic<int> calls{0};
  return calls;
}

Library::Library() {
  if (users == 0) {
    quiet_alsa();
    expect_alsa();
    const PaError error = Pa_Initialize();
    if (error != paNoError) {
      throw Error(fmt::format("the sound system does not start: {}", Pa_GetErrorText(error)));
    }
  }
  ++users;
}

Library::~Library() {
  if (--users == 0) Pa_Terminate();
}

namespace {

std::vector<Device> devices(bool inputs) {
  std::vector<Device> all;
  std::set<std::string> taken;
  const PaDeviceIndex normal = inputs ? Pa_GetDefaultInputDevice() : Pa_GetDefaultOutputDevice();
  for (PaDeviceIndex i = 0; i < Pa_GetDeviceCount(); ++i) {
    const PaDeviceInfo* d = Pa_GetDeviceInfo(i);
    if (d == nullptr) continue;
    const int channels = inputs ? d->maxInputChannels : d->maxOutputChannels;
    if (channels <= 0) continue;
    const PaHostApiInfo* api = Pa_GetHostApiInfo(d->hostApi);
    Device o;
    o.index = i;
    o.alsa = api->type == paALSA;
    o.info.host_api = api->name;
    const std::string plain = fmt::format("{}: {}", api->name, d->name);
    o.info.name = plain;
    for (int n = 2; !taken.insert(o.info.name).second; ++n) {  // two cards of one make
      o.info.name = fmt::format("{} ({})", plain, n);
    }
    o.info.default_rate = d->defaultSampleRate;
    o.info.low_latency_s = inputs ? d->defaultLowInputLatency : d->defaultLowOutputLatency;
    o.info.high_latency_s = inputs ? d->defaultHighInputLatency : d->defaultHighOutputLatency;
    o.info.channels = channels;
    o.info.is_default = i == normal;
    all.push_back(std::move(o));
  }
  return all;
}

}  // namespace

std::vector<Device> outputs() { return devices(false); }
std::vector<Device> inputs() { return devices(true); }

const Device& choose(const std::vector<Device>& all, const std::string& wanted, const char* kind) {
  std::vector<const Device*> there;
  std::vector<const Device*> matches;
  for (const Device& o : all) {
    if (wanted.empty() ? o.info.is_default : o.info.name == wanted) return o;
    there.push_back(&o);
    if (lower(o.info.name).find(lower(wanted)) != std::string::npos) matches.push_back(&o);
  }
  if (all.empty()) throw Error(fmt::format("there is no {} on this machine", kind));
  if (wanted.empty()) {
    throw Error(fmt::format("no {} is the default one; there are {}", kind, names(there)));
  }
  if (matches.empty()) {
    throw Error(fmt::format("no {} is called \"{}\"; there are {}", kind, wanted, names(there)));
  }
  if (matches.size() > 1) {
    throw Error(fmt::format("\"{}\" fits {} {}s, and only one is wanted: {}", wanted,
                            matches.size(), kind, names(matches)));
  }
  return *matches.front();
}

std::string text_of(int error) {
  const PaHostErrorInfo* host = Pa_GetLastHostErrorInfo();
  const bool more = error == paUnanticipatedHostError && host != nullptr &&
                    host->errorText != nullptr && host->errorText[0] != '\0';
  return more ? host->errorText : Pa_GetErrorText(error);
}

}  // namespace portaudio

namespace {

std::vector<AudioDeviceInfo> list(bool inputs) {
  std::vector<AudioDeviceInfo> all;
  try {
    for (portaudio::Device& o : portaudio::ask(5s, [inputs] {
           const portaudio::Library library;
           return inputs ? portaudio::inputs() : portaudio::outputs();
         })) {
      all.push_back(std::move(o.info));
    }
  } catch (const Error&) {
    all.clear();  // no sound system, no devices
  }
  return all;
}

}  // namespace

std::vector<AudioDeviceInfo> list_audio_devices() { return list(false); }
std::vector<AudioDeviceInfo> list_audio_inputs() { return list(true); }

void expect_audio_device(const std::string& device) {
  portaudio::ask(5s, [device] {
    const portaudio::Library library;
    portaudio::choose(portaudio::outputs(), device);
  });
}

void expect_audio_input(const std::string& device) {
  portaudio::ask(5s, [device] {
    const portaudio::Library library;
    portaudio::choose(portaudio::inputs(), device == kDefaultInput ? std::string() : device,
                      "audio input");
  });
}

}  // namespace mambo
