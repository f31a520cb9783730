// How many cores this process may use.
#pragma once

#include <filesystem>
#include <string_view>

namespace mambo {

// Threads that can run at the same time: the cores of the process's affinity (taskset, Slurm,
// cpusets), or fewer where a control group grants less time (docker --cpus, a systemd CPUQuota); at
// least 1. Asks the system on the first call. Any thread.
int usable_cores();

// The time that control groups grant, in cores; 0: they set no limit. memberships: the text of
// /proc/self/cgroup; root: where version 2, or version 1's controller cpu, is mounted.
double granted_cores(std::string_view memberships, const std::filesystem::path& root);

}  // namespace mambo
