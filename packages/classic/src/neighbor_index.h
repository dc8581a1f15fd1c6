// Searches for near samples: a k-d tree, or all of them.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "glia/classic/neighbors.h"

namespace glia::classic {

// What a metric adds up over features, and what of it is the distance.
class Distance {
 public:
  explicit Distance(Metric metric, double p = 2) : metric_(metric), p_(p) {}

  // Grows with the distance, and is cheaper: the square of a Euclidean one.
  double reduced(const double* a, const double* b, int64_t d) const;
  double of_reduced(double r) const;
  double to_reduced(double distance) const;
  // What one feature's difference adds, and how two parts go together.
  double part(double difference) const;
  double join(double a, double b) const {
    return metric_ == Metric::kChebyshev ? std::max(a, b) : a + b;
  }
  Metric metric() const { return metric_; }

 private:
  Metric metric_;
  double p_;
};

std::vector<std::string> metric_names();
// X with rows of length 1; zeros stay.
Tensor unit_rows(const Tensor& x);

struct Neighbor {
  double reduced;
  int64_t index;
  bool operator<(const Neighbor& o) const {
    return reduced < o.reduced || (reduced == o.reduced && index < o.index);
  }
};

class NeighborIndex {
 public:
  // X (samples, features) f64; for kCosine it is brought to length 1.
  NeighborIndex(const Tensor& x, Metric metric, double p, NeighborAlgorithm algorithm);

  int64_t samples() const { return n_; }
  // The k nearest of each query (Q, features) f64, sorted, by reduced distances; `self`: query i is
  // sample i, which does not count.
  std::vector<Neighbor> nearest(const Tensor& queries, int64_t k, bool self = false) const;
  // All within a distance, by index.
  std::vector<std::vector<Neighbor>> within(const Tensor& queries, double radius,
                                            bool self = false) const;
  const Distance& distance() const { return distance_; }

 private:
  struct Node {
    int64_t begin, end;   // of order_
    int64_t left, right;  // nodes, or -1 of a leaf
  };
  class Screen;

  int64_t build(int64_t begin, int64_t end);
  double to_box(const double* q, int64_t node) const;
  void search(const double* q, int64_t node, double box, int64_t skip, size_t k,
              std::vector<Neighbor>& heap) const;
  void collect(const double* q, int64_t node, double most, int64_t skip,
               std::vector<Neighbor>& found) const;

  Tensor x_;  // (n, d) f64
  int64_t n_, d_;
  Distance distance_;
  std::vector<Node> nodes_;
  std::vector<int64_t> order_;
  std::vector<double> boxes_;   // of each node: d least, d largest values
  std::vector<double> points_;  // the samples in the order of the tree
};

}  // namespace glia::classic
