// How a recorded matmul lies in memory, for the kernels that compute it.
#pragma once

#include <cstdint>
#include <vector>

#include "core/op.h"

namespace glia {

// Which operands are stored transposed. Attributes instead of views, so that gradients come out in
// the layout of what they belong to.
struct MatmulAttributes {
  bool transpose_a = false, transpose_b = false;
  GLIA_ATTRIBUTES(transpose_a, transpose_b)
};

// Products of (m, k) and (k, n) matrices. Element (i, j) of product p's left matrix is
// a[a_offsets[p] + i * a_row + j * a_col].
struct MatmulLayout {
  explicit MatmulLayout(const KernelCall& call);

  int64_t m, n, k;
  int64_t a_row, a_col, b_row, b_col;
  std::vector<int64_t> a_offsets, b_offsets;  // one for each product
};

}  // namespace glia
