// Gradients at zeros, ties, ends, infinities and NaN: PyTorch's, for every elementwise operation
// that has one. The formulas are those of PyTorch's derivatives.yaml and FunctionsManual.cpp,
// written out for single numbers; tests/parity compares with PyTorch itself.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>

#include "core/op.h"
#include "glia/autodiff.h"
#include "glia/runtime.h"
#include "tests/support/elementwise_cases.h"

namespace glia::test {
namespace {

// d y / d a and d y / d b, from a, b and y.
template <class T>
using Slope = std::function<T(T, T, T)>;
struct Slopes {
  std::function<Tensor(const std::vector<Tensor>&)> apply;
  Slope<float> f32[2];
  Slope<double> f64[2];
  template <class T>
  const Slope<T>& by(int input) const {
    if constexpr (std::is_same_v<T, float>) return f32[input];
    if constexpr (std::is_same_v<T, double>) return f64[input];
  }
};

template <class T>
T normal_density(T x) {
  return std::exp(-x * x / 2) * T(0.3989422804014327);
}

const std::map<std::string, Slopes>& slopes() {
#define SLOPE(expression)                                        \
  [](auto a, [[maybe_unused]] auto b, [[maybe_unused]] auto y) { \
    using T = decltype(a);                                       \
    return static_cast<T>(expression);                           \
  }
  static const std::map<std::string, Slopes> all = [] {
    std::map<std::string, Slopes> out;
    const auto add = [&](const char* op, auto a, auto b) {
      const auto rule = scalar_rules().find(op);
      out[op] = {rule == scalar_rules().end() ? nullptr : rule->second.apply, {a, b}, {a, b}};
    };
    const auto one = [&](const char* op, auto a) { add(op, a, nullptr); };
    const auto composed = [&](const char* op, Tensor (*f)(const Tensor&), auto a) {
      one(op, a);
      out[op].apply = [f](const std::vector<Tensor>& t) { return f(t[0]); };
    };
    one("neg", SLOPE(-1));
    one("abs", SLOPE(a > 0 ? 1 : a < 0 ? -1 : 0));
    one("sign", SLOPE(0));
    one("square", SLOPE(2 * a));
    one("reciprocal", SLOPE(-y * y));
    one("sqrt", SLOPE(1 / (2 * y)));
    one("rsqrt", SLOPE(T(-0.5) * y * y * y));
    one("exp", SLOPE(y));
    one("expm1", SLOPE(y + 1));
    one("log", SLOPE(1 / a));
    one("log1p", SLOPE(1 / (a + 1)));
    one("sin", SLOPE(std::cos(a)));
    one("cos", SLOPE(-std::sin(a)));
    one("tanh", SLOPE(1 - y * y));
    one("erf", SLOPE(T(1.1283791670955126) * std::exp(-a * a)));
    one("sigmoid", SLOPE((1 - y) * y));
    one("relu", SLOPE(y <= 0 ? 0 : 1));
    for (const char* op : {"floor", "ceil", "round", "trunc"}) one(op, SLOPE(0));
    one("tan", SLOPE(1 + y * y));
    one("asin", SLOPE(1 / std::sqrt(1 - a * a)));
    one("acos", SLOPE(-1 / std::sqrt(1 - a * a)));
    one("atan", SLOPE(1 / (a * a + 1)));
    one("sinh", SLOPE(std::cosh(a)));
    one("cosh", SLOPE(std::sinh(a)));
    one("asinh", SLOPE(1 / std::sqrt(a * a + 1)));
    one("acosh", SLOPE(1 / std::sqrt(a * a - 1)));
    one("atanh", SLOPE(1 / (1 - a * a)));
    one("log2", SLOPE(1 / (a * T(0.69314718055994531))));
    one("log10", SLOPE(1 / (a * T(2.302585092994046))));
    one("exp2", SLOPE(y * T(0.69314718055994531)));
    add("add", SLOPE(1), SLOPE(1));
    add("sub", SLOPE(1), SLOPE(-1));
    add("mul", SLOPE(b), SLOPE(a));
    add("div", SLOPE(1 / b), SLOPE(-(a / b) / b));
    add("pow", SLOPE(b == 0 ? 0 : b * std::pow(a, b - 1)),
        SLOPE(a == 0 && b >= 0 ? 0 : y * std::log(a)));
    add("maximum", SLOPE(a == b ? T(0.5) : a < b ? 0 : 1), SLOPE(a == b ? T(0.5) : a > b ? 0 : 1));
    add("minimum", SLOPE(a == b ? T(0.5) : a > b ? 0 : 1), SLOPE(a == b ? T(0.5) : a < b ? 0 : 1));
    add("atan2", SLOPE(a * a + b * b == 0 ? 0 : b * (1 / (a * a + b * b))),
        SLOPE(a * a + b * b == 0 ? 0 : -a * (1 / (a * a + b * b))));
    add("floor_divide", SLOPE(0), SLOPE(0));
    add("remainder", SLOPE(1), SLOPE(-python_quotient(a, b)));
    add("fmod", SLOPE(1), SLOPE(-std::trunc(a / b)));
    add("copysign", SLOPE(a == 0 ? 0 : y / a), SLOPE(0));
    add("hypot", SLOPE(a / y), SLOPE(b / y));
    composed(
        "clamp", [](const Tensor& x) { return clamp(x, -1, 0.5); },
        SLOPE(a >= -1 && a <= T(0.5) ? 1 : 0));
    composed(
        "leaky_relu", [](const Tensor& x) { return leaky_relu(x); }, SLOPE(a > 0 ? 1 : T(0.01)));
    composed(
        "elu", [](const Tensor& x) { return elu(x); }, SLOPE(a <= 0 ? std::exp(a) : 1));
    composed(
        "softplus", [](const Tensor& x) { return softplus(x); }, SLOPE(1 / (1 + std::exp(-a))));
    composed(
        "log_sigmoid", [](const Tensor& x) { return log_sigmoid(x); },
        SLOPE(1 / (1 + std::exp(a))));
    composed(
        "silu", [](const Tensor& x) { return silu(x); },
        SLOPE(1 / (1 + std::exp(-a)) * (1 + a * (1 - 1 / (1 + std::exp(-a))))));
    composed(
        "gelu", [](const Tensor& x) { return gelu(x); },
        SLOPE((1 + std::erf(a * T(0.7071067811865476))) / 2 + a * normal_density(a)));
    return out;
  }();
#undef SLOPE
  return all;
}

template <class T>
std::vector<T> points() {
  using Limits = std::numeric_limits<T>;
  std::vector<T> out{0,
                     T(0.5),
                     1,
                     2,
                     T(2.5),
                     3,
                     T(1e-3),
                     T(1e-12),
                     T(1e12),
                     Limits::denorm_min(),
                     Limits::infinity()};
  for (size_t i = out.size(); i-- > 0;) out.push_back(-out[i]);
  out.push_back(Limits::quiet_NaN());
  return out;
}

template <class T>
void check(const std::string& op, const Slopes& s) {
  const bool two = s.template by<T>(1) != nullptr;
  std::vector<T> a, b;
  for (T x : points<T>()) {
    for (T y : two ? points<T>() : std::vector<T>{1}) {
      a.push_back(x);
      b.push_back(y);
    }
  }
  const Shape shape{static_cast<int64_t>(a.size())};
  std::vector<Tensor> x{trainable(from_vector(a, shape))};
  if (two) x.push_back(trainable(from_vector(b, shape)));
  const Tensor out = s.apply(x);
  const std::vector<Tensor> found = gradients(out, x, ones_like(out));
  const std::vector<T> y = out.to_vector<T>();
  const T near = std::is_same_v<T, float> ? T(1e-5) : T(1e-12);
  for (size_t input = 0; input < x.size(); ++input) {
    const std::vector<T> g = found[input].to_vector<T>();
    for (size_t i = 0; i < g.size(); ++i) {
      const T want = s.template by<T>(static_cast<int>(input))(a[i], b[i], y[i]);
      const bool same = std::isnan(want) ? std::isnan(g[i])
                        : std::isinf(want)
                            ? g[i] == want
                            : std::abs(g[i] - want) <= near * (std::abs(want) + near);
      EXPECT_TRUE(same) << op << " of " << a[i] << (two ? " and " + std::to_string(b[i]) : "")
                        << " is " << y[i] << ", its gradient by input " << input << " is " << g[i]
                        << ", not " << want;
    }
  }
}

TEST(SpecialPoints, EveryElementwiseOperationHasPyTorchsGradients) {
  for (bool one_by_one : {false, true}) {
    set_eager(one_by_one);
    for (const auto& [op, s] : slopes()) {
      check<float>(op, s);
      check<double>(op, s);
    }
  }
  set_eager(false);
}

TEST(SpecialPoints, NoOperationIsLeftOut) {
  for (const Op* op : all_ops()) {
    if (op->kind != Kind::kElementwise || !op->vjp) continue;
    const std::string name = op->name;
    if (name.starts_with("bit_") || name == "where" || name == "cast") continue;
    EXPECT_TRUE(slopes().contains(name)) << name << " has no gradient in this table";
  }
}

// ---- Operations on rows -----------------------------------------------------------------------

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
using Row = std::vector<double>;

struct RowCase {
  const char* what;
  Tensor (*apply)(const Tensor&);
  Row at, value, gradient;  // of the sum of the value
};

// PyTorch 2.13's, except where said.
const std::vector<RowCase>& row_cases() {
  const auto largest = [](const Tensor& x) { return max(x); };
  const auto product = [](const Tensor& x) { return prod(x); };
  const auto products = [](const Tensor& x) { return cumprod(x, 0); };
  const auto sorted = [](const Tensor& x) { return sort(x).first * tensor({1.0, 10.0, 100.0}); };
  const auto two_largest = [](const Tensor& x) { return topk(x, 2).first; };
  const auto lse = [](const Tensor& x) { return logsumexp(x); };
  const auto variance = [](const Tensor& x) { return var(x); };
  const auto root = [](const Tensor& x) { return sqrt(sum(square(x))); };
  const auto safe_root = [](const Tensor& x) {
    const Tensor s = sum(square(x)), some = s > 0;
    return where(some, sqrt(where(some, s, 1)), 0);
  };
  static const std::vector<RowCase> all{
      {"max, a tie", largest, {2, 2, 1}, {2}, {0.5, 0.5, 0}},
      {"max, zeros", largest, {0.0, -0.0}, {0}, {0.5, 0.5}},
      {"max, infinities", largest, {-kInf, -kInf}, {-kInf}, {0.5, 0.5}},
      {"min, a tie", [](const Tensor& x) { return min(x); }, {2, 1, 1}, {1}, {0, 0.5, 0.5}},
      {"prod, one zero", product, {3, 0, 2}, {0}, {0, 6, 0}},
      {"prod, two zeros", product, {3, 0, 0}, {0}, {0, 0, 0}},
      // PyTorch divides the product by the element: NaN.
      {"prod, an infinity", product, {kInf, 2}, {kInf}, {2, kInf}},
      {"cumprod, one zero", products, {3, 0, 2}, {3, 0, 0}, {1, 9, 0}},
      {"cumprod, two zeros", products, {0, 0, 2}, {0, 0, 0}, {1, 0, 0}},
      {"sort, a tie", sorted, {2, 1, 1}, {1, 10, 200}, {100, 1, 10}},
      {"topk, infinities", two_largest, {kInf, -kInf, 1}, {kInf, 1}, {1, 0, 1}},
      {"logsumexp", lse, {0, 0}, {0.6931471805599453}, {0.5, 0.5}},
      {"logsumexp, one of nothing", lse, {0, -kInf}, {0}, {1, 0}},
      // PyTorch: NaN. No element has a share in a sum over nothing.
      {"logsumexp, nothing", lse, {-kInf, -kInf}, {-kInf}, {0, 0}},
      {"logsumexp, an infinity", lse, {kInf, 1}, {kInf}, {kNaN, 0}},
      {"softmax, nothing",
       [](const Tensor& x) { return softmax(x); },
       {-kInf, -kInf},
       {kNaN, kNaN},
       {kNaN, kNaN}},
      {"var, one element", variance, {5}, {kNaN}, {kNaN}},
      {"var, equal elements", variance, {5, 5}, {0}, {0, 0}},
      {"a root of a sum of squares at 0", root, {0, 0}, {0}, {kNaN, kNaN}},
      {"the same, kept away from 0", safe_root, {0, 0}, {0}, {0, 0}},
      {"the same elsewhere", safe_root, {3, 4}, {5}, {0.6, 0.8}},
      {"where, an untaken branch with an infinite slope",
       [](const Tensor& x) { return where(x > 0, sqrt(x), 0); },
       {0, 4},
       {0, 2},
       {kNaN, 0.25}},
      {"the same, kept away from it",
       [](const Tensor& x) { return where(x > 0, sqrt(where(x > 0, x, 1)), 0); },
       {0, 4},
       {0, 2},
       {0, 0.25}},
      {"pow, exponent 0",
       [](const Tensor& x) { return pow(x, 0); },
       {0, -1, kInf, kNaN},
       {1, 1, 1, 1},
       {0, 0, 0, 0}},
      {"pow, whole exponents of negative numbers",
       [](const Tensor& x) { return pow(x, 3); },
       {-2, 0, 2},
       {-8, 0, 8},
       {12, 0, 12}},
      {"clamp, ends the wrong way round",
       [](const Tensor& x) { return clamp(x, 1, -1); },
       {-2, 0, 2},
       {-1, -1, -1},
       {0, 0, 0}},
      {"smooth_l1 at beta",
       [](const Tensor& x) { return smooth_l1_loss(x, zeros_like(x), 1, Reduction::kNone); },
       {0, 1, -1, 2},
       {0, 0.5, 0.5, 1.5},
       {0, 1, -1, 1}},
  };
  return all;
}

void expect_row(const char* what, const char* part, const Tensor& found, const Row& want) {
  const Row got = found.to_vector<double>();
  ASSERT_EQ(got.size(), want.size()) << what;
  for (size_t i = 0; i < got.size(); ++i) {
    if (std::isfinite(want[i])) {
      EXPECT_NEAR(got[i], want[i], 1e-12) << what << ", " << part << " " << i;
    } else {
      EXPECT_TRUE(same_number(got[i], want[i]))
          << what << ", " << part << " " << i << " is " << got[i] << ", not " << want[i];
    }
  }
}

TEST(SpecialPoints, OfOperationsOnRows) {
  for (bool one_by_one : {false, true}) {
    set_eager(one_by_one);
    for (const RowCase& c : row_cases()) {
      const Tensor x = trainable(from_vector(c.at, {static_cast<int64_t>(c.at.size())}));
      const Tensor y = c.apply(x);
      expect_row(c.what, "value", y, c.value);
      expect_row(c.what, "gradient", gradients(y, {x}, ones_like(y))[0], c.gradient);
    }
  }
  set_eager(false);
}

// Two zeros or ties in a derivative must not spoil the next one.
TEST(SpecialPoints, SecondDerivativesAreFinite) {
  const Tensor x = trainable(tensor({0.0, 0.0, 1.0})), b = trainable(tensor({2.0, 0.0, 1.0}));
  for (const auto& y :
       {pow(x, b), atan2(x, b - 2), maximum(x, b), clamp(x, 0, 1), elu(x), relu(x)}) {
    const Tensor g = gradients(sum(y), {x})[0];
    if (!g.requires_grad()) continue;
    for (double v : gradients(sum(square(g)), {x})[0].to_vector<double>())
      EXPECT_TRUE(std::isfinite(v)) << v;
  }
}

// What makes pow(a, 0) flat in a at 0 does not make it flat in both: d (b a^(b - 1)) / d b = 1 / a.
TEST(SpecialPoints, MixedDerivativesOfPow) {
  const Tensor a = trainable(tensor({2.0, 4.0})), b = trainable(tensor({0.0, 0.0}));
  const Tensor by_a = gradients(sum(pow(a, b)), {a})[0];
  expect_row("pow", "derivative by a", by_a, {0, 0});
  expect_row("pow", "then by b", gradients(sum(by_a), {b})[0], {0.5, 0.25});
}

}  // namespace
}  // namespace glia::test
