#include "glia/classic/manifold.h"
#include "glia/ops.h"

namespace glia::classic {

Tensor Embedding::fit_transform(const Tensor& x, const Tensor& y, const Tensor& sample_weight,
                                Where where) {
  fit(x, y, sample_weight, where);
  return embedding;
}

}  // namespace glia::classic
