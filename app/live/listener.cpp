#include "app/live/listener.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <utility>

#include "app/files/audio_file.h"
#include "app/files/codes.h"
#include "app/files/free_name.h"
#include "kernels/error.h"

namespace mambo {

using namespace std::chrono_literals;

namespace {

constexpr auto kLookEvery = 4ms;
constexpr std::size_t kBlock = 2048;     // frames read at once
constexpr double kPeakFalls_s = 0.3;     // to a third
constexpr float kQuiet = 0.001F;         // -60 dBFS: silence, or what a quiet room is
constexpr double kMostQuiet_s = 1;       // between two sounds
constexpr double kQuietBefore_s = 0.01;  // of what comes before the first

}  // namespace

// ---- Ear ----

void Ear::prepare(double rate, int channels) {
  rate_ = rate;
  channels_ = std::max(1, channels);
}

void Ear::take(const float* in, int frames) noexcept {
  std::array<float, 256> mono;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled below
  const float share = 1.0F / static_cast<float>(channels_);
  for (std::size_t left = static_cast<std::size_t>(std::max(frames, 0)); left > 0;) {
    const std::size_t n = std::min(left, mono.size());
    for (std::size_t i = 0; i < n; ++i) {
      float sum = 0;
      for (int c = 0; c < channels_ && in != nullptr; ++c) sum += *in++;
      mono[i] = std::isfinite(sum) ? sum * share : 0.0F;
    }
    const std::size_t taken = ring_.write(std::span<const float>(mono).first(n));
    if (taken < n) missing_.fetch_add(n - taken, std::memory_order_relaxed);
    left -= n;
  }
}

// ---- Listener ----

Listener::Listener(Hearing& hearing, StatusBoard& board, Open open)
    : hearing_(hearing),
      board_(board),
      opener_(open ? std::move(open) : Open(&open_audio_input)),
      block_(kBlock) {}

Listener::~Listener() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
  input_.reset();
}

void Listener::close() {
  open_ = false;
  input_.reset();  // no callback from here on
  {
    const std::lock_guard lock(mutex_);
    if (ear_) take_in(sending_);
    ear_.reset();
    minute_end_ = 0;
    kept_s_ = 0;
  }
  peak_ = 0;
  const std::lock_guard lock(facts_mutex_);
  name_.clear();
}

void Listener::set_device(const std::string& name) {
  const bool was_open = open_;
  close();
  if (name.empty()) {
    if (was_open) board_.say("The input is closed.");
    return;
  }
  auto ear = std::make_unique<Ear>();
  AudioInputRequest request;
  request.device = name;
  {
    const std::lock_guard lock(mutex_);
    request.fallback_rate = model_rate_;
  }
  std::unique_ptr<AudioInput> input = opener_(request, *ear);
  const std::string opened = input->name();
  latency_s_ = input->latency_s();
  missing_ = said_missing_ = 0;
  {
    const std::lock_guard lock(mutex_);
    minute_.assign(static_cast<std::size_t>(kKept_s * ear->rate()), 0.0F);
    minute_end_ = 0;
    ear_ = std::move(ear);
    sending_ = false;
  }
  input_ = std::move(input);
  {
    const std::lock_guard lock(facts_mutex_);
    name_ = opened;
  }
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  open_ = true;
  board_.say("Input: " + opened +
             (std::exchange(warned_, true)
                  ? "."
                  : ". Wear headphones: what loudspeakers play comes in as well."));
}

void Listener::set_model(const Config& config) {
  const std::lock_guard lock(mutex_);
  model_rate_ = config.sample_rate;
  encoding_ = config.encoding;
}

bool Listener::watch() {
  if (!input_) return false;
  const std::uint64_t missing = missing_ + input_->device_overflows();
  if (missing != said_missing_) {
    said_missing_ = missing;
    board_.say("Sound of the input is missing: this machine was too busy to read it.", true);
  }
  if (input_->alive()) return false;
  const std::string lost = input_->name();
  close();
  board_.say("The audio input " + lost + " went away; choose one under Input.", true);
  return true;
}

void Listener::keep(const std::filesystem::path& wanted) {
  std::vector<float> samples;
  WriterOptions options;
  options.comment = "mambo, what came in";
  {
    const std::lock_guard lock(mutex_);
    if (ear_ == nullptr || minute_end_ == 0)
      throw Error("nothing has come in yet that could be kept");
    options.rate = static_cast<int>(std::lround(ear_->rate()));
    const std::uint64_t n = std::min<std::uint64_t>(minute_end_, minute_.size());
    samples.reserve(static_cast<std::size_t>(n));
    for (std::uint64_t i = minute_end_ - n; i < minute_end_; ++i) {
      samples.push_back(minute_[static_cast<std::size_t>(i % minute_.size())]);
    }
  }
  const std::filesystem::path path = reserve_free_name(wanted);
  try {
    AudioWriter writer(path, options);
    writer.write(samples);
    writer.close();
  } catch (...) {
    std::error_code error;
    if (std::filesystem::file_size(path, error) == 0 && !error) {
      std::filesystem::remove(path, error);
    }
    throw;
  }
  {
    const std::lock_guard lock(facts_mutex_);
    clip_ = path;
  }
  board_.say(fmt::format("Kept the last {:.1f} s that came in as {}.",
                         static_cast<double>(samples.size()) / options.rate, path.string()));
}

void Listener::fill(InputStatus& status) const {
  status.level_dbfs = 20 * std::log10(static_cast<double>(peak_.load()));
  status.latency_ms = 1e3 * latency_s_;
  status.kept_seconds = kept_s_;
  status.missing = missing_;
  const std::lock_guard lock(facts_mutex_);
  status.device = name_;
  status.clip = clip_;
}

void Listener::run() {
  while (!stop_) {
    {
      const std::lock_guard lock(mutex_);
      try {
        hear();
      } catch (const std::exception& e) {  // no conversion between these rates
        board_.say(e.what(), true);
        sending_ = false;
      }
    }
    std::this_thread::sleep_for(kLookEvery);
  }
}

void Listener::hear() {
  const unsigned order = hearing_.order();
  const bool begins = order != seen_ && order % 2 == 1;
  seen_ = order;
  if (begins) {
    take_in(false);  // it was not meant
    sending_ = ear_ != nullptr && model_rate_ > 0;
    sounded_ = false;
    quiet_.clear();
    converter_.reset();
    if (sending_ && ear_->rate() != model_rate_) {
      converter_ = std::make_unique<RateConverter>(ear_->rate(), model_rate_);
    }
  }
  take_in(sending_);
  if (order % 2 == 1) return;
  if (sending_) {
    sending_ = false;
    converted_.clear();
    if (converter_) converter_->flush(converted_);
    send(converted_);
  }
  hearing_.obey(order);
}

void Listener::take_in(bool send_it) {
  if (ear_ == nullptr) return;
  for (std::size_t n = ear_->read(block_); n > 0; n = ear_->read(block_)) {
    const std::span<const float> samples = std::span<const float>(block_).first(n);
    meter(samples);
    for (const float x : samples) minute_[minute_end_++ % minute_.size()] = x;
    if (!send_it) continue;
    converted_.clear();
    if (converter_) {
      converter_->process(samples, converted_);
    } else {
      converted_.assign(samples.begin(), samples.end());
    }
    send(converted_);
  }
  missing_ = ear_->missing();
  kept_s_ = std::min(kKept_s, static_cast<double>(minute_end_) / ear_->rate());
}

void Listener::send(std::span<const float> samples) {
  const auto most = static_cast<std::size_t>(kMostQuiet_s * model_rate_);
  const auto before = static_cast<std::size_t>(kQuietBefore_s * model_rate_);
  sound_.clear();
  for (const float x : samples) {
    if (std::fabs(x) < kQuiet) {
      if (!sounded_ && quiet_.size() >= 2 * before) {  // the end of it, moved rarely
        quiet_.erase(quiet_.begin(), quiet_.end() - static_cast<std::ptrdiff_t>(before));
      }
      if (quiet_.size() < most) quiet_.push_back(x);
      continue;
    }
    sounded_ = true;
    sound_.insert(sound_.end(), quiet_.begin(), quiet_.end());
    quiet_.clear();
    sound_.push_back(x);
  }
  if (!sound_.empty()) hearing_.send(encode(sound_, encoding_));
}

void Listener::meter(std::span<const float> samples) {
  const auto n = static_cast<double>(samples.size());
  const auto fall = static_cast<float>(std::exp(-n / (kPeakFalls_s * ear_->rate())));
  float peak = peak_.load(std::memory_order_relaxed) * fall;
  for (const float x : samples) peak = std::max(peak, std::fabs(x));
  peak_.store(peak < 1e-6F ? 0.0F : peak, std::memory_order_relaxed);
}

}  // namespace mambo
