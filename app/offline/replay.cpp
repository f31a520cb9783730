#include "app/offline/replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "app/control/by_hand.h"
#include "app/control/guard.h"
#include "app/control/listen_event.h"
#include "app/control/moment_event.h"
#include "app/control/patch.h"
#include "app/files/audio_file.h"
#include "app/files/codes.h"
#include "app/offline/absorb_sink.h"
#include "dsp/mirror_fade.h"
#include "kernels/error.h"
#include "model/moment_file.h"
#include "model/moments.h"
#include "model/output_file.h"
#include "model/revive.h"
#include "model/sanity.h"
#include "model/sha256.h"
#include "model/voice.h"

namespace mambo {
namespace {

constexpr std::size_t kPiece = 2048;  // samples drawn between looks at stop()

class Replay {
 public:
  Replay(const Performance& p, ReplaySource& source, RenderEvents& events,
         const std::function<void(std::span<const float>)>& write)
      : p_(p), source_(source), events_(events), write_(write) {
    std::uint64_t runs = 0;
    std::uint64_t start = 0;
    for (const ControlEvent& e : p.events) {
      if (e.id == ControlId::recording) start = runs + e.at;
      if (e.id == ControlId::again || e.id == ControlId::program) runs += e.at;
      has_moments_ = has_moments_ || is_moment(e.id);
      has_jumps_ = has_jumps_ || e.id == ControlId::jump;
    }
    total_ = start + p.recorded_samples;
  }

  ReplaySummary run() {
    for (std::size_t i = 0; i < p_.events.size() && !done(); ++i) {
      const ControlEvent& e = p_.events[i];
      draw_until(e.at);
      if (done()) break;
      if (e.id == ControlId::program) {
        // An engine that was lost before its first sample is not needed again.
        const bool lost_at_once = i + 1 < p_.events.size() && p_.events[i + 1].at == 0 &&
                                  p_.events[i + 1].id == ControlId::engine;
        begin_program(p_.programs[e.value.whole], lost_at_once);
        expect_targets(i + 1);
      } else {
        take_effect(e);
      }
      const bool anew = e.id == ControlId::program || e.id == ControlId::again;
      if (anew || e.id == ControlId::engine) expect_returns(i + 1);
    }
    while (!done()) draw_until(position_ + kPiece);
    return summary_;
  }

 private:
  bool done() const {
    return summary_.interrupted || (recording_ && summary_.recorded == p_.recorded_samples);
  }

  void begin_program(const PlayedProgram& program, bool lost_at_once) {
    kept_by_hand_.reset();
    voice_.reset();
    engine_.reset();
    model_ = source_.model(program);
    clip_ = source_.clip(program, *model_);
    if (clip_.empty()) clip_.push_back(silence_code);
    table_ = decode_table(model_->config().encoding);
    fade_.prepare(model_->config().sample_rate);
    patch_.set_layers(LayerMap(model_->network()));
    begin_run();
    if (lost_at_once) return;
    engine_ = source_.engine(program.engine, *model_);
    voice_ = std::make_unique<Voice>(*engine_);
    by_hand_.forget_what_was_set();
    AbsorbSink reporter(events_, clip_.size(), &model_->network());
    voice_->prefill(clip_, &reporter);
    voice_->selectivity().set_means(reporter.means());
    clip_end_ = voice_->snapshot();
    kept_by_hand_ = make_moments(*voice_);
  }

  std::unique_ptr<Moments> make_moments(Voice& voice) const {
    if (!has_moments_) return nullptr;
    return std::make_unique<Moments>(
        voice, model_->network(),
        Moments::Options{model_->config().sample_rate, table_, has_jumps_});
  }

  // Before hours are drawn: whether the model has what the events until the next program name.
  void expect_targets(std::size_t first) const {
    for (std::size_t i = first; i < p_.events.size(); ++i) {
      const ControlEvent& e = p_.events[i];
      if (e.id == ControlId::program) return;
      if (!of_layers(e)) continue;
      const std::string why = patch_.layers().why_not(e.target, e.id);
      if (!why.empty()) throw Error("the performance does not suit its model: " + why);
    }
  }
  static bool of_layers(const ControlEvent& e) {
    return static_cast<std::size_t>(e.id) < kControls && control_spec(e.id).scope == Scope::layer;
  }

  void begin_run() {
    position_ = 0;
    listening_ = false;
    fade_.stop();
    if (kept_by_hand_) kept_by_hand_->begin_run(0);
    heard_.clear();
    patch_.settle();
    patch_.reset_layers();  // what is not so, the events at its beginning say
  }

  void take_effect(const ControlEvent& e) {
    switch (e.id) {
      case ControlId::recording:
        recording_ = true;
        return;
      case ControlId::engine:
        return change_engine(p_.engines[e.value.whole]);
      case ControlId::brought_back:
        return bring_back(e.value.whole);
      case ControlId::again:
        voice_->restore(clip_end_);
        begin_run();
        return;
      case ControlId::forget:
        return forget(patch_, e, *voice_);
      case ControlId::listen:
        coming_in_ = source_.heard(p_.heard[heard_of(e)], *model_);
        came_in_ = 0;
        listening_ = true;
        return fade_.begin();
      case ControlId::answer:
        listening_ = false;
        return fade_.begin();
      default:
        if (is_moment(e.id)) return take_effect_moment(e);
        patch_.apply(e);
        // Another random seed counts from the next run on; this one's is among what it began with.
        if (e.id == ControlId::rng_seed && e.source == Source::start) {
          rng_seed_ = e.value.whole;
          voice_->set_rng(rng_seed_);
          if (kept_by_hand_) kept_by_hand_->begin_run(position_);  // its past has this stream
        }
    }
  }

  // Which states the guard goes back to from here on, until the run ends or the engine is lost, and
  // how often.
  void expect_returns(std::size_t event) {
    moments_.clear();
    uses_.clear();
    for (std::size_t i = event; i < p_.events.size(); ++i) {
      const ControlEvent& e = p_.events[i];
      const bool ends = e.id == ControlId::program || e.id == ControlId::again;
      if (ends || e.id == ControlId::engine) break;
      if (e.id == ControlId::brought_back && e.value.whole > 0) ++uses_[e.value.whole];
    }
  }

  void keep_moment() {
    if (!uses_.contains(position_)) return;
    if (moments_.size() >= Guard::kMoments) {
      throw Error(fmt::format("the performance goes back to more than {} moments at once",
                              Guard::kMoments));
    }
    moments_.emplace(position_, voice_->snapshot());
  }

  // To a state of this run; the random stream goes on.
  void bring_back(std::uint64_t to) {
    if (to == 0) {
      engine_->copy(clip_end_.state(), voice_->state());
    } else {
      const auto at = moments_.find(to);
      if (at == moments_.end()) {
        throw Error(
            fmt::format("the performance goes back to sample {}, which no state is of", to));
      }
      engine_->copy(at->second.state(), voice_->state());
      if (--uses_[to] == 0) {
        moments_.erase(at);
        uses_.erase(to);
      }
    }
    fade_.begin();
    if (kept_by_hand_) kept_by_hand_->moved(position_);
  }

  void take_effect_moment(const ControlEvent& e) {
    if (kept_by_hand_ == nullptr)
      throw Error("the performance has moments before it has a program");
    if (!played(e)) {
      throw Error("the performance cannot be repeated: there is nothing for its event at sample " +
                  std::to_string(e.at));
    }
  }

  bool played(const ControlEvent& e) {
    Moments& m = *kept_by_hand_;
    patch_.advance(position_);
    voice_->set_sampling(patch_.sampling());  // what is drawn aside is drawn with it
    by_hand_.hand_over(patch_, voice_->selectivity());
    switch (e.id) {
      case ControlId::slot:
        return m.put(slot_of(e), source_.moment(p_.moments[e.value.whole], *model_));
      case ControlId::store:
        return m.store(slot_of(e), position_);
      case ControlId::unstore:
        return m.unstore(slot_of(e));
      case ControlId::clear:
        return m.clear(slot_of(e));
      case ControlId::recall:
        return m.recall(slot_of(e), position_);
      case ControlId::morph:
        return m.morph(morph_of(e), position_);
      case ControlId::jump:
        if (!m.begin_jump(sample_of(e), position_)) return false;
        while (!m.absorbed()) m.absorb(kPiece);
        return true;
      case ControlId::land:
        return m.land(position_);
      case ControlId::fork:
        return m.fork(slot_of(e));
      case ControlId::keep: {
        const Kept k = kept_of(e);
        if (k.at_end && m.forked()) m.draw_end(k.rng_seed, k.samples);
        return m.keep(k.rng_seed, k.samples, k.at_end, position_);
      }
      default:
        return false;
    }
  }

  void change_engine(const PlayedEngine& engine) {
    const std::shared_ptr<const Engine> before = engine_;
    const std::unique_ptr<Voice> lost = std::move(voice_);
    const std::unique_ptr<Moments> moments = std::move(kept_by_hand_);
    engine_ = source_.engine(engine, *model_);
    auto next = std::make_unique<Voice>(*engine_);
    const auto kept = static_cast<std::size_t>(kClipHistorySeconds * model_->config().sample_rate);
    const std::span<const std::uint8_t> clip(clip_);
    const std::span<const std::uint8_t> drawn(heard_);
    const Heard heard = {clip.last(std::min(kept, clip.size())), clip.size(),
                         drawn.last(std::min(kCodesKept, drawn.size())), position_};
    AbsorbSink reporter(events_, heard.clip_tail.size() + heard.drawn.size());
    clip_end_ = revive(*next, model_->network(), heard, &reporter, &reporter);
    if (lost) {
      next->set_rng(lost->rng_seed(), lost->drawn());
      next->selectivity() = lost->selectivity();
    } else {
      next->set_rng(rng_seed_, position_);
    }
    voice_ = std::move(next);
    by_hand_.forget_what_was_set();
    kept_by_hand_ = make_moments(*voice_);
    if (kept_by_hand_) {
      if (moments) kept_by_hand_->take_over(*moments);
      kept_by_hand_->begin_run(position_);
    }
  }

  void draw_until(std::uint64_t end) {
    while (position_ < end && !done()) {
      if (voice_ == nullptr) throw Error("the performance draws before it has a program");
      patch_.advance(position_);
      std::uint64_t n = std::min<std::uint64_t>(
          {end - position_, kPiece, patch_.next_change(position_) - position_});
      if (kept_by_hand_) n = std::min(n, kept_by_hand_->next_boundary(position_) - position_);
      if (recording_) n = std::min(n, p_.recorded_samples - summary_.recorded);
      const auto moment = uses_.upper_bound(position_);
      if (moment != uses_.end()) n = std::min(n, moment->first - position_);
      draw(static_cast<std::size_t>(n));
      keep_moment();
      events_.drawing(summary_.drawn, total_);
      summary_.interrupted = events_.stop();
    }
  }

  void listen(std::size_t n) {
    if (coming_in_.size() - came_in_ < n) {
      throw Error(fmt::format("the performance listens to sample {} of a sound that has {}",
                              came_in_ + n, coming_in_.size()));
    }
    const std::span<const std::uint8_t> codes = std::span(coming_in_).subspan(came_in_, n);
    voice_->step(codes);
    std::copy(codes.begin(), codes.end(), codes_.begin());
    came_in_ += n;
  }

  void draw(std::size_t n) {
    voice_->set_sampling(patch_.sampling());
    by_hand_.hand_over(patch_, voice_->selectivity());
    if (listening_) {
      listen(n);
    } else {
      last_logits_.resize(engine_->layout().size - engine_->layout().logits);
      voice_->generate(std::span(codes_).first(n), {}, {}, nullptr, last_logits_);
      if (!can_be_drawn_from(last_logits_)) throw Error(why_not_drawn_from(last_logits_));
    }
    position_ += n;
    summary_.drawn += n;
    // Twice as much as an engine that is lost may ask for, so that old codes go rarely.
    if (heard_.size() >= 2 * kCodesKept) {
      heard_.erase(heard_.begin(), heard_.end() - static_cast<std::ptrdiff_t>(kCodesKept));
    }
    heard_.insert(heard_.end(), codes_.begin(), codes_.begin() + static_cast<std::ptrdiff_t>(n));
    for (std::size_t i = 0; i < n; ++i) samples_[i] = table_[codes_[i]];
    fade_.pass(std::span(samples_).first(n));
    if (kept_by_hand_) {
      kept_by_hand_->drew(std::span<const std::uint8_t>(codes_).first(n),
                          std::span(samples_).first(n), position_ - n);
    }
    if (!recording_) return;
    write_(std::span<const float>(samples_).first(n));
    summary_.recorded += n;
  }

  const Performance& p_;
  ReplaySource& source_;
  RenderEvents& events_;
  const std::function<void(std::span<const float>)>& write_;
  std::shared_ptr<const Model> model_;
  std::shared_ptr<const Engine> engine_;
  std::unique_ptr<Voice> voice_;
  Snapshot clip_end_;
  std::unique_ptr<Moments> kept_by_hand_;  // of the voice; null: the performance has none
  bool has_moments_ = false, has_jumps_ = false;
  std::vector<std::uint8_t> clip_, heard_;  // codes; heard: the last drawn in this run
  std::vector<std::uint8_t> coming_in_;     // what is listened to
  std::size_t came_in_ = 0;                 // absorbed of it
  bool listening_ = false;
  std::array<float, 256> table_{};
  std::array<std::uint8_t, kPiece> codes_{};
  std::array<float, kPiece> samples_{};
  std::vector<float> last_logits_;
  std::map<std::uint64_t, Snapshot> moments_;  // that the guard goes back to, by position
  std::map<std::uint64_t, std::size_t> uses_;  // positions of those to come, and how often each
  MirrorFade fade_;
  Patch patch_;
  ByHand by_hand_;  // of voice_
  std::uint64_t rng_seed_ = 0;
  std::uint64_t position_ = 0;  // in this run
  std::uint64_t total_ = 0;     // samples that will be drawn
  bool recording_ = false;
  ReplaySummary summary_;
};

}  // namespace

Moment ReplaySource::moment(const PlayedMoment& moment, const Model& model) {
  note_input(moment.path);
  Moment m = read_moment(moment.path, model, true);
  const std::string found = sha256_file(moment.path);
  if (found != moment.sha256) {
    throw Error(moment.path.string() + ": expected the moment that was played (" +
                moment.sha256.substr(0, 8) + "), found another (" + found.substr(0, 8) + ")");
  }
  return m;
}

std::vector<std::uint8_t> ReplaySource::heard(const PlayedSound& sound, const Model& model) {
  note_input(sound.path);
  const std::string found = sha256_file(sound.path);
  if (found != sound.sha256) {
    throw Error(sound.path.string() + ": expected the sound that was listened to (" +
                sound.sha256.substr(0, 8) + "), found another (" + found.substr(0, 8) + ")");
  }
  return load_clip_codes(sound.path, model.config().sample_rate, model.config().encoding).codes;
}

ReplaySummary replay(const Performance& performance, ReplaySource& source, RenderEvents& events,
                     const std::function<void(std::span<const float>)>& write) {
  return Replay(performance, source, events, write).run();
}

}  // namespace mambo
