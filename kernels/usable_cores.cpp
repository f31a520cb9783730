#include "kernels/usable_cores.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#endif

namespace mambo {
namespace {

namespace fs = std::filesystem;

double smaller(double a, double b) { return a == 0 ? b : b == 0 ? a : std::min(a, b); }

// cpu.max of version 2: "max 100000" or "150000 100000", microseconds per period.
double quota_v2(const fs::path& folder) {
  std::ifstream file(folder / "cpu.max");
  double quota = 0;
  double period = 0;
  return file >> quota >> period && quota > 0 && period > 0 ? quota / period : 0;
}

double quota_v1(const fs::path& folder) {
  std::ifstream quota_file(folder / "cpu.cfs_quota_us");
  std::ifstream period_file(folder / "cpu.cfs_period_us");
  double quota = 0;
  double period = 0;
  return quota_file >> quota && period_file >> period && quota > 0 && period > 0 ? quota / period
                                                                                 : 0;
}

// A group has no more than those above it. Inside a container the group's name may be the one
// outside, whose folder is not there: then its own is the root.
template <class Quota>
double least_up_to(const fs::path& root, const std::string& group, Quota quota) {
  double least = quota(root);
  fs::path folder = root;
  for (const fs::path& part : fs::path(group).relative_path()) {
    folder /= part;
    least = smaller(least, quota(folder));
  }
  return least;
}

bool has_word(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(','), list.size());
    if (list.substr(0, end) == word) return true;
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return false;
}

}  // namespace

double granted_cores(std::string_view memberships, const fs::path& root) {
  double least = 0;
  while (!memberships.empty()) {  // "0::/user.slice/...", "4:cpu,cpuacct:/docker/..."
    const std::size_t end = std::min(memberships.find('\n'), memberships.size());
    const std::string_view line = memberships.substr(0, end);
    memberships.remove_prefix(std::min(end + 1, memberships.size()));
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first == std::string_view::npos ? first : first + 1);
    if (second == std::string_view::npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    const std::string group(line.substr(second + 1));
    if (controllers.empty()) {
      least = smaller(least, least_up_to(root, group, quota_v2));
    } else if (has_word(controllers, "cpu")) {
      least = smaller(least, least_up_to(root / "cpu", group, quota_v1));
    }
  }
  return least;
}

int usable_cores() {
  int there = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
#if defined(__linux__)
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) there = std::max(1, CPU_COUNT(&set));
  std::ifstream file("/proc/self/cgroup");
  const std::string memberships(std::istreambuf_iterator<char>(file), {});
  const double granted = granted_cores(memberships, "/sys/fs/cgroup");
  if (granted > 0) there = std::min(there, std::max(1, static_cast<int>(std::ceil(granted))));
#endif
  return there;
}

}  // namespace mambo
