// Small complex matrices: those of gates.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace glia::quantum {

struct Cx {
  double re = 0, im = 0;
};
inline Cx operator+(Cx a, Cx b) { return {a.re + b.re, a.im + b.im}; }
inline Cx operator*(Cx a, Cx b) { return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re}; }
inline Cx operator*(double s, Cx a) { return {s * a.re, s * a.im}; }
inline Cx conj(Cx a) { return {a.re, -a.im}; }
inline bool operator==(Cx a, Cx b) { return a.re == b.re && a.im == b.im; }

// Square, row after row. Those of one and two wires need no memory of their own.
class Matrix {
 public:
  Matrix() = default;
  explicit Matrix(int size) : size_(size) {
    if (size > kSmall) large_.resize(static_cast<std::size_t>(size) * size);
  }
  static Matrix identity(int size) {
    Matrix m(size);
    for (int i = 0; i < size; ++i) m(i, i) = {1, 0};
    return m;
  }
  int size() const { return size_; }
  Cx* data() { return size_ > kSmall ? large_.data() : small_.data(); }
  const Cx* data() const { return size_ > kSmall ? large_.data() : small_.data(); }
  Cx& operator()(int i, int j) { return data()[i * size_ + j]; }
  Cx operator()(int i, int j) const { return data()[i * size_ + j]; }

 private:
  static constexpr int kSmall = 4;
  int size_ = 0;
  std::array<Cx, kSmall * kSmall> small_{};
  std::vector<Cx> large_;
};

inline Matrix product(const Matrix& a, const Matrix& b) {
  const int n = a.size();
  Matrix out(n);
  for (int i = 0; i < n; ++i)
    for (int k = 0; k < n; ++k) {
      const Cx f = a(i, k);
      if (f.re == 0 && f.im == 0) continue;
      for (int j = 0; j < n; ++j) out(i, j) = out(i, j) + f * b(k, j);
    }
  return out;
}
// The conjugate transpose.
inline Matrix dagger(const Matrix& a) {
  Matrix out(a.size());
  for (int i = 0; i < a.size(); ++i)
    for (int j = 0; j < a.size(); ++j) out(j, i) = conj(a(i, j));
  return out;
}
inline Matrix conjugate(Matrix a) {
  for (int i = 0; i < a.size() * a.size(); ++i) a.data()[i] = conj(a.data()[i]);
  return a;
}
// a's index is the more significant one.
inline Matrix kron(const Matrix& a, const Matrix& b) {
  const int n = a.size(), m = b.size();
  Matrix out(n * m);
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < n; ++j)
      for (int k = 0; k < m; ++k)
        for (int l = 0; l < m; ++l) out(i * m + k, j * m + l) = a(i, j) * b(k, l);
  return out;
}

}  // namespace glia::quantum
