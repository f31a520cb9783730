// Shared by the tests of the session: waiting for it, its expected samples, its observations.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <thread>
#include <vector>

#include "app/live/session.h"
#include "sanitized.h"

namespace mambo::testing {

// The shipped model; under a sanitizer, where that is far from real time, a tiny one that is not.
const std::filesystem::path& model_path();
inline const std::filesystem::path kClip = MAMBO_ASSETS "/seeds/satie-gymnopedie.wav";

// Polls until f() or the seconds, more under a sanitizer, are over; returns f().
template <class F>
bool within(double seconds, F f) {
  const auto until =
      std::chrono::steady_clock::now() + std::chrono::duration<double>(at_most(seconds));
  while (!f()) {
    if (std::chrono::steady_clock::now() > until) return f();
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

// The first second and a half of the clip, as a file in `folder`: quick to absorb.
std::filesystem::path short_clip(const std::filesystem::path& folder);

// The tiny model draws noise. A guard that brings it back changes what is drawn and says so in the
// place of the message that a test waits for: it is off, where that is the model.
void leave_noise_alone(Session& session);

// Opens the model, with the clip if there is one, and waits. False, with the message shown, if it
// does not start.
bool bring_up(Session& session, const std::filesystem::path& clip = {});

// Polls until there are `samples` generated samples of one generation later than `after`.
std::vector<Observation> watch(Session& session, std::size_t samples, std::uint64_t after = 0);

// The codes of the generated observations, or of the clip's.
std::vector<std::uint8_t> codes_of(const std::vector<Observation>& seen, bool from_clip = false);

// What an offline generator plays after the clip (after silence when empty).
class Offline {
 public:
  explicit Offline(const std::filesystem::path& clip = {}, std::uint64_t rng_seed = 1,
                   const std::string& backend = "auto");
  ~Offline();
  Offline(const Offline&) = delete;
  Offline& operator=(const Offline&) = delete;
  std::vector<std::uint8_t> codes(std::size_t n, const SamplingParams& p = {});
  std::vector<float> samples(std::size_t n);  // decoded
  int rate() const;
  const std::vector<std::uint8_t>& clip() const;
  // Forgets the last call of codes().
  void step_back();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mambo::testing
