#include "dsp/trouble.h"

#include <kiss_fftr.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

namespace mambo {
namespace {

constexpr double kBlock_s = 0.25, kFrame_s = 0.032;
constexpr double kSilent_db = -60, kNoise_db = -50, kStill_db = 3;
constexpr double kLow_hz = 250, kHigh_hz = 5000;
constexpr double kWell_s = 1;  // of anything: not well any more

struct FreePlan {
  void operator()(kiss_fftr_state* p) const { kiss_fftr_free(p); }
};

// How long something has lasted: a block without it takes back two with it.
void count(double& lasted_s, bool is, double block_s) {
  lasted_s = is ? lasted_s + block_s : std::max(0.0, lasted_s - 2 * block_s);
}

}  // namespace

const char* trouble_name(Trouble t) {
  switch (t) {
    case Trouble::none:
      return "none";
    case Trouble::silence:
      return "silence";
    case Trouble::noise:
      return "noise";
    case Trouble::drone:
      return "drone";
  }
  return "none";
}

struct TroubleMeter::Plan {
  std::unique_ptr<kiss_fftr_state, FreePlan> fft;
  std::vector<float> window, raw, in;
  std::vector<kiss_fft_cpx> out;
  std::vector<double> power, db, before;  // per bin: over this block's spectra; of the last block
};

TroubleMeter::TroubleMeter() = default;
TroubleMeter::~TroubleMeter() = default;
TroubleMeter::TroubleMeter(TroubleMeter&&) noexcept = default;
TroubleMeter& TroubleMeter::operator=(TroubleMeter&&) noexcept = default;

void TroubleMeter::prepare(double rate, const TroubleLimits& limits) {
  limits_ = limits;
  size_ = std::bit_ceil(std::max<std::size_t>(64, static_cast<std::size_t>(rate * kFrame_s * 0.9)));
  frames_ = std::max<std::size_t>(
      2, static_cast<std::size_t>(std::lround(kBlock_s * rate / static_cast<double>(size_))));
  block_s_ = static_cast<double>(size_ * frames_) / rate;
  const double hz = rate / static_cast<double>(size_);
  first_bin_ = static_cast<std::size_t>(std::ceil(kLow_hz / hz));
  end_bin_ = std::min(size_ / 2 + 1, static_cast<std::size_t>(std::ceil(kHigh_hz / hz)));
  first_bin_ = std::min(first_bin_, end_bin_ - 1);
  plan_ = std::make_unique<Plan>();
  plan_->fft.reset(kiss_fftr_alloc(static_cast<int>(size_), 0, nullptr, nullptr));
  plan_->raw.resize(size_);
  plan_->in.resize(size_);
  plan_->out.resize(size_ / 2 + 1);
  plan_->power.resize(size_ / 2 + 1);
  plan_->db.resize(size_ / 2 + 1);
  plan_->before.resize(size_ / 2 + 1);
  plan_->window.resize(size_);
  for (std::size_t i = 0; i < size_; ++i) {
    const double phase = 2 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(size_);
    plan_->window[i] = static_cast<float>(0.5 - 0.5 * std::cos(phase));
  }
  reset();
}

void TroubleMeter::reset() {
  filled_ = frame_ = told_ = 0;
  squares_ = entropy_ = flat_ = weight_ = 0;
  has_before_ = false;
  silent_s_ = noise_s_ = still_s_ = 0;
  trouble_ = Trouble::none;
  lasted_s_ = 0;
  block_ = {};
  if (plan_) std::fill(plan_->power.begin(), plan_->power.end(), 0.0);
}

std::size_t TroubleMeter::to_boundary() const { return size_ * (frames_ - frame_) - filled_; }

bool TroubleMeter::is_well() const { return std::max({silent_s_, noise_s_, still_s_}) < kWell_s; }

bool TroubleMeter::hear(std::span<const float> samples, std::span<const float> entropy) {
  for (const float e : entropy) entropy_ += static_cast<double>(e);
  told_ += entropy.size();
  bool whole = false;
  for (const float x : samples) {
    const float finite = std::isfinite(x) ? x : 0.0F;
    squares_ += static_cast<double>(finite) * static_cast<double>(finite);
    plan_->raw[filled_++] = finite;
    if (filled_ < size_) continue;
    transform();
    filled_ = 0;
    if (++frame_ < frames_) continue;
    complete();
    frame_ = 0;
    whole = true;
  }
  return whole;
}

void TroubleMeter::transform() {
  for (std::size_t i = 0; i < size_; ++i) plan_->in[i] = plan_->raw[i] * plan_->window[i];
  kiss_fftr(plan_->fft.get(), plan_->in.data(), plan_->out.data());
  double sum = 0;
  double logs = 0;
  const std::size_t bins = plan_->out.size();
  for (std::size_t b = 0; b < bins; ++b) {
    const double re = static_cast<double>(plan_->out[b].r);
    const double im = static_cast<double>(plan_->out[b].i);
    const double p = re * re + im * im;
    plan_->power[b] += p;
    if (b == 0) continue;  // a constant offset is no sound
    sum += p;
    logs += std::log(p + 1e-12);
  }
  const double mean = sum / static_cast<double>(bins - 1);
  if (mean < 1e-7) return;
  const double loud = std::sqrt(mean);
  flat_ += loud * std::exp(logs / static_cast<double>(bins - 1)) / mean;
  weight_ += loud;
}

void TroubleMeter::complete() {
  const double n = static_cast<double>(size_ * frames_);
  block_.level_db = 10 * std::log10(squares_ / n + 1e-12);
  block_.flatness = weight_ > 0 ? flat_ / weight_ : 0;
  block_.bits = told_ > 0 ? entropy_ / static_cast<double>(told_) / std::numbers::ln2 : -1;
  double change = 0;
  for (std::size_t b = first_bin_; b < end_bin_; ++b) {
    plan_->db[b] = 10 * std::log10(plan_->power[b] / static_cast<double>(frames_) + 1e-9);
    change += std::fabs(plan_->db[b] - plan_->before[b]);
  }
  std::swap(plan_->db, plan_->before);
  block_.change_db = has_before_ ? change / static_cast<double>(end_bin_ - first_bin_) : 120;
  has_before_ = true;
  block_.silent = block_.level_db < kSilent_db;
  block_.noise = block_.level_db > kNoise_db && block_.flatness > limits_.flatness &&
                 (block_.bits < 0 || block_.bits > limits_.unsure_bits);
  block_.still = !block_.silent && block_.change_db < kStill_db;
  count(silent_s_, block_.silent, block_s_);
  count(noise_s_, block_.noise, block_s_);
  count(still_s_, block_.still, block_s_);
  trouble_ = Trouble::none;
  lasted_s_ = 0;
  const auto look = [this](Trouble which, double lasted_s, double limit_s) {
    if (trouble_ != Trouble::none || lasted_s <= limit_s) return;
    trouble_ = which;
    lasted_s_ = lasted_s;
  };
  look(Trouble::silence, silent_s_, limits_.silence_s);
  look(Trouble::noise, noise_s_, limits_.noise_s);  // noise is also still: its own name goes first
  look(Trouble::drone, still_s_, limits_.drone_s);
  squares_ = entropy_ = flat_ = weight_ = 0;
  told_ = 0;
  std::fill(plan_->power.begin(), plan_->power.end(), 0.0);
}

TroubleLimits limits_beside(std::span<const float> clip, double rate, const TroubleLimits& least) {
  constexpr double margin = 1.5;      // flatter than nearly all of the clip by this
  constexpr double white = 0.5;       // noise must stay noise, unless the clip is noise
  constexpr double times_longer = 2;  // than the longest of the clip
  constexpr double most_s = 30;       // a clip may end in a minute of silence
  TroubleMeter meter;
  meter.prepare(rate, least);
  std::vector<double> flat;
  double silent_s = 0;
  double still_s = 0;
  double longest_silent_s = 0;
  double longest_still_s = 0;
  while (clip.size() >= meter.to_boundary()) {
    const std::size_t n = meter.to_boundary();
    meter.hear(clip.first(n));
    clip = clip.subspan(n);
    const TroubleMeter::Block& b = meter.block();
    count(silent_s, b.silent, meter.block_s());
    count(still_s, b.still, meter.block_s());
    longest_silent_s = std::max(longest_silent_s, silent_s);
    longest_still_s = std::max(longest_still_s, still_s);
    if (b.level_db > kNoise_db) flat.push_back(b.flatness);
  }
  TroubleLimits limits = least;
  const auto beside = [&](double least_s, double clip_s) {
    return std::max(least_s, std::min(most_s, times_longer * clip_s));
  };
  limits.silence_s = beside(limits.silence_s, longest_silent_s);
  limits.drone_s = beside(limits.drone_s, longest_still_s);
  if (!flat.empty()) {
    const auto at = flat.begin() + static_cast<std::ptrdiff_t>((flat.size() - 1) * 99 / 100);
    std::nth_element(flat.begin(), at, flat.end());
    if (*at > white / margin) {
      limits.flatness = 1;  // the clip is noise itself: none of it is trouble
    } else {
      limits.flatness = std::clamp(*at * margin, limits.flatness, white);
    }
  }
  return limits;
}

}  // namespace mambo
