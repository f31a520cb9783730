#include "app/live/ablator.h"

#include <algorithm>
#include <exception>
#include <utility>
#include <vector>

#include "app/audio/thread_priority.h"
#include "app/files/audio_file.h"
#include "kernels/error.h"
#include "kernels/usable_cores.h"
#include "model/message.h"

namespace mambo {

Ablator::Ablator(EngineOptions options, double most_s)
    : options_(std::move(options)), most_s_(most_s) {
  // Priority alone leaves too little of a machine with two cores to what plays and is drawn.
  if (options_.threads == 0) options_.threads = std::max(1, usable_cores() / 2);
}

Ablator::~Ablator() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    ++asked_;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Ablator::start(std::shared_ptr<const Model> model, std::filesystem::path clip) {
  {
    const std::lock_guard lock(mutex_);
    ++asked_;
    status_ = {};
    status_.model = model;
    status_.clip = clip;
    auto table = std::make_shared<AblationTable>();
    table->model = model->config().name;
    table->clips = {clip.string()};
    status_.table = std::move(table);
    progress_ = 0;
    running_ = true;
    job_ = Job{std::move(model), std::move(clip)};
    if (!thread_.joinable()) thread_ = std::thread([this] { work(); });
  }
  wake_.notify_all();
}

void Ablator::cancel() {
  const std::lock_guard lock(mutex_);
  ++asked_;
  job_.reset();
  running_ = false;
}

Ablator::Status Ablator::status() const {
  const std::lock_guard lock(mutex_);
  Status s = status_;
  s.running = running_;
  s.progress = progress_;
  return s;
}

void Ablator::work() {
  yield_to_others();
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || job_; });
    if (stopping_) return;
    const std::uint64_t asked = asked_;
    std::string trouble;
    {
      const Job job = std::move(*std::exchange(job_, std::nullopt));
      lock.unlock();
      try {
        measure(job, asked);
      } catch (const Cancelled&) {
      } catch (const std::exception& e) {
        trouble = said_by(e);
      }
    }  // the model is let go before anyone is told
    lock.lock();
    if (asked_ != asked) continue;
    status_.error = std::move(trouble);
    running_ = false;
  }
}

bool Ablator::goes_on(std::uint64_t asked, double progress) {
  if (asked_ != asked) return false;
  progress_ = static_cast<float>(progress);
  return true;
}

void Ablator::measure(const Job& job, std::uint64_t asked) {
  const NetworkView& net = job.model->network();
  const Config& config = job.model->config();
  const std::vector<AblationCase> cases = expect_cases(net, config.name);
  if (job.clip.empty()) throw Error("expected a clip to measure on, found silence: open one");
  // What is left of it is known in passes over the clip: to read it counts as one, and its means.
  const double passes = static_cast<double>(cases.size()) + 2;
  AblationClip clip;
  clip.name = job.clip.string();
  clip.codes = load_clip_codes(job.clip, config.sample_rate, config.encoding, {0, most_s_},
                               [&](double share) { return goes_on(asked, share / passes); })
                   .codes;
  expect_enough(clip.name, clip.codes);
  const auto engine = make_engine(net, backend_name(Backend::cpu), options_);
  const auto all = static_cast<double>(clip.codes.size());
  double done = 1;
  const auto progress = [&](double samples) {
    return goes_on(asked, (done + samples / all) / passes);
  };
  clip.means = expect_means(*engine, net, clip.name, clip.codes, [&](std::uint64_t samples) {
    return progress(static_cast<double>(samples));
  });
  AblationTable table;
  table.model = config.name;
  table.clips = {clip.name};
  table.seconds = clip.terms() / config.sample_rate;
  table.engine = engine->description();
  for (const AblationCase& c : cases) {
    ++done;
    table.rows.push_back({c, ablated_bits(*engine, net, c, {&clip, 1}, progress)});
    const auto so_far = std::make_shared<const AblationTable>(table);
    const std::lock_guard lock(mutex_);
    if (asked_ != asked) throw Cancelled();
    status_.cases = cases.size();
    status_.table = so_far;
  }
}

}  // namespace mambo
