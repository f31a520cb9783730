// One CTA: S6 layers, eight streams.
#include "kernels/cuda/step/kernels/kernels.h"
#include "kernels/cuda/step/single_kernel.cuh"

namespace mambo::cuda {

StepKernels single_s6_x8() { return single_kernels<__half, 8, FixedShape, S6>(); }

}  // namespace mambo::cuda
