// The session's worker thread: takes requests one after the other, prepares what plays next and
// changes over to it, and a few times per second looks after generator, device and recording.
#pragma once

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "app/control/choice.h"
#include "app/live/generator_thread.h"
#include "app/live/layer_past.h"
#include "app/live/listener.h"
#include "app/live/moment_desk.h"
#include "app/live/now_playing.h"
#include "app/live/output_supervisor.h"
#include "app/live/program_loader.h"
#include "app/live/recording.h"
#include "app/live/status_board.h"

namespace mambo {

// What the owner wants and the worker has not begun yet. The latest request of a kind wins.
struct Requests {
  using Path = std::filesystem::path;
  struct ToLoad {
    Path path;
    LoadOptions options;
    ControlChoice command_line, last;
    ChangeCounts changes{};  // of the controls, when it was asked for
    std::optional<int> tap_layer;
  };
  std::optional<ToLoad> model;
  std::optional<Path> clip;  // an empty path: no clip
  std::optional<std::string> device;
  std::optional<std::string> input;
  std::optional<Path> keep_heard;
  std::optional<PastSound> past;
  bool reopen = false;  // the latency changed
  bool again = false;   // of a generator that stands still because there was nothing to hear
  std::optional<Path> record;
  bool stop_recording = false;
  struct SlotFile {
    int slot;
    Path path;
    bool load;  // else save
  };
  std::vector<SlotFile> slot_files;  // in turn
  struct Fork {
    int count;
    double seconds;
    std::uint64_t forks_before;
  };
  std::optional<Fork> fork;
  struct Keep {
    int continuation;
    bool at_end;
  };
  std::optional<Keep> keep;
  bool cancel_current = false;  // what is under way throws Cancelled at its next report
  bool any() const {
    return model || clip || device || input || keep_heard || past || reopen || again || record ||
           stop_recording || !slot_files.empty() || fork || keep;
  }
};

class SessionWorker {
 public:
  struct Parts {  // outlive the worker
    const SessionOptions& options;
    StatusBoard& board;
    NowPlaying& now;
    GeneratorThread& generator;
    OutputSupervisor& output;
    Recording& recording;
    PastQueue& past;
    MomentDesk& moments;
    Listener& listener;
  };
  explicit SessionWorker(const Parts& parts);
  ~SessionWorker();  // cancels, stops the sound, joins
  SessionWorker(const SessionWorker&) = delete;
  SessionWorker& operator=(const SessionWorker&) = delete;

  // ---- Owner ----
  bool given_up() const { return given_up_; }  // until another program plays
  template <class F>
  void request(F f) {  // f(Requests&) under the lock
    {
      const std::lock_guard lock(mutex_);
      f(requests_);
      if (std::exchange(requests_.cancel_current, false)) cancelled_ = true;
    }
    wake_.notify_all();
  }

 private:
  using Path = std::filesystem::path;
  void work();
  void obey(const Requests& r);
  bool report(Activity what, float progress);
  void open_model(const Requests::ToLoad& wanted, const Path& clip_so_far);
  void open_clip(const Path& clip);
  void prepare(const ProgramLoader::Loaded& next, const Path& clip, const DecidedControls& controls,
               std::optional<int> tap_layer);
  void change_over(ProgramLoader::Prepared next, const DecidedControls& controls,
                   std::optional<int> tap_layer);
  void look_back(const PastSound& sound);
  void see_to_moments(const Requests& r);
  void see_to_input(const Requests& r);
  void stop_listening();
  void watch_generator();
  void remark(const std::string& notice);

  Parts parts_;
  ProgramLoader loader_;
  std::atomic<bool> given_up_{false};  // nothing can go on, and the message says why
  std::atomic<bool> cancelled_{false};
  std::uint64_t brought_back_ = 0;  // by the guard, as far as it was said
  std::mutex mutex_;
  std::condition_variable wake_;
  Requests requests_;
  bool stopping_ = false;
  std::thread thread_;  // last: starts when all else is there
};

}  // namespace mambo
