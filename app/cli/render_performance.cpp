#include "app/cli/render_performance.h"

#include <fmt/core.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/interrupt.h"
#include "app/cli/progress.h"
#include "app/cli/say.h"
#include "app/files/audio_file.h"
#include "app/files/sound_stream.h"
#include "app/files/standard_input.h"
#include "app/offline/replay.h"
#include "app/usage_error.h"
#include "model/message.h"
#include "model/sha256.h"

namespace mambo {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

void must_match(const fs::path& path, const std::string& expected, const std::string& found) {
  if (expected != found) {
    throw Error(fmt::format("{} is not the one of the performance: expected SHA-256 {}, found {}",
                            path.string(), expected, found));
  }
}

class Files final : public ReplaySource {
 public:
  explicit Files(const PerformanceOptions& o) : o_(o) {}

  std::shared_ptr<const Model> model(const PlayedProgram& program) override {
    ModelOptions where = o_.model;
    if (where.model.empty()) {
      where.model = program.model_path;
      must_be_there(where.model, "--model names the performance's where it is now");
    }
    if (model_ != nullptr && model_->hash() == program.model_sha256) return model_;
    where.model_rate = program.sample_rate;
    where.encoding = encoding_name(program.encoding);
    model_ = open_model(where, o_.quiet || o_.json);
    engine_.reset();
    must_match(model_->path(), program.model_sha256, model_->hash());
    return model_;
  }

  std::vector<std::uint8_t> clip(const PlayedProgram& program, const Model& model) override {
    if (program.clip_sha256.empty()) return {};
    const fs::path path = o_.seed_clip.empty() ? program.clip_path : o_.seed_clip;
    must_be_there(path, "--seed-clip names the performance's where it is now");
    must_match(path, program.clip_sha256, hash_of(path));
    return load_codes(path, model, {}, o_.quiet || o_.json);
  }

  std::shared_ptr<const Engine> engine(const PlayedEngine& engine, const Model& model) override {
    ComputeOptions compute = o_.compute;
    compute.weights = engine.weights;
    if (compute.backend == "auto") compute.backend = engine.backend;
    if (compute.backend != engine.backend) other_backend = true;
    if (engine_ == nullptr || played_.backend != engine.backend ||
        played_.weights != engine.weights) {
      engine_ = open_engine(model, compute);
      played_ = engine;
    }
    return engine_;
  }

  bool other_backend = false;
  std::string engine_description() const { return engine_ ? engine_->description() : ""; }

 private:
  const PerformanceOptions& o_;
  std::shared_ptr<const Model> model_;
  std::shared_ptr<const Engine> engine_;
  PlayedEngine played_;
};

class Bars final : public RenderEvents {
 public:
  Bars(bool quiet, int rate)
      : rate_(rate), absorb_("absorbing the clip", quiet), draw_("drawing", quiet) {}
  void absorbing(std::uint64_t samples, std::uint64_t of) override { show(absorb_, samples, of); }
  void drawing(std::uint64_t samples, std::uint64_t of) override { show(draw_, samples, of); }
  bool stop() override { return interrupted(); }
  void clear() {
    absorb_.clear();
    draw_.clear();
  }

 private:
  void show(Progress& progress, std::uint64_t samples, std::uint64_t of) const {
    const auto done = static_cast<double>(samples);
    progress.update(done, static_cast<double>(of), done / rate_);
  }
  int rate_;
  Progress absorb_, draw_;
};

fs::path output_path(const PerformanceOptions& o, const Performance& p) {
  std::error_code error;
  const fs::path name = p.file;  // a plain one
  if (o.output.empty()) return fs::path("out") / name;
  if (o.output.filename().empty() || fs::is_directory(o.output, error)) return o.output / name;
  return o.output;
}

WriterOptions writer_options(const fs::path& path, const PlayedProgram& program, bool force) {
  WriterOptions options;
  const std::string extension = path.extension().string();
  options.format = parse_file_format(extension.empty() ? "wav" : extension.substr(1));
  options.rate = program.sample_rate;
  options.comment = recording_comment(program.model_name);
  options.replace.force = force;
  return options;
}

// Before the output is made: what it must not replace.
void note_inputs(const PerformanceOptions& o, const Performance& p) {
  note_input(o.performance);
  note_input(o.model.model);
  note_input(o.seed_clip);
  for (const PlayedProgram& program : p.programs) {
    note_input(program.model_path);
    note_input(program.clip_path);
  }
  for (const PlayedMoment& moment : p.moments) note_input(moment.path);
  for (const PlayedSound& sound : p.heard) note_input(sound.path);
}

// The program that plays when the recording begins: its name is in the file.
const PlayedProgram& recorded_program(const Performance& p) {
  const PlayedProgram* program = &p.programs.front();
  for (const ControlEvent& e : p.events) {
    if (e.id == ControlId::program) program = &p.programs[e.value.whole];
    if (e.id == ControlId::recording) break;
  }
  return *program;
}

std::string verdict(const Performance& p, bool same, bool other_backend) {
  const std::string file = printable(p.file);
  if (same) return fmt::format("bit for bit the recording {}", file);
  if (p.lost_samples > 0) {
    return fmt::format("not bit for bit the recording {}, which lost {} samples to a slow disk",
                       file, p.lost_samples);
  }
  return fmt::format("not bit for bit the recording {}, which mambo {} made on {}{}", file,
                     printable(p.version), printable(p.programs.front().engine.description),
                     other_backend ? ": another backend draws other samples" : "");
}

}  // namespace

int render_performance(const PerformanceOptions& o) {
  readable_path(o.seed_clip);  // as long as Ctrl-C ends it at once
  catch_interrupts();
  const Performance p = read_performance(o.performance);
  if (p.programs.size() > 1 && (!o.model.model.empty() || !o.seed_clip.empty())) {
    throw UsageError(
        fmt::format("the performance has {} models or clips: --model and --seed-clip cannot say "
                    "where each of them lies",
                    p.programs.size()));
  }
  const bool silent = p.programs.front().clip_sha256.empty();
  if (p.programs.size() == 1 && silent && !o.seed_clip.empty()) {
    throw UsageError("the performance begins from silence: leave out --seed-clip");
  }
  const PlayedProgram& program = recorded_program(p);
  const fs::path path = output_path(o, p);
  note_inputs(o, p);
  const bool stream = is_sound_stream(path);
  if (!stream && output_place(path, Replace::any()).there && !o.force) {
    throw Error(
        fmt::format("{} is there: choose another -o, or --force to replace it", path.string()));
  }
  const auto start = std::chrono::steady_clock::now();
  Files files(o);
  Bars bars(o.quiet || o.json, program.sample_rate);
  WriterOptions options = writer_options(path, program, o.force);
  options.frames_ahead = p.lost_samples == 0 ? p.recorded_samples : 0;
  options.stop = [&bars] { return bars.stop(); };
  AudioWriter writer(path, options);
  const ReplaySummary s =
      replay(p, files, bars, [&](std::span<const float> samples) { writer.write(samples); });
  bars.clear();
  writer.close();
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const bool written = writer.file_frames() > 0;
  const std::string hash = written && !stream ? sha256_file(path) : std::string();
  const bool same = hash == p.file_sha256;
  const auto print = [&](const std::string& text) {  // where it does not mix with the sound
    is_standard_output(path) ? write_error(text) : write_output(text);
  };
  const double sound = static_cast<double>(s.recorded) / program.sample_rate;
  if (o.json) {
    Json j;
    j["file"] = path.string();
    if (!stream) j["sha256"] = hash;
    if (!stream) j["bit_for_bit"] = same;
    j["interrupted"] = s.interrupted;
    j["seconds_of_audio"] = sound;
    j["samples_drawn"] = s.drawn;
    j["seconds"] = seconds;
    j["engine"] = files.engine_description();
    print(json_line(j));
  } else if (written && !o.quiet) {
    print(fmt::format("{}  {:.2f} s{}\n", stream_name(path), sound,
                      s.interrupted ? ", cut short" : ""));
  }
  if (s.interrupted) {
    say("mambo: interrupted; {}\n",
        written ? "what was drawn is kept in the file above" : "nothing was written");
    return exit_interrupted;
  }
  if (!o.quiet && !stream) say("{}\n", verdict(p, same, files.other_backend));
  return 0;
}

}  // namespace mambo
