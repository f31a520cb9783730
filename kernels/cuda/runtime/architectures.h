// Which devices a program has code for, told without asking a device: that would set one up first,
// which takes a fraction of a second and half a gigabyte of each.
#pragma once

#include <string>

namespace mambo::cuda {

// built: CMake's CUDA_ARCHITECTURES with commas, "80-real,90a-real,90-virtual". Code of an
// architecture ("real") runs on devices of the same major number from its minor one on, PTX
// ("virtual") on all that come later; what ends in a or f is for one device or one major number.
// What CMake decides itself ("native", "all") is taken to fit.
bool has_code(const std::string& built, int major, int minor);

}  // namespace mambo::cuda
