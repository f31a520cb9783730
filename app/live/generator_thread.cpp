#include "app/live/generator_thread.h"

#include <algorithm>
#include <utility>

#include "app/audio/thread_priority.h"
#include "app/control/listen_event.h"

namespace mambo {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t kAbsorbed = 64;  // codes of a jump between looks at the ring

}  // namespace

GeneratorThread::GeneratorThread(int chunk, std::uint64_t rng_seed, std::size_t record_ring)
    : chunk_(std::clamp(chunk, 16, kMaxChunk)),
      ring_(1U << 17U),
      record_ring_(record_ring),
      target_(static_cast<std::size_t>(2 * chunk_)),
      codes_(kMaxChunk),
      kept_(kCodesKept),
      samples_(kMaxChunk),
      entropy_(kMaxChunk) {
  controls_.send_rng_seed(rng_seed);
  thread_ = std::thread([this] { run(); });
}

GeneratorThread::~GeneratorThread() {
  stop_ = true;
  order_ += 2;
  order_.notify_all();
  thread_.join();
}

std::int64_t GeneratorThread::now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

void GeneratorThread::park() {
  unsigned order = order_;
  if (order % 2 == 0) order = ++order_;
  order_.notify_all();  // a thread whose engine failed waits for orders
  for (unsigned seen = obeyed_; seen != order; seen = obeyed_) obeyed_.wait(seen);
}

void GeneratorThread::unpark() {
  if (program_ == nullptr || stage_ == nullptr || order_ % 2 == 0) return;
  ++order_;
  order_.notify_all();
}

std::unique_ptr<Program> GeneratorThread::replace(
    std::unique_ptr<Program> program,
    const std::array<std::shared_ptr<const Moment>, kSlots>& slots) {
  std::swap(program_, program);
  program_->voice->set_rng(program->voice->rng_seed(), program->voice->drawn());
  by_hand_.forget_what_was_set();
  program_->moments->count_from(program->moments->next_number());
  program_->moments->take_over(slots);
  program_->moments->begin_run(generated_);
  controls_.engine_changed(generated_);
  program_->guard.begin_at(generated_);
  moments_.begin_engine(*program_->moments);
  times_count_ = 0;
  failed_ = false;
  return program;
}

bool GeneratorThread::fill_slot(int slot, const Moment& moment) {
  if (program_ == nullptr || !program_->moments->put(slot, moment)) return false;
  moments_.came_in(*program_->moments, slot, generated_);
  return true;
}

std::vector<std::uint8_t> GeneratorThread::last_codes() const {
  const std::uint64_t end = generated_;
  const std::uint64_t n = std::min<std::uint64_t>(end, kCodesKept);
  std::vector<std::uint8_t> codes(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < codes.size(); ++i) codes[i] = kept_[(end - n + i) % kCodesKept];
  return codes;
}

std::unique_ptr<Program> GeneratorThread::exchange(std::unique_ptr<Program> program,
                                                   const DecidedControls& own) {
  std::swap(program_, program);
  end_listening();
  if (program_ != nullptr) {
    const StateLayout& layout = program_->engine->layout();
    last_logits_.assign(layout.size - layout.logits, 0.0F);
    stuck_.prepare(program_->model->config().sample_rate);
    fade_.prepare(program_->model->config().sample_rate);
    guarded_ = false;
    // An engine that cannot play by hand has no layers for the controls.
    const bool by_hand = program_->engine->plays_by_hand();
    controls_.set_layers(by_hand ? LayerMap(program_->model->network()) : LayerMap());
    by_hand_.forget_what_was_set();
    controls_.begin_program(own, generated_);
    program_->voice->set_rng(controls_.at(0)[ControlId::rng_seed].whole);
    generation_.fetch_add(1, std::memory_order_acq_rel);
    if (program != nullptr) {
      Moments& moments = *program_->moments;
      moments.count_from(program->moments->next_number());
      if (program->model->hash() == program_->model->hash()) moments.take_over(*program->moments);
    }
    moments_.begin_run(*program_->moments, generation_);
  }
  failed_ = false;
  generated_ = 0;
  times_count_ = 0;
  first_sound_ns_ = 0;
  return program;
}

// A thread that stands still looks at the orders to record before it draws again.
void GeneratorThread::end_recording() {
  if (recording()) ++recordings_;
  const auto stands_still = [this] {
    const unsigned order = order_;
    return failed() || (order % 2 == 1 && obeyed_ == order);
  };
  while (recordings_seen_ != recordings_ && !stands_still()) std::this_thread::sleep_for(1ms);
}

void GeneratorThread::set_target(std::size_t samples) {
  target_ = std::clamp(samples, static_cast<std::size_t>(64), ring_.capacity() - kMaxChunk);
}

double GeneratorThread::first_sound_ms() const {
  const std::int64_t first = first_sound_ns_;
  return first > 0 ? static_cast<double>(first - marked_ns_) * 1e-6 : 0.0;
}

std::vector<float> GeneratorThread::chunk_times(std::size_t most) const {
  const std::size_t count = times_count_;
  const std::size_t n = std::min({most, count, kTimes});
  std::vector<float> out(n);
  for (std::size_t i = 0; i < n; ++i) out[i] = times_[(count - n + i) % kTimes];
  return out;
}

void GeneratorThread::run() {
  prefer_this_thread();
  while (!stop_) {
    const unsigned order = order_;
    if (order % 2 == 1) {
      obeyed_ = order;
      obeyed_.notify_all();
    }
    if (order % 2 == 1 || failed_) {
      order_.wait(order);
      continue;
    }
    try {
      play();
    } catch (const Nonsense& e) {
      fail(e.what(), true);
    } catch (const std::exception& e) {
      fail(e.what(), false);
    }
  }
}

// What was under way is lost; what is in the ring will be heard. Not steady state: it may allocate.
void GeneratorThread::fail(const char* why, bool nonsense) {
  failure_ = why;
  nonsense_ = nonsense;
  failed_.store(true, std::memory_order_release);
}

void GeneratorThread::play() {
  if (const unsigned recordings = recordings_; recordings != recordings_seen_) {
    recordings_seen_ = recordings;
    if (recordings % 2 == 1) controls_.recording_began(generated_);
  }
  take_up_controls();
  if (listening()) return listen();
  const std::size_t n = std::min(static_cast<std::size_t>(chunk_), target_ / 2);
  if (waiting() + n > target_) {
    if (moments_.absorb(*program_->moments, kAbsorbed)) return;
    // Full: the callback will make room. Short enough that half the ring never drains meanwhile.
    std::this_thread::sleep_for(1ms);
    return;
  }
  chunk();
}

// An event that cannot take effect because the engine is lost stays where it is, for the program
// that replaces this one.
void GeneratorThread::take_up_controls() {
  for (const ControlEvent* e = controls_.due(generated_); e != nullptr;
       e = controls_.due(generated_)) {
    if (e->id == ControlId::again) {
      start_again();
    } else if (is_moment(e->id)) {
      moments_.take(controls_.take());
    } else if (is_listening(e->id)) {
      obey(controls_.take());
    } else {
      if (e->id == ControlId::forget) forget(controls_.at(generated_), *e, *program_->voice);
      controls_.took_effect(generated_);
    }
  }
  const std::uint64_t moves = program_->moments->moves();
  const Patch& now = controls_.at(generated_);  // for what is drawn aside
  program_->voice->set_sampling(now.sampling());
  by_hand_.hand_over(now, program_->voice->selectivity());
  moments_.settle(*program_->moments, generated_);
  if (program_->moments->moves() != moves) program_->guard.begin_at(generated_);
}

// Back to the end of the clip; samples on their way to the card are faded out and dropped.
void GeneratorThread::start_again() {
  end_listening();
  program_->voice->restore(program_->clip_end);
  stage_->cut(ring_.written());
  controls_.took_effect(generated_);
  controls_.begin_run();
  program_->voice->set_rng(controls_.at(0)[ControlId::rng_seed].whole);
  generated_ = 0;
  first_sound_ns_ = 0;
  stuck_.reset();
  fade_.stop();
  program_->guard.begin_run();
  moments_.begin_run(*program_->moments, generation_.fetch_add(1, std::memory_order_acq_rel) + 1);
}

// After a move the state's position is another than the run's: what the tap says of steps, in steps
// of the run, to the nearest.
std::uint64_t GeneratorThread::step_in_run(std::uint64_t step, int layer, std::size_t drawn) const {
  const NetworkView& net = program_->model->network();
  const auto stride =
      static_cast<std::uint64_t>(net.tier_of(net.layers[static_cast<std::size_t>(layer)]).stride);
  const std::uint64_t run = program_->clip_samples + generated_ + drawn;
  const std::uint64_t state = program_->voice->position();
  const std::uint64_t off = run > state ? run - state : state - run;
  const std::uint64_t steps = (off + stride / 2) / stride;
  if (run >= state) return step + steps;
  return step - std::min(step, steps);
}

void GeneratorThread::chunk() {
  const std::size_t n = std::min(static_cast<std::size_t>(chunk_), target_ / 2);
  chunk_ns_ = 0;
  for (std::size_t left = n; left > 0;) {
    if (left < n) take_up_controls();
    const std::uint64_t position = generated_;
    const std::uint64_t constant = std::min(controls_.next_boundary(position),
                                            moments_.next_boundary(*program_->moments, position)) -
                                   position;
    std::size_t piece = static_cast<std::size_t>(std::min<std::uint64_t>(left, constant));
    const Patch& now = controls_.at(position);
    program_->voice->set_sampling(now.sampling());
    by_hand_.hand_over(now, program_->voice->selectivity());
    const bool on = now[ControlId::guard].real != 0;
    if (on && !guarded_) program_->guard.begin_at(position);
    guarded_ = on;
    if (on) {
      piece =
          static_cast<std::size_t>(std::min<std::uint64_t>(piece, program_->guard.to_boundary()));
    }
    draw(piece);
    keep(piece);
    if (on) guard(piece);
    left -= piece;
  }
  times_[times_count_ % kTimes] =
      static_cast<float>(static_cast<double>(chunk_ns_) * 1e-3 / static_cast<double>(n));
  ++times_count_;
  moments_.absorb_anyway(*program_->moments);
}

void GeneratorThread::draw(std::size_t n) {
  const std::int64_t begin = now_ns();
  if (observing_) {
    observe(n);
  } else {
    draw_unseen(n);
  }
  chunk_ns_ += now_ns() - begin;
  for (std::size_t i = 0; i < n; ++i) samples_[i] = program_->table[codes_[i]];
  fade_.pass(std::span(samples_).first(n));
  check(n);
  program_->moments->drew(std::span<const std::uint8_t>(codes_).first(n),
                          std::span(samples_).first(n), generated_);
}

void GeneratorThread::draw_unseen(std::size_t n) {
  const std::span<float> entropy = std::span(entropy_).first(guarded_ ? n : 0);
  program_->voice->generate(std::span(codes_).first(n), {}, entropy, nullptr, last_logits_);
}

// Nothing of this piece is in the ring yet: what is, fades out.
void GeneratorThread::check(std::size_t n) {
  if (!can_be_drawn_from(last_logits_)) throw Nonsense(why_not_drawn_from(last_logits_));
  if (stuck_.hear(std::span<const float>(samples_).first(n))) {
    throw Nonsense("the model's sound stays at an end of the scale");
  }
}

void GeneratorThread::guard(std::size_t n) {
  Voice& voice = *program_->voice;
  const auto back =
      program_->guard.heard(std::span<const float>(samples_).first(n),
                            std::span<const float>(entropy_).first(n), voice.state(), generated_);
  if (!back) return;
  program_->engine->copy(*back->state, voice.state());
  fade_.begin();
  program_->moments->moved(generated_);
  controls_.brought_back(generated_, back->to, static_cast<int>(back->trouble));
  trouble_.store(back->trouble, std::memory_order_relaxed);
  brought_back_.fetch_add(1, std::memory_order_release);
}

void GeneratorThread::keep(std::size_t n) {
  if (!listening()) ring_.write(std::span<const float>(samples_).first(n));
  const std::uint64_t first = generated_;
  for (std::size_t i = 0; i < n; ++i) kept_[(first + i) % kCodesKept] = codes_[i];
  if (first_sound_ns_ == 0 && marked_ns_ != 0 && !listening()) first_sound_ns_ = now_ns();
  if (asked_ns_ != 0 && !listening()) answer_ns_ = now_ns() - std::exchange(asked_ns_, 0);
  if (recordings_seen_ % 2 == 1) {
    const std::size_t kept = record_ring_.write(std::span<const float>(samples_).first(n));
    if (kept < n) lost_record_ += n - kept;
  }
  generated_ += n;
}

// Generates into a slot of the queue, which the reader reads in place; without a free slot the
// sound goes on and the observation is dropped.
void GeneratorThread::observe(std::size_t n) {
  Voice& generator = *program_->voice;
  Observation* o = program_->observations.queue->begin_write();
  if (o == nullptr) {
    ++dropped_;
    draw_unseen(n);
    return;
  }
  o->generation = generation_;
  o->first = program_->clip_samples + generated_;
  o->from_clip = false;
  o->codes.resize(n);
  o->log_prob.resize(n);
  o->entropy.resize(n);
  o->layers.resize(program_->model->network().layers.size());  // observe_heard() leaves none
  o->said.resize(o->layers.size());
  DeltaTap tap;
  tap.layers = o->layers;
  tap.said = o->said;
  const int layers = static_cast<int>(program_->model->network().layers.size());
  tap.layer = tap_layer_ < layers ? tap_layer_.load() : program_->favourite_layer;
  tap.delta = o->tap_delta;
  generator.generate(std::span(codes_).first(n), o->log_prob, o->entropy, &tap, last_logits_);
  std::copy_n(codes_.begin(), n, o->codes.begin());
  std::copy_n(o->entropy.begin(), n, entropy_.begin());
  o->tap_layer = tap.layer;
  o->tap_channels =
      tap.steps == 0
          ? 0
          : generator.engine().layout().layers[static_cast<std::size_t>(tap.layer)].d_inner;
  o->tap_steps = tap.steps;
  o->tap_first_step = tap.steps == 0 ? tap.first_step : step_in_run(tap.first_step, tap.layer, n);
  program_->observations.queue->publish();
}

}  // namespace mambo
