// A sound card for tests: a PulseAudio daemon of their own with a null sink, reached by PortAudio
// through ALSA as on any desktop, and recorded from the sink's monitor. Nothing of the machine's
// sound system is used or touched.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace mambo::testing {

// A temporary folder, and an environment in which ALSA knows only a sound server behind socket(): a
// machine without sound while no server runs. The previous environment is restored. One at a time.
class SoundWorld {
 public:
  SoundWorld();
  ~SoundWorld();
  SoundWorld(const SoundWorld&) = delete;
  SoundWorld& operator=(const SoundWorld&) = delete;
  const std::filesystem::path& folder() const { return folder_; }
  std::filesystem::path socket() const { return folder_ / "native"; }

 private:
  struct Variable {
    std::string name, before;
    bool was_set;
  };
  void set(const std::string& name, const std::string& value);
  std::filesystem::path folder_;
  std::vector<Variable> before_;
};

// A child process that ends with this one. Its stderr goes to `log`, its stdout to `out`.
class Child {
 public:
  Child(std::vector<std::string> command, const std::filesystem::path& out,
        const std::filesystem::path& log);
  ~Child() { stop(); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  bool running();
  void signal(int number) const;
  void stop();  // killed and waited for

 private:
  pid_t pid_ = -1;
};

class SoundServer {
 public:
  // Why a server cannot run on this machine; empty if it can.
  static std::string missing();

  // null: a sink that keeps time by itself. pipe: one that writes into a FIFO, pipe(), as fast as
  // it is read, and so keeps as much sound behind the program's back as fits into the FIFO.
  enum class Sink { null, pipe };
  // A sink of this rate and these channels, float samples. problem() says why it does not run.
  SoundServer(int rate, int channels, Sink sink = Sink::null);
  std::filesystem::path pipe() const { return world_.folder() / "pipe"; }
  std::string problem() const { return problem_; }

  void kill();     // as if the card were pulled out
  void restart();  // and put back; problem() says if it does not run
  void freeze();   // as if the server hung; kill() still works
  const std::filesystem::path& folder() const { return world_.folder(); }

 private:
  SoundWorld world_;
  int rate_, channels_;
  Sink sink_;
  std::unique_ptr<Child> daemon_;
  std::string problem_;
};

// What arrives at the sink, from now on. Mono.
class SinkRecording {
 public:
  SinkRecording(const SoundServer& server, int rate);  // returns once sound (silence, say) arrives
  std::vector<float> so_far() const;
  std::vector<float> stop();  // with all that has reached the sink by now

 private:
  std::filesystem::path file_;
  Child child_;
};

}  // namespace mambo::testing

// Skips by name what needs a sound server on a machine without one.
#define MAMBO_NEEDS_SOUND_SERVER()                                                \
  do {                                                                            \
    const std::string missing = mambo::testing::SoundServer::missing();           \
    if (!missing.empty()) GTEST_SKIP() << "no private sound server: " << missing; \
  } while (false)
