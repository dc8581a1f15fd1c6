// Loops over the edges of nodes, compiled for several instruction sets.
#pragma once

#include <cstdint>

namespace glia::graphs::kernels {

// What each of some rows is a sum, or an extreme, of: rows of `from`, by their numbers in
// `index`, of `width` values each, which are `heads` parts of equal size.
template <class T>
struct Gathering {
  const int32_t* ptr;    // (rows + 1)
  const int32_t* index;  // (E): which row of `from`
  const int32_t* edge;   // (E): which weights
  const T* from;
  const T* weight;  // (E, heads), or null: ones
  T* out;           // (rows, width)
  int64_t width, heads;
};
void sum_rows(const Gathering<float>& g, int64_t first, int64_t last);
void sum_rows(const Gathering<double>& g, int64_t first, int64_t last);
// Of each column the largest; NaN if one is; 0 of none.
void max_rows(const Gathering<float>& g, int64_t first, int64_t last);
void max_rows(const Gathering<double>& g, int64_t first, int64_t last);

// out[e][h] = sum of a[a_index[e]][h][c] * b[b_index[e]][h][c].
template <class T>
struct Products {
  const int32_t *a_index, *b_index;
  const T *a, *b;
  T* out;  // (E, heads)
  int64_t width, heads;
};
void dot_rows(const Products<float>& p, int64_t first, int64_t last);
void dot_rows(const Products<double>& p, int64_t first, int64_t last);

// out[e] = from[index[e]].
template <class T>
struct Copies {
  const int32_t* index;
  const T* from;
  T* out;
  int64_t width;
};
void copy_rows(const Copies<float>& c, int64_t first, int64_t last);
void copy_rows(const Copies<double>& c, int64_t first, int64_t last);

}  // namespace glia::graphs::kernels
