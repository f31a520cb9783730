// What changes on a machine when a sound device or server comes or goes. Linux; elsewhere there are
// no signs.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

#include "app/audio/audio_device.h"

namespace mambo {
namespace {

namespace fs = std::filesystem;

std::string from_environment(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing calls setenv
  return value != nullptr ? value : "";
}

// Which file it is, and when its state changed.
std::string mark(const fs::path& path) {
  struct stat s {};
  if (::stat(path.c_str(), &s) != 0) return "-";
  return std::to_string(s.st_dev) + ":" + std::to_string(s.st_ino) + ":" +
         std::to_string(s.st_ctim.tv_sec) + "." + std::to_string(s.st_ctim.tv_nsec);
}

// PULSE_SERVER is a list of addresses, of which "/path", "unix:/path" and "{machine}unix:/path" are
// of this machine.
void add_pulse_sockets(std::vector<fs::path>& sockets) {
  std::istringstream addresses(from_environment("PULSE_SERVER"));
  for (std::string address; addresses >> address;) {
    if (const std::size_t brace = address.find('}'); address.starts_with('{')) {
      address.erase(0, brace == std::string::npos ? address.size() : brace + 1);
    }
    if (address.starts_with("unix:")) address.erase(0, 5);
    if (address.starts_with('/')) sockets.emplace_back(address);
  }
  if (const std::string run = from_environment("PULSE_RUNTIME_PATH"); !run.empty()) {
    sockets.push_back(fs::path(run) / "native");
  }
}

}  // namespace

std::string sound_system_signs() {
  std::vector<std::string> cards;
  std::error_code error;
  for (fs::directory_iterator it("/dev/snd", error); !error && it != fs::directory_iterator();
       it.increment(error)) {
    cards.push_back(it->path().filename().string());
  }
  std::sort(cards.begin(), cards.end());
  std::vector<fs::path> sockets;
  add_pulse_sockets(sockets);
  std::string runtime = from_environment("XDG_RUNTIME_DIR");
  if (runtime.empty()) runtime = "/run/user/" + std::to_string(::getuid());
  sockets.push_back(fs::path(runtime) / "pulse/native");
  sockets.push_back(fs::path(runtime) / "pipewire-0");
  sockets.emplace_back("/dev/shm/jack_default_" + std::to_string(::getuid()) + "_0");

  std::string signs;
  for (const std::string& card : cards) signs += card + " ";
  for (const fs::path& socket : sockets) signs += socket.string() + "=" + mark(socket) + " ";
  return signs;
}

}  // namespace mambo
