// The one exception type that crosses a boundary of the project: its what() is one clear sentence
// that says what was expected and what was found, ready to be shown to the user as it is.
#pragma once

#include <stdexcept>
#include <string>

namespace mambo {

class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Thrown by a long operation whose caller asked it to stop. Not a failure.
class Cancelled : public Error {
 public:
  Cancelled() : Error("cancelled") {}
};

// A compute device refused or was lost: the same work may go on elsewhere (the CPU).
class DeviceError : public Error {
 public:
  using Error::Error;
};

// This way of working suits neither the model nor the device; another way may. Nothing is broken.
class PlanUnsuited : public DeviceError {
 public:
  using DeviceError::DeviceError;
};

}  // namespace mambo
