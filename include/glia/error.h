// The one family of exceptions that Glia throws.
#pragma once

#include <source_location>
#include <stdexcept>
#include <string>

namespace glia {

// Says what was wrong: the op, the shapes and dtypes, and where in the user's code.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message) : std::runtime_error(message) {}
  Error(const std::string& message, const std::source_location& where);
};

// Shapes, dtypes or arguments that do not fit an op; thrown while recording.
class ShapeError : public Error {
 public:
  using Error::Error;
};

// A value that cannot be used: a number that its dtype does not hold, or, found while computing, an
// index out of range.
class ValueError : public Error {
 public:
  using Error::Error;
};

// A file that is missing, cut short, corrupt or cannot be written; names the file and the fault.
class IoError : public Error {
 public:
  using Error::Error;
};

}  // namespace glia
