// One CTA: S6 layers.
#include "kernels/cuda/step/kernels/kernels.h"
#include "kernels/cuda/step/single_kernel.cuh"

namespace mambo::cuda {

StepKernels single_s6() { return single_kernels<__half, 1, AnyShape, S6>(); }

}  // namespace mambo::cuda
