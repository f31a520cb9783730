// One CTA: S6 and S4D layers.
#include "kernels/cuda/step/kernels/kernels.h"
#include "kernels/cuda/step/single_kernel.cuh"

namespace mambo::cuda {

StepKernels single_s4d() { return single_kernels<__half, 1, AnyShape, S6, S4D>(); }

}  // namespace mambo::cuda
