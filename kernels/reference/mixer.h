// A layer's mixer in the reference: one class per mixer, in a file of its own.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "kernels/network.h"
#include "kernels/selectivity.h"

namespace mambo::reference {

using Vector = std::vector<double>;
struct Matrix {
  int rows = 0, cols = 0;
  Vector v;
  Vector operator*(const Vector& x) const;
};
Matrix matrix(const TensorView& t);
Vector vector(const TensorView& t);

class StepMixer {
 public:
  virtual ~StepMixer() = default;
  StepMixer(const StepMixer&) = delete;
  StepMixer& operator=(const StepMixer&) = delete;

  virtual void reset() = 0;
  // From the next step on; means: of this layer, empty where nothing is held.
  virtual void play_by_hand(const LayerSelectivity& by_hand,
                            const SelectionMeans::Layer& means) = 0;
  virtual void forget(double factor) = 0;
  // One step: u [d_inner] to y [d_inner], D u included.
  virtual Vector step(const Vector& u) = 0;
  virtual std::span<const double> delta() const = 0;  // [d_inner], of the last step, as played
  virtual Vector state() const = 0;                   // h, as StateLayout has it

 protected:
  StepMixer() = default;
};

// D: [d_inner].
std::unique_ptr<StepMixer> make_mixer(const S6View& view, Vector D);
std::unique_ptr<StepMixer> make_mixer(const S4dView& view, Vector D);

}  // namespace mambo::reference
