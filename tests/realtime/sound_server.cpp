#include "sound_server.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <thread>

#include "sanitized.h"

// The environment is read and changed here while no other thread of the test runs.
// NOLINTBEGIN(concurrency-mt-unsafe)

namespace mambo::testing {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

bool in_path(const std::string& program) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path != nullptr ? path : "/usr/bin:/bin");
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (::access((folder + "/" + program).c_str(), X_OK) == 0) return true;
  }
  return false;
}

bool accepts(const fs::path& socket) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, socket.c_str(), sizeof address.sun_path - 1);
  const bool yes = ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return yes;
}

template <class F>
bool eventually(std::chrono::milliseconds patience, F f) {
  const auto until = std::chrono::steady_clock::now() + patience;
  while (!f()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(10ms);
  }
  return true;
}

std::string text_of(const fs::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

SoundWorld::SoundWorld() {
  std::string name = (fs::temp_directory_path() / "mambo-sound-XXXXXX").string();
  folder_ = ::mkdtemp(name.data());
  for (const char* sub : {"home", "run", "state"}) {
    fs::create_directory(folder_ / sub);
    fs::permissions(folder_ / sub, fs::perms::owner_all);
  }
  std::ofstream alsa(folder_ / "alsa.conf");  // under the two names that desktops use
  for (const char* pcm : {"pcm.pulse", "pcm.!default"}) {
    alsa << pcm << " { type pulse server \"unix:" << socket().string() << "\" }\n";
  }
  alsa.close();
  std::ofstream(folder_ / "client.conf") << "autospawn = no\n";
  set("HOME", (folder_ / "home").string());
  set("XDG_RUNTIME_DIR", (folder_ / "run").string());
  set("PULSE_RUNTIME_PATH", (folder_ / "run/pulse").string());
  set("PULSE_STATE_PATH", (folder_ / "state").string());
  set("PULSE_CLIENTCONFIG", (folder_ / "client.conf").string());
  set("PULSE_SERVER", "unix:" + socket().string());
  set("ALSA_CONFIG_PATH", (folder_ / "alsa.conf").string());
  set("JACK_NO_START_SERVER", "1");
  if (kSanitized) set("MAMBO_VERBOSE", "1");  // otherwise its reports would be silenced
}

SoundWorld::~SoundWorld() {
  for (const Variable& v : before_) {
    if (v.was_set) {
      ::setenv(v.name.c_str(), v.before.c_str(), 1);
    } else {
      ::unsetenv(v.name.c_str());
    }
  }
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

void SoundWorld::set(const std::string& name, const std::string& value) {
  const char* now = std::getenv(name.c_str());
  before_.push_back({name, now != nullptr ? now : "", now != nullptr});
  ::setenv(name.c_str(), value.c_str(), 1);
}

Child::Child(std::vector<std::string> command, const fs::path& out, const fs::path& log) {
  std::vector<char*> arguments;
  for (std::string& a : command) arguments.push_back(a.data());
  arguments.push_back(nullptr);
  const int to_out = ::open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const int to_log = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0) {  // only calls that are safe between fork and exec
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(126);
    ::dup2(to_out, STDOUT_FILENO);
    ::dup2(to_log, STDERR_FILENO);
    ::execvp(arguments[0], arguments.data());
    ::_exit(127);
  }
  ::close(to_out);
  ::close(to_log);
}

bool Child::running() {
  if (pid_ > 0 && ::waitpid(pid_, nullptr, WNOHANG) != 0) pid_ = -1;
  return pid_ > 0;
}

void Child::signal(int number) const {
  if (pid_ > 0) ::kill(pid_, number);
}

void Child::stop() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

std::string SoundServer::missing() {
  for (const char* program : {"pulseaudio", "parec"}) {
    if (!in_path(program)) return std::string(program) + " is not installed";
  }
  const char* plugins[] = {"/usr/lib", "/usr/lib64", "/usr/local/lib"};
  for (const char* root : plugins) {
    std::error_code e;
    for (fs::directory_iterator i(root, e), end; !e && i != end; i.increment(e)) {
      if (fs::exists(i->path() / "alsa-lib/libasound_module_pcm_pulse.so", e)) return {};
      if (fs::exists(i->path() / "libasound_module_pcm_pulse.so", e)) return {};
    }
  }
  return "ALSA's pulse plugin (libasound2-plugins) is not installed";
}

SoundServer::SoundServer(int rate, int channels, Sink sink)
    : rate_(rate), channels_(channels), sink_(sink) {
  restart();
}

void SoundServer::restart() {
  daemon_.reset();
  std::error_code ignored;
  fs::remove(world_.socket(), ignored);
  const std::string sink = sink_ == Sink::null ? "module-null-sink norewinds=1"
                                               : "module-pipe-sink file=" + pipe().string();
  daemon_ = std::make_unique<Child>(
      std::vector<std::string>{
          "pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--disallow-exit",
          "--use-pid-file=no", "-L",
          sink + " sink_name=mambo format=float32le rate=" + std::to_string(rate_) +
              " channels=" + std::to_string(channels_),
          "-L", "module-native-protocol-unix auth-anonymous=1 socket=" + world_.socket().string()},
      world_.folder() / "daemon.out", world_.folder() / "daemon.log");
  eventually(10s, [this] { return !daemon_->running() || accepts(world_.socket()); });
  problem_ = accepts(world_.socket())
                 ? ""
                 : "pulseaudio does not start: " + text_of(world_.folder() / "daemon.log");
}

void SoundServer::kill() { daemon_->stop(); }
void SoundServer::freeze() { daemon_->signal(SIGSTOP); }

SinkRecording::SinkRecording(const SoundServer& server, int rate)
    : file_(server.folder() / "recording.raw"),
      child_({"parec", "-d", "mambo.monitor", "--raw", "--format=float32le", "--channels=1",
              "--latency-msec=20", "--rate=" + std::to_string(rate)},
             file_, server.folder() / "parec.log") {
  eventually(5s, [this] { return fs::file_size(file_) > 0; });
}

std::vector<float> SinkRecording::so_far() const {
  std::ifstream in(file_, std::ios::binary);
  std::vector<float> samples(fs::file_size(file_) / sizeof(float));
  in.read(reinterpret_cast<char*>(samples.data()),
          static_cast<std::streamsize>(samples.size() * sizeof(float)));
  return samples;
}

std::vector<float> SinkRecording::stop() {
  std::this_thread::sleep_for(150ms);  // let the rest reach the file
  child_.stop();
  return so_far();
}

}  // namespace mambo::testing

// NOLINTEND(concurrency-mt-unsafe)
