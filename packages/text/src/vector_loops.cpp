#include "vector_loops.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "glia/simd.h"

namespace glia::text {
namespace {

using simd::at_level;
constexpr int64_t kLanes = simd::kLanes<float>;
using Vector = simd::Vector<float>;

constexpr float kEdge = 6;
constexpr int kTable = 4096;
struct Table {
  std::array<float, kTable + 1> value, log;
  Table() {
    for (int i = 0; i <= kTable; ++i) {
      const double x = (2.0 * i / kTable - 1) * kEdge;
      value[static_cast<size_t>(i)] = static_cast<float>(1 / (1 + std::exp(-x)));
      log[static_cast<size_t>(i)] = static_cast<float>(-std::log1p(std::exp(-x)));
    }
  }
};
const Table kSigmoid;
GLIA_ALWAYS_INLINE size_t place(float x) {
  return static_cast<size_t>((std::clamp(x, -kEdge, kEdge) + kEdge) * (kTable / (2 * kEdge)) +
                             0.5f);
}
GLIA_ALWAYS_INLINE float log_of(float x) { return x < -kEdge ? x : kSigmoid.log[place(x)]; }

}  // namespace

Rows::Rows(int64_t count, int64_t width)
    : count_(count),
      width_(width),
      stride_((width + kLanes - 1) / kLanes * kLanes),
      memory_(new float[static_cast<size_t>(count * stride_ + kLanes)]()) {
  auto at = reinterpret_cast<uintptr_t>(memory_.get());
  values_ = reinterpret_cast<float*>((at + sizeof(Vector) - 1) / sizeof(Vector) * sizeof(Vector));
}

std::vector<float> Rows::packed() const {
  std::vector<float> out;
  out.reserve(static_cast<size_t>(count_ * width_));
  for (int64_t i = 0; i < count_; ++i) out.insert(out.end(), (*this)[i], (*this)[i] + width_);
  return out;
}

float sigmoid(float x) { return kSigmoid.value[place(x)]; }
float log_sigmoid(float x) { return log_of(x); }

namespace {

// Each pair's product first, then all changes: outputs four at a time, so that an input is read
// once for them.
GLIA_ALWAYS_INLINE double regress_of(const Regression& r) {
  const int64_t vectors = r.stride / kLanes;
  double loss = 0;
  constexpr int kMost = 64;
  float slopes[kMost];  // of one input with each output
  for (int i = 0; i < r.ins_count; ++i) {
    const auto* in = reinterpret_cast<const Vector*>(r.ins[i]);
    auto* change = reinterpret_cast<Vector*>(r.changes[i]);
    for (int o = 0; o < r.outs_count; o += 2) {
      const bool two = o + 1 < r.outs_count;
      auto* a = reinterpret_cast<Vector*>(r.outs[o]);
      auto* b = reinterpret_cast<Vector*>(r.outs[two ? o + 1 : o]);
      Vector x = in[0] * a[0], y = in[0] * b[0];
      for (int64_t k = 1; k < vectors; ++k) {
        x += in[k] * a[k];
        y += in[k] * b[k];
      }
      const float sums[] = {simd::sum_of_lanes(x), simd::sum_of_lanes(y)};
      for (int t = 0; t < 1 + two; ++t) {
        const float label = o + t < r.ones ? 1.0f : 0.0f;
        slopes[o + t] = (label - kSigmoid.value[place(sums[t])]) * r.rate;
        loss -= static_cast<double>(log_of(label > 0 ? sums[t] : -sums[t]));
      }
    }
    for (int o = 0; o < r.outs_count; o += 2) {
      const bool two = o + 1 < r.outs_count;
      auto* a = reinterpret_cast<Vector*>(r.outs[o]);
      if (!two || r.outs[o] == r.outs[o + 1]) {
        for (int t = 0; t < 1 + two; ++t)
          for (int64_t k = 0; k < vectors; ++k) {
            change[k] += a[k] * slopes[o + t];
            a[k] += in[k] * slopes[o + t];
          }
        continue;
      }
      auto* b = reinterpret_cast<Vector*>(r.outs[o + 1]);
      const float g = slopes[o], h = slopes[o + 1];
      for (int64_t k = 0; k < vectors; ++k) {
        const Vector v = in[k];
        change[k] += a[k] * g + b[k] * h;
        a[k] += v * g;
        b[k] += v * h;
      }
    }
  }
  return loss;
}

GLIA_ALWAYS_INLINE void scaled_onto(float* y, const float* x, float a, int64_t stride) {
  auto* to = reinterpret_cast<Vector*>(y);
  const auto* from = reinterpret_cast<const Vector*>(x);
  for (int64_t k = 0; k < stride / kLanes; ++k) to[k] += from[k] * a;
}

GLIA_ALWAYS_INLINE void sum_rows(const float* const* rows, int count, float a, float* y,
                                 int64_t stride) {
  auto* to = reinterpret_cast<Vector*>(y);
  for (int64_t k = 0; k < stride / kLanes; ++k) {
    Vector sum = reinterpret_cast<const Vector*>(rows[0])[k];
    for (int i = 1; i < count; ++i) sum += reinterpret_cast<const Vector*>(rows[i])[k];
    to[k] = sum * a;
  }
}

GLIA_ALWAYS_INLINE void add_to_rows(float* const* rows, int count, const float* x, float a,
                                    int64_t stride) {
  const auto* from = reinterpret_cast<const Vector*>(x);
  for (int64_t k = 0; k < stride / kLanes; ++k) {
    const Vector v = from[k] * a;
    for (int i = 0; i < count; ++i) reinterpret_cast<Vector*>(rows[i])[k] += v;
  }
}

GLIA_ALWAYS_INLINE float product_of(const float* x, const float* y, int64_t stride) {
  const auto* a = reinterpret_cast<const Vector*>(x);
  const auto* b = reinterpret_cast<const Vector*>(y);
  Vector sum = a[0] * b[0];
  for (int64_t k = 1; k < stride / kLanes; ++k) sum += a[k] * b[k];
  return simd::sum_of_lanes(sum);
}

}  // namespace

double regress(const Regression& r) { return at_level<regress_of>(r); }
void add_scaled(float* y, const float* x, float a, int64_t stride) {
  at_level<scaled_onto>(y, x, a, stride);
}
void sum_of(const float* const* rows, int count, float a, float* y, int64_t stride) {
  at_level<sum_rows>(rows, count, a, y, stride);
}
void add_to_all(float* const* rows, int count, const float* x, float a, int64_t stride) {
  at_level<add_to_rows>(rows, count, x, a, stride);
}
float dot_of(const float* x, const float* y, int64_t stride) {
  return at_level<product_of>(x, y, stride);
}

}  // namespace glia::text
