#include "app/offline/take_writer.h"

#include <algorithm>
#include <cmath>
#include <exception>

#include "app/files/codes.h"
#include "app/files/loudness.h"
#include "app/files/sound_stream.h"
#include "model/sha256.h"

namespace mambo {
namespace {

WriterOptions writer_options(const Recipe& recipe) {
  WriterOptions options;
  options.format = recipe.format;
  options.rate = recipe.sample_rate;
  options.file_rate = recipe.file_rate;
  options.channels = recipe.finish.channels();
  options.bits = recipe.finish.bits;
  options.comment = recipe_metadata(recipe);
  options.replace = Replace::any();  // refuse_foreign() has judged what is there
  return options;
}

std::uint64_t frames_of(double ms, int rate) {
  return static_cast<std::uint64_t>(std::llround(ms / 1000 * rate));
}

}  // namespace

int voices_of(const Take& take) { return take.draws ? take.recipe.finish.channels() : 0; }

bool is_held(const Take& take) {
  return take.draws && (take.contest != nullptr || take.recipe.finish.lufs.has_value());
}

// A file of the take; what passes through the fades goes to the writer or, before, to the meter.
struct TakeWriter::File {
  Recipe recipe;
  std::filesystem::path path;
  AudioWriter writer;
  std::unique_ptr<Fades> fades;
  std::unique_ptr<LoudnessMeter> meter;
  float gain = 1;
  std::vector<float> scaled;

  File(const Take& take, const Take::File& file, std::size_t seed, RenderEvents& events)
      : recipe(take.recipe_of(file)),
        path(file.path),
        writer(path, streamed(writer_options(recipe), recipe, seed, events)) {
    begin(false);
  }

  // With what a stream has to know.
  static WriterOptions streamed(WriterOptions options, const Recipe& recipe, std::size_t seed,
                                RenderEvents& events) {
    options.frames_ahead = (recipe.part == Part::continuation ? 0 : seed) +
                           (recipe.part == Part::seed ? 0 : recipe.samples);
    options.stop = [&events] { return events.stop(); };
    return options;
  }

  // The sound from its beginning on, to be measured or to be written.
  void begin(bool measured) {
    const Finish& finish = recipe.finish;
    const int rate = recipe.sample_rate;
    if (measured) meter = std::make_unique<LoudnessMeter>(rate, finish.channels());
    fades = std::make_unique<Fades>(finish.channels(), frames_of(finish.fade_in_ms, rate),
                                    frames_of(finish.fade_out_ms, rate),
                                    [this](std::span<const float> samples) { pass(samples); });
  }

  void pass(std::span<const float> samples) {
    if (meter != nullptr) {
      meter->add(samples);
    } else if (gain == 1) {
      writer.write(samples);
    } else {
      scaled.assign(samples.begin(), samples.end());
      for (float& x : scaled) x *= gain;
      writer.write(scaled);
    }
  }

  // After the sound was measured: the gain with which it is written.
  void measured() {
    fades->finish();
    const Loudness loudness = meter->so_far();
    gain = static_cast<float>(
        normalizing_gain(*recipe.finish.lufs, loudness.lufs, loudness.true_peak));
    recipe.gain_db = 20 * std::log10(static_cast<double>(gain));
    if (std::isfinite(loudness.lufs)) recipe.loudness_lufs = loudness.lufs + recipe.gain_db;
    meter.reset();
    begin(false);
  }
};

TakeWriter::TakeWriter(const Take& take, std::span<const std::uint8_t> seed, RenderEvents& events)
    : take_(take),
      events_(events),
      seed_(seed),
      track_(take.track),
      voices_(static_cast<std::size_t>(voices_of(take))) {
  track_.patch().set(take.recipe.sampling);
  table_ = decode_table(take.recipe.encoding);
  for (std::size_t v = 0; v < voices_.size(); ++v) {
    voices_[v].rng_seed = v == 0 ? take.recipe.rng_seed : take.recipe.finish.rng_seed_right;
  }
  left_ = take.draws ? take.recipe.samples : 0;
  if (!is_held(take)) open();
}

TakeWriter::~TakeWriter() = default;

void TakeWriter::try_out(const Take& take) {
  const Take::File& file = take.files.front();
  if (is_sound_stream(file.path)) return;
  AudioWriter(file.path, writer_options(take.recipe_of(file))).close();
}

void TakeWriter::open() {
  for (const Take::File& file : take_.files) {
    files_.push_back(std::make_unique<File>(take_, file, seed_.size(), events_));
    if (!is_held(take_)) write_seed(*files_.back());
  }
}

void TakeWriter::add_streams(std::vector<Stream>& streams) {
  const std::uint64_t position = take_.recipe.samples - left_;
  track_.take_up(position);
  const std::uint64_t constant = track_.next_boundary(position) - position;
  const auto n =
      static_cast<std::size_t>(std::min<std::uint64_t>({left_, chunk_samples, constant}));
  for (std::size_t v = 0; v < voices_.size(); ++v) {
    Voice& voice = voices_[v];
    voice.codes.resize(n);
    GenerateRequest request;
    request.sampling = track_.patch().sampling();
    request.rng_seed = voice.rng_seed;
    request.rng_index = position;
    request.codes = voice.codes;
    if (take_.contest != nullptr) {
      voice.log_prob.resize(n);
      request.log_prob = voice.log_prob;
    }
    streams.push_back({states_[v], request});
  }
}

void TakeWriter::keep() {
  const std::size_t n = voices_.front().codes.size();
  left_ -= n;
  for (Voice& voice : voices_) {
    if (is_held(take_)) voice.held.insert(voice.held.end(), voice.codes.begin(), voice.codes.end());
    if (take_.contest == nullptr) continue;
    for (const float p : voice.log_prob) measure_.log_prob += static_cast<double>(p);
    for (const std::uint8_t c : voice.codes) {
      measure_.squares += static_cast<double>(table_[c]) * static_cast<double>(table_[c]);
    }
    measure_.samples += n;
  }
  for (const std::unique_ptr<File>& file : files_) write_codes(*file, 0, n, false);
}

void TakeWriter::write_seed(File& file) {
  if (file.recipe.part == Part::continuation) return;
  const std::size_t channels = static_cast<std::size_t>(file.recipe.finish.channels());
  for (std::size_t at = 0; at < seed_.size(); at += chunk_samples) {
    block_.clear();
    for (const std::uint8_t c : seed_.subspan(at, std::min(chunk_samples, seed_.size() - at))) {
      block_.insert(block_.end(), channels, table_[c]);
    }
    file.fades->put(block_);
  }
}

void TakeWriter::write_codes(File& file, std::size_t begin, std::size_t end, bool held) {
  if (file.recipe.part == Part::seed) return;
  block_.clear();
  for (std::size_t i = begin; i < end; ++i) {
    for (const Voice& voice : voices_)
      block_.push_back(table_[(held ? voice.held : voice.codes)[i]]);
  }
  file.fades->put(block_);
}

void TakeWriter::write_held() {
  open();
  const std::size_t n = voices_.front().held.size();
  for (const std::unique_ptr<File>& file : files_) {
    const auto all = [&] {
      write_seed(*file);
      for (std::size_t at = 0; at < n; at += chunk_samples) {
        write_codes(*file, at, std::min(n, at + chunk_samples), true);
      }
    };
    if (n == 0) continue;  // stopped before the first chunk
    if (file->recipe.finish.lufs) {
      file->begin(true);
      all();
      file->measured();
    }
    all();
  }
}

void TakeWriter::finish(File& file, RenderEvents& events) {
  std::exception_ptr first;
  const auto attempt = [&](const auto& what) {
    try {
      what();
    } catch (const Error&) {
      if (first == nullptr) first = std::current_exception();
    }
  };
  // A file that could not be written further is closed already, and ends where it ends.
  if (file.writer.file_frames() == 0) attempt([&] { file.fades->finish(); });
  attempt([&] { file.writer.close(); });
  if (file.writer.file_frames() > 0) {
    attempt([&] {
      file.recipe.file = file.path.filename().string();
      file.recipe.file_samples = file.writer.file_frames();
      file.recipe.interrupted = left_ > 0 || first != nullptr || broken_;
      file.recipe.verdict = verdict_;
      if (!file.writer.streams()) {  // a stream's recipe is in its header
        file.recipe.file_sha256 = sha256_file(file.path);
        write_recipe(file.path, file.recipe);
      }
      ++written_;
      events.file_done(file.path, file.recipe);
    });
  }
  if (first != nullptr) std::rethrow_exception(first);
}

std::uint64_t TakeWriter::close(RenderEvents& events) {
  std::exception_ptr first;
  const auto note = [&] {
    if (first == nullptr) first = std::current_exception();
  };
  if (is_held(take_)) {
    try {
      write_held();
    } catch (const Error&) {
      note();
      broken_ = true;
    }
  }
  for (const std::unique_ptr<File>& file : files_) {
    try {
      finish(*file, events);
    } catch (const Error&) {
      note();
    }
  }
  files_.clear();
  if (first != nullptr) std::rethrow_exception(first);
  return written_;
}

}  // namespace mambo
