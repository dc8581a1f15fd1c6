// Estimates by distances to neighbours.
#include "math/neighbours.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <queue>

#include "glia/math/information.h"
#include "glia/parallel.h"
#include "math/samples.h"
#include "ops/special_functions.h"

namespace glia::information {

// ---- The tree ----

KdTree::KdTree(const std::vector<double>& rows, int64_t columns)
    : rows_(rows), columns_(columns), order_(rows.size() / static_cast<size_t>(columns)) {
  std::iota(order_.begin(), order_.end(), 0);
  build(0, static_cast<int64_t>(order_.size()));
}

int64_t KdTree::build(int64_t begin, int64_t end) {
  constexpr int64_t kLeaf = 12;
  Node node{begin, end};
  node.low.assign(row(order_[begin]), row(order_[begin]) + columns_);
  node.high = node.low;
  for (int64_t i = begin; i < end; ++i) {
    for (int64_t d = 0; d < columns_; ++d) {
      node.low[d] = std::min(node.low[d], row(order_[i])[d]);
      node.high[d] = std::max(node.high[d], row(order_[i])[d]);
    }
  }
  int64_t widest = 0;
  for (int64_t d = 1; d < columns_; ++d) {
    if (node.high[d] - node.low[d] > node.high[widest] - node.low[widest]) widest = d;
  }
  const bool splits = end - begin > kLeaf && node.high[widest] > node.low[widest];
  const int64_t at = static_cast<int64_t>(nodes_.size());
  nodes_.push_back(std::move(node));
  if (!splits) return at;
  const int64_t middle = (begin + end) / 2;
  std::nth_element(order_.begin() + begin, order_.begin() + middle, order_.begin() + end,
                   [&](int64_t i, int64_t j) { return row(i)[widest] < row(j)[widest]; });
  const int64_t left = build(begin, middle), right = build(middle, end);
  nodes_[at].left = left;
  nodes_[at].right = right;
  return at;
}

double KdTree::distance(int64_t i, int64_t j) const {
  double most = 0;
  for (int64_t d = 0; d < columns_; ++d) most = std::max(most, std::abs(row(i)[d] - row(j)[d]));
  return most;
}
double KdTree::distance_to_box(const double* at, const Node& node) const {
  double most = 0;
  for (int64_t d = 0; d < columns_; ++d)
    most = std::max({most, node.low[d] - at[d], at[d] - node.high[d]});
  return most;
}
double KdTree::distance_to_far_corner(const double* at, const Node& node) const {
  double most = 0;
  for (int64_t d = 0; d < columns_; ++d)
    most = std::max({most, std::abs(at[d] - node.low[d]), std::abs(node.high[d] - at[d])});
  return most;
}

// The nearest so far, the farthest of them on top; of equal distances the lower index is nearer.
struct KdTree::Search {
  int64_t from;
  size_t k;
  std::priority_queue<std::pair<double, int64_t>> found;
};

void KdTree::find(int64_t at, Search* search) const {
  const Node& node = nodes_[at];
  const auto full = [&] { return search->found.size() == search->k; };
  const double* from = row(search->from);
  if (node.left < 0) {
    for (int64_t i = node.begin; i < node.end; ++i) {
      if (order_[i] == search->from) continue;
      const std::pair<double, int64_t> one{distance(search->from, order_[i]), order_[i]};
      if (full() && !(one < search->found.top())) continue;
      search->found.push(one);
      if (search->found.size() > search->k) search->found.pop();
    }
    return;
  }
  int64_t near = node.left, far = node.right;
  if (distance_to_box(from, nodes_[far]) < distance_to_box(from, nodes_[near]))
    std::swap(near, far);
  for (int64_t child : {near, far}) {
    if (!full() || distance_to_box(from, nodes_[child]) <= search->found.top().first)
      find(child, search);
  }
}

std::vector<int64_t> KdTree::nearest(int64_t i, int64_t k) const {
  Search search{i, static_cast<size_t>(k), {}};
  find(0, &search);
  std::vector<int64_t> out(search.found.size());
  for (auto place = out.rbegin(); place != out.rend(); ++place) {
    *place = search.found.top().second;
    search.found.pop();
  }
  return out;
}

int64_t KdTree::count(int64_t at, const double* from, double radius, bool closed) const {
  const Node& node = nodes_[at];
  const auto inside = [&](double d) { return closed ? d <= radius : d < radius; };
  if (!inside(distance_to_box(from, node))) return 0;
  if (inside(distance_to_far_corner(from, node))) return node.end - node.begin;
  if (node.left >= 0)
    return count(node.left, from, radius, closed) + count(node.right, from, radius, closed);
  int64_t sum = 0;
  for (int64_t i = node.begin; i < node.end; ++i) {
    double most = 0;
    for (int64_t d = 0; d < columns_; ++d)
      most = std::max(most, std::abs(row(order_[i])[d] - from[d]));
    sum += inside(most);
  }
  return sum;
}
int64_t KdTree::within(int64_t i, double radius, bool closed) const {
  const int64_t all = count(0, row(i), radius, closed);
  return all - (closed || radius > 0);  // without the row itself
}

// ---- Estimates ----

namespace {

// The mean of f(i) in pieces of a fixed size, whatever the threads.
template <class F>
double mean_of(int64_t n, F&& f) {
  constexpr int64_t kPiece = 64;
  std::vector<double> sums(static_cast<size_t>((n + kPiece - 1) / kPiece), 0);
  parallel_for(static_cast<int64_t>(sums.size()), [&](int64_t p) {
    for (int64_t i = p * kPiece; i < std::min(n, (p + 1) * kPiece); ++i)
      sums[static_cast<size_t>(p)] += f(i);
  });
  return std::accumulate(sums.begin(), sums.end(), 0.0) / static_cast<double>(n);
}

void require_neighbours(const char* function, const NeighbourOptions& options, int64_t n,
                        const Where& where) {
  if (options.k < 1 || options.k >= n)
    throw ValueError(fmt::format("{}: k is {} for {} samples", function, options.k, n), where);
  if (options.estimator != 1 && options.estimator != 2)
    throw ValueError(fmt::format("{}: estimator is {}, not 1 or 2", function, options.estimator),
                     where);
}

}  // namespace

double ksg_mutual_information(const Tensor& x, const Tensor& y, const NeighbourOptions& options,
                              Where where) {
  constexpr const char* kName = "ksg_mutual_information";
  const double unit = log_base(kName, options.base, where);
  int64_t dx = 1, dy = 1;
  const std::vector<double> a = sample_rows(kName, x, &dx, true, where);
  const std::vector<double> b = sample_rows(kName, y, &dy, true, where);
  if (x.size(0) != y.size(0))
    fail(kName, fmt::format("{} and {} samples", x.size(0), y.size(0)), where);
  const int64_t n = x.size(0), k = options.k;
  require_neighbours(kName, options, n, where);
  std::vector<double> both;
  for (int64_t i = 0; i < n; ++i) {
    both.insert(both.end(), a.begin() + i * dx, a.begin() + (i + 1) * dx);
    both.insert(both.end(), b.begin() + i * dy, b.begin() + (i + 1) * dy);
  }
  const KdTree joint(both, dx + dy), of_x(a, dx), of_y(b, dy);
  using special::digamma;
  const double real_k = static_cast<double>(k), of_n = digamma(static_cast<double>(n));
  const double counted = mean_of(n, [&](int64_t i) {
    const std::vector<int64_t> near = joint.nearest(i, k);
    if (options.estimator == 1) {
      const double radius = joint.distance(i, near.back());
      return digamma(static_cast<double>(of_x.within(i, radius, false)) + 1) +
             digamma(static_cast<double>(of_y.within(i, radius, false)) + 1);
    }
    double radius_x = 0, radius_y = 0;
    for (int64_t j : near) {
      radius_x = std::max(radius_x, of_x.distance(i, j));
      radius_y = std::max(radius_y, of_y.distance(i, j));
    }
    return digamma(static_cast<double>(of_x.within(i, radius_x, true))) +
           digamma(static_cast<double>(of_y.within(i, radius_y, true)));
  });
  const double first = digamma(real_k) - (options.estimator == 2 ? 1 / real_k : 0);
  return (first + of_n - counted) / unit;
}

double neighbour_entropy(const Tensor& x, const NeighbourOptions& options, Where where) {
  constexpr const char* kName = "neighbour_entropy";
  const double unit = log_base(kName, options.base, where);
  int64_t d = 1;
  const std::vector<double> rows = sample_rows(kName, x, &d, true, where);
  const int64_t n = x.size(0);
  require_neighbours(kName, options, n, where);
  const KdTree tree(rows, d);
  const double dimensions = static_cast<double>(d);
  // The ball of that radius has the volume (2 r)^d.
  const double volume = mean_of(n, [&](int64_t i) {
    return dimensions * std::log(2 * tree.distance(i, tree.nearest(i, options.k).back()));
  });
  return (special::digamma(static_cast<double>(n)) -
          special::digamma(static_cast<double>(options.k)) + volume) /
         unit;
}

}  // namespace glia::information
