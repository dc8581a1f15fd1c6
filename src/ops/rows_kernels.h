// Sums and products of rows, written once over Value<T>: some columns of a row, a SIMD vector or a
// scalar. Included inside a namespace that has it, hence no include guard; <algorithm>, <cstring>,
// <vector>, ops/rows.h and runtime/backend.h come first.
//
// What Value<T> must offer: T as Element, kLanes, load and store; a + b, a * b, Value<T>(double),
// fma; and where kLanes > 1, load_first and store_first, which touch only the first n lanes.

// How many rows ahead memory is asked for.
constexpr int64_t kAhead = 12;
// So many entries are summed one after the other; of more, halves are summed apart.
constexpr int64_t kInOrder = 64;

inline void prefetch_row(const void* row, int64_t bytes) {
  for (int64_t b = 0; b < std::min<int64_t>(bytes, 512); b += 64)
    __builtin_prefetch(static_cast<const char*>(row) + b);
}

// Sparse rows: where each begins, and for each of its entries a row of `source` and a factor.
template <class T, class I>
struct Entries {
  const int32_t* starts;
  const I* cols;
  const T* values;  // or null: ones
  int64_t count;    // of all rows
  int64_t dropped;  // a column that counts as none
  int64_t size;     // rows of source
  int64_t width;
  const T* source;
};

template <class V>
V load_part(const typename V::Element* from, int64_t columns) {
  if constexpr (V::kLanes > 1) {
    if (columns < V::kLanes) return V::load_first(columns, from, V(0));
  }
  return V::load(from);
}
template <class V>
void store_part(V value, int64_t columns, typename V::Element* to) {
  if constexpr (V::kLanes > 1) {
    if (columns < V::kLanes) return value.store_first(columns, to);
  }
  value.store(to);
}

template <class V>
void copy_row(const typename V::Element* from, typename V::Element* to, int64_t width) {
  for (int64_t c = 0; c < width; c += V::kLanes) {
    const int64_t columns = std::min(V::kLanes, width - c);
    store_part(load_part<V>(from + c, columns), columns, to + c);
  }
}

// Columns [c, c + kVectors * kLanes) of the sum of entries [first, last), in their order.
template <class V, int kVectors, bool kWeighted, class I>
[[gnu::always_inline]] inline void sum_in_order(const Entries<typename V::Element, I>& e,
                                                int64_t first, int64_t last, int64_t c,
                                                int64_t columns, V* sums) {
  using T = typename V::Element;
#pragma GCC unroll 8
  for (int k = 0; k < kVectors; ++k) sums[k] = V(0);
  for (int64_t j = first; j < last; ++j) {
    if (c == 0 && j + kAhead < e.count) {
      const auto next = static_cast<uint64_t>(e.cols[j + kAhead]);
      if (next < static_cast<uint64_t>(e.size))
        prefetch_row(e.source + next * e.width, e.width * static_cast<int64_t>(sizeof(T)));
    }
    const int64_t col = e.cols[j];
    if (col == e.dropped) continue;
    if (static_cast<uint64_t>(col) >= static_cast<uint64_t>(e.size)) [[unlikely]]
      row_out_of_range(col, e.size);
    const T* row = e.source + col * e.width + c;
#pragma GCC unroll 8
    for (int k = 0; k < kVectors; ++k) {
      const V x = load_part<V>(row + k * V::kLanes, columns);
      if constexpr (kWeighted)
        sums[k] = fma(x, V(e.values[j]), sums[k]);
      else
        sums[k] = sums[k] + x;
    }
  }
}

// The same of many: halves, each summed for itself.
template <class V, int kVectors, bool kWeighted, class I>
void sum_pairwise(const Entries<typename V::Element, I>& e, int64_t first, int64_t last, int64_t c,
                  int64_t columns, V* sums) {
  if (last - first <= kInOrder) {
    V part[kVectors];  // in registers
    sum_in_order<V, kVectors, kWeighted>(e, first, last, c, columns, part);
    for (int k = 0; k < kVectors; ++k) sums[k] = part[k];
    return;
  }
  const int64_t middle = first + (last - first) / 2;
  V more[kVectors];
  sum_pairwise<V, kVectors, kWeighted>(e, first, middle, c, columns, sums);
  sum_pairwise<V, kVectors, kWeighted>(e, middle, last, c, columns, more);
  for (int k = 0; k < kVectors; ++k) sums[k] = sums[k] + more[k];
}

template <class V, int kVectors, bool kWeighted, class I>
[[gnu::noinline]] void sum_many(const Entries<typename V::Element, I>& e, int64_t first,
                                int64_t last, int64_t c, int64_t columns,
                                typename V::Element* out) {
  V sums[kVectors];
  sum_pairwise<V, kVectors, kWeighted>(e, first, last, c, columns, sums);
  for (int k = 0; k < kVectors; ++k) store_part(sums[k], columns, out + c + k * V::kLanes);
}

template <class V, int kVectors, bool kWeighted, class I>
[[gnu::always_inline]] inline void sum_block(const Entries<typename V::Element, I>& e,
                                             int64_t first, int64_t last, int64_t c,
                                             typename V::Element* out) {
  const int64_t columns = kVectors == 1 ? std::min(V::kLanes, e.width - c) : V::kLanes;
  if (last - first > kInOrder) [[unlikely]]
    return sum_many<V, kVectors, kWeighted>(e, first, last, c, columns, out);
  V sums[kVectors];
  sum_in_order<V, kVectors, kWeighted>(e, first, last, c, columns, sums);
#pragma GCC unroll 8
  for (int k = 0; k < kVectors; ++k) store_part(sums[k], columns, out + c + k * V::kLanes);
}

template <class V, bool kWeighted, class I>
void sum_entries(const Entries<typename V::Element, I>& e, int64_t first, int64_t last,
                 typename V::Element* out) {
  int64_t c = 0;
  for (; c + 8 * V::kLanes <= e.width; c += 8 * V::kLanes)
    sum_block<V, 8, kWeighted>(e, first, last, c, out);
  if (c + 4 * V::kLanes <= e.width) {
    sum_block<V, 4, kWeighted>(e, first, last, c, out);
    c += 4 * V::kLanes;
  }
  if (c + 2 * V::kLanes <= e.width) {
    sum_block<V, 2, kWeighted>(e, first, last, c, out);
    c += 2 * V::kLanes;
  }
  for (; c < e.width; c += V::kLanes) sum_block<V, 1, kWeighted>(e, first, last, c, out);
}
template <class V, class I>
void sum_entries(const Entries<typename V::Element, I>& e, int64_t first, int64_t last,
                 typename V::Element* out) {
  if (e.values)
    sum_entries<V, true>(e, first, last, out);
  else
    sum_entries<V, false>(e, first, last, out);
}

// Calls f(first row, last row) for pieces of about equal work, cut by entries and rows alone.
template <class F>
void balanced_rows(const int32_t* starts, int64_t rows, int64_t width, F f) {
  const int64_t work = std::max<int64_t>((1 << 16) / std::max<int64_t>(width, 16), 1);
  const int64_t total = rows ? starts[rows] + rows : 0;
  // The first row with at least `target` entries and rows before it.
  const auto row_at = [&](int64_t target) {
    int64_t low = 0, high = rows;
    while (low < high) {
      const int64_t middle = (low + high) / 2;
      if (starts[middle] + middle < target)
        low = middle + 1;
      else
        high = middle;
    }
    return low;
  };
  parallel_for((total + work - 1) / work, [&](int64_t piece) {
    const int64_t first = row_at(piece * work), last = row_at((piece + 1) * work);
    if (first < last) f(first, last);
  });
}

// ---- sum_rows: inputs: starts, cols, dense, values if any; attribute: dropped ----

template <class T, class I>
Entries<T, I> entries_of(const Array& starts, const Array& cols, const Array& source,
                         const Array* values, int64_t dropped) {
  return {.starts = starts.as<const int32_t>(),
          .cols = cols.as<const I>(),
          .values = values ? values->as<const T>() : nullptr,
          .count = cols.numel(),
          .dropped = dropped,
          .size = source.layout.shape[0],
          .width = source.layout.shape[1],
          .source = source.as<const T>()};
}

template <class F>
void with_types(DType dtype, DType index, F&& f) {
  const auto with_index = [&](auto zero) {
    if (index == kI32)
      f(zero, int32_t());
    else
      f(zero, int64_t());
  };
  if (dtype == kF32)
    with_index(float());
  else
    with_index(double());
}

void run_sum_rows(const KernelCall& call) {
  const int64_t dropped = call.attributes<SumRowsAttributes>().dropped;
  with_types(call.out[0].dtype, call.in[1].dtype, [&](auto value, auto index) {
    using T = decltype(value);
    using I = decltype(index);
    const auto e = entries_of<T, I>(call.in[0], call.in[1], call.in[2],
                                    call.in.size() > 3 ? &call.in[3] : nullptr, dropped);
    const int64_t rows = call.out[0].layout.shape[0];
    T* out = call.out[0].as<T>();
    balanced_rows(e.starts, rows, e.width, [&](int64_t first, int64_t last) {
      for (int64_t r = first; r < last; ++r)
        sum_entries<Value<T>>(e, e.starts[r], e.starts[r + 1], out + r * e.width);
    });
  });
}

// ---- dot_rows: inputs: starts, cols, g, dense ----

template <class V>
typename V::Element dot(const typename V::Element* a, const typename V::Element* b, int64_t n) {
  using T = typename V::Element;
  if (n > kInOrder * V::kLanes) {
    const int64_t half = n / 2 / V::kLanes * V::kLanes;
    return dot<V>(a, b, half) + dot<V>(a + half, b + half, n - half);
  }
  V sum(0);
  for (int64_t c = 0; c < n; c += V::kLanes) {
    const int64_t columns = std::min(V::kLanes, n - c);
    sum = fma(load_part<V>(a + c, columns), load_part<V>(b + c, columns), sum);
  }
  T lanes[V::kLanes], total = 0;
  sum.store(lanes);
  for (T lane : lanes) total += lane;
  return total;
}

void run_dot_rows(const KernelCall& call) {
  const int64_t dropped = call.attributes<DotRowsAttributes>().dropped;
  with_types(call.out[0].dtype, call.in[1].dtype, [&](auto value, auto index) {
    using T = decltype(value);
    using I = decltype(index);
    const auto e = entries_of<T, I>(call.in[0], call.in[1], call.in[3], nullptr, dropped);
    const T* g = call.in[2].as<const T>();
    const int64_t rows = call.in[2].layout.shape[0];
    T* out = call.out[0].as<T>();
    balanced_rows(e.starts, rows, e.width, [&](int64_t first, int64_t last) {
      for (int64_t r = first; r < last; ++r) {
        for (int64_t j = e.starts[r]; j < e.starts[r + 1]; ++j) {
          const int64_t col = e.cols[j];
          if (col == e.dropped) {
            out[j] = 0;
            continue;
          }
          if (static_cast<uint64_t>(col) >= static_cast<uint64_t>(e.size)) [[unlikely]]
            row_out_of_range(col, e.size);
          out[j] = dot<Value<T>>(g + r * e.width, e.source + col * e.width, e.width);
        }
      }
    });
  });
}

// ---- spread_rows: inputs: ids, starts, rows, source, values if any ----

// The groups that are not empty come first.
int64_t count_groups(const int32_t* starts, int64_t rows) {
  return std::lower_bound(starts, starts + rows, starts[rows]) - starts;
}

void run_spread_rows(const KernelCall& call) {
  with_types(call.out[0].dtype, kI32, [&](auto value, auto) {
    using T = decltype(value);
    const auto e = entries_of<T, int32_t>(call.in[1], call.in[2], call.in[3],
                                          call.in.size() > 4 ? &call.in[4] : nullptr, -1);
    const int32_t* ids = call.in[0].as<const int32_t>();
    T* out = call.out[0].as<T>();
    parallel_pieces(call.out[0].numel(), 1 << 16, [&](int64_t begin, int64_t end) {
      std::memset(out + begin, 0, (end - begin) * sizeof(T));
    });
    const int64_t groups = count_groups(e.starts, call.in[0].numel());
    balanced_rows(e.starts, groups, e.width, [&](int64_t first, int64_t last) {
      for (int64_t u = first; u < last; ++u)
        sum_entries<Value<T>>(e, e.starts[u], e.starts[u + 1], out + ids[u] * e.width);
    });
  });
}

// ---- foreach_rows: see ops/rows.cpp ----

void run_foreach_rows(const KernelCall& call) {
  const auto attributes = call.attributes<ForeachRowsAttributes>();
  with_types(call.out[0].dtype, kI32, [&](auto value, auto) {
    using T = decltype(value);
    constexpr int64_t kBlock = 2048;  // elements of one operand in the L1 cache at a time
    const int64_t scalars = attributes.scalars, tables = 1 + attributes.states;
    const auto tables_in = call.in.subspan(scalars, tables),
               parts = call.in.subspan(scalars + tables);
    const auto e = entries_of<T, int32_t>(parts[1], parts[2], parts[3],
                                          parts.size() > 4 ? &parts[4] : nullptr, -1);
    const int32_t* ids = parts[0].as<const int32_t>();
    const int64_t width = e.width;
    for (int64_t t = 0; t < tables; ++t) {
      if (call.out[t].data && call.out[t].data != tables_in[t].data)
        copy_elements(tables_in[t], call.out[t].data, call.out[t].layout);
    }
    if (width == 0) return;
    const CompiledFormula& formula = *call.formula;
    const int64_t block = std::max<int64_t>(kBlock / width, 1);
    const int64_t bytes = width * static_cast<int64_t>(sizeof(T));
    const int64_t groups = count_groups(e.starts, parts[0].numel());
    balanced_rows(e.starts, groups, width, [&](int64_t first, int64_t last) {
      // Rows of the operands (parameter, gradient, state), and the formula's results.
      const size_t arrays = static_cast<size_t>(1 + tables + formula.outputs);
      std::vector<T> room(arrays * static_cast<size_t>(block * width));
      const auto array = [&](size_t i) { return room.data() + i * block * width; };
      const auto table = [&](int64_t t) {
        return (call.out[t].data ? call.out[t] : tables_in[t]).template as<T>();
      };
      const auto operand = [&](int64_t t) { return array(t == 0 ? 0 : t + 1); };
      std::vector<void*> inputs, outputs;
      for (const CompiledFormula::Slot& slot : formula.inputs)
        inputs.push_back(slot.constant       ? const_cast<void*>(slot.constant)
                         : slot.operand >= 0 ? array(slot.operand)
                                             : call.in[slot.scalar].data);
      for (int o = 0; o < formula.outputs; ++o) outputs.push_back(array(1 + tables + o));
      void* const* const in = inputs.data();
      void* const* const out = outputs.data();
      for (int64_t begin = first; begin < last; begin += block) {
        const int64_t end = std::min(begin + block, last);
        for (int64_t u = begin; u < end; ++u) {
          if (u + kAhead < last) {
            for (int64_t t = 0; t < tables; ++t)
              prefetch_row(table(t) + ids[u + kAhead] * width, bytes);
          }
          const int64_t at = (u - begin) * width;
          sum_entries<Value<T>>(e, e.starts[u], e.starts[u + 1], array(1) + at);
          for (int64_t t = 0; t < tables; ++t)
            copy_row<Value<T>>(table(t) + ids[u] * width, operand(t) + at, width);
        }
        const int64_t count = (end - begin) * width;
        formula.kernel->run_many(1, &count, &in, &out);
        for (int64_t t = 0; t < tables; ++t) {
          if (!call.out[t].data) continue;  // nobody asked for it
          const T* result = static_cast<const T*>(outputs[formula.results[t]]);
          for (int64_t u = begin; u < end; ++u)
            copy_row<Value<T>>(result + (u - begin) * width, table(t) + ids[u] * width, width);
        }
      }
    });
  });
}
