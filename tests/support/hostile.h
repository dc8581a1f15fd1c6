// Arguments as far out as their types go.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "core/node.h"
#include "glia/autodiff.h"
#include "glia/data.h"
#include "glia/nn.h"
#include "glia/ops.h"
#include "glia/sparse.h"
#include "tests/support/host.h"

namespace glia::test {

inline constexpr int64_t kComputed = 1 << 22;  // elements: larger results are not computed

// Arguments, and what becomes of results.
class Hostile {
 public:
  explicit Hostile(uint64_t seed) : numbers_(seed) {}

  bool yes() { return numbers_.next() % 2; }
  // Mostly a usual number, so that calls get past their first check.
  int64_t integer() {
    static const std::vector<int64_t> usual{0, 1, 2, 3, -1};
    static const std::vector<int64_t> extreme{INT64_MIN,
                                              INT64_MIN + 1,
                                              -(int64_t{1} << 32),
                                              -5,
                                              -1,
                                              0,
                                              1,
                                              2,
                                              7,
                                              int64_t{1} << 31,
                                              int64_t{1} << 32,
                                              int64_t{1} << 62,
                                              INT64_MAX - 1,
                                              INT64_MAX};
    return numbers_.pick(numbers_.integer(0, 2) ? usual : extreme);
  }
  uint64_t natural() { return static_cast<uint64_t>(integer()); }
  int axis() {
    static const std::vector<int> some{0,       0,  1,  1,  -1, -1,      2,           -2,
                                       3,       7,  8,  -9, 31, 32,      63,          64,
                                       INT_MIN, -3, -8, 9,  -5, INT_MAX, INT_MIN + 1, INT_MAX - 1};
    return numbers_.pick(some);
  }
  double real() {
    static const std::vector<double> some{
        0,   1,        -1,        0.5,    2,      1e-320,  1e300,  -1e300, 0x1p31, 0x1p32, 0x1p53,
        NAN, INFINITY, -INFINITY, 0x1p62, 0x1p63, -0x1p63, 0x1p64, -0.0,   1e-30,  7,      0.1};
    return numbers_.pick(some);
  }
  DType dtype() { return static_cast<DType>(numbers_.integer(0, kDTypeCount - 1)); }
  Shape shape() {
    Shape s;
    for (int64_t rank = numbers_.integer(0, 4); rank > 0; --rank) s.push_back(integer());
    return s;
  }
  Axes axes() {
    Axes out(static_cast<size_t>(numbers_.integer(0, 3)));
    for (int64_t& a : out) a = numbers_.integer(0, 3) ? axis() : integer();
    return out;
  }
  Slice slice() {
    const auto end = [&] { return yes() ? Slice::kNone : integer(); };
    return {end(), end(), yes() ? 1 : integer()};
  }
  // Mostly what would do.
  int64_t count() { return numbers_.integer(0, 7) ? numbers_.integer(1, 3) : integer(); }
  double rate() { return numbers_.integer(0, 7) ? 0.1 * numbers_.integer(0, 9) : real(); }
  std::pair<int64_t, int64_t> pair() { return {count(), count()}; }
  std::pair<int64_t, int64_t> padding() {
    const auto pad = [&] { return numbers_.integer(0, 3) ? 0 : integer(); };
    return {pad(), pad()};
  }

  Shape small_shape(int rank) {
    Shape s;
    for (int i = 0; i < rank; ++i) s.push_back(numbers_.integer(0, 9) ? numbers_.integer(1, 3) : 0);
    return s;
  }
  Tensor of(const Shape& shape, DType dtype) {
    Tensor t = upload(random_host(shape, dtype, -3, 3, numbers_));
    if (!is_float(dtype) || numbers_.integer(0, 1)) return t;
    return trained_.emplace_back(trainable(t));
  }
  Tensor tensor(int rank) { return of(small_shape(rank), yes() ? kF32 : dtype()); }
  Tensor tensor() { return tensor(static_cast<int>(numbers_.integer(0, 4))); }
  Tensor floats(const Shape& shape) { return of(shape, yes() ? kF32 : kF64); }
  Tensor image() { return floats({1, 4, 5, 2}); }
  Tensor indices(const Shape& shape) {
    std::vector<int64_t> values(static_cast<size_t>(shape.numel()));
    for (int64_t& v : values) v = numbers_.integer(0, 7) ? numbers_.integer(0, 1) : integer();
    const Tensor t = from_vector(values, shape);
    return yes() ? t : cast(t, kI32);
  }
  Tensor indices() { return indices(small_shape(static_cast<int>(numbers_.integer(0, 2)))); }
  Number number() {
    switch (numbers_.integer(0, 3)) {
      case 0:
        return real();
      case 1:
        return natural();
      default:
        return integer();
    }
  }

  void use(const Tensor& t) {
    if (!t.defined() || t.numel() > kComputed) return;
    t.str();
    if (!t.requires_grad() || trained_.empty()) return;
    for (const Tensor& g : gradients(sum(cast(t, kF64)), trained_)) eval(g);
  }
  void use(const std::vector<Tensor>& all) {
    for (const Tensor& t : all) use(t);
  }
  void use(const std::pair<Tensor, Tensor>& both) { use(std::vector{both.first, both.second}); }
  void use(const LSTMResult& r) { use(std::vector{r.out, r.h, r.c}); }
  void use(const RNNResult& r) { use(std::vector{r.out, r.h}); }
  void use(const BatchNormResult& r) { use(std::vector{r.out, r.mean, r.var}); }
  void use(const Csr& m) {
    use(m.values());
    if (m.shape().numel() < kComputed) use(m.to_dense());
    use(m.transpose().values());
  }
  void use(const ParameterList& all) {
    for (const Variable& v : all) use(v.tensor());
  }
  // A few of what a loop would give.
  template <size_t N>
  void use(data::Dataset<N> d) {
    EXPECT_GE(d.size(), 0);
    int left = 4;
    for (const auto& sample : d) {
      for (const Tensor& t : sample) use(t);
      if (--left == 0) return;
    }
  }

 private:
  Numbers numbers_;
  std::vector<Tensor> trained_;
};

}  // namespace glia::test
