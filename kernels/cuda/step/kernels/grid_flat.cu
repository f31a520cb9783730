// A grid: one tier of S6 layers, K = 4 and N of at most 16.
#include "kernels/cuda/step/grid_kernel.cuh"
#include "kernels/cuda/step/kernels/kernels.h"

namespace mambo::cuda {

StepKernel grid_flat() { return play_grid<FlatShape, S6>; }

}  // namespace mambo::cuda
