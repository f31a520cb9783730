// The performance file: what is written comes back, and what is broken is refused in one sentence.
#include "app/control/performance.h"

#include <gtest/gtest.h>

#include <fstream>
#include <functional>

#include "kernels/error.h"
#include "support.h"

namespace mambo {
namespace {

ControlEvent event(std::uint64_t at, ControlId id, double value = 0, std::uint64_t whole = 0) {
  ControlEvent e;
  e.at = at;
  e.id = id;
  e.value = {value, whole};
  return e;
}

Performance sample() {
  Performance p;
  p.version = "0.1.0";
  p.file = "take.wav";
  p.file_sha256 = std::string(64, 'f');
  p.recorded_samples = 4321;
  PlayedProgram program;
  program.model_path = "/models/m.safetensors";
  program.model_name = "m";
  program.model_sha256 = std::string(64, 'a');
  program.sample_rate = 16000;
  program.clip_path = "/clips/c.wav";
  program.clip_sha256 = std::string(64, 'b');
  program.engine = {"cuda", "half", "CUDA, something"};
  p.programs = {program};
  program.clip_path.clear();
  program.clip_sha256.clear();
  p.programs.push_back(program);
  p.engines = {{"cpu", "half", "CPU, something"}};
  p.events = {event(0, ControlId::program, 0, 0),
              event(0, ControlId::temperature, 0.1),
              event(0, ControlId::rng_seed, 0, UINT64_MAX),
              event(77, ControlId::top_k, 40),
              event(100, ControlId::recording),
              event(128, ControlId::top_p, 1.0 / 3),
              event(200, ControlId::engine, 0, 0),
              event(300, ControlId::again),
              event(5, ControlId::level, -12.5),
              event(900, ControlId::program, 0, 1),
              event(0, ControlId::playing, 1)};
  p.events[1].source = Source::start;
  p.events[5].ramp = 1000;
  p.events[6].source = Source::engine;
  return p;
}

TEST(Performance, SurvivesItsText) {
  const Performance p = sample();
  EXPECT_EQ(parse_performance(performance_text(p), "p"), p);
}

std::vector<std::string> lines() {
  std::vector<std::string> out;
  const std::string text = performance_text(sample());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    out.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

std::string joined(const std::vector<std::string>& all) {
  std::string text;
  for (const std::string& line : all) text += line + "\n";
  return text;
}

void expect_refused(const std::string& text, const std::string& part = "") {
  try {
    parse_performance(text, "p.jsonl");
    ADD_FAILURE() << "accepted " << text.substr(0, 2000);
  } catch (const Error& e) {
    const std::string what = e.what();
    EXPECT_EQ(what.rfind("p.jsonl: ", 0), 0U) << what;
    EXPECT_EQ(what.find('\n'), std::string::npos) << what;
    EXPECT_LT(what.size(), 400U) << what;
    EXPECT_NE(what.find(part), std::string::npos) << what;
  }
}

TEST(Performance, TargetsSurviveAsText) {
  Performance p = sample();
  const auto add = [&](ControlId id, const char* target, double value, std::uint32_t ramp = 0) {
    ControlEvent e = event(950, id, value);
    e.target = *parse_target(target);
    e.ramp = ramp;
    p.events.push_back(e);
  };
  add(ControlId::delta_scale, "tier2", 0.25, 640);
  add(ControlId::hold_B, "down.0.1", 1);
  add(ControlId::read, "all", 2);
  add(ControlId::forget, "center.0", 1.0 / 3);
  const std::string text = performance_text(p);
  EXPECT_EQ(parse_performance(text, "p"), p);
  for (const char* part : {"\"value\":0.25,\"ramp\":640,\"target\":\"tier2\"",
                           "\"target\":\"down.0.1\"", "\"target\":\"center.0\""}) {
    EXPECT_NE(text.find(part), std::string::npos) << part;
  }
  EXPECT_EQ(text.find("\"all\""), std::string::npos) << "needs no word";
}

TEST(Performance, WhatWasListenedToSurvivesAndIsReadStrictly) {
  Performance p = sample();
  p.heard = {{"/takes/take.heard1.wav", std::string(64, 'c')},
             {"/takes/take.heard2.wav", std::string(64, 'd')}};
  p.events.push_back(event(950, ControlId::listen, 0, 0));
  p.events.push_back(event(960, ControlId::top_k, 3));
  p.events.push_back(event(970, ControlId::answer));
  p.events.push_back(event(970, ControlId::listen, 0, 1));
  p.events.push_back(event(980, ControlId::again));  // ends it as well
  const std::string text = performance_text(p);
  EXPECT_EQ(parse_performance(text, "p"), p);
  const std::string listen =
      R"({"at":990,"listen":{"path":"/a.wav","sha256":")" + std::string(64, 'e') + "\"}}\n";
  const std::string answer = "{\"at\":990,\"answer\":true}\n";
  EXPECT_EQ(parse_performance(text + listen + answer, "p").heard.size(), 3U);
  expect_refused(text + answer, "expected answer behind listen");
  expect_refused(text + listen + answer + answer, "expected answer behind listen");
  expect_refused(text + listen + listen, "expected answer before the next listen");
  expect_refused(text + listen + "{\"at\":990,\"answer\":false}\n", "and true");
  expect_refused(text + R"({"at":990,"listen":true})", "listen");
  expect_refused(text + R"({"at":990,"listen":{"path":"/a.wav"}})", "sha256");
  expect_refused(text + R"({"at":990,"listen":{"path":"/a.wav","sha256":"e"}})", "sha256");
  expect_refused(text + R"({"at":990,"answer":true,"listen":true})", "expected one event");
}

TEST(Performance, ALineThatIsNotOneIsRefusedByNumber) {
  for (const char* bad :
       {"",
        "{",
        "[]",
        "3",
        "null",
        "{}",
        "{\"at\":77}",
        "{\"at\":77,\"control\":\"top_k\"}",
        "{\"at\":77,\"control\":\"top_k\",\"value\":40,\"source\":\"nobody\"}",
        "{\"at\":77,\"control\":\"top_k\",\"value\":40,\"source\":\"owner\",\"more\":1}",
        "{\"at\":77,\"control\":\"top_k\",\"value\":40,\"source\":\"owner\",\"target\":1}",
        "{\"at\":77,\"control\":\"top_k\",\"value\":40,\"source\":\"owner\",\"target\":\"all\"}",
        "{\"at\":77,\"control\":\"read\",\"value\":1,\"source\":\"owner\",\"target\":1}",
        "{\"at\":77,\"control\":\"read\",\"value\":1,\"source\":\"owner\",\"target\":\"tier8\"}",
        R"({"at":77,"control":"read","value":1,"source":"owner","target":"\u001b[2J"})",
        "{\"at\":77,\"control\":\"read\",\"value\":1,\"source\":\"owner\",\"target\":null}",
        "{\"at\":77,\"control\":\"read\",\"value\":2.1,\"source\":\"owner\"}",
        "{\"at\":77,\"control\":\"forget\",\"source\":\"owner\"}",
        "{\"at\":77,\"control\":\"forget\",\"value\":-1,\"source\":\"owner\"}",
        "{\"at\":77,\"control\":\"top_k\",\"value\":40,\"source\":\"owner\",\"ramp\":-1}",
        "{\"at\":77,\"control\":\"top_k\",\"value\":40,\"value\":41,\"source\":\"owner\"}",
        "{\"at\":77,\"control\":\"again\",\"value\":1,\"source\":\"owner\"}",
        "{\"at\":77,\"recording\":false}",
        "{\"at\":77,\"recording\":true,\"engine\":{}}",
        "{\"at\":77,\"engine\":{\"backend\":\"abacus\",\"weights\":\"half\",\"description\":\"\"}}",
        "{\"at\":77,\"program\":{}}",
        "{\"at\":-1,\"control\":\"again\",\"source\":\"owner\"}",
        "{\"at\":1e3,\"control\":\"again\",\"source\":\"owner\"}",
        "{\"at\":18446744073709551615,\"control\":\"again\",\"source\":\"owner\"}"}) {
    std::vector<std::string> all = lines();
    all[4] = bad;
    SCOPED_TRACE(bad);
    expect_refused(joined(all), "line 5");
  }
}

TEST(Performance, ValuesHaveTheRangesOfTheTable) {
  const auto with = [](const std::string& control, const std::string& value) {
    std::vector<std::string> all = lines();
    all[4] =
        R"({"at":77,"control":")" + control + R"(","value":)" + value + R"(,"source":"owner"})";
    return joined(all);
  };
  EXPECT_NO_THROW(parse_performance(with("temperature", "10"), "p"));
  expect_refused(with("temperature", "10.1"), "temperature");
  expect_refused(with("temperature", "-0.1"));
  expect_refused(with("temperature", "1e999"));
  expect_refused(with("temperature", "\"1\""));
  expect_refused(with("top_k", "257"));
  expect_refused(with("top_k", "1.5"));
  expect_refused(with("top_p", "0"));
  expect_refused(with("level", "13"));
  expect_refused(with("latency", "9"));
  expect_refused(with("rng_seed", "-1"));
  expect_refused(with("rng_seed", "18446744073709551616"));
  expect_refused(with("loudness", "1"), "unknown control");
}

TEST(Performance, ItsOrderIsThatOfTheSamples) {
  std::vector<std::string> all = lines();
  std::swap(all[4], all[6]);
  expect_refused(joined(all), "in order");
  all = lines();
  all.erase(all.begin() + 1);  // no program first
  expect_refused(joined(all), "program");
  all = lines();
  all.erase(all.begin() + 5);  // no recording
  expect_refused(joined(all), "recording");
  all = lines();
  all.insert(all.begin() + 6, all[5]);  // two
  expect_refused(joined(all), "recording");
  expect_refused("", "not a whole performance");
  all = lines();
  all.erase(all.begin());
  expect_refused(joined(all), "line 1");
}

TEST(Performance, SizesAreBounded) {
  std::vector<std::string> all = lines();
  const std::string start = all[2];
  all[2] = std::string(70000, ' ') + start;
  expect_refused(joined(all), "bytes");
  all = lines();
  std::string many = joined({all[0], all[1]});
  for (std::size_t i = 0; i < kMostEvents; ++i) many += start + "\n";
  expect_refused(many, "events");
  std::string runs = joined({all[0], all[1]});  // each one sane, all of them not
  for (int i = 0; i < 3; ++i) {
    runs += "{\"at\":1099511627776,\"control\":\"again\",\"source\":\"owner\"}\n";
  }
  expect_refused(runs, "in all");
  all = lines();
  all[1] = std::string(30000, '[');
  expect_refused(joined(all), "line 2");
}

TEST(Performance, ReplacesItsOwnKindAlone) {
  const testing::Folder folder;
  const auto path = performance_path(folder / "a.b.wav");
  EXPECT_EQ(path.filename(), "a.b.performance.jsonl");
  EXPECT_TRUE(may_write_performance(path));
  write_performance(path, sample());
  EXPECT_TRUE(may_write_performance(path));
  EXPECT_EQ(read_performance(path), sample());
  std::ofstream(path) << "{\"mine\": 1}\n";
  EXPECT_FALSE(may_write_performance(path));
  std::filesystem::remove(path);
  std::filesystem::create_directory(path);
  EXPECT_FALSE(may_write_performance(path));
  EXPECT_THROW(read_performance(folder / "none.jsonl"), Error);
}

}  // namespace
}  // namespace mambo
