// Shared by the tests of the program: a temporary folder, sound files, the program itself.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace mambo::testing {

namespace fs = std::filesystem;

// A fresh folder, removed with the object.
class Folder {
 public:
  Folder();
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  fs::path operator/(const std::string& name) const { return path_ / name; }
  const fs::path& path() const { return path_; }
  std::vector<std::string> names() const;  // of all that is in it, hidden files too, sorted

 private:
  fs::path path_;
};

// 64 kB to 1 MB of file system that can be full. mounted(): false where mounting is not permitted.
class SmallDisk {
 public:
  explicit SmallDisk(int kilobytes);
  ~SmallDisk();
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  bool mounted() const { return mounted_; }
  fs::path operator/(const std::string& name) const { return folder_ / name; }

 private:
  Folder folder_;
  bool mounted_ = false;
};

struct Sound {
  int rate = 0, channels = 0;
  std::vector<float> samples;  // interleaved
  std::string comment;
};
Sound read_sound(const fs::path& path);  // samples is empty if it is not a sound file
// sndfile_format: SF_FORMAT_WAV | SF_FORMAT_PCM_16 and so on.
void write_sound(const fs::path& path, const Sound& sound, int sndfile_format);
// A tone of 220 Hz at half level.
Sound tone(double seconds, int rate, int channels = 1);
fs::path tone_clip(const Folder& folder, double seconds = 0.5, int rate = 16000);  // tone.wav in it

std::string bytes_of(const fs::path& path);

struct Outcome {
  int code = -1;  // exit code; 128 + signal when killed
  std::string out, err;
  nlohmann::json json() const;  // of out, which must be one line of JSON
};
// Runs the program; one string per argument. setup: shell commands before it ("ulimit -f 64").
Outcome mambo(const std::vector<std::string>& words, const std::string& setup = "");

// The output of a failure: one line that begins with the program's name.
void expect_one_line(const std::string& err);
// Starts it without waiting.
pid_t start_mambo(const std::vector<std::string>& words, const fs::path& out, const fs::path& err,
                  const std::string& setup = "");
int wait_for(pid_t pid);

std::string golden(const std::string& name);  // a file of tests/golden
// A copy of `model` at `path` with the "about" of its configuration replaced.
void copy_with_about(const std::string& model, const fs::path& path, const nlohmann::json& about);
// What `mambo info --json` says of a model's draw; the rest off.
nlohmann::json sampling_json(double temperature, int top_k, double top_p);
std::string small_model();  // quick: random weights, pools of 4
std::string piano_model();

}  // namespace mambo::testing
