// A live take as a file: every change of a control, stamped with its sample, and what model, clip
// and engine played. With it `mambo render --performance` draws the recorded samples again.
//
// JSON lines. The first says what was recorded; each other one is an event, in the order in which
// they took effect. Positions count samples since the end of the clip; they begin again at 0 after
// `program` and after `again`, whose own `at` is where the run before ended. Docs: docs/cli.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "app/control/event.h"
#include "kernels/engine.h"
#include "model/config.h"

namespace mambo {

struct PlayedEngine {
  std::string backend;      // "cpu", "cuda"
  std::string weights;      // "half", "f32"
  std::string description;  // Engine::description(), to be read by people
  bool operator==(const PlayedEngine&) const = default;
};

PlayedEngine played_engine(const Engine& engine, WeightStorage weights);

struct PlayedProgram {
  std::filesystem::path model_path;
  std::string model_name, model_sha256;
  int sample_rate = 0;  // Hz
  Encoding encoding = Encoding::mulaw8;
  std::filesystem::path clip_path;  // empty: from silence
  std::string clip_sha256;
  PlayedEngine engine;
  bool operator==(const PlayedProgram&) const = default;
};

// What a slot held: a file of a moment.
struct PlayedMoment {
  std::filesystem::path path;
  std::string sha256;  // of the whole file
  bool operator==(const PlayedMoment&) const = default;
};

// What was listened to, as a sound file at the model's rate whose samples are codes, decoded.
struct PlayedSound {
  std::filesystem::path path;
  std::string sha256;  // of the whole file
  bool operator==(const PlayedSound&) const = default;
};

struct Performance {
  std::string version;                 // of the program
  std::string file;                    // the recording's name
  std::string file_sha256;             // of the whole recording
  std::uint64_t recorded_samples = 0;  // from the event `recording` on, over Again and programs
  std::uint64_t lost_samples = 0;      // drawn and not recorded: the disk was too slow
  // What the values of events `program`, `engine`, `slot` and `listen` count. The first event is a
  // program.
  std::vector<PlayedProgram> programs;
  std::vector<PlayedEngine> engines;
  std::vector<PlayedMoment> moments;
  std::vector<PlayedSound> heard;
  std::vector<ControlEvent> events;
  bool operator==(const Performance&) const = default;
};

// What a live recording says in its metadata; a rendering of its performance says the same, so that
// the files can be equal to the last bit.
// missing_s: seconds that the recording lost. As long whatever is missing, so that a file's comment
// can be replaced where it stands.
std::string recording_comment(const std::string& model_name, double missing_s = 0);

inline constexpr std::size_t kMostEvents = 1U << 19U;  // of one performance: 50 MB of text
inline constexpr std::size_t kMostPrograms = 4096;     // likewise; engines, moments

std::string performance_text(const Performance& p);
// Linear in the text's length. Throws Error, one sentence that begins with `where` and says the
// line, what was expected and what was found.
Performance parse_performance(std::string_view text, const std::string& where);

// take.wav -> take.performance.jsonl
std::filesystem::path performance_path(const std::filesystem::path& audio);
// Whether that place is free, or holds a performance of mambo, which may be replaced.
bool may_write_performance(const std::filesystem::path& path);
// Aside and renamed. Throws Error.
void write_performance(const std::filesystem::path& path, const Performance& p);
Performance read_performance(const std::filesystem::path& path);  // throws Error

}  // namespace mambo
