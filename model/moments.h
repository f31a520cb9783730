// The moments of one voice: eight slots, mixing them, the last minute, and what is drawn aside.
//
// The voice that plays is moved between states; each move fades over from the sound before it for
// kFade seconds, during which both are drawn, so that what is heard, what is recorded and what a
// performance draws again are the same samples.
//
// Time is the caller's: `position` counts samples since the run began (a new clip, or Again), and
// what is kept of the past is kept on a grid of it, so that the same calls at the same positions
// give the same sound, whatever is cut into chunks where. A state's own position goes its own way
// after a move.
//
// Phase: a tier gathers `pool` steps before the next one steps, so states can be mixed only where
// all groups begin anew, at multiples of common_stride(). Slots are stored there alone: a store
// waits for less than one stride (64 samples in the shipped models, 4 ms), a recall or a morph for
// nothing.
//
// Memory: 22 states, up to kKept states of the past within kPastBytes, and nine states in
// StateLayout for mixing; made by the constructor. No other call allocates where not said
// otherwise. One thread, but for what says otherwise. On a GPU morph() reads and writes states
// through the host, under the lock of the engine's conversion.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "model/moment.h"
#include "model/voice.h"

namespace mambo {

class Moments {
 public:
  static constexpr double kFade = 0.010;  // s
  static constexpr double kGrid = 0.5;    // s
  static constexpr std::size_t kKept = 120;
  static constexpr std::size_t kPastBytes = 256U << 20U;

  struct Options {
    int sample_rate = 16000;         // Hz
    std::array<float, 256> table{};  // code -> sample
    bool keeps_past = true;
  };
  // The voice outlives this.
  Moments(Voice& voice, const NetworkView& net, const Options& options);

  // A run begins where the voice stands: what was kept of the past, what can be undone and a fork
  // are gone, slots stay.
  void begin_run(std::uint64_t position);
  // The slots of another of the same network, whose engine may be another: by way of the host then
  // (allocates). Where `kept` is given, its moments by slot instead of that one's states, which are
  // lost with their engine.
  void take_over(Moments& from);
  void take_over(const std::array<std::shared_ptr<const Moment>, kSlots>& kept);

  // ---- Slots ----
  bool aligned() const { return to_alignment() == 0; }
  std::uint64_t to_alignment() const;  // samples until a store can be made
  // False, and nothing happens: not aligned, or another thread reads the slot.
  bool store(int slot, std::uint64_t position);
  // The slot and what it held before change places; again: back. False: it held nothing.
  bool unstore(int slot);
  bool can_unstore(int slot) const;
  bool clear(int slot);
  bool filled(int slot) const;
  // From a file. False: another thread reads the slot. May allocate.
  bool put(int slot, const Moment& moment);
  const MomentPicture& picture(int slot) const { return slot_(slot).now.picture; }
  // Changes with whatever comes into the slot; 0: empty. Any thread.
  std::uint64_t number(int slot) const {
    return numbers_[static_cast<std::size_t>(slot)].load(std::memory_order_acquire);
  }
  void count_from(std::uint64_t number) { next_number_ = number; }
  std::uint64_t next_number() const { return next_number_; }
  // The slot's content in the portable form; nothing: it is empty, or being written, or no longer
  // `number`. Any one other thread; allocates.
  std::optional<Moment> read(int slot, std::uint64_t number);

  // ---- Moves. False, and nothing happens: there is nothing to go to ----
  bool fading() const { return fade_at_ < fade_.size(); }  // no move meanwhile
  bool recall(int slot, std::uint64_t position);           // or kBefore
  bool can_return() const { return has_before_; }
  void moved(std::uint64_t position) { keep_past(position, false); }  // by others: the voice
  std::uint64_t moves() const { return moves_; }                      // made so far
  // One slot that has all the weight: its recall, bit for bit. Position and random stream are those
  // of the first slot that has weight.
  bool morph(const Morph& morph, std::uint64_t position);

  // ---- The last minute ----
  // First sample that can be jumped to; nothing is kept: position.
  std::uint64_t reach(std::uint64_t position) const;
  // Goes to where the voice drew sample `to`: from the nearest state that was kept before it, the
  // codes between are absorbed aside, by absorb(), under the controls that hold at this call. What
  // cannot be reached is replaced by the nearest sample that can.
  bool begin_jump(std::uint64_t to, std::uint64_t position);
  bool jumping() const { return jumping_; }
  bool absorbed() const { return jumping_ && jump_at_ == jump_end_; }
  void absorb(std::size_t most);  // codes
  bool land(std::uint64_t position);

  // ---- Aside ----
  // Marks a slot, or with kNoSlot the present, as where continuations begin, with the controls of
  // the draw that hold now. False: empty, or another thread reads the mark.
  bool fork(int slot);
  bool forked() const { return forked_; }
  // For another thread that draws continuations: a copy of the mark. False: none, or being written.
  struct Fork {
    Snapshot begin;  // with the voice's random stream there
    SamplingParams sampling;
    Selectivity selectivity;
  };
  std::optional<Fork> read_fork();  // any one other thread; allocates
  // Goes to the mark with the random stream of a continuation, or to its end, which put_end() or
  // draw_end() brought.
  bool keep(std::uint64_t rng_seed, std::uint32_t samples, bool at_end, std::uint64_t position);
  void put_end(const State& state, std::uint64_t rng_seed, std::uint32_t samples);
  void draw_end(std::uint64_t rng_seed, std::uint32_t samples);  // draws it: allocates

  // ---- Drawing ----
  // The first position after this one where a piece has to end.
  std::uint64_t next_boundary(std::uint64_t position) const;
  // What the voice drew from `position` on, as samples: mixed with what fades out; kept as past.
  // Pieces end at next_boundary(). Controls of the draw: the voice's.
  void drew(std::span<const std::uint8_t> codes, std::span<float> samples, std::uint64_t position);

  Voice& voice() { return voice_; }

 private:
  struct Content {
    Snapshot at;
    bool filled = false;
    MomentPicture picture;
    std::uint64_t number = 0;
  };
  struct Slot {
    Content now, previous;
    std::vector<float> host;        // of `now`, for mixing
    std::uint64_t host_number = 0;  // whose it is
  };
  struct Kept {
    Snapshot at;
    std::uint64_t position = 0;
    std::uint64_t until = 0;  // the stream was moved there; kOpen: not yet
    bool on_grid = false;
  };
  class Hold;

  const Slot& slot_(int slot) const { return slots_[static_cast<std::size_t>(slot)]; }
  Slot& slot_(int slot) { return slots_[static_cast<std::size_t>(slot)]; }
  static bool is_slot(int slot) { return slot >= 0 && slot < kSlots; }
  void came_in(int slot);
  void leave(std::uint64_t position);   // before a move
  void arrive(std::uint64_t position);  // after it
  void keep_past(std::uint64_t position, bool on_grid);
  const Kept& kept(std::size_t i) const;  // 0: the oldest
  Kept& kept(std::size_t i);
  void fade_out(std::span<float> samples);
  MomentPicture picture_at(std::uint64_t position) const;
  std::span<const float> host(Slot& slot);

  Voice& voice_;
  const Engine& engine_;
  const std::uint64_t stride_;
  const Options options_;
  const std::uint64_t grid_;  // samples

  std::array<Slot, kSlots> slots_;
  std::array<std::atomic<std::uint64_t>, kSlots> numbers_{};
  std::array<std::atomic<bool>, kSlots + 1> held_{};  // the last one: the fork's mark
  std::uint64_t next_number_ = 1;
  std::vector<float> mixed_;

  Snapshot before_, spare_;
  bool has_before_ = false;
  std::uint64_t moved_ = 0;  // position of the last move
  std::uint64_t moves_ = 0;

  Voice leaving_;
  std::vector<float> fade_;  // what the new sound counts
  std::size_t fade_at_ = 0;
  std::vector<std::uint8_t> leaving_codes_;

  std::vector<Kept> past_;  // a ring
  std::size_t past_first_ = 0, past_count_ = 0;
  std::vector<std::uint8_t> codes_;  // a ring: code i is at i % size
  std::uint64_t codes_from_ = 0;     // what is before was drawn in another run

  Voice aside_;
  bool jumping_ = false;
  std::vector<std::uint8_t> jump_codes_;
  std::size_t jump_at_ = 0, jump_end_ = 0;

  Snapshot fork_, end_;
  bool forked_ = false, has_end_ = false;
  SamplingParams fork_sampling_;
  Selectivity fork_selectivity_;
  std::uint64_t end_seed_ = 0;
  std::uint32_t end_samples_ = 0;
};

}  // namespace mambo
