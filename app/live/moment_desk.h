// What moments need beside the generator thread: copies of slots in the portable form, files,
// names, and continuations. Worker thread, but for what says otherwise.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>

#include "app/live/forker.h"
#include "app/live/generator_thread.h"
#include "app/live/moment_status.h"
#include "app/live/recording.h"
#include "app/live/status_board.h"

namespace mambo {

class MomentDesk {
 public:
  MomentDesk(GeneratorThread& generator, Recording& recording, Forker& forker, StatusBoard& board)
      : generator_(generator), recording_(recording), forker_(forker), board_(board) {}

  // To be called a few times per second: copies what came into slots, for files, performances and
  // an engine that is lost.
  void watch();
  // What slots hold, as far as it was copied.
  std::array<std::shared_ptr<const Moment>, kSlots> slots() const;
  // After GeneratorThread::replace: the same moments under other numbers.
  void renumbered();

  // Each throws Error. save: replaces nothing but a moment.
  void save(int slot, const std::filesystem::path& path);
  void load(int slot, const std::filesystem::path& path);
  // Has `count` continuations drawn of the mark that was asked for when there were `forks_before`.
  // Waits for the mark, some milliseconds.
  void fork(int count, double seconds, std::uint64_t forks_before);
  void keep(int i, bool at_end);

  // ---- Owner ----
  void name(int slot, std::uint64_t number, const std::string& name);
  void fill(MomentStatus& status) const;  // names, of the numbers that the status has

 private:
  struct Copy {
    std::uint64_t number = 0;
    std::shared_ptr<const Moment> moment;
  };
  struct Name {
    std::uint64_t number = 0;
    std::string name;
  };
  Moments* moments() const;  // null: no program
  std::string name_of(int slot, std::uint64_t number) const;
  Moment copy_of(int slot);  // with its name; throws Error
  static std::size_t place(int slot) { return static_cast<std::size_t>(slot); }

  GeneratorThread& generator_;
  Recording& recording_;
  Forker& forker_;
  StatusBoard& board_;
  std::array<Copy, kSlots> copies_;
  mutable std::mutex mutex_;
  std::array<Name, kSlots> names_;
};

}  // namespace mambo
