// Reductions, movement and joining of arrays.
#pragma once

#include "core/op.h"
#include "glia/ops/arrange.h"
#include "ops/private.h"
#include "tests/support/op_case.h"

namespace glia::test {

inline const std::vector<DType> kAllDTypes(std::begin(kEveryDType), std::end(kEveryDType));
inline const std::vector<DType> kFloats{kF16, kBF16, kF32, kF64};

// ---- Reductions -------------------------------------------------------------------------------

// The elements of x that fall together when `axes` (all if empty) are reduced, result by result.
struct Reduced {
  Shape kept, squeezed;
  std::vector<std::vector<Real>> runs;

  Reduced(const Host& x, const Axes& axes) {
    std::vector<bool> gone(static_cast<size_t>(x.shape.rank()), axes.empty());
    for (int64_t a : axes) gone[static_cast<size_t>(a < 0 ? a + x.shape.rank() : a)] = true;
    for (int i = 0; i < x.shape.rank(); ++i) {
      kept.push_back(gone[i] ? 1 : x.shape[i]);
      if (!gone[i]) squeezed.push_back(x.shape[i]);
    }
    runs.resize(static_cast<size_t>(kept.numel()));
    int64_t i = 0;
    for_each_index(x.shape, [&](const auto& index) {
      runs[static_cast<size_t>(position(kept, index))].push_back(x[i++]);
    });
  }
};

inline std::string text_of(const Axes& axes) {
  std::string out = axes.empty() ? "all axes" : "axes";
  for (int64_t a : axes) out += " " + std::to_string(a);
  return out;
}

using Fold = Real (*)(const std::vector<Real>&);
inline Real fold_sum(const std::vector<Real>& x) {
  Real s = 0;
  for (Real v : x) s += v;
  return s;
}
inline Real fold_prod(const std::vector<Real>& x) {
  Real p = 1;
  for (Real v : x) p *= v;
  return p;
}
inline Real fold_max(const std::vector<Real>& x) {
  Real m = x[0];
  for (Real v : x) m = m != m || v != v ? NAN : std::max(m, v);
  return m;
}
inline Real fold_min(const std::vector<Real>& x) {
  Real m = x[0];
  for (Real v : x) m = m != m || v != v ? NAN : std::min(m, v);
  return m;
}
inline Real fold_magnitude(const std::vector<Real>& x) {
  Real s = 0;
  for (Real v : x) s += std::abs(v);
  return s;
}

inline Wide fold_wide(const std::vector<Real>& x, bool product) {
  Wide s = product ? 1 : 0;
  for (Real v : x) {
    const Wide w = static_cast<Wide>(v);
    s = wrapped(product ? s * w : s + w, kI64);
  }
  return s;
}

using Reduction = Tensor (*)(const Tensor&, const Axes&, bool, Where);

inline OpCase reduce_case(const std::string& op, Reduction apply, Fold fold, double low,
                          double high) {
  OpCase c{.op = op, .family = "reductions", .dtypes = kAllDTypes, .forms = {}};
  const bool sums = fold == fold_sum || fold == fold_prod;
  struct Call {
    Shape shape;
    Axes axes;
    bool keepdim = false;
  };
  std::vector<Call> calls{{{}, {}},
                          {{1}, {0}},
                          {{7}, {}, true},
                          {{3, 5}, {}},
                          {{3, 5}, {0}},
                          {{3, 5}, {-1}, true},
                          {{2, 3, 4}, {1}},
                          {{2, 3, 4}, {0, 2}},
                          {{2, 3, 4}, {2, 1}, true},
                          {{2, 0, 3}, {0, 2}},
                          {{2, 1, 2, 1, 3, 1, 2, 2}, {1, 4, 7}},
                          {kLarge, {}},
                          {kLarge, {0}},
                          {kLarge, {1}}};
  if (fold == fold_sum) {
    calls.push_back({{9, 9000}, {1}});     // rows longer than stay in a cache
    calls.push_back({{20, 5000}, {0}});    // wide columns
    calls.push_back({{7, 60, 200}, {1}});  // columns in parts
  }
  if (sums) {  // an empty run has a sum
    calls.push_back({{0}, {}});
    calls.push_back({{2, 0, 3}, {1}});
  }
  for (const Call& call : calls)
    c.forms.push_back(
        {.what = call.shape.str() + " over " + text_of(call.axes),
         .inputs =
             [call, low, high](DType t, Numbers& numbers) {
               const bool whole = !is_float(t);
               return std::vector<Host>{
                   random_host(call.shape, t, whole ? -9 : low, whole ? 9 : high, numbers)};
             },
         .apply =
             [apply, call](const std::vector<Tensor>& t) {
               return apply(t[0], call.axes, call.keepdim, Where::current());
             },
         .reference =
             [fold, sums, call](const std::vector<Host>& in) {
               const DType t = in[0].dtype;
               const Reduced r(in[0], call.axes);
               Host out{call.keepdim ? r.kept : r.squeezed, sums && !is_float(t) ? kI64 : t, {}};
               for (const auto& run : r.runs) {
                 if (sums && !is_float(t)) {
                   out.values.push_back(fold_wide(run, fold == fold_prod));
                   continue;
                 }
                 out.values.push_back(fold(run));
                 if (fold == fold_sum) out.magnitude.push_back(fold_magnitude(run));
                 if (fold == fold_prod) out.magnitude.push_back(std::abs(fold(run)) * run.size());
               }
               return out;
             }});
  c.extreme_values = fold != fold_prod;
  if (sums) c.tolerance = [](DType) { return Tolerance{.ulps = 0.51, .of_magnitude = 4}; };
  return c;
}

// ---- Movement ---------------------------------------------------------------------------------

inline OpCase movement_case(const std::string& op) {
  return {.op = op, .family = "movement", .dtypes = kAllDTypes, .forms = {}};
}

// x of `from` under another index: out[index] = x[source(index)].
inline Form moved(std::string what, const Shape& from, const Shape& to,
                  std::function<Tensor(const Tensor&)> apply,
                  std::function<std::vector<int64_t>(const std::vector<int64_t>&)> source) {
  return {.what = std::move(what),
          .inputs = random_inputs({from}, -9, 9),
          .apply = [apply](const std::vector<Tensor>& t) { return apply(t[0]); },
          .reference =
              [to, source](const std::vector<Host>& in) {
                return host_made(to, in[0].dtype,
                                 [&](const auto& index) { return at(in[0], source(index)); });
              }};
}

inline OpCase alias_case() {
  OpCase c = movement_case("alias");
  for (const Shape& s : std::vector<Shape>{{}, {1}, {3, 4}, {0, 2}, {2, 1, 2, 1, 2, 1, 2, 3}})
    c.forms.push_back(moved(
        s.str(), s, s,
        [](const Tensor& x) { return record(kAliasOp, {x.node()}, x.shape(), x.dtype(), {}, {}); },
        [](const auto& index) { return index; }));
  return c;
}

inline OpCase reshape_case() {
  OpCase c = movement_case("reshape");
  const std::vector<std::vector<Shape>> shapes{{{}, {1, 1}},
                                               {{1}, {}},
                                               {{12}, {3, 4}},
                                               {{2, 3, 4}, {4, 6}},
                                               {{4, 6}, {-1, 3, 2}},
                                               {{2, 0, 3}, {3, 0}},
                                               {{0, 5}, {0}},
                                               {{1, 6, 1}, {2, 1, 3}},
                                               {{2, 1, 2, 3, 2}, {2, 1, 2, 1, 1, 3, 1, 2}},
                                               {kLarge, {257, 300}}};
  for (const auto& s : shapes)
    c.forms.push_back({.what = s[0].str() + " to " + s[1].str(),
                       .inputs = random_inputs({s[0]}, -9, 9),
                       .apply = [to = s[1]](const auto& t) { return reshape(t[0], to); },
                       .reference =
                           [to = s[1]](const std::vector<Host>& in) {
                             Host out = in[0];
                             out.shape = to;
                             int64_t known = 1;
                             for (int64_t size : to) known *= size < 0 ? 1 : size;
                             for (int64_t& size : out.shape)
                               if (size < 0) size = in[0].size() / known;
                             return out;
                           }});
  return c;
}

inline OpCase permute_case() {
  OpCase c = movement_case("permute");
  const std::vector<std::pair<Shape, Axes>> calls{
      {{}, {}},
      {{5}, {0}},
      {{3, 4}, {1, 0}},
      {{2, 3, 4}, {2, 0, 1}},
      {{2, 3, 4}, {0, -1, 1}},
      {{2, 0, 3}, {1, 2, 0}},
      {kLarge, {1, 0}},
      {{2, 1, 2, 1, 3, 1, 2, 2}, {7, 3, 0, 4, 1, 6, 2, 5}}};
  for (const auto& [from, axes] : calls) {
    Shape to;
    std::vector<size_t> front;
    for (int64_t a : axes) {
      front.push_back(static_cast<size_t>(a < 0 ? a + from.rank() : a));
      to.push_back(from[static_cast<int>(front.back())]);
    }
    c.forms.push_back(moved(
        from.str() + " by " + text_of(axes), from, to,
        [axes = axes](const Tensor& x) { return permute(x, axes); },
        [front](const std::vector<int64_t>& index) {
          std::vector<int64_t> source(index.size());
          for (size_t i = 0; i < index.size(); ++i) source[front[i]] = index[i];
          return source;
        }));
  }
  return c;
}

inline OpCase expand_case() {
  OpCase c = movement_case("expand");
  const std::vector<std::pair<Shape, Shape>> calls{
      {{}, {3}},        {{}, {2, 3}},     {{1}, {4}},    {{3, 1}, {3, 4}},
      {{4}, {2, 3, 4}}, {{1, 1}, {2, 0}}, {{0}, {2, 0}}, {{3, 1}, {2, 1, 2, 1, 1, 2, 3, 2}},
      {{257}, kLarge}};
  for (const auto& [from, to] : calls)
    c.forms.push_back(moved(
        from.str() + " to " + to.str(), from, to,
        [to = to](const Tensor& x) { return expand(x, to); },
        [](const auto& index) { return index; }));
  return c;
}

// Python's slices, resolved apart from the library's.
inline std::vector<int64_t> sliced_positions(int64_t size, Slice s) {
  const auto from_end = [&](int64_t i) { return i < 0 ? i + size : i; };
  std::vector<int64_t> out;
  if (s.step > 0) {
    const int64_t start = s.start == Slice::kNone ? 0 : std::max<int64_t>(0, from_end(s.start));
    const int64_t stop = s.stop == Slice::kNone ? size : std::min(size, from_end(s.stop));
    for (int64_t i = start; i < stop; i += s.step) out.push_back(i);
  } else {
    const int64_t start =
        s.start == Slice::kNone ? size - 1 : std::min(size - 1, from_end(s.start));
    const int64_t stop = s.stop == Slice::kNone ? -1 : std::max<int64_t>(-1, from_end(s.stop));
    for (int64_t i = start; i > stop; i += s.step) out.push_back(i);
  }
  return out;
}

inline OpCase slice_case() {
  OpCase c = movement_case("slice");
  constexpr int64_t kNone = Slice::kNone;
  struct Call {
    Shape from;
    int axis;
    Slice range;
  };
  const std::vector<Call> calls{{{7}, 0, {2, 5}},
                                {{7}, 0, {-3, kNone}},
                                {{7}, 0, {1, kNone, 2}},
                                {{7}, 0, {kNone, kNone, 3}},
                                {{7}, 0, {kNone, kNone, -1}},
                                {{7}, 0, {5, 1, -2}},
                                {{7}, 0, {-2, -6, -1}},
                                {{7}, 0, {99, kNone, -3}},
                                {{7}, 0, {5, 2}},
                                {{7}, 0, {-99, 99}},
                                {{7}, 0, {2, 5, -1}},
                                {{7}, 0, {99, 120}},
                                {{1}, 0, {0, 1, 5}},
                                {{0}, 0, {0, 3}},
                                {{3, 4}, 1, {1, 3}},
                                {{3, 4}, -2, {kNone, kNone, 2}},
                                {{2, 0, 3}, 2, {1, kNone}},
                                {{2, 1, 2, 1, 3, 1, 2, 2}, 4, {kNone, 0, -1}},
                                {kLarge, 0, {1, kNone, 2}},
                                {kLarge, 1, {3, 250}}};
  for (const Call& call : calls) {
    const size_t axis =
        static_cast<size_t>(call.axis < 0 ? call.axis + call.from.rank() : call.axis);
    const auto positions = sliced_positions(call.from[static_cast<int>(axis)], call.range);
    Shape to = call.from;
    to[static_cast<int>(axis)] = static_cast<int64_t>(positions.size());
    const auto text = [](int64_t i) { return i == kNone ? "" : std::to_string(i); };
    c.forms.push_back(moved(
        call.from.str() + " axis " + std::to_string(axis) + " [" + text(call.range.start) + ":" +
            text(call.range.stop) + ":" + std::to_string(call.range.step) + "]",
        call.from, to, [call](const Tensor& x) { return slice(x, call.axis, call.range); },
        [axis, positions](std::vector<int64_t> index) {
          index[axis] = positions[static_cast<size_t>(index[axis])];
          return index;
        }));
  }
  return c;
}

// One position along an axis, which goes.
inline OpCase select_case() {
  OpCase c = movement_case("select");
  struct Call {
    Shape from;
    int axis;
    int64_t position;
  };
  const std::vector<Call> calls{
      {{7}, 0, 2},     {{1}, 0, -1},      {{3, 4}, 0, 1},
      {{3, 4}, 1, -4}, {{2, 0, 3}, 2, 1}, {{2, 3, 4}, 1, -1},
      {kLarge, 0, 7},  {kLarge, 1, 256},  {{2, 1, 2, 1, 3, 1, 2, 2}, 4, 2}};
  for (const Call& call : calls) {
    Shape to = call.from;
    to.erase(call.axis);
    const int64_t size = call.from[call.axis];
    c.forms.push_back(moved(
        call.from.str() + " axis " + std::to_string(call.axis) + " at " +
            std::to_string(call.position),
        call.from, to,
        [call](const Tensor& x) {
          std::vector<Index> at(static_cast<size_t>(call.axis), Slice{});
          at.push_back(call.position);
          return index(x, at);
        },
        [call, size](std::vector<int64_t> at) {
          at.insert(at.begin() + call.axis, (call.position + size) % size);
          return at;
        }));
  }
  return c;
}

inline OpCase flip_case() {
  OpCase c = movement_case("flip");
  const std::vector<std::pair<Shape, Axes>> calls{
      {{5}, {0}},       {{3, 4}, {0}},    {{3, 4}, {-1}}, {{2, 3, 4}, {0, 2}},
      {{1, 3}, {0, 1}}, {{2, 0, 3}, {0}}, {kLarge, {1}},  {{2, 1, 2, 1, 3, 1, 2, 2}, {0, 4, 5, 7}}};
  for (const auto& [from, axes] : calls)
    c.forms.push_back(moved(
        from.str() + " " + text_of(axes), from, from,
        [axes = axes](const Tensor& x) { return flip(x, axes); },
        [axes = axes, from = from](std::vector<int64_t> index) {
          for (int64_t a : axes) {
            const size_t i = static_cast<size_t>(a < 0 ? a + from.rank() : a);
            index[i] = from[static_cast<int>(i)] - 1 - index[i];
          }
          return index;
        }));
  return c;
}

// Windows of unfold() along an axis, as a new last one.
inline OpCase windows_case() {
  OpCase c = movement_case("windows");
  struct Call {
    Shape from;
    int axis;
    int64_t size, step;
  };
  const std::vector<Call> calls{{{7}, 0, 3, 1},       {{7}, 0, 3, 2},    {{7}, 0, 7, 1},
                                {{7}, 0, 2, 9},       {{3, 4}, 0, 2, 1}, {{3, 4}, -1, 3, 1},
                                {{2, 0, 3}, 2, 2, 1}, {{3}, 0, 0, 2},    {{2, 5, 3}, 1, 2, 3},
                                {{40, 257}, 1, 16, 5}};
  for (const Call& call : calls) {
    const auto axis = static_cast<size_t>(call.axis < 0 ? call.axis + call.from.rank() : call.axis);
    Shape to = call.from;
    int64_t& along = to[static_cast<int>(axis)];
    along = (along - call.size) / call.step + 1;
    to.push_back(call.size);
    c.forms.push_back(moved(
        call.from.str() + " axis " + std::to_string(axis) + " windows of " +
            std::to_string(call.size) + " every " + std::to_string(call.step),
        call.from, to,
        [call](const Tensor& x) { return unfold(x, call.axis, call.size, call.step); },
        [call, axis](std::vector<int64_t> at) {
          at[axis] = at[axis] * call.step + at.back();
          at.pop_back();
          return at;
        }));
  }
  return c;
}

// ---- Joining ----------------------------------------------------------------------------------

inline OpCase concat_case() {
  OpCase c = movement_case("concat");
  const std::vector<std::pair<std::vector<Shape>, int>> calls{
      {{{3}, {4}}, 0},
      {{{2, 3}, {2, 1}, {2, 4}}, 1},
      {{{1, 3}, {2, 3}}, -2},
      {{{2, 0}, {2, 3}}, 1},
      {{{0, 2}, {0, 2}}, 0},
      {{{2, 2, 2}, {2, 3, 2}}, 1},
      {{{1}, {1}, {1}, {1}, {1}, {1}}, 0},
      {{kLarge, kLarge}, 1},
      {{{2, 1, 2, 1, 2, 1, 2, 1}, {2, 1, 2, 2, 2, 1, 2, 1}}, 3}};
  for (const auto& [shapes, axis] : calls)
    c.forms.push_back({.what = text_of(shapes) + " along " + std::to_string(axis),
                       .inputs = random_inputs(shapes, -9, 9),
                       .apply = [axis = axis](const auto& t) { return concat(t, axis); },
                       .reference =
                           [axis = axis](const std::vector<Host>& in) {
                             Shape to = in[0].shape;
                             const int i = axis < 0 ? axis + to.rank() : axis;
                             for (size_t k = 1; k < in.size(); ++k) to[i] += in[k].shape[i];
                             return host_made(to, in[0].dtype, [&](std::vector<int64_t> index) {
                               size_t k = 0;
                               for (int64_t& p = index[static_cast<size_t>(i)]; p >= in[k].shape[i];
                                    ++k)
                                 p -= in[k].shape[i];
                               return at(in[k], index);
                             });
                           }});
  return c;
}

// pad(), and the gradient of slice().
inline OpCase write_box_case() {
  OpCase c = movement_case("write_box");
  struct Call {
    Shape base, part;
    std::vector<int64_t> starts, steps;
  };
  const std::vector<Call> calls{{{6}, {3}, {1}, {2}},
                                {{4, 5}, {2, 3}, {1, 1}, {1, 1}},
                                {{4, 5}, {2, 2}, {0, 1}, {3, 2}},
                                {{2, 3, 4}, {1, 3, 2}, {1, 0, 0}, {1, 1, 3}},
                                {{3, 2}, {0, 2}, {0, 0}, {1, 1}},
                                {{}, {}, {}, {}},
                                {{2, 1, 2, 1, 3, 1, 2, 2},
                                 {1, 1, 2, 1, 2, 1, 2, 1},
                                 {1, 0, 0, 0, 0, 0, 0, 1},
                                 {1, 1, 1, 1, 2, 1, 1, 1}},
                                {kLarge, {150, 100}, {0, 5}, {2, 2}}};
  for (const Call& call : calls)
    c.forms.push_back({.what = call.part.str() + " into " + call.base.str(),
                       .inputs = random_inputs({call.base, call.part}, -9, 9),
                       .apply =
                           [call](const auto& t) {
                             return write_box(t[0], t[1], call.starts, call.steps,
                                              Where::current());
                           },
                       .reference =
                           [call](const std::vector<Host>& in) {
                             Host out = in[0];
                             int64_t i = 0;
                             for_each_index(in[1].shape, [&](std::vector<int64_t> index) {
                               for (size_t k = 0; k < index.size(); ++k)
                                 index[k] = call.starts[k] + index[k] * call.steps[k];
                               out[position(out.shape, index)] = in[1][i++];
                             });
                             return out;
                           }});
  return c;
}

inline OpCase write_slice_case() {
  OpCase c = movement_case("write_slice");
  struct Call {
    Shape base, part;
    int axis;
    int64_t start;
  };
  const std::vector<Call> calls{{{6}, {3}, 0, 1},
                                {{6}, {6}, 0, 0},
                                {{4, 5}, {4, 2}, 1, 3},
                                {{4, 5}, {1, 5}, -2, 2},
                                {{2, 3, 4}, {2, 1, 4}, 1, 2},
                                {{3, 2}, {0, 2}, 0, 3},
                                {{3, 0}, {2, 0}, 0, 1},
                                {kLarge, {300, 100}, 1, 150},
                                {{2, 1, 2, 1, 3, 1, 2, 2}, {2, 1, 2, 1, 2, 1, 2, 2}, 4, 1}};
  for (const Call& call : calls)
    c.forms.push_back(
        {.what = call.part.str() + " into " + call.base.str() + " axis " +
                 std::to_string(call.axis) + " at " + std::to_string(call.start),
         .inputs = random_inputs({call.base, call.part}, -9, 9),
         .apply =
             [call](const auto& t) { return slice_scatter(t[0], t[1], call.axis, call.start); },
         .reference =
             [call](const std::vector<Host>& in) {
               Host out = in[0];
               const int axis = call.axis < 0 ? call.axis + call.base.rank() : call.axis;
               int64_t i = 0;
               for_each_index(in[1].shape, [&](std::vector<int64_t> index) {
                 index[static_cast<size_t>(axis)] += call.start;
                 out[position(out.shape, index)] = in[1][i++];
               });
               return out;
             }});
  return c;
}

inline void add_arrays(std::vector<OpCase>* cases) {
  cases->push_back(reduce_case("sum", sum, fold_sum, -4, 4));
  cases->push_back(reduce_case("prod", prod, fold_prod, 0.8, 1.25));
  cases->push_back(reduce_case("max", max, fold_max, -4, 4));
  cases->push_back(reduce_case("min", min, fold_min, -4, 4));
  for (auto* make : {alias_case, reshape_case, permute_case, expand_case, slice_case, select_case,
                     flip_case, windows_case, concat_case, write_box_case, write_slice_case})
    cases->push_back(make());
}

}  // namespace glia::test
