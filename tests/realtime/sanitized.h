// Whether this build runs under a sanitizer: slowly, and with malloc replaced.
#pragma once

namespace mambo::testing {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

// A bound in seconds on what waits for a machine: under a sanitizer it may take ten times as long.
constexpr double at_most(double seconds) { return kSanitized ? 10 * seconds : seconds; }

}  // namespace mambo::testing

// For tests that hold the stream to the clock of a sound card.
#define MAMBO_NEEDS_REAL_TIME() \
  if (mambo::testing::kSanitized) GTEST_SKIP() << "under a sanitizer nothing is in time"
