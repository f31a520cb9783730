#include "app/gui/file_facts.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <sstream>

#include "app/files/clip_excerpt.h"
#include "app/gui/model_facts.h"
#include "app/gui/words.h"

namespace mambo::gui {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t most_known = 20000;

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) {
    return c < 0x80 ? static_cast<char>(std::tolower(c)) : static_cast<char>(c);
  });
  return text;
}

std::string facts(const fs::path& path, bool model) {
  if (model) return glance_at_model(path);
  const auto sound = sound_facts(path);
  if (!sound) return {};
  return fmt::format("{}, {}{}", seconds_words(sound->seconds).c_str(),
                     hertz_words(sound->rate).c_str(),
                     sound->channels == 1   ? ""
                     : sound->channels == 2 ? ", stereo"
                                            : fmt::format(", {} channels", sound->channels));
}

}  // namespace

std::string name_for_people(const fs::path& path) {
  std::string name = path.stem().string();
  std::replace(name.begin(), name.end(), '-', ' ');
  std::replace(name.begin(), name.end(), '_', ' ');
  if (!name.empty()) name[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(name[0])));
  return name;
}

bool is_laboratory(const fs::path& path) { return path.stem().string().ends_with("-lab"); }

bool matches(const std::string& search, const std::string& name) {
  const std::string in = lower(name);
  std::istringstream words(lower(search));
  for (std::string word; words >> word;) {
    if (in.find(word) == std::string::npos) return false;
  }
  return true;
}

FileFacts::~FileFacts() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void FileFacts::look_at(std::vector<fs::path> paths, bool models) {
  std::reverse(paths.begin(), paths.end());
  {
    const std::lock_guard lock(mutex_);
    wanted_ = std::move(paths);
    models_ = models;
    if (known_.size() > most_known) known_.clear();
  }
  if (!thread_.joinable()) thread_ = std::thread([this] { work(); });
  wake_.notify_all();
}

std::string FileFacts::of(const fs::path& path) const {
  const std::lock_guard lock(mutex_);
  const auto it = known_.find(path);
  return it == known_.end() ? std::string() : it->second;
}

void FileFacts::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !wanted_.empty(); });
    if (stopping_) return;
    const fs::path path = std::move(wanted_.back());
    wanted_.pop_back();
    if (known_.contains(path)) continue;
    const bool models = models_;
    lock.unlock();
    std::string words = facts(path, models);
    lock.lock();
    known_[path] = std::move(words);
  }
}

}  // namespace mambo::gui
