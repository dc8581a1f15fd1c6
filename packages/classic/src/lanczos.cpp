#include "lanczos.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "glia/linalg.h"
#include "glia/ops.h"
#include "glia/parallel.h"
#include "randomized.h"
#include "simd.h"

namespace glia::classic {
namespace {

constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
constexpr int64_t kMostDense = 600;  // samples, below which LAPACK is as quick

// Orthonormal vectors, each a row, and what A is on the space of them.
class Basis {
 public:
  Basis(int64_t n, int64_t most, const Product& product, uint64_t seed)
      : n_(n), most_(most), product_(product), seed_(seed) {
    rows_.resize(static_cast<size_t>((most + 1) * n));
    matrix_.resize(static_cast<size_t>(most * most));
    next_ = random_direction();
  }

  // Fills up with products of the last vector.
  void fill() {
    std::vector<double> h(static_cast<size_t>(most_));
    while (size_ < most_) {
      double* v = row(size_);
      std::copy(next_.begin(), next_.end(), v);
      ++size_;
      product_(v, next_.data());
      const double scale = std::sqrt(simd::dot(next_.data(), next_.data(), n_));
      std::fill(h.begin(), h.end(), 0.0);
      orthogonalise(h.data());
      for (int64_t i = 0; i < size_; ++i)
        matrix_[i * most_ + size_ - 1] = matrix_[(size_ - 1) * most_ + i] = h[i];
      beta_ = std::sqrt(simd::dot(next_.data(), next_.data(), n_));
      if (beta_ <= 10 * kEpsilon * scale || beta_ < std::numeric_limits<double>::min()) {
        beta_ = 0;  // the space is closed
        if (size_ < n_) next_ = random_direction();
      } else {
        for (double& x : next_) x /= beta_;
      }
    }
  }
  // Eigenvalues, falling, and eigenvectors (in rows of coordinates) of A on the space.
  void solve(std::vector<double>& values, std::vector<double>& coordinates) const {
    const auto eigen = linalg::eigh(from_vector(matrix_, {most_, most_}));
    values = flip(eigen.eigenvalues, {0}).to_vector<double>();
    coordinates = flip(transpose(eigen.eigenvectors), {0}).to_vector<double>();
  }
  // How far an eigenvector is from one of A.
  double residual(const double* coordinates) const {
    return std::abs(beta_ * coordinates[most_ - 1]);
  }
  // The first `keep` eigenvectors, (keep, n).
  std::vector<double> vectors(const std::vector<double>& coordinates, int64_t keep) const {
    std::vector<double> out(static_cast<size_t>(keep * n_));
    parallel_for(keep, [&](int64_t i) {
      for (int64_t j = 0; j < most_; ++j)
        simd::add(&out[i * n_], coordinates[i * most_ + j], rows_.data() + j * n_, n_);
    });
    return out;
  }
  void restart(const std::vector<double>& values, const std::vector<double>& vectors) {
    const int64_t keep = static_cast<int64_t>(vectors.size()) / n_;
    std::copy(vectors.begin(), vectors.end(), rows_.begin());
    std::fill(matrix_.begin(), matrix_.end(), 0.0);
    for (int64_t i = 0; i < keep; ++i) matrix_[i * most_ + i] = values[i];
    size_ = keep;
  }

 private:
  double* row(int64_t i) { return rows_.data() + i * n_; }
  // Takes from next_ what lies in the space, twice (Kahan & Parlett), and adds that to h.
  void orthogonalise(double* h) {
    for (int pass = 0; pass < 2; ++pass) {
      std::vector<double> part(static_cast<size_t>(size_));
      for (int64_t i = 0; i < size_; ++i) part[i] = simd::dot(row(i), next_.data(), n_);
      for (int64_t i = 0; i < size_; ++i) {
        simd::add(next_.data(), -part[i], row(i), n_);
        h[i] += part[i];
      }
    }
  }
  std::vector<double> random_direction() {
    next_ = normal_numbers({n_}, seed_++).to_vector<double>();
    std::vector<double> unused(static_cast<size_t>(most_));
    orthogonalise(unused.data());
    const double length = std::sqrt(simd::dot(next_.data(), next_.data(), n_));
    for (double& x : next_) x /= length;
    return next_;
  }

  int64_t n_, most_, size_ = 0;
  const Product& product_;
  uint64_t seed_;
  std::vector<double> rows_, matrix_, next_;
  double beta_ = 0;
};

Eigen first_of(const linalg::EighResult& all, int64_t k, bool largest) {
  const int64_t n = all.eigenvalues.size(0);
  const Slice part = largest ? Slice{n - k, n} : Slice{0, k};
  Tensor values = slice(all.eigenvalues, 0, part), vectors = slice(all.eigenvectors, 1, part);
  if (largest) {
    values = flip(values, {0});
    vectors = flip(vectors, {1});
  }
  eval({values, vectors});
  return {values, vectors};
}

bool is_small(int64_t n, int64_t k) { return n <= kMostDense || 5 * k > n; }

}  // namespace

Eigen largest_eigen(int64_t n, int64_t k, const Product& product, const LanczosOptions& options) {
  const int64_t most = std::min(n, std::max<int64_t>(2 * k + 10, 30));
  Basis basis(n, most, product, options.seed);
  std::vector<double> values, coordinates, vectors;
  for (int64_t restart = 0;; ++restart) {
    basis.fill();
    basis.solve(values, coordinates);
    const double rounding =
        8 * kEpsilon * std::max(std::abs(values.front()), std::abs(values.back()));
    int64_t found = 0;
    while (found < k && basis.residual(&coordinates[found * most]) <=
                            std::max(options.tol * std::abs(values[found]), rounding))
      ++found;
    if (found == k || most == n || restart >= options.max_restarts) break;
    const int64_t keep = std::min(k + std::max<int64_t>((most - k) / 2, found), most - 2);
    basis.restart(values, basis.vectors(coordinates, keep));
  }
  vectors = basis.vectors(coordinates, k);
  values.resize(static_cast<size_t>(k));
  const Tensor columns = transpose(from_vector(vectors, {k, n}));
  eval(columns);
  return {from_vector(values, {k}), columns};
}

Eigen largest_eigen(const Tensor& matrix, int64_t k, const LanczosOptions& options) {
  const int64_t n = matrix.size(0);
  if (is_small(n, k)) return first_of(linalg::eigh(matrix), k, true);
  eval(matrix);
  const double* a = matrix.data<double>().data();
  return largest_eigen(
      n, k,
      [&](const double* x, double* y) {
        constexpr int64_t kRows = 64;
        parallel_for((n + kRows - 1) / kRows, [&](int64_t block) {
          for (int64_t i = block * kRows; i < std::min(n, (block + 1) * kRows); ++i)
            y[i] = simd::dot(a + i * n, x, n);
        });
      },
      options);
}

Eigen least_eigen(const Tensor& matrix, int64_t k, const LanczosOptions& options) {
  const int64_t n = matrix.size(0);
  if (is_small(n, k)) return first_of(linalg::eigh(matrix), k, false);
  // Moved a little, so that it is positive definite; the eigenvectors stay.
  const double shift = 1e-12 * max(abs(matrix)).item() * static_cast<double>(n);
  const Tensor inverse = linalg::cholesky_inverse(linalg::cholesky(matrix + eye(n, kF64) * shift));
  Eigen found = largest_eigen(inverse, k, options);
  found.values = 1 / found.values - shift;
  eval(found.values);
  return found;
}

}  // namespace glia::classic
