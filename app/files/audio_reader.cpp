// Sound files in. The file is read, mixed and converted in blocks, so that what is held beside the
// result does not grow with the length, the rate or the channels of the file.
#include <fmt/core.h>
#include <sndfile.h>

#include <algorithm>
#include <cmath>
#include <system_error>

#include "app/files/audio_file.h"
#include "app/files/rate_converter.h"
#include "kernels/error.h"

namespace mambo {
namespace {

namespace fs = std::filesystem;

constexpr int lowest_rate = 100;
constexpr int highest_rate = 10'000'000;

struct CloseSndFile {
  void operator()(SNDFILE* f) const { sf_close(f); }
};
using SndFile = std::unique_ptr<SNDFILE, CloseSndFile>;

SndFile open_clip(const fs::path& path, SF_INFO& info) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) throw Error(fmt::format("{}: there is no such file", path.string()));
  if (!fs::is_regular_file(status)) {
    throw Error(
        fmt::format("{}: expected a sound file, found {}", path.string(),
                    fs::is_directory(status) ? "a folder" : "something that is not a file"));
  }
  if (fs::file_size(path, error) == 0 && !error) {
    throw Error(fmt::format("{}: expected a sound file, found an empty one", path.string()));
  }
  SndFile file(sf_open(path.c_str(), SFM_READ, &info));
  if (file == nullptr) {
    std::string why = sf_strerror(nullptr);
    while (!why.empty() && (why.back() == '.' || why.back() == '\n')) why.pop_back();
    throw Error(
        fmt::format("{}: expected a sound file (WAV, FLAC, OGG, AIFF, MP3, ...), found none: {}",
                    path.string(), why));
  }
  if (info.channels < 1 || info.samplerate < lowest_rate || info.samplerate > highest_rate) {
    throw Error(fmt::format("{}: expected a rate of {} to {} Hz, found {} Hz, {} channels",
                            path.string(), lowest_rate, highest_rate, info.samplerate,
                            info.channels));
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

}  // namespace

Clip load_clip(const fs::path& path, int rate) {
  if (rate < lowest_rate || rate > highest_rate) {
    throw Error(
        fmt::format("expected a rate of {} to {} Hz, found {}", lowest_rate, highest_rate, rate));
  }
  SF_INFO info{};
  const SndFile file = open_clip(path, info);
  note_input(path);

  Clip clip;
  clip.path = path;
  clip.rate = rate;
  clip.source_rate = info.samplerate;
  clip.source_channels = info.channels;
  std::unique_ptr<RateConverter> converter;
  if (info.samplerate != rate) converter = std::make_unique<RateConverter>(info.samplerate, rate);
  // The header's word on the length is a hint, not a promise.
  constexpr std::uint64_t most_reserved = 1ULL << 26U;
  const double expected =
      static_cast<double>(std::max<sf_count_t>(info.frames, 0)) * rate / info.samplerate;
  clip.samples.reserve(
      static_cast<std::size_t>(std::min(static_cast<double>(most_reserved), expected + 64)));

  const int block_frames = std::max(1, 65536 / info.channels);
  std::vector<float> interleaved(static_cast<std::size_t>(block_frames) *
                                 static_cast<std::size_t>(info.channels));
  std::vector<float> mono;
  std::uint64_t frames = 0;
  for (;;) {
    const sf_count_t got = sf_readf_float(file.get(), interleaved.data(), block_frames);
    if (got <= 0) break;
    mix_down({interleaved.data(), static_cast<std::size_t>(got * info.channels)}, info.channels,
             frames, info, path, mono);
    frames += static_cast<std::uint64_t>(got);
    if (converter != nullptr) {
      converter->process(mono, clip.samples);
    } else {
      clip.samples.insert(clip.samples.end(), mono.begin(), mono.end());
    }
  }
  if (sf_error(file.get()) != SF_ERR_NO_ERROR) {
    throw Error(fmt::format("{}: reading stopped after {} samples: {}", path.string(), frames,
                            sf_strerror(file.get())));
  }
  if (converter != nullptr && frames > 0) {
    converter->flush(clip.samples);
    for (float& x : clip.samples) x = std::clamp(x, -1.0F, 1.0F);  // the filter overshoots
  }
  if (clip.samples.empty()) {
    throw Error(fmt::format("{}: expected sound, found a clip of zero length", path.string()));
  }
  return clip;
}

}  // namespace mambo
