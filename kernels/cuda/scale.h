#pragma once

#include <cuda_runtime.h>

namespace mambo::cuda {

// x[i] *= factor, for n floats on the device. Asynchronous.
void scale(float* x, int n, float factor, cudaStream_t stream);

}  // namespace mambo::cuda
