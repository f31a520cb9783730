// One CTA: S6 layers.
#include "kernels/cuda/step/kernels/kernels.h"
#include "kernels/cuda/step/single_kernel.cuh"

namespace mambo::cuda {

StepKernel single_s6() { return play_single<__half, 1, AnyShape, S6>; }

}  // namespace mambo::cuda
