// A sound file. The first byte chooses the extension, which some readers heed.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "app/files/audio_file.h"
#include "kernels/error.h"
#include "tests/fuzz/targets/scratch_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using mambo::fuzz::ScratchFile;
  static const std::array<ScratchFile, 6> files{ScratchFile("x.wav"),  ScratchFile("x.flac"),
                                                ScratchFile("x.ogg"),  ScratchFile("x.mp3"),
                                                ScratchFile("x.aiff"), ScratchFile("x.au")};
  if (size == 0) return 0;
  try {
    const auto& path = files[data[0] % files.size()].write(data + 1, size - 1);
    const mambo::Clip clip = mambo::load_clip(path, 16000);
    for (const float x : clip.samples)
      if (!(x >= -1.0F && x <= 1.0F)) std::abort();
  } catch (const mambo::Error&) {  // the expected outcome for damaged input
  }
  return 0;
}
