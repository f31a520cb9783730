// The instantiations of the streaming kernels, a file each: they compile beside one another, and a
// change of one kind of CTA compiles its own again.
#pragma once

#include "kernels/cuda/step/step_kernels.h"

namespace mambo::cuda {

StepKernels single_f32();
StepKernels single_s6();
StepKernels single_s6_x4();
StepKernels single_s6_x8();
StepKernels single_s4d();
StepKernels single_s4d_x4();
StepKernels single_s4d_x8();
StepKernels cluster_flat();
StepKernels cluster_columns_s6();
StepKernels cluster_columns_s4d();
StepKernels cluster_columns_s6_any();
StepKernels cluster_columns_s4d_any();
StepKernels cluster_rows();
StepKernels cluster_rows_s6_any();
StepKernels cluster_rows_s4d_any();
StepKernels grid_flat();
StepKernels grid_any();

}  // namespace mambo::cuda
