// From a dtype to the C++ type that it names.
#pragma once

#include "glia/dtype.h"
#include "glia/error.h"

namespace glia {

// Calls f with a zero of that type.
template <class F>
decltype(auto) with_dtype(DType dtype, F&& f) {
  switch (dtype) {
    case kBool:
      return f(bool());
    case kU8:
      return f(uint8_t());
    case kI8:
      return f(int8_t());
    case kI32:
      return f(int32_t());
    case kI64:
      return f(int64_t());
    case kF16:
      return f(float16());
    case kBF16:
      return f(bfloat16());
    case kF32:
      return f(float());
    case kF64:
      return f(double());
  }
  throw Error("unknown dtype");
}

}  // namespace glia
