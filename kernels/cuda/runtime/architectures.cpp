#include "kernels/cuda/runtime/architectures.h"

#include <sstream>

namespace mambo::cuda {
namespace {

bool fits(const std::string& arch, int major, int minor) {
  std::size_t digits = 0;
  int number = 0;
  while (digits < arch.size() && arch[digits] >= '0' && arch[digits] <= '9')
    number = number * 10 + (arch[digits++] - '0');
  if (digits < 2) return true;  // a word: CMake's own choice
  const int its_major = number / 10;
  const int its_minor = number % 10;
  const bool same = major == its_major && minor == its_minor;
  const bool family = major == its_major && minor >= its_minor;
  const char kind = digits < arch.size() ? arch[digits] : '-';
  if (kind == 'a') return same;
  if (kind == 'f') return family;
  const bool real = arch.find("-virtual") == std::string::npos;
  const bool ptx = arch.find("-real") == std::string::npos;
  return (real && family) || (ptx && major * 10 + minor >= number);
}

}  // namespace

bool has_code(const std::string& built, int major, int minor) {
  std::istringstream list(built);
  std::string arch;
  while (std::getline(list, arch, ',')) {
    if (fits(arch, major, minor)) return true;
  }
  return built.empty();
}

}  // namespace mambo::cuda
