// Tensor::str: NumPy's way of printing an array.
#include <charconv>
#include <cmath>

#include "core/node.h"
#include "glia/tensor.h"

namespace glia {
namespace {

constexpr int64_t kAbridgeAbove = 1000;  // elements
constexpr int64_t kEdge = 3;             // shown at each end of an abridged axis
constexpr size_t kLineWidth = 75;

// Indices of an axis that are shown; -1 stands for the dots.
std::vector<int64_t> shown(int64_t size, bool abridge) {
  std::vector<int64_t> out;
  for (int64_t i = 0; i < size; ++i) {
    if (abridge && size > 2 * kEdge && i >= kEdge && i < size - kEdge) {
      out.push_back(-1);
      i = size - kEdge - 1;
    } else {
      out.push_back(i);
    }
  }
  return out;
}

template <class T>
std::string shortest(T value, std::chars_format format) {
  char text[512];
  auto end = std::to_chars(text, text + sizeof text, value, format).ptr;
  std::string s(text, end);
  if (format == std::chars_format::fixed) {
    const size_t dot = s.find('.');
    if (dot != std::string::npos && s.size() - dot - 1 > 8) {
      end = std::to_chars(text, text + sizeof text, value, format, 8).ptr;
      s.assign(text, end);
      s.erase(s.find_last_not_of('0') + 1);
    } else if (dot == std::string::npos) {
      s += '.';
    }
  }
  return s;
}

// All shown elements as text of one width.
class Formatter {
 public:
  Formatter(const Tensor& t, const std::vector<int64_t>& positions) {
    if (!is_float(t.dtype())) {
      const std::vector<int64_t> values = t.to_vector<int64_t>();
      for (int64_t p : positions) {
        texts_.push_back(t.dtype() == kBool ? (values[p] ? "True" : "False")
                                            : std::to_string(values[p]));
      }
    } else if (t.dtype() == kF64) {
      floats(t.to_vector<double>(), positions);
    } else {
      floats(t.to_vector<float>(), positions);
    }
    size_t width = 0;
    for (const std::string& s : texts_) width = std::max(width, s.size());
    for (std::string& s : texts_) s.insert(0, width - s.size(), ' ');
  }
  const std::string& next() { return texts_[at_++]; }

 private:
  template <class T>
  void floats(const std::vector<T>& values, const std::vector<int64_t>& positions) {
    T largest = 0, smallest = std::numeric_limits<T>::infinity();
    for (int64_t p : positions) {
      const T a = std::abs(values[p]);
      if (!std::isfinite(a) || a == 0) continue;
      largest = std::max(largest, a);
      smallest = std::min(smallest, a);
    }
    const bool scientific = largest >= T(1e8) || (largest > 0 && smallest < T(1e-4));
    const auto format = scientific ? std::chars_format::scientific : std::chars_format::fixed;
    size_t fraction = 0;
    for (int64_t p : positions) {
      const T v = values[p];
      texts_.push_back(std::isnan(v)   ? "nan"
                       : std::isinf(v) ? (v > 0 ? "inf" : "-inf")
                                       : shortest(v, format));
      const size_t dot = texts_.back().find('.');
      if (std::isfinite(v) && dot != std::string::npos)
        fraction = std::max(fraction, texts_.back().size() - dot);
    }
    if (scientific) return;
    for (std::string& s : texts_) {  // align the points
      const size_t dot = s.find('.');
      if (dot != std::string::npos) s.append(fraction - (s.size() - dot), ' ');
    }
  }

  std::vector<std::string> texts_;
  size_t at_ = 0;
};

void collect(const Shape& shape, int axis, int64_t base, bool abridge, std::vector<int64_t>* out) {
  if (axis == shape.rank()) {
    out->push_back(base);
    return;
  }
  for (int64_t i : shown(shape[axis], abridge)) {
    if (i >= 0) collect(shape, axis + 1, base * shape[axis] + i, abridge, out);
  }
}

void write(const Shape& shape, int axis, bool abridge, Formatter* text, std::string* out) {
  if (axis == shape.rank()) {
    *out += text->next();
    return;
  }
  const bool last = axis == shape.rank() - 1;
  const std::string indent(axis + 1, ' ');
  *out += '[';
  bool first = true;
  for (int64_t i : shown(shape[axis], abridge)) {
    std::string piece;
    if (i < 0) piece = "...";
    if (i >= 0) write(shape, axis + 1, abridge, text, &piece);
    if (!first) {
      const size_t line = out->size() - (out->rfind('\n') + 1);
      if (!last) {
        *out += std::string(shape.rank() - 1 - axis, '\n') + indent;
      } else if (line + 1 + piece.size() > kLineWidth) {
        *out += '\n' + indent;
      } else {
        *out += ' ';
      }
    }
    *out += piece;
    first = false;
  }
  *out += ']';
}

}  // namespace

std::string Tensor::str() const {
  const bool abridge = numel() > kAbridgeAbove;
  std::vector<int64_t> positions;
  collect(shape(), 0, 0, abridge, &positions);
  Formatter text(*this, positions);
  std::string out;
  write(shape(), 0, abridge, &text, &out);
  return out;
}

}  // namespace glia
