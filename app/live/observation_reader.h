// The consumer's side of the observations: the end of the clip and what is generated as one
// sequence, read in place. Used by the thread that owns the session.
#pragma once

#include <cstddef>
#include <cstdint>

#include "app/live/observation.h"

namespace mambo {

class ObservationReader {
 public:
  // The oldest observation of `generation` that was not popped, or null; valid until pop() or the
  // next front(). Another generation starts from the clip again; generated observations of earlier
  // ones are skipped. `source` is kept alive as long as what was returned. No copy, no allocation.
  const Observation* front(const ObservationSource& source, std::uint64_t generation);
  // Gives the slot of the last front() back to the generator thread.
  void pop();

 private:
  ObservationSource source_;
  std::uint64_t generation_ = 0;
  std::size_t clip_next_ = 0;  // of source_.clip
  const Observation* front_ = nullptr;
};

}  // namespace mambo
