#include "model/tensor_shape.h"

namespace mambo {

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string out = "[";
  for (const std::int64_t d : shape) {
    if (out.size() > 1) out += ", ";
    out += std::to_string(d);
  }
  return out + "]";
}

}  // namespace mambo
