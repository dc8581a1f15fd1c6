#include "glia/graphs/features.h"

#include "glia/error.h"
#include "glia/ops.h"

namespace glia::graphs {
namespace {

void require_rows(const Tensor& x) {
  if (!x.defined() || x.rank() != 2 || !is_float(x.dtype()))
    throw ShapeError("features of nodes are floats (N, F), not " +
                     (x.defined() ? name(x.dtype()) + (" " + x.shape().str()) : "undefined"));
}

}  // namespace

Features::Features(const Tensor& x) : dense_(x) { require_rows(x); }
Features::Features(const Csr& x) : sparse_(x) {}
Features::Features(const Tensor& sources, const Tensor& targets)
    : dense_(sources), targets_(targets) {
  require_rows(sources);
  require_rows(targets);
}

int64_t Features::nodes() const { return sparse_ ? sparse_->shape()[0] : dense_.size(0); }
int64_t Features::channels() const { return sparse_ ? sparse_->shape()[1] : dense_.size(1); }
DType Features::dtype() const { return sparse_ ? sparse_->values().dtype() : dense_.dtype(); }
Tensor Features::sources() const { return sparse_ ? sparse_->to_dense() : dense_; }
Tensor Features::targets() const { return is_pair() ? targets_ : sources(); }

Tensor Features::linear(const Tensor& weight, const Tensor& bias, Where where) const {
  if (!sparse_) return glia::linear(dense_, weight, bias, where);
  const Tensor out = spmm(*sparse_, transpose(weight, 0, 1, where), where);
  return bias.defined() ? out + bias : out;
}
Tensor Features::linear_targets(const Tensor& weight, const Tensor& bias, Where where) const {
  return is_pair() ? glia::linear(targets_, weight, bias, where) : linear(weight, bias, where);
}

Features dropout(const Features& x, double p, Where where) {
  if (x.is_sparse()) return glia::dropout(x.sparse(), p, where);
  const Tensor sources = glia::dropout(x.sources(), p, where);
  return x.is_pair() ? Features(sources, glia::dropout(x.targets(), p, where)) : Features(sources);
}

}  // namespace glia::graphs
