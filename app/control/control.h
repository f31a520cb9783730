// Everything that can be changed while mambo plays, as one table: the only place with a control's
// name, range, unit, default and help. Options, sliders, tooltips, settings, recipes, performances
// and `mambo controls` are made from it; docs/developing.md says how a control is added.
// Past 400 lines: the table is in one place.
// Pure data and pure functions: any thread, no allocation where not said otherwise.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "kernels/sampling.h"
#include "kernels/sampling_limits.h"

namespace mambo {

// In the table's order. What comes after latency are no controls: they stand in a log of events
// beside the controls (app/control/event.h) and have no entry in the table.
enum class ControlId : std::uint8_t {
  temperature,
  top_k,
  top_p,
  min_p,
  floor,
  gate,
  rng_seed,
  again,
  delta_scale,  // from here to read: a value of each layer (kLayerValues)
  hold_delta,
  hold_B,
  hold_C,
  read,
  forget,
  playing,
  guard,
  level,
  match_level,
  latency,
  program,       // another model or clip; the value is its number in the performance
  engine,        // the same program goes on with another engine; the value is its number likewise
  recording,     // the first sample that a recording holds
  brought_back,  // by the guard: the value is the position of the state that it goes on from
  // Moments (app/control/moment_event.h says what their values are).
  slot,     // what a slot holds came from a file, or from before the log begins
  store,    // a slot takes what plays
  unstore,  // a slot takes back what it held before
  clear,    // a slot is emptied
  recall,   // what plays is what a slot holds
  morph,    // ... a mixture of slots
  jump,     // a sample of the past is looked for
  land,     // ... and what plays is what played there
  fork,     // where continuations begin
  keep,     // what plays is one of them
  // An input (app/control/listen_event.h).
  listen,  // what comes in is absorbed in place of what would be drawn
  answer,  // ... up to here
};
inline constexpr std::size_t kControls = static_cast<std::size_t>(ControlId::latency) + 1;
inline constexpr std::size_t kLayerValues = static_cast<std::size_t>(ControlId::read) -
                                            static_cast<std::size_t>(ControlId::delta_scale) + 1;

// session: of the program as a whole; voice: of what is drawn; layer, tier: of one, some or all of
// the network's (app/control/target.h); output: of the sound after it was drawn, in the output
// stage.
enum class Scope : std::uint8_t { session, voice, layer, tier, output };
const char* scope_name(Scope scope);

// real, integer and toggle (0 or 1) have their value in ControlValue::real; whole64, all of an
// unsigned 64-bit number, in ControlValue::whole. A trigger happens, and has no value; an impulse
// happens with one, a real: what it was called with is nothing that holds afterwards.
enum class ControlKind : std::uint8_t { real, integer, toggle, trigger, impulse, whole64 };
const char* kind_name(ControlKind kind);

// How a slider's travel, 0 to 1, goes over the range.
enum class Taper : std::uint8_t {
  linear,
  logarithmic,
  knee,  // linear up to `knee` over four fifths of the travel, linear from there to max
  // From 0 in a straight line to `knee` over a twentieth of the travel, logarithmic from there.
  logarithmic_from_zero,
};
const char* taper_name(Taper taper);

struct ControlValue {
  double real = 0;
  std::uint64_t whole = 0;
  bool operator==(const ControlValue&) const = default;
};

struct ControlSpec {
  ControlId id;
  const char* key;      // "top_k" in files; --top-k on the command line
  const char* label;    // "Top k"
  const char* unit;     // "dB"; empty: none
  double min, max;      // whole64: all 64 bits whatever stands here
  ControlValue normal;  // what holds where none of the model, a preset and the user says otherwise
  Taper taper;
  double knee;  // of the tapers that have one
  Scope scope;
  ControlKind kind;
  double step;                // of an arrow key; 0: a hundredth of the slider's travel
  const char* format;         // printf's for one double (whole64: for one unsigned long long)
  std::optional<double> off;  // at this value the control does nothing, or silences
  const char* help;           // whole sentences

  constexpr bool ramps() const { return kind == ControlKind::real || kind == ControlKind::integer; }
  constexpr bool happens() const {
    return kind == ControlKind::trigger || kind == ControlKind::impulse;
  }
  constexpr bool has_targets() const { return scope == Scope::layer || scope == Scope::tier; }
};

inline constexpr std::array<ControlSpec, kControls> kControlTable = {{
    {.id = ControlId::temperature,
     .key = "temperature",
     .label = "Temperature",
     .unit = "",
     .min = SamplingLimits::min_temperature,
     .max = SamplingLimits::max_temperature,
     .normal = {SamplingParams{}.temperature, 0},
     .taper = Taper::knee,
     .knee = 2,
     .scope = Scope::voice,
     .kind = ControlKind::real,
     .step = 0.01,
     .format = "%.2f",
     .off = std::nullopt,
     .help =
         "How daring the draw is: 0 always takes the most likely code, 1 is the model as it was "
         "trained, more is noisier."},
    {.id = ControlId::top_k,
     .key = "top_k",
     .label = "Top k",
     .unit = "codes",
     .min = SamplingLimits::min_top_k,
     .max = SamplingLimits::max_top_k,
     .normal = {SamplingParams{}.top_k, 0},
     .taper = Taper::linear,
     .knee = 0,
     .scope = Scope::voice,
     .kind = ControlKind::integer,
     .step = 1,
     .format = "%.0f codes",
     .off = 0,
     .help = "Draw only from the k most likely of the 256 codes; 0 is off."},
    {.id = ControlId::top_p,
     .key = "top_p",
     .label = "Top p",
     .unit = "",
     .min = SamplingLimits::min_top_p,
     .max = SamplingLimits::max_top_p,
     .normal = {SamplingParams{}.top_p, 0},
     .taper = Taper::linear,
     .knee = 0,
     .scope = Scope::voice,
     .kind = ControlKind::real,
     .step = 0.001,
     .format = "%.3f",
     .off = 1,
     .help = "Draw only from the most likely codes that together have this share of the "
             "probability; 1 is off."},
    {.id = ControlId::min_p,
     .key = "min_p",
     .label = "Min p",
     .unit = "",
     .min = SamplingLimits::min_min_p,
     .max = SamplingLimits::max_min_p,
     .normal = {SamplingParams{}.min_p, 0},
     .taper = Taper::knee,
     .knee = 0.2,
     .scope = Scope::voice,
     .kind = ControlKind::real,
     .step = 0.001,
     .format = "%.3f",
     .off = 0,
     .help = "Leave out codes less likely than this share of the likeliest one; 0 is off."},
    {.id = ControlId::floor,
     .key = "floor",
     .label = "Floor",
     .unit = "",
     .min = SamplingLimits::min_floor,
     .max = SamplingLimits::max_floor,
     .normal = {SamplingParams{}.floor, 0},
     .taper = Taper::logarithmic,
     .knee = 0,
     .scope = Scope::voice,
     .kind = ControlKind::real,
     .step = 0,
     .format = "%.2g",
     .off = 1,
     .help = "What top k, top p and min p leave out comes back if the model gives it at least this "
             "probability: 1e-5 keeps the rare code that begins a note; 1 is off."},
    {.id = ControlId::gate,
     .key = "gate",
     .label = "Gate",
     .unit = "bits",
     .min = SamplingLimits::min_gate,
     .max = SamplingLimits::max_gate,
     .normal = {SamplingParams{}.gate, 0},
     .taper = Taper::linear,
     .knee = 0,
     .scope = Scope::voice,
     .kind = ControlKind::real,
     .step = 0.05,
     .format = "%.2f bits",
     .off = 0,
     .help =
         "Top k, top p and min p act only where the next sample is less certain than this: silence "
         "keeps its tail, noise loses it; 0 is off."},
    {.id = ControlId::rng_seed,
     .key = "rng_seed",
     .label = "Random seed",
     .unit = "",
     .min = 0,
     .max = 18446744073709551615.0,
     .normal = {0, 1},
     .taper = Taper::linear,
     .knee = 0,
     .scope = Scope::voice,
     .kind = ControlKind::whole64,
     .step = 1,
     .format = "%llu",
     .off = std::nullopt,
     .help =
         "Where the random numbers start: the same random seed, clip and controls make the same "
         "music, sample for sample. Used from the next Again on."},
    {.id = ControlId::again,
     .key = "again",
     .label = "Again",
     .unit = "",
     .min = 0,
     .max = 1,
     .normal = {},
     .taper = Taper::linear,
     .knee = 0,
     .scope = Scope::voice,
     .kind = ControlKind::trigger,
     .step = 0,
     .format = "%.0f",
     .off = std::nullopt,
     .help = "Back to the end of the clip, and on from there with the random seed."},
    {.id = ControlId::delta_scale,
     .key = "delta_scale",
     .label = "Delta scale",
     .unit = "",
     .min = 0,
     .max = 16,
     .normal = {1, 0},
     .taper = Taper::logarithmic_from_zero,
     .knee = 1.0 / 16,
     .scope = Scope::layer,
     .kind = ControlKind::real,
     .step = 0,
     .format = "%.3f",
     .off = 1,
     .help = "How fast memory runs: delta times this. 2 forgets twice as fast, 0.5 half as fast; 0 "
             "freezes: nothing fades and nothing is written."},
    {.id = ControlId::hold_delta,
     .key = "hold_delta",
     .label = "Hold delta",
     .unit = "",
     .min = 0,
     .max = 1,
     .normal = {},
     .taper = Taper::linear,
     .knee = 0,
     .scope = Scope::layer,
     .kind = ControlKind::real,
     .step = 0.01,
     .format = "%.2f",
     .off = 0,
     .help =
         "How far delta, how long memory lasts, stands still at its mean over the clip: 0 follows "
         "the sound, 1 is the mean. With all three holds at 1, S6 is played as S4."},
    {.id = ControlId::hold_B,
     .key = "hold_B",
     .label = "Hold B",
     .unit = "",
     .min = 0,
     .max = 1,
     .normal = {},
     .taper = Taper::linear,
     .knee = 0,
     .scope = Scope::layer,
     .kind = ControlKind::real,
     .step = 0.01,
     .format = "%.2f",
     .off = 0,
     .help =
         "How far B, what is written to memory, stands still at its mean over the clip: 0 follows "
         "the sound, 1 is the mean. With all three holds at 1, S6 is played as S4."},
    {.id = ControlId::hold_C,
     .key = "hold_C",
     .label = "Hold C",
     .unit = "",
     .min = 0,
     .max = 1,
     .normal = {},
     .taper = Taper::linear,
     .knee = 0,
     .scope = Scope::layer,
     .kind = ControlKind::real,
     .step = 0.01,
     .format = "%.2f",
     .off = 0,
     .help =
         "How far C, what is read from memory, stands still at its mean over the clip: 0 follows "
         "the sound, 1 is the mean. With all three holds at 1, S6 is played as S4."},
    {.id = ControlId::read,
     .key = "read",
     .label = "Read",
     .unit = "",
     .min = 0,
     .max = 2,
     .normal = {1, 0},
     .taper = Taper::linear,
     .knee = 0,
     .scope = Scope::layer,
     .kind = ControlKind::real,
     .step = 0.01,
     .format = "%.2f",
     .off = 1,
     .help = "How loudly memory is read: C times this. 0 hears the present alone, 1 is the model's "
             "own."},
    {.id = ControlId::forget,
     .key = "forget",
     .label = "Forget",
     .unit = "",
     .min = 0,
     .max = 1,
     .normal = {},
     .taper = Taper::linear,
     .knee = 0,
     .scope = Scope::layer,
     .kind = ControlKind::impulse,
     .step = 0.01,
     .format = "%.2f",
     .off = 1,
     .help = "Memory times this, at once: 0 empties it, 1 leaves it as it is."},
    {.id = ControlId::playing,
     .key = "playing",
     .label = "Play",
     .unit = "",
     .min = 0,
     .max = 1,
     .normal = {},
     .taper = Taper::linear,
     .knee = 0,
     .scope = Scope::session,
     .kind = ControlKind::toggle,
     .step = 1,
     .format = "%.0f",
     .off = 0,
     .help = "1 plays; 0 pauses: the sound fades out and the model stands still."},
    {.id = ControlId::guard,
     .key = "guard",
     .label = "Guard",
     .unit = "",
     .min = 0,
     .max = 1,
     .normal = {1, 0},
     .taper = Taper::linear,
     .knee = 0,
     .scope = Scope::session,
     .kind = ControlKind::toggle,
     .step = 1,
     .format = "%.0f",
     .off = 0,
     .help =
         "1 hears when the model falls silent for long, turns to noise or sticks in a tone, and "
         "fades over to a moment when all was well."},
    {.id = ControlId::level,
     .key = "level",
     .label = "Level",
     .unit = "dB",
     .min = -60,
     .max = 12,
     .normal = {},
     .taper = Taper::linear,
     .knee = 0,
     .scope = Scope::output,
     .kind = ControlKind::real,
     .step = 0.5,
     .format = "%+.1f dB",
     .off = -60,
     .help = "Loudness; 0 dB is as drawn, -60 dB is silence. A limiter keeps it from clipping. "
             "Recordings are as drawn."},
    {.id = ControlId::match_level,
     .key = "match_level",
     .label = "Match level",
     .unit = "",
     .min = 0,
     .max = 1,
     .normal = {},
     .taper = Taper::linear,
     .knee = 0,
     .scope = Scope::output,
     .kind = ControlKind::toggle,
     .step = 1,
     .format = "%.0f",
     .off = 0,
     .help = "1 brings what is drawn slowly to the loudness of the clip's last ten seconds, by at "
             "most 12 dB; rests stay rests. Live recordings are as drawn."},
    {.id = ControlId::latency,
     .key = "latency",
     .label = "Latency",
     .unit = "ms",
     .min = 10,
     .max = 2000,
     .normal = {60, 0},
     .taper = Taper::logarithmic,
     .knee = 0,
     .scope = Scope::session,
     .kind = ControlKind::real,
     .step = 5,
     .format = "%.0f ms",
     .off = std::nullopt,
     .help = "How much sound is kept ready, ring and device together. Less answers faster to the "
             "controls, more survives a busy machine. A sound server may keep more: the meter says "
             "what it comes to."},
}};

// Of a control in the table.
constexpr const ControlSpec& control_spec(ControlId id) {
  return kControlTable[static_cast<std::size_t>(id)];
}
const ControlSpec* find_control(std::string_view key);  // by key; null: there is none

// Which of a layer's values this is, from 0 to kLayerValues - 1; kLayerValues or more: none.
constexpr std::size_t layer_value(ControlId id) {
  return static_cast<std::size_t>(id) - static_cast<std::size_t>(ControlId::delta_scale);
}
constexpr ControlId layer_value_id(std::size_t value) {
  return static_cast<ControlId>(static_cast<std::size_t>(ControlId::delta_scale) + value);
}

// Whether it is a value that this control may have: in range, whole where it must be, finite.
bool in_range(const ControlSpec& spec, const ControlValue& value);
// The nearest value that it may have; what is no number gives the default.
ControlValue clamped(const ControlSpec& spec, const ControlValue& value);

// A slider's travel, 0 to 1, and the value there. Not of whole64. `useful`, in the control's range,
// has four fifths of the travel, whatever the taper; what is below and above it has a tenth each,
// in which the value goes to the range's end as a square, slowly at first.
using Useful = std::optional<UsefulRange>;
double travel_of(const ControlSpec& spec, double value, const Useful& useful = {});
double value_at(const ControlSpec& spec, double travel, const Useful& useful = {});
// So many steps of an arrow key on from `value`.
double stepped(const ControlSpec& spec, double value, int steps);

// "0 to 10", "10 to 2000 ms". Allocates.
std::string range_text(const ControlSpec& spec);

}  // namespace mambo
