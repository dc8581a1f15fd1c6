// Recurrent layers: one call runs all steps of a sequence. The recurrent weights are packed once,
// into panels of the columns that one tile of sums needs; what a step does with the sums follows
// while they are in registers. Rows of the batch are independent, so threads share nothing.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/recurrent.cpp"
#include "backend/cpu/simd/targets.h"

#include <algorithm>
#include <cstdint>

#include "backend/cpu/simd/across-inl.h"
#include "backend/cpu/simd/functions.h"
#include "backend/cpu/simd/lane-inl.h"
#include "core/node.h"
#include "hwy/cache_control.h"
#include "ops/recurrent.h"
#include "runtime/backend.h"
#include "runtime/threads.h"

HWY_BEFORE_NAMESPACE();
namespace glia::cpu::HWY_NAMESPACE {
namespace {

using V = Lane<float>;
constexpr int64_t kLanes = V::kLanes;
// Rows whose sums stay in registers beside four vectors of weights (AVX-512), or beside one.
constexpr int kMaxRows = kLanes == 16 ? 6 : 3;
constexpr int64_t kChunkRows = 16;      // most rows that one thread takes through all steps
constexpr double kParallelFlops = 1e6;  // less is not worth waking a thread

HWY_INLINE V load(const float* p, int64_t n) {
  return n < kLanes ? V::load_first(n, p, V(0)) : V::load(p);
}
HWY_INLINE void store(V v, float* p, int64_t n) { n < kLanes ? v.store_first(n, p) : v.store(p); }

// sums[r][v] += row r of a (R, depth) times column vector v of the panel (depth, N, kLanes).
template <int R, int N>
HWY_INLINE void multiply(const float* a, int64_t stride, const float* panel, int64_t depth,
                         V (&sums)[R][N]) {
  // A single row has too few sums to hide the latency of adding; every other step gets its own.
  constexpr int kParts = R == 1 ? 2 : 1;
  V parts[kParts][R][N];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < N; ++v) {
      parts[0][r][v] = sums[r][v];
      if constexpr (kParts == 2) parts[1][r][v] = V(0);
    }
  }
  int64_t l = 0;
  for (; l + kParts <= depth; l += kParts) {
#pragma GCC unroll 2
    for (int p = 0; p < kParts; ++p, panel += N * kLanes) {
      V x[N];
#pragma GCC unroll 8
      for (int v = 0; v < N; ++v) x[v] = V::load(panel + v * kLanes);
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) {
        const V s = V::of(a[r * stride + l + p]);
#pragma GCC unroll 8
        for (int v = 0; v < N; ++v) parts[p][r][v] = fma(s, x[v], parts[p][r][v]);
      }
    }
  }
  if (l < depth) {
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const V s = V::of(a[r * stride + l]);
#pragma GCC unroll 8
      for (int v = 0; v < N; ++v)
        parts[0][r][v] = fma(s, V::load(panel + v * kLanes), parts[0][r][v]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < N; ++v) {
      sums[r][v] = parts[0][r][v];
      if constexpr (kParts == 2) sums[r][v] = sums[r][v] + parts[1][r][v];
    }
  }
}

// What forward and backward calls have in common.
struct Sizes {
  int64_t steps, batch, hidden;

  explicit Sizes(const Shape& y) : steps(y[0]), batch(y[1]), hidden(y[2]) {}
  // Asks for what a tile reads of an array (T, B, parts * H) after its product, while that runs.
  void fetch(const float* array, int64_t parts, int64_t t, int64_t row, int64_t rows, int64_t unit,
             int64_t vectors) const {
    const float* const from = array + at(t, row, unit, parts * hidden);
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t p = 0; p < parts; ++p)
        for (int64_t v = 0; v < vectors; ++v)
          hwy::Prefetch(from + (r * parts + p) * hidden + v * kLanes);
  }
  // Where (t, row, unit) is in an array (T, B, width).
  int64_t at(int64_t t, int64_t row, int64_t unit, int64_t width) const {
    return (t * batch + row) * width + unit;
  }
};

float* scratch(MemoryRef* room, int64_t count) {
  *room = MemoryRef(allocate_memory(static_cast<size_t>(std::max<int64_t>(count, 1)) * 4));
  return static_cast<float*>((*room)->data);
}

// ---- Forward ----

struct Forward : Sizes {
  using Sizes::Sizes;
  const float* x = nullptr;
  const float *h0 = nullptr, *c0 = nullptr;
  float *gates = nullptr, *y = nullptr, *inner = nullptr;  // gates and inner: null if not asked for
  float* cell = nullptr;  // (B, H), of an LSTM whose cells nobody asked for
  const float* panels = nullptr;
  const float* start = nullptr;       // what sums start from: biases in the panels' order
  const float* input_bias = nullptr;  // of the GRU's third gate
  bool relu = false;

  const float* state(int64_t t, int64_t row) const {
    if (t == 0) return h0 ? h0 + row * hidden : nullptr;
    return y + at(t - 1, row, 0, hidden);
  }
};

struct LstmForward {
  static constexpr int kGates = 4, kUnits = 1;
  static HWY_INLINE void finish(const Forward& f, int64_t t, int64_t row, int64_t unit, int64_t n,
                                const V* sums) {
    const int64_t h = f.hidden, at = f.at(t, row, unit, 4 * h), own = f.at(t, row, unit, h);
    const float* x = f.x + at;
    const V i = sigmoid(load(x, n) + sums[0]), forget = sigmoid(load(x + h, n) + sums[1]);
    const V g = tanh(load(x + 2 * h, n) + sums[2]), o = sigmoid(load(x + 3 * h, n) + sums[3]);
    const int64_t place = row * h + unit;
    V before = V(0);
    if (t > 0) {
      before = load(f.inner ? f.inner + own - f.batch * h : f.cell + place, n);
    } else if (f.c0) {
      before = load(f.c0 + place, n);
    }
    const V cell = fma(forget, before, i * g);
    store(cell, f.inner ? f.inner + own : f.cell + place, n);
    store(o * tanh(cell), f.y + own, n);
    if (!f.gates) return;
    float* const out = f.gates + at;
    store(i, out, n);
    store(forget, out + h, n);
    store(g, out + 2 * h, n);
    store(o, out + 3 * h, n);
  }
};

struct GruForward {
  static constexpr int kGates = 3, kUnits = 1;
  static HWY_INLINE void finish(const Forward& f, int64_t t, int64_t row, int64_t unit, int64_t n,
                                const V* sums) {
    const int64_t h = f.hidden, at = f.at(t, row, unit, 3 * h), own = f.at(t, row, unit, h);
    const float* x = f.x + at;
    const V r = sigmoid(load(x, n) + sums[0]), z = sigmoid(load(x + h, n) + sums[1]);
    const V c = tanh(fma(r, sums[2], load(x + 2 * h, n) + load(f.input_bias + unit, n)));
    const float* state = f.state(t, row);
    const V before = state ? load(state + unit, n) : V(0);
    store(fma(z, before - c, c), f.y + own, n);
    if (f.inner) store(sums[2], f.inner + own, n);
    if (!f.gates) return;
    float* const out = f.gates + at;
    store(r, out, n);
    store(z, out + h, n);
    store(c, out + 2 * h, n);
  }
};

struct RnnForward {
  static constexpr int kGates = 1, kUnits = 4;
  static HWY_INLINE void finish(const Forward& f, int64_t t, int64_t row, int64_t unit, int64_t n,
                                const V* sums) {
    const int64_t at = f.at(t, row, unit, f.hidden);
    const V z = load(f.x + at, n) + sums[0];
    store(f.relu ? relu(z) : tanh(z), f.y + at, n);
  }
};

// R rows of one panel's units, one step.
template <class Cell, int R>
void forward_tile(const Forward& f, int64_t t, int64_t row, int64_t block) {
  constexpr int kN = Cell::kGates * Cell::kUnits;
  V sums[R][kN];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < kN; ++v) sums[r][v] = V::load(f.start + (block * kN + v) * kLanes);
  }
  f.fetch(f.x, Cell::kGates, t, row, R, block * Cell::kUnits * kLanes, Cell::kUnits);
  if (const float* state = f.state(t, row))
    multiply<R, kN>(state, f.hidden, f.panels + block * f.hidden * kN * kLanes, f.hidden, sums);
  for (int r = 0; r < R; ++r) {
    for (int u = 0; u < Cell::kUnits; ++u) {
      const int64_t unit = (block * Cell::kUnits + u) * kLanes;
      if (unit >= f.hidden) break;
      Cell::finish(f, t, row + r, unit, f.hidden - unit, sums[r] + u * Cell::kGates);
    }
  }
}

// ---- Backward ----

struct Backward : Sizes {
  using Sizes::Sizes;
  const float *gates = nullptr, *gy = nullptr, *inner = nullptr, *y = nullptr;
  const float *h0 = nullptr, *c0 = nullptr, *gc = nullptr;
  float *dx = nullptr, *products = nullptr;  // products: what the weights were multiplied to
  float* dh0 = nullptr;
  float* carry = nullptr;  // (B, H): the part of the state's gradient that needs no product
  const float* panels = nullptr;
  bool relu = false;
};

struct LstmBackward {
  static constexpr int kGates = 4;
  static constexpr bool kCarriesState = false;
  static HWY_INLINE void step(const Backward& b, int64_t t, int64_t row, int64_t unit, int64_t n,
                              V dh) {
    const int64_t h = b.hidden, at = b.at(t, row, unit, 4 * h), own = b.at(t, row, unit, h);
    const float* gates = b.gates + at;
    const V i = load(gates, n), forget = load(gates + h, n);
    const V g = load(gates + 2 * h, n), o = load(gates + 3 * h, n);
    const V squashed = tanh(load(b.inner + own, n)), one = V(1);
    float* const carry = b.carry + row * h + unit;
    V dc = dh * o * (one - squashed * squashed);
    if (t + 1 < b.steps) {
      dc = dc + load(carry, n);
    } else if (b.gc) {
      dc = dc + load(b.gc + row * h + unit, n);
    }
    V before = V(0);
    if (t > 0) {
      before = load(b.inner + own - b.batch * h, n);
    } else if (b.c0) {
      before = load(b.c0 + row * h + unit, n);
    }
    float* const dx = b.dx + at;
    store(dc * g * i * (one - i), dx, n);
    store(dc * before * forget * (one - forget), dx + h, n);
    store(dc * i * (one - g * g), dx + 2 * h, n);
    store(dh * squashed * o * (one - o), dx + 3 * h, n);
    store(dc * forget, carry, n);
  }
};

struct GruBackward {
  static constexpr int kGates = 3;
  static constexpr bool kCarriesState = true;
  static HWY_INLINE void step(const Backward& b, int64_t t, int64_t row, int64_t unit, int64_t n,
                              V dh) {
    const int64_t h = b.hidden, at = b.at(t, row, unit, 3 * h), own = b.at(t, row, unit, h);
    const float* gates = b.gates + at;
    const V r = load(gates, n), z = load(gates + h, n), c = load(gates + 2 * h, n);
    V before = V(0);
    if (t > 0) {
      before = load(b.y + own - b.batch * h, n);
    } else if (b.h0) {
      before = load(b.h0 + row * h + unit, n);
    }
    const V one = V(1), dc = dh * (one - z) * (one - c * c);
    const V dr = dc * load(b.inner + own, n) * r * (one - r);
    const V dz = dh * (before - c) * z * (one - z);
    float *const dx = b.dx + at, *const products = b.products + at;
    store(dr, dx, n);
    store(dz, dx + h, n);
    store(dc, dx + 2 * h, n);
    store(dr, products, n);
    store(dz, products + h, n);
    store(dc * r, products + 2 * h, n);
    store(dh * z, b.carry + row * h + unit, n);
  }
};

struct RnnBackward {
  static constexpr int kGates = 1;
  static constexpr bool kCarriesState = false;
  static HWY_INLINE void step(const Backward& b, int64_t t, int64_t row, int64_t unit, int64_t n,
                              V dh) {
    const int64_t at = b.at(t, row, unit, b.hidden);
    const V y = load(b.gates + at, n);
    store(b.relu ? select(V(0) < y, dh, V(0)) : dh * (V(1) - y * y), b.dx + at, n);
  }
};

constexpr int kBackwardVectors = 4;

// R rows of one panel's units: the gradient of the state after step t, and step t itself. t = -1
// stands for the initial state.
template <class Cell, int R>
void backward_tile(const Backward& b, int64_t t, int64_t row, int64_t block) {
  constexpr int kN = kBackwardVectors;
  const int64_t width = Cell::kGates * b.hidden;
  V sums[R][kN];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < kN; ++v) sums[r][v] = V(0);
  }
  const bool last = t + 1 == b.steps;
  if (!last)
    multiply<R, kN>(b.products + b.at(t + 1, row, 0, width), width,
                    b.panels + block * width * kN * kLanes, width, sums);
  for (int r = 0; r < R; ++r) {
    for (int v = 0; v < kN; ++v) {
      const int64_t unit = (block * kN + v) * kLanes, n = b.hidden - unit;
      if (n <= 0) break;
      V dh = sums[r][v];
      if (Cell::kCarriesState && !last) dh = dh + load(b.carry + (row + r) * b.hidden + unit, n);
      if (t < 0) {
        store(dh, b.dh0 + (row + r) * b.hidden + unit, n);
      } else {
        dh = dh + load(b.gy + b.at(t, row + r, unit, b.hidden), n);
        Cell::step(b, t, row + r, unit, n, dh);
      }
    }
  }
}

// ---- All steps ----

template <class Call>
using Tile = void (*)(const Call&, int64_t t, int64_t row, int64_t block);

// Step t of the rows [first, last), as even tiles.
template <class Call>
void run_step(const Call& call, const Tile<Call> (&tiles)[kMaxRows], int64_t t, int64_t first,
              int64_t last, int64_t blocks) {
  const int64_t count = (last - first + kMaxRows - 1) / kMaxRows, rows = last - first;
  for (int64_t block = 0; block < blocks; ++block) {
    for (int64_t i = 0; i < count; ++i) {
      const int64_t begin = first + i * rows / count, end = first + (i + 1) * rows / count;
      tiles[end - begin - 1](call, t, begin, block);
    }
  }
}

// Calls f(first, last) for the parts of the batch that threads take.
template <class F>
void for_row_chunks(const Sizes& s, int64_t width, F&& f) {
  const double flops = 2.0 * s.steps * s.batch * s.hidden * width;
  const int64_t half = (s.batch + 1) / 2;
  const int64_t rows =
      std::max<int64_t>(1, flops < kParallelFlops ? s.batch : std::min(kChunkRows, half));
  parallel_for((s.batch + rows - 1) / rows,
               [&](int64_t i) { f(i * rows, std::min(s.batch, (i + 1) * rows)); });
}

// Panels (blocks, depth, vectors, kLanes): lane i of vector v of a block is matrix column
// column(block, v) + i, rows `row_stride` and columns `column_stride` apart, one of which is 1;
// absent ones are 0.
template <class Column>
void pack(const float* matrix, int64_t depth, int64_t row_stride, int64_t column_stride,
          int64_t blocks, int64_t vectors, float* panels, Column column) {
  constexpr int64_t kParallelElements = 1 << 15;
  const int64_t size = depth * vectors * kLanes;
  const auto pack_block = [&](int64_t block) {
    float* const panel = panels + block * size;
    for (int64_t v = 0; v < vectors; ++v) {
      const auto [first, count] = column(block, v);
      const float* const from = matrix + first * column_stride;
      float* const to = panel + v * kLanes;
      if (count < kLanes)
        for (int64_t l = 0; l < depth; ++l) std::fill_n(to + l * vectors * kLanes, kLanes, 0.0f);
      if (row_stride == 1) {
        transpose(to, vectors * kLanes, from, column_stride, depth, count);
      } else {
        for (int64_t l = 0; l < depth; ++l)
          std::copy_n(from + l * row_stride, count, to + l * vectors * kLanes);
      }
    }
  };
  if (blocks * size < kParallelElements) {
    for (int64_t block = 0; block < blocks; ++block) pack_block(block);
  } else {
    parallel_for(blocks, pack_block);
  }
}

struct Columns {
  int64_t first, count;
};

template <class Cell>
void run_forward(const KernelCall& call, const Recurrence& kind, Forward f) {
  constexpr int kN = Cell::kGates * Cell::kUnits;
  const int64_t h = f.hidden, blocks = (h + Cell::kUnits * kLanes - 1) / (Cell::kUnits * kLanes);
  MemoryRef panels, starts, input_bias, y, cell;
  const auto units = [&](int64_t block, int64_t v) {
    const int64_t unit = (block * Cell::kUnits + v / Cell::kGates) * kLanes;
    return Columns{v % Cell::kGates * h + unit, std::clamp<int64_t>(h - unit, 0, kLanes)};
  };
  float* const to = scratch(&panels, blocks * h * kN * kLanes);
  pack(call.in[1].as<float>(), h, 1, h, blocks, kN, to, units);
  f.panels = to;

  float* const start = scratch(&starts, blocks * kN * kLanes);
  float* const third = scratch(&input_bias, h);
  std::fill_n(start, blocks * kN * kLanes, 0.0f);
  std::fill_n(third, h, 0.0f);
  if (const float* bias_ih = call.in[Recurrence::kBiasIH].as<float>()) {
    const float* const bias_hh = call.in[Recurrence::kBiasHH].as<float>();
    for (int64_t block = 0; block < blocks; ++block) {
      for (int64_t v = 0; v < kN; ++v) {
        const auto [first, count] = units(block, v);
        const bool apart = Cell::kGates == 3 && v == 2;
        for (int64_t i = 0; i < count; ++i)
          start[(block * kN + v) * kLanes + i] =
              bias_hh[first + i] + (apart ? 0 : bias_ih[first + i]);
      }
    }
    if (Cell::kGates == 3) std::copy_n(bias_ih + 2 * h, h, third);
  }
  f.start = start;
  f.input_bias = third;
  if (!f.y) f.y = scratch(&y, f.steps * f.batch * h);
  if (Cell::kGates == 4 && !f.inner) f.cell = scratch(&cell, f.batch * h);

  static constexpr Tile<Forward> kTiles[] = {
    forward_tile<Cell, 1>,
    forward_tile<Cell, 2>,
    forward_tile<Cell, 3>,
#if HWY_TARGET == HWY_AVX3
    forward_tile<Cell, 4>,
    forward_tile<Cell, 5>,
    forward_tile<Cell, 6>,
#endif
  };
  for_row_chunks(f, Cell::kGates * h, [&](int64_t first, int64_t last) {
    for (int64_t t = 0; t < f.steps; ++t) run_step(f, kTiles, t, first, last, blocks);
  });
  if (float* const c = call.out[Recurrence::kC].as<float>()) {
    const int64_t count = f.batch * h;
    std::copy_n(f.inner ? f.inner + (f.steps - 1) * count : f.cell, count, c);
  }
}

void recurrent(const KernelCall& call) {
  const Recurrence kind = call.attributes<Recurrence>();
  Shape shape = call.in[0].layout.shape;
  shape[2] /= kind.gates();
  Forward f(shape);
  f.x = call.in[0].as<float>();
  f.h0 = call.in[Recurrence::kH0].as<float>();
  f.c0 = call.in[Recurrence::kC0].as<float>();
  f.gates = call.out[Recurrence::kGates].as<float>();
  f.y = call.out[Recurrence::kY].as<float>();
  f.inner = call.out[Recurrence::kInner].as<float>();
  f.relu = kind.cell == Recurrence::kReLU;
  switch (kind.cell) {
    case Recurrence::kLSTM:
      return run_forward<LstmForward>(call, kind, f);
    case Recurrence::kGRU:
      return run_forward<GruForward>(call, kind, f);
    default:
      return run_forward<RnnForward>(call, kind, f);
  }
}

template <class Cell>
void run_backward(const KernelCall& call, Backward b) {
  constexpr int kN = kBackwardVectors;
  const int64_t h = b.hidden, width = Cell::kGates * h;
  const int64_t blocks = (h + kN * kLanes - 1) / (kN * kLanes);
  MemoryRef panels, dx, products, carry;
  float* const to = scratch(&panels, blocks * width * kN * kLanes);
  pack(call.in[1].as<float>(), width, h, 1, blocks, kN, to, [&](int64_t block, int64_t v) {
    const int64_t unit = (block * kN + v) * kLanes;
    return Columns{unit, std::clamp<int64_t>(h - unit, 0, kLanes)};
  });
  b.panels = to;
  if (!b.dx) b.dx = scratch(&dx, b.steps * b.batch * width);
  if (Cell::kGates != 3) {
    b.products = b.dx;
  } else if (!b.products) {
    b.products = scratch(&products, b.steps * b.batch * width);
  }
  if (!b.carry) b.carry = scratch(&carry, b.batch * h);

  static constexpr Tile<Backward> kTiles[] = {
    backward_tile<Cell, 1>,
    backward_tile<Cell, 2>,
    backward_tile<Cell, 3>,
#if HWY_TARGET == HWY_AVX3
    backward_tile<Cell, 4>,
    backward_tile<Cell, 5>,
    backward_tile<Cell, 6>,
#endif
  };
  for_row_chunks(b, width, [&](int64_t first, int64_t last) {
    for (int64_t t = b.steps - 1; t >= (b.dh0 ? -1 : 0); --t)
      run_step(b, kTiles, t, first, last, blocks);
  });
}

void recurrent_backward(const KernelCall& call) {
  const Recurrence kind = call.attributes<Recurrence>();
  using Slot = Recurrence::Backward;
  const auto input = [&](int i) { return call.in[i].as<float>(); };
  Backward b(call.in[Slot::kGy].layout.shape);
  b.gates = input(Slot::kGates);
  b.inner = input(Slot::kInner);
  b.y = input(Slot::kY);
  b.h0 = input(Slot::kH0);
  b.c0 = input(Slot::kC0);
  b.gy = input(Slot::kGy);
  b.gc = input(Slot::kGc);
  b.dx = call.out[Slot::kDx].as<float>();
  b.dh0 = call.out[Slot::kDh0].as<float>();
  b.relu = kind.cell == Recurrence::kReLU;
  switch (kind.cell) {
    case Recurrence::kLSTM:
      b.carry = call.out[Slot::kDc0].as<float>();
      return run_backward<LstmBackward>(call, b);
    case Recurrence::kGRU:
      b.products = call.out[Slot::kDproducts].as<float>();
      return run_backward<GruBackward>(call, b);
    default:
      return run_backward<RnnBackward>(call, b);
  }
}

}  // namespace
}  // namespace glia::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace glia::cpu {
namespace {

GLIA_EXPORT(recurrent);
GLIA_EXPORT(recurrent_backward);

const RegisterKernel kernels[] = {
    {{"recurrent", {kF32}, GLIA_CHOOSE(recurrent)}},
    {{"recurrent_backward", {kF32}, GLIA_CHOOSE(recurrent_backward)}},
};

}  // namespace
}  // namespace glia::cpu
#endif
