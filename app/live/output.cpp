#include "app/live/output.h"

#include <cmath>
#include <cstdint>
#include <thread>

#include "kernels/error.h"

namespace mambo {

class Output::Source final : public AudioSource {
 public:
  Source(OutputStage& stage, double model_rate)
      : stage_(stage), rate_(static_cast<int>(model_rate)) {}
  void prepare(double device_rate, int channels, int /*max_frames*/) override {
    stage_.prepare(rate_, static_cast<int>(std::lround(device_rate)), channels);
  }
  void render(float* out, int frames) noexcept override {
    stage_.render(out, static_cast<std::size_t>(frames));
  }
  void heard_after(double seconds) noexcept override { stage_.set_device_delay(seconds); }

 private:
  OutputStage& stage_;
  int rate_;
};

Output::Output(RingBuffer<float>& ring) : ring_(ring) {}
Output::~Output() { close(); }

std::string Output::open(double rate, const std::string& device, double device_latency_s) {
  close();
  rate_ = rate;
  stage_ = std::make_unique<OutputStage>(ring_);
  stage_->cut(ring_.written());  // nothing of another rate or program
  source_ = std::make_unique<Source>(*stage_, rate);
  std::string trouble;
  for (const std::string& name : {device, std::string()}) {
    try {
      attach(open_audio({name, rate, device_latency_s}, *source_));
      return trouble.empty() ? trouble : trouble + "; playing on " + facts().device;
    } catch (const std::exception& e) {  // no device, or no conversion to its rate
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
  source_.reset();
  stage_.reset();
  const std::lock_guard lock(mutex_);
  facts_ = {};
}

void Output::flush() {
  if (stage_ == nullptr) return;
  const std::uint64_t all = ring_.written();
  stage_->cut(all);
  const auto gone = [&] { return ring_.consumed() >= all && stage_->is_closed(); };
  for (int wait = 0; wait < 200 && !gone() && !lost(); ++wait) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  // The end of the fade is still in the resampler and the limiter: another block brings it out.
  const double block_s = static_cast<double>(stage_->block()) / rate_;
  if (!lost())
    std::this_thread::sleep_for(std::chrono::duration<double>(stage_->latency_s() + 2 * block_s));
}

std::size_t Output::least_target(std::size_t chunk) const {
  for (int wait = 0; wait < 100 && stage_->block() == 0 && !lost(); ++wait) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return stage_->reserve() + 2 * stage_->block() + chunk;
}

OutputFacts Output::facts() const {
  const std::lock_guard lock(mutex_);
  return facts_;
}

}  // namespace mambo
