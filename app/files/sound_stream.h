// Sound that flows instead of lying in a file: standard output, a pipe, a device node.
#pragma once

#include <sndfile.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace mambo {

// What libsndfile writes through io() goes out as it comes, but for the header, which it would come
// back to: the header waits until begin() says how much sound follows.
class SoundStream {
 public:
  // Opens it; a pipe waits for its reader. stop: asked several times per second while the other
  // end does not take anything; when it says yes, the rest is dropped. Throws Error.
  SoundStream(std::filesystem::path path, std::function<bool()> stop);
  ~SoundStream();
  SoundStream(const SoundStream&) = delete;
  SoundStream& operator=(const SoundStream&) = delete;

  static SF_VIRTUAL_IO& io();  // for sf_open_virtual, with this object as user data

  // Once libsndfile has written the header and the first of the sound. 0 bytes: not known, which
  // the header says as programs that write to pipes do, by the largest sizes.
  void begin(std::uint64_t data_bytes, std::uint64_t frames);
  // After sf_close, with what it came to be: where the other end is a file, its header is made
  // right if it is not. Throws Error.
  void end(std::uint64_t data_bytes, std::uint64_t frames);

  void close();  // the reader's end of the sound; standard output stays open

  bool stopped() const { return stopped_; }
  int error() const { return error_; }  // of the system, since the last write failed; 0: none

 private:
  static sf_count_t write(const void* data, sf_count_t count, void* self);
  static sf_count_t seek(sf_count_t offset, int whence, void* self);
  bool send(std::span<const std::byte> bytes);
  bool wait_for_room();
  void set_sizes(std::uint64_t data_bytes, std::uint64_t frames);

  std::filesystem::path path_;
  std::function<bool()> stop_;
  int fd_ = -1;
  bool owns_fd_ = false, begun_ = false, stopped_ = false;
  int error_ = 0;
  std::int64_t file_start_ = -1;   // where the header lies if the other end is a file
  std::vector<std::byte> header_;  // and, until begin(), what follows it
  sf_count_t at_ = 0, end_ = 0;    // where libsndfile writes next, and how far it came
  std::uint64_t promised_ = 0;     // bytes of sound that the header says; 0: not known
};

// Whether an output of this name is one: -, /dev/stdout and the like, a pipe, a device node of
// bytes.
bool is_sound_stream(const std::filesystem::path& path);
// Of these, the one that what is printed must not mix with.
bool is_standard_output(const std::filesystem::path& path);
// Throws Error, one sentence, when no sound can go there: a terminal, a stream one may not write.
void expect_sound_stream(const std::filesystem::path& path);
// To be read in messages: "standard output" for -.
std::string stream_name(const std::filesystem::path& path);

}  // namespace mambo
