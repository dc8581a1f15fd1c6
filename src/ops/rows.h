// Gradients that are zero but for some rows: how they are recorded, summed, scaled and applied.
//
// Such a gradient is a node of an op of its own. Whoever asks for its value gets the dense array;
// whoever knows the op takes the rows from the node's inputs, and the dense array never exists.
#pragma once

#include <functional>
#include <optional>

#include "ops/foreach.h"
#include "ops/private.h"

namespace glia {

inline constexpr int64_t kNoIndex = INT64_MIN;  // what no index equals

// Where occurrences of equal indices are. Row u of the groups, u < indices.numel(), is about
// ids[u] and has the occurrences perm[starts[u]] .. perm[starts[u + 1] - 1] in rising order. Behind
// the last group follow empty ones, whose id is the size. All are i32.
struct Groups {
  Tensor ids, starts, perm;  // (K), (K + 1), (K)
};
// Groups indices (K) in [0, size), i32 or i64; those equal to `dropped` are left out. Any other
// index throws ValueError when it is computed.
Groups group_rows(const Tensor& indices, int64_t size, int64_t dropped, const Where& where);

// out[ids[u]] = the sum of values[j] * source[rows[j]] over j from starts[u] to starts[u + 1] - 1,
// elsewhere 0. `values` may be undefined: ones.
struct RowSparse {
  Tensor ids, starts, rows;  // (K), (K + 1), (K): i32
  Tensor source, values;     // (R, D), (K) or undefined
  int64_t size;              // rows of out
  Where where;
};
// As a tensor (size, D). `sparse`: a node that optimizers see through, and that is computed only
// when something needs the dense array.
Tensor spread_rows(const RowSparse& rows, bool sparse);

// The parts of a gradient that spread_rows made as `sparse`; none of any other, or once it has
// been computed.
std::optional<RowSparse> row_sparse(const Tensor& gradient);
// The sum of two gradients, row-sparse if both are.
Tensor add_gradients(const Tensor& a, const Tensor& b);
// The rows that there are, (K, D), each once, and zeros for what is left.
Tensor rows_of(const RowSparse& rows);
// f of the gradient, where f is elementwise and keeps 0.
Tensor map_rows(const RowSparse& rows, const std::function<Tensor(const Tensor&)>& f);
// Times a rank-0 tensor.
Tensor scale_rows(RowSparse rows, const Tensor& factor);

// foreach() on the rows that a row-sparse gradient has: {parameter, gradient, state...} -> the new
// {parameter, state...}, whose other rows are as they were. In place where the old values die.
std::vector<Tensor> foreach_rows(const char* name, ForeachRule rule, const Tensor& parameter,
                                 const RowSparse& gradient, const std::vector<Tensor>& state,
                                 const std::vector<double>& scalars);

// ---- Sums of rows -------------------------------------------------------------------------------

// out[r] = the sum of values[j] * dense[cols[j]] over j from starts[r] to starts[r + 1] - 1.
// starts (R + 1) i32, cols (K) i32 or i64, dense (N, D), values (K) or undefined -> (R, D).
// Columns equal to `dropped` count as none; others outside [0, N) throw ValueError. Starts must
// rise from 0 to K at most. The dense operand's gradient is row-sparse if `sparse`.
struct SumRows {
  Tensor starts, cols, values;
  int64_t dropped = kNoIndex;
  bool sparse = false;
};
Tensor sum_rows(const SumRows& s, const Tensor& dense, const Where& where);
// dots[j] = g[r] . dense[cols[j]] for the j of row r; (R, D) and (N, D) -> (K). 0 where dropped.
Tensor dot_rows(const SumRows& s, const Tensor& g, const Tensor& dense, const Where& where);
// For each j, the row r that it belongs to: starts (R + 1) -> (count) i32.
Tensor row_numbers(const Tensor& starts, int64_t count, const Where& where);

// ---- Attributes of the recorded operations, for their kernels -----------------------------------

struct SumRowsAttributes {
  int64_t dropped = kNoIndex;
  bool sparse = false;
  GLIA_ATTRIBUTES(dropped, sparse)
};
struct DotRowsAttributes {
  int64_t dropped = kNoIndex;
  GLIA_ATTRIBUTES(dropped)
};
struct ForeachRowsAttributes {
  int64_t formula = 0;
  int64_t scalars = 0, states = 0;  // how many
  GLIA_ATTRIBUTES(formula, scalars, states)
};

[[noreturn]] void row_out_of_range(int64_t index, int64_t size);

}  // namespace glia
