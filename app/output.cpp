#include "app/output.h"

#include <thread>

#include "kernels/error.h"

namespace mambo {

class Output::Source final : public AudioSource {
 public:
  explicit Source(OutputStage& stage) : stage_(stage) {}
  void prepare(double device_rate, int channels, int max_frames) override {
    stage_.prepare(device_rate, channels, max_frames);
  }
  void render(float* out, int frames) noexcept override { stage_.render(out, frames); }

 private:
  OutputStage& stage_;
};

std::string Output::open(double rate, const std::string& device, double device_latency_s) {
  close();
  stage_ = std::make_unique<OutputStage>(ring_, rate);
  source_ = std::make_unique<Source>(*stage_);
  std::string trouble;
  for (const std::string& name : {device, std::string()}) {
    try {
      attach(open_audio({name, rate, device_latency_s}, *source_));
      return trouble.empty() ? trouble : trouble + "; playing on " + facts().device;
    } catch (const Error& e) {
      trouble = e.what();
      if (device.empty()) break;
    }
  }
  attach(open_silent_clock(rate, *source_));
  return trouble + "; running silently, clocked by a timer";
}

void Output::attach(std::unique_ptr<AudioOutput> output) {
  output_ = std::move(output);
  const std::lock_guard lock(mutex_);
  facts_ = {output_->name(), output_->rate(), output_->latency_s(), output_->is_silent(), true};
}

void Output::close() {
  output_.reset();  // no render runs from here on
  if (stage_ != nullptr) stage_->flush_now();
  source_.reset();
  stage_.reset();
  const std::lock_guard lock(mutex_);
  facts_ = {};
}

void Output::flush() {
  if (stage_ == nullptr) return;
  stage_->request_flush();
  for (int wait = 0; wait < 200 && stage_->flush_pending() && !lost(); ++wait) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

OutputFacts Output::facts() const {
  const std::lock_guard lock(mutex_);
  return facts_;
}

}  // namespace mambo
