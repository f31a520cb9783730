// Progress of a long task: a bar on a terminal, a line every few seconds elsewhere, nothing when
// quiet.
#pragma once

#include <chrono>
#include <string>

namespace mambo {

class Progress {
 public:
  // what: "absorbing the clip". All goes to stderr.
  Progress(std::string what, bool quiet);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // done of `of` samples; seconds of sound done, for the x real time (0: not said); what else there
  // is to say ("12 of 50 files"). Cheap: draws at most 10 per second.
  void update(double done, double of, double seconds_of_audio, const std::string& more = {});
  void restart();  // the clock of a task that begins later than this object
  void clear();    // takes the bar off the terminal, so that a line can be printed

 private:
  using Clock = std::chrono::steady_clock;
  std::string what_;
  bool quiet_;
  bool terminal_;
  bool drawn_ = false;
  Clock::time_point start_, last_;
};

// 7 -> "0:07", 3700 -> "1:01:40"
std::string clock_text(double seconds);

}  // namespace mambo
