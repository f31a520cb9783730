#include "app/live/auditioner.h"

#include <cmath>
#include <exception>
#include <utility>
#include <vector>

#include "app/files/clip_excerpt.h"

namespace mambo {
namespace {

constexpr double end_s = 60;
constexpr double beginning_s = 10;

}  // namespace

Auditioner::Auditioner(OutputSupervisor& output, StatusBoard& board)
    : output_(output), board_(board), thread_([this] { work(); }) {}

Auditioner::~Auditioner() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Auditioner::play(const Wanted& wanted) {
  {
    const std::lock_guard lock(mutex_);
    wanted_ = wanted;
    ++asked_;
  }
  wake_.notify_all();
}

void Auditioner::play(std::vector<float> sound) {
  const std::lock_guard lock(mutex_);
  wanted_.reset();
  ++asked_;
  output_.audition(std::move(sound));
}

void Auditioner::stop() {
  const std::lock_guard lock(mutex_);
  wanted_.reset();
  ++asked_;
  output_.audition({});
}

void Auditioner::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || wanted_; });
    if (stopping_) return;
    const Wanted wanted = *std::exchange(wanted_, std::nullopt);
    const std::uint64_t asked = asked_;
    lock.unlock();
    std::vector<float> sound;
    std::string trouble;
    if (wanted.rate <= 0) {
      trouble = "A clip can be heard once a model is open.";
    } else {
      try {
        sound = load_excerpt(wanted.clip, static_cast<int>(std::lround(wanted.rate)),
                             wanted.from_end ? end_s : beginning_s, wanted.from_end);
      } catch (const std::exception& e) {
        trouble = e.what();
      }
    }
    lock.lock();
    if (asked != asked_) continue;  // no longer wanted
    if (trouble.empty()) output_.audition(std::move(sound));
    if (!trouble.empty()) board_.say(trouble, true);
  }
}

}  // namespace mambo
