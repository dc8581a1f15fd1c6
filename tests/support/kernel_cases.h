// Operations with kernels of their own: matrices, images, positions, scans and orders.
#pragma once

#include <numeric>

#include "core/op.h"
#include "ops/conv.h"
#include "ops/pool.h"
#include "tests/support/array_cases.h"

namespace glia::test {

// Records a registered operation as it is, without the function that users call.
template <class A = AttributeWords>
Tensor record_op(const char* op, const std::vector<Tensor>& in, const Shape& shape, DType dtype,
                 const A& attributes = {}) {
  std::vector<Node*> nodes;
  for (const Tensor& t : in) nodes.push_back(t.node());
  return record(*find_op(op), nodes, shape, dtype, attributes, Where::current());
}

// As private operations declare theirs.
struct CheckIndexAttributes {
  int64_t size;
  GLIA_ATTRIBUTES(size)
};
struct ClassesAttributes {
  int64_t classes, ignored;
  GLIA_ATTRIBUTES(classes, ignored)
};

// A sum being made, with the size of its terms.
struct Sum {
  Real value = 0, magnitude = 0;
  void add(Real x) {
    value += x;
    magnitude += std::abs(x);
  }
};
inline void push(Host* h, const Sum& s) {
  h->values.push_back(s.value);
  h->magnitude.push_back(s.magnitude);
}
inline Tolerance tolerance_of_sums(DType) { return {.ulps = 0.51, .of_magnitude = 4}; }

// ---- Matrices ---------------------------------------------------------------------------------

inline Host matmul_reference(const std::vector<Host>& in) {
  Host a = in[0], b = in[1];
  const bool row = a.shape.rank() == 1, column = b.shape.rank() == 1;
  if (row) a.shape.insert(0, 1);
  if (column) b.shape.push_back(1);
  const auto leading = [](const Shape& s) { return Shape(s.span().first(s.rank() - 2)); };
  const int64_t m = a.shape.size(-2), k = a.shape.size(-1), n = b.shape.size(-1);
  Shape shape = joined_shape(leading(a.shape), leading(b.shape));
  shape.push_back(m);
  shape.push_back(n);
  Host out{shape, a.dtype, {}};
  for_each_index(shape, [&](const std::vector<int64_t>& index) {
    std::vector<int64_t> at_a = index, at_b = index;
    Sum sum;
    Wide whole = 0;
    for (int64_t l = 0; l < k; ++l) {
      at_a.back() = l;
      *(at_b.end() - 2) = l;
      const Real x = at(a, at_a), y = at(b, at_b);
      sum.add(x * y);
      if (!is_float(a.dtype))
        whole = wrapped(whole + static_cast<Wide>(x) * static_cast<Wide>(y), kI64);
    }
    if (is_float(a.dtype))
      push(&out, sum);
    else
      out.values.push_back(a.dtype == kBool ? whole != 0 : wrapped(whole, a.dtype));
  });
  if (column) out.shape.erase(out.shape.rank() - 1);
  if (row) out.shape.erase(out.shape.rank() - (column ? 1 : 2));
  return out;
}

inline OpCase matmul_case() {
  OpCase c{.op = "matmul", .family = "matrices", .dtypes = kAllDTypes, .forms = {}};
  const std::vector<std::vector<Shape>> shapes{{{3, 4}, {4, 5}},
                                               {{1, 1}, {1, 1}},
                                               {{4}, {4}},
                                               {{4}, {4, 3}},
                                               {{3, 4}, {4}},
                                               {{2, 3, 4}, {4, 2}},
                                               {{2, 3, 4}, {2, 4, 2}},
                                               {{2, 1, 3, 2}, {3, 2, 4}},
                                               {{3, 4}, {2, 4, 2}},
                                               {{0, 4}, {4, 3}},
                                               {{3, 0}, {0, 2}},
                                               {{0, 2, 3}, {3, 4}},
                                               {{33, 65}, {65, 17}},
                                               {{2, 1, 1, 2, 1, 1, 2, 3}, {3, 2}},
                                               {{257, 70}, {70, 300}}};
  for (const auto& s : shapes)
    c.forms.push_back({.what = text_of(s),
                       .inputs = random_inputs(s, -4, 4),
                       .apply = [](const auto& t) { return matmul(t[0], t[1]); },
                       .reference = matmul_reference});
  c.tolerance = tolerance_of_sums;
  c.extreme_values = false;
  return c;
}

// ---- Images -----------------------------------------------------------------------------------

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

// ---- Positions --------------------------------------------------------------------------------

inline Host random_indices(const Shape& shape, int64_t size, DType dtype, Numbers& numbers) {
  return host_made(shape, dtype,
                   [&](const auto&) -> Real { return numbers.integer(-size, size - 1); });
}
inline int64_t from_front(Real index, int64_t size) {
  return static_cast<int64_t>(index < 0 ? index + size : index);
}

// x, indices and, where something is written, a source.
struct Indexing {
  Shape x, indices, source;
  int axis;
  DType index_dtype = kI64;
};
// Calls f(place in x, place in the slices) for what slices at indices of any rank consist of.
template <class F>
void each_taken(const Host& x, const Host& indices, int axis, const Shape& slices, F&& f) {
  for_each_index(slices, [&](const std::vector<int64_t>& at) {
    const auto first = at.begin() + axis, last = first + indices.shape.rank();
    const Real i = indices[position(indices.shape, {first, last})];
    std::vector<int64_t> from(at.begin(), first);
    from.push_back(from_front(i, x.shape[axis]));
    from.insert(from.end(), last, at.end());
    f(position(x.shape, from), position(slices, at));
  });
}
// The same where every element has an index of its own.
template <class F>
void each_gathered(const Host& x, const Host& indices, int axis, F&& f) {
  for_each_index(indices.shape, [&](std::vector<int64_t> at) {
    const int64_t p = position(indices.shape, at);
    at[static_cast<size_t>(axis)] = from_front(indices[p], x.shape[axis]);
    f(position(x.shape, at), p);
  });
}
inline Form indexing(const Indexing& call, std::function<Tensor(const std::vector<Tensor>&)> apply,
                     std::function<Host(const std::vector<Host>&)> reference) {
  return {.what = call.x.str() + " at " + call.indices.str() + " " + name(call.index_dtype) +
                  " axis " + std::to_string(call.axis),
          .inputs =
              [call](DType t, Numbers& numbers) {
                std::vector<Host> in{
                    random_host(call.x, t, -9, 9, numbers),
                    random_indices(call.indices, call.x[call.axis], call.index_dtype, numbers)};
                if (call.source.rank()) in.push_back(random_host(call.source, t, -9, 9, numbers));
                return in;
              },
          .apply = std::move(apply),
          .reference = std::move(reference)};
}
// What is added at one place: 16-bit floats in f32.
inline void add_to(Host* out, int64_t to, Real x) {
  out->magnitude.resize(out->values.size());
  out->magnitude[to] += std::max(std::abs((*out)[to]), std::abs(x));
  if (out->dtype == kBool)
    (*out)[to] = (*out)[to] != 0 || x != 0;
  else if (is_float(out->dtype))
    (*out)[to] += x;
  else
    (*out)[to] = wrapped(static_cast<Wide>((*out)[to]) + static_cast<Wide>(x), out->dtype);
}

inline void add_indexing(std::vector<OpCase>* cases) {
  const std::vector<Indexing> slices{{{4}, {3}, {3}, 0},
                                     {{4}, {}, {}, 0},
                                     {{3, 4}, {5}, {5, 4}, 0},
                                     {{3, 4}, {2}, {3, 2}, 1, kI32},
                                     {{2, 3, 2}, {4}, {2, 4, 2}, 1},
                                     {{3, 4}, {0}, {0, 4}, 0},
                                     {{3, 0}, {2}, {2, 0}, 0},
                                     {{1, 2, 1, 2, 3, 1, 2, 1}, {2}, {1, 2, 1, 2, 2, 1, 2, 1}, 4},
                                     {kLarge, {400}, {400, 257}, 0, kI32}};
  const auto start = [&](const char* op) {
    return OpCase{.op = op, .family = "positions", .dtypes = kAllDTypes, .forms = {}};
  };
  OpCase take_case = start("take"), index_add_case = start("index_add"),
         index_put_case = start("index_put"), gather_case = start("gather"),
         scatter_add_case = start("scatter_add");
  std::vector<Indexing> taken = slices;
  taken.push_back({{3, 4}, {2, 2}, {}, 1});
  for (Indexing call : taken) {
    const int axis = call.axis;
    call.source = {};
    take_case.forms.push_back(indexing(
        call, [axis](const auto& t) { return take(t[0], t[1], axis); },
        [axis](const std::vector<Host>& in) {
          Shape shape = in[0].shape;
          shape.erase(axis);
          for (int i = 0; i < in[1].shape.rank(); ++i) shape.insert(axis + i, in[1].shape[i]);
          Host out = host_filled(shape, in[0].dtype);
          each_taken(in[0], in[1], axis, shape,
                     [&](int64_t from, int64_t to) { out[to] = in[0][from]; });
          return out;
        }));
  }
  for (const Indexing& call : slices) {
    if (call.indices.rank() == 0) continue;
    const int axis = call.axis;
    index_add_case.forms.push_back(indexing(
        call, [axis](const auto& t) { return index_add(t[0], t[1], t[2], axis); },
        [axis](const std::vector<Host>& in) {
          Host out = in[0];
          each_taken(in[0], in[1], axis, in[2].shape,
                     [&](int64_t to, int64_t from) { add_to(&out, to, in[2][from]); });
          return out;
        }));
    index_put_case.forms.push_back(indexing(
        call,
        [axis](const std::vector<Tensor>& t) {
          return record_op("index_put", t, t[0].shape(), t[0].dtype(), AxisAttributes{axis});
        },
        [axis](const std::vector<Host>& in) {
          Host out = in[0];
          each_taken(in[0], in[1], axis, in[2].shape,
                     [&](int64_t to, int64_t from) { out[to] = in[2][from]; });
          return out;
        }));
  }
  const std::vector<Indexing> elements{
      {{4}, {3}, {3}, 0},
      {{3, 4}, {2, 4}, {2, 4}, 0},
      {{3, 4}, {3, 6}, {3, 6}, 1, kI32},
      {{2, 3, 2}, {2, 4, 2}, {2, 4, 2}, 1},
      {{3, 4}, {0, 4}, {0, 4}, 0},
      {{1, 2, 1, 2, 3, 1, 2, 1}, {1, 2, 1, 2, 2, 1, 2, 1}, {1, 2, 1, 2, 2, 1, 2, 1}, 4},
      {kLarge, {300, 260}, {300, 260}, 1, kI32}};
  for (Indexing call : elements) {
    const int axis = call.axis;
    scatter_add_case.forms.push_back(indexing(
        call, [axis](const auto& t) { return scatter_add(t[0], t[1], t[2], axis); },
        [axis](const std::vector<Host>& in) {
          Host out = in[0];
          each_gathered(in[0], in[1], axis,
                        [&](int64_t to, int64_t from) { add_to(&out, to, in[2][from]); });
          return out;
        }));
    call.source = {};
    gather_case.forms.push_back(indexing(
        call, [axis](const auto& t) { return gather(t[0], t[1], axis); },
        [axis](const std::vector<Host>& in) {
          Host out = host_filled(in[1].shape, in[0].dtype);
          each_gathered(in[0], in[1], axis,
                        [&](int64_t from, int64_t to) { out[to] = in[0][from]; });
          return out;
        }));
  }
  for (OpCase* c : {&index_add_case, &scatter_add_case}) c->tolerance = tolerance_of_sums;
  for (OpCase* c : {&take_case, &gather_case, &index_add_case, &scatter_add_case, &index_put_case})
    cases->push_back(std::move(*c));

  // What user functions check indices and classes with.
  OpCase check_index{
      .op = "check_index", .family = "positions", .dtypes = {kI32, kI64}, .forms = {}};
  OpCase check_classes{
      .op = "check_classes", .family = "positions", .dtypes = {kU8, kI8, kI32, kI64}, .forms = {}};
  for (const Shape& s : std::vector<Shape>{{}, {5}, {2, 3}, {0}, {2, 1, 2, 1, 1, 1, 2, 1}}) {
    check_index.forms.push_back({.what = s.str(),
                                 .inputs = random_inputs({s}, -7, 6),
                                 .apply =
                                     [](const std::vector<Tensor>& t) {
                                       return record_op("check_index", t, t[0].shape(), kI64,
                                                        CheckIndexAttributes{7});
                                     },
                                 .reference =
                                     [](const std::vector<Host>& in) {
                                       Host out = in[0];
                                       out.dtype = kI64;
                                       for (Real& x : out.values) x = from_front(x, 7);
                                       return out;
                                     }});
    check_classes.forms.push_back(
        {.what = s.str(),
         .inputs = random_inputs({s}, 0, 6),
         .apply =
             [](const std::vector<Tensor>& t) {
               return record_op("check_classes", t, t[0].shape(), kI32, ClassesAttributes{7, 3});
             },
         .reference =
             [](const std::vector<Host>& in) {
               Host out = in[0];
               out.dtype = kI32;
               for (Real& x : out.values) x = x == 3 ? -1 : x;
               return out;
             }});
  }
  cases->push_back(std::move(check_index));
  cases->push_back(std::move(check_classes));

  OpCase arange_case{.op = "arange",
                     .family = "positions",
                     .dtypes = {kI64, kF64},  // of start, step and last
                     .forms = {},
                     .special_values = false};
  for (DType to : kEveryDType) {
    if (to == kBool) continue;
    for (const Shape& s : std::vector<Shape>{{0}, {1}, {20}})
      arange_case.forms.push_back(
          {.what = s.str() + " of " + name(to),
           .inputs =
               [](DType t, Numbers&) {
                 const Real part = t == kF64 ? 0.5 : 0;
                 return std::vector<Host>{{{}, t, {1 + part}}, {{}, t, {2 + part}}, {{}, t, {99}}};
               },
           .apply = [s, to](const std::vector<Tensor>& t) { return record_op("arange", t, s, to); },
           .reference =
               [s, to](const std::vector<Host>& in) {
                 return host_made(s, to, [&](const auto& at) {
                   const bool last = at[0] == s[0] - 1;
                   return converted(last ? in[2][0] : in[0][0] + at[0] * in[1][0], kF64, to);
                 });
               }});
  }
  cases->push_back(std::move(arange_case));
}

// ---- Scans and orders -------------------------------------------------------------------------

// The elements of x along an axis, line by line: calls f(positions of the line).
template <class F>
void each_line(const Shape& shape, int axis, F&& f) {
  Shape first = shape;
  first[axis] = std::min<int64_t>(first[axis], 1);
  for_each_index(first, [&](std::vector<int64_t> at) {
    std::vector<int64_t> line;
    for (int64_t& i = at[static_cast<size_t>(axis)]; i < shape[axis]; ++i)
      line.push_back(position(shape, at));
    f(line);
  });
}

inline const std::vector<std::pair<Shape, int>>& lines() {
  static const std::vector<std::pair<Shape, int>> all{{{5}, 0},
                                                      {{1}, 0},
                                                      {{3, 4}, 0},
                                                      {{3, 4}, 1},
                                                      {{2, 3, 2}, 1},
                                                      {{2, 0, 3}, 2},
                                                      {{2, 1, 2, 1, 3, 1, 2, 2}, 4},
                                                      {kLarge, 0},
                                                      {kLarge, 1}};
  return all;
}

inline bool sorts_before(Real a, Real b) {  // NaN last
  return std::isnan(b) ? !std::isnan(a) : a < b;
}

inline void add_lines(std::vector<OpCase>* cases) {
  const auto start = [](const char* op, std::vector<DType> dtypes) {
    return OpCase{.op = op, .family = "scans and orders", .dtypes = std::move(dtypes), .forms = {}};
  };
  OpCase cumsum_case = start("cumsum", kAllDTypes),
         recurrence_case = start("recurrence", {kI64, kF32, kF64}),
         argsort_case = start("argsort", kAllDTypes), argmax_case = start("argmax", kAllDTypes),
         argmin_case = start("argmin", kAllDTypes);
  recurrence_case.extreme_values = false;
  for (OpCase* c : {&cumsum_case, &recurrence_case}) c->tolerance = tolerance_of_sums;

  for (const auto& [shape, axis] : lines()) {
    const std::string what = shape.str() + " along " + std::to_string(axis);
    cumsum_case.forms.push_back(
        {.what = what,
         .inputs = random_inputs({shape}, -4, 4),
         .apply = [axis = axis](const auto& t) { return cumsum(t[0], axis); },
         .reference =
             [axis = axis](const std::vector<Host>& in) {
               Host out = in[0];
               out.magnitude.resize(out.values.size());
               if (!is_float(out.dtype)) out.dtype = kI64;
               each_line(out.shape, axis, [&](const std::vector<int64_t>& line) {
                 Sum sum;
                 for (int64_t p : line) {
                   sum.add(in[0][p]);
                   out[p] = sum.value;
                   out.magnitude[p] = sum.magnitude;
                 }
               });
               return out;
             }});
    recurrence_case.forms.push_back(
        {.what = what,
         .inputs = random_inputs({shape, shape}, -1, 1),
         .apply =
             [axis = axis](const std::vector<Tensor>& t) {
               return record_op("recurrence", t, t[0].shape(), t[0].dtype(), AxisAttributes{axis});
             },
         .reference =
             [axis = axis](const std::vector<Host>& in) {
               Host out = in[0];
               out.magnitude.resize(out.values.size());
               each_line(out.shape, axis, [&](const std::vector<int64_t>& line) {
                 Real value = 0, magnitude = 0;
                 for (int64_t p : line) {
                   value = p == line[0] ? in[1][p] : in[0][p] * value + in[1][p];
                   magnitude = std::abs(in[0][p]) * magnitude + std::abs(in[1][p]);
                   out[p] = value;
                   out.magnitude[p] = magnitude;
                 }
               });
               return out;
             }});
    for (bool descending : {false, true})
      argsort_case.forms.push_back(
          {.what = what + (descending ? ", descending" : ""),
           .inputs = random_inputs({shape}, -4, 4),
           .apply = [axis = axis,
                     descending](const auto& t) { return argsort(t[0], axis, descending); },
           .reference =
               [axis = axis, descending](const std::vector<Host>& in) {
                 Host out = host_filled(in[0].shape, kI64);
                 each_line(out.shape, axis, [&](const std::vector<int64_t>& line) {
                   std::vector<int64_t> order(line.size());
                   std::iota(order.begin(), order.end(), 0);
                   std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
                     const Real x = in[0][line[a]], y = in[0][line[b]];
                     return descending ? sorts_before(y, x) : sorts_before(x, y);
                   });
                   for (size_t i = 0; i < line.size(); ++i) out[line[i]] = order[i];
                 });
                 return out;
               }});
    for (OpCase* c : {&argmax_case, &argmin_case}) {
      const bool largest = c == &argmax_case;
      if (shape[axis] == 0) continue;
      c->forms.push_back({.what = what,
                          .inputs = random_inputs({shape}, -4, 4),
                          .apply =
                              [axis = axis, largest](const auto& t) {
                                return largest ? argmax(t[0], axis) : argmin(t[0], axis, false);
                              },
                          .reference =
                              [axis = axis, largest](const std::vector<Host>& in) {
                                Shape shape = in[0].shape;
                                shape.erase(axis);
                                Host out{shape, kI64, {}};
                                each_line(in[0].shape, axis, [&](const auto& line) {
                                  size_t best = 0;
                                  for (size_t i = 1; i < line.size(); ++i) {
                                    const Real x = in[0][line[i]], y = in[0][line[best]];
                                    if (std::isnan(y)) break;
                                    if (std::isnan(x) || (largest ? x > y : x < y)) best = i;
                                  }
                                  out.values.push_back(best);
                                });
                                return out;
                              }});
    }
  }
  for (OpCase* c : {&cumsum_case, &recurrence_case, &argsort_case, &argmax_case, &argmin_case})
    cases->push_back(std::move(*c));
}

inline void add_kernels(std::vector<OpCase>* cases) {
  cases->push_back(matmul_case());
  cases->push_back(conv_case("conv2d", ConvPart::kY));
  cases->push_back(conv_case("conv2d_backward_data", ConvPart::kX));
  cases->push_back(conv_case("conv2d_backward_weight", ConvPart::kW));
  add_poolings(cases);
  add_indexing(cases);
  add_lines(cases);
}

}  // namespace glia::test
