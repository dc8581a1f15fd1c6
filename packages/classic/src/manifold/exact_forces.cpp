#include <algorithm>
#include <cmath>
#include <utility>

#include "glia/parallel.h"
#include "manifold/forces.h"
#include "simd.h"

namespace glia::classic {
namespace {

using simd::F64;
constexpr int64_t kWide = simd::kDoubles;

// Of point i against all: y is (d, padded), p a row of `padded` numbers, room has 2 d kWide.
GLIA_ALWAYS_INLINE double forces_on(int64_t i, const double* y, const double* p, int64_t n,
                                    int64_t padded, int64_t d, double* room, double* pull,
                                    double* push) {
  const double freedom = static_cast<double>(std::max<int64_t>(d - 1, 1));
  F64 total = {};
  std::fill(room, room + 2 * d * kWide, 0.0);
  for (int64_t j = 0; j < n; j += kWide) {
    F64 squares = {}, of, present;
    for (int64_t c = 0; c < d; ++c) {
      simd::load(of, y + c * padded + j);
      const F64 apart = y[c * padded + i] - of;
      squares += apart * apart;
    }
    const F64 q = 1 / (1 + squares / freedom);
    F64 w = q;
    if (d > 2) {  // q^((v + 1) / 2)
      double lanes[kWide];
      simd::store(q, lanes);
      for (double& x : lanes) x = std::pow(x, (freedom + 1) / 2);
      simd::load(w, lanes);
    }
    for (int64_t l = 0; l < kWide; ++l) present[l] = j + l < n && j + l != i;
    w *= present;
    total += w;
    simd::load(of, p + j);
    const F64 in = of * q, out = w * q;
    for (int64_t c = 0; c < d; ++c) {
      simd::load(of, y + c * padded + j);
      const F64 apart = y[c * padded + i] - of;
      F64 sum;
      simd::load(sum, room + c * kWide);
      simd::store(sum + in * apart, room + c * kWide);
      simd::load(sum, room + (d + c) * kWide);
      simd::store(sum + out * apart, room + (d + c) * kWide);
    }
  }
  for (int64_t c = 0; c < d; ++c) {
    F64 sum;
    simd::load(sum, room + c * kWide);
    pull[c] = simd::sum_of_lanes(sum);
    simd::load(sum, room + (d + c) * kWide);
    push[c] = simd::sum_of_lanes(sum);
  }
  return simd::sum_of_lanes(total);
}

class ExactForces : public Forces {
 public:
  ExactForces(std::vector<double> p, int64_t n, int64_t d)
      : n_(n), d_(d), padded_((n + kWide - 1) / kWide * kWide), p_(std::move(p)) {
    if (padded_ == n) return;
    std::vector<double> wide(static_cast<size_t>(n * padded_));
    for (int64_t i = 0; i < n; ++i) std::copy(&p_[i * n], &p_[i * n] + n, &wide[i * padded_]);
    p_ = std::move(wide);
  }

  double compute(const std::vector<double>& y, std::vector<double>& attraction,
                 std::vector<double>& repulsion) override {
    std::vector<double> across(static_cast<size_t>(d_ * padded_)), totals(static_cast<size_t>(n_));
    for (int64_t i = 0; i < n_; ++i)
      for (int64_t c = 0; c < d_; ++c) across[c * padded_ + i] = y[i * d_ + c];
    parallel_for((n_ + kRows - 1) / kRows, [&](int64_t block) {
      std::vector<double> room(static_cast<size_t>(2 * d_ * kWide));
      for (int64_t i = block * kRows; i < std::min(n_, (block + 1) * kRows); ++i)
        totals[i] = simd::at_level<forces_on>(
            i, std::as_const(across).data(), std::as_const(p_).data() + i * padded_, n_, padded_,
            d_, room.data(), &attraction[i * d_], &repulsion[i * d_]);
    });
    double total = 0;
    for (const double one : totals) total += one;
    return total;
  }

  double divergence(const std::vector<double>& y, double total) const override {
    const double freedom = static_cast<double>(std::max<int64_t>(d_ - 1, 1));
    std::vector<double> sums(static_cast<size_t>(n_));
    parallel_for(n_, [&](int64_t i) {
      for (int64_t j = 0; j < n_; ++j) {
        const double p = p_[i * padded_ + j];
        if (p <= 0) continue;
        double squares = 0;
        for (int64_t c = 0; c < d_; ++c)
          squares += (y[i * d_ + c] - y[j * d_ + c]) * (y[i * d_ + c] - y[j * d_ + c]);
        sums[i] += p * (std::log(p * total) + (freedom + 1) / 2 * std::log1p(squares / freedom));
      }
    });
    double sum = 0;
    for (const double one : sums) sum += one;
    return sum;
  }

 private:
  static constexpr int64_t kRows = 16;
  int64_t n_, d_, padded_;
  std::vector<double> p_;
};

}  // namespace

std::unique_ptr<Forces> exact_forces(std::vector<double> p, int64_t n, int64_t d) {
  return std::make_unique<ExactForces>(std::move(p), n, d);
}

}  // namespace glia::classic
