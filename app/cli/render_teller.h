// What mambo render says: progress, a line per file, and a summary.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "app/cli/progress.h"
#include "app/offline/render.h"

namespace mambo {

// Over all clips and models of a run. One thread.
class RenderTeller final : public RenderEvents {
 public:
  // quiet: nothing but what failed, and JSON. sound_in_output: what is printed goes to stderr, and
  // beside JSON no progress does.
  RenderTeller(bool quiet, bool json, bool sound_in_output)
      : quiet_(quiet),
        json_(json),
        sound_in_output_(sound_in_output),
        absorb_("absorbing the clip", quiet || (json && sound_in_output)),
        draw_("drawing", quiet || (json && sound_in_output)) {}

  void plan(std::uint64_t files, double seconds);  // of the whole run
  // What comes next is drawn at this rate.
  void begin(int rate) { rate_ = rate; }
  void skip(const std::vector<std::filesystem::path>& files, double seconds);
  void failed(const std::string& what);  // of one clip among several: said at once
  void end(const RenderSummary& part, const std::string& engine);

  void absorbing(std::uint64_t samples, std::uint64_t of) override;
  void drawing(std::uint64_t samples, std::uint64_t of) override;
  void file_done(const std::filesystem::path& path, const Recipe& recipe) override;
  bool stop() override;

  void summary();         // when all is done or stopped
  int exit_code() const;  // says so when it was interrupted
  const std::vector<std::string>& hashes() const { return hashes_; }  // of files, not of streams

 private:
  void print(const std::string& text) const;
  double seconds(std::uint64_t samples) const { return static_cast<double>(samples) / rate_; }
  bool quiet_, json_, sound_in_output_;
  int rate_ = 1;
  std::uint64_t planned_files_ = 0, done_files_ = 0;
  double planned_s_ = 0, drawn_s_ = 0, absorb_s_ = 0, draw_s_ = 0;
  std::uint64_t drawn_ = 0, undecided_ = 0;
  int failures_ = 0;
  bool interrupted_ = false, drawing_ = false;
  std::string engine_;
  std::vector<std::string> files_, hashes_, skipped_;
  std::vector<std::pair<std::optional<double>, std::optional<double>>> levels_;  // of files_, LUFS
  bool guarded_ = false;
  std::vector<std::string> brought_back_;  // of files_, JSON
  std::string streamed_;  // the recipe of what went into no file, and so lies nowhere
  Progress absorb_, draw_;
};

}  // namespace mambo
