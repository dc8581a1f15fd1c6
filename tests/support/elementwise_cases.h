// Every elementwise operation: dtypes and ranges from the table that also makes the kernels,
// values from scalar functions written here.
#pragma once

#include <map>

#include "glia/ops/special.h"
#include "ops/elementwise.h"
#include "tests/support/op_case.h"

namespace glia::test {

enum class Types { Float, Number, Integral, Any };
struct Domain {
  Types types;
  double low, high;
};

inline std::vector<DType> dtypes_of(Types types) {
  std::vector<DType> out;
  for (DType t : kEveryDType) {
    if (types == Types::Float      ? is_float(t)
        : types == Types::Number   ? t != kBool
        : types == Types::Integral ? !is_float(t)
                                   : true)
      out.push_back(t);
  }
  return out;
}

// The value of an operation on single numbers, in more precision than any kernel has.
struct ScalarRule {
  std::function<Tensor(const std::vector<Tensor>&)> apply;
  std::function<Real(Real, Real)> real;
  std::function<Wide(Wide, Wide)> whole;       // where integers need more than `real` says
  double f32_ulps = 0.5005, f64_ulps = 0.501;  // correctly rounded unless said
};

inline Real nan_or_greater(Real a, Real b) { return a != a ? a : b != b ? b : a > b ? a : b; }
inline Real nan_or_lesser(Real a, Real b) { return a != a ? a : b != b ? b : a < b ? a : b; }
inline Real signum(Real x) { return x > 0 ? 1 : x < 0 ? -1 : x; }
inline Real python_remainder(Real a, Real b) {
  const Real r = std::fmod(a, b);
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}
inline Real python_quotient(Real a, Real b) {
  if (b == 0 || a != a) return a / b;
  if (std::isinf(a)) return NAN;
  if (std::isinf(b)) return a != 0 && (a < 0) != (b < 0) ? -1 : 0;
  return std::round((a - python_remainder(a, b)) / b);
}
inline Wide whole_quotient(Wide a, Wide b) {
  if (b == 0) return 0;
  return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0);
}
inline Wide whole_remainder(Wide a, Wide b) { return b == 0 ? 0 : a - whole_quotient(a, b) * b; }

inline Wide whole_power(Wide a, Wide b) {
  if (b < 0) return a == 1 ? 1 : a == -1 ? (b % 2 ? -1 : 1) : 0;
  Wide power = 1;
  for (Wide i = 0; i < b; ++i) power = wrapped(power * a, kI64);
  return power;
}

inline const std::map<std::string, ScalarRule>& scalar_rules() {
#define ONE(expression) [](const std::vector<Tensor>& t) { return expression; }
#define REAL(expression) [](Real a, [[maybe_unused]] Real b) -> Real { return expression; }
#define WHOLE(expression) [](Wide a, [[maybe_unused]] Wide b) -> Wide { return expression; }
  static const std::map<std::string, ScalarRule> rules{
      {"neg", {ONE(-t[0]), REAL(-a), WHOLE(-a)}},
      {"abs", {ONE(abs(t[0])), REAL(std::abs(a)), WHOLE(a < 0 ? -a : a)}},
      {"sign", {ONE(sign(t[0])), REAL(signum(a))}},
      {"square", {ONE(square(t[0])), REAL(a * a), WHOLE(a * a)}},
      {"reciprocal", {ONE(reciprocal(t[0])), REAL(1 / a)}},
      {"sqrt", {ONE(sqrt(t[0])), REAL(std::sqrt(a))}},
      {"rsqrt", {ONE(rsqrt(t[0])), REAL(1 / std::sqrt(a)), {}, 1.5, 1.5}},
      {"exp", {ONE(exp(t[0])), REAL(std::exp(a)), {}, 2, 4}},
      {"expm1", {ONE(expm1(t[0])), REAL(std::expm1(a)), {}, 2, 4}},
      {"log", {ONE(log(t[0])), REAL(std::log(a)), {}, 2, 4}},
      {"log1p", {ONE(log1p(t[0])), REAL(std::log1p(a)), {}, 2, 4}},
      {"sin", {ONE(sin(t[0])), REAL(std::sin(a)), {}, 2, 4}},
      {"cos", {ONE(cos(t[0])), REAL(std::cos(a)), {}, 2, 4}},
      {"tanh", {ONE(tanh(t[0])), REAL(std::tanh(a)), {}, 3, 4}},
      {"erf", {ONE(erf(t[0])), REAL(std::erf(a)), {}, 3, 4}},
      {"sigmoid", {ONE(sigmoid(t[0])), REAL(1 / (1 + std::exp(-a))), {}, 3, 4}},
      {"relu", {ONE(relu(t[0])), REAL(a <= 0 ? 0 : a)}},
      {"floor", {ONE(floor(t[0])), REAL(std::floor(a))}},
      {"ceil", {ONE(ceil(t[0])), REAL(std::ceil(a))}},
      {"round", {ONE(round(t[0])), REAL(std::nearbyint(a))}},
      {"trunc", {ONE(trunc(t[0])), REAL(std::trunc(a))}},
      {"tan", {ONE(tan(t[0])), REAL(std::tan(a)), {}, 4, 4}},
      {"asin", {ONE(asin(t[0])), REAL(std::asin(a)), {}, 4, 4}},
      {"acos", {ONE(acos(t[0])), REAL(std::acos(a)), {}, 4, 4}},
      {"atan", {ONE(atan(t[0])), REAL(std::atan(a)), {}, 2, 4}},
      {"sinh", {ONE(sinh(t[0])), REAL(std::sinh(a)), {}, 3, 4}},
      {"cosh", {ONE(cosh(t[0])), REAL(std::cosh(a)), {}, 3, 4}},
      {"asinh", {ONE(asinh(t[0])), REAL(std::asinh(a)), {}, 3, 4}},
      {"acosh", {ONE(acosh(t[0])), REAL(std::acosh(a)), {}, 3, 4}},
      {"atanh", {ONE(atanh(t[0])), REAL(std::atanh(a)), {}, 3, 4}},
      {"log2", {ONE(log2(t[0])), REAL(std::log2(a)), {}, 2, 4}},
      {"log10", {ONE(log10(t[0])), REAL(std::log10(a)), {}, 2, 4}},
      {"exp2", {ONE(exp2(t[0])), REAL(std::exp2(a)), {}, 2, 4}},
      {"bit_not", {ONE(~t[0]), {}, WHOLE(~a)}},
      {"add", {ONE(t[0] + t[1]), REAL(a + b), WHOLE(a + b)}},
      {"sub", {ONE(t[0] - t[1]), REAL(a - b), WHOLE(a - b)}},
      {"mul", {ONE(t[0] * t[1]), REAL(a * b), WHOLE(a * b)}},
      {"div", {ONE(t[0] / t[1]), REAL(a / b)}},
      {"pow", {ONE(pow(t[0], t[1])), REAL(std::pow(a, b)), WHOLE(whole_power(a, b)), 4, 4}},
      {"maximum", {ONE(maximum(t[0], t[1])), REAL(nan_or_greater(a, b))}},
      {"minimum", {ONE(minimum(t[0], t[1])), REAL(nan_or_lesser(a, b))}},
      {"atan2", {ONE(atan2(t[0], t[1])), REAL(std::atan2(a, b)), {}, 2, 4}},
      {"floor_divide",
       {ONE(floor_divide(t[0], t[1])), REAL(python_quotient(a, b)), WHOLE(whole_quotient(a, b))}},
      {"remainder",
       {ONE(remainder(t[0], t[1])), REAL(python_remainder(a, b)), WHOLE(whole_remainder(a, b))}},
      {"fmod", {ONE(fmod(t[0], t[1])), REAL(std::fmod(a, b)), WHOLE(b == 0 ? 0 : a % b)}},
      {"copysign", {ONE(copysign(t[0], t[1])), REAL(std::copysign(a, b))}},
      {"hypot", {ONE(hypot(t[0], t[1])), REAL(std::hypot(a, b)), {}, 2, 2}},
      {"bit_and", {ONE(t[0] & t[1]), {}, WHOLE(a & b)}},
      {"bit_or", {ONE(t[0] | t[1]), {}, WHOLE(a | b)}},
      {"bit_xor", {ONE(t[0] ^ t[1]), {}, WHOLE(a ^ b)}},
      {"less", {ONE(t[0] < t[1]), REAL(a < b)}},
      {"less_equal", {ONE(t[0] <= t[1]), REAL(a <= b)}},
      {"equal", {ONE(t[0] == t[1]), REAL(a == b)}},
      {"not_equal", {ONE(t[0] != t[1]), REAL(a != b)}},
  };
#undef ONE
#undef REAL
#undef WHOLE
  return rules;
}

inline Host broadcast_with(const ScalarRule& rule, bool compares, const std::vector<Host>& in) {
  const DType from = in[0].dtype, to = compares ? kBool : from;
  const Shape shape = in.size() == 1 ? in[0].shape : joined_shape(in[0].shape, in[1].shape);
  return host_made(shape, to, [&](const auto& index) -> Real {
    const Real a = at(in[0], index), b = in.size() == 1 ? 0 : at(in[1], index);
    if (is_float(from) || compares || !rule.whole) return rule.real(a, b);
    return wrapped(rule.whole(static_cast<Wide>(a), static_cast<Wide>(b)), to);
  });
}

inline const std::vector<Shape>& plain_shapes() {
  static const std::vector<Shape> shapes{
      {}, {1}, {7}, {3, 5}, {0}, {2, 0, 3}, {2, 1, 2, 1, 3, 1, 2, 2}, kLarge};
  return shapes;
}
inline const std::vector<std::vector<Shape>>& broadcast_shapes() {
  static const std::vector<std::vector<Shape>> shapes{{{3, 5}, {5}},
                                                      {{3, 5}, {3, 1}},
                                                      {{3, 1}, {1, 5}},
                                                      {{2, 3, 5}, {3, 1}},
                                                      {{3, 5}, {}},
                                                      {{}, {4}},
                                                      {{1, 1}, {2, 3, 4}},
                                                      {{0}, {1}},
                                                      {{2, 3, 0}, {3, 1}},
                                                      {kLarge, {257}},
                                                      {kLarge, {300, 1}},
                                                      {{}, kLarge},
                                                      {{2, 1, 2, 1, 2, 1, 2, 3}, {1, 2, 2, 1}}};
  return shapes;
}

inline OpCase elementwise_case(const std::string& op, int inputs, bool compares, Domain domain) {
  OpCase c{.op = op, .family = "elementwise", .dtypes = dtypes_of(domain.types), .forms = {}};
  const auto found = scalar_rules().find(op);
  if (found == scalar_rules().end()) return c;  // no forms: reported as untested
  const ScalarRule& rule = found->second;
  std::vector<std::vector<Shape>> shapes;
  for (const Shape& s : plain_shapes()) shapes.emplace_back(inputs, s);
  if (inputs == 2)
    shapes.insert(shapes.end(), broadcast_shapes().begin(), broadcast_shapes().end());
  for (const auto& of_inputs : shapes)
    c.forms.push_back({.what = text_of(of_inputs),
                       .inputs = random_inputs(of_inputs, domain.low, domain.high),
                       .apply = rule.apply,
                       .reference = [&rule, compares](const std::vector<Host>& in) {
                         return broadcast_with(rule, compares, in);
                       }});
  // 16-bit floats are computed in f32 and rounded.
  c.tolerance = [&rule](DType t) {
    return Tolerance{.ulps = t == kF64 ? rule.f64_ulps : t == kF32 ? rule.f32_ulps : 0.51};
  };
  return c;
}

inline std::string spelled(const std::string& code) {  // kBitAnd: bit_and
  std::string out;
  for (char c : code.substr(1)) {
    if (std::isupper(c)) out += out.empty() ? "" : "_";
    out += static_cast<char>(std::tolower(c));
  }
  return out;
}

// ---- The three that the table does not hold --------------------------------------------------

inline OpCase where_case() {
  OpCase c{.op = "where", .family = "elementwise", .dtypes = dtypes_of(Types::Any), .forms = {}};
  std::vector<std::vector<Shape>> shapes{{{3, 1}, {5}, {2, 1, 5}},
                                         {{}, {4}, {4}},
                                         {{4}, {}, {}},
                                         {{2, 0}, {1, 1}, {2, 1}},
                                         {kLarge, {257}, {300, 1}}};
  for (const Shape& s : plain_shapes()) shapes.push_back({s, s, s});
  for (const auto& of_inputs : shapes)
    c.forms.push_back({.what = text_of(of_inputs),
                       .inputs =
                           [of_inputs](DType t, Numbers& numbers) {
                             return std::vector<Host>{
                                 random_host(of_inputs[0], kBool, 0, 1, numbers),
                                 random_host(of_inputs[1], t, -4, 4, numbers),
                                 random_host(of_inputs[2], t, -4, 4, numbers)};
                           },
                       .apply = [](const auto& t) { return where(t[0], t[1], t[2]); },
                       .reference =
                           [](const std::vector<Host>& in) {
                             const Shape shape =
                                 joined_shape(in[0].shape, joined_shape(in[1].shape, in[2].shape));
                             return host_made(shape, in[1].dtype, [&](const auto& index) {
                               return at(in[0], index) != 0 ? at(in[1], index) : at(in[2], index);
                             });
                           }});
  return c;
}

inline Real converted(Real x, DType from, DType to) {
  if (is_float(to)) return x;  // the comparison rounds
  if (to == kBool) return x != 0;
  if (!is_float(from)) return wrapped(static_cast<Wide>(x), to);
  if (std::isnan(x)) return 0;
  return std::clamp<Real>(std::trunc(x), lowest(to), highest(to));
}

inline OpCase cast_case() {
  OpCase c{.op = "cast", .family = "elementwise", .dtypes = dtypes_of(Types::Any), .forms = {}};
  for (DType to : kEveryDType) {
    for (const Shape& s : plain_shapes()) {
      if (s.rank() == 2 && s.numel() > 1000 && to != kF16) continue;
      c.forms.push_back({.what = s.str() + " to " + name(to),
                         .inputs =
                             [s](DType t, Numbers& numbers) {
                               Host h = random_host(s, t, -1200, 1200, numbers);
                               for (Real& x : h.values) {
                                 // Eighths, so that the derivative's steps are exact in f32.
                                 if (is_float(t)) x = rounded(std::round(x) / 8, t);
                                 if (is_integer(t)) x = wrapped(static_cast<Wide>(x), t);
                               }
                               return std::vector<Host>{h};
                             },
                         .apply = [to](const auto& t) { return cast(t[0], to); },
                         .reference =
                             [to](const std::vector<Host>& in) {
                               Host out{in[0].shape, to, {}};
                               for (Real x : in[0].values)
                                 out.values.push_back(converted(x, in[0].dtype, to));
                               return out;
                             },
                         .step = 0.25,
                         .differentiable = to == kF32 || to == kF64 ? 1u : 0u});
    }
  }
  return c;
}

// Philox 4x32-10 (Salmon et al. 2011), from the paper.
struct PhiloxBlock {
  uint32_t words[4];
};
inline PhiloxBlock philox(uint64_t key, uint64_t counter_low, uint64_t counter_high) {
  uint32_t c[4] = {static_cast<uint32_t>(counter_low), static_cast<uint32_t>(counter_low >> 32),
                   static_cast<uint32_t>(counter_high), static_cast<uint32_t>(counter_high >> 32)};
  uint32_t k[2] = {static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32)};
  for (int round = 0; round < 10; ++round) {
    const uint64_t p = uint64_t{0xd2511f53} * c[0], q = uint64_t{0xcd9e8d57} * c[2];
    const uint32_t next[4] = {
        static_cast<uint32_t>(q >> 32) ^ c[1] ^ k[0], static_cast<uint32_t>(q),
        static_cast<uint32_t>(p >> 32) ^ c[3] ^ k[1], static_cast<uint32_t>(p)};
    std::copy_n(next, 4, c);
    k[0] += 0x9e3779b9;
    k[1] += 0xbb67ae85;
  }
  return {{c[0], c[1], c[2], c[3]}};
}

inline OpCase uniform_case() {
  OpCase c{.op = "uniform",
           .family = "elementwise",
           .dtypes = {kI64},  // of the key
           .forms = {},
           .special_values = false,
           .any_layout = false};
  for (DType to : {kF32, kF64}) {
    for (const Shape& s : plain_shapes())
      c.forms.push_back(
          {.what = s.str() + " of " + name(to),
           .inputs =
               [](DType, Numbers& numbers) {
                 Host key{{2}, kI64, {}};
                 for (int i = 0; i < 2; ++i)
                   key.values.push_back(static_cast<int64_t>(numbers.next()));
                 return std::vector<Host>{key};
               },
           .apply = [s, to](const auto& t) { return record_uniform(s, to, t[0]); },
           .reference =
               [s, to](const std::vector<Host>& in) {
                 const auto seed = static_cast<uint64_t>(static_cast<int64_t>(in[0][0]));
                 const auto call = static_cast<uint64_t>(static_cast<int64_t>(in[0][1]));
                 Host out{s, to, {}};
                 for (int64_t i = 0; i < s.numel(); ++i) {
                   const int64_t per_block = to == kF32 ? 4 : 2;
                   const PhiloxBlock b = philox(seed, static_cast<uint64_t>(i / per_block), call);
                   const auto* w = b.words + (i % per_block) * (4 / per_block);
                   out.values.push_back(
                       to == kF32 ? std::ldexp(Real(w[0] >> 8), -24)
                                  : std::ldexp(Real((w[0] | uint64_t{w[1]} << 32) >> 11), -53));
                 }
                 return out;
               }});
  }
  return c;
}

inline void add_elementwise(std::vector<OpCase>* cases) {
#define DOMAIN(types, low, high) Domain{Types::types, low, high}
#define UNARY(code, function, domain, ...) \
  cases->push_back(elementwise_case(spelled(#code), 1, false, domain));
#define BINARY(code, function, domain, ...) \
  cases->push_back(elementwise_case(spelled(#code), 2, false, domain));
#define COMPARE(code, function, domain, ...) \
  cases->push_back(elementwise_case(spelled(#code), 2, true, domain));
#include "ops/elementwise_table.h"
#undef UNARY
#undef BINARY
#undef COMPARE
#undef DOMAIN
  cases->push_back(where_case());
  cases->push_back(cast_case());
  cases->push_back(uniform_case());
}

}  // namespace glia::test
