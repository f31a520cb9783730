#include "sanitized.h"

#if defined(__SANITIZE_THREAD__)

// Libraries that were not built for ThreadSanitizer lock in ways that it cannot see. They do not
// call the callback, so none of this project's code is hidden.
extern "C" const char* __tsan_default_suppressions() {  // NOLINT(bugprone-reserved-identifier)
  return "race:libpulse\nrace:libasound\n";
}

#endif
