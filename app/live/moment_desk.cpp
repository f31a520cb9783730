#include "app/live/moment_desk.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>
#include <thread>
#include <utility>

#include "kernels/error.h"
#include "model/message.h"
#include "model/moment_file.h"
#include "model/output_file.h"
#include "model/sha256.h"

namespace mambo {
namespace {

using namespace std::chrono_literals;

constexpr int kTries = 500;  // of a millisecond

std::string slot_name(int slot) { return "slot " + std::to_string(slot + 1); }

void check_slot(int slot) {
  if (slot < 0 || slot >= kSlots) {
    throw Error("expected a slot from 1 to " + std::to_string(kSlots) + ", found " +
                std::to_string(slot + 1));
  }
}

}  // namespace

Moments* MomentDesk::moments() const {
  const Program* program = generator_.program();
  return program != nullptr ? program->moments.get() : nullptr;
}

void MomentDesk::watch() {
  Moments* const m = moments();
  if (m == nullptr || generator_.failed()) return;
  for (int slot = 0; slot < kSlots; ++slot) {
    Copy& copy = copies_[place(slot)];
    const std::uint64_t number = m->number(slot);
    if (number == copy.number) continue;
    if (number == 0) {
      copy = {};
      recording_.log().slot_holds(slot, 0, nullptr);
      continue;
    }
    try {
      std::optional<Moment> moment = m->read(slot, number);
      if (!moment) continue;  // another time
      copy = {number, std::make_shared<const Moment>(std::move(*moment))};
      const bool known = recording_.log().knows(number);  // read from a file
      recording_.log().slot_holds(slot, number, known ? nullptr : copy.moment);
    } catch (const Error&) {  // the engine was lost: seen to by others
      return;
    }
  }
}

std::array<std::shared_ptr<const Moment>, kSlots> MomentDesk::slots() const {
  std::array<std::shared_ptr<const Moment>, kSlots> all;
  const Moments* const m = moments();
  for (int slot = 0; m != nullptr && slot < kSlots; ++slot) {
    const Copy& copy = copies_[place(slot)];
    if (copy.number != 0 && copy.number == m->number(slot)) all[place(slot)] = copy.moment;
  }
  return all;
}

void MomentDesk::renumbered() {
  const Moments* const m = moments();
  const std::lock_guard lock(mutex_);
  for (int slot = 0; m != nullptr && slot < kSlots; ++slot) {
    Copy& copy = copies_[place(slot)];
    Name& name = names_[place(slot)];
    const std::uint64_t number = m->number(slot);
    if (name.number == copy.number) name.number = number;
    copy.number = number;
    if (number == 0) copy = {};
    recording_.log().slot_holds(slot, number, copy.moment);
  }
}

Moment MomentDesk::copy_of(int slot) {
  check_slot(slot);
  Moments* const m = moments();
  std::optional<Moment> moment;
  for (int i = 0; i < kTries && m != nullptr && m->number(slot) != 0 && !moment; ++i) {
    const std::uint64_t number = m->number(slot);
    moment = m->read(slot, number);
    if (moment) moment->name = name_of(slot, number);
    if (!moment) std::this_thread::sleep_for(1ms);
  }
  if (!moment) throw Error(slot_name(slot) + " is empty: there is nothing to save");
  return std::move(*moment);
}

void MomentDesk::save(int slot, const std::filesystem::path& path) {
  const Moment moment = copy_of(slot);
  write_moment(path, moment, *generator_.program()->model, MAMBO_VERSION);
  board_.say("Saved " + slot_name(slot) + " to " + path.string() + ".");
}

void MomentDesk::load(int slot, const std::filesystem::path& path) {
  check_slot(slot);
  if (moments() == nullptr) throw Error("a moment can be loaded once a model is open");
  auto moment = std::make_shared<Moment>(read_moment(path, *generator_.program()->model, true));
  moment->path = std::filesystem::absolute(path);
  moment->sha256 = sha256_file(path);
  note_input(path);
  generator_.park();
  bool done = false;
  try {
    done = generator_.fill_slot(slot, *moment);
  } catch (...) {
    generator_.unpark();
    throw;
  }
  const std::uint64_t number = moments()->number(slot);
  generator_.unpark();
  if (!done) throw Error(slot_name(slot) + " is in use: try again");
  recording_.log().slot_holds(slot, number, moment);
  name(slot, number, moment->name);
  board_.say("Loaded " + path.filename().string() + " into " + slot_name(slot) + ".");
}

void MomentDesk::fork(int count, double seconds, std::uint64_t forks_before) {
  const Program* const program = generator_.program();
  if (program == nullptr) {
    forker_.cancel();
    throw Error("there is nothing to continue yet: open a model first");
  }
  std::optional<Moments::Fork> mark;
  for (int i = 0; i < kTries && !mark; ++i) {
    if (generator_.moments().forks() != forks_before) mark = program->moments->read_fork();
    if (!mark) std::this_thread::sleep_for(1ms);
  }
  if (!mark) {
    forker_.cancel();
    throw Error("there is nothing to continue: the slot is empty");
  }
  const int rate = program->model->config().sample_rate;
  const double length = std::isfinite(seconds) ? std::clamp(seconds, 0.1, Forker::kLongest) : 4;
  Forker::Job job{program->engine,
                  std::move(*mark),
                  count,
                  0,
                  rate,
                  program->table,
                  generator_.moments().forks()};
  job.samples = static_cast<std::uint32_t>(std::lround(length * rate));
  forker_.start(std::move(job));
}

void MomentDesk::keep(int i, bool at_end) {
  const std::optional<Forker::End> end = forker_.end(i);
  if (!end) throw Error("there is no such continuation");
  const Program* const program = generator_.program();
  if (program == nullptr || program->engine != end->engine ||
      generator_.moments().forks() != end->forks || !program->moments->forked()) {
    throw Error("the moment that was continued is gone: draw continuations again");
  }
  Kept kept = end->kept;
  kept.at_end = at_end;
  generator_.park();
  try {
    if (at_end) program->moments->put_end(*end->state, kept.rng_seed, kept.samples);
    generator_.moments().take(keep_event(kept));
  } catch (...) {
    generator_.unpark();
    throw;
  }
  generator_.unpark();
}

// ---- Owner ----

void MomentDesk::name(int slot, std::uint64_t number, const std::string& name) {
  if (slot < 0 || slot >= kSlots) return;
  const std::lock_guard lock(mutex_);
  names_[place(slot)] = {number, name};
}

std::string MomentDesk::name_of(int slot, std::uint64_t number) const {
  const std::lock_guard lock(mutex_);
  const Name& n = names_[place(slot)];
  return n.number == number ? n.name : std::string();
}

void MomentDesk::fill(MomentStatus& status) const {
  for (int slot = 0; slot < kSlots; ++slot) {
    MomentStatus::Slot& s = status.slots[place(slot)];
    s.name = s.filled ? name_of(slot, s.number) : std::string();
  }
}

}  // namespace mambo
