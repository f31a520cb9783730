// Past 400 lines: what is written and what is read of each event stand side by side.
#include "app/control/performance.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>

#include "app/control/control_json.h"
#include "app/control/listen_event.h"
#include "app/control/moment_json.h"
#include "dsp/trouble.h"
#include "kernels/error.h"
#include "model/json_text.h"
#include "model/message.h"
#include "model/output_file.h"
#include "model/platform_file.h"

namespace mambo {
namespace {

namespace fs = std::filesystem;

constexpr int kFormat = 1;
constexpr const char* kFormatKey = "mambo_performance";
constexpr std::uint64_t kMostSamples = 1ULL << 40U;  // two years at 16 kHz
constexpr std::size_t kMostBytes = 1U << 28U;
constexpr std::size_t kMostOfALine = 1U << 16U;
constexpr std::array kSourcesRead = {Source::start, Source::owner, Source::preset, Source::engine};

// ---- Writing ----

Json path_json(const fs::path& path) { return path.empty() ? Json(nullptr) : Json(path.string()); }
Json text_json(const std::string& s) { return s.empty() ? Json(nullptr) : Json(s); }

Json engine_json(const PlayedEngine& e) {
  Json j;
  j["backend"] = e.backend;
  j["weights"] = e.weights;
  j["description"] = e.description;
  return j;
}

Json program_json(const PlayedProgram& p) {
  Json j;
  j["model_path"] = path_json(p.model_path);
  j["model_name"] = p.model_name;
  j["model_sha256"] = p.model_sha256;
  j["sample_rate_hz"] = p.sample_rate;
  j["encoding"] = encoding_name(p.encoding);
  j["clip_path"] = path_json(p.clip_path);
  j["clip_sha256"] = text_json(p.clip_sha256);
  j["engine"] = engine_json(p.engine);
  return j;
}

Json event_json(const Performance& p, const ControlEvent& e) {
  Json j;
  j["at"] = e.at;
  if (e.id == ControlId::program) {
    j["program"] = program_json(p.programs.at(e.value.whole));
    return j;
  }
  if (e.id == ControlId::engine) {
    j["engine"] = engine_json(p.engines.at(e.value.whole));
    return j;
  }
  if (e.id == ControlId::recording) {
    j["recording"] = true;
    return j;
  }
  if (e.id == ControlId::brought_back) {
    Json back;
    back["from"] = trouble_name(static_cast<Trouble>(static_cast<int>(e.value.real)));
    back["to"] = e.value.whole;
    j["brought_back"] = std::move(back);
    return j;
  }
  if (e.id == ControlId::listen) {
    const PlayedSound& sound = p.heard.at(heard_of(e));
    j["listen"]["path"] = path_json(sound.path);
    j["listen"]["sha256"] = sound.sha256;
    return j;
  }
  if (e.id == ControlId::answer) {
    j["answer"] = true;
    return j;
  }
  if (is_moment(e.id)) {
    j[moment_key(e.id)] = moment_json(p.moments, e);
    return j;
  }
  const ControlSpec& spec = control_spec(e.id);
  j["control"] = spec.key;
  if (spec.kind == ControlKind::whole64) {
    j["value"] = e.value.whole;
  } else if (spec.kind == ControlKind::real || spec.kind == ControlKind::impulse) {
    j["value"] = e.value.real;
  } else if (spec.kind != ControlKind::trigger) {
    j["value"] = static_cast<std::int64_t>(e.value.real);
  }
  if (e.ramp != 0) j["ramp"] = e.ramp;
  if (e.target != kAllTargets) j["target"] = target_text(e.target);
  j["source"] = source_name(e.source);
  return j;
}

// ---- Reading ----

// An object of a line: none but these keys.
JsonFields fields(const Json& object, const std::string& where,
                  std::initializer_list<std::string_view> known) {
  JsonFields f(object, where);
  f.only(known);
  return f;
}

PlayedEngine read_engine(const Json& object, const std::string& where) {
  const JsonFields f = fields(object, where + ": engine", {"backend", "weights", "description"});
  return {f.one_of("backend", {backend_name(Backend::cpu), backend_name(Backend::cuda)}),
          f.one_of("weights", {"half", "f32"}), f.text("description")};
}

PlayedProgram read_program(const Json& object, const std::string& where) {
  const JsonFields f = fields(object, where + ": program",
                              {"model_path", "model_name", "model_sha256", "sample_rate_hz",
                               "encoding", "clip_path", "clip_sha256", "engine"});
  PlayedProgram p;
  p.model_path = f.path("model_path");
  p.model_name = f.text("model_name");
  p.model_sha256 = f.hash("model_sha256");
  p.sample_rate = f.integer("sample_rate_hz", kLowestRate, kHighestRate);
  p.encoding = parse_encoding(f.one_of("encoding", {"mulaw8", "linear8"}));
  p.clip_path = f.path("clip_path");
  if (!f.at("clip_sha256").is_null()) p.clip_sha256 = f.hash("clip_sha256");
  if (p.clip_path.empty() != p.clip_sha256.empty()) {
    throw Error(f.where() + ": expected clip_path and clip_sha256 both or neither");
  }
  p.engine = read_engine(f.at("engine"), where);
  return p;
}

void read_control(const JsonFields& f, ControlEvent& e) {
  const std::string key = f.text("control");
  const ControlSpec* spec = find_control(key);
  if (spec == nullptr) {
    throw Error(f.where() + ": unknown control: expected one of `mambo controls`, found " +
                printable(key));
  }
  e.id = spec->id;
  const std::string source = f.text("source");
  const auto* const known = std::find_if(kSourcesRead.begin(), kSourcesRead.end(),
                                         [&](Source s) { return source == source_name(s); });
  if (known == kSourcesRead.end()) {
    throw Error(f.where() + ": unknown source: " + printable(source));
  }
  e.source = *known;
  if (spec->kind == ControlKind::trigger) {
    if (f.has("value")) throw Error(f.where() + ": expected no value of " + key);
  } else {
    e.value = json_control(f.at("value"), f.where(), *spec);
  }
  if (f.has("ramp")) e.ramp = static_cast<std::uint32_t>(f.whole("ramp", UINT32_MAX));
  if (f.has("target")) {
    if (!spec->has_targets()) throw Error(f.where() + ": expected no target of " + key);
    const std::string text = f.text("target");
    const std::optional<std::int16_t> target = parse_target(text);
    if (!target) {
      throw Error(fmt::format("{}: target: expected {}, found {}", f.where(), target_words,
                              printable(text)));
    }
    e.target = *target;
  }
}

// What the guard did: the state that it went back to is one that this run has had.
void read_brought_back(const Json& object, ControlEvent& e, const std::string& where) {
  const JsonFields f = fields(object, where + ": brought_back", {"from", "to"});
  const std::string from = f.one_of("from", {"silence", "noise", "drone"});
  for (std::size_t i = 0; i < kTroubles; ++i) {
    if (from == trouble_name(static_cast<Trouble>(i))) e.value.real = static_cast<double>(i);
  }
  e.id = ControlId::brought_back;
  e.source = Source::engine;
  e.value.whole = f.whole("to", kMostSamples);
  if (e.value.whole > e.at) {
    throw Error(fmt::format("{}: brought_back: expected a sample up to {}, found {}", where, e.at,
                            e.value.whole));
  }
}

class Reader {
 public:
  void line(std::string_view text, const std::string& where) {
    if (!headed_) return header(text, where);
    if (p_.events.size() >= kMostEvents) {
      throw Error(fmt::format("{}: expected at most {} events", where, kMostEvents));
    }
    const Json object = parse_json(text, where);
    JsonFields f(object, where);
    const std::optional<ControlId> moment = moment_in(f);
    if (!moment) {
      f.only({"at", "control", "value", "ramp", "target", "source", "program", "engine",
              "recording", "brought_back", "listen", "answer"});
    }
    int kinds = moment ? 1 : 0;
    for (const char* kind :
         {"control", "program", "engine", "recording", "brought_back", "listen", "answer"}) {
      if (f.has(kind)) ++kinds;
    }
    if (kinds != 1 || (!f.has("control") && object.size() != 2)) {
      throw Error(where +
                  ": expected one event: a control, program, engine, recording, "
                  "brought_back, listen, answer or moment");
    }
    ControlEvent e;
    e.at = f.whole("at", kMostSamples);
    if (e.at < last_) {
      throw Error(fmt::format("{}: expected events in order, from sample {} on, found {}", where,
                              last_, e.at));
    }
    if (moment) {
      e = read_moment_event(f, *moment, e.at, p_.moments);
      if (p_.moments.size() > kMostPrograms) {
        throw Error(fmt::format("{}: expected at most {} moments", where, kMostPrograms));
      }
    } else {
      read(f, e, where);
    }
    if (p_.events.empty() && (e.id != ControlId::program || e.at != 0)) {
      throw Error(where + ": expected a program at sample 0 as the first event");
    }
    run(e, where);
    p_.events.push_back(e);
  }

  Performance done(const std::string& where) {
    if (!headed_ || p_.events.empty() || !recording_) {
      throw Error(where +
                  ": not a whole performance: expected a first line, a program and the event "
                  "recording");
    }
    return std::move(p_);
  }

 private:
  void header(std::string_view text, const std::string& where) {
    Json object;
    try {
      object = parse_json(text, where);
    } catch (const Error&) {  // where the text stops being JSON is nothing to tell of a sound file
    }
    if (!object.is_object() || !object.contains(kFormatKey)) {
      throw Error(where + ": expected a performance of mambo (.performance.jsonl), found " +
                  (object.is_null() ? "no JSON" : "other JSON"));
    }
    const JsonFields f = fields(
        object, where,
        {kFormatKey, "mambo_version", "file", "file_sha256", "recorded_samples", "lost_samples"});
    f.integer(kFormatKey, kFormat, kFormat);
    p_.version = f.text("mambo_version");
    p_.file = f.file_name("file");
    p_.file_sha256 = f.hash("file_sha256");
    p_.recorded_samples = f.whole("recorded_samples", kMostSamples);
    p_.lost_samples = f.whole("lost_samples", kMostSamples);
    headed_ = true;
  }

  void read(const JsonFields& f, ControlEvent& e, const std::string& where) {
    if (f.has("program")) {
      if (p_.programs.size() >= kMostPrograms) {
        throw Error(fmt::format("{}: expected at most {} programs", where, kMostPrograms));
      }
      e.id = ControlId::program;
      e.value.whole = p_.programs.size();
      p_.programs.push_back(read_program(f.at("program"), where));
      if (p_.programs.back().sample_rate != p_.programs.front().sample_rate) {
        throw Error(where + ": expected programs of one sampling rate");
      }
    } else if (f.has("engine")) {
      if (p_.engines.size() >= kMostPrograms) {
        throw Error(fmt::format("{}: expected at most {} engines", where, kMostPrograms));
      }
      e.id = ControlId::engine;
      e.source = Source::engine;
      e.value.whole = p_.engines.size();
      p_.engines.push_back(read_engine(f.at("engine"), where));
    } else if (f.has("recording")) {
      if (!json_bool(f.at("recording"), where, "recording") || recording_) {
        throw Error(where + ": expected one event recording, and that true");
      }
      e.id = ControlId::recording;
      recording_ = true;
    } else if (f.has("brought_back")) {
      read_brought_back(f.at("brought_back"), e, where);
    } else if (f.has("listen")) {
      read_listen(f.at("listen"), e, where);
    } else if (f.has("answer")) {
      if (!json_bool(f.at("answer"), where, "answer") || !listening_) {
        throw Error(where + ": expected answer behind listen, and true");
      }
      e.id = ControlId::answer;
      listening_ = false;
    } else {
      read_control(f, e);
    }
  }

  void read_listen(const Json& object, ControlEvent& e, const std::string& where) {
    const JsonFields f = fields(object, where + ": listen", {"path", "sha256"});
    if (listening_) throw Error(where + ": expected answer before the next listen");
    if (p_.heard.size() >= kMostPrograms) {
      throw Error(fmt::format("{}: expected at most {} times listen", where, kMostPrograms));
    }
    e.id = ControlId::listen;
    set_heard(e, p_.heard.size());
    p_.heard.push_back({f.path("path"), f.hash("sha256")});
    listening_ = true;
  }

  // What a run draws has to be drawn again before the next: bounded over all of them.
  void run(const ControlEvent& e, const std::string& where) {
    const bool ends = e.id == ControlId::program || e.id == ControlId::again;
    last_ = ends ? 0 : e.at;
    if (!ends) return;
    listening_ = false;
    samples_ += e.at;
    if (samples_ > kMostSamples) {
      throw Error(fmt::format("{}: expected at most {} samples in all", where, kMostSamples));
    }
  }

  Performance p_;
  bool headed_ = false, recording_ = false, listening_ = false;
  std::uint64_t last_ = 0, samples_ = 0;
};

}  // namespace

PlayedEngine played_engine(const Engine& engine, WeightStorage weights) {
  PlayedEngine e;
  e.description = engine.description();
  e.backend = backend_name(engine.backend());
  e.weights = weights == WeightStorage::f32 ? "f32" : "half";
  return e;
}

std::string recording_comment(const std::string& model_name, double missing_s) {
  constexpr std::size_t room = 64;
  std::string comment = "mambo, live; model " + model_name;
  const std::size_t length = comment.size() + room;
  if (missing_s > 0) {
    comment += fmt::format("; {:.2f} s are missing: the disk was too slow", missing_s);
  }
  comment.resize(length, ' ');
  return comment;
}

std::string performance_text(const Performance& p) {
  const auto line = [](const Json& j) {
    return j.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  };
  Json head;
  head[kFormatKey] = kFormat;
  head["mambo_version"] = p.version;
  head["file"] = p.file;
  head["file_sha256"] = p.file_sha256;
  head["recorded_samples"] = p.recorded_samples;
  head["lost_samples"] = p.lost_samples;
  std::string text = line(head);
  for (const ControlEvent& e : p.events) text += line(event_json(p, e));
  return text;
}

Performance parse_performance(std::string_view text, const std::string& where) {
  if (text.size() > kMostBytes) {
    throw Error(
        fmt::format("{}: expected at most {} bytes, found {}", where, kMostBytes, text.size()));
  }
  Reader reader;
  std::size_t number = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string here = fmt::format("{}: line {}", where, ++number);
    if (end - at > kMostOfALine) {
      if (number == 1) {
        throw Error(where +
                    ": expected a performance of mambo (.performance.jsonl), found no JSON");
      }
      throw Error(
          fmt::format("{}: expected at most {} bytes, found {}", here, kMostOfALine, end - at));
    }
    reader.line(text.substr(at, end - at), here);
    at = end + 1;
  }
  return reader.done(where);
}

fs::path performance_path(const fs::path& audio) {
  return fs::path(audio).replace_extension(".performance.jsonl");
}

bool may_write_performance(const fs::path& path) {
  std::error_code error;
  if (!fs::exists(fs::symlink_status(path, error))) return true;
  try {
    InputFile file(path);
    const std::string start = fmt::format("{{\"{}\":", kFormatKey);
    std::string found(start.size(), '\0');
    return file.read(std::as_writable_bytes(std::span(found))) == start.size() && found == start;
  } catch (const Error&) {
    return false;
  }
}

void write_performance(const fs::path& path, const Performance& p) {
  const std::string text = performance_text(p);
  OutputFile file(path, {may_write_performance, "mambo"});
  file.write(0, std::as_bytes(std::span(text)));
  file.commit();
}

Performance read_performance(const fs::path& path) {
  return parse_performance(load_bytes(path, kMostBytes).text(), path.string());
}

}  // namespace mambo
