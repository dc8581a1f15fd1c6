// Arithmetic of sparse matrices against that of dense ones, with derivatives.
#include "glia/coo.h"

#include <gtest/gtest.h>

#include <cmath>

#include "glia/autodiff.h"
#include "glia/random.h"
#include "glia/runtime.h"
#include "tests/support/values.h"

namespace glia {
namespace {

using test::expect_same;
using test::message_of;
using In = std::vector<Tensor>;

// About a third of the entries.
Csr random(int64_t r, int64_t c, DType dtype = kF64) {
  return Csr::from_dense(randn({r, c}, dtype) * cast(bernoulli({r, c}, 0.35), dtype));
}
void check(const char* what, const TensorFunction& f, const In& in) {
  EXPECT_EQ(gradcheck(f, in), "") << what;
  EXPECT_EQ(gradgradcheck(f, in), "") << what;
}

TEST(Coo, GoesThereAndBack) {
  const Tensor x = randn({4, 6}, kF64) * cast(bernoulli({4, 6}, 0.4), kF64);
  const Coo a = Coo::from_dense(x);
  expect_same(a.to_dense(), x);
  expect_same(a.transpose().to_dense(), transpose(x));
  const Coo twice{concat({a.indices, flip(a.indices, {1})}, 1),
                  concat({a.values, flip(a.values, {0})}), a.shape};
  expect_same(twice.to_dense(), x * 2);
  EXPECT_EQ(twice.coalesce().values.numel(), a.values.numel());
  EXPECT_THROW((Coo{tensor<int64_t>({{0, 9}, {0, 0}}), ones({2}), {2, 2}}.to_csr()), ValueError);
  EXPECT_THROW((Coo{{}, ones({2}), {2, 2}}.to_csr()), ShapeError);
  EXPECT_THROW((Coo{ones({2}, kI64), ones({2}), {2, 2}}.to_csr()), ShapeError);
}

TEST(Coo, ArithmeticIsThatOfDenseOnes) {
  for (DType dtype : {kF32, kF64}) {
    const double close = dtype == kF64 ? 1e-13 : 1e-5;
    for (const auto& [r, m, c] :
         {std::tuple<int64_t, int64_t, int64_t>{5, 7, 6}, {1, 1, 1}, {0, 3, 2}, {3, 0, 2}}) {
      const Csr a = random(r, m, dtype), b = random(r, m, dtype), d = random(m, c, dtype);
      const Tensor x = a.to_dense(), y = b.to_dense(), z = d.to_dense();
      expect_same(add(a, b, -2).to_dense(), x - y * 2, close);
      expect_same(mul(a, b).to_dense(), x * y, close);
      expect_same(spspmm(a, d).to_dense(), matmul(x, z), close);
      expect_same(sum(a, 1), sum(x, {1}), close);
      expect_same(sum(a, 0), sum(x, {0}), close);
      expect_same(sum(a), sum(x), close);
      const Tensor p = randn({r, 4}, dtype), q = randn({4, m}, dtype);
      const Tensor there = cast(x != 0, dtype);
      expect_same(sddmm(a, p, q).to_dense(), matmul(p, q) * there, close);
      if (x.numel() == 0) continue;
      expect_same(softmax(a).to_dense(), where(x != 0, softmax(where(x != 0, x, -INFINITY), 1), 0),
                  close);
    }
  }
  // Entries of one place, given twice.
  const Csr twice(tensor<int64_t>({0, 2}), tensor<int64_t>({1, 1}), tensor({2.0, 3.0}), {1, 2});
  expect_same(mul(twice, twice).to_dense(), tensor({{0.0, 25.0}}));
  expect_same(add(twice, twice).to_dense(), tensor({{0.0, 10.0}}));
}

TEST(Coo, Derivatives) {
  const Csr a = random(4, 5), b = random(4, 5), d = random(5, 3);
  const auto of = [](const Csr& s, const Tensor& v) { return s.with_values(v); };
  check("add", [&](const In& x) { return square(add(of(a, x[0]), of(b, x[1]), 3).values()); },
        {a.values(), b.values()});
  check("mul", [&](const In& x) { return square(mul(of(a, x[0]), of(b, x[1])).values()); },
        {a.values(), b.values()});
  check("spspmm", [&](const In& x) { return square(spspmm(of(a, x[0]), of(d, x[1])).values()); },
        {a.values(), d.values()});
  check("sddmm", [&](const In& x) { return square(sddmm(a, x[0], x[1]).values()); },
        {randn({4, 3}, kF64), randn({3, 5}, kF64)});
  check("softmax", [&](const In& x) { return square(softmax(of(a, x[0])).values()); },
        {a.values()});
  check("sum", [&](const In& x) { return square(sum(of(a, x[0]), 0)); }, {a.values()});
  check("spmm", [&](const In& x) { return square(spmm(of(a, x[0]), x[1])); },
        {a.values(), randn({5, 2}, kF64)});
}

TEST(Coo, ConjugateGradients) {
  const int64_t n = 30;
  const Csr a = random(n, n);
  const Tensor x = a.to_dense();
  const Csr d = Csr::from_dense(matmul(x, transpose(x)) + eye(n, kF64) * 5);
  for (bool jacobi : {false, true}) {
    const CgOptions options{.rtol = 1e-12, .jacobi = jacobi};
    for (const Shape& s : {Shape{n}, Shape{n, 3}}) {
      const Tensor b = randn(s, kF64);
      expect_same(spmm(d, cg(d, b, options)), b, 1e-9);
    }
    check("cg", [&](const In& in) { return square(cg(d.with_values(in[0]), in[1], options)); },
          {d.values(), randn({n, 2}, kF64)});
  }
  expect_same(cg(d, zeros({n}, kF64)), zeros({n}, kF64));
  const auto value = [&] { return cg(d, ones({n, 4}, kF64)).to_vector<double>(); };
  const int threads = num_threads();
  set_num_threads(1);
  const std::vector<double> alone = value();
  set_num_threads(4);
  EXPECT_EQ(value(), alone);
  set_num_threads(threads);
  const Csr bad =
      Csr::from_dense(tensor({{1.0, 2.0}, {2.0, 1.0}}) * 0.0 + tensor({{0.0, 1.0}, {-1.0, 0.0}}));
  EXPECT_NE(
      message_of<ValueError>([&] { eval({cg(bad, ones({2}, kF64))}); }).find("does not converge"),
      std::string::npos);
  EXPECT_THROW(cg(d, ones({n})), ShapeError);
  EXPECT_THROW(cg(d, ones({2}, kF64)), ShapeError);
  EXPECT_THROW(cg(d, ones({n}, kF64), {.rtol = -1}), ShapeError);
  EXPECT_THROW(cg(d, ones({n}, kF64), {.maxiter = -1}), ShapeError);
  EXPECT_THROW(add(d, a.transpose().with_values(cast(a.transpose().values(), kF32))), ShapeError);
  EXPECT_THROW(spspmm(random(2, 3), random(2, 3)), ShapeError);
  EXPECT_THROW(sum(d, 2), ShapeError);
  EXPECT_THROW(sddmm(d, ones({n, 2}), ones({2, n})), ShapeError);
}

}  // namespace
}  // namespace glia
