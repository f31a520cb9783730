// A performance drawn once more: what was recorded live, sample for sample, as fast as the machine
// can.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "app/control/performance.h"
#include "app/offline/render.h"
#include "kernels/engine.h"
#include "model/model.h"
#include "model/moment.h"

namespace mambo {

// Where what a performance names comes from; each call may take seconds and throw Error.
class ReplaySource {
 public:
  virtual ~ReplaySource() = default;
  virtual std::shared_ptr<const Model> model(const PlayedProgram& program) = 0;
  // The whole clip in the model's encoding; empty: from silence.
  virtual std::vector<std::uint8_t> clip(const PlayedProgram& program, const Model& model) = 0;
  virtual std::shared_ptr<const Engine> engine(const PlayedEngine& engine, const Model& model) = 0;
  // What a slot held. Here: the file, which has to be the one that was played.
  virtual Moment moment(const PlayedMoment& moment, const Model& model);
  // What was listened to, as codes. Here: likewise.
  virtual std::vector<std::uint8_t> heard(const PlayedSound& sound, const Model& model);
};

struct ReplaySummary {
  std::uint64_t recorded = 0;  // samples handed to `write`
  std::uint64_t drawn = 0;     // samples in all: what came before the recording has to be drawn too
  bool interrupted = false;
};

// Draws from the performance's beginning and hands the recorded stretch to `write`, in pieces, at
// the model's rate. The same on the same engines, whatever is cut where: changes of controls and
// ramps by sample, moments, Again, another program, and an engine that was lost.
ReplaySummary replay(const Performance& performance, ReplaySource& source, RenderEvents& events,
                     const std::function<void(std::span<const float>)>& write);

}  // namespace mambo
