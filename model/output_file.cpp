#include "model/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <map>
#include <mutex>
#include <optional>
#include <system_error>
#include <utility>

#include "kernels/error.h"

namespace mambo {
namespace {

namespace fs = std::filesystem;

constexpr int most_links = 40;            // as Linux follows
constexpr std::size_t short_enough = 40;  // bytes of a name that every file system takes
constexpr mode_t permissions = 0777;

std::string reason(int error) { return std::generic_category().message(error); }

[[noreturn]] void refuse(const fs::path& path, const std::string& why) {
  throw Error("cannot write " + path.string() + ": " + why);
}

using FileId = std::pair<dev_t, ino_t>;

struct Inputs {
  std::mutex mutex;
  std::map<FileId, fs::path> path_of;
};
Inputs& inputs() {
  static Inputs all;
  return all;
}

std::optional<FileId> id_of(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  return FileId(status.st_dev, status.st_ino);
}

// The name under which this file was read; empty: it was not. An inode of a file that is gone may
// have been given to another since.
fs::path input_name(const FileId& id) {
  const std::lock_guard lock(inputs().mutex);
  const auto found = inputs().path_of.find(id);
  return found != inputs().path_of.end() && id_of(found->second) == id ? found->second : fs::path();
}

// Links followed by name, so that one whose target is still to be made leads there too.
fs::path follow(const fs::path& asked) {
  fs::path path = asked;
  for (int i = 0; i < most_links; ++i) {
    std::error_code error;
    if (!fs::is_symlink(fs::symlink_status(path, error))) return path;
    const fs::path to = fs::read_symlink(path, error);
    if (error) refuse(asked, error.message());
    path = path.parent_path() / to;  // an absolute one replaces all
  }
  refuse(asked, reason(ELOOP));
}

const char* kind_name(mode_t mode) {
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISFIFO(mode)) return "a pipe";
  return S_ISSOCK(mode) ? "a socket" : "a device";
}

std::optional<struct stat> status_of(const OutputPlace& place) {
  struct stat status {};
  if (::stat(place.path.c_str(), &status) == 0) return status;
  // A missing folder will be made; what else is wrong with it shows then.
  if (errno == ENOENT || errno == ENOTDIR || errno == EACCES) return std::nullopt;
  refuse(place.asked, reason(errno));
}

void make_folder_of(const OutputPlace& place) {
  const fs::path folder = place.path.has_parent_path() ? place.path.parent_path() : fs::path(".");
  std::error_code error;
  fs::create_directories(folder, error);
  std::error_code ignored;
  if (fs::is_directory(folder, ignored)) return;
  refuse(place.asked, "cannot make the folder " + folder.string() + ": " +
                          (error ? error.message() : std::string("it is not a folder")));
}

// Where a UTF-8 character begins, at `at` or before.
std::size_t character_at(std::string_view text, std::size_t at) {
  while (at > 0 && at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U)
    --at;
  return at;
}

}  // namespace

void note_input(const fs::path& path) {
  const auto id = id_of(path);
  if (!id) return;
  std::error_code error;
  const fs::path absolute = fs::absolute(path, error);
  const std::lock_guard lock(inputs().mutex);
  inputs().path_of[*id] = absolute;
}

OutputPlace output_place(const fs::path& asked, const Replace& replace) {
  if (asked.empty() || asked.filename().empty()) {
    throw Error("expected the name of a file to write, found \"" + asked.string() + "\"");
  }
  if (asked == "-") {
    refuse(asked,
           "expected the name of a file, found -, and standard output takes only the sound "
           "of mambo render; a file of this name is ./-");
  }
  OutputPlace place{asked, follow(asked)};
  const auto status = status_of(place);
  if (!status) return place;
  if (!S_ISREG(status->st_mode)) {
    refuse(asked, std::string("expected a file, found ") + kind_name(status->st_mode));
  }
  place.there = true;
  if (const fs::path input = input_name({status->st_dev, status->st_ino}); !input.empty()) {
    refuse(asked, "it is an input, read as " + input.string() + ": choose another name");
  }
  if (replace.force || status->st_size == 0 || (replace.made && replace.made(place.path))) {
    return place;
  }
  throw Error(asked.string() + " is there" +
              (replace.made ? " and was not made by " + replace.maker : std::string()) +
              ": choose another name, or --force to replace it");
}

std::string aside_name(std::string_view name, std::string_view suffix) {
  const std::size_t most = std::max(name.size(), short_enough);
  const std::size_t others = 1 + suffix.size();
  const std::size_t kept = most > others ? std::min(name.size(), most - others) : 0;
  std::string aside(1, '.');
  aside += name.substr(0, character_at(name, kept));
  aside += suffix;
  return aside;
}

OutputFile::OutputFile(fs::path path, Replace replace)
    : place_(output_place(path, replace)), replace_(std::move(replace)) {
  make_folder_of(place_);
  // Unique within the process and, by its number, between processes: two writers of one name do not
  // mix, the last to finish wins. What a process of this number left lying keeps its name.
  static std::atomic<unsigned> counter{0};
  do {
    std::string suffix(1, '.');
    suffix += std::to_string(::getpid());
    suffix += '-';
    suffix += std::to_string(counter++);
    suffix += ".part";
    aside_ = place_.path.parent_path() / aside_name(place_.path.filename().string(), suffix);
    fd_ = ::open(aside_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (fd_ < 0 && errno == EEXIST);
  if (fd_ < 0) fail(errno);
}

OutputFile::~OutputFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(aside_.c_str());
}

void OutputFile::write(std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0) {
      if (errno == EINTR) continue;
      fail(errno);
    }
    bytes = bytes.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
}

// False: something came to lie there meanwhile.
bool OutputFile::rename_into(const OutputPlace& place) const {
  const char* to = place.path.c_str();
  if (!place.there) {
    if (::renameat2(AT_FDCWD, aside_.c_str(), AT_FDCWD, to, RENAME_NOREPLACE) == 0) return true;
    if (errno == EEXIST) return false;
    if (errno != EINVAL && errno != ENOSYS) fail(errno);  // a file system that cannot promise it
  }
  if (::rename(aside_.c_str(), to) != 0) fail(errno);
  return true;
}

void OutputFile::commit() {
  if (::fsync(fd_) != 0) fail(errno);
  do {
    try {
      place_ = output_place(place_.asked, replace_);
    } catch (const Error& e) {
      const fs::path kept = keep_beside();
      if (kept.empty()) throw;
      throw Error(std::string(e.what()) + "; what was written is kept as " + kept.string());
    }
    struct stat before {};
    if (place_.there && ::stat(place_.path.c_str(), &before) == 0) {
      ::fchmod(fd_, before.st_mode & permissions);  // not every file system has them
    }
  } while (!rename_into(place_));
  ::close(fd_);
  fd_ = -1;
}

// Under a free name in the folder where the file lies already; empty: there is none, or no name
// fits.
fs::path OutputFile::keep_beside() {
  constexpr int most_names = 1000;
  const fs::path name = place_.asked.filename();
  for (int i = 2; i < most_names; ++i) {
    fs::path free = aside_.parent_path() / name.stem();
    free += '-';
    free += std::to_string(i);
    free += name.extension();
    if (::renameat2(AT_FDCWD, aside_.c_str(), AT_FDCWD, free.c_str(), RENAME_NOREPLACE) == 0) {
      ::close(fd_);
      fd_ = -1;
      return free;
    }
    if (errno != EEXIST) return {};
  }
  return {};
}

void OutputFile::fail(int error) const { refuse(place_.asked, reason(error)); }

}  // namespace mambo
