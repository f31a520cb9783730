#include "support.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sndfile.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

namespace mambo::testing {

Folder::Folder() {
  std::string name = (fs::temp_directory_path() / "mambo-test-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
  path_ = name;
}

Folder::~Folder() {
  std::error_code error;
  fs::remove_all(path_, error);
}

std::vector<std::string> Folder::names() const {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(path_)) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

SmallDisk::SmallDisk(int kilobytes) {
  const std::string options = "size=" + std::to_string(kilobytes) + "k";
  mounted_ = ::mount("tmpfs", folder_.path().c_str(), "tmpfs", 0, options.c_str()) == 0;
}

SmallDisk::~SmallDisk() {
  if (mounted_) ::umount2(folder_.path().c_str(), MNT_DETACH);
}

Sound read_sound(const fs::path& path) {
  Sound sound;
  SF_INFO info{};
  SNDFILE* file = sf_open(path.c_str(), SFM_READ, &info);
  if (file == nullptr) return sound;
  sound.rate = info.samplerate;
  sound.channels = info.channels;
  if (const char* comment = sf_get_string(file, SF_STR_COMMENT)) sound.comment = comment;
  std::vector<float> block(4096 * static_cast<std::size_t>(info.channels));
  for (;;) {
    const sf_count_t got = sf_readf_float(file, block.data(), 4096);
    if (got <= 0) break;
    sound.samples.insert(sound.samples.end(), block.begin(), block.begin() + got * info.channels);
  }
  sf_close(file);
  return sound;
}

void write_sound(const fs::path& path, const Sound& sound, int sndfile_format) {
  SF_INFO info{};
  info.samplerate = sound.rate;
  info.channels = sound.channels;
  info.format = sndfile_format;
  SNDFILE* file = sf_open(path.c_str(), SFM_WRITE, &info);
  ASSERT_NE(file, nullptr) << sf_strerror(nullptr);
  const auto frames = static_cast<sf_count_t>(sound.samples.size()) / sound.channels;
  for (sf_count_t at = 0; at < frames; at += 4096) {  // small writes, for Vorbis
    const sf_count_t n = std::min<sf_count_t>(4096, frames - at);
    ASSERT_EQ(sf_writef_float(file, sound.samples.data() + at * sound.channels, n), n);
  }
  sf_close(file);
}

Sound tone(double seconds, int rate, int channels) {
  Sound sound{rate, channels, {}, {}};
  const auto frames = static_cast<std::size_t>(seconds * rate);
  for (std::size_t f = 0; f < frames; ++f) {
    const double x = 0.5 * std::sin(2 * M_PI * 220 * static_cast<double>(f) / rate);
    for (int c = 0; c < channels; ++c) sound.samples.push_back(static_cast<float>(x));
  }
  return sound;
}

fs::path tone_clip(const Folder& folder, double seconds, int rate) {
  fs::path path = folder / "tone.wav";
  write_sound(path, tone(seconds, rate), SF_FORMAT_WAV | SF_FORMAT_PCM_16);
  return path;
}

std::string bytes_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

nlohmann::json Outcome::json() const {
  EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 1) << out;
  return nlohmann::json::parse(out);
}

pid_t start_mambo(const std::vector<std::string>& words, const fs::path& out, const fs::path& err,
                  const std::string& setup) {
  const std::string script = (setup.empty() ? "" : setup + "; ") + "exec \"$@\"";
  std::vector<std::string> all = {"/bin/sh", "-c", script, "sh", MAMBO_PROGRAM};
  all.insert(all.end(), words.begin(), words.end());
  std::vector<char*> argv;
  for (std::string& word : all) argv.push_back(word.data());
  argv.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid == 0) {
    const int null = ::open("/dev/null", O_RDONLY);
    const int to = ::open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    const int log = ::open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (::dup2(null, 0) < 0 || ::dup2(to, 1) < 0 || ::dup2(log, 2) < 0) ::_exit(126);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  return pid;
}

int wait_for(pid_t pid) {
  int status = 0;
  if (::waitpid(pid, &status, 0) != pid) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

Outcome mambo(const std::vector<std::string>& words, const std::string& setup) {
  const Folder folder;
  Outcome outcome;
  outcome.code = wait_for(start_mambo(words, folder / "out", folder / "err", setup));
  outcome.out = bytes_of(folder / "out");
  outcome.err = bytes_of(folder / "err");
  return outcome;
}

std::string golden(const std::string& name) { return MAMBO_TEST_DATA "/" + name; }
nlohmann::json sampling_json(double temperature, int top_k, double top_p) {
  return {{"temperature", temperature},
          {"top_k", top_k},
          {"top_p", top_p},
          {"min_p", 0.0},
          {"floor", 1.0},
          {"gate", 0.0}};
}

void copy_with_about(const std::string& model, const fs::path& path, const nlohmann::json& about) {
  const std::string bytes = bytes_of(model);
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  auto header = nlohmann::json::parse(bytes.substr(sizeof length, length));
  auto& metadata = header["__metadata__"];
  auto config = nlohmann::json::parse(metadata["mambo.config"].get<std::string>());
  config["about"] = about;
  metadata["mambo.config"] = config.dump();
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const std::uint64_t now = text.size();
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(&now), sizeof now);
  file << text << bytes.substr(sizeof length + length);
}

std::string small_model() { return golden("rand-unet-p4.safetensors"); }
void expect_one_line(const std::string& err) {
  EXPECT_EQ(std::count(err.begin(), err.end(), '\n'), 1) << err;
  EXPECT_EQ(err.rfind("mambo: ", 0), 0U) << err;
}

std::string piano_model() { return MAMBO_ASSETS "/models/piano-lab.safetensors"; }

}  // namespace mambo::testing
