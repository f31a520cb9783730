#pragma once

#include "kernels/error.h"

namespace mambo {

// The person asked for something that does not exist: exit code 2 on the command line.
class UsageError : public Error {
 public:
  using Error::Error;
};

}  // namespace mambo
