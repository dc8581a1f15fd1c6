// A matrix on some bits of a vector of 2^k complex numbers, whose real and imaginary parts are two
// arrays: applied, or the products that its derivative is made of. One thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "matrix.h"

namespace glia::quantum {

// Lanes of a vector of 64 bytes, and how many bits of a position they are.
template <class T>
inline constexpr int kLanes = static_cast<int>(64 / sizeof(T));
template <class T>
inline constexpr int kLaneBits = sizeof(T) == 8 ? 3 : 4;

// Where a matrix is applied: bits of its targets, the most significant of the matrix first, and
// what other bits must be.
struct Site {
  std::vector<int> bits;
  uint64_t controls = 0, values = 0;
};

// A matrix as the kernels take it: coefficients for each lane.
template <class T>
struct Coefficients {
  // kTurned: real on the diagonal and imaginary beside it, as RX.
  enum class Way { kScalar, kGeneral, kReal, kTurned, kDiagonal, kExchange } way = Way::kScalar;
  int high = 0, low = 0;        // how many targets are vectors apart, and lanes apart
  int low_bits[2] = {0, 0};     // ascending
  std::vector<int> fixed;       // bits of a vector's number that are targets or controls, ascending
  uint64_t value = 0;           // of those that are controls
  std::vector<int64_t> offset;  // in vectors, of each of the 2^high
  // [out][in][xor][lane]: real parts, and behind all of them imaginary ones.
  std::vector<T> numbers;
  std::vector<bool> ones;  // of kDiagonal: all coefficients of that vector are 1
};
template <class T>
void prepare(Coefficients<T>& out, const Site& site, const Matrix& matrix, int k);

// v = M v.
template <class T>
void apply(const Coefficients<T>& how, const Site& site, const Matrix& matrix, T* re, T* im, int k);

// Adds to out[i * size + j] the sum of conj(a_i) b_j over all places of the site.
template <class T>
void cross(const Coefficients<T>& how, const Site& site, const T* a_re, const T* a_im,
           const T* b_re, const T* b_im, int k, std::span<Cx> out);

// A product of Pauli matrices times a number: the bits that X and that Z work on, both where it is
// Y.
struct PauliMasks {
  int64_t x = 0, z = 0;
  double factor = 1;
};
// Adds what it makes of a vector, at positions from begin to end.
template <class T>
void add_pauli(const PauliMasks& p, const T* re, const T* im, T* to_re, T* to_im, int64_t begin,
               int64_t end);

}  // namespace glia::quantum
