// What the outputs share of PortAudio: its one start, the way to call it, its devices. For
// audio_device*.cpp alone; the rest of the program includes app/audio/audio_device.h.
#pragma once

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "app/audio/audio_device.h"
#include "app/quiet_stderr.h"
#include "kernels/error.h"

namespace mambo::portaudio {

// PortAudio promises nothing to two threads at once. Never taken on the audio thread.
std::mutex& lock();

// Calls that took too long and still run.
std::atomic<int>& left_behind();

// Runs f under lock(), its chatter silenced, and returns what it returns or throws. PortAudio waits
// for sound servers without a limit, and a server may hang: so f runs on a thread of its own, which
// is left to itself when it takes longer than `patience`. Then, and at once while a call is left
// behind, throws Error. f may outlast the caller and must refer to nothing that does not.
template <class F>
std::invoke_result_t<F> ask(std::chrono::milliseconds patience, F f) {
  constexpr auto silence = "the sound system does not answer";
  if (left_behind() > 0) throw Error(silence);
  const QuietStderr quiet;
  // The later of the two, the end of f or of the patience, knows of the other.
  auto second = std::make_shared<std::atomic<bool>>(false);
  std::packaged_task<std::invoke_result_t<F>()> task([f = std::move(f)]() mutable {
    const std::lock_guard guard(lock());
    return f();
  });
  auto answer = task.get_future();
  std::thread thread([task = std::move(task), second]() mutable {
    task();
    if (second->exchange(true)) --left_behind();
  });
  if (answer.wait_for(patience) != std::future_status::ready) {
    ++left_behind();
    if (!second->exchange(true)) {
      thread.detach();
      throw Error(silence);
    }
    --left_behind();  // just in time
  }
  thread.join();
  return answer.get();
}

// Keeps PortAudio started while any lives. Made and destroyed under lock(). PortAudio looks for
// devices when the first one is made, and not again before the last one is gone. Throws Error.
class Library {
 public:
  Library();
  ~Library();
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;
};

struct Device {
  AudioDeviceInfo info;
  int index = -1;     // PaDeviceIndex
  bool alsa = false;  // of the host API ALSA
};

// Under lock(), with a Library alive.
std::vector<Device> outputs();
std::vector<Device> inputs();

// The device meant by `wanted`: the default for an empty name; else the one called exactly so; else
// the only one with that part in its name, capitals aside. Throws Error naming the candidates.
// kind: what they are called there.
const Device& choose(const std::vector<Device>& all, const std::string& wanted,
                     const char* kind = "audio device");

std::string text_of(int error);  // of a PaError, right after it

}  // namespace mambo::portaudio
