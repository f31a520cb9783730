// Sound files in. The file is read, mixed and converted in blocks, so that what is held beside the
// result does not grow with the length, the rate or the channels of the file.
#include <fmt/core.h>
#include <sndfile.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <functional>
#include <system_error>

#include "app/files/audio_file.h"
#include "app/files/codes.h"
#include "app/files/rate_converter.h"
#include "app/files/sound_header.h"
#include "app/quiet_stderr.h"
#include "kernels/error.h"
#include "model/output_file.h"
#include "model/platform_file.h"

namespace mambo {
namespace {

namespace fs = std::filesystem;

constexpr int lowest_rate = 100;
constexpr int highest_rate = 10'000'000;
constexpr double most_at_once = 1U << 18U;  // samples that one block may become

struct CloseSndFile {
  void operator()(SNDFILE* f) const { sf_close(f); }
};
using SndFile = std::unique_ptr<SNDFILE, CloseSndFile>;

// The library's own sentences are of its insides ("SF_INFO struct incomplete").
std::string why_not_open(int error, int system_error) {
  constexpr const char* expected = "expected a sound file (WAV, FLAC, OGG, AIFF, MP3, ...), found ";
  switch (error) {
    case SF_ERR_UNRECOGNISED_FORMAT:
      return fmt::format("{}none", expected);
    case SF_ERR_SYSTEM:
      return "cannot read: " + std::generic_category().message(system_error);
    case SF_ERR_UNSUPPORTED_ENCODING:
      return fmt::format("{}one whose encoding is not known here", expected);
    default:
      return fmt::format("{}a damaged one, or none", expected);
  }
}

SndFile open_clip(const fs::path& path, SF_INFO& info) {
  const std::string name = path.string();
  if (const std::string why = why_missing(path); !why.empty()) throw Error(name + ": " + why);
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::is_regular_file(status)) {
    throw Error(
        fmt::format("{}: expected a sound file, found {}", name,
                    fs::is_directory(status) ? "a folder" : "something that is not a file"));
  }
  if (fs::file_size(path, error) == 0 && !error) {
    throw Error(fmt::format("{}: expected a sound file, found an empty one", name));
  }
  SndFile file;
  {
    const QuietStderr quiet;  // libmpg123 tells the terminal what it thinks of a stream
    errno = 0;
    file.reset(sf_open(path.c_str(), SFM_READ, &info));
  }
  if (file == nullptr) {
    const int system_error = errno;
    throw Error(name + ": " + why_not_open(sf_error(nullptr), system_error));
  }
  if ((info.format & SF_FORMAT_TYPEMASK) == SF_FORMAT_RAW) {  // taken for one by its name alone
    throw Error(fmt::format(
        "{}: expected a sound file with a header, found none: bytes alone say neither rate nor "
        "encoding",
        name));
  }
  if (info.channels < 1 || info.samplerate < lowest_rate || info.samplerate > highest_rate) {
    throw Error(fmt::format("{}: expected a rate of {} to {} Hz, found {} Hz, {} channels", name,
                            lowest_rate, highest_rate, info.samplerate, info.channels));
  }
  if (const std::string lost = sound_beyond_header(path); !lost.empty()) {
    throw Error(name + ": " + lost);
  }
  return file;
}

// The mean of the channels, in double so that it cannot overflow; clipped.
void mix_down(std::span<const float> interleaved, int channels, std::uint64_t first_frame,
              const SF_INFO& info, const fs::path& path, std::vector<float>& mono) {
  const std::size_t frames = interleaved.size() / static_cast<std::size_t>(channels);
  mono.resize(frames);
  for (std::size_t f = 0; f < frames; ++f) {
    double sum = 0;
    for (int c = 0; c < channels; ++c) {
      sum += interleaved[f * static_cast<std::size_t>(channels) + static_cast<std::size_t>(c)];
    }
    if (!std::isfinite(sum)) {
      const std::uint64_t frame = first_frame + f;
      throw Error(
          fmt::format("{}: expected finite samples, found NaN or infinity at sample {} ({:.4f} s)",
                      path.string(), frame, static_cast<double>(frame) / info.samplerate));
    }
    mono[f] = static_cast<float>(std::clamp(sum / channels, -1.0, 1.0));
  }
}

// A clip, block by block: what is held does not grow with its length, its rates or its channels.
class ClipReader {
 public:
  ClipReader(const fs::path& path, int rate) : path_(path), rate_(rate) {
    if (rate < lowest_rate || rate > highest_rate) {
      throw Error(
          fmt::format("expected a rate of {} to {} Hz, found {}", lowest_rate, highest_rate, rate));
    }
    file_ = open_clip(path, info_);
    note_input(path);
    if (info_.samplerate != rate) {
      converter_ = std::make_unique<RateConverter>(info_.samplerate, rate);
    }
    const double growth = std::max(1.0, static_cast<double>(rate) / info_.samplerate);
    block_frames_ =
        std::max(1, static_cast<int>(std::min(65536.0 / info_.channels, most_at_once / growth)));
    interleaved_.resize(static_cast<std::size_t>(block_frames_) *
                        static_cast<std::size_t>(info_.channels));
  }

  const SF_INFO& info() const { return info_; }
  // At the model's rate, as the header has it; 0: it does not say. A hint, not a promise.
  double expected_samples() const {
    if (info_.frames <= 0 || info_.frames == SF_COUNT_MAX) return 0;
    return static_cast<double>(info_.frames) * rate_ / info_.samplerate;
  }
  double share() const {
    if (info_.frames <= 0 || info_.frames == SF_COUNT_MAX) return 0;
    return std::min(1.0, static_cast<double>(frames_) / static_cast<double>(info_.frames));
  }

  // The next samples; false: there were no more.
  bool next(std::vector<float>& samples) {
    samples.clear();
    if (ended_) return false;
    const std::int64_t got = read();
    if (got > 0) {
      mix_down({interleaved_.data(), static_cast<std::size_t>(got * info_.channels)},
               info_.channels, frames_, info_, path_, mono_);
      frames_ += static_cast<std::uint64_t>(got);
      if (converter_ == nullptr) {
        samples = mono_;
        return true;
      }
      converter_->process(mono_, samples);
    } else {
      ended_ = true;
      if (sf_error(file_.get()) != SF_ERR_NO_ERROR) {
        throw Error(fmt::format("{}: expected sound to its end, found damage after {} samples",
                                path_.string(), frames_));
      }
      if (converter_ != nullptr && frames_ > 0) converter_->flush(samples);
    }
    for (float& x : samples) x = std::clamp(x, -1.0F, 1.0F);  // the filter overshoots
    return true;
  }

  [[noreturn]] void refuse_nothing() const {
    if (frames_ == 0) {
      throw Error(
          fmt::format("{}: expected sound, found a sound file without samples", path_.string()));
    }
    throw Error(
        fmt::format("{}: expected one sample of {} Hz at least, found {} of {} Hz, which is "
                    "less",
                    path_.string(), rate_, frames_, info_.samplerate));
  }
  [[noreturn]] void refuse_length() const {
    throw Error(
        fmt::format("{}: expected a clip of at most {} hours {} minutes at {} Hz, found a "
                    "longer one: take a part of it (--from, --to)",
                    path_.string(), kMostClipSamples / 3600 / rate_,
                    kMostClipSamples / 60 / rate_ % 60, rate_));
  }

 private:
  std::int64_t read() {
    if ((info_.format & SF_FORMAT_TYPEMASK) != SF_FORMAT_MPEG) {
      return sf_readf_float(file_.get(), interleaved_.data(), block_frames_);
    }
    const QuietStderr quiet;  // as above
    return sf_readf_float(file_.get(), interleaved_.data(), block_frames_);
  }

  const fs::path& path_;
  int rate_;
  SF_INFO info_{};
  SndFile file_;
  std::unique_ptr<RateConverter> converter_;
  int block_frames_ = 1;
  std::vector<float> interleaved_, mono_;
  std::uint64_t frames_ = 0;  // read so far
  bool ended_ = false;
};

// Samples of a stretch, counted from the beginning of the clip.
std::uint64_t sample_at(double seconds, int rate) {
  return static_cast<std::uint64_t>(std::min(std::round(seconds * rate), 1e18));
}

}  // namespace

Clip load_clip(const fs::path& path, int rate, const LoadProgress& progress) {
  ClipReader reader(path, rate);
  if (reader.expected_samples() > static_cast<double>(kMostClipSamples)) reader.refuse_length();
  Clip clip;
  clip.path = path;
  clip.rate = rate;
  clip.source_rate = reader.info().samplerate;
  clip.source_channels = reader.info().channels;
  std::vector<float> samples;
  while (reader.next(samples)) {
    if (clip.samples.size() + samples.size() > kMostClipSamples) reader.refuse_length();
    clip.samples.insert(clip.samples.end(), samples.begin(), samples.end());
    tell(progress, reader.share());
  }
  if (clip.samples.empty()) reader.refuse_nothing();
  return clip;
}

ClipCodes load_clip_codes(const fs::path& path, int rate, Encoding encoding, const Stretch& stretch,
                          const LoadProgress& progress) {
  ClipReader reader(path, rate);
  const std::uint64_t begin = sample_at(stretch.from_s, rate);
  const std::uint64_t end = stretch.to_s > 0 ? sample_at(stretch.to_s, rate) : UINT64_MAX;
  const double expected = std::min(reader.expected_samples(), static_cast<double>(end));
  if (expected - static_cast<double>(begin) > static_cast<double>(kMostClipSamples)) {
    reader.refuse_length();
  }
  ClipCodes clip;
  std::vector<float> samples;
  std::uint64_t at = 0;
  while (at < end && reader.next(samples)) {
    // The part of these samples that lies in the stretch.
    const std::uint64_t skip = std::min<std::uint64_t>(begin - std::min(begin, at), samples.size());
    const std::uint64_t stop = std::min<std::uint64_t>(end - at, samples.size());
    at += samples.size();
    if (skip < stop) {
      const auto codes = encode(std::span(samples).subspan(skip, stop - skip), encoding);
      if (clip.codes.size() + codes.size() > kMostClipSamples) reader.refuse_length();
      clip.codes.insert(clip.codes.end(), codes.begin(), codes.end());
    }
    tell(progress, reader.share());
  }
  if (at == 0) reader.refuse_nothing();
  if (clip.codes.empty()) {
    const double seconds = static_cast<double>(at) / rate;
    throw Error(fmt::format("{}: expected a stretch inside its {:.3f} s, found {} s to {} s",
                            path.string(), seconds, stretch.from_s,
                            stretch.to_s > 0 ? stretch.to_s : seconds));
  }
  clip.seconds = static_cast<double>(clip.codes.size()) / rate;
  return clip;
}

}  // namespace mambo
