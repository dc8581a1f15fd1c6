#include "glia/complex.h"

namespace glia {
namespace {

// The larger part, from which no gradient comes; 1 where both are 0.
Tensor scale_of(const Complex& x) {
  const Tensor most = stop_gradient(maximum(abs(x.re), abs(x.im)));
  return where(most == 0, ones_like(most), most);
}

Tensor is_zero(const Complex& x) { return (x.re == 0) & (x.im == 0); }

// The real part with 1 in place of 0 + 0i, where a derivative would not be finite.
Tensor re_or_one(const Complex& x, const Tensor& zero) {
  return where(zero, ones_like(x.re), x.re);
}

}  // namespace

Shape Complex::shape() const { return (re + im).shape(); }

Complex Complex::from_pairs(const Tensor& x) {
  if (!x.defined() || x.rank() == 0 || x.size(-1) != 2)
    throw ShapeError("complex: " + (x.defined() ? x.shape().str() : std::string("undefined")) +
                     " does not end with pairs");
  return {index(x, {Ellipsis, 0}), index(x, {Ellipsis, 1})};
}

Tensor Complex::pairs() const {
  const Tensor zero = zeros_like(re + im);
  return stack({re + zero, im + zero}, -1);
}

Complex operator+(const Complex& a, const Complex& b) { return {a.re + b.re, a.im + b.im}; }
Complex operator-(const Complex& a, const Complex& b) { return {a.re - b.re, a.im - b.im}; }
Complex operator*(const Complex& a, const Complex& b) {
  return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}
Complex operator/(const Complex& a, const Complex& b) {
  const Tensor scale = scale_of(b), re = b.re / scale, im = b.im / scale;
  const Tensor norm = re * re + im * im;
  return {(a.re * re + a.im * im) / norm / scale, (a.im * re - a.re * im) / norm / scale};
}
Complex operator+(const Complex& a, const Operand& b) { return {a.re + b, a.im}; }
Complex operator-(const Complex& a, const Operand& b) { return {a.re - b, a.im}; }
Complex operator*(const Complex& a, const Operand& b) { return {a.re * b, a.im * b}; }
Complex operator/(const Complex& a, const Operand& b) { return {a.re / b, a.im / b}; }
Complex operator+(const Operand& a, const Complex& b) { return {a + b.re, b.im}; }
Complex operator-(const Operand& a, const Complex& b) { return {a - b.re, -b.im}; }
Complex operator*(const Operand& a, const Complex& b) { return {a * b.re, a * b.im}; }
Complex operator/(const Operand& a, const Complex& b) {
  const Tensor scale = scale_of(b), re = b.re / scale, im = b.im / scale;
  const Tensor norm = re * re + im * im;
  return {a * re / norm / scale, -(a * im) / norm / scale};
}
Complex operator-(const Complex& x) { return {-x.re, -x.im}; }

Complex conj(const Complex& x) { return {x.re, -x.im}; }

Tensor abs(const Complex& x) {
  const Tensor zero = is_zero(x), scale = scale_of(x);
  const Tensor re = re_or_one(x, zero) / scale, im = x.im / scale;
  return where(zero, zeros_like(scale), scale * sqrt(re * re + im * im));
}

Tensor angle(const Complex& x) { return atan2(x.im, re_or_one(x, is_zero(x))); }

Complex exp(const Complex& x) { return polar(exp(x.re), x.im); }

Complex polar(const Tensor& abs, const Tensor& angle) {
  return {abs * cos(angle), abs * sin(angle)};
}

Complex matmul(const Complex& a, const Complex& b, Where where) {
  return {matmul(a.re, b.re, where) - matmul(a.im, b.im, where),
          matmul(a.re, b.im, where) + matmul(a.im, b.re, where)};
}

}  // namespace glia
