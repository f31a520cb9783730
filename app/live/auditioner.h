// Reads the clips that are auditioned, on a thread of its own: the worker may be busy for seconds,
// and a clip is auditioned to choose it meanwhile.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "app/live/output_supervisor.h"
#include "app/live/status_board.h"

namespace mambo {

class Auditioner {
 public:
  Auditioner(OutputSupervisor& output, StatusBoard& board);
  ~Auditioner();  // joins; a read that is under way ends first: a minute of sound at most
  Auditioner(const Auditioner&) = delete;
  Auditioner& operator=(const Auditioner&) = delete;

  struct Wanted {
    std::filesystem::path clip;
    double rate = 0;       // the model's, Hz; 0: no model plays
    bool from_end = true;  // the last minute; else the first ten seconds
  };
  // Any thread; return at once. The latest wins.
  void play(const Wanted& wanted);
  void play(std::vector<float> sound);  // at the model's rate
  void stop();

 private:
  void work();

  OutputSupervisor& output_;
  StatusBoard& board_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::optional<Wanted> wanted_;
  bool stopping_ = false;
  std::uint64_t asked_ = 0;  // changes with every play() and stop()
  std::thread thread_;
};

}  // namespace mambo
