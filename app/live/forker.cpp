#include "app/live/forker.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <span>
#include <utility>

#include "app/audio/thread_priority.h"
#include "kernels/error.h"
#include "model/message.h"

namespace mambo {
namespace {

constexpr std::size_t kPiece = 256;  // codes of each continuation between looks at what is wanted

// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): seeds that have nothing to do with each other.
std::uint64_t mixed(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15ULL;
  x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27U)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31U);
}

MomentPicture picture_of(const std::vector<float>& sound) {
  MomentPicture p;
  for (std::size_t i = 0; i < sound.size(); ++i) {
    const std::size_t column = i * MomentPicture::kColumns / sound.size();
    p.low[column] = std::min(p.low[column], sound[i]);
    p.high[column] = std::max(p.high[column], sound[i]);
  }
  return p;
}

double level_dbfs(const std::vector<float>& sound) {
  double squares = 1e-12;
  for (const float x : sound) squares += static_cast<double>(x) * static_cast<double>(x);
  return 10 * std::log10(squares / static_cast<double>(std::max<std::size_t>(1, sound.size())));
}

}  // namespace

Forker::Forker(StatusBoard& board) : board_(board), thread_([this] { work(); }) {}

Forker::~Forker() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    ++asked_;
  }
  wake_.notify_all();
  thread_.join();
}

void Forker::start(Job job) {
  {
    const std::lock_guard lock(mutex_);
    ++asked_;
    drawn_.clear();
    progress_ = 0;
    phase_ = MomentStatus::Fork::drawing;
    seconds_ = static_cast<double>(job.samples) / job.sample_rate;
    job_ = std::move(job);
  }
  wake_.notify_all();
}

void Forker::expect() {
  cancel();
  const std::lock_guard lock(mutex_);
  progress_ = 0;
  phase_ = MomentStatus::Fork::drawing;
}

void Forker::cancel() {
  const std::lock_guard lock(mutex_);
  ++asked_;
  job_.reset();
  drawn_.clear();
  engine_.reset();
  phase_ = MomentStatus::Fork::none;
}

void Forker::fill(MomentStatus& status) const {
  const std::lock_guard lock(mutex_);
  status.fork = phase_;
  status.fork_progress = progress_;
  status.fork_seconds = seconds_;
  status.continuations.clear();
  for (const Drawn& d : drawn_) status.continuations.push_back(d.facts);
}

std::vector<float> Forker::sound(int i) const {
  const std::lock_guard lock(mutex_);
  if (i < 0 || static_cast<std::size_t>(i) >= drawn_.size()) return {};
  return drawn_[static_cast<std::size_t>(i)].sound;
}

std::optional<Forker::End> Forker::end(int i) const {
  const std::lock_guard lock(mutex_);
  if (i < 0 || static_cast<std::size_t>(i) >= drawn_.size()) return std::nullopt;
  const Drawn& d = drawn_[static_cast<std::size_t>(i)];
  return End{{d.facts.rng_seed, samples_, false}, d.end, engine_, forks_};
}

void Forker::work() {
  yield_to_others();
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || job_; });
    if (stopping_) return;
    const std::uint64_t asked = asked_;
    {
      const Job job = std::move(*std::exchange(job_, std::nullopt));
      lock.unlock();
      std::vector<Drawn> drawn;
      std::string trouble;
      try {
        drawn = draw(job, asked);
      } catch (const Cancelled&) {
      } catch (const std::exception& e) {
        trouble = said_by(e);
      }
      lock.lock();
      if (wanted(asked)) {
        drawn_ = std::move(drawn);
        engine_ = job.engine;
        forks_ = job.forks;
        samples_ = job.samples;
        phase_ = drawn_.empty() ? MomentStatus::Fork::none : MomentStatus::Fork::ready;
        if (!trouble.empty()) board_.say("No continuations: " + trouble + ".", true);
      }
    }
  }
}

std::vector<Forker::Drawn> Forker::draw(const Job& job, std::uint64_t asked) {
  const Engine& engine = *job.engine;
  const auto count = static_cast<std::size_t>(std::clamp(job.count, 1, kMost));
  std::vector<Drawn> all(count);
  std::vector<std::shared_ptr<State>> states;
  std::vector<std::vector<std::uint8_t>> codes(count, std::vector<std::uint8_t>(kPiece));
  std::vector<std::vector<float>> log_prob(count, std::vector<float>(kPiece));
  std::vector<double> sums(count);
  for (std::size_t i = 0; i < count; ++i) {
    states.push_back(engine.make_state());
    job.mark.begin.copy_to(engine, *states.back());
    all[i].facts.rng_seed = mixed(mixed(job.mark.begin.rng_seed() ^ mixed(job.forks)) + i);
    all[i].end = states.back();
    all[i].sound.reserve(job.samples);
  }
  for (std::uint32_t at = 0; at < job.samples;) {
    if (!wanted(asked)) throw Cancelled();
    const std::size_t n = std::min<std::size_t>(kPiece, job.samples - at);
    std::vector<Stream> streams;
    for (std::size_t i = 0; i < count; ++i) {
      GenerateRequest r;
      r.sampling = job.mark.sampling;
      r.rng_seed = all[i].facts.rng_seed;
      r.rng_index = at;
      r.codes = std::span(codes[i]).first(n);
      r.log_prob = std::span(log_prob[i]).first(n);
      r.by_hand = &job.mark.selectivity;
      streams.push_back({states[i].get(), r});
    }
    engine.generate_many(streams);
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t k = 0; k < n; ++k) {
        all[i].sound.push_back(job.table[codes[i][k]]);
        sums[i] += static_cast<double>(log_prob[i][k]);
      }
    }
    at += static_cast<std::uint32_t>(n);
    progress_ = static_cast<float>(at) / static_cast<float>(job.samples);
  }
  for (std::size_t i = 0; i < count; ++i) {
    all[i].facts.log_prob = sums[i] / std::max<std::uint32_t>(1, job.samples);
    all[i].facts.level_dbfs = level_dbfs(all[i].sound);
    all[i].facts.picture = picture_of(all[i].sound);
  }
  std::stable_sort(all.begin(), all.end(), [](const Drawn& a, const Drawn& b) {
    return a.facts.log_prob > b.facts.log_prob;
  });
  return all;
}

}  // namespace mambo
