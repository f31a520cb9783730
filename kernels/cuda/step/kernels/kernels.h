// The instantiations of the streaming kernels, a file each: they compile beside one another, and a
// change of one kind of CTA compiles its own again.
#pragma once

#include "kernels/cuda/step/step_kernels.h"

namespace mambo::cuda {

StepKernel single_f32();
StepKernel single_s6();
StepKernel single_s6_x4();
StepKernel single_s6_x8();
StepKernel single_s4d();
StepKernel single_s4d_x4();
StepKernel single_s4d_x8();
StepKernel cluster_flat();
StepKernel cluster_columns_s6();
StepKernel cluster_columns_s4d();
StepKernel cluster_columns_s6_any();
StepKernel cluster_columns_s4d_any();
StepKernel cluster_rows();
StepKernel cluster_rows_s6_any();
StepKernel cluster_rows_s4d_any();
StepKernel grid_flat();
StepKernel grid_any();

}  // namespace mambo::cuda
