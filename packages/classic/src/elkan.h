// Nearest centers with bounds on distances, for centers that move little from call to call.
#pragma once

#include <cmath>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "glia/tensor.h"

namespace glia::classic {

// Elkan 2003: the triangle inequality spares most of the distances. x is (n, d) and must live.
template <class T>
class Elkan {
 public:
  Elkan(std::span<const T> x, int64_t d, int64_t k)
      : x_(x), d_(d), k_(k), n_(static_cast<int64_t>(x.size()) / d) {
    labels_.assign(static_cast<size_t>(n_), 0);
    upper_.assign(static_cast<size_t>(n_), std::numeric_limits<double>::infinity());
    lower_.assign(static_cast<size_t>(n_ * k_), 0);
  }

  // The nearest of the k centers of each sample.
  const std::vector<int64_t>& nearest(std::span<const T> centers) {
    if (!centers_.empty()) loosen(centers);
    centers_.assign(centers.begin(), centers.end());
    halve();
    for (int64_t i = 0; i < n_; ++i) assign(i);
    return labels_;
  }

 private:
  double distance(const T* a, const T* b) const {
    double sum = 0;
    for (int64_t f = 0; f < d_; ++f) {
      const double difference = static_cast<double>(a[f]) - static_cast<double>(b[f]);
      sum += difference * difference;
    }
    return std::sqrt(sum);
  }

  // Bounds after the centers have moved.
  void loosen(std::span<const T> moved) {
    std::vector<double> shift(static_cast<size_t>(k_));
    for (int64_t j = 0; j < k_; ++j)
      shift[j] = distance(moved.data() + j * d_, centers_.data() + j * d_);
    for (int64_t i = 0; i < n_; ++i) {
      upper_[i] += shift[labels_[i]];
      for (int64_t j = 0; j < k_; ++j)
        lower_[i * k_ + j] = std::max(lower_[i * k_ + j] - shift[j], 0.0);
    }
  }

  // Half the distances between centers, and of each center to the next one.
  void halve() {
    half_.assign(static_cast<size_t>(k_ * k_), 0);
    next_.assign(static_cast<size_t>(k_), std::numeric_limits<double>::infinity());
    for (int64_t a = 0; a < k_; ++a)
      for (int64_t b = 0; b < a; ++b) {
        const double h = distance(centers_.data() + a * d_, centers_.data() + b * d_) / 2;
        half_[a * k_ + b] = half_[b * k_ + a] = h;
        next_[a] = std::min(next_[a], h);
        next_[b] = std::min(next_[b], h);
      }
  }

  void assign(int64_t i) {
    int64_t label = labels_[i];
    double upper = upper_[i];
    if (upper <= next_[label]) return;
    const T* x = x_.data() + i * d_;
    double* lower = lower_.data() + i * k_;
    bool tight = false;
    for (int64_t j = 0; j < k_; ++j) {
      const auto spared = [&] { return upper <= lower[j] || upper <= half_[label * k_ + j]; };
      if (j == label || spared()) continue;
      if (!tight) {
        upper = lower[label] = distance(x, centers_.data() + label * d_);
        tight = true;
        if (spared()) continue;
      }
      lower[j] = distance(x, centers_.data() + j * d_);
      if (lower[j] < upper) {
        label = j;
        upper = lower[j];
      }
    }
    labels_[i] = label;
    upper_[i] = upper;
  }

  std::span<const T> x_;
  int64_t d_, k_, n_;
  std::vector<T> centers_;
  std::vector<int64_t> labels_;
  std::vector<double> upper_, lower_;  // on distances to the own and to each center
  std::vector<double> half_, next_;
};

}  // namespace glia::classic
