// Sparse matrices, and lookups in large tables whose gradients stay sparse.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "glia/ops.h"

namespace glia {

// ---- Lookups ----------------------------------------------------------------------------------

struct LookupOptions {
  // Gets no gradient, and no part in a bag; negative: from the end.
  std::optional<int64_t> padding_idx = {};
  // The weight's gradient is kept as the rows that were looked up. SGD without momentum, Adagrad
  // and SparseAdam then update only these; anything else sees the same values as a dense tensor.
  bool sparse = false;
};
// Rows of weight (N, D): indices (...), i32 or i64 -> (..., D). A negative index counts from the
// end; one out of range throws ValueError when the value is computed.
Tensor embedding(const Tensor& indices, const Tensor& weight, const LookupOptions& options = {},
                 Where where = Where::current());

enum class BagMode { kSum, kMean, kMax };
struct BagOptions : LookupOptions {
  BagMode mode = BagMode::kMean;
  // The offsets end with the number of indices.
  bool include_last_offset = false;
};
// The sum, mean or largest value of the rows of each bag, zeros for an empty one, without making
// the rows: indices (B, L), or (K) with offsets (B) where bags begin -> (B, D). per_sample_weights,
// of indices' shape, multiply the rows of sums. Throws ShapeError, and ValueError when the value is
// computed for an index outside [0, N) and for offsets that do not rise from 0 to K.
Tensor embedding_bag(const Tensor& indices, const Tensor& weight, const Tensor& offsets = {},
                     const Tensor& per_sample_weights = {}, const BagOptions& options = {},
                     Where where = Where::current());

// ---- Compressed rows --------------------------------------------------------------------------

// A sparse matrix (R, C): its structure, which is fixed and shared, and its values, an ordinary
// tensor that may require a gradient.
class Csr {
 public:
  // Row r has the entries row_ptr[r] .. row_ptr[r + 1] - 1: row_ptr (R + 1) and cols (K) are i32 or
  // i64, values (K) f32 or f64. Throws ShapeError, or ValueError for what is out of range.
  Csr(const Tensor& row_ptr, const Tensor& cols, const Tensor& values, const Shape& shape);
  // Entries in any order, those at one place summed; all (K).
  static Csr from_coo(const Tensor& rows, const Tensor& cols, const Tensor& values,
                      const Shape& shape);
  // What is not zero in x (R, C).
  static Csr from_dense(const Tensor& x);

  const Shape& shape() const;
  int64_t nnz() const { return values_.numel(); }
  const Tensor& row_ptr() const;  // (R + 1) i32
  const Tensor& cols() const;     // (K) i32, not sorted unless from_coo or from_dense made it
  const Tensor& values() const { return values_; }

  // The same structure with other values (K).
  Csr with_values(const Tensor& values) const;
  // (C, R). Its structure is found once for all that share this one.
  Csr transpose() const;
  Tensor to_dense() const;

 private:
  struct Structure;  // private: src/ops/sparse.cpp
  Csr(std::shared_ptr<const Structure> structure, const Tensor& values)
      : structure_(std::move(structure)), values_(values) {}
  friend Tensor spmm(const Csr& a, const Tensor& x, Where where);

  std::shared_ptr<const Structure> structure_;
  Tensor values_;
};

// The product of a (R, C) with x (C, D) or (C) -> (R, D) or (R); differentiable in x and in the
// values.
Tensor spmm(const Csr& a, const Tensor& x, Where where = Where::current());
// On the entries: zeroes each with probability p and scales the rest by 1 / (1 - p). What is zero
// stays so, as it does in a dense matrix.
Csr dropout(const Csr& a, double p = 0.5, Where where = Where::current());

// ---- Ragged batches ---------------------------------------------------------------------------

// Rows of different lengths, one behind the other: row r is values[starts[r]] .. up to
// values[starts[r + 1]]. What follows throws ShapeError for other shapes or dtypes, and ValueError
// where the starts do not rise from 0 to K.
struct Ragged {
  Tensor values;  // (K, ...)
  Tensor starts;  // (R + 1), i32 or i64

  // (L_r, ...) each; alike in dtype and all axes but the first.
  static Ragged from_rows(const std::vector<Tensor>& rows);
  // The first lengths[r] of each row of x (R, L, ...); lengths (R), i32 or i64, are read.
  static Ragged from_padded(const Tensor& x, const Tensor& lengths);

  int64_t rows() const { return starts.size(0) - 1; }
  Tensor lengths() const;       // (R)
  Tensor row(int64_t r) const;  // (L_r, ...); negative: from the end
  // (R, L, ...), filled up at the end to the longest row, and where that has not been: (R, L) bool.
  // The starts are read, since the shape depends on them.
  Tensor padded(const Number& value = 0) const;
  Tensor mask() const;
  // The same rows with other values (K, ...).
  Ragged with_values(const Tensor& values) const { return {values, starts}; }
};
// Of each row, zeros for an empty one -> (R, ...). Values are floats; gradients flow to them.
Tensor sum(const Ragged& x, Where where = Where::current());
Tensor mean(const Ragged& x, Where where = Where::current());
Tensor max(const Ragged& x, Where where = Where::current());

}  // namespace glia
