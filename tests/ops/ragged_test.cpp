// Ragged batches, and complex numbers as pairs of tensors.
#include <gtest/gtest.h>

#include <cmath>
#include <complex>

#include "glia/autodiff.h"
#include "glia/complex.h"
#include "glia/ops.h"
#include "glia/random.h"
#include "glia/sparse.h"

namespace glia {
namespace {

using Numbers = std::vector<double>;

Ragged some_rows() {
  return Ragged::from_rows({tensor({1.0, 2.0, 3.0}), zeros({0}, kF64), tensor({-4.0, -5.0})});
}

TEST(Ragged, FromRowsAndBack) {
  const Ragged r = some_rows();
  EXPECT_EQ(r.rows(), 3);
  EXPECT_EQ(r.values.to_vector<double>(), (Numbers{1, 2, 3, -4, -5}));
  EXPECT_EQ(r.starts.to_vector<double>(), (Numbers{0, 3, 3, 5}));
  EXPECT_EQ(r.lengths().to_vector<double>(), (Numbers{3, 0, 2}));
  EXPECT_EQ(r.row(-1).to_vector<double>(), (Numbers{-4, -5}));
  EXPECT_EQ(r.row(1).shape(), Shape({0}));
  EXPECT_EQ(r.padded(9).to_vector<double>(), (Numbers{1, 2, 3, 9, 9, 9, -4, -5, 9}));
  EXPECT_EQ(r.mask().to_vector<double>(), (Numbers{1, 1, 1, 0, 0, 0, 1, 1, 0}));
  EXPECT_EQ(r.mask().dtype(), kBool);
  const Ragged again = Ragged::from_padded(r.padded(), r.lengths());
  EXPECT_EQ(again.values.to_vector<double>(), r.values.to_vector<double>());
  EXPECT_EQ(again.starts.to_vector<double>(), r.starts.to_vector<double>());
  // Rows of matrices.
  const Ragged wide = Ragged::from_rows({reshape(arange(12), {2, 3, 2}), zeros({1, 3, 2}, kI64)});
  EXPECT_EQ(wide.padded().shape(), Shape({2, 2, 3, 2}));
  EXPECT_EQ(Ragged::from_padded(wide.padded(), wide.lengths()).values.shape(), Shape({3, 3, 2}));
}

TEST(Ragged, SumMeanAndMaxOfRows) {
  const Ragged r = some_rows();
  EXPECT_EQ(sum(r).to_vector<double>(), (Numbers{6, 0, -9}));
  EXPECT_EQ(mean(r).to_vector<double>(), (Numbers{2, 0, -4.5}));
  EXPECT_EQ(max(r).to_vector<double>(), (Numbers{3, 0, -4}));
  const Ragged wide = r.with_values(randn({5, 2, 3}, kF64));
  EXPECT_EQ(sum(wide).shape(), Shape({3, 2, 3}));
  EXPECT_NEAR(sum(sum(wide)).item(), sum(wide.values).item(), 1e-12);
  const auto of = [&](auto f) {
    return gradcheck([&](const std::vector<Tensor>& x) { return f(r.with_values(x[0])); },
                     {wide.values});
  };
  EXPECT_EQ(of([](const Ragged& x) { return sum(x); }), "");
  EXPECT_EQ(of([](const Ragged& x) { return mean(x); }), "");
  EXPECT_EQ(of([](const Ragged& x) { return max(x); }), "");
  EXPECT_EQ(of([](const Ragged& x) { return x.padded(2); }), "");
  EXPECT_EQ(
      of([&](const Ragged& x) { return Ragged::from_padded(x.padded(), r.lengths()).values; }), "");
}

TEST(Ragged, RefusesWhatAreNoRows) {
  const Ragged r = some_rows();
  EXPECT_THROW(Ragged::from_rows({}), ShapeError);
  EXPECT_THROW(Ragged::from_rows({zeros({2}), zeros({2}, kF64)}), ShapeError);
  EXPECT_THROW(Ragged::from_rows({zeros({2, 1}), zeros({2, 2})}), ShapeError);
  EXPECT_THROW(Ragged::from_rows({zeros({2}), zeros({})}), ShapeError);
  EXPECT_THROW(r.row(3), ValueError);
  EXPECT_THROW(r.row(-4), ValueError);
  for (const Tensor& bad : {tensor<int64_t>({1, 5}), tensor<int64_t>({0, 4}),
                            tensor<int64_t>({0, 3, 2, 5}), tensor<int64_t>({0, 9, 5})}) {
    EXPECT_THROW((Ragged{r.values, bad}.padded()), ValueError);
    EXPECT_THROW(sum(Ragged{r.values, bad}).item(), Error);
  }
  for (const Tensor& bad : {Tensor(), zeros({2}), zeros({0}, kI64), zeros({2, 2}, kI64)}) {
    EXPECT_THROW((Ragged{r.values, bad}.padded()), ShapeError);
    EXPECT_THROW((Ragged{r.values, bad}.lengths()), ShapeError);
    EXPECT_THROW(sum(Ragged{r.values, bad}), ShapeError);
  }
  EXPECT_THROW(sum(r.with_values(arange(5))), ShapeError);
  EXPECT_THROW(Ragged::from_padded(zeros({2, 3}), tensor<int64_t>({4, 0})), ValueError);
  EXPECT_THROW(Ragged::from_padded(zeros({2, 3}), tensor<int64_t>({-1, 0})), ValueError);
  EXPECT_THROW(Ragged::from_padded(zeros({2, 3}), tensor<int64_t>({1})), ShapeError);
  const Ragged none = Ragged::from_rows({zeros({0, 2}), zeros({0, 2})});
  EXPECT_EQ(none.padded().shape(), Shape({2, 0, 2}));
  EXPECT_EQ(sum(none).shape(), Shape({2, 2}));
}

// ---- Complex ----------------------------------------------------------------------------------

using C = std::complex<double>;

Complex of(const std::vector<C>& values) {
  Numbers re, im;
  for (const C& v : values) re.push_back(v.real()), im.push_back(v.imag());
  const auto n = static_cast<int64_t>(values.size());
  return {from_vector(re, {n}), from_vector(im, {n})};
}

void expect_near(const Complex& got, const std::vector<C>& want) {
  const auto re = got.re.to_vector<double>(), im = got.im.to_vector<double>();
  ASSERT_EQ(re.size(), want.size());
  for (size_t i = 0; i < want.size(); ++i) {
    const double scale = std::max(1.0, std::abs(want[i])) * 1e-14;
    EXPECT_NEAR(re[i], want[i].real(), scale) << i;
    EXPECT_NEAR(im[i], want[i].imag(), scale) << i;
  }
}

const std::vector<C> kA{{1, 2}, {-3, 0.5}, {0, -1}, {2, 0}, {-1, -1}};
const std::vector<C> kB{{0.5, -1}, {2, 2}, {-1, 3}, {0, 1}, {1e-3, 4}};

template <class F>
std::vector<C> each(F f) {
  std::vector<C> out;
  for (size_t i = 0; i < kA.size(); ++i) out.push_back(f(kA[i], kB[i]));
  return out;
}

TEST(Complex, ArithmeticIsThatOfTheStandardLibrary) {
  const Complex a = of(kA), b = of(kB);
  expect_near(a + b, each([](C x, C y) { return x + y; }));
  expect_near(a - b, each([](C x, C y) { return x - y; }));
  expect_near(a * b, each([](C x, C y) { return x * y; }));
  expect_near(a / b, each([](C x, C y) { return x / y; }));
  expect_near(-a, each([](C x, C) { return -x; }));
  expect_near(conj(a), each([](C x, C) { return std::conj(x); }));
  expect_near(exp(a), each([](C x, C) { return std::exp(x); }));
  expect_near(polar(abs(a), angle(a)), kA);
  expect_near(a + 2.0, each([](C x, C) { return x + 2.0; }));
  expect_near(2.0 - a, each([](C x, C) { return 2.0 - x; }));
  expect_near(a * b.re, each([](C x, C y) { return x * y.real(); }));
  expect_near(b.re * a, each([](C x, C y) { return x * y.real(); }));
  expect_near(a / 4, each([](C x, C) { return x / 4.0; }));
  expect_near(2.0 / b, each([](C, C y) { return 2.0 / y; }));
  for (size_t i = 0; i < kA.size(); ++i) {
    EXPECT_NEAR(abs(a).to_vector<double>()[i], std::abs(kA[i]), 1e-15);
    EXPECT_NEAR(angle(a).to_vector<double>()[i], std::arg(kA[i]), 1e-15);
  }
  expect_near(Complex::from_pairs(a.pairs()), kA);
  EXPECT_EQ((Complex{zeros({3, 1}), zeros({2})}).shape(), Shape({3, 2}));
  EXPECT_EQ((Complex{zeros({3, 1}), zeros({2})}).pairs().shape(), Shape({3, 2, 2}));
  EXPECT_THROW(Complex::from_pairs(zeros({3})), ShapeError);
}

TEST(Complex, NothingOverflowsOnTheWay) {
  const Complex big = of({{3e300, 4e300}, {3e-300, 4e-300}, {0, 0}});
  const auto sizes = abs(big).to_vector<double>();
  EXPECT_NEAR(sizes[0], 5e300, 1e285);
  EXPECT_NEAR(sizes[1], 5e-300, 1e-314);
  EXPECT_EQ(sizes[2], 0);
  EXPECT_EQ(angle(big).to_vector<double>()[2], 0);
  const Complex one = of({{3e300, 4e300}}) / of({{3e300, 4e300}});
  EXPECT_NEAR(one.re.item(), 1, 1e-15);
  EXPECT_NEAR(one.im.item(), 0, 1e-15);
  EXPECT_TRUE(std::isnan((of({{1, 1}}) / of({{0, 0}})).re.item()));
}

TEST(Complex, GradientsComeFromTheParts) {
  const auto check = [](auto f) {
    const Complex a = of(kA), b = of(kB);
    return gradcheck(
        [&](const std::vector<Tensor>& x) {
          return f(Complex{x[0], x[1]}, Complex{x[2], x[3]});
        },
        {a.re, a.im, b.re, b.im});
  };
  EXPECT_EQ(check([](const Complex& a, const Complex& b) { return (a / b * exp(a) - b).pairs(); }),
            "");
  EXPECT_EQ(check([](const Complex& a, const Complex& b) { return abs(a) * angle(b); }), "");
  const Tensor re = trainable(tensor({0.0})), im = trainable(tensor({0.0}));
  for (const Tensor& y : {abs(Complex{re, im}), angle(Complex{re, im})})
    for (const Tensor& g : gradients(sum(y), {re, im})) EXPECT_EQ(g.item(), g.item()) << "no NaN";
}

TEST(Complex, MatricesMultiply) {
  const Complex a{randn({3, 4}, kF64), randn({3, 4}, kF64)};
  const Complex b{randn({4, 2}, kF64), randn({4, 2}, kF64)};
  const Complex c = matmul(a, b);
  const auto at = [](const Complex& x, int64_t i, int64_t j) {
    return C(index(x.re, {i, j}).item(), index(x.im, {i, j}).item());
  };
  for (int64_t i = 0; i < 3; ++i) {
    for (int64_t j = 0; j < 2; ++j) {
      C want = 0;
      for (int64_t k = 0; k < 4; ++k) want += at(a, i, k) * at(b, k, j);
      EXPECT_NEAR(std::abs(at(c, i, j) - want), 0, 1e-14);
    }
  }
  EXPECT_THROW(matmul(a, a), ShapeError);
}

}  // namespace
}  // namespace glia
