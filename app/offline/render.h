// Sound made offline, as fast as the machine can: the clip is absorbed once, then any number of
// voices are drawn from it side by side on all cores. Memory does not grow with their number.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "app/offline/render_plan.h"
#include "kernels/engine.h"

namespace mambo {

// Progress of a rendering; called on the rendering thread.
class RenderEvents {
 public:
  virtual ~RenderEvents() = default;
  virtual void absorbing(std::uint64_t /*samples*/, std::uint64_t /*of*/) {}
  virtual void drawing(std::uint64_t /*samples*/, std::uint64_t /*of*/) {}  // over all voices
  virtual void file_done(const std::filesystem::path& /*path*/, const Recipe& /*recipe*/) {}
  virtual bool stop() { return false; }  // called about ten times per second
};

struct RenderSummary {
  std::uint64_t files = 0;
  std::uint64_t samples = 0;  // drawn, at the model's rate, over all voices
  double absorb_s = 0;        // wall time
  double draw_s = 0;
  std::uint64_t undecided = 0;  // takes drawn, wholly or in part, of contests that were not over
  bool interrupted = false;  // stopped: the files of open takes are valid and shorter, or not there
};

// Makes all takes of `takes` from `seed` (codes; empty: from silence), at most `open_at_once`
// voices at a time, in order, each begun when one before it is done; 0: as many as the engine likes
// (Engine::streams_at_once). Fewer where the system lets no more files be open, or where their
// encoders and held samples would take more than a gigabyte. Throws Error when something cannot be
// written; what was drawn until then is kept the same way as after a stop. limits: of takes with a
// guard (guard_limits()).
//
// net: the engine's, where takes have values of layers (Recipe::layers); they hold from the first
// sample drawn on, the clip is absorbed as the model is. Throws Error, before anything is drawn,
// where one holds a mean and the clip is too short to have any.
RenderSummary render(const Engine& engine, std::span<const Take> takes,
                     std::span<const std::uint8_t> seed, int open_at_once, RenderEvents& events,
                     const TroubleLimits& limits = {}, const NetworkView* net = nullptr);

}  // namespace mambo
