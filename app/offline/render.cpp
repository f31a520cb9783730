#include "app/offline/render.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "app/files/codes.h"
#include "app/files/open_files.h"
#include "app/offline/absorb_sink.h"
#include "model/platform_file.h"
#include "model/sha256.h"

namespace mambo {
namespace {

using Clock = std::chrono::steady_clock;
double since(Clock::time_point t) {
  return std::chrono::duration<double>(Clock::now() - t).count();
}

constexpr std::size_t chunk_samples =
    2048;  // drawn between looks at stop(): some 25 ms of one core

void write_codes(AudioWriter& writer, std::span<const std::uint8_t> codes,
                 const std::array<float, 256>& table) {
  std::array<float, chunk_samples> block{};
  while (!codes.empty()) {
    const std::size_t n = std::min(codes.size(), block.size());
    std::transform(codes.begin(), codes.begin() + static_cast<std::ptrdiff_t>(n), block.begin(),
                   [&](std::uint8_t c) { return table[c]; });
    writer.write({block.data(), n});
    codes = codes.subspan(n);
  }
}

WriterOptions writer_options(const Recipe& recipe) {
  WriterOptions options;
  options.format = recipe.format;
  options.rate = recipe.sample_rate;
  options.file_rate = recipe.file_rate;
  options.comment = recipe_metadata(recipe);
  options.replace = Replace::any();  // skip_finished() has judged what is there
  return options;
}

// A take being made.
class TakeWriter {
 public:
  TakeWriter(const Take& take, std::span<const std::uint8_t> seed)
      : take_(take), track_(take.track) {
    track_.patch().set(take.recipe.sampling);
    table_ = decode_table(take.recipe.encoding);
    for (const Take::File& file : take.files) {
      Recipe recipe = take.recipe;
      recipe.part = file.part;
      files_.push_back(
          {recipe, file.path, std::make_unique<AudioWriter>(file.path, writer_options(recipe))});
      if (file.part != Part::continuation) write_codes(*files_.back().writer, seed, table_);
    }
    left_ = take.draws ? take.recipe.samples : 0;
  }

  std::uint64_t left() const { return left_; }
  State& state() const { return *state_; }
  void lend(State& state) { state_ = &state; }

  GenerateRequest next() {
    const std::uint64_t position = take_.recipe.samples - left_;
    track_.take_up(position);
    const std::uint64_t constant = track_.next_boundary(position) - position;
    codes_.resize(
        static_cast<std::size_t>(std::min<std::uint64_t>({left_, chunk_samples, constant})));
    GenerateRequest request;
    request.sampling = track_.patch().sampling();
    request.rng_seed = take_.recipe.rng_seed;
    request.rng_index = position;
    request.codes = codes_;
    return request;
  }

  void keep() {
    left_ -= codes_.size();
    for (File& file : files_) {
      if (file.recipe.part != Part::seed) write_codes(*file.writer, codes_, table_);
    }
  }

  // Completes the files, as long as they are, and writes their recipes. The first error is thrown
  // after all has been tried.
  std::uint64_t close(RenderEvents& events) {
    std::exception_ptr first;
    std::uint64_t files = 0;
    for (File& file : files_) {
      try {
        file.writer->close();
      } catch (const Error&) {
        if (first == nullptr) first = std::current_exception();
      }
      if (file.writer->file_frames() == 0) continue;
      try {
        file.recipe.file = file.path.filename().string();
        file.recipe.file_samples = file.writer->file_frames();
        file.recipe.interrupted = left_ > 0 || first != nullptr || broken_;
        file.recipe.file_sha256 = sha256_hex(map_file(file.path).bytes);
        write_recipe(file.path, file.recipe);
        ++files;
        events.file_done(file.path, file.recipe);
      } catch (const Error&) {
        if (first == nullptr) first = std::current_exception();
      }
    }
    files_.clear();
    if (first != nullptr) std::rethrow_exception(first);
    return files;
  }

  void mark_broken() { broken_ = true; }  // a write failed: no file of this take is whole

 private:
  struct File {
    Recipe recipe;
    std::filesystem::path path;
    std::unique_ptr<AudioWriter> writer;
  };
  const Take& take_;
  ControlTrack track_;
  std::array<float, 256> table_{};
  std::vector<File> files_;
  std::vector<std::uint8_t> codes_;
  State* state_ = nullptr;
  std::uint64_t left_ = 0;
  bool broken_ = false;
};

// Encoding keeps up with a GPU only on many cores. What one throws comes out when all are done.
template <class F>
void for_each_on_all_cores(const std::vector<TakeWriter*>& take_writers, F f) {
  std::atomic<std::size_t> next{0};
  std::exception_ptr failure;
  std::mutex failure_mutex;
  const auto work = [&] {
    for (std::size_t i = next++; i < take_writers.size(); i = next++) {
      try {
        f(take_writers[i]);
      } catch (...) {
        const std::lock_guard lock(failure_mutex);
        if (failure == nullptr) failure = std::current_exception();
      }
    }
  };
  constexpr std::size_t worth_a_thread = 32;  // take_writers, of a chunk each
  const std::size_t cores = std::max(1U, std::thread::hardware_concurrency());
  {
    std::vector<std::jthread> helpers;
    for (std::size_t i = 1; i < std::min(cores, take_writers.size() / worth_a_thread); ++i)
      helpers.emplace_back(work);
    work();
  }
  if (failure != nullptr) std::rethrow_exception(failure);
}

class Renderer {
 public:
  Renderer(const Engine& engine, std::span<const Take> takes, std::span<const std::uint8_t> seed,
           RenderEvents& events)
      : engine_(engine), takes_(takes), seed_(seed), events_(events) {
    for (const Take& take : takes) total_ += take.draws ? take.recipe.samples : 0;
  }

  RenderSummary run(int open_at_once) {
    if (takes_.empty()) return summary_;
    // An output that cannot be written is better known before the work than after it.
    const Take& first = takes_.front();
    AudioWriter(first.files.front().path, writer_options(first.recipe)).close();
    if (total_ > 0) absorb();
    const Clock::time_point start = Clock::now();
    const std::size_t group = group_size(
        static_cast<std::size_t>(open_at_once > 0 ? open_at_once : engine_.streams_at_once()));
    for (std::size_t at = 0; at < takes_.size() && !summary_.interrupted; at += group) {
      make_group(takes_.subspan(at, std::min(group, takes_.size() - at)));
    }
    summary_.draw_s = since(start);
    return summary_;
  }

 private:
  // How many takes may be open: each has its files, and each file its encoder.
  std::size_t group_size(std::size_t wanted) const {
    const Take& take = takes_.front();  // all are alike
    const std::size_t files = std::max<std::size_t>(1, take.files.size());
    wanted = std::clamp<std::size_t>(wanted, 1, takes_.size());
    constexpr std::size_t others = 64;  // the model, the device, standard streams
    const std::size_t open = allow_open_files(wanted * files + others);
    const std::size_t by_files = open > others + files ? (open - others) / files : 1;
    std::size_t bytes = 64U << 10U;  // libsndfile's buffers
    if (take.recipe.format == FileFormat::flac) bytes = 512U << 10U;
    if (take.recipe.format == FileFormat::ogg) bytes = 2U << 20U;
    if (take.recipe.file_rate != take.recipe.sample_rate) bytes += 512U << 10U;
    const std::size_t by_memory = (std::size_t{1} << 30U) / (bytes * files);
    return std::max<std::size_t>(1, std::min({wanted, by_files, by_memory}));
  }

  void absorb() {
    const Clock::time_point start = Clock::now();
    start_ = engine_.make_state();
    AbsorbSink sink(events_, seed_.size());
    if (!seed_.empty()) engine_.prefill(*start_, seed_, &sink);
    summary_.absorb_s = since(start);
  }

  void make_group(std::span<const Take> takes) {
    std::vector<TakeWriter> take_writers;
    take_writers.reserve(takes.size());
    std::exception_ptr error;
    try {
      for (const Take& take : takes) {
        take_writers.emplace_back(take, seed_);
        if (take.draws) lend_state(take_writers);
      }
      while (draw_chunk(take_writers)) {
        events_.drawing(summary_.samples, total_);
        if (events_.stop()) {
          summary_.interrupted = true;
          break;
        }
      }
    } catch (...) {  // also where memory ran out: no file is left without its recipe
      error = std::current_exception();
      for (TakeWriter& take_writer : take_writers) take_writer.mark_broken();
    }
    for (TakeWriter& take_writer : take_writers) {
      try {
        summary_.files += take_writer.close(events_);
      } catch (const Error&) {
        if (error == nullptr) error = std::current_exception();
      }
    }
    if (error != nullptr) std::rethrow_exception(error);
  }

  void lend_state(std::vector<TakeWriter>& take_writers) {
    const std::size_t i = take_writers.size() - 1;
    while (states_.size() <= i) states_.push_back(engine_.make_state());
    engine_.copy(*start_, *states_[i]);
    take_writers.back().lend(*states_[i]);
  }

  // False once there was nothing left to draw.
  bool draw_chunk(std::vector<TakeWriter>& take_writers) {
    streams_.clear();
    drawing_.clear();
    for (TakeWriter& take_writer : take_writers) {
      if (take_writer.left() == 0) continue;
      drawing_.push_back(&take_writer);
      streams_.push_back({&take_writer.state(), take_writer.next()});
    }
    if (streams_.empty()) return false;
    engine_.generate_many(streams_);
    for_each_on_all_cores(drawing_, [](TakeWriter* take_writer) { take_writer->keep(); });
    for (const Stream& s : streams_) summary_.samples += s.request.codes.size();
    return true;
  }

  const Engine& engine_;
  std::span<const Take> takes_;
  std::span<const std::uint8_t> seed_;
  RenderEvents& events_;
  std::uint64_t total_ = 0;
  RenderSummary summary_;
  std::unique_ptr<State> start_;
  std::vector<std::unique_ptr<State>> states_;  // reused from group to group
  std::vector<Stream> streams_;
  std::vector<TakeWriter*> drawing_;
};

}  // namespace

RenderSummary render(const Engine& engine, std::span<const Take> takes,
                     std::span<const std::uint8_t> seed, int open_at_once, RenderEvents& events) {
  return Renderer(engine, takes, seed, events).run(open_at_once);
}

}  // namespace mambo
