// Group normalisation, forwards and backwards. Channels lie side by side: lanes are channels, whose
// sums over some positions stay in registers, in f64 also those of f32; groups are summed up of
// them.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/group_norm.cpp"
#include "backend/cpu/simd/targets.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "backend/cpu/simd/functions.h"
#include "ops/group_norm.h"
#include "runtime/backend.h"

HWY_BEFORE_NAMESPACE();
namespace glia::cpu::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<double>;
using V = hn::Vec<D>;
constexpr int64_t kLanes = hn::MaxLanes(D());
constexpr int kVectors = 4;        // of sums at once
constexpr int64_t kCached = 4096;  // elements that are gone through for some channels, then others
constexpr int64_t kPart = int64_t{1} << 16;  // elements of a part of an example
constexpr int64_t kFewExamples = 8;          // so many are cut into parts

template <class T>
HWY_INLINE V load(const T* p) {
  if constexpr (sizeof(T) == 8)
    return hn::LoadU(D(), p);
  else
    return hn::PromoteTo(D(), hn::LoadU(hn::Rebind<float, D>(), p));
}
template <class T>
HWY_INLINE void store(V v, T* p) {
  if constexpr (sizeof(T) == 8)
    hn::StoreU(v, D(), p);
  else
    hn::StoreU(hn::DemoteTo(hn::Rebind<float, D>(), v), hn::Rebind<float, D>(), p);
}

// How a call is cut: example n is (positions, channels), in parts of some positions.
struct Cut {
  int64_t examples, positions, channels, groups;
  int64_t each = channels / groups;  // channels of a group
  int64_t rows = std::max<int64_t>(1, kPart / std::max<int64_t>(channels, 1));  // of a part
  int64_t parts = (positions + rows - 1) / rows;

  explicit Cut(const KernelCall& call)
      : examples(call.in[0].layout.shape[0]),
        positions(call.in[0].layout.shape[1]),
        channels(call.in[0].layout.shape[2]),
        groups(call.attributes<GroupNormAttributes>().groups) {}

  double group_size() const { return static_cast<double>(positions * each); }

  // f(first position, end, part) of each part.
  template <class F>
  void each_part(F&& f) const {
    parallel_for(parts, [&](int64_t p) { f(p * rows, std::min(positions, (p + 1) * rows), p); });
  }
  // f(n): side by side where there are many, else each with all threads.
  template <class F>
  void each_example(F&& f) const {
    if (examples >= kFewExamples) return parallel_for(examples, f);
    for (int64_t n = 0; n < examples; ++n) f(n);
  }
};

// sums[0..1][c] += first(c, x) and second(c, x) over rows, where two values are made of each
// element of one or two arrays: terms(c, x, y).
template <int kCount, class T, class Terms>
HWY_INLINE void add_columns(const T* x, const T* y, int64_t rows, int64_t channels, int64_t c,
                            double* const sums[2], const Terms& terms) {
  V first[kCount], second[kCount];
#pragma GCC unroll 4
  for (int k = 0; k < kCount; ++k) {
    first[k] = hn::LoadU(D(), sums[0] + c + k * kLanes);
    second[k] = hn::LoadU(D(), sums[1] + c + k * kLanes);
  }
  for (int64_t r = 0; r < rows; ++r) {
    const T *const at = x + r * channels + c, *const beside = y + r * channels + c;
#pragma GCC unroll 4
    for (int k = 0; k < kCount; ++k)
      terms(c + k * kLanes, load(at + k * kLanes), load(beside + k * kLanes), &first[k],
            &second[k]);
  }
#pragma GCC unroll 4
  for (int k = 0; k < kCount; ++k) {
    hn::StoreU(first[k], D(), sums[0] + c + k * kLanes);
    hn::StoreU(second[k], D(), sums[1] + c + k * kLanes);
  }
}

// Two sums for each channel, of rows in a block that stays in cache.
template <class T, class Terms, class Scalar>
void add_rows(const T* x, const T* y, int64_t rows, int64_t channels, double* const sums[2],
              const Terms& terms, const Scalar& scalar) {
  const int64_t together = std::max<int64_t>(1, kCached / channels);
  for (int64_t begin = 0; begin < rows; begin += together) {
    const int64_t count = std::min(together, rows - begin);
    const T *const from = x + begin * channels, *const beside = y + begin * channels;
    int64_t c = 0;
    for (; c + kVectors * kLanes <= channels; c += kVectors * kLanes)
      add_columns<kVectors>(from, beside, count, channels, c, sums, terms);
    for (; c + kLanes <= channels; c += kLanes)
      add_columns<1>(from, beside, count, channels, c, sums, terms);
    for (; c < channels; ++c) {
      double first = sums[0][c], second = sums[1][c];
      for (int64_t r = 0; r < count; ++r)
        scalar(c, static_cast<double>(from[r * channels + c]),
               static_cast<double>(beside[r * channels + c]), &first, &second);
      sums[0][c] = first;
      sums[1][c] = second;
    }
  }
}

// out = (x - f[0]) f[1] + f[2] in each channel; of two arrays, + y f[3].
template <int kArrays, int kCount, class T>
HWY_INLINE void write_columns(const T* x, const T* y, int64_t rows, int64_t channels, int64_t c,
                              const double* const* f, T* out) {
  V centre[kCount], scale[kCount], shift[kCount], beside[kCount];
#pragma GCC unroll 4
  for (int k = 0; k < kCount; ++k) {
    centre[k] = hn::LoadU(D(), f[0] + c + k * kLanes);
    scale[k] = hn::LoadU(D(), f[1] + c + k * kLanes);
    shift[k] = hn::LoadU(D(), f[2] + c + k * kLanes);
    if constexpr (kArrays == 2) beside[k] = hn::LoadU(D(), f[3] + c + k * kLanes);
  }
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t at = r * channels + c;
#pragma GCC unroll 4
    for (int k = 0; k < kCount; ++k) {
      V value = hn::MulAdd(hn::Sub(load(x + at + k * kLanes), centre[k]), scale[k], shift[k]);
      if constexpr (kArrays == 2) value = hn::MulAdd(load(y + at + k * kLanes), beside[k], value);
      store(value, out + at + k * kLanes);
    }
  }
}
template <int kArrays, class T>
void write_rows(const T* x, const T* y, int64_t rows, int64_t channels, const double* const* f,
                T* out) {
  constexpr int kBlock = kArrays == 1 ? kVectors : kVectors / 2;  // whose factors fit in registers
  const int64_t together = std::max<int64_t>(1, kCached / channels);
  for (int64_t begin = 0; begin < rows; begin += together) {
    const int64_t count = std::min(together, rows - begin), at = begin * channels;
    int64_t c = 0;
    for (; c + kBlock * kLanes <= channels; c += kBlock * kLanes)
      write_columns<kArrays, kBlock>(x + at, y + at, count, channels, c, f, out + at);
    for (; c + kLanes <= channels; c += kLanes)
      write_columns<kArrays, 1>(x + at, y + at, count, channels, c, f, out + at);
    for (; c < channels; ++c) {
      for (int64_t i = at + c; i < at + count * channels; i += channels) {
        double value = (static_cast<double>(x[i]) - f[0][c]) * f[1][c] + f[2][c];
        if constexpr (kArrays == 2) value += static_cast<double>(y[i]) * f[3][c];
        out[i] = static_cast<T>(value);
      }
    }
  }
}

// ---- Forwards ----

template <class T>
class Forward {
 public:
  explicit Forward(const KernelCall& call)
      : cut_(call),
        eps_(static_cast<double>(*call.in[3].as<const T>())),
        x_(call.in[0].as<const T>()),
        weight_(call.in[1].as<const T>()),
        bias_(call.in[2].as<const T>()),
        out_(call.out[0].as<T>()),
        mean_(call.out[1].as<T>()),
        inverse_(call.out[2].as<T>()) {}

  void run() const {
    cut_.each_example([&](int64_t n) { example(n); });
  }

 private:
  void example(int64_t n) const {
    const int64_t channels = cut_.channels;
    const T* const x = x_ + n * cut_.positions * channels;
    // Of differences from an element of the group: nothing cancels however far from 0 it is.
    std::vector<double> room(static_cast<size_t>(channels * 3 + cut_.parts * 2 * channels));
    double *const centre = room.data(), *const scale = centre + channels,
                  *const shift = scale + channels, *const sums = shift + channels;
    for (int64_t c = 0; c < channels; ++c)
      centre[c] = static_cast<double>(x[c / cut_.each * cut_.each]);
    cut_.each_part([&](int64_t first, int64_t end, int64_t p) {
      double* const own[] = {sums + p * 2 * channels, sums + (p * 2 + 1) * channels};
      const T* const from = x + first * channels;
      add_rows(
          from, from, end - first, channels, own,
          [&](int64_t c, V value, V, V* sum, V* squares) {
            const V d = hn::Sub(value, hn::LoadU(D(), centre + c));
            *sum = hn::Add(*sum, d);
            *squares = hn::MulAdd(d, d, *squares);
          },
          [&](int64_t c, double value, double, double* sum, double* squares) {
            const double d = value - centre[c];
            *sum += d;
            *squares += d * d;
          });
    });
    for (int64_t g = 0; g < cut_.groups; ++g) finish_group(n, g, centre, scale, shift, sums);
    if (!out_) return;
    T* const out = out_ + n * cut_.positions * channels;
    cut_.each_part([&](int64_t first, int64_t end, int64_t) {
      const int64_t at = first * channels;
      const double* const factors[] = {centre, scale, shift};
      write_rows<1>(x + at, x + at, end - first, channels, factors, out + at);
    });
  }

  // From sums of differences to what each channel is moved and multiplied by.
  void finish_group(int64_t n, int64_t g, double* centre, double* scale, double* shift,
                    const double* sums) const {
    const int64_t begin = g * cut_.each, end = begin + cut_.each, channels = cut_.channels;
    double sum = 0, squares = 0;
    for (int64_t p = 0; p < cut_.parts; ++p) {
      for (int64_t c = begin; c < end; ++c) {
        sum += sums[p * 2 * channels + c];
        squares += sums[(p * 2 + 1) * channels + c];
      }
    }
    const double off = sum / cut_.group_size(), var = squares / cut_.group_size() - off * off;
    const double mean = centre[begin] + off, inverse = 1 / std::sqrt((var < 0 ? 0 : var) + eps_);
    if (mean_) mean_[n * cut_.groups + g] = static_cast<T>(mean);
    if (inverse_) inverse_[n * cut_.groups + g] = static_cast<T>(inverse);
    for (int64_t c = begin; c < end; ++c) {
      centre[c] = mean;
      scale[c] = weight_ ? inverse * static_cast<double>(weight_[c]) : inverse;
      shift[c] = bias_ ? static_cast<double>(bias_[c]) : 0;
    }
  }

  const Cut cut_;
  const double eps_;
  const T *const x_, *const weight_, *const bias_;
  T *const out_, *const mean_, *const inverse_;
};

// ---- Backwards ----

template <class T>
class Backward {
 public:
  explicit Backward(const KernelCall& call)
      : cut_(call),
        x_(call.in[0].as<const T>()),
        mean_(call.in[1].as<const T>()),
        inverse_(call.in[2].as<const T>()),
        weight_(call.in[3].as<const T>()),
        g_(call.in[4].as<const T>()),
        out_(call.out[0].as<T>()),
        weight_out_(call.out[1].as<T>()),
        bias_out_(call.out[2].as<T>()) {}

  void run() const {
    const int64_t channels = cut_.channels;
    // Of each example: sums of g, and of g times the normalised x.
    std::vector<double> shares(static_cast<size_t>(cut_.examples * 2 * channels));
    cut_.each_example([&](int64_t n) { example(n, shares.data() + n * 2 * channels); });
    for (int64_t c = 0; c < channels; ++c) {
      double centre = 0, along = 0;
      for (int64_t n = 0; n < cut_.examples; ++n) {
        centre += shares[n * 2 * channels + c];
        along += shares[(n * 2 + 1) * channels + c];
      }
      if (weight_out_) weight_out_[c] = static_cast<T>(along);
      if (bias_out_) bias_out_[c] = static_cast<T>(centre);
    }
  }

 private:
  void example(int64_t n, double* share) const {
    const int64_t channels = cut_.channels, start = n * cut_.positions * channels;
    std::vector<double> room(static_cast<size_t>(channels * 4 + cut_.parts * 2 * channels));
    double *const mean = room.data(), *const of_g = mean + channels, *const of_x = of_g + channels,
                  *const shift = of_x + channels, *const sums = shift + channels;
    for (int64_t c = 0; c < channels; ++c)
      mean[c] = static_cast<double>(mean_[n * cut_.groups + c / cut_.each]);
    const T *const x = x_ + start, *const g = g_ + start;
    cut_.each_part([&](int64_t first, int64_t end, int64_t p) {
      double* const own[] = {sums + p * 2 * channels, sums + (p * 2 + 1) * channels};
      add_rows(
          g + first * channels, x + first * channels, end - first, channels, own,
          [&](int64_t c, V slope, V value, V* centre, V* along) {
            *centre = hn::Add(*centre, slope);
            *along = hn::MulAdd(slope, hn::Sub(value, hn::LoadU(D(), mean + c)), *along);
          },
          [&](int64_t c, double slope, double value, double* centre, double* along) {
            *centre += slope;
            *along += slope * (value - mean[c]);
          });
    });
    for (int64_t k = 0; k < cut_.groups; ++k) finish_group(n, k, sums, share, of_g, of_x, shift);
    if (!out_) return;
    cut_.each_part([&](int64_t first, int64_t end, int64_t) {
      const int64_t at = first * channels;
      const double* const factors[] = {mean, of_x, shift, of_g};
      write_rows<2>(x + at, g + at, end - first, channels, factors, out_ + start + at);
    });
  }

  // The gradient of x is g of_g + (x - mean) of_x + shift.
  void finish_group(int64_t n, int64_t k, const double* sums, double* share, double* of_g,
                    double* of_x, double* shift) const {
    const int64_t begin = k * cut_.each, end = begin + cut_.each, channels = cut_.channels;
    const auto inverse = static_cast<double>(inverse_[n * cut_.groups + k]);
    double centre = 0, along = 0;
    for (int64_t c = begin; c < end; ++c) {
      double g = 0, gx = 0;
      for (int64_t p = 0; p < cut_.parts; ++p) {
        g += sums[p * 2 * channels + c];
        gx += sums[(p * 2 + 1) * channels + c];
      }
      share[c] = g;
      share[channels + c] = gx * inverse;
      const double weight = weight_ ? static_cast<double>(weight_[c]) : 1;
      of_g[c] = inverse * weight;
      centre += weight * share[c];
      along += weight * share[channels + c];
    }
    std::fill(of_x + begin, of_x + end, -inverse * inverse * along / cut_.group_size());
    std::fill(shift + begin, shift + end, -inverse * centre / cut_.group_size());
  }

  const Cut cut_;
  const T *const x_, *const mean_, *const inverse_, *const weight_, *const g_;
  T *const out_, *const weight_out_, *const bias_out_;
};

void group_norm(const KernelCall& call) {
  call.in[0].dtype == kF64 ? Forward<double>(call).run() : Forward<float>(call).run();
}
void group_norm_backward(const KernelCall& call) {
  call.in[0].dtype == kF64 ? Backward<double>(call).run() : Backward<float>(call).run();
}

}  // namespace
}  // namespace glia::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace glia::cpu {
namespace {

GLIA_EXPORT(group_norm);
GLIA_EXPORT(group_norm_backward);

const RegisterKernel kernels[] = {
    {{"group_norm", {kF32, kF64}, GLIA_CHOOSE(group_norm)}},
    {{"group_norm_backward", {kF32, kF64}, GLIA_CHOOSE(group_norm_backward)}},
};

}  // namespace
}  // namespace glia::cpu
#endif
