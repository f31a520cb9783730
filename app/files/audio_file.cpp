#include "app/files/audio_file.h"

#include <fmt/core.h>

#include "kernels/error.h"

namespace mambo {

FileFormat parse_file_format(const std::string& name) {
  if (name == "wav") return FileFormat::wav;
  if (name == "flac") return FileFormat::flac;
  if (name == "ogg") return FileFormat::ogg;
  if (name == "raw") return FileFormat::raw;
  throw Error(fmt::format("expected a format of wav, flac, ogg or raw, found \"{}\"", name));
}

const char* file_format_extension(FileFormat f) {
  switch (f) {
    case FileFormat::wav:
      return "wav";
    case FileFormat::flac:
      return "flac";
    case FileFormat::ogg:
      return "ogg";
    case FileFormat::raw:
      return "raw";
  }
  return "wav";
}

SampleBits parse_sample_bits(const std::string& name) {
  for (const SampleBits b : {SampleBits::pcm16, SampleBits::pcm24, SampleBits::float32}) {
    if (name == sample_bits_name(b)) return b;
  }
  throw Error(fmt::format("expected bits of 16, 24 or float, found \"{}\"", name));
}

const char* sample_bits_name(SampleBits b) {
  switch (b) {
    case SampleBits::pcm16:
      return "16";
    case SampleBits::pcm24:
      return "24";
    case SampleBits::float32:
      return "float";
  }
  return "16";
}

}  // namespace mambo
