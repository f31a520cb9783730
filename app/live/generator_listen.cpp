// What the generator thread does while it listens, in place of drawing. The same rules.
#include <algorithm>
#include <limits>

#include "app/control/listen_event.h"
#include "app/live/generator_thread.h"

namespace mambo {

using namespace std::chrono_literals;

namespace {

// For what is on its way when an answer is asked for: a rate converter's delay, a busy machine.
constexpr std::int64_t kPatience_ns = 500'000'000;

}  // namespace

void GeneratorThread::obey(const ControlEvent& event) {
  if (event.id == ControlId::listen) {
    if (listening() && answer_by_ == 0) return;
    answer();  // asked again before what was on its way is there
    stage_->cut(ring_.written());
    hearing_.begin();
    asked_ns_ = 0;
    hears_ = false;
    heard_ = 0;
    listening_.store(true, std::memory_order_release);
  } else if (listening() && answer_by_ == 0) {
    hearing_.end();
    asked_ns_ = now_ns();
    answer_by_ = asked_ns_ + kPatience_ns;
  }
}

// Logged by what came in, not by the order to listen: where nothing came, nothing happened.
void GeneratorThread::begin_to_hear() {
  ControlEvent e = listening_event(ControlId::listen);
  controls_.log_moment(set_heard(e, heard_all_), generated_);
  hears_ = true;
  fade_.begin();
  guarded_ = false;
}

void GeneratorThread::answer() {
  if (hears_) controls_.log_moment(listening_event(ControlId::answer), generated_);
  end_listening();
}

// Where the run ends, that says it.
void GeneratorThread::end_listening() {
  if (!listening()) return;
  hearing_.end();
  answer_by_ = 0;
  listening_.store(false, std::memory_order_release);
  if (!hears_) return;
  hears_ = false;
  fade_.begin();
  stuck_.reset();
  guarded_ = false;  // what was healthy before is not what it would go on from now
}

void GeneratorThread::listen() {
  const std::uint64_t position = generated_;
  const std::uint64_t constant = std::min(controls_.next_boundary(position),
                                          moments_.next_boundary(*program_->moments, position)) -
                                 position;
  const std::size_t most =
      static_cast<std::size_t>(std::min<std::uint64_t>(codes_.size(), constant));
  const bool all = answer_by_ != 0 && (hearing_.ended() || now_ns() > answer_by_);
  const std::size_t n = hearing_.read(std::span(codes_).first(most));
  if (n == 0 && all) return answer();
  if (n == 0) {
    if (!moments_.absorb(*program_->moments, 64)) std::this_thread::sleep_for(1ms);
    return;
  }
  if (!hears_) begin_to_hear();
  const std::span<const std::uint8_t> codes = std::span<const std::uint8_t>(codes_).first(n);
  program_->voice->step(codes);
  for (std::size_t i = 0; i < n; ++i) samples_[i] = program_->table[codes_[i]];
  fade_.pass(std::span(samples_).first(n));
  program_->moments->drew(codes, std::span(samples_).first(n), position);
  if (observing_) observe_heard(n);
  controls_.heard(codes);
  heard_all_ += n;
  heard_ += n;
  keep(n);
}

// Sound alone: nothing was drawn, and step() shows nothing of the layers.
void GeneratorThread::observe_heard(std::size_t n) {
  Observation* o = program_->observations.queue->begin_write();
  if (o == nullptr) {
    ++dropped_;
    return;
  }
  o->generation = generation_;
  o->first = program_->clip_samples + generated_;
  o->from_clip = false;
  o->codes.resize(n);
  std::copy_n(codes_.begin(), n, o->codes.begin());
  o->log_prob.resize(0);
  o->entropy.resize(0);
  o->layers.resize(0);
  o->said.resize(0);
  o->tap_layer = -1;
  o->tap_steps = 0;
  program_->observations.queue->publish();
}

}  // namespace mambo
