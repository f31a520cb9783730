// GLFW, OpenGL and Dear ImGui brought up and driven; what is drawn is the Shell's.
#include "app/gui/window.h"

#define GLFW_INCLUDE_NONE
#include <GL/gl.h>
#include <GLFW/glfw3.h>
#include <backends/imgui_impl_glfw.h>
#include <backends/imgui_impl_opengl3.h>
#include <fmt/core.h>
#include <imgui.h>

#include <algorithm>
#include <cfloat>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>
#include <vector>

#include "app/files/png_file.h"
#include "app/gui/full_screen.h"
#include "app/gui/glyphs.h"
#include "app/gui/icon.h"
#include "app/gui/keys.h"
#include "app/gui/monitor_scale.h"
#include "app/gui/settings.h"
#include "app/gui/shell.h"
#include "app/gui/terminal.h"
#include "app/gui/theme.h"
#include "kernels/error.h"

namespace mambo {
namespace {

using gui::Settings;
using gui::SettingsSaver;
using gui::Shell;
using gui::Theme;
using Clock = std::chrono::steady_clock;

constexpr double idle_period_s = 0.25;   // a still picture is drawn four times per second
constexpr double quick_frame_s = 0.006;  // a frame that costs less is drawn 60 times per second
constexpr int frames_after_input = 3;    // Dear ImGui needs a few to settle

std::string last_glfw_error;  // GLFW reports through a plain callback, on this thread

double since(Clock::time_point t) {
  return std::chrono::duration<double>(Clock::now() - t).count();
}

[[noreturn]] void no_window(const char* what) {
  throw Error(fmt::format(
      "no window can be opened: {} ({}); `mambo play` needs only a sound card, `mambo render` "
      "neither",
      what, last_glfw_error.empty() ? "no reason given" : last_glfw_error));
}

struct Glfw {
  Glfw() {
    last_glfw_error.clear();
    glfwSetErrorCallback([](int, const char* words) { last_glfw_error = words; });
    if (glfwInit() == GLFW_FALSE) no_window("there is no display");
  }
  ~Glfw() { glfwTerminate(); }
  Glfw(const Glfw&) = delete;
  Glfw& operator=(const Glfw&) = delete;
};

struct DestroyWindow {
  void operator()(GLFWwindow* w) const { glfwDestroyWindow(w); }
};
using WindowPtr = std::unique_ptr<GLFWwindow, DestroyWindow>;

// In pixels, as large as settings say at 96 dpi.
int scaled(int size, float scale) { return static_cast<int>(static_cast<float>(size) * scale); }

WindowPtr create_window(int width, int height, float scale) {
  const int least_width = scaled(gui::Settings::least_width, scale);
  const int least_height = scaled(gui::Settings::least_height, scale);
  glfwWindowHint(GLFW_CONTEXT_VERSION_MAJOR, 3);
  glfwWindowHint(GLFW_CONTEXT_VERSION_MINOR, 2);
  glfwWindowHint(GLFW_OPENGL_PROFILE, GLFW_OPENGL_CORE_PROFILE);
  glfwWindowHint(GLFW_OPENGL_FORWARD_COMPAT, GLFW_TRUE);
  glfwWindowHintString(GLFW_X11_CLASS_NAME, "mambo");  // mambo.desktop knows the window by it
  WindowPtr window(glfwCreateWindow(std::max(width, least_width), std::max(height, least_height),
                                    "mambo", nullptr, nullptr));
  if (!window) no_window("OpenGL 3.2 is not available");
  std::vector<std::uint8_t> pixels = gui::draw_icon(64);
  const GLFWimage icon = {64, 64, pixels.data()};
  glfwSetWindowIcon(window.get(), 1, &icon);  // Wayland takes that of the desktop entry
  glfwSetWindowSizeLimits(window.get(), least_width, least_height, GLFW_DONT_CARE, GLFW_DONT_CARE);
  glfwMakeContextCurrent(window.get());
  glfwSwapInterval(1);
  return window;
}

// Dear ImGui with its backends, as long as the window lives.
struct Imgui {
  explicit Imgui(GLFWwindow* window) {
    IMGUI_CHECKVERSION();
    ImGui::CreateContext();
    ImGuiIO& io = ImGui::GetIO();
    io.IniFilename = nullptr;  // the session's memory is ours
    io.LogFilename = nullptr;
    io.MouseDragThreshold = 3;
    ImGui_ImplGlfw_InitForOpenGL(window, true);
    ImGui_ImplOpenGL3_Init("#version 150");
  }
  ~Imgui() {
    ImGui_ImplOpenGL3_Shutdown();
    ImGui_ImplGlfw_Shutdown();
    ImGui::DestroyContext();
  }
  Imgui(const Imgui&) = delete;
  Imgui& operator=(const Imgui&) = delete;
};

// Pixels per unit: the monitor's scale and the user's own. Where a window's coordinates are not
// pixels (Wayland, macOS), the difference is left to the frame buffer.
float interface_scale(GLFWwindow* window, float monitor, float zoom) {
  int width = 0;
  int height = 0;
  int pixels = 0;
  glfwGetWindowSize(window, &width, &height);
  glfwGetFramebufferSize(window, &pixels, &height);
  const float density =
      width > 0 && pixels > 0 ? static_cast<float>(pixels) / static_cast<float>(width) : 1.0F;
  return monitor / density * zoom;
}

bool draws_in_software() {
  const auto* name = reinterpret_cast<const char*>(glGetString(GL_RENDERER));
  const std::string_view renderer = name != nullptr ? name : "";
  for (const char* known : {"llvmpipe", "softpipe", "swrast", "SWR", "SwiftShader"}) {
    if (renderer.find(known) != std::string_view::npos) return true;
  }
  return false;
}

class Loop {
 public:
  struct Parts {
    GLFWwindow* window;
    const GuiOptions& options;
    const Session& session;
    const Settings& settings;
    SettingsSaver& saver;
    Shell& shell;
    Theme& theme;
  };
  Loop(const Parts& parts, float scale)
      : window_(parts.window),
        monitor_scale_(scale),
        options_(parts.options),
        session_(parts.session),
        settings_(parts.settings),
        saver_(parts.saver),
        shell_(parts.shell),
        theme_(parts.theme) {
    GLFWwindow* const window = window_;
    glfwSetWindowUserPointer(window, this);
    glfwSetDropCallback(window, [](GLFWwindow* w, int n, const char** paths) {
      auto* self = static_cast<Loop*>(glfwGetWindowUserPointer(w));
      self->shell_.drop({paths, paths + n});
      self->settle_ = frames_after_input;
    });
    glfwSetWindowRefreshCallback(window, [](GLFWwindow* w) {
      static_cast<Loop*>(glfwGetWindowUserPointer(w))->settle_ = frames_after_input;
    });
    glfwSetKeyCallback(window, [](GLFWwindow* w, int key, int scancode, int action, int mods) {
      static_cast<Loop*>(glfwGetWindowUserPointer(w))
          ->trickle_.push({key, scancode, action, mods, 0});
    });
    glfwSetCharCallback(window, [](GLFWwindow* w, unsigned int character) {
      static_cast<Loop*>(glfwGetWindowUserPointer(w))->trickle_.push({0, 0, 0, 0, character});
    });
  }

  void run() {
    const bool takes_picture = !options_.screenshot.empty();
    while (glfwWindowShouldClose(window_) == GLFW_FALSE && !interrupted()) {
      wait();
      const bool now = takes_picture && since(started_) >= options_.after_s;
      frame(now);
      if (now) return;
      full_screen_.set(window_, shell_.wants_full_screen());
      if (shell_.wants_to_close()) glfwSetWindowShouldClose(window_, GLFW_TRUE);
      if (!takes_picture) remember();
    }
  }
  // The settings for the next time, as they are now.
  Settings settings() const {
    Settings s = settings_;
    gui::remember_what_plays(session_, s);
    int width = 0;
    int height = 0;
    full_screen_.size(window_, width, height);  // of the window when it is not full screen
    s.width = static_cast<int>(static_cast<float>(width) / monitor_scale_);
    s.height = static_cast<int>(static_cast<float>(height) / monitor_scale_);
    return s;
  }

 private:
  // A letter counts as the user's keyboard writes it: Ctrl+Z is where the Z stands on it.
  static gui::KeyPress press(const gui::KeyEvent& e) {
    int code = e.key;
    const char* name = glfwGetKeyName(e.key, e.scancode);
    const bool pad = e.key >= GLFW_KEY_KP_0 && e.key <= GLFW_KEY_KP_EQUAL;
    if (!pad && name != nullptr && name[0] > ' ' && name[0] < 0x7F && name[1] == '\0') {
      code = name[0] >= 'a' && name[0] <= 'z' ? name[0] - 'a' + 'A' : name[0];
    }
    return {code, e.modifiers, e.action == GLFW_REPEAT};
  }

  // What this frame is to see of the keyboard.
  void hand_on_keys() {
    for (const gui::KeyEvent& e : trickle_.next_frame(shell_.keys().holds())) {
      if (e.character != 0) {
        ImGui_ImplGlfw_CharCallback(window_, e.character);
        continue;
      }
      ImGui_ImplGlfw_KeyCallback(window_, e.key, e.scancode, e.action, e.modifiers);
      if (e.action != GLFW_RELEASE) shell_.keys().press(press(e));
    }
    if (!trickle_.empty() || shell_.keys().holds()) settle_ = frames_after_input;
  }

  bool interrupted() const { return options_.interrupted && options_.interrupted(); }

  // A program may end in ways that leave it no time for this.
  void remember() {
    const double now = since(started_);
    if (now - remembered_ < 0.5) return;
    remembered_ = now;
    try {
      saver_.look(settings(), now);
    } catch (const std::exception& e) {
      shell_.say(e.what(), true);
    }
  }

  // Sleeps until there is something to draw. Drawing yields to the sound: where it is slow
  // (software OpenGL) it takes at most about a third of one core's time.
  void wait() {
    const bool busy = shell_.lively() || settle_ > 0 || !options_.screenshot.empty();
    const double least =
        !software_ && cost_s_ < quick_frame_s ? 1.0 / 60 : std::clamp(3 * cost_s_, 1.0 / 30, 0.1);
    const double period = busy ? least : idle_period_s;
    if (settle_ > 0) --settle_;
    while (true) {
      const double left = period - since(frame_began_);
      const auto before = Clock::now();
      if (left <= 0.0005) {
        glfwPollEvents();
        break;
      }
      glfwWaitEventsTimeout(left);
      const bool woken = since(before) < left - 0.001;
      if (woken) settle_ = frames_after_input;
      if (woken && period > least) break;  // from idleness: answer at once
    }
  }

  void frame(bool take_picture) {
    const double passed = since(frame_began_);
    frame_began_ = Clock::now();
    const float scale = interface_scale(window_, monitor_scale_, shell_.wanted_zoom());
    if (std::fabs(scale - theme_.scale) > 0.001F || theme_.body == nullptr ||
        gui::glyphs().wants_more()) {
      gui::apply_theme(theme_, scale);
      ImGui_ImplOpenGL3_DestroyFontsTexture();
      ImGui_ImplOpenGL3_CreateFontsTexture();
      settle_ = frames_after_input;
    }
    hand_on_keys();
    ImGui_ImplOpenGL3_NewFrame();
    ImGui_ImplGlfw_NewFrame();
    // A picture is of the window, not of where the pointer happens to rest.
    if (!options_.screenshot.empty()) ImGui::GetIO().MousePos = {-FLT_MAX, -FLT_MAX};
    gui::glyphs().begin_frame();
    ImGui::NewFrame();
    shell_.draw(passed);
    ImGui::Render();
    int width = 0;
    int height = 0;
    glfwGetFramebufferSize(window_, &width, &height);
    glViewport(0, 0, width, height);
    const ImVec4 back = ImGui::ColorConvertU32ToFloat4(gui::colour::background);
    glClearColor(back.x, back.y, back.z, 1);
    glClear(GL_COLOR_BUFFER_BIT);
    ImGui_ImplOpenGL3_RenderDrawData(ImGui::GetDrawData());
    if (take_picture) save_picture(width, height);
    const double drawn = since(frame_began_);
    glfwSwapBuffers(window_);
    // A swap that waits for the display costs nothing, but software draws inside it.
    const double cost = software_ ? since(frame_began_) : drawn;
    cost_s_ += 0.1 * (std::min(cost, 0.2) - cost_s_);
  }

  void save_picture(int width, int height) {
    std::vector<std::uint8_t> pixels(static_cast<std::size_t>(width) *
                                     static_cast<std::size_t>(height) * 4);
    glPixelStorei(GL_PACK_ALIGNMENT, 1);
    glReadPixels(0, 0, width, height, GL_RGBA, GL_UNSIGNED_BYTE, pixels.data());
    const auto row = static_cast<std::ptrdiff_t>(width) * 4;
    for (int y = 0; y < height / 2; ++y) {  // OpenGL's first row is the lowest
      const auto upper = pixels.begin() + row * y;
      std::swap_ranges(upper, upper + row, pixels.begin() + row * (height - 1 - y));
    }
    for (std::size_t i = 3; i < pixels.size(); i += 4) pixels[i] = 255;
    write_png(options_.screenshot, width, height, 4, pixels, replace_png(options_.force));
  }

  GLFWwindow* window_;
  gui::KeyTrickle trickle_;
  gui::FullScreen full_screen_;
  float monitor_scale_;
  const GuiOptions& options_;
  const Session& session_;
  const Settings& settings_;
  SettingsSaver& saver_;
  Shell& shell_;
  Theme& theme_;
  Clock::time_point started_ = Clock::now();
  double remembered_ = 0;  // seconds after started_
  Clock::time_point frame_began_ = Clock::now();
  bool software_ = draws_in_software();
  double cost_s_ = 0.005;
  int settle_ = frames_after_input;
};

SessionOptions session_options(const GuiOptions& o, Settings& settings) {
  if (!o.device.empty()) settings.device = o.device;
  SessionOptions s;
  s.backend = o.backend;
  s.engine = o.engine;
  s.device = settings.device;
  s.input = o.input;
  return s;
}

}  // namespace

int run_gui(const GuiOptions& options) {
  gui::remember_terminal();
  if (!options.screenshot.empty()) {  // refused now, not when the picture is taken
    note_input(options.model);
    note_input(options.seed_clip);
    output_place(options.screenshot, replace_png(options.force));
  }
  const Glfw glfw;
  std::string complaint;
  Settings settings = gui::load_settings(gui::settings_path(), complaint);
  SettingsSaver saver(gui::settings_path(), settings);
  const float scale = gui::monitor_scale();
  const auto sized = [scale](int wanted, int remembered) {
    return wanted > 0 ? wanted : scaled(remembered, scale);
  };
  const WindowPtr window = create_window(sized(options.width, settings.width),
                                         sized(options.height, settings.height), scale);
  const Imgui imgui(window.get());
  Theme theme;
  gui::apply_theme(theme, interface_scale(window.get(), scale, settings.zoom));

  Session session(session_options(options, settings));
  Shell shell(session, settings, theme, options);
  if (!complaint.empty()) shell.say(complaint, true);
  Loop loop({window.get(), options, session, settings, saver, shell, theme}, scale);
  loop.run();
  // A picture leaves no trace in the user's settings.
  if (options.screenshot.empty()) saver.save(loop.settings());
  return 0;  // the session completes a recording on its way
}

}  // namespace mambo
