// Silences stderr while sound libraries probe for missing devices and report each. Unix only.
#pragma once

namespace mambo {

// While any lives, what the process writes to stderr is lost, unless MAMBO_VERBOSE is set: so for a
// few calls at a time. Any thread; the lives of several may overlap.
class QuietStderr {
 public:
  QuietStderr();
  ~QuietStderr();
  QuietStderr(const QuietStderr&) = delete;
  QuietStderr& operator=(const QuietStderr&) = delete;
};

}  // namespace mambo
