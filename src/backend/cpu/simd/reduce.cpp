// Reductions over rows and over columns. A row is summed in a fixed number of running sums that
// are then added pairwise: the order is the same for every instruction set. Sums and products of
// f32 run in f64.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/simd/reduce.cpp"
#include "backend/cpu/simd/targets.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "backend/cpu/simd/functions.h"
#include "backend/cpu/simd/lane-inl.h"

HWY_BEFORE_NAMESPACE();
namespace glia::cpu::HWY_NAMESPACE {

template <ReduceCode code, class V>
HWY_INLINE V reduce(V a, V b) {
  if constexpr (code == ReduceCode::kSum) return a + b;
  if constexpr (code == ReduceCode::kProd) return a * b;
  if constexpr (code == ReduceCode::kMax) return max(a, b);
  if constexpr (code == ReduceCode::kMin) return min(a, b);
}

template <class T>
T identity(ReduceCode code) {
  using Limits = std::numeric_limits<T>;
  switch (code) {
    case ReduceCode::kSum:
      return T(0);
    case ReduceCode::kProd:
      return T(1);
    case ReduceCode::kMax:
      return Limits::has_infinity ? -Limits::infinity() : Limits::lowest();
    case ReduceCode::kMin:
      break;
  }
  return Limits::has_infinity ? Limits::infinity() : Limits::max();
}

// What elements are reduced in: accumulated().
template <ReduceCode code, class T>
using Accumulated = std::conditional_t<
    std::is_same_v<T, float> && (code == ReduceCode::kSum || code == ReduceCode::kProd), double, T>;

template <ReduceCode code, class T>
T fold(Scalar<T> v) {
  return v.v;
}
#if HWY_TARGET != HWY_SCALAR
template <ReduceCode code, class T, class D>
HWY_INLINE T fold(Lane<T, D> v) {
  if constexpr (Lane<T, D>::kLanes == 1) {
    return hn::GetLane(v.v);
  } else {
    using Half = hn::Half<D>;
    const auto low = Lane<T, Half>::of(hn::LowerHalf(Half(), v.v));
    return fold<code>(reduce<code>(low, Lane<T, Half>::of(hn::UpperHalf(Half(), v.v))));
  }
}
#endif

// Elements of x as those of V, of which f32 may be widened: all, or the first few, then `rest`.
template <class V, class T>
HWY_INLINE V load_as(const T* x) {
  if constexpr (std::is_same_v<T, typename V::Memory>) {
    return V::load(x);
  } else if constexpr (V::kLanes == 1) {
    return V::of(static_cast<typename V::Element>(*x));
  } else {
    using D = hn::ScalableTag<double>;
    return V::of(hn::PromoteTo(D(), hn::LoadU(hn::Rebind<float, D>(), x)));
  }
}
template <class V, class T>
HWY_INLINE V load_first_as(int64_t n, const T* x, typename V::Element rest) {
  if constexpr (std::is_same_v<T, typename V::Memory>) {
    return V::load_first(n, x, V(rest));
  } else {
    T few[V::kLanes];
    for (int64_t i = 0; i < V::kLanes; ++i) few[i] = i < n ? x[i] : static_cast<T>(rest);
    return load_as<V>(few);
  }
}

// Of floats: element i goes to running reduction i % kWidth, and these are reduced pairwise.
template <ReduceCode code, class T, int64_t kWidth>
HWY_INLINE auto reduce_row(const T* x, int64_t n) {
  using A = Accumulated<code, T>;
  using V = Lane<A>;
  constexpr int64_t kLanes = V::kLanes, kCount = kWidth / kLanes;
  const A none = identity<A>(code);
  V sums[kCount];
#pragma GCC unroll 8
  for (int64_t k = 0; k < kCount; ++k) sums[k] = V(none);
  for (; n >= kWidth; n -= kWidth, x += kWidth) {
#pragma GCC unroll 8
    for (int64_t k = 0; k < kCount; ++k) {
      sums[k] = reduce<code>(sums[k], load_as<V>(x + k * kLanes));
    }
  }
#pragma GCC unroll 8
  for (int64_t k = 0; k < kCount; ++k) {
    const int64_t left = n - k * kLanes;
    if (left >= kLanes) sums[k] = reduce<code>(sums[k], load_as<V>(x + k * kLanes));
    if constexpr (kLanes > 1) {
      if (left > 0 && left < kLanes) {
        sums[k] = reduce<code>(sums[k], load_first_as<V>(left, x + k * kLanes, none));
      }
    }
  }
#pragma GCC unroll 8
  for (int64_t half = kCount / 2; half > 0; half /= 2) {
#pragma GCC unroll 8
    for (int64_t k = 0; k < half; ++k) sums[k] = reduce<code>(sums[k], sums[k + half]);
  }
  return fold<code>(sums[0]);
}

// One element after the other; for integers, whose order is all the same, the compiler vectorises.
template <ReduceCode code, class T>
HWY_INLINE auto reduce_in_order(const Stored<T>* x, int64_t n) {
  using V = Scalar<Accumulated<code, T>>;
  constexpr int64_t kBlock = 64;
  auto sum = V::of(identity<Accumulated<code, T>>(code));
  for (; n >= kBlock; n -= kBlock, x += kBlock) {
    for (int64_t i = 0; i < kBlock; ++i) sum = reduce<code>(sum, load_as<V>(x + i));
  }
  for (int64_t i = 0; i < n; ++i) sum = reduce<code>(sum, load_as<V>(x + i));
  return sum.v;
}

// The extreme one of n integers.
template <ReduceCode code, class T>
HWY_INLINE Stored<T> extreme_of(const Stored<T>* x, int64_t n) {
  const hn::ScalableTag<Stored<T>> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  Stored<T> out = identity<T>(code);
  const auto better = [](auto a, auto b) HWY_ATTR {
    if constexpr (code == ReduceCode::kMax) return hn::Max(a, b);
    return hn::Min(a, b);
  };
  if (n >= 2 * lanes) {  // two at a time, the last two over others if need be
    auto a = hn::LoadU(d, x), b = hn::LoadU(d, x + lanes);
    for (int64_t i = 2 * lanes; i < n; i += 2 * lanes) {
      const int64_t at = std::min(i, n - 2 * lanes);
      a = better(a, hn::LoadU(d, x + at));
      b = better(b, hn::LoadU(d, x + at + lanes));
    }
    HWY_ALIGN Stored<T> all[HWY_MAX_BYTES / sizeof(T)];
    hn::Store(better(a, b), d, all);
    for (int64_t i = 0; i < lanes; ++i)
      out = code == ReduceCode::kMax ? std::max(out, all[i]) : std::min(out, all[i]);
    return out;
  }
  for (int64_t i = 0; i < n; ++i)
    out = code == ReduceCode::kMax ? std::max(out, x[i]) : std::min(out, x[i]);
  return out;
}

// y[c] = the extreme one of it and of kRows rows of x, of integers.
template <ReduceCode code, int64_t kRows, class T>
HWY_INLINE void extreme_rows(T* y, const T* x, int64_t cols) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t c = 0;
  for (; c + lanes <= cols; c += lanes) {
    auto best = hn::LoadU(d, y + c);
#pragma GCC unroll 8
    for (int64_t r = 0; r < kRows; ++r) {
      const auto other = hn::LoadU(d, x + r * cols + c);
      if constexpr (code == ReduceCode::kMax)
        best = hn::Max(best, other);
      else
        best = hn::Min(best, other);
    }
    hn::StoreU(best, d, y + c);
  }
  for (; c < cols; ++c) {
    for (int64_t r = 0; r < kRows; ++r) {
      const T other = x[r * cols + c];
      y[c] = code == ReduceCode::kMax ? std::max(y[c], other) : std::min(y[c], other);
    }
  }
}

template <ReduceCode code, class T>
constexpr bool kIntegerExtreme =
    (code == ReduceCode::kMax || code == ReduceCode::kMin) && std::is_integral_v<T>;

// y[r] = reduce_row(row r).
template <class A, class T, class F>
HWY_INLINE void for_each_row(A* y, const T* x, int64_t rows, int64_t cols, F reduce_row) {
  for (int64_t r = 0; r < rows; ++r) y[r] = reduce_row(x + r * cols, cols);
}

template <ReduceCode code, class T>
__attribute__((flatten)) void reduce_rows(void* out, const void* x, int64_t rows, int64_t cols) {
  auto* y = static_cast<Stored<Accumulated<code, T>>*>(out);
  const auto* p = static_cast<const Stored<T>*>(x);
  if constexpr (std::is_floating_point_v<T>) {
    constexpr int64_t kShort = 4, kNarrow = 16, kWide = 256 / sizeof(Accumulated<code, T>);
    if (cols >= kWide) return for_each_row(y, p, rows, cols, reduce_row<code, T, kWide>);
    if (cols >= kShort) return for_each_row(y, p, rows, cols, reduce_row<code, T, kNarrow>);
  }
  if constexpr (kIntegerExtreme<code, T>)
    for_each_row(y, p, rows, cols, extreme_of<code, T>);
  else
    for_each_row(y, p, rows, cols, reduce_in_order<code, T>);
}

// The reduction of rows [0, kRows), each read by `row`, pairwise.
template <ReduceCode code, int64_t kRows, class F>
HWY_INLINE auto reduce_pairwise(F row, int64_t first = 0) {
  if constexpr (kRows == 1) {
    return row(first);
  } else {
    const auto low = reduce_pairwise<code, kRows / 2>(row, first);
    return reduce<code>(low, reduce_pairwise<code, kRows / 2>(row, first + kRows / 2));
  }
}

template <ReduceCode code, class T, int64_t kRows>
HWY_INLINE void add_rows(Stored<Accumulated<code, T>>* acc, const Stored<T>* x, int64_t cols) {
  using A = Accumulated<code, T>;
  using V = std::conditional_t<std::is_floating_point_v<T>, Lane<A>, Scalar<A>>;
  if constexpr (V::kLanes == 1) {
    for_each(cols, [=](int64_t c) HWY_ATTR {
      const auto row = [=](int64_t r) HWY_ATTR { return load_as<V>(x + r * cols + c); };
      reduce<code>(V::load(acc + c), reduce_pairwise<code, kRows>(row)).store(acc + c);
    });
  } else {
    int64_t c = 0;
    for (; c + V::kLanes <= cols; c += V::kLanes) {
      const auto row = [=](int64_t r) HWY_ATTR { return load_as<V>(x + r * cols + c); };
      reduce<code>(V::load(acc + c), reduce_pairwise<code, kRows>(row)).store(acc + c);
    }
    const int64_t left = cols - c;
    if (left == 0) return;
    const auto row = [=](int64_t r)
                         HWY_ATTR { return load_first_as<V>(left, x + r * cols + c, A(0)); };
    const V sum =
        reduce<code>(V::load_first(left, acc + c, V(0)), reduce_pairwise<code, kRows>(row));
    sum.store_first(left, acc + c);
  }
}

template <ReduceCode code, class T>
__attribute__((flatten)) void reduce_columns(void* acc, const void* x, int64_t rows, int64_t cols) {
  constexpr int64_t kRows = 8;  // for one load and store of acc
  auto* y = static_cast<Stored<Accumulated<code, T>>*>(acc);
  const auto* p = static_cast<const Stored<T>*>(x);
  const auto add = [&]<int64_t kCount>(std::integral_constant<int64_t, kCount>, int64_t r)
                       HWY_ATTR {
                         if constexpr (kIntegerExtreme<code, T>)
                           extreme_rows<code, kCount>(y, p + r * cols, cols);
                         else
                           add_rows<code, T, kCount>(y, p + r * cols, cols);
                       };
  int64_t r = 0;
  for (; r + kRows <= rows; r += kRows) add(std::integral_constant<int64_t, kRows>(), r);
  for (; r < rows; ++r) add(std::integral_constant<int64_t, 1>(), r);
}

struct Reduction {
  RowFunction rows = nullptr;
  ColumnFunction columns = nullptr;
};

template <ReduceCode code, class T>
Reduction reduction_of() {
  constexpr bool kExtreme = code == ReduceCode::kMax || code == ReduceCode::kMin;
  constexpr bool kSummed = std::is_floating_point_v<T> || std::is_same_v<T, int64_t>;
  if constexpr (std::is_arithmetic_v<T> && (kExtreme || kSummed)) {
    return {reduce_rows<code, T>, reduce_columns<code, T>};
  } else {
    return {};
  }
}

Reduction reduction(ReduceCode code, DType dtype) {
  return with_dtype(dtype, [code](auto zero) {
    using T = decltype(zero);
    switch (code) {
      case ReduceCode::kSum:
        return reduction_of<ReduceCode::kSum, T>();
      case ReduceCode::kProd:
        return reduction_of<ReduceCode::kProd, T>();
      case ReduceCode::kMax:
        return reduction_of<ReduceCode::kMax, T>();
      case ReduceCode::kMin:
        break;
    }
    return reduction_of<ReduceCode::kMin, T>();
  });
}

RowFunction row_kernel(ReduceCode code, DType dtype) { return reduction(code, dtype).rows; }
ColumnFunction column_kernel(ReduceCode code, DType dtype) {
  return reduction(code, dtype).columns;
}

}  // namespace glia::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace glia::cpu {

GLIA_EXPORT(row_kernel);
GLIA_EXPORT(column_kernel);

RowFunction row_function(ReduceCode code, DType dtype) {
  return GLIA_DISPATCH(row_kernel)(code, dtype);
}

ColumnFunction column_function(ReduceCode code, DType dtype) {
  return GLIA_DISPATCH(column_kernel)(code, dtype);
}

DType accumulated(ReduceCode code, DType dtype) {
  const bool extreme = code == ReduceCode::kMax || code == ReduceCode::kMin;
  return dtype == kF32 && !extreme ? kF64 : dtype;
}

// n numbers of the accumulated dtype as those of `dtype`.
static void round_to(void* out, ReduceCode code, DType dtype, const void* from, int64_t n) {
  const DType wide = accumulated(code, dtype);
  if (wide == dtype)
    std::memcpy(out, from, n * size_of(dtype));
  else
    cast_function(wide, dtype)(out, from, nullptr, nullptr, n);
}

void reduce_groups(ReduceCode code, DType dtype, void* out, void* groups, int64_t count,
                   int64_t cols, int64_t stride) {
  if (count == 0) return fill_identity(code, dtype, out, cols);
  const DType wide = accumulated(code, dtype);
  const ColumnFunction fold = column_function(code, wide);
  const auto row = stride * static_cast<int64_t>(size_of(wide));
  char* const all = static_cast<char*>(groups);
  while (count > 1) {
    const int64_t half = (count + 1) / 2;
    fold(all, all + half * row, 1, (count - half) * stride);
    count = half;
  }
  round_to(out, code, dtype, all, cols);
}

void reduce_parts(ReduceCode code, DType dtype, void* out, void* parts, int64_t rows,
                  int64_t count) {
  if (count == 0) return fill_identity(code, dtype, out, rows);
  // A row's result lies before what the next row reads.
  if (count > 1) row_function(code, accumulated(code, dtype))(parts, parts, rows, count);
  round_to(out, code, dtype, parts, rows);
}

void fill_identity(ReduceCode code, DType dtype, void* out, int64_t n) {
  with_dtype(dtype, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (std::is_arithmetic_v<T>) {
      const T value = HWY_STATIC_DISPATCH(identity<T>)(code);
      fill_tile(out, &value, n, sizeof(T));
    }
  });
}

}  // namespace glia::cpu
#endif
