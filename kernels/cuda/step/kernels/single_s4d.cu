// One CTA: S6 and S4D layers.
#include "kernels/cuda/step/kernels/kernels.h"
#include "kernels/cuda/step/single_kernel.cuh"

namespace mambo::cuda {

StepKernel single_s4d() {
  return play_single<StepTraits<__half, 1, CtaExchange, Split::rows, AnyShape, S6, S4D>>;
}

}  // namespace mambo::cuda
