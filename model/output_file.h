// The one way in which this program puts a file on a disk: aside, under another name in the same
// folder, and renamed when it is whole. What lies there already is replaced only where nothing is
// lost by it. POSIX; another system needs only another output_file.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace mambo {

// From here on no output replaces this file, by whatever name or link it is called and whatever is
// forced: a model, a clip, a recipe that was read. What is no file is passed over. Any thread; a
// file is known by its device and inode, some 200 bytes of memory each.
void note_input(const std::filesystem::path& path);

// Which file that lies where an output goes may give way to it. One of no bytes always may.
struct Replace {
  // Whether `maker` made the file, told by what is in it. Never called for what is no file.
  std::function<bool(const std::filesystem::path&)> made;
  std::string maker;
  bool force = false;  // any file but an input: --force, or what lies there was judged before

  static Replace any() { return {{}, {}, true}; }
  static Replace nothing() { return {}; }
};

// Where an output goes.
struct OutputPlace {
  std::filesystem::path asked;
  std::filesystem::path path;  // with links followed, as far as a link that leads nowhere yet
  bool there = false;          // a file, which may be replaced
};

// Throws Error, one sentence, when nothing may be written there: it is an input, a folder, a pipe,
// a device, a file that `replace` does not cover, or it is no name. Makes nothing. Commands ask
// this of all their outputs before the work.
OutputPlace output_place(const std::filesystem::path& asked, const Replace& replace);

// A hidden name for a file beside `name`: a dot, `name`, `suffix`. Characters go from the end of
// `name` as long as the whole is longer than both `name` and a few dozen bytes: a file system that
// takes `name` takes it.
std::string aside_name(std::string_view name, std::string_view suffix);

// A file that is being written. Without commit() it vanishes.
class OutputFile {
 public:
  // Makes the folders that are missing. Throws Error, as output_place() and when it cannot write.
  OutputFile(std::filesystem::path path, Replace replace);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  int descriptor() const { return fd_; }  // to read and write, until commit()
  const std::filesystem::path& aside() const { return aside_; }  // where it lies until commit()

  void write(std::uint64_t offset, std::span<const std::byte> bytes);  // throws Error (full disk)
  // To the disk, and renamed, with the permissions of the file that it replaces. What lies there
  // is judged once more: where it may not be replaced, the work is kept as "name-2.ext" (or -3,
  // ...), and the Error says so. Throws Error.
  void commit();

 private:
  [[noreturn]] void fail(int error) const;
  bool rename_into(const OutputPlace& place) const;
  std::filesystem::path keep_beside();

  OutputPlace place_;
  Replace replace_;
  std::filesystem::path aside_;
  int fd_ = -1;
};

}  // namespace mambo
