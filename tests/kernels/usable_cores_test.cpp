#include "kernels/usable_cores.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

namespace mambo {
namespace {

namespace fs = std::filesystem;

class UsableCores : public ::testing::Test {
 protected:
  void TearDown() override { fs::remove_all(root_); }
  void write(const std::string& file, const std::string& text) const {
    fs::create_directories((root_ / file).parent_path());
    std::ofstream(root_ / file) << text;
  }
  fs::path root_ = fs::temp_directory_path() / ("mambo-cgroup-" + std::to_string(getpid()));
};

TEST_F(UsableCores, AreThoseOfTheAffinity) {
  int cores = 0;
  std::thread([&] {  // of this thread alone
    cpu_set_t set;
    ASSERT_EQ(sched_getaffinity(0, sizeof set, &set), 0);
    bool kept = false;
    for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (!CPU_ISSET(cpu, &set)) continue;
      if (kept) CPU_CLR(cpu, &set);
      kept = true;
    }
    ASSERT_EQ(sched_setaffinity(0, sizeof set, &set), 0);
    cores = usable_cores();
  })
      .join();
  EXPECT_EQ(cores, 1);
  EXPECT_GE(usable_cores(), 1);
}

TEST_F(UsableCores, AreGrantedByTheTightestGroupOfVersion2) {
  EXPECT_EQ(granted_cores("0::/a/b\n", root_), 0);
  write("a/cpu.max", "150000 100000\n");
  write("a/b/cpu.max", "max 100000\n");
  EXPECT_EQ(granted_cores("0::/a/b\n", root_), 1.5);
  write("a/b/cpu.max", "50000 100000\n");
  EXPECT_EQ(granted_cores("0::/a/b\n", root_), 0.5);
  EXPECT_EQ(granted_cores("0::/elsewhere\n", root_), 0);
  write("cpu.max", "400000 100000\n");  // as a container sees its own
  EXPECT_EQ(granted_cores("0::/elsewhere\n", root_), 4);
}

TEST_F(UsableCores, AreGrantedByVersion1) {
  const std::string memberships = "9:memory:/m\n4:cpuacct,cpu:/docker/x\n1:name=systemd:/\n";
  EXPECT_EQ(granted_cores(memberships, root_), 0);
  write("cpu/docker/x/cpu.cfs_quota_us", "-1\n");
  write("cpu/docker/x/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(granted_cores(memberships, root_), 0) << "no limit";
  write("cpu/docker/x/cpu.cfs_quota_us", "200000\n");
  EXPECT_EQ(granted_cores(memberships, root_), 2);
  EXPECT_EQ(granted_cores("nonsense\n::\n0\n", root_), 0);
}

}  // namespace
}  // namespace mambo
