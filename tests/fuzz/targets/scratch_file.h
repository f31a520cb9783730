// A file for readers that want a path; in memory where the system offers that.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

namespace mambo::fuzz {

// Written anew for every input; kept for the next one under the same name.
class ScratchFile {
 public:
  explicit ScratchFile(const std::string& name) {
    const std::filesystem::path memory = "/dev/shm";
    folder_ =
        std::filesystem::is_directory(memory) ? memory : std::filesystem::temp_directory_path();
    folder_ /= "mambo-fuzz-" + std::to_string(::getpid());
    std::filesystem::create_directories(folder_);
    path_ = folder_ / name;
  }
  ~ScratchFile() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;

  const std::filesystem::path& write(const std::uint8_t* data, std::size_t size) const {
    std::FILE* file = std::fopen(path_.c_str(), "wb");
    if (file == nullptr || (size > 0 && std::fwrite(data, 1, size, file) != size)) std::abort();
    if (std::fclose(file) != 0) std::abort();
    return path_;
  }

 private:
  std::filesystem::path folder_, path_;
};

}  // namespace mambo::fuzz
