// Tensor::str: what NumPy's str() gives for the same array.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/node.h"
#include "core/with_dtype.h"
#include "glia/tensor.h"

namespace glia {
namespace {

constexpr int64_t kAbridgeAbove = 1000;  // elements
constexpr int64_t kEdge = 3;             // shown at each end of an abridged axis
constexpr size_t kLineWidth = 75;
constexpr size_t kPrecision = 8;  // digits behind the point

// Indices of an axis that are shown; -1 stands for the dots.
std::vector<int64_t> shown(int64_t size, bool abridge) {
  std::vector<int64_t> out;
  for (int64_t i = 0; i < size; ++i) {
    if (abridge && size > 2 * kEdge && i == kEdge) {
      out.push_back(-1);
      i = size - kEdge;
    }
    out.push_back(i);
  }
  return out;
}

// ---- Numbers ----------------------------------------------------------------------------------

// x as the nearest number of a floating dtype.
double in_dtype(double x, DType dtype) {
  switch (dtype) {
    case kF64:
      return x;
    case kF16:
      return static_cast<float>(float16(static_cast<float>(x)));
    case kBF16:
      return static_cast<float>(bfloat16(static_cast<float>(x)));
    default:
      return static_cast<float>(x);
  }
}

std::string in_format(double x, std::chars_format format, size_t precision) {
  char text[512];
  const auto end = std::to_chars(text, text + sizeof text, x, format, static_cast<int>(precision));
  return std::string(text, end.ptr);
}

// The fewest digits by which a finite number differs from all others of its dtype.
struct Decimal {
  bool negative = false;
  std::string digits;  // d.ddd
  int exponent = 0;

  Decimal(double x, DType dtype) {
    char buffer[64];
    std::string text;
    if (dtype == kF64 || dtype == kF32) {
      const auto format = std::chars_format::scientific;
      char* const end = buffer + sizeof buffer;
      text.assign(buffer, dtype == kF64
                              ? std::to_chars(buffer, end, x, format).ptr
                              : std::to_chars(buffer, end, static_cast<float>(x), format).ptr);
    } else {
      double read;
      size_t precision = 0;
      do {
        text = in_format(x, std::chars_format::scientific, precision++);
        std::from_chars(text.data(), text.data() + text.size(), read);
      } while (in_dtype(read, dtype) != x);
    }
    negative = text[0] == '-';
    const size_t e = text.find('e');
    for (size_t i = negative; i < e; ++i) {
      if (text[i] != '.') digits += text[i];
    }
    exponent = std::stoi(text.substr(e + 1));
  }

  std::string positional() const {
    std::string whole = "0", fraction(std::max(-exponent - 1, 0), '0');
    if (exponent < 0) {
      fraction += digits;
    } else {
      const size_t count = static_cast<size_t>(exponent) + 1;
      whole = digits.substr(0, count);
      whole.append(count - whole.size(), '0');
      fraction = digits.size() > count ? digits.substr(count) : "";
    }
    if (fraction == "0") fraction.clear();
    return (negative ? "-" : "") + whole + '.' + fraction;
  }
};

void trim_zeros(std::string* s) { s->erase(s->find_last_not_of('0') + 1); }

std::string positional(double x, DType dtype) {
  std::string s = Decimal(x, dtype).positional();
  if (s.size() - s.find('.') - 1 > kPrecision) {
    s = in_format(x, std::chars_format::fixed, kPrecision);
    trim_zeros(&s);
  }
  return s;
}

// How many digits behind the point a number needs in scientific notation.
size_t scientific_precision(double x, DType dtype) {
  const size_t needed = Decimal(x, dtype).digits.size() - 1;
  if (needed <= kPrecision) return needed;
  std::string s = in_format(x, std::chars_format::scientific, kPrecision);
  s.erase(s.find('e'));
  trim_zeros(&s);
  return s.size() - s.find('.') - 1;
}

std::string scientific(double x, size_t precision, size_t exponent_digits) {
  std::string s = in_format(x, std::chars_format::scientific, precision);
  const size_t e = s.find('e'), digits = s.size() - e - 2;
  if (digits < exponent_digits) s.insert(e + 2, exponent_digits - digits, '0');
  if (precision == 0) s.insert(e, ".");
  return s;
}

std::string not_finite(double x) { return std::isnan(x) ? "nan" : x > 0 ? "inf" : "-inf"; }

// A number that stands alone has all of its digits.
std::string single(double x, DType dtype) {
  if (!std::isfinite(x)) return not_finite(x);
  const Decimal d(x, dtype);
  const double a = std::abs(x), limit = dtype == kF64 ? 1e16 : dtype == kF32 ? 1e6 : 1e3;
  if (a == 0 || (a >= 1e-4 && a < limit)) {
    const std::string s = d.positional();
    return s.back() == '.' ? s + '0' : s;
  }
  const std::string power = std::to_string(std::abs(d.exponent));
  return (d.negative ? "-" : "") + d.digits.substr(0, 1) +
         (d.digits.size() > 1 ? '.' + d.digits.substr(1) : "") + (d.exponent < 0 ? "e-" : "e+") +
         (power.size() < 2 ? "0" : "") + power;
}

// Numbers in one notation, with their points below each other.
std::vector<std::string> aligned(const std::vector<double>& values, DType dtype) {
  double largest = 0, smallest = INFINITY;
  bool finite = false, minus_infinity = false, all_finite = true;
  for (double x : values) {
    finite |= std::isfinite(x);
    all_finite &= std::isfinite(x);
    minus_infinity |= x == -INFINITY;
    if (!std::isfinite(x) || x == 0) continue;
    largest = std::max(largest, std::abs(x));
    smallest = std::min(smallest, std::abs(x));
  }
  const double limit = dtype == kF64 ? 1e8 : dtype == kF32 ? 1e6 : 1e3;
  const bool in_scientific = largest > 0 && (largest >= limit || smallest < in_dtype(1e-4, dtype) ||
                                             in_dtype(largest / smallest, dtype) > 1000);
  size_t precision = 0, exponent_digits = 2;
  if (in_scientific) {
    for (double x : values) {
      if (!std::isfinite(x)) continue;
      precision = std::max(precision, scientific_precision(x, dtype));
      if (x != 0 && std::abs(Decimal(x, dtype).exponent) >= 100) exponent_digits = 3;
    }
  }
  std::vector<std::string> texts;
  size_t before = 0, behind = 0;  // the point
  for (double x : values) {
    texts.push_back(!std::isfinite(x) ? not_finite(x)
                    : in_scientific   ? scientific(x, precision, exponent_digits)
                                      : positional(x, dtype));
    if (!std::isfinite(x)) continue;
    const size_t point = texts.back().find('.');
    before = std::max(before, point);
    behind = std::max(behind, texts.back().size() - point - 1);
  }
  const size_t others = all_finite ? 0 : 3 + minus_infinity;
  const size_t width = std::max(before + 1 + behind, others);
  for (size_t i = 0; i < texts.size(); ++i) {
    if (std::isfinite(values[i]))
      texts[i].append(behind + texts[i].find('.') + 1 - texts[i].size(), ' ');
    texts[i].insert(0, width - texts[i].size(), ' ');
  }
  return texts;
}

// ---- Arrays -----------------------------------------------------------------------------------

template <class To>
std::vector<To> elements(const Tensor& t, const std::vector<int64_t>& positions) {
  std::vector<To> out;
  with_dtype(t.dtype(), [&](auto zero) {
    const auto all = t.data<decltype(zero)>();
    for (int64_t p : positions) out.push_back(convert<To>(all[static_cast<size_t>(p)]));
  });
  return out;
}

// All shown elements as texts of one width.
std::vector<std::string> texts_of(const Tensor& t, const std::vector<int64_t>& positions) {
  if (is_float(t.dtype())) {
    const std::vector<double> values = elements<double>(t, positions);
    if (t.rank() == 0) return {single(values[0], t.dtype())};
    return aligned(values, t.dtype());
  }
  std::vector<std::string> texts;
  size_t width = t.dtype() == kBool && t.rank() > 0 ? 5 : 0;
  for (int64_t x : elements<int64_t>(t, positions)) {
    texts.push_back(t.dtype() != kBool ? std::to_string(x) : x ? "True" : "False");
    width = std::max(width, texts.back().size());
  }
  for (std::string& s : texts) s.insert(0, width - s.size(), ' ');
  return texts;
}

void collect(const Shape& shape, int axis, int64_t base, bool abridge, std::vector<int64_t>* out) {
  if (axis == shape.rank()) {
    out->push_back(base);
    return;
  }
  for (int64_t i : shown(shape[axis], abridge)) {
    if (i >= 0) collect(shape, axis + 1, base * shape[axis] + i, abridge, out);
  }
}

// One axis in brackets; `next` walks along the texts.
std::string bracketed(const Shape& shape, int axis, bool abridge,
                      std::vector<std::string>::const_iterator* next) {
  const bool last = axis == shape.rank() - 1;
  const std::string indent(axis + 1, ' ');
  const size_t width = kLineWidth - static_cast<size_t>(axis) - 1;
  std::string out, line = "[";
  if (axis > 0) line.insert(0, indent.substr(1));
  const size_t skipped = line.size() - 1;  // the caller has indented the first line
  bool first = true;
  for (int64_t i : shown(shape[axis], abridge)) {
    const std::string piece = i < 0  ? "..."
                              : last ? *(*next)++
                                     : bracketed(shape, axis + 1, abridge, next);
    if (!last) {
      if (!first) line += std::string(shape.rank() - 1 - axis, '\n') + indent;
    } else {
      if (!first) line += ' ';
      if (line.size() + piece.size() > width && line.size() > indent.size()) {
        line.erase(line.find_last_not_of(' ') + 1);
        out += line + '\n';
        line = indent;
      }
    }
    line += piece;
    first = false;
  }
  return (out + line + ']').substr(skipped);
}

}  // namespace

std::string Tensor::str() const {
  const int64_t count = numel();
  if (count == 0) return "[]";
  const bool abridge = count > kAbridgeAbove;
  std::vector<int64_t> positions;
  collect(shape(), 0, 0, abridge, &positions);
  const std::vector<std::string> texts = texts_of(*this, positions);
  auto next = texts.begin();
  return rank() == 0 ? texts[0] : bracketed(shape(), 0, abridge, &next);
}

}  // namespace glia
