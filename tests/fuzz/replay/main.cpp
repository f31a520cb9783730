// libFuzzer's place in builds without it: gives each file of the folders named to the target, in
// order. A crash, and what a sanitizer finds, end it; so does an input that takes seconds.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int main(int argc, char** argv) {
  namespace fs = std::filesystem;
  using Clock = std::chrono::steady_clock;
  int files = 0;
  for (int i = 1; i < argc; ++i) {
    std::vector<fs::path> inputs;
    for (const fs::directory_entry& entry : fs::directory_iterator(argv[i]))
      inputs.push_back(entry.path());
    std::sort(inputs.begin(), inputs.end());
    for (const fs::path& input : inputs) {
      std::printf("%s\n", input.c_str());
      std::fflush(stdout);  // so that the last line names the one that crashed
      std::ifstream in(input, std::ios::binary);
      std::vector<char> bytes{std::istreambuf_iterator<char>(in), {}};
      const auto begin = Clock::now();
      LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
      if (Clock::now() - begin > std::chrono::seconds(20)) {
        std::printf("took more than 20 s\n");
        return 1;
      }
      ++files;
    }
  }
  if (files == 0) std::printf("expected files to give to the target, found none\n");
  return files > 0 ? 0 : 1;
}
