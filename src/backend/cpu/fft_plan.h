// What Fourier transforms of one length need: factors of the length and roots of unity.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace glia::cpu {

// Complex numbers in tables lie as pairs.
template <class T>
struct FftPlan {
  int64_t n = 1;
  // Of lengths whose prime factors are at most 13: the radix of each pass, and for each pass the
  // factors of outputs 1 .. radix - 1 for each group.
  std::vector<int> radices;
  std::vector<T> twiddles;
  // For a length with other factors (Bluestein 1970): exp(-i pi j^2 / n), and the transform of the
  // other sequence, of the length of `wide`.
  std::shared_ptr<const FftPlan> wide;
  std::vector<T> chirp, filter;

  // How many numbers a transform works on.
  int64_t room() const { return wide ? wide->n : n; }
};
// Kept for as long as it is among the last that were used.
template <class T>
std::shared_ptr<const FftPlan<T>> fft_plan(int64_t n);

// exp(-2 pi i k / n) for k < count.
template <class T>
std::shared_ptr<const std::vector<T>> fft_roots(int64_t n, int64_t count);

// A long line as rows x columns, with exp(-2 pi i r c / n) for each; rows is 1 if there is no good
// way.
template <class T>
struct FftSplit {
  int64_t rows = 1, columns = 1;
  std::shared_ptr<const FftPlan<T>> along_rows, along_columns;  // of `rows`, of `columns` numbers
  std::vector<T> twiddles;
};
template <class T>
std::shared_ptr<const FftSplit<T>> fft_split(int64_t n);

// cos and sin of 2 pi k / n, 0 <= k < n, right to the last bit or nearly so.
struct Root {
  double re, im;
};
Root unit_root(int64_t k, int64_t n);

// Whether all prime factors are small.
bool is_smooth(int64_t n);

}  // namespace glia::cpu
