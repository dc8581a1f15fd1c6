// The operations that circuits are recorded as.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "glia/tensor.h"
#include "program.h"

namespace glia::quantum {

// (B, 2, 2^wires): real parts, then imaginary ones, of what a program makes of angles (B, P) and an
// initial vector (1 or B, 2, 2^wires), undefined: of zeros. `program` as encode() writes it.
Tensor state_of(const Tensor& program, const Tensor& angles, const Tensor& initial, int64_t wires,
                Where where);

// A sum of products of Pauli matrices times numbers, applied to a state (B, 2, 2^wires). `masks`
// (terms, 2) i64: the bits that X and that Z work on, both of them where it is Y; `factors`
// (terms).
Tensor pauli_sum(const Tensor& state, const Tensor& masks, const Tensor& factors, Where where);

// df/dt = the sum of factor * f(t + shift). `order` is what f is of the program's matrices: 1 of
// what is linear in them (a state), 2 of expectation values (Mitarai et al. 2018, Schuld et al.
// 2019; four terms: Anselmetti et al. 2021). Empty: there is none.
struct Shift {
  double shift = 0, factor = 0;
};
std::vector<Shift> shifts_of(const Instruction& instruction, int order);
// Those of all angles, (angle, shift), or of the ones that are `wanted`.
std::vector<std::pair<int64_t, Shift>> all_shifts(const Program& program, int order,
                                                  const std::vector<bool>& wanted = {});
// Angles (B, P) with each of the shifts: (B, shifts, P); and the factors (shifts).
Tensor shifted(const Tensor& angles, const std::vector<std::pair<int64_t, Shift>>& shifts);
Tensor factors_of(const std::vector<std::pair<int64_t, Shift>>& shifts, DType dtype);

}  // namespace glia::quantum
