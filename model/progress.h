// How a long reading tells how far it is and is told to stop.
#pragma once

#include <functional>

#include "kernels/error.h"

namespace mambo {

// Called many times per second on the reading thread with the share done, 0 to 1 (0 throughout
// where the end is not known); false ends the reading. Empty: no reports, no cancelling.
using LoadProgress = std::function<bool(double share)>;

inline void tell(const LoadProgress& progress, double share) {
  if (progress && !progress(share)) throw Cancelled();
}

}  // namespace mambo
