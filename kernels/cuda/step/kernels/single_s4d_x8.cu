// One CTA: S6 and S4D layers, eight streams.
#include "kernels/cuda/step/kernels/kernels.h"
#include "kernels/cuda/step/single_kernel.cuh"

namespace mambo::cuda {

StepKernels single_s4d_x8() { return single_kernels<__half, 8, FixedShape, S6, S4D>(); }

}  // namespace mambo::cuda
