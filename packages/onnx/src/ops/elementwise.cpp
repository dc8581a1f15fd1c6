// Operators on each element.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "call.h"
#include "glia/ops/activation.h"
#include "glia/ops/special.h"
#include "small_floats.h"

namespace glia::onnx {
namespace {

// ---- One input ----

using Unary = Tensor (*)(Call&, const Tensor&);
template <Unary f>
void one(Call& c) {
  const Tensor x = c.aligned(0, 1)[0];
  c.put(f(c, x));
}
template <Unary f>
void test(Call& c) {
  const Tensor x = c.aligned(0, 1)[0];
  c.put(f(c, x), ElementType::kBool);
}
#define ONE(expression) \
  one<[](Call& c, const Tensor& x) -> Tensor { return (void)c, (expression); }>
#define TEST(expression) \
  test<[](Call& c, const Tensor& x) -> Tensor { return (void)c, (expression); }>

Tensor is_infinite(Call& c, const Tensor& x) {
  const bool negative = c.integer_of("detect_negative", 1) != 0;
  const bool positive = c.integer_of("detect_positive", 1) != 0;
  if (positive && negative) return isinf(x);
  if (positive) return isposinf(x);
  if (negative) return isneginf(x);
  return zeros(x.shape(), kBool);
}

// A number of an attribute and, from another opset on, of an input.
Tensor limit(Call& c, int input, bool lower, const Tensor& otherwise) {
  const char* attribute = lower ? "min" : "max";
  if (c.has_attribute(attribute)) {
    const double value = c.real_of(attribute, 0);
    return lower ? maximum(otherwise, value) : minimum(otherwise, value);
  }
  if (!c.has(input)) return otherwise;
  const Tensor value = reshape(c.tensor(input), {});
  return lower ? maximum(otherwise, value) : minimum(otherwise, value);
}
void clip(Call& c) {
  const Tensor x = c.aligned(0, 1)[0];
  c.put(limit(c, 2, false, limit(c, 1, true, x)));
}

void identity(Call& c) { c.set(0, c.in(0)); }

Tensor gelu_of(Call& c, const Tensor& x) {
  return gelu(x, c.text_of("approximate", "none") == "tanh" ? GELUApproximate::kTanh
                                                            : GELUApproximate::kNone);
}

Tensor rounded_to(const Tensor& x, ElementType type) {  // after arithmetic
  return is_small_float(type) ? converted(x, ElementType::kFloat32, type) : wrapped(x, type);
}

// ---- Casts ----

ElementType type_attribute(Call& c, const char* name, int64_t otherwise) {
  const int64_t to = c.integer_of(name, otherwise);
  if (to <= 0 || to >= kElementTypes) c.fail("the type " + std::to_string(to) + " is not known");
  return static_cast<ElementType>(to);
}

// A number as NumPy writes it.
std::string written(double x, DType dtype) {
  if (std::isnan(x)) return "NaN";
  if (std::isinf(x)) return x < 0 ? "-INF" : "INF";
  if (!is_float(dtype)) return std::to_string(static_cast<int64_t>(x));
  char text[40];
  for (int digits = 1; digits <= 17; ++digits) {
    std::snprintf(text, sizeof(text), "%.*g", digits, x);
    const double back = std::strtod(text, nullptr);
    if (dtype == kF64 ? back == x : static_cast<float>(back) == static_cast<float>(x)) break;
  }
  return text;
}

double number_in(Call& c, const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0') c.fail("\"" + text + "\" is no number");
  return value;
}

void cast_to(Call& c, ElementType to, bool saturate) {
  if (c.in(0).kind == Value::Kind::kStrings) {
    const Strings& in = c.strings(0);
    if (to == ElementType::kString) return c.set(0, c.in(0));
    std::vector<double> values;
    for (const std::string& s : in.values) values.push_back(number_in(c, s));
    return c.set(0, converted(from_vector(values, in.shape), ElementType::kFloat64, to), to);
  }
  if (to == ElementType::kString) {
    const Tensor x = c.tensor(0);
    Strings out{{}, x.shape()};
    for (double v : c.numbers(0)) out.values.push_back(written(v, x.dtype()));
    return c.set(0, Held(std::move(out)));
  }
  const Tensor x = c.aligned(0, 1)[0];
  c.put(converted(x, c.type(0), to, saturate), to);
}

void cast_op(Call& c) {
  // Before opset 6 the type is a name.
  if (const Attribute* a = c.attribute("to"); a && a->kind == Attribute::Kind::kText) {
    std::string wanted = a->text;
    std::ranges::transform(wanted, wanted.begin(), [](char ch) { return std::tolower(ch); });
    for (int t = 1; t < kElementTypes; ++t) {
      std::string called = name(static_cast<ElementType>(t));
      if (called == "float32") called = "float";
      if (called == "float64") called = "double";
      if (called == wanted) return cast_to(c, static_cast<ElementType>(t), true);
    }
    c.fail("the type " + a->text + " is not known");
  }
  cast_to(c, type_attribute(c, "to", 0), c.integer_of("saturate", 1) != 0);
}
void cast_like(Call& c) { cast_to(c, c.type(1), c.integer_of("saturate", 1) != 0); }

void bit_cast(Call& c) {
  const ElementType to = type_attribute(c, "to", 0);
  const DType from = c.tensor(0).dtype(), kept = stored_as(to);
  const auto plain = [](ElementType t) { return element_type(stored_as(t)) == t; };
  const Tensor x = from == kBool ? cast(c.tensor(0), kU8) : c.tensor(0) + 0;
  if (from == kBool && to == ElementType::kUint8) return c.set(0, x, to);
  if (from == kU8 && to == ElementType::kBool) return c.set(0, x != 0, to);
  if (size_of(from) == size_of(kept) && plain(c.type(0)) && plain(to)) {
    const auto again = [&]<class T>(T) {
      c.set(0, from_bytes(x.data<T>().data(), x.shape(), kept), to);
    };
    switch (from) {
      case kF32:
        return again(float{});
      case kI32:
        return again(int32_t{});
      case kF64:
        return again(double{});
      case kI64:
        return again(int64_t{});
      case kU8:
        return again(uint8_t{});
      case kI8:
        return again(int8_t{});
      case kF16:
        return again(float16{});
      case kBF16:
        return again(bfloat16{});
      default:
        break;
    }
  }
  // Through the bits as an integer.
  if (from == kF32 && to == ElementType::kUint32)
    return c.set(
        0, cast(from_bytes(x.data<float>().data(), x.shape(), kI32), kI64) & int64_t{0xffffffff},
        to);
  if (c.type(0) == ElementType::kUint32 && to == ElementType::kFloat32) {
    const Tensor bits = cast(x, kI32);
    return c.set(0, from_bytes(bits.data<int32_t>().data(), x.shape(), kF32), to);
  }
  if (from == kF64 && to == ElementType::kUint64)
    return c.set(0, from_bytes(x.data<double>().data(), x.shape(), kI64), to);
  if ((c.type(0) == ElementType::kInt32 && to == ElementType::kUint32) ||
      (c.type(0) == ElementType::kInt64 && to == ElementType::kUint64) ||
      (c.type(0) == ElementType::kUint64 && to == ElementType::kInt64) ||
      (c.type(0) == ElementType::kInt16 && to == ElementType::kUint16) ||
      (c.type(0) == ElementType::kUint16 && to == ElementType::kInt16) ||
      (c.type(0) == ElementType::kUint32 && to == ElementType::kInt32))
    return c.set(0, converted(x, c.type(0), to), to);
  c.fail(std::string("the bits of ") + name(c.type(0)) + " are not read as " + name(to));
}

// ---- Two inputs ----

// Before opset 7 the second operand begins at an axis of the first.
std::vector<Tensor> operands(Call& c) {
  if (c.opset() >= 7 || c.integer_of("broadcast", 0) == 0 || !c.has_attribute("axis"))
    return c.aligned(0, 2);
  const Tensor a = c.tensor(0), b = c.tensor(1);
  const int axis = c.axis(c.integer_of("axis", 0), a.rank());
  Shape shape = Shape::filled(a.rank(), 1);
  for (int i = 0; i < b.rank() && axis + i < a.rank(); ++i) shape[axis + i] = b.size(i);
  return {a, reshape(b, shape)};
}

using Binary = Tensor (*)(Call&, const Tensor&, const Tensor&);
template <Binary f>
void two(Call& c) {
  const std::vector<Tensor> x = operands(c);
  c.put(rounded_to(f(c, x[0], x[1]), c.type(0)), c.type(0));
}
template <Binary f>
void compare(Call& c) {
  const std::vector<Tensor> x = operands(c);
  c.put(f(c, x[0], x[1]), ElementType::kBool);
}
#define TWO(expression) \
  two<[](Call& c, const Tensor& a, const Tensor& b) -> Tensor { return (void)c, (expression); }>
#define COMPARE(expression) \
  compare<[](Call& c, const Tensor& a, const Tensor& b) -> Tensor { return (void)c, (expression); }>

Tensor divided(Call& c, const Tensor& a, const Tensor& b) {
  if (is_float(a.dtype())) return a / b;
  if (a.dtype() == kU8) return floor_divide(a, b);
  // Integers are cut off.
  const Tensor q = floor_divide(abs(a), abs(b));
  if (c.type(0) == ElementType::kUint64) return floor_divide(a, b);
  return where((a < 0) != (b < 0), -q, q);
}
Tensor power(Call&, const Tensor& a, const Tensor& b) {
  if (is_float(a.dtype())) return pow(a, cast(b, a.dtype()));
  if (!is_float(b.dtype())) return cast(pow(cast(a, kI64), cast(b, kI64)), a.dtype());
  return cast(pow(cast(a, kF64), cast(b, kF64)), a.dtype());
}
Tensor modulo(Call& c, const Tensor& a, const Tensor& b) {
  return c.integer_of("fmod", 0) != 0 ? fmod(a, b) : remainder(a, b);
}
Tensor shifted(Call& c, const Tensor& a, const Tensor& b) {
  return c.text_of("direction") == "LEFT" ? bitwise_left_shift(a, b) : bitwise_right_shift(a, b);
}
Tensor equal_numbers(Call&, const Tensor& a, const Tensor& b) { return a == b; }
void equal_op(Call& c) {
  if (c.in(0).kind != Value::Kind::kStrings) return compare<equal_numbers>(c);
  const Strings &a = c.strings(0), &b = c.strings(1);
  // By numbers that stand for texts, so that they broadcast.
  std::vector<std::string> known = a.values;
  known.insert(known.end(), b.values.begin(), b.values.end());
  std::ranges::sort(known);
  const auto codes = [&](const Strings& s) {
    std::vector<int64_t> out;
    for (const std::string& v : s.values)
      out.push_back(std::ranges::lower_bound(known, v) - known.begin());
    return from_vector(out, s.shape);
  };
  c.set(0, codes(a) == codes(b), ElementType::kBool);
}

// ---- Any number of inputs ----

template <class F>
void fold(Call& c, F&& f, bool mean = false) {
  const std::vector<Tensor> x = c.aligned();
  if (x.empty()) c.fail("has no inputs");
  Tensor y = x[0];
  for (size_t i = 1; i < x.size(); ++i) y = f(y, x[i]);
  c.put(mean ? y / static_cast<double>(x.size()) : y);
}

void where_op(Call& c) {
  const std::vector<Tensor> x = c.aligned();
  c.put(where(x[0], x[1], x[2]), c.type(1));
}

void prelu_op(Call& c) {
  if (c.opset() < 7 && c.shape(1).rank() == 1 && c.shape(1).numel() > 1 &&
      c.shape(0).rank() > 1) {  // of channels
    const Tensor x = c.tensor(0), slope = c.tensor(1);
    Shape shape = Shape::filled(x.rank() - 1, 1);
    shape[0] = slope.numel();
    return c.set(0, where(x < 0, x * reshape(slope, shape), x));
  }
  const std::vector<Tensor> x = operands(c);
  c.put(where(x[0] < 0, x[0] * x[1], x[0]));
}

const Operators list{
    {"Abs", ONE(abs(x))},
    {"Acos", ONE(acos(x))},
    {"Acosh", ONE(acosh(x))},
    {"Asin", ONE(asin(x))},
    {"Asinh", ONE(asinh(x))},
    {"Atan", ONE(atan(x))},
    {"Atanh", ONE(atanh(x))},
    {"Ceil", ONE(ceil(x))},
    {"Cos", ONE(cos(x))},
    {"Cosh", ONE(cosh(x))},
    {"Erf", ONE(erf(x))},
    {"Exp", ONE(exp(x))},
    {"Floor", ONE(floor(x))},
    {"Log", ONE(log(x))},
    {"Neg", ONE(-x)},
    {"Not", TEST(logical_not(x))},
    {"Reciprocal", ONE(reciprocal(x))},
    {"Round", ONE(round(x))},
    {"Sigmoid", ONE(sigmoid(x))},
    {"Sign", ONE(sign(x))},
    {"Sin", ONE(sin(x))},
    {"Sinh", ONE(sinh(x))},
    {"Sqrt", ONE(sqrt(x))},
    {"Tan", ONE(tan(x))},
    {"Tanh", ONE(tanh(x))},
    {"IsNaN", TEST(isnan(x))},
    {"IsInf", test<is_infinite>},
    {"BitwiseNot", ONE(wrapped(~x, c.type(0)))},
    {"Identity", identity},
    {"Relu", ONE(relu(x))},
    {"LeakyRelu", ONE(leaky_relu(x, c.real_of("alpha", 0.01)))},
    {"ThresholdedRelu", ONE(where(x > c.real_of("alpha", 1), x, 0))},
    {"Elu", ONE(elu(x, c.real_of("alpha", 1)))},
    {"Celu", ONE(celu(x, c.real_of("alpha", 1)))},
    {"Selu", ONE(c.real_of("gamma", 1.05070102214813232421875) *
                 elu(x, c.real_of("alpha", 1.67326319217681884765625)))},
    {"Softplus", ONE(softplus(x))},
    {"Softsign", ONE(softsign(x))},
    {"HardSigmoid", ONE(clamp(x* c.real_of("alpha", 0.2) + c.real_of("beta", 0.5), 0, 1))},
    {"HardSwish", ONE(hardswish(x))},
    {"Gelu", one<gelu_of>},
    {"Mish", ONE(mish(x))},
    {"Swish", ONE(x* sigmoid(x* c.real_of("alpha", 1)))},
    {"Shrink",
     ONE(where(x < -c.real_of("lambd", 0.5), x + c.real_of("bias", 0),
               where(x > c.real_of("lambd", 0.5), x - c.real_of("bias", 0), zeros_like(x))))},
    {"Clip", clip},
    {"Cast", cast_op},
    {"CastLike", cast_like},
    {"BitCast", bit_cast},
    {"Add", TWO(a + b)},
    {"Sub", TWO(a - b)},
    {"Mul", TWO(a* b)},
    {"Div", two<divided>},
    {"Pow", two<power>},
    {"Mod", two<modulo>},
    {"BitShift", two<shifted>},
    {"BitwiseAnd", TWO(a& b)},
    {"BitwiseOr", TWO(a | b)},
    {"BitwiseXor", TWO(a ^ b)},
    {"And", COMPARE(logical_and(a, b))},
    {"Or", COMPARE(logical_or(a, b))},
    {"Xor", COMPARE(logical_xor(a, b))},
    {"Equal", equal_op},
    {"Greater", COMPARE((a > b))},
    {"GreaterOrEqual", COMPARE((a >= b))},
    {"Less", COMPARE(a < b)},
    {"LessOrEqual", COMPARE(a <= b)},
    {"Max", [](Call& c) { fold(c, [](auto& a, auto& b) { return maximum(a, b); }); }},
    {"Min", [](Call& c) { fold(c, [](auto& a, auto& b) { return minimum(a, b); }); }},
    {"Sum", [](Call& c) { fold(c, [](auto& a, auto& b) { return a + b; }); }},
    {"Mean",
     [](Call& c) {
       fold(
           c, [](auto& a, auto& b) { return a + b; }, true);
     }},
    {"Where", where_op},
    {"PRelu", prelu_op},
    {"SwiGLU", TWO(a* sigmoid(a* c.real_of("alpha", 1)) * b)},
};

}  // namespace
}  // namespace glia::onnx
