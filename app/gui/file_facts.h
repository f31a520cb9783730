// What a person wants to know of a file before choosing it, read in the background: reading the
// headers of a folder of sounds can take a while.
#pragma once

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace mambo::gui {

// Of a shipped file: "Bach prelude" of bach-prelude.wav.
std::string name_for_people(const std::filesystem::path& path);
// Whether it was made in the laboratory's experiments, and is no instrument: "piano-lab".
bool is_laboratory(const std::filesystem::path& path);
// Whether each word of `search` occurs in `name`, capitals aside.
bool matches(const std::string& search, const std::string& name);

class FileFacts {
 public:
  FileFacts() = default;
  ~FileFacts();  // waits for the file that is being looked at
  FileFacts(const FileFacts&) = delete;
  FileFacts& operator=(const FileFacts&) = delete;

  // Looks at these from now on, in this order, instead of what was asked for before. Returns at
  // once.
  void look_at(std::vector<std::filesystem::path> paths, bool models);
  // "9.04 s, 16 kHz" of a clip, "3.6 M, 16 kHz" of a model; empty: not known yet, or neither.
  std::string of(const std::filesystem::path& path) const;

 private:
  void work();

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::filesystem::path> wanted_;  // the next last
  bool models_ = false, stopping_ = false;
  std::map<std::filesystem::path, std::string> known_;
  std::thread thread_;
};

}  // namespace mambo::gui
