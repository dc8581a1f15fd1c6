// Orders and extreme positions along an axis. NaN counts as larger than every number; argmax and
// argmin give the first one.
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

#include "core/node.h"
#include "ops/private.h"

namespace glia {
namespace {

// An unsigned integer for each value such that both are ordered alike; both zeros are equal.
template <class T>
auto order_key(T x) {
  if constexpr (std::is_same_v<T, float16> || std::is_same_v<T, bfloat16>) {
    return order_key(static_cast<float>(x));
  } else if constexpr (std::is_floating_point_v<T>) {
    using U = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
    if (std::isnan(x)) return static_cast<U>(-1);
    x += T(0);  // -0 becomes 0
    const U bits = std::bit_cast<U>(x), sign = U(1) << (sizeof(T) * 8 - 1);
    return static_cast<U>(bits & sign ? ~bits : bits | sign);
  } else {
    return static_cast<uint64_t>(x) ^ (std::is_signed_v<T> ? uint64_t{1} << 63 : 0);
  }
}

// How many values are compared with the best or worst so far at once.
constexpr int64_t kGroup = 32;

template <class U>
struct Item {
  U key;
  int64_t index;
  bool operator<(const Item& other) const {
    return key < other.key || (key == other.key && index < other.index);
  }
};

// Sorts [items, items + size) by the key, a digit of so many bits after the other from the lowest;
// equal keys keep their order. The result is there or, if it says so, in `other`, of equal size.
template <int kBits, class U>
bool radix_sort(Item<U>* items, Item<U>* other, size_t size) {
  constexpr int kDigits = (sizeof(U) * 8 + kBits - 1) / kBits;
  constexpr size_t kValues = size_t{1} << kBits;
  std::vector<uint32_t> counts(kDigits * kValues);
  for (size_t i = 0; i < size; ++i) {
    for (int d = 0; d < kDigits; ++d)
      ++counts[d * kValues + (items[i].key >> (d * kBits) & (kValues - 1))];
  }
  bool swapped = false;
  for (int d = 0; d < kDigits; ++d) {
    uint32_t* const places = &counts[d * kValues];
    const auto digit = [d](const Item<U>& item) {
      return static_cast<size_t>(item.key >> (d * kBits) & (kValues - 1));
    };
    if (places[digit(*items)] == size) continue;  // the same in all
    uint32_t before = 0;
    for (size_t v = 0; v < kValues; ++v) before += std::exchange(places[v], before);
    for (size_t i = 0; i < size; ++i) other[places[digit(items[i])]++] = items[i];
    std::swap(items, other);
    swapped = !swapped;
  }
  return swapped;
}

// Fewer than 2^32 items; where they are then.
template <class U>
const Item<U>* sort_items(Item<U>* items, Item<U>* other, size_t size) {
  constexpr size_t kRadixSize = 512, kLong = 1 << 14;
  if (size < kRadixSize) {
    std::sort(items, items + size);
    return items;
  }
  const bool swapped =
      size < kLong ? radix_sort<8>(items, other, size) : radix_sort<11>(items, other, size);
  return swapped ? other : items;
}

// Uninitialised items for a line and its copy.
template <class U>
struct Room {
  explicit Room(int64_t size)
      : memory(allocate_memory(static_cast<size_t>(2 * size) * sizeof(Item<U>))),
        items(static_cast<Item<U>*>(memory->data)),
        other(items + size) {}
  MemoryRef memory;
  Item<U>*items, *other;
};

// The order of `size` > 0 items, made by item(i), which rise in index: calls place(begin, items,
// count) for parts of it, side by side. A long line is first cut by the leading bits of its keys'
// range into parts that stay in cache.
template <class U, class F, class G>
void sort_line(const Room<U>& room, int64_t size, F&& item, G&& place) {
  constexpr int64_t kCut = 1 << 16, kChunk = 1 << 15;
  constexpr int kBits = 10;
  constexpr size_t kParts = 1 << kBits;
  Item<U>*const items = room.items, *const other = room.other;
  const int64_t chunks = size < kCut ? 1 : (size + kChunk - 1) / kChunk;
  const auto begin_of = [&](int64_t chunk) { return size * chunk / chunks; };
  std::vector<std::pair<U, U>> ranges(chunks, {static_cast<U>(-1), 0});
  parallel_for(chunks, [&](int64_t c) {
    auto [low, high] = ranges[c];
    for (int64_t i = begin_of(c); i < begin_of(c + 1); ++i) {
      items[i] = item(i);
      low = std::min(low, items[i].key);
      high = std::max(high, items[i].key);
    }
    ranges[c] = {low, high};
  });
  if (chunks == 1) return place(0, sort_items(items, other, size), size);

  auto [low, high] = ranges[0];
  for (const auto& [least, most] : ranges) low = std::min(low, least), high = std::max(high, most);
  const int shift =
      std::max(static_cast<int>(std::bit_width(static_cast<U>(high - low))) - kBits, 0);
  const auto part = [&](const Item<U>& one) {
    return static_cast<size_t>((one.key - low) >> shift);
  };
  // places[part][chunk] counts, then says where the next one goes.
  std::vector<int64_t> places(kParts * chunks + 1);
  parallel_for(chunks, [&](int64_t c) {
    for (int64_t i = begin_of(c); i < begin_of(c + 1); ++i) ++places[part(items[i]) * chunks + c];
  });
  int64_t before = 0;
  for (int64_t& at : places) before += std::exchange(at, before);
  std::vector<int64_t> begins(kParts + 1);
  for (size_t p = 0; p <= kParts; ++p) begins[p] = places[p * chunks];
  parallel_for(chunks, [&](int64_t c) {
    for (int64_t i = begin_of(c); i < begin_of(c + 1); ++i)
      other[places[part(items[i]) * chunks + c]++] = items[i];
  });
  parallel_for(kParts, [&](int64_t p) {
    const int64_t begin = begins[p], count = begins[p + 1] - begin;
    if (count > 0) place(begin, sort_items(&other[begin], &items[begin], count), count);
  });
}

// Leaves the first `count` in the order, but not in order.
template <class U>
void keep_first(std::vector<Item<U>>* items, int64_t count) {
  if (static_cast<int64_t>(items->size()) <= count) return;
  std::nth_element(items->begin(), items->begin() + (count - 1), items->end());
  items->resize(count);
}

// The first `count` > 0 of the items [begin, end), made by item(i), which rise in index. What comes
// behind `count` others is not even kept: skip(i, end, w) is at most the next position from i on
// that may come before that of index w.
template <class U, class F, class G>
std::vector<Item<U>> first_of(int64_t begin, int64_t end, int64_t count, F&& item, G&& skip) {
  const auto room = static_cast<size_t>(std::min(end - begin, 2 * count + 64));
  std::vector<Item<U>> found;
  found.reserve(room);
  U worst = 0;
  bool full = false;  // there are `count` up to `worst`
  int64_t looked_at = 0;
  for (int64_t i = begin; i < end; ++i) {
    if (full && i >= looked_at) {
      i = skip(i, end, found[count - 1].index);
      looked_at = i + kGroup;
      if (i == end) break;
    }
    const Item<U> one = item(i);
    if (full && one.key >= worst) continue;
    found.push_back(one);
    if (found.size() < room || static_cast<int64_t>(room) <= count) continue;
    keep_first(&found, count);
    worst = found[count - 1].key;
    full = true;
  }
  keep_first(&found, count);
  return found;
}

// ---- argsort: the output holds the first of the order ----

struct ArgsortAttributes {
  int64_t axis = 0;
  bool descending = false;
  GLIA_ATTRIBUTES(axis, descending)
};

template <class T>
void argsort_lines(const KernelCall& call) {
  constexpr int64_t kPart = 1 << 16;  // of a line of which few are kept
  using U = decltype(order_key(T()));
  const auto attributes = call.attributes<ArgsortAttributes>();
  const bool descending = attributes.descending;
  const Lines x(call.in[0].layout.shape, attributes.axis);
  const int64_t kept = call.out[0].layout.shape[static_cast<int>(attributes.axis)];
  if (kept == 0) return;
  const T* in = call.in[0].as<const T>();
  int64_t* out = call.out[0].as<int64_t>();
  const auto first_of_line = [&](const T* line, const auto& item) {
    // By groups whose comparison the compiler makes one of vectors. NaN is looked at.
    const auto skip = [&](int64_t i, int64_t end, int64_t worst) {
      if (x.inner > 1 || !std::is_arithmetic_v<T>) return i;
      const T least = line[worst];
      for (; i + kGroup <= end; i += kGroup) {
        int some = 0;
        if (descending)
          for (int64_t k = 0; k < kGroup; ++k) some |= !(line[i + k] <= least);
        else
          for (int64_t k = 0; k < kGroup; ++k) some |= !(line[i + k] >= least);
        if (some) break;
      }
      return i;
    };
    const int64_t parts = std::max<int64_t>(x.size / std::max(kPart, 4 * kept), 1);
    std::vector<std::vector<Item<U>>> found(parts);
    parallel_for(parts, [&](int64_t p) {
      found[p] = first_of<U>(x.size * p / parts, x.size * (p + 1) / parts, kept, item, skip);
    });
    for (int64_t p = 1; p < parts; ++p)
      found[0].insert(found[0].end(), found[p].begin(), found[p].end());
    keep_first(&found[0], kept);
    std::sort(found[0].begin(), found[0].end());
    return std::move(found[0]);
  };
  parallel_pieces(x.outer * x.inner, 4096 / std::max<int64_t>(x.size, 1),
                  [&](int64_t begin, int64_t end) {
                    const Room<U> room(kept < x.size ? 0 : x.size);
                    for (int64_t line = begin; line < end; ++line) {
                      const int64_t o = line / x.inner, k = line % x.inner;
                      const auto item = [&](int64_t i) {
                        const U key = order_key(in[(o * x.size + i) * x.inner + k]);
                        return Item<U>{descending ? static_cast<U>(~key) : key, i};
                      };
                      const auto place = [&](int64_t at, const Item<U>* items, int64_t count) {
                        for (int64_t i = 0; i < count; ++i)
                          out[(o * kept + at + i) * x.inner + k] = items[i].index;
                      };
                      if (kept < x.size)
                        place(0, first_of_line(in + o * x.size, item).data(), kept);
                      else
                        sort_line(room, x.size, item, place);
                    }
                  });
}
void run_argsort(const KernelCall& call) {
  with_dtype(call.in[0].dtype, [&](auto zero) { argsort_lines<decltype(zero)>(call); });
}
Tensor record_argsort(const Tensor& x, int axis, bool descending, int64_t count,
                      const Where& where);
Tensor batch_argsort(const Recorded& node, std::span<const Tensor> inputs, std::span<const bool>,
                     int64_t) {
  const auto attributes = node.attributes<ArgsortAttributes>();
  const int axis = static_cast<int>(attributes.axis);
  return record_argsort(inputs[0], axis + 1, attributes.descending, node.shape()[axis],
                        node.where());
}
const Op kArgsort{.name = "argsort",
                  .kind = Kind::kKernel,
                  .attributes = kAttributeFields<ArgsortAttributes>,
                  .run = run_argsort,
                  .batch = batch_argsort};
Tensor record_argsort(const Tensor& x, int axis, bool descending, int64_t count,
                      const Where& where) {
  Shape shape = x.shape();
  shape[axis] = count;
  return record(kArgsort, {x.node()}, shape, kI64, ArgsortAttributes{axis, descending}, where);
}

// ---- argmax, argmin: along an axis, which stays with size 1 ----

template <bool kLargest>
void run_arg(const KernelCall& call) {
  const Lines x(call.in[0].layout.shape, call.attributes<AxisAttributes>().axis);
  int64_t* out = call.out[0].as<int64_t>();
  with_dtype(call.in[0].dtype, [&](auto zero) {
    using T = decltype(zero);
    using U = decltype(order_key(T()));
    const T* in = call.in[0].as<const T>();
    const auto rank = [](T value) {
      const U key = order_key(value);
      if constexpr (kLargest) return key;
      if (is_float(dtype_of<T>) && key == static_cast<U>(-1)) return key;  // NaN wins both
      return static_cast<U>(~key);
    };
    if (x.inner > 1) {
      // Columns side by side, along the memory.
      constexpr int64_t kColumns = 256;
      const int64_t blocks = (x.inner + kColumns - 1) / kColumns;
      parallel_pieces(x.outer * blocks, 64 / x.size, [&](int64_t begin, int64_t end) {
        for (int64_t block = begin; block < end; ++block) {
          const int64_t o = block / blocks, c = block % blocks * kColumns;
          const int64_t columns = std::min(kColumns, x.inner - c);
          const T* row = in + o * x.size * x.inner + c;
          int64_t* const at = out + o * x.inner + c;
          U best[kColumns];
          for (int64_t k = 0; k < columns; ++k) best[k] = rank(row[k]), at[k] = 0;
          for (int64_t i = 1; i < x.size; ++i) {
            row += x.inner;
            for (int64_t k = 0; k < columns; ++k) {
              const U key = rank(row[k]);
              if (key > best[k]) best[k] = key, at[k] = i;
            }
          }
        }
      });
      return;
    }
    // Of short integers a line often has the last there is, behind which none is looked at.
    const U last = sizeof(T) == 1 ? rank(kLargest ? std::numeric_limits<T>::max()
                                                  : std::numeric_limits<T>::lowest())
                                  : static_cast<U>(-1);
    parallel_pieces(x.outer, (1 << 14) / x.size, [&](int64_t begin, int64_t end) {
      for (int64_t line = begin; line < end; ++line) {
        const T* const first = in + line * x.size;
        U best = rank(*first);
        int64_t at = 0;
        for (int64_t i = 1; i < x.size && best != last; ++i) {
          // Groups without a better one, by a comparison that the compiler makes one of vectors.
          for (; std::is_arithmetic_v<T> && i + kGroup <= x.size; i += kGroup) {
            int some = 0;
            for (int64_t k = 0; k < kGroup; ++k)
              some |= kLargest ? !(first[i + k] <= first[at]) : !(first[i + k] >= first[at]);
            if (some) break;
          }
          for (const int64_t end = std::min(i + kGroup, x.size); i < end; ++i) {
            const U key = rank(first[i]);
            if (key > best) best = key, at = i;
          }
          --i;
        }
        out[line] = at;
      }
    });
  });
}
Tensor batch_arg(const Recorded& node, std::span<const Tensor> inputs, std::span<const bool>,
                 int64_t size) {
  Shape shape = node.shape();
  shape.insert(0, size);
  return record(node.op(), {inputs[0].node()}, shape, kI64,
                AxisAttributes{node.attributes<AxisAttributes>().axis + 1}, node.where());
}
constexpr Op arg_op(const char* name, void (*run)(const KernelCall&)) {
  return {.name = name,
          .kind = Kind::kKernel,
          .attributes = kAttributeFields<AxisAttributes>,
          .run = run,
          .batch = batch_arg};
}
const Op kArgmax = arg_op("argmax", run_arg<true>);
const Op kArgmin = arg_op("argmin", run_arg<false>);

const RegisterOp registered[] = {RegisterOp(kArgsort), RegisterOp(kArgmax), RegisterOp(kArgmin)};

Tensor arg_extreme(const Op& op, const Tensor& x, int axis, bool keepdim, const Where& where) {
  if (!x.defined()) fail(op.name, "the operand is not defined", where);
  if (x.rank() == 0) return as_number(arg_extreme(op, as_line(x), axis, keepdim, where));
  const int i = checked_axis(op.name, axis, x.rank(), where);
  if (x.shape()[i] == 0)
    fail(op.name, "axis " + std::to_string(i) + " of " + x.shape().str() + " is empty", where);
  Shape kept = x.shape();
  kept[i] = 1;
  const Tensor out = record(op, {x.node()}, kept, kI64, AxisAttributes{i}, where);
  return keepdim ? out : squeeze(out, i, where);
}

}  // namespace

Tensor argmax(const Tensor& x, int axis, bool keepdim, Where where) {
  return arg_extreme(kArgmax, x, axis, keepdim, where);
}
Tensor argmin(const Tensor& x, int axis, bool keepdim, Where where) {
  return arg_extreme(kArgmin, x, axis, keepdim, where);
}

Tensor argsort(const Tensor& x, int axis, bool descending, Where where) {
  if (!x.defined()) fail("argsort", "the operand is not defined", where);
  if (x.rank() == 0) return as_number(argsort(as_line(x), axis, descending, where));
  const int i = checked_axis("argsort", axis, x.rank(), where);
  return record_argsort(x, i, descending, x.shape()[i], where);
}

std::pair<Tensor, Tensor> sort(const Tensor& x, int axis, bool descending, Where where) {
  require_defined("sort", x, where);
  const Tensor order = argsort(x, axis, descending, where);
  return {gather(x, order, axis, where), order};
}

std::pair<Tensor, Tensor> topk(const Tensor& x, int64_t k, int axis, Where where) {
  if (!x.defined()) fail("topk", "the operand is not defined", where);
  if (x.rank() == 0) return as_number(topk(as_line(x), k, axis, where));
  const int i = checked_axis("topk", axis, x.rank(), where);
  if (k < 0 || k > x.shape()[i])
    fail("topk",
         "k = " + std::to_string(k) + " for axis " + std::to_string(i) + " of " + x.shape().str(),
         where);
  const Tensor order = record_argsort(x, i, true, k, where);
  return {gather(x, order, i, where), order};
}

}  // namespace glia
