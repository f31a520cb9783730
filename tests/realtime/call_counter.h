// Counts what the audio callback and the generator must not do: this executable's malloc and
// related functions, locks, waits and writes are replaced by ones that count and call the
// originals.
#pragma once

#include <cstdint>
#include <string>

namespace mambo::testing {

struct Calls {
  std::uint64_t allocations = 0;  // malloc, calloc, realloc, aligned_alloc, ..., operator new
  std::uint64_t frees = 0;
  std::uint64_t locks = 0;   // pthread mutexes, reader-writer and spin locks
  std::uint64_t waits = 0;   // condition variables, semaphores, futexes
  std::uint64_t sleeps = 0;  // nanosleep and related functions
  std::uint64_t files = 0;   // write, read, open, poll

  // All but sleeps, which the generator thread may do while the ring is full.
  std::uint64_t forbidden() const { return allocations + frees + locks + waits + files; }
  std::string text() const;
};

// False under a sanitizer, which installs its own replacements: nothing is counted then.
bool counts_calls();

// Counts this thread's calls during its lifetime. One at a time per thread.
class CountHere {
 public:
  CountHere();
  ~CountHere();
  CountHere(const CountHere&) = delete;
  CountHere& operator=(const CountHere&) = delete;
  Calls calls() const;
};

// Counts the calls of all threads but its creator's during its lifetime. One at a time.
class CountElsewhere {
 public:
  CountElsewhere();
  ~CountElsewhere();
  CountElsewhere(const CountElsewhere&) = delete;
  CountElsewhere& operator=(const CountElsewhere&) = delete;
  Calls calls() const;
};

}  // namespace mambo::testing

#define MAMBO_NEEDS_CALL_COUNTER()                                                     \
  do {                                                                                 \
    if (!mambo::testing::counts_calls())                                               \
      GTEST_SKIP() << "a sanitizer has replaced malloc: calls cannot be counted here"; \
  } while (false)
