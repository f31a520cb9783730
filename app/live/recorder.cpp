#include "app/live/recorder.h"

#include <array>
#include <chrono>

#include "kernels/error.h"

namespace mambo {

Recorder::~Recorder() {
  if (!running()) return;
  stop_ = true;
  thread_.join();  // the writer's destructor leaves a valid file
}

void Recorder::start(const std::filesystem::path& path, int rate, const std::string& comment) {
  WriterOptions options;
  const std::string extension = path.extension().string();
  options.format = parse_file_format(extension.empty() ? "wav" : extension.substr(1));
  options.rate = rate;
  options.comment = comment;
  writer_ = std::make_unique<AudioWriter>(path, options);
  ring_.discard(ring_.filled());
  stop_ = false;
  failed_ = false;
  samples_ = 0;
  error_.clear();
  thread_ = std::thread([this] { run(); });
}

void Recorder::stop(const std::string& comment) {
  if (!running()) return;
  stop_ = true;
  thread_.join();
  if (error_.empty()) {
    try {
      if (!comment.empty()) writer_->amend_comment(comment);
      writer_->close();
    } catch (const Error& e) {
      error_ = e.what();
    }
  }
  writer_.reset();
  if (!error_.empty()) throw Error(error_);
}

void Recorder::run() {
  try {
    while (!stop_) {
      drain();
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    drain();
  } catch (const std::exception& e) {
    error_ = e.what();
    failed_ = true;
  }
}

void Recorder::drain() {
  std::array<float, 4096> block{};
  for (std::size_t n = ring_.read(block); n > 0; n = ring_.read(block)) {
    writer_->write(std::span<const float>(block).first(n));
    samples_ += n;
  }
}

}  // namespace mambo
