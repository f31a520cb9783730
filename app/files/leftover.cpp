#include "app/files/leftover.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sndfile.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <system_error>

#include "app/files/free_name.h"
#include "kernels/error.h"

namespace mambo {
namespace {

namespace fs = std::filesystem;

class Descriptor {
 public:
  Descriptor(const fs::path& path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC)) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }

 private:
  int fd_;
};

struct CloseSound {
  void operator()(SNDFILE* file) const { sf_close(file); }
};

[[noreturn]] void fail(const fs::path& path, const char* what, int error) {
  throw Error(
      fmt::format("cannot {} {}: {}", what, path.string(), std::generic_category().message(error)));
}

// ".take.wav.1234-0.part" -> "take.wav", or the beginning of a long name; empty: no such name
// (aside_name() of model/output_file.h).
std::string name_of(const std::string& aside) {
  constexpr const char* end = ".part";
  if (!aside.starts_with('.') || !aside.ends_with(end)) return {};
  const std::string inner = aside.substr(1, aside.size() - 1 - std::strlen(end));
  const std::size_t dot = inner.rfind('.');
  if (dot == std::string::npos || dot == 0 || dot + 1 == inner.size()) return {};
  if (inner.find_first_not_of("0123456789-", dot + 1) != std::string::npos) return {};
  return inner.substr(0, dot);
}

// Its writer holds a lock as long as it lives (audio_writer.cpp); nothing else tells as surely.
bool is_abandoned(int fd) {
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) return false;
  ::flock(fd, LOCK_UN);
  return true;
}

const char* extension_of(int format) {
  switch (format & SF_FORMAT_TYPEMASK) {
    case SF_FORMAT_FLAC:
      return ".flac";
    case SF_FORMAT_OGG:
      return ".ogg";
    default:
      return ".wav";
  }
}

// The name that begins so and was reserved: an empty file. Else what is known of it.
fs::path whole_name(const fs::path& begin, const char* extension) {
  std::error_code error;
  for (fs::directory_iterator it(begin.parent_path(), error);
       !error && it != fs::directory_iterator(); it.increment(error)) {
    const std::string name = it->path().filename().string();
    std::error_code no_file;
    const bool fits = name.starts_with(begin.filename().string()) && name.ends_with(extension);
    if (fits && it->is_regular_file(no_file) && it->file_size(no_file) == 0) return it->path();
  }
  return begin.extension() == extension ? begin : fs::path(begin).concat(extension);
}

std::optional<Leftover> look_at(const fs::path& aside) {
  const std::string name = name_of(aside.filename().string());
  if (name.empty()) return {};
  const Descriptor file(aside, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  struct stat status {};
  if (!file.is_open() || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return {};
  if (!is_abandoned(file.get())) return {};
  SF_INFO info{};
  const std::unique_ptr<SNDFILE, CloseSound> sound(
      sf_open_fd(file.get(), SFM_READ, &info, SF_FALSE));
  if (sound == nullptr || info.samplerate <= 0) return {};
  const char* comment = sf_get_string(sound.get(), SF_STR_COMMENT);
  if (comment == nullptr || !std::string(comment).starts_with("mambo, live")) return {};
  Leftover leftover{aside, whole_name(aside.parent_path() / name, extension_of(info.format))};
  // A FLAC or Ogg file that was not closed does not say how long it is.
  constexpr sf_count_t absurd = sf_count_t{1} << 40;
  if (info.frames > 0 && info.frames < absurd) {
    leftover.seconds = static_cast<double>(info.frames) / info.samplerate;
  }
  if (info.frames == 0 && (info.format & SF_FORMAT_TYPEMASK) == SF_FORMAT_WAV) return {};
  return leftover;
}

std::uint32_t number_at(const std::array<unsigned char, 8>& bytes, std::size_t at) {
  std::uint32_t n = 0;
  for (std::size_t i = 4; i-- > 0;) n = n << 8U | bytes[at + i];
  return n;
}

void put_number(int fd, off_t at, std::uint64_t n) {
  std::array<unsigned char, 4> bytes{};
  for (unsigned char& b : bytes) {
    b = static_cast<unsigned char>(n);
    n >>= 8U;
  }
  if (::pwrite(fd, bytes.data(), bytes.size(), at) != static_cast<ssize_t>(bytes.size())) {
    throw Error(std::generic_category().message(errno));
  }
}

// The two sizes that a WAV file gets when it is closed. Files of other formats need none.
void write_wav_sizes(int fd) {
  std::array<char, 4> magic{};
  if (::pread(fd, magic.data(), magic.size(), 0) != 4 || std::memcmp(magic.data(), "RIFF", 4) != 0)
    return;
  struct stat status {};
  if (::fstat(fd, &status) != 0) throw Error(std::generic_category().message(errno));
  constexpr off_t riff_header = 12;
  constexpr off_t chunk_header = 8;
  for (off_t at = riff_header; at + chunk_header <= status.st_size;) {
    std::array<unsigned char, 8> chunk{};
    if (::pread(fd, chunk.data(), chunk.size(), at) != static_cast<ssize_t>(chunk.size())) return;
    if (std::memcmp(chunk.data(), "data", 4) == 0) {
      const auto bytes = static_cast<std::uint64_t>(status.st_size - at - chunk_header);
      put_number(fd, at + 4, bytes / 2 * 2);  // recordings: one channel of 16 bits
      put_number(fd, 4, static_cast<std::uint64_t>(status.st_size) - chunk_header);
      return;
    }
    at += chunk_header + static_cast<off_t>(number_at(chunk, 4) + number_at(chunk, 4) % 2);
  }
}

}  // namespace

std::vector<Leftover> find_leftovers(const fs::path& folder) {
  std::vector<Leftover> all;
  std::error_code error;
  for (fs::directory_iterator it(folder, error); !error && it != fs::directory_iterator();
       it.increment(error)) {
    if (const auto leftover = look_at(it->path())) all.push_back(*leftover);
  }
  const auto age = [](const Leftover& l) {
    std::error_code gone;
    return fs::last_write_time(l.aside, gone);
  };
  std::sort(all.begin(), all.end(),
            [&](const Leftover& a, const Leftover& b) { return age(a) < age(b); });
  return all;
}

fs::path keep_leftover(const Leftover& leftover) {
  const Descriptor file(leftover.aside, O_RDWR | O_NOFOLLOW);
  if (!file.is_open()) fail(leftover.aside, "open", errno);
  // Two windows may offer it.
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) fail(leftover.aside, "lock", errno);
  try {
    write_wav_sizes(file.get());
  } catch (const Error& e) {
    throw Error(fmt::format("cannot complete {}: {}", leftover.aside.string(), e.what()));
  }
  ::fsync(file.get());
  // Its own name is free, or was reserved for it and is empty.
  std::error_code error;
  const bool reserved = fs::file_size(leftover.name, error) == 0 && !error;
  fs::path path = reserved ? leftover.name : reserve_free_name(leftover.name);
  if (::rename(leftover.aside.c_str(), path.c_str()) != 0) fail(leftover.aside, "rename", errno);
  return path;
}

void delete_leftover(const Leftover& leftover) {
  if (::unlink(leftover.aside.c_str()) != 0 && errno != ENOENT) {
    fail(leftover.aside, "delete", errno);
  }
  std::error_code error;
  if (fs::file_size(leftover.name, error) == 0 && !error) fs::remove(leftover.name, error);
}

}  // namespace mambo
