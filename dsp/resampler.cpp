#include "dsp/resampler.h"

#include <speex/speex_resampler.h>

#include <algorithm>
#include <stdexcept>
#include <string>

namespace mambo {
namespace {

// Of 0..10. At 16 to 48 kHz: a pass band to 93 % of Nyquist, images below 100 dB, 4 ms of delay.
constexpr int quality = 7;

}  // namespace

Resampler::Resampler(int rate_in, int rate_out) : rate_in_(rate_in), rate_out_(rate_out) {
  if (rate_in <= 0 || rate_out <= 0) {
    throw std::invalid_argument("resampler: expected two positive rates, found " +
                                std::to_string(rate_in) + " and " + std::to_string(rate_out));
  }
  if (rate_in == rate_out) return;
  int error = RESAMPLER_ERR_SUCCESS;
  state_ = speex_resampler_init(1, static_cast<spx_uint32_t>(rate_in),
                                static_cast<spx_uint32_t>(rate_out), quality, &error);
  if (state_ == nullptr) {
    throw std::invalid_argument("resampler: " + std::string(speex_resampler_strerror(error)) +
                                " for " + std::to_string(rate_in) + " to " +
                                std::to_string(rate_out) + " Hz");
  }
  speex_resampler_skip_zeros(state_);  // the delay is filled by the first samples, not by silence
  latency_s_ = static_cast<double>(speex_resampler_get_input_latency(state_)) / rate_in;
}

Resampler::~Resampler() {
  if (state_ != nullptr) speex_resampler_destroy(state_);
}

Resampler::Moved Resampler::process(std::span<const float> in, std::span<float> out) {
  if (state_ == nullptr) {
    const std::size_t n = std::min(in.size(), out.size());
    std::copy_n(in.data(), n, out.data());
    return {n, n};
  }
  auto taken = static_cast<spx_uint32_t>(in.size());
  auto given = static_cast<spx_uint32_t>(out.size());
  speex_resampler_process_float(state_, 0, in.data(), &taken, out.data(), &given);
  return {taken, given};
}

}  // namespace mambo
