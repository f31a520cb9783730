#include "live_window.h"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>
#include <thread>

namespace mambo::gui {
namespace {

using namespace std::chrono_literals;

struct ClosePipe {
  void operator()(FILE* f) const { pclose(f); }
};

}  // namespace

LiveWindow::LiveWindow(int width, int height, const std::filesystem::path& folder,
                       const std::string& arguments)
    : display_(width, height), folder_(folder) {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): one thread
  if (std::system("command -v xdotool >/dev/null") != 0) {
    why_ = "xdotool is not installed: nothing presses keys";
    return;
  }
  if (display_.name().empty()) {
    why_ = "Xvfb is not installed: no display to open a window on";
    return;
  }
  const std::string command = "exec env -u WAYLAND_DISPLAY DISPLAY=" + display_.name() +
                              " HOME=" + folder.string() +
                              " XDG_CONFIG_HOME=" + (folder / "config").string() +
                              " MAMBO_ASSETS=" MAMBO_ASSETS " " MAMBO_PROGRAM " gui " + arguments +
                              " >" + (folder / "said").string() + " 2>&1";
  process_ = fork();
  if (process_ == 0) {
    execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    _exit(127);
  }
  for (int i = 0; i < 300 && window_.empty(); ++i) {
    if (waitpid(process_, nullptr, WNOHANG) == process_) {
      process_ = -1;
      why_ = said();
      return;
    }
    std::this_thread::sleep_for(100ms);
    window_ = output_of("search --onlyvisible --name '^mambo$'");
  }
  if (window_.empty()) {
    why_ = "no window came up";
    return;
  }
  does("windowfocus --sync " + window_);
  does("mousemove 640 790");  // where nothing is
}

LiveWindow::~LiveWindow() {
  if (process_ <= 0) return;
  kill(process_, SIGKILL);
  waitpid(process_, nullptr, 0);
}

std::string LiveWindow::output_of(const std::string& command) const {
  const std::string whole = "DISPLAY=" + display_.name() + " xdotool " + command + " 2>/dev/null";
  const std::unique_ptr<FILE, ClosePipe> pipe(popen(whole.c_str(), "r"));
  if (pipe == nullptr) return {};
  std::array<char, 64> line{};
  if (std::fgets(line.data(), static_cast<int>(line.size()), pipe.get()) == nullptr) return {};
  std::string text = line.data();
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

bool LiveWindow::does(const std::string& command) const {
  const std::string whole = "DISPLAY=" + display_.name() + " xdotool " + command;
  return std::system(whole.c_str()) == 0;  // NOLINT(concurrency-mt-unsafe): one thread
}

int LiveWindow::wait() {
  for (int i = 0; i < 300 && process_ > 0; ++i) {
    int status = 0;
    if (waitpid(process_, &status, WNOHANG) == process_) {
      process_ = -1;
      return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    std::this_thread::sleep_for(100ms);
  }
  return -1;
}

std::string LiveWindow::said() const {
  std::stringstream text;
  text << std::ifstream(folder_ / "said").rdbuf();
  return text.str();
}

}  // namespace mambo::gui
