// Convolutions and poolings.
#pragma once

#include "ops/conv.h"
#include "ops/pool.h"
#include "tests/support/record_op.h"

namespace glia::test {

struct Convolution {
  Shape x, w;
  std::pair<int64_t, int64_t> stride{1, 1}, padding{0, 0}, dilation{1, 1};
  int64_t groups = 1;

  Shape y() const {
    const auto size = [](int64_t in, int64_t kernel, int64_t s, int64_t p, int64_t d) {
      return (in + 2 * p - d * (kernel - 1) - 1) / s + 1;
    };
    return {x[0], size(x[1], w[1], stride.first, padding.first, dilation.first),
            size(x[2], w[2], stride.second, padding.second, dilation.second), w[0]};
  }
  ConvAttributes attributes() const {
    return {stride.first,   stride.second,   padding.first, padding.second,
            dilation.first, dilation.second, groups};
  }
  // Calls f(x, w, y) with the positions of everything that meets.
  template <class F>
  void each_product(F&& f) const {
    const Shape out = y();
    const int64_t og = w[0] / groups, cg = w[3];
    for_each_index(out, [&](const std::vector<int64_t>& at) {
      for (int64_t p = 0; p < w[1]; ++p)
        for (int64_t q = 0; q < w[2]; ++q)
          for (int64_t c = 0; c < cg; ++c) {
            const int64_t row = at[1] * stride.first - padding.first + p * dilation.first;
            const int64_t column = at[2] * stride.second - padding.second + q * dilation.second;
            if (row < 0 || row >= x[1] || column < 0 || column >= x[2]) continue;
            f(position(x, {at[0], row, column, at[3] / og * cg + c}), position(w, {at[3], p, q, c}),
              position(out, at));
          }
    });
  }
  std::string text() const {
    return x.str() + " with " + w.str() + " stride " + std::to_string(stride.first) + " padding " +
           std::to_string(padding.first) + " dilation " + std::to_string(dilation.first) +
           " groups " + std::to_string(groups);
  }
};

inline const std::vector<Convolution>& convolutions() {
  static const std::vector<Convolution> all{
      {{1, 1, 1, 1}, {1, 1, 1, 1}},
      {{1, 3, 3, 2}, {2, 2, 2, 2}},
      {{2, 5, 4, 3}, {4, 3, 3, 3}, {1, 1}, {1, 1}},
      {{1, 5, 5, 2}, {2, 3, 3, 2}, {2, 2}, {1, 1}},
      {{1, 6, 5, 2}, {2, 2, 2, 2}, {1, 2}, {0, 1}, {2, 1}},
      {{1, 4, 4, 4}, {4, 3, 3, 2}, {1, 1}, {1, 1}, {1, 1}, 2},
      {{1, 4, 4, 3}, {3, 3, 3, 1}, {1, 1}, {1, 1}, {1, 1}, 3},
      {{0, 3, 3, 2}, {2, 2, 2, 2}},
      {{4, 14, 14, 17}, {19, 3, 3, 17}, {1, 1}, {1, 1}},
  };
  return all;
}

// Each of the three arrays follows from the other two by the same products.
enum class ConvPart { kX, kW, kY };
inline OpCase conv_case(const char* op, ConvPart result) {
  OpCase c{.op = op, .family = "images", .dtypes = {kBF16, kF32, kF64}, .forms = {}};
  if (result == ConvPart::kY) c.dtypes.insert(c.dtypes.begin(), kF16);
  for (const Convolution& conv : convolutions()) {
    const Shape x = conv.x, w = conv.w, y = conv.y();
    const Shape& out = result == ConvPart::kX ? x : result == ConvPart::kW ? w : y;
    const std::vector<Shape> in = result == ConvPart::kX   ? std::vector{y, w}
                                  : result == ConvPart::kW ? std::vector{x, y}
                                                           : std::vector{x, w};
    c.forms.push_back({.what = conv.text(),
                       .inputs = random_inputs(in, -2, 2),
                       .apply =
                           [=](const std::vector<Tensor>& t) {
                             if (result == ConvPart::kY)
                               return conv2d(t[0], t[1], {},
                                             {.stride = conv.stride,
                                              .padding = conv.padding,
                                              .dilation = conv.dilation,
                                              .groups = conv.groups});
                             return record_op(op, t, out, t[0].dtype(), conv.attributes());
                           },
                       .reference =
                           [=](const std::vector<Host>& in) {
                             std::vector<Sum> sums(static_cast<size_t>(out.numel()));
                             conv.each_product([&](int64_t px, int64_t pw, int64_t py) {
                               if (result == ConvPart::kX)
                                 sums[px].add(in[0][py] * in[1][pw]);
                               else if (result == ConvPart::kW)
                                 sums[pw].add(in[0][px] * in[1][py]);
                               else
                                 sums[py].add(in[0][px] * in[1][pw]);
                             });
                             Host h{out, in[0].dtype, {}};
                             for (const Sum& s : sums) push(&h, s);
                             return h;
                           }});
  }
  c.tolerance = tolerance_of_sums;
  c.special_values = false;  // padding may be skipped, or count as 0 times an infinite weight
  return c;
}

struct Pooling {
  Shape x;
  std::pair<int64_t, int64_t> window, stride, padding;

  Shape y() const {
    return {x[0], (x[1] + 2 * padding.first - window.first) / stride.first + 1,
            (x[2] + 2 * padding.second - window.second) / stride.second + 1, x[3]};
  }
  PoolAttributes attributes() const {
    return {window.first,  window.second, stride.first,
            stride.second, padding.first, padding.second};
  }
  // The positions in x that the window of y's element `at` sees, row by row.
  std::vector<int64_t> seen(const std::vector<int64_t>& at) const {
    std::vector<int64_t> out;
    for (int64_t p = 0; p < window.first; ++p)
      for (int64_t q = 0; q < window.second; ++q) {
        const int64_t row = at[1] * stride.first - padding.first + p;
        const int64_t column = at[2] * stride.second - padding.second + q;
        if (row >= 0 && row < x[1] && column >= 0 && column < x[2])
          out.push_back(position(x, {at[0], row, column, at[3]}));
      }
    return out;
  }
  // Of those, the first that holds the largest value; NaN is above all.
  int64_t largest(const Host& values, const std::vector<int64_t>& at) const {
    const std::vector<int64_t> places = seen(at);
    int64_t best = places[0];
    for (int64_t p : places) {
      if (std::isnan(values[best])) break;
      if (std::isnan(values[p]) || values[p] > values[best]) best = p;
    }
    return best;
  }
  std::string text() const {
    return x.str() + " window " + std::to_string(window.first) + "x" +
           std::to_string(window.second) + " stride " + std::to_string(stride.first) + " padding " +
           std::to_string(padding.first);
  }
};
inline const std::vector<Pooling>& poolings() {
  static const std::vector<Pooling> all{
      {{1, 1, 1, 1}, {1, 1}, {1, 1}, {0, 0}},    {{1, 4, 4, 2}, {2, 2}, {2, 2}, {0, 0}},
      {{2, 5, 4, 1}, {3, 2}, {2, 1}, {1, 0}},    {{1, 5, 5, 2}, {2, 2}, {2, 2}, {0, 0}},
      {{1, 3, 3, 2}, {3, 3}, {1, 1}, {1, 1}},    {{0, 4, 4, 2}, {2, 2}, {2, 2}, {0, 0}},
      {{5, 28, 28, 70}, {2, 2}, {2, 2}, {0, 0}}, {{3, 13, 11, 70}, {3, 3}, {2, 2}, {1, 1}},
  };
  return all;
}

// One of the five poolings: which inputs it has (x, or something of y's shape), what of y's or
// x's shape it gives, and one window's part in it.
struct PoolRule {
  const char* op;
  std::vector<bool> input_like_x;
  bool result_like_x;
  std::function<void(const Pooling&, const std::vector<Host>& in, const std::vector<int64_t>& at,
                     int64_t window, std::vector<Sum>* out)>
      add;
};
inline OpCase pool_case(const PoolRule& rule) {
  OpCase c{.op = rule.op, .family = "images", .dtypes = {kF32, kF64}, .forms = {}};
  const std::string op = rule.op;
  if (op == "max_pool2d" || op == "avg_pool2d") c.dtypes = kFloats;
  for (const Pooling& pool : poolings()) {
    std::vector<Shape> in;
    for (bool like_x : rule.input_like_x) in.push_back(like_x ? pool.x : pool.y());
    const Shape out = rule.result_like_x ? pool.x : pool.y();
    c.forms.push_back(
        {.what = pool.text(),
         .inputs = random_inputs(in, -4, 4),
         .apply =
             [=](const std::vector<Tensor>& t) {
               const PoolOptions options{.stride = pool.stride, .padding = pool.padding};
               if (op == "max_pool2d") return max_pool2d(t[0], pool.window, options);
               if (op == "avg_pool2d") return avg_pool2d(t[0], pool.window, options);
               return record_op(op.c_str(), t, out, t[0].dtype(), pool.attributes());
             },
         .reference =
             [=](const std::vector<Host>& in) {
               std::vector<Sum> sums(static_cast<size_t>(out.numel()));
               int64_t window = 0;
               for_each_index(pool.y(),
                              [&](const auto& at) { rule.add(pool, in, at, window++, &sums); });
               Host h{out, in[0].dtype, {}};
               for (const Sum& s : sums) push(&h, s);
               return h;
             }});
  }
  c.tolerance = tolerance_of_sums;
  c.extreme_values = false;
  return c;
}

inline void add_poolings(std::vector<OpCase>* cases) {
  const auto mean_of = [](const Pooling& p) { return 1 / Real(p.window.first * p.window.second); };
  cases->push_back(pool_case({"max_pool2d",
                              {true},
                              false,
                              [](const auto& pool, const auto& in, const auto& at, int64_t w,
                                 auto* out) { (*out)[w].add(in[0][pool.largest(in[0], at)]); }}));
  cases->push_back(pool_case({"max_pool2d_backward",
                              {true, false},
                              true,
                              [](const auto& pool, const auto& in, const auto& at, int64_t w,
                                 auto* out) { (*out)[pool.largest(in[0], at)].add(in[1][w]); }}));
  cases->push_back(pool_case({"max_pool2d_gather",
                              {true, true},
                              false,
                              [](const auto& pool, const auto& in, const auto& at, int64_t w,
                                 auto* out) { (*out)[w].add(in[1][pool.largest(in[0], at)]); }}));
  cases->push_back(
      pool_case({"avg_pool2d",
                 {true},
                 false,
                 [=](const auto& pool, const auto& in, const auto& at, int64_t w, auto* out) {
                   for (int64_t p : pool.seen(at)) (*out)[w].add(in[0][p] * mean_of(pool));
                 }}));
  cases->push_back(
      pool_case({"avg_pool2d_backward",
                 {false},
                 true,
                 [=](const auto& pool, const auto& in, const auto& at, int64_t w, auto* out) {
                   for (int64_t p : pool.seen(at)) (*out)[p].add(in[0][w] * mean_of(pool));
                 }}));
}

}  // namespace glia::test
