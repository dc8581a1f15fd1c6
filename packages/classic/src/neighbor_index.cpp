#include "neighbor_index.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "glia/ops.h"
#include "glia/parallel.h"
#include "screen.h"
#include "simd.h"

namespace glia::classic {
namespace {

constexpr int64_t kLeaf = 24;              // samples
constexpr int64_t kMostTreeFeatures = 20;  // beyond, a tree looks at nearly everything
constexpr int64_t kGroup = 16;             // samples whose least estimate is looked at first
constexpr int64_t kTile = 60 * kGroup;     // samples of one product, read where they lie
constexpr int64_t kBlock = 1 << 21;        // estimates at once
constexpr double kRounding = 1 - 1e-12;    // a box is no farther than what it holds
constexpr int64_t kQueries = 32;           // of a tree, by one thread at a time

}  // namespace

Tensor unit_rows(const Tensor& x) {
  const Tensor length = sqrt(sum(square(x), {1}, true));
  return x / where(length > 0, length, 1.0);
}

// ---- Distances --------------------------------------------------------------------------------

double Distance::part(double difference) const {
  switch (metric_) {
    case Metric::kManhattan:
    case Metric::kChebyshev:
      return std::abs(difference);
    case Metric::kMinkowski:
      return std::pow(std::abs(difference), p_);
    default:
      return difference * difference;
  }
}

double Distance::reduced(const double* a, const double* b, int64_t d) const {
  double sum = 0;
  switch (metric_) {
    case Metric::kEuclidean:
      return simd::squared_distance(a, b, d);
    case Metric::kManhattan:
      return simd::city_distance(a, b, d);
    case Metric::kCosine:
      return std::clamp(1 - simd::dot(a, b, d), 0.0, 2.0);
    default:
      for (int64_t f = 0; f < d; ++f) sum = join(sum, part(a[f] - b[f]));
      return sum;
  }
}

double Distance::of_reduced(double r) const {
  if (metric_ == Metric::kEuclidean) return std::sqrt(r);
  return metric_ == Metric::kMinkowski ? std::pow(r, 1 / p_) : r;
}

double Distance::to_reduced(double distance) const {
  if (metric_ == Metric::kEuclidean) return distance * distance;
  return metric_ == Metric::kMinkowski ? std::pow(distance, p_) : distance;
}

// ---- The tree ---------------------------------------------------------------------------------

NeighborIndex::NeighborIndex(const Tensor& x, Metric metric, double p, NeighborAlgorithm algorithm)
    : x_(metric == Metric::kCosine ? unit_rows(x) : x),
      n_(x.size(0)),
      d_(x.size(1)),
      distance_(metric, p) {
  eval(x_);
  const bool can = metric != Metric::kCosine && metric != Metric::kPrecomputed;
  const bool wanted = algorithm == NeighborAlgorithm::kKdTree ||
                      (algorithm == NeighborAlgorithm::kAuto && d_ <= kMostTreeFeatures);
  if (!can || !wanted || n_ <= 2 * kLeaf) return;
  order_.resize(static_cast<size_t>(n_));
  std::iota(order_.begin(), order_.end(), 0);
  build(0, n_);
  const double* values = x_.data<double>().data();
  for (const int64_t i : order_)
    points_.insert(points_.end(), values + i * d_, values + (i + 1) * d_);
}

int64_t NeighborIndex::build(int64_t begin, int64_t end) {
  const double* values = x_.data<double>().data();
  const auto node = static_cast<int64_t>(nodes_.size());
  nodes_.push_back({begin, end, -1, -1});
  std::vector<double> low(values + order_[begin] * d_, values + (order_[begin] + 1) * d_),
      high = low;
  for (int64_t i = begin + 1; i < end; ++i)
    for (int64_t f = 0; f < d_; ++f) {
      const double v = values[order_[i] * d_ + f];
      low[f] = std::min(low[f], v);
      high[f] = std::max(high[f], v);
    }
  int64_t widest = 0;
  for (int64_t f = 1; f < d_; ++f)
    if (high[f] - low[f] > high[widest] - low[widest]) widest = f;
  const bool flat = high[widest] == low[widest];
  boxes_.insert(boxes_.end(), low.begin(), low.end());
  boxes_.insert(boxes_.end(), high.begin(), high.end());
  if (end - begin <= kLeaf || flat) return node;
  const int64_t middle = begin + (end - begin) / 2;
  std::nth_element(order_.begin() + begin, order_.begin() + middle, order_.begin() + end,
                   [&](int64_t a, int64_t b) {
                     const double va = values[a * d_ + widest], vb = values[b * d_ + widest];
                     return va < vb || (va == vb && a < b);
                   });
  const int64_t left = build(begin, middle), right = build(middle, end);
  nodes_[node].left = left;
  nodes_[node].right = right;
  return node;
}

double NeighborIndex::to_box(const double* q, int64_t node) const {
  const double* low = boxes_.data() + node * 2 * d_;
  const double* high = low + d_;
  double sum = 0;
  for (int64_t f = 0; f < d_; ++f) {
    const double outside = q[f] < low[f] ? low[f] - q[f] : q[f] > high[f] ? q[f] - high[f] : 0;
    if (outside > 0) sum = distance_.join(sum, distance_.part(outside));
  }
  return sum;
}

// Keeps the k least in a heap, the largest in front.
static void offer(std::vector<Neighbor>& heap, size_t k, const Neighbor& n) {
  if (heap.size() < k) {
    heap.push_back(n);
    std::push_heap(heap.begin(), heap.end());
  } else if (n < heap.front()) {
    std::pop_heap(heap.begin(), heap.end());
    heap.back() = n;
    std::push_heap(heap.begin(), heap.end());
  }
}

void NeighborIndex::search(const double* q, int64_t at, double box, int64_t skip, size_t k,
                           std::vector<Neighbor>& heap) const {
  if (heap.size() == k && box * kRounding > heap.front().reduced) return;
  const Node& node = nodes_[at];
  if (node.left < 0) {
    for (int64_t i = node.begin; i < node.end; ++i)
      if (order_[i] != skip)
        offer(heap, k, {distance_.reduced(q, points_.data() + i * d_, d_), order_[i]});
    return;
  }
  const double left = to_box(q, node.left), right = to_box(q, node.right);
  if (left <= right) {
    search(q, node.left, left, skip, k, heap);
    search(q, node.right, right, skip, k, heap);
  } else {
    search(q, node.right, right, skip, k, heap);
    search(q, node.left, left, skip, k, heap);
  }
}

void NeighborIndex::collect(const double* q, int64_t at, double most, int64_t skip,
                            std::vector<Neighbor>& found) const {
  if (to_box(q, at) * kRounding > most) return;
  const Node& node = nodes_[at];
  if (node.left >= 0) {
    collect(q, node.left, most, skip, found);
    collect(q, node.right, most, skip, found);
    return;
  }
  for (int64_t i = node.begin; i < node.end; ++i) {
    if (order_[i] == skip) continue;
    const double r = distance_.reduced(q, points_.data() + i * d_, d_);
    if (r <= most) found.push_back({r, order_[i]});
  }
}

// ---- All of them ------------------------------------------------------------------------------

// Squared Euclidean distances of a block of queries by a product in f32, which says who may be
// near; what it lets through is computed in f64. |estimate - distance| <= bound.
class NeighborIndex::Screen {
 public:
  explicit Screen(const NeighborIndex& of) : of_(of) {
    const int64_t padded = (of.n_ + kTile - 1) / kTile * kTile;
    center_ = mean(of.x_, {0});
    const Tensor x = of.x_ - center_, norms = sum(square(x), {1});
    eval({x, norms});
    const double* values = x.data<double>().data();
    for (int64_t first = 0; first < padded; first += kTile) {
      std::vector<float> across(static_cast<size_t>(of.d_ * kTile));
      for (int64_t j = first; j < std::min(first + kTile, of.n_); ++j)
        for (int64_t f = 0; f < of.d_; ++f)
          across[f * kTile + j - first] = static_cast<float>(values[j * of.d_ + f]);
      across_.push_back(from_vector(across, {of.d_, kTile}));
    }
    norms_ = split(
        pad(cast(norms, kF32), {{0, padded - of.n_}}, std::numeric_limits<double>::infinity()),
        kTile);
    eval(norms_);
    largest_ = std::sqrt(max(norms).item());
    rows_ = std::max<int64_t>(kBlock / padded, 1);
  }
  // Where f32 holds the numbers.
  bool works() const { return largest_ < 1e18; }
  int64_t rows() const { return rows_; }

  struct Block {
    // Of each tile, (rows, kTile) and (rows, kTile / kGroup): without the query's square.
    std::vector<Tensor> estimates, groups;
    std::vector<double> squares, bounds;

    std::vector<Tensor> least;  // of each tile, (rows)
    // f(estimates, first sample) of each group of samples whose least estimate passes.
    template <class P, class F>
    void each_group(int64_t row, P&& passes, F&& f) const {
      constexpr int64_t kGroups = kTile / kGroup;
      for (size_t t = 0; t < estimates.size(); ++t) {
        if (!passes(least[t].data<float>()[row])) continue;
        const float* of = estimates[t].data<float>().data() + row * kTile;
        const float* group = groups[t].data<float>().data() + row * kGroups;
        for (int64_t g = 0; g < kGroups; ++g)
          if (passes(group[g])) f(of + g * kGroup, static_cast<int64_t>(t) * kTile + g * kGroup);
      }
    }
  };
  Block block(const Tensor& queries) const {
    const Tensor q = queries - center_, squares = sum(square(q), {1});
    const Tensor narrow = cast(q, kF32) * -2;
    eval({narrow, squares});
    Block b;
    for (size_t t = 0; t < across_.size(); ++t) {
      b.estimates.push_back(matmul(narrow, across_[t]) + norms_[t]);
      b.groups.push_back(min(reshape(b.estimates.back(), {q.size(0), -1, kGroup}), {2}));
    }
    std::vector<Tensor> all = b.estimates;
    for (const Tensor& groups : b.groups) b.least.push_back(min(groups, {1}));
    all.insert(all.end(), b.groups.begin(), b.groups.end());
    all.insert(all.end(), b.least.begin(), b.least.end());
    eval(all);
    b.squares = squares.to_vector<double>();
    for (const double s : b.squares) {
      const double reach = std::sqrt(s) + largest_;
      b.bounds.push_back(product_error(of_.d_) * reach * reach);
    }
    return b;
  }

 private:
  const NeighborIndex& of_;
  Tensor center_;
  std::vector<Tensor> across_, norms_;  // of each tile: (d, kTile), (kTile)
  double largest_ = 0;
  int64_t rows_ = 1;
};

std::vector<Neighbor> NeighborIndex::nearest(const Tensor& given, int64_t k, bool self) const {
  const Tensor queries = distance_.metric() == Metric::kCosine ? unit_rows(given) : given;
  eval(queries);
  const int64_t count = queries.size(0), block = kQueries;
  const double* q = queries.data<double>().data();
  const double* values = x_.data<double>().data();
  std::vector<Neighbor> all(static_cast<size_t>(count * k));
  const auto keep = [&](int64_t i, std::vector<Neighbor>& heap) {
    std::sort(heap.begin(), heap.end());
    std::copy(heap.begin(), heap.begin() + k, all.begin() + i * k);
  };
  if (!nodes_.empty()) {
    parallel_for((count + block - 1) / block, [&](int64_t b) {
      std::vector<Neighbor> heap;
      for (int64_t i = b * block; i < std::min(count, (b + 1) * block); ++i) {
        heap.clear();
        search(q + i * d_, 0, 0, self ? i : -1, static_cast<size_t>(k), heap);
        keep(i, heap);
      }
    });
    return all;
  }
  if (distance_.metric() == Metric::kEuclidean && d_ >= 4) {
    const Screen screen(*this);
    if (screen.works()) {
      for (int64_t begin = 0; begin < count; begin += screen.rows()) {
        const int64_t rows = std::min(screen.rows(), count - begin);
        const auto b = screen.block(slice(queries, 0, Slice{begin, begin + rows}));
        parallel_for(rows, [&](int64_t r) {
          const int64_t i = begin + r, skip = self ? i : -1;
          std::vector<float> heap;
          const auto may = [&](float least) {
            return static_cast<int64_t>(heap.size()) < k || least < heap.front();
          };
          b.each_group(r, may, [&](const float* estimates, int64_t first) {
            for (int64_t j = first; j < std::min(first + kGroup, n_); ++j) {
              const float estimate = estimates[j - first];
              if (j == skip) continue;
              if (static_cast<int64_t>(heap.size()) < k) {
                heap.push_back(estimate);
                std::push_heap(heap.begin(), heap.end());
              } else if (estimate < heap.front()) {
                std::pop_heap(heap.begin(), heap.end());
                heap.back() = estimate;
                std::push_heap(heap.begin(), heap.end());
              }
            }
          });
          const auto most = static_cast<float>(heap.front() + 2 * b.bounds[r]);
          std::vector<Neighbor> found;
          const auto near = [&](float least) { return least <= most; };
          b.each_group(r, near, [&](const float* estimates, int64_t first) {
            for (int64_t j = first; j < std::min(first + kGroup, n_); ++j)
              if (j != skip && estimates[j - first] <= most)
                found.push_back({distance_.reduced(q + i * d_, values + j * d_, d_), j});
          });
          keep(i, found);
        });
      }
      return all;
    }
  }
  parallel_for(count, [&](int64_t i) {
    std::vector<Neighbor> heap;
    for (int64_t j = 0; j < n_; ++j)
      if (!self || j != i)
        offer(heap, static_cast<size_t>(k),
              {distance_.reduced(q + i * d_, values + j * d_, d_), j});
    keep(i, heap);
  });
  return all;
}

std::vector<std::vector<Neighbor>> NeighborIndex::within(const Tensor& given, double radius,
                                                         bool self) const {
  const Tensor queries = distance_.metric() == Metric::kCosine ? unit_rows(given) : given;
  eval(queries);
  const int64_t count = queries.size(0), block = kQueries;
  const double* q = queries.data<double>().data();
  const double* values = x_.data<double>().data();
  const double most = distance_.to_reduced(radius);
  std::vector<std::vector<Neighbor>> all(static_cast<size_t>(count));
  const auto by_index = [](const Neighbor& a, const Neighbor& b) { return a.index < b.index; };
  if (!nodes_.empty()) {
    parallel_for((count + block - 1) / block, [&](int64_t b) {
      for (int64_t i = b * block; i < std::min(count, (b + 1) * block); ++i) {
        collect(q + i * d_, 0, most, self ? i : -1, all[i]);
        std::sort(all[i].begin(), all[i].end(), by_index);
      }
    });
    return all;
  }
  if (distance_.metric() == Metric::kEuclidean && d_ >= 4) {
    const Screen screen(*this);
    if (screen.works()) {
      for (int64_t begin = 0; begin < count; begin += screen.rows()) {
        const int64_t rows = std::min(screen.rows(), count - begin);
        const auto b = screen.block(slice(queries, 0, Slice{begin, begin + rows}));
        parallel_for(rows, [&](int64_t r) {
          const int64_t i = begin + r;
          const double limit = most - b.squares[r] + b.bounds[r];
          const auto near = [&](float least) { return least <= limit; };
          b.each_group(r, near, [&](const float* estimates, int64_t first) {
            for (int64_t j = first; j < std::min(first + kGroup, n_); ++j) {
              if (estimates[j - first] > limit || (self && j == i)) continue;
              const double d = distance_.reduced(q + i * d_, values + j * d_, d_);
              if (d <= most) all[i].push_back({d, j});
            }
          });
        });
      }
      return all;
    }
  }
  parallel_for(count, [&](int64_t i) {
    for (int64_t j = 0; j < n_; ++j) {
      if (self && j == i) continue;
      const double d = distance_.reduced(q + i * d_, values + j * d_, d_);
      if (d <= most) all[i].push_back({d, j});
    }
  });
  return all;
}

}  // namespace glia::classic
