#include "randomized.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "glia/data.h"
#include "glia/linalg.h"
#include "glia/ops.h"

namespace glia::classic {

Tensor normal_numbers(const Shape& shape, uint64_t seed) {
  data::Random random(seed);
  std::vector<double> values;
  while (static_cast<int64_t>(values.size()) < shape.numel()) {
    const double radius = std::sqrt(-2 * std::log(1 - random.uniform()));  // Box & Muller 1958
    const double angle = 2 * std::numbers::pi * random.uniform();
    values.push_back(radius * std::cos(angle));
    values.push_back(radius * std::sin(angle));
  }
  values.resize(static_cast<size_t>(shape.numel()));
  return from_vector(values, shape);
}

Tensor signs_of_rows(const Tensor& x) {
  const Tensor at = argmax(abs(x), 1, true);
  return where(gather(x, at, 1) < 0, -1.0, ones({}, x.dtype()));
}

Svd randomized_svd(const Tensor& x, int64_t k, int64_t n_oversamples, int64_t n_iter,
                   uint64_t random_state) {
  const int64_t rows = x.size(0), columns = x.size(1);
  if (rows < columns) {
    const Svd t = randomized_svd(transpose(x), k, n_oversamples, n_iter, random_state);
    return {transpose(t.vt), t.s, transpose(t.u)};
  }
  const int64_t width = std::min(k + n_oversamples, columns);
  Tensor q = normal_numbers({columns, width}, random_state);
  const auto basis = [](const Tensor& a) { return linalg::qr(a).Q; };
  for (int64_t i = 0; i < n_iter; ++i) {
    q = basis(matmul(transpose(x), basis(matmul(x, q))));
    eval(q);
  }
  q = basis(matmul(x, q));
  const auto small = linalg::svd(matmul(transpose(q), x), false);
  const Tensor u = slice(matmul(q, small.U), 1, Slice{0, k}), s = slice(small.S, 0, Slice{0, k}),
               vt = slice(small.Vh, 0, Slice{0, k});
  eval({u, s, vt});
  return {u, s, vt};
}

}  // namespace glia::classic
