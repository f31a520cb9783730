#include "app/files/rate_converter.h"

#include <fmt/core.h>
#include <soxr.h>

#include "kernels/error.h"

namespace mambo {

struct RateConverter::Impl {
  soxr_t soxr = nullptr;
  std::vector<float> block;
  std::size_t last_made = 0;

  ~Impl() { soxr_delete(soxr); }

  // in == nullptr flushes. Returns how much of `in` was taken.
  std::size_t run(const float* in, std::size_t n, std::vector<float>& out) {
    std::size_t taken = 0;
    std::size_t made = 0;
    const soxr_error_t error = soxr_process(soxr, in, n, &taken, block.data(), block.size(), &made);
    if (error != nullptr) throw Error(fmt::format("the rate could not be converted: {}", error));
    out.insert(out.end(), block.begin(), block.begin() + static_cast<std::ptrdiff_t>(made));
    last_made = made;
    return taken;
  }
};

RateConverter::RateConverter(double from, double to) : impl_(std::make_unique<Impl>()) {
  soxr_error_t error = nullptr;
  const soxr_quality_spec_t quality = soxr_quality_spec(SOXR_VHQ, 0);
  const soxr_runtime_spec_t runtime = soxr_runtime_spec(1);
  const soxr_io_spec_t io = soxr_io_spec(SOXR_FLOAT32_I, SOXR_FLOAT32_I);
  impl_->soxr = soxr_create(from, to, 1, &error, &io, &quality, &runtime);
  if (impl_->soxr == nullptr || error != nullptr) {
    throw Error(fmt::format("cannot convert from {} Hz to {} Hz: {}", from, to,
                            error != nullptr ? error : "no converter"));
  }
  impl_->block.resize(1U << 14U);
}

RateConverter::~RateConverter() = default;

void RateConverter::process(std::span<const float> in, std::vector<float>& out) {
  while (!in.empty()) {
    const std::size_t taken = impl_->run(in.data(), in.size(), out);
    in = in.subspan(taken);
    if (taken == 0 && impl_->last_made == 0) {
      throw Error("the rate could not be converted: the converter stands still");
    }
  }
}

void RateConverter::flush(std::vector<float>& out) {
  do {
    impl_->run(nullptr, 0, out);
  } while (impl_->last_made > 0);
}

}  // namespace mambo
