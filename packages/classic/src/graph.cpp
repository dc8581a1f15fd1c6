#include "graph.h"

#include "glia/classic/neighbors.h"
#include "glia/ops.h"

namespace glia::classic {

Tensor neighbor_affinity(const Tensor& a, const Tensor& b, int64_t k, Where where) {
  NearestNeighbors search({.n_neighbors = k}, where);
  const KNeighbors near = search.fit(b, {}, {}, where).kneighbors(a, {}, where);
  const int64_t n = a.size(0), m = b.size(0);
  std::vector<double> matrix(static_cast<size_t>(n * m));
  const auto indices = near.indices.data<int64_t>();
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < k; ++j) matrix[i * m + indices[i * k + j]] = 1;
  return from_vector(matrix, {n, m});
}

}  // namespace glia::classic
