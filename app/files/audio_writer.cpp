// Sound files out. Nothing half-written is ever seen under the final name: samples go to a file
// aside (model/output_file.h), which is closed into a valid file and renamed, also when the disk
// fills.
#include <fcntl.h>
#include <fmt/core.h>
#include <sndfile.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <optional>
#include <string_view>
#include <system_error>

#include "app/files/audio_file.h"
#include "app/files/ogg_pages.h"
#include "app/files/rate_converter.h"
#include "app/files/sound_stream.h"
#include "kernels/error.h"
#include "model/output_file.h"

namespace mambo {
namespace {

namespace fs = std::filesystem;

// libsndfile's Vorbis encoder keeps a whole write on the stack: hence small blocks.
constexpr std::size_t block_frames = 2048;
// Room kept beyond the end for what closing a file still writes (the last FLAC frame, Ogg pages).
constexpr off_t closing_margin = 48 * 1024;
constexpr std::uint64_t wav_limit = 0xFFFFFFFFULL - 65536;

std::string reason(int error) { return std::generic_category().message(error); }

int sndfile_format(const WriterOptions& o) {
  if (o.format == FileFormat::ogg) return SF_FORMAT_OGG | SF_FORMAT_VORBIS;
  int container = o.format == FileFormat::flac ? SF_FORMAT_FLAC : SF_FORMAT_WAV;
  if (o.format == FileFormat::raw) container = SF_FORMAT_RAW | SF_ENDIAN_LITTLE;
  switch (o.bits) {
    case SampleBits::pcm24:
      return container | SF_FORMAT_PCM_24;
    case SampleBits::float32:
      return container | SF_FORMAT_FLOAT;
    case SampleBits::pcm16:
      break;
  }
  return container | SF_FORMAT_PCM_16;
}

std::uint64_t bytes_per_sample(SampleBits bits) {
  return bits == SampleBits::pcm16 ? 2 : bits == SampleBits::pcm24 ? 3 : 4;
}

// Frames that a player would find in the file; 0 when it is not a sound file any more.
std::uint64_t readable_frames(const fs::path& path) {
  SF_INFO info{};
  SNDFILE* file = sf_open(path.c_str(), SFM_READ, &info);
  if (file == nullptr) return 0;
  std::vector<float> block(4096 * static_cast<std::size_t>(std::max(1, info.channels)));
  std::uint64_t frames = 0;
  for (;;) {
    const sf_count_t got = sf_readf_float(file, block.data(), 4096);
    if (got <= 0) break;
    frames += static_cast<std::uint64_t>(got);
  }
  sf_close(file);
  return frames;
}

}  // namespace

struct AudioWriter::Impl {
  fs::path asked;
  WriterOptions options;
  std::optional<OutputFile> disk;  // until the file is whole; or
  std::unique_ptr<SoundStream> stream;
  SNDFILE* file = nullptr;
  std::vector<std::unique_ptr<RateConverter>> converters;  // one per channel; none: no conversion
  std::vector<std::vector<float>> converted;               // per channel, not yet written
  std::vector<float> plane, block;
  std::uint64_t frames = 0;   // given to write()
  std::string amended;        // the comment, once it is another one than the options'
  std::uint64_t written = 0;  // to the temporary file
  std::uint64_t in_file = 0;  // what the final file holds
  bool closed = false;

  ~Impl() {
    if (file != nullptr) sf_close(file);
  }

  void open_target() {
    const bool streams = is_sound_stream(asked);
    const bool either = options.format == FileFormat::wav;
    if (!either && streams != (options.format == FileFormat::raw)) {
      throw Error(fmt::format("cannot write {}: expected the format {}, found {}",
                              stream_name(asked),
                              streams ? "wav or raw of a stream" : "wav, flac or ogg of a file",
                              file_format_extension(options.format)));
    }
    if (streams) {
      stream = std::make_unique<SoundStream>(asked, options.stop);
      return;
    }
    disk.emplace(asked, options.replace);
    ::flock(disk->descriptor(), LOCK_EX | LOCK_NB);  // while it is written: see leftover.h
    const int room = reserve(0);
    if (room != 0) throw Error(fmt::format("cannot write {}: {}", asked.string(), reason(room)));
  }

  void open() {
    open_target();
    SF_INFO info{};
    info.samplerate = options.file_rate;
    info.channels = options.channels;
    info.format = sndfile_format(options);
    const bool vorbis_takes_it =
        options.file_rate >= kLowestFileRate && options.file_rate <= kHighestFileRate;
    if (sf_format_check(&info) == 0 || (options.format == FileFormat::ogg && !vorbis_takes_it)) {
      throw Error(fmt::format("cannot write {}: {} files of {} Hz do not exist", asked.string(),
                              file_format_extension(options.format), options.file_rate));
    }
    file = stream != nullptr ? sf_open_virtual(&SoundStream::io(), SFM_WRITE, &info, stream.get())
                             : sf_open_fd(disk->descriptor(), SFM_WRITE, &info, SF_FALSE);
    if (file == nullptr) {
      throw Error(fmt::format("cannot write {}: {}", asked.string(), sf_strerror(nullptr)));
    }
    sf_command(file, SFC_SET_CLIPPING, nullptr, SF_TRUE);
    sf_command(file, SFC_SET_ADD_PEAK_CHUNK, nullptr, SF_FALSE);  // it holds the time of day
    if (options.format == FileFormat::ogg) {
      double quality = 0.7;
      sf_command(file, SFC_SET_VBR_ENCODING_QUALITY, &quality, sizeof quality);
    }
    sf_set_string(file, SF_STR_SOFTWARE, "mambo " MAMBO_VERSION);
    if (!options.comment.empty()) sf_set_string(file, SF_STR_COMMENT, options.comment.c_str());
  }

  // Makes sure that `more` bytes and the closing margin fit on the disk. 0, or the errno that says
  // why not. File systems that cannot promise room are believed until a write fails.
  int reserve(std::size_t more) const {
    if (stream != nullptr) return 0;
    const int fd = disk->descriptor();
    struct stat status {};
    if (::fstat(fd, &status) != 0) return errno;
    const off_t need = static_cast<off_t>(more) + closing_margin;
    if (::fallocate(fd, FALLOC_FL_KEEP_SIZE, status.st_size, need) == 0) return 0;
    const bool unable = errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL;
    return unable ? 0 : errno;
  }

  // In place: all formats keep the comment as it is in their first kilobytes.
  void write_amended_comment(int fd) const {
    std::string head(std::size_t{64} << 10U, '\0');
    const ssize_t got = ::pread(fd, head.data(), head.size(), 0);
    head.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    const std::size_t at = head.find(options.comment);
    if (at == std::string::npos) return;
    const ssize_t put = ::pwrite(fd, amended.data(), amended.size(), static_cast<off_t>(at));
    if (put != static_cast<ssize_t>(amended.size())) {
      throw Error(fmt::format("cannot write the comment of {}: {}", asked.string(), reason(errno)));
    }
  }

  void write_block(std::span<const float> in) {
    block.assign(in.begin(), in.end());
    for (float& x : block) x = std::isfinite(x) ? std::clamp(x, -1.0F, 1.0F) : 0.0F;
    int error = reserve(block.size() * sizeof(float));
    const auto channels = static_cast<std::size_t>(options.channels);
    const std::size_t frames_in = block.size() / channels;
    const std::uint64_t bytes = (written + frames_in) * channels * bytes_per_sample(options.bits);
    if (disk && options.format == FileFormat::wav && bytes > wav_limit) error = EFBIG;
    if (error == 0) {
      errno = 0;
      const auto wanted = static_cast<sf_count_t>(frames_in);
      const sf_count_t got = sf_writef_float(file, block.data(), wanted);
      written += static_cast<std::uint64_t>(std::max<sf_count_t>(got, 0));
      if (stream != nullptr) return check_stream();
      if (got == wanted) return;
      error = errno != 0 ? errno : EIO;
    }
    const std::uint64_t kept = finish();
    throw Error(fmt::format("cannot write more of {}: {}; {}", asked.string(), reason(error),
                            kept > 0 ? fmt::format("it holds the first {:.2f} s",
                                                   static_cast<double>(kept) / options.file_rate)
                                     : std::string("nothing of it was kept")));
  }

  std::uint64_t bytes_of(std::uint64_t n) const {
    return n * static_cast<std::uint64_t>(options.channels) * bytes_per_sample(options.bits);
  }

  // After the header and the first of the sound, and after all that followed.
  void check_stream() {
    const std::uint64_t all = converters.empty() ? options.frames_ahead : 0;
    stream->begin(bytes_of(all), all);
    if (stream->error() == 0 || stream->stopped()) return;
    const int error = stream->error();
    finish();
    throw Error(fmt::format("cannot write more to {}: {}", stream_name(asked), reason(error)));
  }

  void write(std::span<const float> in) {
    for (; !in.empty(); in = in.subspan(std::min(in.size(), block_frames))) {
      write_block(in.first(std::min(in.size(), block_frames)));
    }
  }

  void convert(std::span<const float> in) {
    const std::size_t channels = converters.size();
    for (std::size_t c = 0; c < channels; ++c) {
      plane.clear();
      for (std::size_t i = c; i < in.size(); i += channels) plane.push_back(in[i]);
      converters[c]->process(plane, converted[c]);
    }
    write_converted();
  }

  // The frames that all channels have.
  void write_converted() {
    std::size_t ready = converted.front().size();
    for (const std::vector<float>& c : converted) ready = std::min(ready, c.size());
    plane.clear();
    for (std::size_t i = 0; i < ready; ++i) {
      for (const std::vector<float>& c : converted) plane.push_back(c[i]);
    }
    for (std::vector<float>& c : converted) {
      c.erase(c.begin(), c.begin() + static_cast<std::ptrdiff_t>(ready));
    }
    write(plane);
  }

  // Closes what there is into a valid file under the final name. Returns the frames that it holds;
  // 0: no sound, and no file stays. Throws Error when the file cannot be completed.
  std::uint64_t finish() {
    closed = true;
    if (stream != nullptr) {
      sf_close(file);
      file = nullptr;
      if (stream->error() == 0) stream->end(bytes_of(written), written);
      stream->close();
      in_file = written;
      return written;
    }
    const int close_error = sf_close(file);
    file = nullptr;
    std::string why = close_error != 0 ? sf_error_number(close_error) : "";
    const int fd = disk->descriptor();
    if (!amended.empty()) write_amended_comment(fd);
    if (options.format == FileFormat::ogg) set_ogg_serial(fd, 0x6d616d62);
    struct stat status {};
    // The same size again gives back what was reserved beyond it.
    if (::fstat(fd, &status) != 0 || ::ftruncate(fd, status.st_size) != 0) why = reason(errno);
    if (::fsync(fd) != 0) why = reason(errno);
    std::uint64_t kept = written;
    if (!why.empty() || written == 0) kept = readable_frames(disk->aside());
    if (kept == 0 && (written > 0 || !why.empty())) {
      throw Error(fmt::format("cannot write {}: {}", asked.string(),
                              why.empty() ? "the file came out empty" : why));
    }
    if (kept > 0) disk->commit();
    disk.reset();
    in_file = kept;
    return kept;
  }
};

AudioWriter::AudioWriter(const fs::path& path, const WriterOptions& options)
    : impl_(std::make_unique<Impl>()) {
  impl_->asked = path;
  impl_->options = options;
  const bool exists = options.format == FileFormat::wav || options.format == FileFormat::raw ||
                      options.bits == SampleBits::pcm16 ||
                      (options.format == FileFormat::flac && options.bits == SampleBits::pcm24);
  if (!exists) {
    throw Error(fmt::format("expected bits that {} files have, found {}",
                            file_format_extension(options.format), sample_bits_name(options.bits)));
  }
  if (impl_->options.file_rate == 0) impl_->options.file_rate = options.rate;
  if (impl_->options.file_rate != options.rate) {
    for (int c = 0; c < options.channels; ++c) {
      impl_->converters.push_back(
          std::make_unique<RateConverter>(options.rate, impl_->options.file_rate));
    }
    impl_->converted.resize(impl_->converters.size());
  }
  impl_->open();
}

AudioWriter::~AudioWriter() {
  if (impl_->closed || impl_->file == nullptr) return;
  try {
    close();
  } catch (const std::exception&) {  // a destructor cannot report: close() does
  }
}

void AudioWriter::write(std::span<const float> samples) {
  if (impl_->closed) throw Error("a sound file was written to after it was closed");
  const auto channels = static_cast<std::size_t>(impl_->options.channels);
  impl_->frames += samples.size() / channels;
  if (impl_->converters.empty()) {
    impl_->write(samples);
    return;
  }
  for (; !samples.empty(); samples = samples.subspan(std::min(samples.size(), block_frames))) {
    impl_->convert(samples.first(std::min(samples.size(), block_frames)));
  }
}

void AudioWriter::close() {
  if (impl_->closed) return;
  if (!impl_->converters.empty() && impl_->frames > 0) {
    for (std::size_t c = 0; c < impl_->converters.size(); ++c) {
      impl_->converters[c]->flush(impl_->converted[c]);
    }
    impl_->write_converted();
  }
  impl_->finish();
}

void AudioWriter::amend_comment(std::string comment) {
  comment.resize(impl_->options.comment.size(), ' ');
  impl_->amended = std::move(comment);
}

std::uint64_t AudioWriter::frames() const { return impl_->frames; }
std::uint64_t AudioWriter::file_frames() const { return impl_->in_file; }
bool AudioWriter::streams() const { return impl_->stream != nullptr; }

bool is_own_sound(const fs::path& path) {
  SF_INFO info{};
  SNDFILE* file = sf_open(path.c_str(), SFM_READ, &info);
  if (file == nullptr) return false;
  const char* software = sf_get_string(file, SF_STR_SOFTWARE);
  const bool own = software != nullptr && std::string_view(software).starts_with("mambo ");
  sf_close(file);
  return own;
}

}  // namespace mambo
