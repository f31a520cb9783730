#include "app/live/performance_log.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "app/control/listen_event.h"
#include "app/control/moment_event.h"
#include "kernels/error.h"
#include "model/platform_file.h"
#include "model/sha256.h"

namespace mambo {

void PerformanceLog::program_changed(std::shared_ptr<const Model> model, std::filesystem::path clip,
                                     PlayedEngine engine) {
  programs_[next_program_++] = {std::move(model), std::move(clip), std::move(engine)};
  collect();
}

void PerformanceLog::engine_changed(PlayedEngine engine) {
  engines_[next_engine_++] = std::move(engine);
  collect();
}

void PerformanceLog::collect() {
  // Before the events: so each code that is read belongs to an event that is read below.
  std::array<std::uint8_t, 4096> codes{};
  RingBuffer<std::uint8_t>& heard = controls_.heard();
  for (std::size_t n = heard.read(codes); n > 0; n = heard.read(codes)) {
    heard_.insert(heard_.end(), codes.begin(), codes.begin() + static_cast<std::ptrdiff_t>(n));
  }
  SlotQueue<ControlEvent>& log = controls_.log();
  for (const ControlEvent* e = log.front(); e != nullptr; e = log.front()) {
    add(*e);
    log.pop();
  }
  // What was lost came after all that the ring still held: the next beginning makes it good, not
  // one that was just read.
  gap_ = gap_ || controls_.lost_events() != lost_;
  lost_ = controls_.lost_events();
  forget_contents();
  forget_heard();
}

void PerformanceLog::forget_heard() {
  const auto first = std::find_if(events_.begin(), events_.end(),
                                  [](const ControlEvent& e) { return e.id == ControlId::listen; });
  const std::uint64_t end = heard_from_ + heard_.size();
  std::uint64_t from = first == events_.end() ? end : std::min(heard_of(*first), end);
  if (end - from > kMostHeard) {
    heard_too_much_ = true;
    from = end - kMostHeard / 2;  // half of it, so that it goes rarely
  }
  if (from <= heard_from_) return;
  heard_.erase(heard_.begin(), heard_.begin() + static_cast<std::ptrdiff_t>(from - heard_from_));
  heard_from_ = from;
}

std::span<const std::uint8_t> PerformanceLog::heard_in(std::size_t event) const {
  const ControlEvent& listen = events_[event];
  const auto end = std::find_if(events_.begin() + static_cast<std::ptrdiff_t>(event), events_.end(),
                                [](const ControlEvent& e) {
                                  return e.id == ControlId::answer || e.id == ControlId::again ||
                                         e.id == ControlId::program;
                                });
  const std::uint64_t first = heard_of(listen);
  const std::uint64_t kept = heard_from_ + heard_.size();
  // Still listened to: up to what there is.
  const std::uint64_t n = end == events_.end() ? kept - std::min(first, kept) : end->at - listen.at;
  if (first < heard_from_ || first + n > kept) {
    throw Error("what was listened to came faster than it could be kept");
  }
  return std::span(heard_).subspan(static_cast<std::size_t>(first - heard_from_),
                                   static_cast<std::size_t>(n));
}

void PerformanceLog::slot_holds(int slot, std::uint64_t number,
                                std::shared_ptr<const Moment> moment) {
  held_.at(static_cast<std::size_t>(slot)) = number;
  if (moment) contents_[number] = std::move(moment);
}

void PerformanceLog::forget_contents() {
  if (contents_.empty()) return;
  std::set<std::uint64_t> needed(held_.begin(), held_.end());
  for (const ControlEvent& e : events_) {
    if (e.id == ControlId::slot) needed.insert(e.value.whole);
  }
  std::erase_if(contents_, [&](const auto& c) { return !needed.contains(c.first); });
}

bool PerformanceLog::is_used(std::size_t event) const {
  const int slot = slot_of(events_[event]);
  return std::any_of(events_.begin() + static_cast<std::ptrdiff_t>(event), events_.end(),
                     [&](const ControlEvent& e) {
                       if (e.id == ControlId::morph) {
                         const Morph m = morph_of(e);
                         return std::count(m.slots.begin(), m.slots.end(), slot) > 0;
                       }
                       return (e.id == ControlId::recall || e.id == ControlId::fork ||
                               e.id == ControlId::unstore) &&
                              slot_of(e) == slot;
                     });
}

void PerformanceLog::add(const ControlEvent& event) {
  const bool begins = event.id == ControlId::program || event.id == ControlId::again;
  if (begins && !recording_) return begin_anew(event);
  const bool plays = event.id == ControlId::program || event.id == ControlId::engine;
  if (events_.size() < kMostEvents || plays) {  // begin_anew() looks for the last of these
    events_.push_back(event);
  } else {
    too_long_ = true;
  }
}

void PerformanceLog::begin_anew(const ControlEvent& event) {
  ControlEvent program = event;
  ControlEvent engine;
  bool engine_changed = false;
  if (event.id == ControlId::again) {
    bool found = false;
    for (const ControlEvent& e : events_) {
      if (e.id == ControlId::program) {
        program = e;
        found = true;
        engine_changed = false;
      }
      if (e.id == ControlId::engine) {
        engine = e;
        engine_changed = true;
      }
    }
    if (!found) return;  // a gap
  }
  program.at = 0;
  engine.at = 0;
  events_.clear();
  events_.push_back(program);
  if (engine_changed) events_.push_back(engine);
  too_long_ = false;
  gap_ = false;
  heard_too_much_ = false;
  programs_.erase(programs_.begin(), programs_.lower_bound(program.value.whole));
  engines_.erase(engines_.begin(),
                 engine_changed ? engines_.lower_bound(engine.value.whole) : engines_.end());
}

void PerformanceLog::begin_recording() {
  collect();
  recording_ = true;
}

void PerformanceLog::end_recording() {
  collect();
  recording_ = false;
  const bool gap = gap_;
  const bool too_long = too_long_;
  const bool heard_too_much = heard_too_much_;
  // Back to what the next recording needs: the same events once more, without the mark.
  for (const ControlEvent& e : std::exchange(events_, {})) {
    if (e.id != ControlId::recording) add(e);
  }
  gap_ = gap;  // a beginning that was read before the gap does not make it good
  too_long_ = too_long;
  heard_too_much_ = heard_too_much;
}

Performance PerformanceLog::performance(const SaveMoment& save, const SaveSound& save_sound) {
  collect();
  if (gap_) throw Error("events came faster than they could be kept");
  if (too_long_) throw Error("it has more than " + std::to_string(kMostEvents) + " events");
  if (heard_too_much_) {
    throw Error("it listened to more than " + std::to_string(kMostHeard) + " samples");
  }
  Performance p;
  p.version = MAMBO_VERSION;
  bool follows = false;  // Again, after which slots hold what they held
  const Model* model = nullptr;
  for (std::size_t i = 0; i < events_.size(); ++i) {
    ControlEvent e = events_[i];
    if (e.id == ControlId::program || e.id == ControlId::again) {
      follows = e.id == ControlId::again;
    }
    if (e.id == ControlId::slot) {
      if ((follows && e.source == Source::start) || !is_used(i)) continue;
      const auto found = contents_.find(e.value.whole);
      if (found == contents_.end() || model == nullptr || !save) {
        throw Error("a slot was overwritten before what it held could be kept");
      }
      p.moments.push_back(save(slot_of(e), *found->second, *model));
      e.value.whole = p.moments.size() - 1;
    }
    if (e.id == ControlId::listen) {
      if (model == nullptr || !save_sound) throw Error("what was listened to is not kept");
      p.heard.push_back(save_sound(p.heard.size() + 1, heard_in(i), *model));
      set_heard(e, p.heard.size() - 1);
    }
    if (e.id == ControlId::program) {
      const Played& played = programs_.at(e.value.whole);
      model = played.model.get();
      PlayedProgram program;
      program.model_path = std::filesystem::absolute(played.model->path());
      program.model_name = played.model->config().name;
      program.model_sha256 = played.model->hash();
      program.sample_rate = played.model->config().sample_rate;
      program.encoding = played.model->config().encoding;
      if (!played.clip.empty()) {
        program.clip_path = std::filesystem::absolute(played.clip);
        program.clip_sha256 = sha256_file(played.clip);
      }
      program.engine = played.engine;
      e.value.whole = p.programs.size();
      p.programs.push_back(std::move(program));
    } else if (e.id == ControlId::engine) {
      const PlayedEngine& engine = engines_.at(e.value.whole);
      e.value.whole = p.engines.size();
      p.engines.push_back(engine);
    }
    p.events.push_back(e);
  }
  return p;
}

}  // namespace mambo
