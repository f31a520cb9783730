// The program itself, with a window on a virtual display, judged by the pictures it takes.
#include <gtest/gtest.h>
#include <stb/stb_image.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "display.h"

namespace mambo::gui {
namespace {

namespace fs = std::filesystem;

struct Picture {
  int width = 0, height = 0;
  std::vector<std::uint32_t> pixels;  // 0xRRGGBB

  explicit Picture(const fs::path& path) {
    int channels = 0;
    unsigned char* data = stbi_load(path.c_str(), &width, &height, &channels, 3);
    if (data == nullptr) return;
    for (int i = 0; i < width * height; ++i) {
      pixels.push_back(
          static_cast<std::uint32_t>(data[3 * i] << 16 | data[3 * i + 1] << 8 | data[3 * i + 2]));
    }
    stbi_image_free(data);
  }
  // Pixels of exactly this colour in rows [top, bottom).
  int count(std::uint32_t colour, int top, int bottom) const {
    int n = 0;
    for (int i = top * width; i < bottom * width; ++i) {
      n += pixels[static_cast<std::size_t>(i)] == colour ? 1 : 0;
    }
    return n;
  }
  std::uint32_t at(int x, int y) const {
    return pixels[static_cast<std::size_t>(y) * static_cast<std::size_t>(width) +
                  static_cast<std::size_t>(x)];
  }
  std::size_t colours() const { return std::set(pixels.begin(), pixels.end()).size(); }
};

constexpr std::uint32_t wave = 0x8CCBE6;
constexpr std::uint32_t wave_of_seed = 0xB3A8EE;
constexpr std::uint32_t error_red = 0xFF7F76;

class WindowTest : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(folder_);
    fs::create_directories(folder_ / "config");
    // NOLINTNEXTLINE(concurrency-mt-unsafe): one thread
    if (std::system("command -v Xvfb >/dev/null") != 0) {
      GTEST_SKIP() << "Xvfb is not installed: no display to open a window on";
    }
  }
  void TearDown() override { fs::remove_all(folder_); }

  // Exit code of `mambo gui ARGUMENTS` on the display; its output is in said_.
  int run(const std::string& display, const std::string& arguments) {
    const std::string command =
        "env -u WAYLAND_DISPLAY " + (display.empty() ? "-u DISPLAY" : "DISPLAY=" + display) +
        " XDG_CONFIG_HOME=" + (folder_ / "config").string() + " MAMBO_ASSETS=" MAMBO_ASSETS +
        " timeout 100 " MAMBO_PROGRAM " gui " + arguments + " >" + said_file_.string() + " 2>&1";
    const int status = std::system(command.c_str());  // NOLINT(concurrency-mt-unsafe): one thread
    std::stringstream text;
    text << std::ifstream(said_file_).rdbuf();
    said_ = text.str();
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  bool no_opengl() const { return said_.find("OpenGL 3.2 is not available") != std::string::npos; }

  fs::path folder_ = fs::temp_directory_path() / ("mambo-window-" + std::to_string(getpid()));
  fs::path said_file_ = folder_ / "said";
  fs::path picture_ = folder_ / "window.png";
  std::string said_;
};

TEST_F(WindowTest, PlaysAndSavesWhatItShows_timed) {
  const VirtualDisplay display(1280, 800);
  ASSERT_NE(display.name(), "");
  const int code = run(
      display.name(), "--screenshot " + picture_.string() + " --after 6 --width 1280 --height 800");
  if (no_opengl()) GTEST_SKIP() << said_;
  ASSERT_EQ(code, 0) << said_;
  const Picture p(picture_);
  ASSERT_EQ(p.width, 1280);
  ASSERT_EQ(p.height, 800);
  EXPECT_GT(p.colours(), 200U);
  // Behind the words of the first panel's title there is nothing, but for a line at the pointer,
  // which rests in the middle of the display.
  EXPECT_EQ(p.at(640, 108), p.at(620, 108)) << "the pointer is in the picture";
  EXPECT_GT(p.count(wave_of_seed, 0, 300), 100) << "the seed is not drawn";
  EXPECT_GT(p.count(wave, 0, 300), 100) << "no generated sound is drawn: did it play?";
}

TEST_F(WindowTest, SaysWhatIsWrongWithAModelAndStaysOpen) {
  const VirtualDisplay display(1280, 800);
  ASSERT_NE(display.name(), "");
  const int code =
      run(display.name(), "--model /nowhere/missing.safetensors --screenshot " + picture_.string() +
                              " --after 2 --width 1280 --height 800");
  if (no_opengl()) GTEST_SKIP() << said_;
  ASSERT_EQ(code, 0) << said_;
  const Picture p(picture_);
  ASSERT_EQ(p.width, 1280);
  EXPECT_GT(p.count(error_red, 772, 800), 20) << "no error in the status line";
  EXPECT_NE(said_.find("missing.safetensors"), std::string::npos) << said_;
}

TEST_F(WindowTest, OpensInSpiteOfBrokenSettingsAndFillsALargeScreen_timed) {
  const VirtualDisplay display(3840, 2160);
  ASSERT_NE(display.name(), "");
  fs::create_directories(folder_ / "config" / "mambo");
  std::ofstream(folder_ / "config" / "mambo" / "window.json") << "{ broken";
  const int code = run(display.name(), "--screenshot " + picture_.string() +
                                           " --after 3 --width 3840 --height 2160");
  if (no_opengl()) GTEST_SKIP() << said_;
  ASSERT_EQ(code, 0) << said_;
  const Picture p(picture_);
  EXPECT_EQ(p.width, 3840);
  EXPECT_EQ(p.height, 2160);
  EXPECT_GT(p.colours(), 100U);
  // The message is in the status line, 28 units high: at one pixel per unit it would be lower.
  EXPECT_GT(p.count(error_red, 2160 - 56, 2160 - 28), 20) << "too small to read";
  EXPECT_NE(said_.find("window.json"), std::string::npos) << said_;
}

TEST_F(WindowTest, TakesNoPictureOverWhatIsNotItsOwn) {
  // Said before the window opens: no display is needed.
  std::ofstream(picture_) << "notes";
  fs::create_symlink("/dev/null", folder_ / "link.png");
  const std::string model = (folder_ / "m.safetensors").string();
  fs::copy_file(MAMBO_ASSETS "/models/piano-lab.safetensors", model);
  const struct {
    std::string words;
    const char* says;
  } cases[] = {{picture_.string(), "is there and was not made by mambo"},
               {(folder_ / "link.png").string() + " --force", "found a device"},
               {"/dev/null --force", "found a device"},
               {model + " --force --model " + model, "it is an input"},
               {"-", "standard output"}};
  for (const auto& c : cases) {
    EXPECT_EQ(run(":987", "--screenshot " + c.words), 1);
    EXPECT_NE(said_.find(c.says), std::string::npos) << said_;
    EXPECT_EQ(std::count(said_.begin(), said_.end(), '\n'), 1) << said_;
  }
  std::stringstream text;
  text << std::ifstream(picture_).rdbuf();
  EXPECT_EQ(text.str(), "notes");
}

// A window that stays open: its settings are there while it is, and a signal closes it as a hand
// would.
TEST_F(WindowTest, SavesWhatChangesAndEndsCleanlyWhenItIsKilled) {
  const VirtualDisplay display(1280, 800);
  ASSERT_NE(display.name(), "");
  const fs::path file = folder_ / "config" / "mambo" / "window.json";
  for (const char* signal : {"TERM", "HUP"}) {
    SCOPED_TRACE(signal);
    fs::remove_all(folder_ / "config" / "mambo");
    const std::string command =
        "sh -c '" MAMBO_PROGRAM " gui --model " MAMBO_TEST_DATA
        "/rand-unet-p4.safetensors --level -60 & window=$!; i=0; while [ ! -s " +
        file.string() +
        " ] && [ $i -lt 600 ] && kill -0 $window; do sleep 0.1; i=$((i + 1)); done; kill -" +
        signal + " $window; wait $window' >" + said_file_.string() + " 2>&1";
    const int status = std::system(  // NOLINT(concurrency-mt-unsafe): one thread
        ("env -u WAYLAND_DISPLAY DISPLAY=" + display.name() + " HOME=" + folder_.string() +
         " XDG_CONFIG_HOME=" + (folder_ / "config").string() + " MAMBO_ASSETS=" MAMBO_ASSETS +
         " timeout 100 " + command)
            .c_str());
    std::stringstream text;
    text << std::ifstream(said_file_).rdbuf();
    said_ = text.str();
    if (no_opengl()) GTEST_SKIP() << said_;
    ASSERT_TRUE(WIFEXITED(status)) << said_;
    EXPECT_EQ(WEXITSTATUS(status), 0) << said_;
    std::stringstream settings;
    settings << std::ifstream(file).rdbuf();
    EXPECT_NE(settings.str().find("rand-unet-p4.safetensors"), std::string::npos) << said_;
  }
}

TEST_F(WindowTest, SaysInOneLineThatThereIsNoDisplay) {
  for (const char* display : {"", ":987"}) {
    EXPECT_EQ(run(display, "--screenshot " + picture_.string()), 1);
    EXPECT_NE(said_.find("mambo render"), std::string::npos) << said_;
    EXPECT_EQ(std::count(said_.begin(), said_.end(), '\n'), 1) << said_;
    EXPECT_FALSE(fs::exists(picture_));
  }
}

}  // namespace
}  // namespace mambo::gui
