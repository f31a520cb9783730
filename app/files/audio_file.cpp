#include "app/files/audio_file.h"

#include <fmt/core.h>

#include "kernels/error.h"

namespace mambo {

FileFormat parse_file_format(const std::string& name) {
  if (name == "wav") return FileFormat::wav;
  if (name == "flac") return FileFormat::flac;
  if (name == "ogg") return FileFormat::ogg;
  throw Error(fmt::format("expected a format of wav, flac or ogg, found \"{}\"", name));
}

const char* file_format_extension(FileFormat f) {
  switch (f) {
    case FileFormat::wav:
      return "wav";
    case FileFormat::flac:
      return "flac";
    case FileFormat::ogg:
      return "ogg";
  }
  return "wav";
}

}  // namespace mambo
