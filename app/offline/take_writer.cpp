#include "app/offline/take_writer.h"

#include <algorithm>
#include <cmath>
#include <exception>

#include "app/files/codes.h"
#include "app/files/loudness.h"
#include "app/files/sound_stream.h"
#include "dsp/level_match.h"
#include "dsp/mirror_fade.h"
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
  std::vector<MirrorFade> fades_over;  // one per voice, of a take with a guard
  std::uint64_t written = 0;           // of the continuation, samples of each voice
  std::vector<LevelMatch> match;       // one per voice; none: as drawn
  float gain = 1;
  std::vector<float> scaled;
  std::optional<double> clip_lufs;

  File(const Take& take, const Take::File& file, const Clip& clip, RenderEvents& events)
      : recipe(take.recipe_of(file)),
        path(file.path),
        writer(path, streamed(writer_options(recipe), recipe, clip.codes.size(), events)),
        clip_lufs(clip.lufs) {
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
    written = 0;
    fades_over.resize(recipe.guard ? static_cast<std::size_t>(finish.channels()) : 0);
    for (MirrorFade& f : fades_over) f.prepare(rate);
    if (finish.match_level && clip_lufs) {
      match.resize(static_cast<std::size_t>(finish.channels()));
      for (LevelMatch& m : match) {
        m.prepare(rate);
        m.set(clip_lufs);
      }
    }
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

TakeWriter::TakeWriter(const Take& take, const Clip& clip, RenderEvents& events)
    : take_(take),
      events_(events),
      clip_(clip),
      track_(take.track),
      voices_(static_cast<std::size_t>(voices_of(take))) {
  track_.patch().set(take.recipe.sampling);
  if (clip.by_hand != nullptr) {
    track_.patch().set_layers(clip.by_hand->layers);
    apply_settings(take.recipe.layers, track_.patch());
    selectivity_ = clip.by_hand->selectivity;
  }
  table_ = decode_table(take.recipe.encoding);
  for (std::size_t v = 0; v < voices_.size(); ++v) {
    if (take.recipe.guard) {
      voices_[v].guard = std::make_unique<Guard>();
      voices_[v].guard->prepare(*clip.engine, *clip.end, take.recipe.sample_rate, clip.limits);
    }
    voices_[v].rng_seed = v == 0 ? take.recipe.rng_seed : take.recipe.finish.rng_seed_right;
  }
  left_ = take.draws ? take.recipe.samples : 0;
  if (left_ > 0) {
    loudness_ = std::make_unique<LoudnessMeter>(take.recipe.sample_rate, voices_of(take), false);
  }
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
    files_.push_back(std::make_unique<File>(take_, file, clip_, events_));
    if (!is_held(take_)) write_seed(*files_.back());
  }
}

void TakeWriter::add_streams(std::vector<Stream>& streams) {
  const std::uint64_t position = take_.recipe.samples - left_;
  track_.take_up(position);
  const std::uint64_t constant = track_.next_boundary(position) - position;
  // Voices are drawn side by side: their guards' blocks end together.
  const std::uint64_t block =
      voices_.front().guard != nullptr ? voices_.front().guard->to_boundary() : chunk_samples;
  const auto n =
      static_cast<std::size_t>(std::min<std::uint64_t>({left_, chunk_samples, constant, block}));
  if (selectivity_) by_hand_.hand_over(track_.patch(), *selectivity_);
  for (std::size_t v = 0; v < voices_.size(); ++v) {
    Voice& voice = voices_[v];
    voice.codes.resize(n);
    GenerateRequest request;
    request.sampling = track_.patch().sampling();
    request.rng_seed = voice.rng_seed;
    request.rng_index = position + (take_.moment ? take_.moment->drawn : 0);
    if (selectivity_) request.by_hand = &*selectivity_;
    request.codes = voice.codes;
    if (voice.guard != nullptr) {
      voice.entropy.resize(n);
      request.entropy = voice.entropy;
    }
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
  block_.clear();
  for (std::size_t i = 0; i < n; ++i) {
    for (const Voice& voice : voices_) block_.push_back(table_[voice.codes[i]]);
  }
  loudness_->add(block_);
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
  for (std::size_t v = 0; v < voices_.size(); ++v) watch(v, n);
}

void TakeWriter::watch(std::size_t v, std::size_t n) {
  Voice& voice = voices_[v];
  if (voice.guard == nullptr) return;
  voice.samples.resize(n);
  for (std::size_t i = 0; i < n; ++i) voice.samples[i] = table_[voice.codes[i]];
  const std::uint64_t now = take_.recipe.samples - left_;
  const auto back = voice.guard->heard(voice.samples, voice.entropy, *states_[v], now);
  if (!back || left_ == 0) return;
  clip_.engine->copy(*back->state, *states_[v]);
  voice.cuts.push_back(now);
  brought_back_.push_back({now, back->to, back->trouble, static_cast<int>(v)});
}

void TakeWriter::write_seed(File& file) {
  if (file.recipe.part == Part::continuation) return;
  const std::size_t channels = static_cast<std::size_t>(file.recipe.finish.channels());
  for (std::size_t at = 0; at < clip_.codes.size(); at += chunk_samples) {
    block_.clear();
    for (const std::uint8_t c :
         clip_.codes.subspan(at, std::min(chunk_samples, clip_.codes.size() - at))) {
      block_.insert(block_.end(), channels, table_[c]);
    }
    file.fades->put(block_);
  }
}

void TakeWriter::write_codes(File& file, std::size_t begin, std::size_t end, bool held) {
  if (file.recipe.part == Part::seed) return;
  block_.clear();
  for (std::size_t i = begin; i < end; ++i) {
    for (std::size_t v = 0; v < voices_.size(); ++v) {
      float x = table_[(held ? voices_[v].held : voices_[v].codes)[i]];
      if (!file.fades_over.empty()) {
        const std::vector<std::uint64_t>& cuts = voices_[v].cuts;
        if (std::binary_search(cuts.begin(), cuts.end(), file.written)) file.fades_over[v].begin();
        file.fades_over[v].pass({&x, 1});
      }
      block_.push_back(file.match.empty() ? x : file.match[v].process(x));
    }
    ++file.written;
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
      note_loudness(file.recipe);
      file.recipe.brought_back = brought_back_;
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

void TakeWriter::note_loudness(Recipe& recipe) const {
  if (loudness_ == nullptr) return;
  // Of one voice, as the clip is one: of two, the mean of their powers.
  const double lufs =
      loudness_->so_far().lufs - 10 * std::log10(static_cast<double>(voices_.size()));
  recipe.clip_lufs = clip_.lufs;
  if (std::isfinite(lufs)) recipe.continuation_lufs = lufs;
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
