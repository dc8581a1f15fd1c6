// Operations with kernels of their own: matrices, scans and orders; images and positions have files
// of their own.
#pragma once

#include <numeric>

#include "tests/support/image_cases.h"
#include "tests/support/index_cases.h"
#include "tests/support/window_cases.h"

namespace glia::test {

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
  add_windows(cases);
  add_indexing(cases);
  add_rows(cases);
  add_lines(cases);
}

}  // namespace glia::test
