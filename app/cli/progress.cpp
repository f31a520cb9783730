#include "app/cli/progress.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "app/cli/say.h"

namespace mambo {

std::string clock_text(double seconds) {
  const auto s = static_cast<long long>(std::ceil(std::clamp(seconds, 0.0, 1e9)));
  if (s >= 3600) return fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
  return fmt::format("{}:{:02}", s / 60, s % 60);
}

Progress::Progress(std::string what, bool quiet)
    : what_(std::move(what)),
      quiet_(quiet),
      terminal_(::isatty(STDERR_FILENO) != 0),
      start_(Clock::now()),
      last_(start_) {}

Progress::~Progress() { clear(); }

void Progress::restart() { start_ = last_ = Clock::now(); }

void Progress::clear() {
  if (drawn_) say("\r\033[K");
  drawn_ = false;
}

void Progress::update(double done, double of, double seconds_of_audio, const std::string& more) {
  if (quiet_ || of <= 0) return;
  const Clock::time_point now = Clock::now();
  const double pause = terminal_ ? 0.1 : 5.0;  // a log file wants few lines
  if (std::chrono::duration<double>(now - last_).count() < pause) return;
  last_ = now;
  const double elapsed = std::chrono::duration<double>(now - start_).count();
  const double share = std::clamp(done / of, 0.0, 1.0);
  const std::string speed =
      seconds_of_audio > 0 ? fmt::format("{:.1f} x real time  ", seconds_of_audio / elapsed) : "";
  const std::string numbers =
      fmt::format("{:3.0f} %  {}{}{}{} left", 100 * share, more, more.empty() ? "" : "  ", speed,
                  share > 0 ? clock_text(elapsed * (1 - share) / share) : "?");
  if (!terminal_) {
    say("{} {}\n", what_, numbers);
    return;
  }
  constexpr int width = 30;
  const int full = static_cast<int>(std::lround(share * width));
  std::string bar;
  for (int i = 0; i < width; ++i) bar += i < full ? "█" : "░";
  say("\r{} {} {}\033[K", what_, bar, numbers);
  drawn_ = true;
}

}  // namespace mambo
