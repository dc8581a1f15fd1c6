#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "glia/parallel.h"
#include "manifold/forces.h"
#include "simd.h"

namespace glia::classic {
namespace {

using simd::F32;
using simd::I32;
constexpr int64_t kLanes = simd::kLanes<float>;  // points whose forces are found together
constexpr int64_t kLeaf = 8;                     // points of a cell that is not parted
constexpr int64_t kRows = 128;                   // points of one task

// Cells in the order of a walk through the tree, children behind their parent.
template <int D>
struct Cells {
  struct Cell {
    float center[D];     // of mass
    float mass;          // points
    float width;         // squared
    int32_t next;        // the cell behind all that are within this one
    int32_t begin, end;  // the points of a leaf; else begin = -1
  };
  std::vector<Cell> cells;
};

// y = x^-1/2 by Newton's steps from a guess by the exponent.
GLIA_ALWAYS_INLINE void inverse_root(const F32& x, F32& y) {
  I32 bits;
  std::memcpy(&bits, &x, sizeof(bits));
  bits = 0x5f3759df - (bits >> 1);
  std::memcpy(&y, &bits, sizeof(y));
  for (int step = 0; step < 4; ++step) y *= 1.5f - 0.5f * x * y * y;
}

// 1 / (1 + d^2 / v), and the kernel of it.
template <int D>
GLIA_ALWAYS_INLINE void kernel(const F32 (&apart)[D], F32& q, F32& w) {
  F32 squares = apart[0] * apart[0];
  for (int c = 1; c < D; ++c) squares += apart[c] * apart[c];
  const F32 long_way = 1.0f + (D == 3 ? 0.5f : 1.0f) * squares;
  q = 1.0f / long_way;
  w = q;
  if constexpr (D == 3) {  // q^1.5
    inverse_root(long_way, w);
    w *= q;
  }
}

// On points first to first + count, at most kLanes, of `points`, D arrays that are padded: forces,
// lane by lane of each axis, and the total of w, each point with itself among the others.
template <int D>
GLIA_ALWAYS_INLINE double repulsion_of(const typename Cells<D>::Cell* cells, int32_t cell_count,
                                       const float* const* points, int64_t first, int64_t count,
                                       float angle, float* forces) {
  F32 y[D], force[D] = {}, total = {};
  float low[D], high[D];
  for (int c = 0; c < D; ++c) {
    simd::load(y[c], points[c] + first);
    const auto [least, most] = std::minmax_element(points[c] + first, points[c] + first + count);
    low[c] = *least;
    high[c] = *most;
  }
  const auto meet = [&](float mass, const float* at) GLIA_INLINED {
    F32 apart[D], q, w;
    for (int c = 0; c < D; ++c) apart[c] = y[c] - at[c];
    kernel<D>(apart, q, w);
    w *= mass;
    total += w;
    q *= w;
    for (int c = 0; c < D; ++c) force[c] += q * apart[c];
  };
  for (int32_t i = 0; i < cell_count;) {
    const auto& cell = cells[i];
    float nearest = 0;
    for (int c = 0; c < D; ++c) {
      const float outside =
          std::max(0.0f, std::max(low[c] - cell.center[c], cell.center[c] - high[c]));
      nearest += outside * outside;
    }
    if (cell.width < angle * nearest) {
      meet(cell.mass, cell.center);
      i = cell.next;
    } else if (cell.begin >= 0) {
      for (int32_t j = cell.begin; j < cell.end; ++j) {
        float at[D];
        for (int c = 0; c < D; ++c) at[c] = points[c][j];
        meet(1, at);
      }
      i = cell.next;
    } else {
      ++i;
    }
  }
  for (int c = 0; c < D; ++c) simd::store(force[c], forces + c * kLanes);
  float lanes[kLanes];
  simd::store(total, lanes);
  double sum = 0;
  for (int64_t l = 0; l < count; ++l) sum += lanes[l];
  return sum;
}

// On one point, of its neighbours: sum of p q (y_i - y_j); y is (n, D).
template <int D>
GLIA_ALWAYS_INLINE void attraction_of(const float* own, const float* y, const int32_t* to,
                                      const float* p, int64_t count, double* force) {
  F32 sums[D] = {};
  float others[D][kLanes], weights[kLanes];
  for (int64_t e = 0; e < count; e += kLanes) {
    const int64_t lanes = std::min(kLanes, count - e);
    for (int64_t l = 0; l < lanes; ++l)
      for (int c = 0; c < D; ++c) others[c][l] = y[int64_t{to[e + l]} * D + c];
    F32 weight;
    if (lanes == kLanes) {
      simd::load(weight, p + e);
    } else {
      std::fill(weights, weights + kLanes, 0.0f);
      std::copy(p + e, p + e + lanes, weights);
      simd::load(weight, weights);
      for (int64_t l = lanes; l < kLanes; ++l)
        for (int c = 0; c < D; ++c) others[c][l] = own[c];
    }
    F32 apart[D], q, w;
    for (int c = 0; c < D; ++c) {
      simd::load(apart[c], others[c]);
      apart[c] = own[c] - apart[c];
    }
    kernel<D>(apart, q, w);
    q *= weight;
    for (int c = 0; c < D; ++c) sums[c] += q * apart[c];
  }
  for (int c = 0; c < D; ++c) force[c] = simd::sum_of_lanes(sums[c]);
}

template <int D>
class BarnesHut : public Forces {
 public:
  BarnesHut(const Graph& p, double angle)
      : n_(p.size()),
        angle_(static_cast<float>(angle * angle)),
        p_(p),
        weights_(p.values.begin(), p.values.end()) {
    order_.resize(static_cast<size_t>(n_));
    keys_.resize(order_.size());
    spare_.resize(order_.size());
    places_.resize(static_cast<size_t>(n_ * D));
    for (auto& axis : sorted_) axis.resize(static_cast<size_t>(n_ + kLanes));
  }

  double compute(const std::vector<double>& y, std::vector<double>& attraction,
                 std::vector<double>& repulsion) override {
    plant(y);
    const int64_t groups = (n_ + kLanes - 1) / kLanes, tasks = (groups + 7) / 8;
    std::vector<double> totals(static_cast<size_t>(groups));
    const float* points[D];
    for (int c = 0; c < D; ++c) points[c] = sorted_[c].data();
    const auto cells = static_cast<int32_t>(tree_.cells.size());
    parallel_for(tasks, [&](int64_t task) {
      float forces[D * kLanes];
      for (int64_t g = task * 8; g < std::min(groups, task * 8 + 8); ++g) {
        const int64_t first = g * kLanes, count = std::min(kLanes, n_ - first);
        totals[g] = repel(cells, points, first, count, forces);
        for (int64_t l = 0; l < count; ++l)
          for (int c = 0; c < D; ++c)
            repulsion[int64_t{order_[first + l]} * D + c] = forces[c * kLanes + l];
      }
    });
    parallel_for((n_ + kRows - 1) / kRows, [&](int64_t block) {
      for (int64_t i = block * kRows; i < std::min(n_, (block + 1) * kRows); ++i) {
        const int64_t begin = p_.starts[i];
        attract(&places_[i * D], p_.columns.data() + begin, weights_.data() + begin,
                p_.starts[i + 1] - begin, &attraction[i * D]);
      }
    });
    double total = -static_cast<double>(n_);  // each with itself
    for (const double one : totals) total += one;
    return std::max(total, std::numeric_limits<double>::min());
  }

  double divergence(const std::vector<double>& y, double total) const override {
    constexpr double kFreedom = D > 2 ? D - 1 : 1;
    std::vector<double> sums(static_cast<size_t>(n_));
    parallel_for((n_ + kRows - 1) / kRows, [&](int64_t block) {
      for (int64_t i = block * kRows; i < std::min(n_, (block + 1) * kRows); ++i)
        for (int64_t e = p_.starts[i]; e < p_.starts[i + 1]; ++e) {
          if (p_.values[e] <= 0) continue;
          double squares = 0;
          for (int c = 0; c < D; ++c) {
            const double apart = y[i * D + c] - y[int64_t{p_.columns[e]} * D + c];
            squares += apart * apart;
          }
          sums[i] += p_.values[e] * (std::log(p_.values[e] * total) +
                                     (kFreedom + 1) / 2 * std::log1p(squares / kFreedom));
        }
    });
    double sum = 0;
    for (const double one : sums) sum += one;
    return sum;
  }

 private:
  static constexpr int kLevels = D == 1 ? 30 : 32 / D;  // halvings of each axis

  double repel(int32_t cells, const float* const* points, int64_t first, int64_t count,
               float* forces) const {
    return simd::at_level<repulsion_of<D>>(tree_.cells.data(), cells, points, first, count, angle_,
                                           forces);
  }
  void attract(const float* own, const int32_t* to, const float* p, int64_t count,
               double* force) const {
    simd::at_level<attraction_of<D>>(own, places_.data(), to, p, count, force);
  }

  // Sorts the points by where they lie (Morton 1966), and makes the cells.
  void plant(const std::vector<double>& y) {
    std::array<double, D> low, high;
    low.fill(std::numeric_limits<double>::infinity());
    high.fill(-std::numeric_limits<double>::infinity());
    for (int64_t i = 0; i < n_; ++i)
      for (int c = 0; c < D; ++c) {
        low[c] = std::min(low[c], y[i * D + c]);
        high[c] = std::max(high[c], y[i * D + c]);
      }
    double width = 0;
    for (int c = 0; c < D; ++c) width = std::max(width, high[c] - low[c]);
    const double scale = width > 0 ? (static_cast<double>(uint64_t{1} << kLevels) - 1) / width : 0;
    for (int64_t i = 0; i < n_; ++i) {
      uint64_t key = 0;
      for (int c = 0; c < D; ++c) {
        places_[i * D + c] = static_cast<float>(y[i * D + c]);
        key |= spread(static_cast<uint64_t>((y[i * D + c] - low[c]) * scale)) << c;
      }
      keys_[i] = key << 32 | static_cast<uint64_t>(i);
    }
    sort_keys();
    for (int64_t i = 0; i < n_; ++i) {
      order_[i] = static_cast<int32_t>(keys_[i] & 0xffffffff);
      keys_[i] >>= 32;
      for (int c = 0; c < D; ++c) sorted_[c][i] = places_[int64_t{order_[i]} * D + c];
    }
    tree_.cells.clear();
    widths_[0] = static_cast<float>(width * width);
    for (int level = 1; level <= kLevels; ++level) widths_[level] = widths_[level - 1] / 4;
    std::array<double, D> sums;
    grow(0, n_, 0, sums);
  }

  // With D - 1 zeros between each two bits.
  static uint64_t spread(uint64_t x) {
    if constexpr (D == 1) return x;
    if constexpr (D == 2) {
      x = (x | x << 8) & 0x00ff00ff;
      x = (x | x << 4) & 0x0f0f0f0f;
      x = (x | x << 2) & 0x33333333;
      return (x | x << 1) & 0x55555555;
    }
    x = (x | x << 16) & 0x030000ff;
    x = (x | x << 8) & 0x0300f00f;
    x = (x | x << 4) & 0x030c30c3;
    return (x | x << 2) & 0x09249249;
  }

  void sort_keys() {  // by their upper half, 11 bits at a time
    for (int shift = 32; shift < 64; shift += 11) {
      std::array<int32_t, 2049> counts{};
      for (const uint64_t key : keys_) ++counts[(key >> shift & 2047) + 1];
      for (size_t i = 1; i < counts.size(); ++i) counts[i] += counts[i - 1];
      for (const uint64_t key : keys_) spare_[counts[key >> shift & 2047]++] = key;
      keys_.swap(spare_);
    }
  }

  // The cell of points begin to end, and those within it; `sums` are of its places.
  void grow(int64_t begin, int64_t end, int level, std::array<double, D>& sums) {
    const auto at = tree_.cells.size();
    tree_.cells.emplace_back();
    sums.fill(0);
    const bool leaf = end - begin <= kLeaf || level == kLevels;
    if (leaf) {
      for (int64_t i = begin; i < end; ++i)
        for (int c = 0; c < D; ++c) sums[c] += sorted_[c][i];
    } else {
      const int shift = D * (kLevels - 1 - level);
      for (int64_t first = begin; first < end;) {
        const uint64_t child = keys_[first] >> shift;
        int64_t last = end;
        if (keys_[end - 1] >> shift != child)
          last = std::partition_point(keys_.begin() + first, keys_.begin() + end,
                                      [&](uint64_t key) { return key >> shift == child; }) -
                 keys_.begin();
        std::array<double, D> part;
        grow(first, last, level + 1, part);
        for (int c = 0; c < D; ++c) sums[c] += part[c];
        first = last;
      }
    }
    auto& cell = tree_.cells[at];
    const auto mass = static_cast<double>(end - begin);
    for (int c = 0; c < D; ++c) cell.center[c] = static_cast<float>(sums[c] / mass);
    cell.mass = static_cast<float>(mass);
    cell.width = widths_[level];
    cell.next = static_cast<int32_t>(tree_.cells.size());
    cell.begin = leaf ? static_cast<int32_t>(begin) : -1;
    cell.end = static_cast<int32_t>(end);
  }

  int64_t n_;
  float angle_;  // squared
  const Graph& p_;
  std::vector<float> weights_;
  std::vector<int32_t> order_;
  std::vector<uint64_t> keys_, spare_;
  std::vector<float> places_;                 // (n, D)
  std::array<std::vector<float>, D> sorted_;  // of each axis, in the order of keys, padded
  std::array<float, kLevels + 1> widths_;
  Cells<D> tree_;
};

}  // namespace

std::unique_ptr<Forces> barnes_hut_forces(const Graph& p, int64_t d, double angle) {
  if (d == 1) return std::make_unique<BarnesHut<1>>(p, angle);
  if (d == 2) return std::make_unique<BarnesHut<2>>(p, angle);
  return std::make_unique<BarnesHut<3>>(p, angle);
}

}  // namespace glia::classic
