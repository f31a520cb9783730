// One CTA: float32 weights, any layers.
#include "kernels/cuda/step/kernels/kernels.h"
#include "kernels/cuda/step/single_kernel.cuh"

namespace mambo::cuda {

StepKernels single_f32() { return single_kernels<float, 1, AnyShape, S6, S4D>(); }

}  // namespace mambo::cuda
