// One CTA: S6 and S4D layers, four streams.
#include "kernels/cuda/step/kernels/kernels.h"
#include "kernels/cuda/step/single_kernel.cuh"

namespace mambo::cuda {

StepKernels single_s4d_x4() { return single_kernels<__half, 4, FixedShape, S6, S4D>(); }

}  // namespace mambo::cuda
