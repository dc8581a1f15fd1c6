// Complex numbers as a pair of tensors; gradients are those of the parts.
#pragma once

#include "glia/ops.h"

namespace glia {

// Parts of one float dtype and of shapes that broadcast.
struct Complex {
  Tensor re, im;

  Shape shape() const;
  // x (..., 2) -> (...), and back: PyTorch's view_as_complex and view_as_real.
  static Complex from_pairs(const Tensor& x);
  Tensor pairs() const;
};

// A real operand is one whose imaginary part is 0.
Complex operator+(const Complex& a, const Complex& b);
Complex operator-(const Complex& a, const Complex& b);
Complex operator*(const Complex& a, const Complex& b);
// Without overflow where the result has none (Smith 1962, by the larger part); by zero: NaN.
Complex operator/(const Complex& a, const Complex& b);
Complex operator+(const Complex& a, const Operand& b);
Complex operator-(const Complex& a, const Operand& b);
Complex operator*(const Complex& a, const Operand& b);
Complex operator/(const Complex& a, const Operand& b);
Complex operator+(const Operand& a, const Complex& b);
Complex operator-(const Operand& a, const Complex& b);
Complex operator*(const Operand& a, const Complex& b);
Complex operator/(const Operand& a, const Complex& b);
Complex operator-(const Complex& x);

Complex conj(const Complex& x);
// Without overflow; its gradient at 0 is 0.
Tensor abs(const Complex& x);
// In (-pi, pi]; 0 at 0, where its gradient is 0 too.
Tensor angle(const Complex& x);
Complex exp(const Complex& x);
Complex polar(const Tensor& abs, const Tensor& angle);
Complex matmul(const Complex& a, const Complex& b, Where where = Where::current());

}  // namespace glia
