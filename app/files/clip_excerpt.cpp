#include "app/files/clip_excerpt.h"

#include <sndfile.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <system_error>

#include "app/files/audio_file.h"
#include "app/files/rate_converter.h"
#include "app/quiet_stderr.h"
#include "kernels/error.h"

namespace mambo {
namespace {

struct CloseSndFile {
  void operator()(SNDFILE* f) const { sf_close(f); }
};
using SndFile = std::unique_ptr<SNDFILE, CloseSndFile>;

// Null: nothing that could be looked at in part. A FIFO would be waited for.
SndFile open_regular(const std::filesystem::path& path, SF_INFO& info) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return nullptr;
  const QuietStderr quiet;  // libmpg123 tells the terminal what it thinks of a stream
  SndFile file(sf_open(path.c_str(), SFM_READ, &info));
  const bool raw = (info.format & SF_FORMAT_TYPEMASK) == SF_FORMAT_RAW;  // sound by its name alone
  if (raw || info.channels < 1 || info.samplerate < 1) file.reset();
  return file;
}

}  // namespace

std::optional<SoundFacts> sound_facts(const std::filesystem::path& path) {
  SF_INFO info{};
  if (open_regular(path, info) == nullptr || info.frames <= 0 || info.frames == SF_COUNT_MAX) {
    return std::nullopt;
  }
  return SoundFacts{static_cast<double>(info.frames) / info.samplerate, info.samplerate,
                    info.channels};
}

std::vector<float> load_excerpt(const std::filesystem::path& path, int rate, double most_s,
                                bool from_end) {
  SF_INFO info{};
  const SndFile file = open_regular(path, info);
  if (file == nullptr) return load_clip(path, rate).samples;  // which says what is wrong
  const auto most = static_cast<sf_count_t>(most_s * info.samplerate);
  if (from_end && info.seekable != 0 && info.frames > most) {
    sf_seek(file.get(), info.frames - most, SEEK_SET);
  }
  RateConverter converter(info.samplerate, rate);
  std::vector<float> sound;
  std::vector<float> mono;
  const sf_count_t block = std::max<sf_count_t>(1, 65536 / info.channels);
  std::vector<float> frames(static_cast<std::size_t>(block * info.channels));
  for (sf_count_t done = 0; done < most;) {
    const sf_count_t got = sf_readf_float(file.get(), frames.data(), std::min(block, most - done));
    if (got <= 0) break;
    mono.resize(static_cast<std::size_t>(got));
    for (std::size_t i = 0; i < mono.size(); ++i) {
      double sum = 0;
      for (int c = 0; c < info.channels; ++c) {
        sum += frames[i * static_cast<std::size_t>(info.channels) + static_cast<std::size_t>(c)];
      }
      mono[i] =
          static_cast<float>(std::isfinite(sum) ? std::clamp(sum / info.channels, -1.0, 1.0) : 0.0);
    }
    converter.process(mono, sound);
    done += got;
  }
  if (sound.empty() && sf_error(file.get()) != SF_ERR_NO_ERROR)
    return load_clip(path, rate).samples;
  converter.flush(sound);
  for (float& x : sound) x = std::clamp(x, -1.0F, 1.0F);  // the filter overshoots
  return sound;
}

}  // namespace mambo
