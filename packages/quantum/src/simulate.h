// Runs a program over a vector of 2^wires complex numbers, forwards and, for derivatives, back.
#pragma once

#include <cstdint>
#include <span>

#include "program.h"

namespace glia::quantum {

// Vectors are real parts, then imaginary ones. `count` of them are computed: each from its angles,
// (count, angles), and its initial vector, of which there are `initials`: none (the first number is
// 1), one for all, or one for each.
template <class T>
struct Simulation {
  std::span<const int64_t> program;
  const T* angles = nullptr;
  int64_t count = 1, angle_count = 0;
  const T* initial = nullptr;
  int64_t initials = 0;
};

template <class T>
void run_forward(const Simulation<T>& what, T* out);

// Of the scalar product of `grad` with what run_forward() gives, `final`, the derivatives by the
// angles, (count, angles), and by the initial vectors (count of them): the adjoint method (Jones &
// Gacon 2020). Channels, which have no inverse, keep the vectors before them.
template <class T>
void run_backward(const Simulation<T>& what, const T* final, const T* grad, T* angle_grads,
                  T* initial_grads);

}  // namespace glia::quantum
