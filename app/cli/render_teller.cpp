#include "app/cli/render_teller.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/interrupt.h"
#include "app/cli/say.h"
#include "app/files/sound_stream.h"

namespace mambo {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

std::string loudness_text(const Recipe& r) {
  if (!r.finish.lufs) return "";
  if (!r.loudness_lufs) return ", too quiet or short to be normalized";
  const bool short_of = *r.loudness_lufs < *r.finish.lufs - 0.05;
  return fmt::format(", {:.1f} LUFS{}", *r.loudness_lufs,
                     short_of ? fmt::format(" (its true peak is at {} dBTP)", true_peak_dbtp) : "");
}

// How the continuation goes on where the clip ended.
std::string level_text(const Recipe& r) {
  if (!r.clip_lufs || !r.continuation_lufs) return "";
  return fmt::format(", clip {:.0f} LUFS, continued {:.0f} LUFS{}", *r.clip_lufs,
                     *r.continuation_lufs, r.finish.match_level ? ", matched" : "");
}

std::string guard_text(const Recipe& r) {
  std::string text;
  for (const Trouble t : {Trouble::silence, Trouble::noise, Trouble::drone}) {
    const auto n = std::count_if(r.brought_back.begin(), r.brought_back.end(),
                                 [t](const BroughtBack& b) { return b.from == t; });
    if (n == 0) continue;
    text += fmt::format("{} {}", text.empty() ? ", brought back from" : ",", trouble_name(t));
    if (n > 1) text += fmt::format(" {} times", n);
  }
  return text;
}

Json guard_json(const Recipe& r) {
  Json all = Json::array();
  for (const BroughtBack& b : r.brought_back) {
    Json j;
    j["at_seconds"] = static_cast<double>(b.at) / r.sample_rate;
    j["from"] = trouble_name(b.from);
    j["to_seconds"] = static_cast<double>(b.to) / r.sample_rate;
    j["voice"] = b.voice;
    all.push_back(std::move(j));
  }
  return all;
}

std::string verdict_text(const Recipe& r) {
  if (!r.verdict) return "";
  return fmt::format(", number {} of {}: {:.3f} bits per sample, {:.1f} dBFS", r.verdict->rank,
                     r.verdict->of, r.verdict->bits_per_sample, r.verdict->level_dbfs);
}

}  // namespace

void RenderTeller::plan(std::uint64_t files, double seconds) {
  planned_files_ = files;
  planned_s_ = seconds;
}

void RenderTeller::skip(const std::vector<fs::path>& files, double seconds) {
  for (const fs::path& p : files) {
    if (!quiet_) {
      say("{}: already there, made by this very recipe; left as it is\n", p.string());
    }
    skipped_.push_back(p.string());
  }
  done_files_ += files.size();
  planned_s_ -= seconds;
}

void RenderTeller::failed(const std::string& what) {
  absorb_.clear();
  draw_.clear();
  ++failures_;
  say("mambo: {}\n", what);
}

void RenderTeller::end(const RenderSummary& part, const std::string& engine) {
  absorb_.clear();
  draw_.clear();
  absorb_s_ += part.absorb_s;
  draw_s_ += part.draw_s;
  drawn_ += part.samples;
  drawn_s_ += seconds(part.samples);
  undecided_ += part.undecided;
  interrupted_ = interrupted_ || part.interrupted;
  engine_ = engine;
}

void RenderTeller::absorbing(std::uint64_t samples, std::uint64_t of) {
  const auto done = static_cast<double>(samples);
  draw_.clear();
  absorb_.update(done, static_cast<double>(of), done / rate_);
}

void RenderTeller::drawing(std::uint64_t samples, std::uint64_t /*of*/) {
  absorb_.clear();
  if (!drawing_) draw_.restart();
  drawing_ = true;
  const double done = drawn_s_ + seconds(samples);
  const std::string files =
      planned_files_ > 1 ? fmt::format("{} of {} files", done_files_, planned_files_) : "";
  draw_.update(done, planned_s_, done, files);
}

void RenderTeller::file_done(const fs::path& path, const Recipe& recipe) {
  draw_.clear();
  ++done_files_;
  files_.push_back(path.string());
  levels_.emplace_back(recipe.clip_lufs, recipe.continuation_lufs);
  guarded_ = guarded_ || recipe.guard;
  brought_back_.push_back(recipe.guard ? guard_json(recipe).dump() : "null");
  if (is_sound_stream(path)) {
    streamed_ = recipe_json(recipe);
  } else {
    hashes_.push_back(recipe.file_sha256);
  }
  if (json_ || quiet_) return;
  print(fmt::format("{}  {:.2f} s{}{}{}{}{}\n", stream_name(path),
                    static_cast<double>(recipe.file_samples) / recipe.file_rate,
                    recipe.interrupted ? ", cut short" : "", loudness_text(recipe),
                    level_text(recipe), guard_text(recipe), verdict_text(recipe)));
}

void RenderTeller::print(const std::string& text) const {
  if (sound_in_output_) return write_error(text);
  write_output(text);
  flush_output();
}

bool RenderTeller::stop() { return interrupted(); }

void RenderTeller::summary() {
  const double speed = draw_s_ > 0 ? static_cast<double>(drawn_) / draw_s_ : 0;
  const double factor = draw_s_ > 0 ? drawn_s_ / draw_s_ : 0;
  if (json_) {
    Json j;
    j["files"] = files_;
    j["sha256"] = hashes_;
    if (!streamed_.empty()) j["recipe"] = Json::parse(streamed_);
    const auto number = [](const std::optional<double>& x) { return x ? Json(*x) : Json(nullptr); };
    for (const auto& [clip, continuation] : levels_) {
      j["clip_lufs"].push_back(number(clip));
      j["continuation_lufs"].push_back(number(continuation));
    }
    if (guarded_) {
      for (const std::string& b : brought_back_) j["brought_back"].push_back(Json::parse(b));
    }
    j["skipped"] = skipped_;
    j["interrupted"] = interrupted_;
    j["clips_failed"] = failures_;
    j["seconds_of_audio"] = drawn_s_;
    j["absorb_seconds"] = absorb_s_;
    j["draw_seconds"] = draw_s_;
    j["samples_per_second"] = speed;
    j["real_time_factor"] = factor;
    j["engine"] = engine_;
    print(json_line(j));
  } else if (!quiet_ && drawn_ > 0) {
    say("{:.2f} s of sound in {:.2f} s: {:.2f} x real time ({})\n", drawn_s_, draw_s_, factor,
        engine_);
  }
}

int RenderTeller::exit_code() const {
  if (!interrupted_) return failures_ > 0 ? 1 : 0;
  say("mambo: interrupted; {}\n",
      files_.empty() ? "nothing was written" : "what was drawn is kept in the files above");
  if (undecided_ > 0) {
    say("mambo: {} takes were not all drawn, so none of them was chosen\n", undecided_);
  }
  return exit_interrupted;
}

}  // namespace mambo
