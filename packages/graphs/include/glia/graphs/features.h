// What layers get of nodes: dense or sparse features, of one set of nodes or of two.
#pragma once

#include <cstdint>
#include <optional>

#include "glia/sparse.h"

namespace glia::graphs {

// Features of nodes. Bags of words and other rows of few values are given as a sparse matrix, which
// layers multiply without making the zeros.
class Features {
 public:
  Features() = default;       // none
  Features(const Tensor& x);  // (N, F)
  Features(const Csr& x);     // (N, F)
  // Anything that names a tensor, such as a Parameter.
  Features(const Variable& x) : Features(x.tensor()) {}
  // Of the sources (S, F) and targets (T, G) of a bipartite graph.
  Features(const Tensor& sources, const Tensor& targets);

  int64_t nodes() const;     // of the sources, if there are two sets
  int64_t channels() const;  // and their features
  DType dtype() const;
  bool defined() const { return dense_.defined() || is_sparse(); }
  bool is_sparse() const { return sparse_.has_value(); }
  bool is_pair() const { return targets_.defined(); }
  const Csr& sparse() const { return *sparse_; }

  // As tensors; a sparse matrix with its zeros.
  Tensor sources() const;
  Tensor targets() const;  // the same as the sources, if there is one set

  // x W^T + b of the sources, or of the targets: weight (out, F), bias (out) or undefined.
  Tensor linear(const Tensor& weight, const Tensor& bias = {},
                Where where = Where::current()) const;
  Tensor linear_targets(const Tensor& weight, const Tensor& bias = {},
                        Where where = Where::current()) const;

 private:
  Tensor dense_, targets_;
  std::optional<Csr> sparse_;
};

// Zeroes each value with probability p and scales the rest by 1 / (1 - p).
Features dropout(const Features& x, double p = 0.5, Where where = Where::current());

}  // namespace glia::graphs
