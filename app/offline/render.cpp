#include "app/offline/render.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "app/control/by_hand.h"
#include "app/files/codes.h"
#include "app/files/loudness.h"
#include "app/files/open_files.h"
#include "app/offline/absorb_sink.h"
#include "app/offline/take_writer.h"
#include "kernels/usable_cores.h"
#include "model/sanity.h"

namespace mambo {
namespace {

using Clock = std::chrono::steady_clock;
double since(Clock::time_point t) {
  return std::chrono::duration<double>(Clock::now() - t).count();
}

// Encoding keeps up with a GPU only on many cores. What one throws comes out when all are done.
template <class F>
void for_each_on_all_cores(const std::vector<TakeWriter*>& take_writers, F f) {
  std::atomic<std::size_t> next{0};
  std::exception_ptr failure;
  std::mutex failure_mutex;
  const auto work = [&] {
    for (std::size_t i = next++; i < take_writers.size(); i = next++) {
      try {
        f(take_writers[i]);
      } catch (...) {
        const std::lock_guard lock(failure_mutex);
        if (failure == nullptr) failure = std::current_exception();
      }
    }
  };
  constexpr std::size_t worth_a_thread = 32;  // take_writers, of a chunk each
  static const auto cores = static_cast<std::size_t>(usable_cores());
  {
    std::vector<std::jthread> helpers;
    for (std::size_t i = 1; i < std::min(cores, take_writers.size() / worth_a_thread); ++i)
      helpers.emplace_back(work);
    work();
  }
  if (failure != nullptr) std::rethrow_exception(failure);
}

double level_of(std::span<const std::uint8_t> codes, Encoding encoding) {
  if (codes.empty()) return usual_level_dbfs;
  const std::array<float, 256> table = decode_table(encoding);
  Measure clip;
  clip.samples = codes.size();
  for (const std::uint8_t c : codes) {
    clip.squares += static_cast<double>(table[c]) * static_cast<double>(table[c]);
  }
  return clip.level_dbfs();
}

class Renderer {
 public:
  Renderer(const Engine& engine, std::span<const Take> takes, std::span<const std::uint8_t> seed,
           RenderEvents& events, const TroubleLimits& limits, const NetworkView* net)
      : engine_(engine), takes_(takes), seed_(seed), events_(events), net_(net) {
    clip_.codes = seed;
    clip_.limits = limits;
    if (!takes.empty()) {
      const Recipe& recipe = takes.front().recipe;
      clip_.lufs = loudness_of_end(seed, recipe.encoding, recipe.sample_rate);
    }
    for (const Take& take : takes) {
      total_ += take.recipe.samples * static_cast<std::uint64_t>(voices_of(take));
    }
  }

  RenderSummary run(int open_at_once) {
    if (takes_.empty()) return summary_;
    // An output that cannot be written is better known before the work than after it.
    TakeWriter::try_out(takes_.front());
    if (total_ > 0) absorb();
    const Clock::time_point start = Clock::now();
    width_ = takes_at_once(
        static_cast<std::size_t>(open_at_once > 0 ? open_at_once : engine_.streams_at_once()));
    try {
      draw_all();
    } catch (...) {  // also where memory ran out: no file is left without its recipe
      const std::exception_ptr error = std::current_exception();
      for (const auto& take : open_) take->mark_broken();
      close_open();  // what this throws comes from the same cause
      std::rethrow_exception(error);
    }
    close_open();
    if (close_error_ != nullptr) std::rethrow_exception(close_error_);
    summary_.draw_s = since(start);
    return summary_;
  }

 private:
  using Writer = std::unique_ptr<TakeWriter>;
  struct Running {  // a contest: the best of those that were drawn, the best first
    std::vector<std::pair<double, Writer>> best;
    int seen = 0;
  };

  // How many takes may be open: each has its files, each file its encoder, and some their samples.
  std::size_t takes_at_once(std::size_t streams) const {
    std::size_t files = 1;
    std::size_t bytes = 1;
    std::size_t voices = 1;
    std::size_t guarded = 0;  // bytes of a voice's moments
    for (const Take& take : takes_) {
      const Recipe& r = take.recipe;
      if (r.guard) guarded = Guard::kMoments * engine_.state_bytes();
      std::size_t each = 64U << 10U;  // libsndfile's buffers
      if (r.format == FileFormat::flac) each = 512U << 10U;
      if (r.format == FileFormat::ogg) each = 2U << 20U;
      if (r.file_rate != r.sample_rate) each += 512U << 10U;
      const auto all = static_cast<std::size_t>(voices_of(take));
      const std::size_t held = is_held(take) ? static_cast<std::size_t>(r.samples) * all : 0;
      files = std::max(files, take.files.size());
      bytes = std::max(bytes, each * take.files.size() + held + all * guarded);
      voices = std::max(voices, all);
    }
    const std::size_t wanted = std::clamp<std::size_t>(streams / voices, 1, takes_.size());
    constexpr std::size_t others = 64;  // the model, the device, standard streams
    const std::size_t open = allow_open_files(wanted * files + others);
    const std::size_t by_files = open > others + files ? (open - others) / files : 1;
    const std::size_t by_memory = (std::size_t{1} << 30U) / bytes;
    return std::max<std::size_t>(1, std::min({wanted, by_files, by_memory}));
  }

  void absorb() {
    const Clock::time_point start = Clock::now();
    start_ = engine_.make_state();
    const auto set = [](const Take& t) { return !t.recipe.layers.empty(); };
    const auto holds = [](const Take& t) { return wants_means(t.recipe.layers); };
    const bool measured = net_ != nullptr && std::any_of(takes_.begin(), takes_.end(), holds);
    AbsorbSink sink(events_, seed_.size(), measured ? net_ : nullptr);
    if (const auto& moment = takes_.front().moment) {
      engine_.write_state(*start_, moment->state, moment->position);
    }
    if (!seed_.empty()) engine_.prefill(*start_, seed_, &sink);
    clip_.engine = &engine_;
    clip_.end = start_.get();
    if (net_ != nullptr && std::any_of(takes_.begin(), takes_.end(), set)) {
      by_hand_.emplace(HandStart{LayerMap(*net_), Selectivity(engine_.layout())});
      if (measured) expect_means(sink.means(), *net_, seed_.size());
      if (measured) by_hand_->selectivity.set_means(sink.means());
      clip_.by_hand = &*by_hand_;
    }
    summary_.absorb_s = since(start);
  }

  // A few takes are open; where one is done the next begins. So they finish one after another, and
  // a stop leaves few that are cut short.
  void draw_all() {
    std::size_t next = 0;
    while (!summary_.interrupted) {
      for (; open_.size() < width_ && next < takes_.size(); ++next) open(takes_[next]);
      if (open_.empty()) return;
      draw_chunk();
      finish_done();
      events_.drawing(summary_.samples, total_);
      summary_.interrupted = (!open_.empty() || next < takes_.size()) && events_.stop();
    }
  }

  void open(const Take& take) {
    Writer writer = std::make_unique<TakeWriter>(take, clip_, events_);
    for (int v = 0; v < voices_of(take); ++v) {
      if (idle_.empty()) {
        states_.push_back(engine_.make_state());
        idle_.push_back(states_.back().get());
      }
      engine_.copy(*start_, *idle_.back());
      writer->lend(*idle_.back());
      idle_.pop_back();
    }
    open_.push_back(std::move(writer));
  }

  void draw_chunk() {
    streams_.clear();
    drawing_.clear();
    for (const Writer& take : open_) {
      if (take->done()) continue;
      drawing_.push_back(take.get());
      take->add_streams(streams_);
    }
    if (streams_.empty()) return;
    if (streams_.size() == 1) {
      last_logits_.resize(engine_.layout().size - engine_.layout().logits);
      streams_.front().request.last_logits = last_logits_;
    }
    engine_.generate_many(streams_);
    expect_sense();
    for_each_on_all_cores(drawing_, [](TakeWriter* take) { take->keep(); });
    for (const Stream& s : streams_) summary_.samples += s.request.codes.size();
  }

  void finish_done() {
    for (auto at = open_.begin(); at != open_.end();) {
      if (!(*at)->done()) {
        ++at;
        continue;
      }
      Writer done = std::move(*at);
      at = open_.erase(at);
      idle_.insert(idle_.end(), done->states().begin(), done->states().end());
      if (done->take().contest != nullptr) {
        compare(std::move(done));
      } else {
        summary_.files += done->close(events_);
      }
    }
  }

  // Of a contest only as many stay as will be kept. Which, does not depend on the order in which
  // they were drawn: of equal ones the first in the plan.
  void compare(Writer done) {
    const Contest& contest = *done->take().contest;
    Running& running = contests_[&contest];
    if (!clip_level_) clip_level_ = level_of(seed_, done->take().recipe.encoding);
    const double score = done->measure().score(*clip_level_);
    const auto better = [](const auto& a, const auto& b) {
      return a.first != b.first ? a.first < b.first : &a.second->take() < &b.second->take();
    };
    running.best.emplace_back(score, std::move(done));
    std::sort(running.best.begin(), running.best.end(), better);
    const auto kept = static_cast<std::size_t>(contest.keep);
    if (running.best.size() > kept) running.best.pop_back();
    if (++running.seen < contest.of) return;
    for (std::size_t i = 0; i < running.best.size(); ++i) {
      TakeWriter& take = *running.best[i].second;
      Verdict v{contest.keep, contest.of, contest.first_rng_seed, static_cast<int>(i + 1)};
      v.bits_per_sample = take.measure().bits_per_sample();
      v.level_dbfs = take.measure().level_dbfs();
      v.score = running.best[i].first;
      take.set_verdict(v);
      summary_.files += take.close(events_);
    }
    contests_.erase(&contest);
  }

  // What was stopped on its way: valid shorter files. Of a contest that is not over nothing is
  // known yet, and nothing is kept.
  void close_open() {
    for (const Writer& take : open_) {
      if (take->take().contest != nullptr) continue;
      try {
        summary_.files += take->close(events_);
      } catch (const Error&) {
        if (close_error_ == nullptr) close_error_ = std::current_exception();
      }
    }
    for (const Writer& take : open_) summary_.undecided += take->take().contest != nullptr ? 1 : 0;
    for (const auto& [contest, running] : contests_) {
      summary_.undecided += static_cast<std::uint64_t>(running.seen);
    }
    open_.clear();
  }

  // Of one take per round, in turn: all run the same weights. Nothing of this round is in a file.
  void expect_sense() {
    const StateLayout& layout = engine_.layout();
    std::span<const float> logits = last_logits_;
    if (streams_.size() > 1) {
      state_looked_at_.resize(layout.size);
      engine_.read_state(*streams_[rounds_++ % streams_.size()].state, state_looked_at_);
      logits = std::span<const float>(state_looked_at_).subspan(layout.logits);
    }
    if (can_be_drawn_from(logits)) return;
    throw Error(why_not_drawn_from(logits) + (summary_.samples > 0
                                                  ? "; the files hold what was drawn until then"
                                                  : "; nothing was drawn"));
  }

  const Engine& engine_;
  std::span<const Take> takes_;
  std::span<const std::uint8_t> seed_;
  TakeWriter::Clip clip_;
  RenderEvents& events_;
  const NetworkView* net_;
  std::optional<HandStart> by_hand_;
  std::uint64_t total_ = 0;  // samples of all voices
  std::size_t width_ = 1;
  RenderSummary summary_;
  std::unique_ptr<State> start_;
  std::vector<std::unique_ptr<State>> states_;
  std::vector<State*> idle_;  // of these, not lent
  std::list<Writer> open_;
  std::map<const Contest*, Running> contests_;
  std::optional<double> clip_level_;
  std::exception_ptr close_error_;
  std::vector<Stream> streams_;
  std::vector<float> state_looked_at_, last_logits_;
  std::size_t rounds_ = 0;
  std::vector<TakeWriter*> drawing_;
};

}  // namespace

RenderSummary render(const Engine& engine, std::span<const Take> takes,
                     std::span<const std::uint8_t> seed, int open_at_once, RenderEvents& events,
                     const TroubleLimits& limits, const NetworkView* net) {
  return Renderer(engine, takes, seed, events, limits, net).run(open_at_once);
}

}  // namespace mambo
