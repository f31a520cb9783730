// A few thousand damaged performance files, always the same ones: reading each gives a performance
// or an Error of one line, never a crash, a hang or an unbounded allocation.
#include <gtest/gtest.h>

#include <string>

#include "app/control/performance.h"
#include "kernels/error.h"
#include "tests/fuzz/mutator.h"

namespace mambo {
namespace {

std::string whole() {
  Performance p;
  p.version = "0.1.0";
  p.file = "take.wav";
  p.file_sha256 = std::string(64, 'f');
  p.recorded_samples = 100;
  PlayedProgram program;
  program.model_path = "/m.safetensors";
  program.model_sha256 = std::string(64, 'a');
  program.sample_rate = 16000;
  program.engine = {"cpu", "half", "CPU"};
  p.programs = {program};
  p.engines = {program.engine};
  const auto add = [&p](std::uint64_t at, ControlId id, double value) {
    ControlEvent e;
    e.at = at;
    e.id = id;
    e.value.real = value;
    p.events.push_back(e);
  };
  add(0, ControlId::program, 0);
  for (const ControlSpec& spec : kControlTable) add(0, spec.id, spec.normal.real);
  add(10, ControlId::recording, 0);
  add(20, ControlId::temperature, 0.3);
  p.events.back().ramp = 300;
  add(30, ControlId::hold_B, 0.5);
  p.events.back().target = *parse_target("down.0.1");
  add(30, ControlId::forget, 0.5);
  p.events.back().target = tier_target(1);
  add(40, ControlId::engine, 0);
  add(50, ControlId::brought_back, 1);
  add(60, ControlId::top_k, 7);
  return performance_text(p);
}

TEST(PerformanceMutations, GiveAPerformanceOrOneLine) {
  const std::string text = whole();
  ASSERT_NO_THROW(parse_performance(text, "fuzz"));
  fuzz::Mutator mutator(6);
  int accepted = 0;
  for (int i = 0; i < 4000; ++i) {
    try {
      const Performance p = parse_performance(mutator.mutate(text), "fuzz");
      // What was accepted is sane: it can be written, and read again as the same.
      ASSERT_EQ(parse_performance(performance_text(p), "fuzz"), p);
      for (const ControlEvent& e : p.events) {
        if (static_cast<std::size_t>(e.id) < kControls) {
          ASSERT_TRUE(in_range(control_spec(e.id), e.value));
        }
      }
      ++accepted;
    } catch (const Error& e) {
      ASSERT_EQ(std::string(e.what()).find('\n'), std::string::npos) << e.what();
    }
  }
  EXPECT_GT(accepted, 0);
  EXPECT_LT(accepted, 2000);
}

TEST(PerformanceMutations, OfTheEnd) {
  const std::string text = whole();
  for (std::size_t n = 0; n < text.size(); n += 3) {
    try {
      parse_performance(text.substr(0, n), "fuzz");
    } catch (const Error&) {  // what a torn file deserves
    }
  }
}

}  // namespace
}  // namespace mambo
