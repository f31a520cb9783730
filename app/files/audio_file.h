// Sound files in and out, through libsndfile (formats) and soxr (rates). Not for the audio thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "model/config.h"
#include "model/output_file.h"
#include "model/progress.h"

namespace mambo {

struct Clip {
  std::filesystem::path path;
  std::vector<float> samples;  // mono, at `rate`, in [-1, 1]
  int rate = 0;
  int source_rate = 0, source_channels = 0;
  double seconds() const { return rate > 0 ? static_cast<double>(samples.size()) / rate : 0; }
};

// Anything that libsndfile reads and that says itself what it is: mixed to mono, resampled to
// `rate`. NaN and infinities are refused, values beyond +-1 clipped. Read in blocks, with
// `progress` between them. Throws Error in one sentence (not audio, no samples, unreadable, longer
// than kMostClipSamples, ...), Cancelled when `progress` says so.
Clip load_clip(const std::filesystem::path& path, int rate, const LoadProgress& progress = {});

// What is kept of a clip, at its model's rate: 4 hours 39 minutes at 16 kHz. A few kilobytes of
// FLAC can hold days of silence, so a bound there has to be.
inline constexpr std::uint64_t kMostClipSamples = 1ULL << 28U;

struct Stretch {
  double from_s = 0, to_s = 0;  // to_s == 0: the end
};

struct ClipCodes {
  std::vector<std::uint8_t> codes;
  double seconds = 0;
};

// The same as the codes of a model, a byte per sample; the bound is on the stretch. What lies after
// it is not read. Throws Error likewise, and when nothing lies in the stretch.
ClipCodes load_clip_codes(const std::filesystem::path& path, int rate, Encoding encoding,
                          const Stretch& stretch = {}, const LoadProgress& progress = {});

enum class FileFormat { wav, flac, ogg, raw };  // raw: of a stream, samples without a header
FileFormat parse_file_format(const std::string& name);  // throws Error
const char* file_format_extension(FileFormat f);        // "wav"

// How a sample is kept: wav takes all three, flac the whole numbers; ogg (Vorbis) has none of them,
// and pcm16 stands for it.
enum class SampleBits : std::uint8_t { pcm16, pcm24, float32 };
SampleBits parse_sample_bits(const std::string& name);  // "16", "24" or "float"; throws Error
const char* sample_bits_name(SampleBits b);

// Hz: rates that a file may be converted to.
inline constexpr int kLowestFileRate = 8000;
inline constexpr int kHighestFileRate = 192000;

struct WriterOptions {
  FileFormat format = FileFormat::wav;
  int rate = 16000;     // of what is written to it
  int file_rate = 0;    // of the file; 0: the same (bit for bit), otherwise soxr converts
  int channels = 1;     // 1 or 2
  std::string comment;  // the recipe, in the file's metadata
  SampleBits bits = SampleBits::pcm16;
  Replace replace = Replace::nothing();  // what may lie there
  // Of a stream (app/files/sound_stream.h), whose header comes before the sound: how many frames
  // will be written, 0 if that is not known; and whether to stop, while its reader takes nothing.
  std::uint64_t frames_ahead = 0;
  std::function<bool()> stop;
};

// Writes aside and renames on close (model/output_file.h). If the writer is destroyed
// without close, or the disk fills, finish_partial semantics apply: what was written until then is
// kept as a valid shorter file under the final name when it holds any sound, otherwise nothing
// stays. Where the path is a stream (-, a pipe, a device), sound goes into it as it comes.
class AudioWriter {
 public:
  AudioWriter(const std::filesystem::path& path, const WriterOptions& options);  // throws Error
  ~AudioWriter();
  AudioWriter(const AudioWriter&) = delete;
  AudioWriter& operator=(const AudioWriter&) = delete;
  // Whole frames, channels interleaved. Throws Error (full disk, ...).
  void write(std::span<const float> samples);
  void close();  // flushes, renames; throws Error
  // Another comment of the same length as that of the options, or cut and filled up to it.
  void amend_comment(std::string comment);
  std::uint64_t frames() const;       // given to write() so far
  std::uint64_t file_frames() const;  // of the closed file, at its rate; 0: there is no file
  bool streams() const;               // into no file

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Whether a sound file says of itself that mambo made it, in its metadata; edited since or not.
bool is_own_sound(const std::filesystem::path& path);

}  // namespace mambo
