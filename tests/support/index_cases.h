// Operations that take and put values at positions.
#pragma once

#include <algorithm>

#include "tests/support/record_op.h"

namespace glia::test {

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
    check_classes.forms.push_back({.what = s.str(),
                                   .inputs = random_inputs({s}, 0, 6),
                                   .apply =
                                       [](const std::vector<Tensor>& t) {
                                         return record_op("check_classes",
                                                          {t[0], host_scalar_i64(3)}, t[0].shape(),
                                                          kI32, ClassesAttributes{7});
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

// ---- Rows in one array, one after another -----------------------------------------------------

// As private operations declare theirs.
struct BagStartsAttributes {
  int64_t count;
  GLIA_ATTRIBUTES(count)
};

// Rising from 0 to at most `count`; `ends`: to exactly that.
inline Host random_starts(int64_t size, int64_t count, bool ends, DType dtype, Numbers& numbers) {
  Host out = host_filled({size}, dtype);
  for (int64_t i = 1; i < size; ++i) out[i] = numbers.integer(0, count);
  std::sort(out.values.begin(), out.values.end());
  if (ends && size > 1) out[size - 1] = count;
  return out;
}

inline void add_rows(std::vector<OpCase>* cases) {
  struct Rows {
    int64_t rows, count;
  };
  const std::vector<Rows> sizes{{1, 5}, {4, 9}, {3, 0}, {0, 0}, {7, 3}, {300, 2000}};
  OpCase starts{.op = "bag_starts", .family = "positions", .dtypes = {kI64, kI32}, .forms = {}};
  OpCase rows{.op = "row_numbers", .family = "positions", .dtypes = {kI32}, .forms = {}};
  // Other layouts repeat numbers that must rise.
  starts.any_layout = rows.any_layout = false;
  for (const auto& [n, count] : sizes) {
    for (const bool given : {false, true}) {  // the last offset, which is the number of indices
      if (n == 0 && !given) continue;
      starts.forms.push_back(
          {.what = std::to_string(n) + " of " + std::to_string(count) + (given ? ", all" : ""),
           .inputs =
               [=, n = n, count = count](DType t, Numbers& numbers) {
                 return std::vector<Host>{random_starts(n + given, count, given, t, numbers)};
               },
           .apply =
               [n = n, count = count](const auto& t) {
                 return record_op("bag_starts", t, {n + 1}, kI32, BagStartsAttributes{count});
               },
           .reference =
               [n = n, count = count](const std::vector<Host>& in) {
                 Host out = host_filled({n + 1}, kI32, static_cast<Real>(count));
                 std::copy(in[0].values.begin(), in[0].values.end(), out.values.begin());
                 return out;
               }});
    }
    // What lies behind the last row is of row 0.
    for (const int64_t behind : {0, 2})
      rows.forms.push_back(
          {.what = std::to_string(n) + " of " + std::to_string(count) + " and " +
                   std::to_string(behind),
           .inputs =
               [n = n, count = count](DType t, Numbers& numbers) {
                 return std::vector<Host>{random_starts(n + 1, count, true, t, numbers)};
               },
           .apply = [total = count + behind](
                        const auto& t) { return record_op("row_numbers", t, {total}, kI32); },
           .reference =
               [total = count + behind](const std::vector<Host>& in) {
                 Host out = host_filled({total}, kI32);
                 for (int64_t r = 0; r + 1 < in[0].size(); ++r)
                   for (auto i = static_cast<int64_t>(in[0][r]); i < in[0][r + 1]; ++i)
                     out[i] = static_cast<Real>(r);
                 return out;
               }});
  }
  cases->push_back(std::move(starts));
  cases->push_back(std::move(rows));
}

}  // namespace glia::test
