#include "kernels/cpu/team.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <fstream>

#include "tests/realtime/sanitized.h"

namespace mambo::cpu {
namespace {

TEST(Team, AllThreadsMeet_threads) {
  Team team(4);
  ASSERT_EQ(team.size(), 4);
  std::atomic<int> first{0};
  std::atomic<int> missing{0};
  for (int round = 1; round <= 50; ++round) {
    team.run([&](int) {
      ++first;
      team.meet();
      if (first != 4 * round) ++missing;
      team.meet();
    });
  }
  EXPECT_EQ(missing, 0);
}

// In a process of its own, whose memory has no room for the stacks of so many.
TEST(Team, FewerThanWantedWorkAndEnd) {
  if (testing::kSanitized) GTEST_SKIP() << "a sanitizer needs all the memory there is";
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(60);  // it used to wait for ever
    std::ifstream statm("/proc/self/statm");
    rlim_t pages = 0;
    statm >> pages;
    const rlim_t most = pages * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE)) + (400U << 20U);
    const rlimit limit = {most, most};
    ::setrlimit(RLIMIT_AS, &limit);
    std::atomic<int> ran{0};
    int size = 0;
    {
      Team team(1024);
      size = team.size();
      team.run([&](int) {
        ++ran;
        team.meet();
      });
    }
    ::_exit(size > 1 && size < 1024 && ran == size ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status)) << "ended by signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace mambo::cpu
