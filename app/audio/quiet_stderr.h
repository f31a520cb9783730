// Sound libraries talk to stderr while they look for devices that are not there. Unix only.
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
