// Job lists and names with fields: read strictly.
#include "app/offline/job_list.h"

#include <gtest/gtest.h>

#include "app/offline/output_name.h"
#include "app/offline/render_plan.h"
#include "kernels/error.h"
#include "tests/fuzz/mutator.h"

namespace mambo {
namespace {

using Values = std::vector<std::pair<std::string, std::string>>;

TEST(JobList, JsonLinesAndCsvSayTheSame) {
  const auto json = parse_job_list(
      "{\"clip\":\"a b.wav\",\"seconds\":2.5,\"rng_seed\":18446744073709551615,\"stereo\":true}\n"
      "\n"
      "{\"clip\":\"q\\\"q,.wav\",\"seconds\":null}\n",
      "jobs");
  const auto csv = parse_job_list(
      "clip,rng_seed,seconds,stereo\r\n"
      "a b.wav,18446744073709551615,2.5,true\r\n"
      "\r\n"
      "\"q\"\"q,.wav\",,,\r\n",
      "jobs");
  ASSERT_EQ(json.size(), 2U);
  ASSERT_EQ(csv.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) EXPECT_EQ(json[i].values, csv[i].values);
  EXPECT_EQ(json[0].values[1].second, "18446744073709551615");
  EXPECT_EQ(json[1].values, (Values{{"clip", "q\"q,.wav"}}));
  EXPECT_EQ(json[1].line, 3);
  EXPECT_EQ(csv[1].line, 4);
  EXPECT_EQ(parse_job_list("\xEF\xBB\xBF{\"clip\":\"a\"}", "jobs").size(), 1U);
  EXPECT_EQ(parse_job_list("clip\n\"two\nlines\"\nlast", "jobs")[1].line, 4);
}

TEST(JobList, WhatIsNoneIsRefusedByLine) {
  const std::vector<std::pair<std::string, std::string>> bad = {
      {"", "jobs: expected a job list, found an empty file"},
      {" \n\n", "found an empty file"},
      {"clip,seconds\n", "expected jobs below the header"},
      {"clip,seconds\na.wav\n", "jobs, line 2: expected 2 fields, as in the header, found 1"},
      {"clip,clip\na,b\n", "jobs, line 1: expected each column once"},
      {"clip\n\"a\n", "jobs, line 2: expected a closing quote"},
      {"clip\n\"a\"b\n", "jobs, line 2: expected a comma after a closing quote"},
      {"{\"clip\":\"a\"}\n[1]\n", "jobs, line 2: expected a JSON object, found [1]"},
      {"{\"clip\":[1]}\n", "jobs, line 1: clip: expected a text, a number, true or false"},
      {"{\"clip\":\"a\\u0000b\"}\n", "jobs, line 1: clip: expected text without NUL"},
      {"{\"clip\":\"a\"\n", "jobs, line 1: expected a JSON object"},
      {"{\"clip\":\"" + std::string(100000, 'a') + "\"}", "jobs, line 1: expected 64 kB at most"}};
  for (const auto& [text, what] : bad) {
    try {
      parse_job_list(text, "jobs");
      ADD_FAILURE() << text;
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find(what), std::string::npos) << e.what();
    }
  }
}

// Damaged lists, always the same ones: jobs, or an error of one line.
TEST(JobList, MutationsGiveJobsOrOneLine) {
  for (const std::string text :
       {"{\"clip\":\"a.wav\",\"seconds\":2.5,\"stereo\":true}\n{\"clip\":\"b\"}\n",
        "clip,seconds,output\na.wav,2,\"x, \"\"y\"\"\"\n,,{clip}\n"}) {
    fuzz::Mutator mutator(8);
    int accepted = 0;
    for (int i = 0; i < 3000; ++i) {
      try {
        for (const Job& job : parse_job_list(mutator.mutate(text), "fuzz")) {
          for (const auto& [key, value] : job.values)
            ASSERT_EQ(value.find('\0'), std::string::npos);
        }
        ++accepted;
      } catch (const Error& e) {
        ASSERT_EQ(std::string(e.what()).find('\n'), std::string::npos) << e.what();
      }
    }
    EXPECT_GT(accepted, 0);
    EXPECT_LT(accepted, 3000);
  }
}

TEST(OutputName, HasFields) {
  NameFields f;
  f.clip = "riff";
  f.folder = "bass";
  f.model = "piano";
  f.random_seed = 41;
  f.n = 7;
  f.job = 12;
  EXPECT_EQ(fill_in("{folder}/{clip}-{random_seed}-{n}-{model}-{job}", f),
            "bass/riff-41-007-piano-0012");
  EXPECT_EQ(fill_in("{{{clip}}}", f), "{riff}");
  EXPECT_EQ(fill_in(literal("a{b}c}"), f), "a{b}c}");
  for (const char* bad : {"{seed}", "{", "}", "{clip", "{}", "a}b"}) {
    EXPECT_THROW(fill_in(bad, f), Error) << bad;
  }
  // A value is part of a name, never a path.
  f.clip = "..";
  f.model = "a/../../b";
  EXPECT_EQ(fill_in("{clip}", f), "unnamed");
  EXPECT_EQ(fill_in("{model}", f).find('/'), std::string::npos);
  for (const char* bad : {"", "/abs.wav", "../a.wav", "a/../../b.wav", ".."}) {
    EXPECT_THROW(must_stay_below(bad), Error) << bad;
  }
  EXPECT_THROW(must_stay_below(std::string("a\0b.wav", 7)), Error);
  EXPECT_NO_THROW(must_stay_below("a/b..c.wav"));
}

TEST(Plan, SharesAreRunsThatMakeTheWhole) {
  Recipe base;
  base.rng_seed = 10;
  OutputChoice choice;
  choice.path = "x-{random_seed}.wav";
  choice.count = 11;
  std::vector<Take> all = plan_takes(base, choice);
  choice.path = "y-{random_seed}.wav";
  choice.keep = 2;
  for (Take& take : plan_takes(base, choice)) all.push_back(std::move(take));
  const auto names = [](const std::vector<Take>& takes) {
    std::vector<std::string> all_names;
    for (const Take& take : takes) all_names.push_back(take.files.front().path.string());
    return all_names;
  };
  for (const int parts : {1, 2, 3, 5, 12, 40}) {
    std::vector<std::string> together;
    for (int part = 1; part <= parts; ++part) {
      const auto share = share_of(all, part, parts);
      for (const std::string& name : names(share)) together.push_back(name);
      // A contest is in one share.
      const auto in_it = std::count_if(share.begin(), share.end(),
                                       [](const Take& t) { return t.contest != nullptr; });
      EXPECT_TRUE(in_it == 0 || in_it == 11) << part << "/" << parts;
    }
    EXPECT_EQ(together, names(all)) << parts;
  }
  EXPECT_NO_THROW(must_differ(all));
  all.push_back(all.front());
  EXPECT_THROW(must_differ(all), Error);
}

}  // namespace
}  // namespace mambo
