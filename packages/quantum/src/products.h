// What measurements are written with, and derivatives that need no kernel of their own.
#pragma once

#include <functional>

#include "glia/quantum/operation.h"
#include "program.h"

namespace glia::quantum {

// Of (B, 2, N): two of (B, N).
Complex parts_of(const Tensor& v);
// (2^k, 2^(wires - k)) i64: positions by what those wires are (rows) and the others (columns).
Tensor places_of(const Wires& kept, int64_t wires);

// As state_of(), each instruction as products of matrices that `gradients` knows how to reverse.
Tensor state_by_products(const Program& program, const Tensor& angles, const Tensor& initial);

// f(angles), (B, P) -> (B, M), with gradients by the angles that are wanted, from f at
// shifted ones. f takes any multiple of B.
Tensor shifted_value(const std::function<Tensor(const Tensor&)>& f, const Program& program,
                     const std::vector<bool>& wanted, const Tensor& angles, Where where);

}  // namespace glia::quantum
