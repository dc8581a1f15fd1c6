// Nearest neighbours in the maximum norm.
#pragma once

#include <cstdint>
#include <vector>

namespace glia::information {

// A k-d tree (Bentley 1975) over rows (N, D), which it refers to.
class KdTree {
 public:
  KdTree(const std::vector<double>& rows, int64_t columns);

  // Row i's k nearest others, near ones first.
  std::vector<int64_t> nearest(int64_t i, int64_t k) const;
  // How many others lie nearer to row i than `radius`, or at most so far if `closed`.
  int64_t within(int64_t i, double radius, bool closed) const;
  double distance(int64_t i, int64_t j) const;

 private:
  struct Node {
    int64_t begin, end;             // in order_
    int64_t left = -1, right = -1;  // children; leaves have none
    std::vector<double> low, high;  // the box around its rows
  };
  struct Search;
  int64_t build(int64_t begin, int64_t end);
  double distance_to_box(const double* at, const Node& node) const;
  double distance_to_far_corner(const double* at, const Node& node) const;
  void find(int64_t node, Search* search) const;
  int64_t count(int64_t node, const double* at, double radius, bool closed) const;
  const double* row(int64_t i) const { return rows_.data() + i * columns_; }

  const std::vector<double>& rows_;
  int64_t columns_;
  std::vector<int64_t> order_;
  std::vector<Node> nodes_;
};

}  // namespace glia::information
