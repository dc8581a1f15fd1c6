// What environments, vectors of them and replay buffers check in the same way.
#pragma once

#include <string>

#include "glia/rl/env.h"

namespace glia::rl {

// Throw ValueError or ShapeError, which begin with `who`.
void check_action(const std::string& who, const Space& space, const Action& action);
void check_observation(const std::string& who, const Space& space, const ObservationView& seen);

// The entry of a state dict, which must be there with this shape and dtype.
const Tensor& entry(const std::string& who, const StateDict& values, const std::string& name,
                    const Shape& shape, DType dtype);

// The shape of `rows` arrays of one shape.
Shape in_rows(int64_t rows, const Shape& row);

// The values of a tensor of any dtype as bytes, which are as many as there is room for.
void copy_bytes(const Tensor& from, std::byte* to);

}  // namespace glia::rl
