// Attention in tiles (Dao et al. 2022): the weights of some queries on a block of keys are
// computed, used and forgotten; the backward pass computes them again. Lanes are queries, so that
// maxima and sums over keys need no exchange between lanes, and keys and values are read where they
// lie.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/attention.cpp"
#include "backend/cpu/simd/targets.h"

#include <algorithm>
#include <cstdint>
#include <limits>

#include "backend/cpu/simd/across-inl.h"
#include "backend/cpu/simd/functions.h"
#include "backend/cpu/simd/lane-inl.h"
#include "core/node.h"
#include "ops/attention.h"
#include "ops/private.h"
#include "runtime/backend.h"
#include "runtime/threads.h"

HWY_BEFORE_NAMESPACE();
namespace glia::cpu::HWY_NAMESPACE {
namespace {

using V = Lane<float>;
constexpr int64_t kLanes = V::kLanes;
constexpr int kVectors = 2;
constexpr int64_t kWidth = kVectors * kLanes;    // queries of a tile, or columns of a product
constexpr int kMaxRows = kLanes == 16 ? 12 : 6;  // whose sums fit in the registers
constexpr int64_t kBlock = 128;                  // keys of a block
constexpr int64_t kFewQueries = 4;               // up to here each query is computed by itself
constexpr float kInfinity = std::numeric_limits<float>::infinity();

int64_t divide_up(int64_t x, int64_t y) { return (x + y - 1) / y; }

HWY_INLINE V load(const float* p, int64_t n) {
  return n < kLanes ? V::load_first(n, p, V(0)) : V::load(p);
}

// ---- Products with a panel (depth, kWidth) ----

// A matrix of which rows and columns may lie any distance apart.
struct Matrix {
  const float* data;
  int64_t row, col;
};

// out (R, kWidth) = or += a (R, depth) times the panel.
template <int R>
void product_tile(const Matrix& a, int64_t depth, const float* panel, float* out, bool add) {
  V sums[R][kVectors];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v)
      sums[r][v] = add ? V::load(out + r * kWidth + v * kLanes) : V(0);
  }
  const float* column = a.data;
  for (int64_t l = 0; l < depth; ++l, column += a.col, panel += kWidth) {
    V x[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) x[v] = V::load(panel + v * kLanes);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const V s = V::of(column[r * a.row]);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sums[r][v] = fma(s, x[v], sums[r][v]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) sums[r][v].store(out + r * kWidth + v * kLanes);
  }
}

// The same for any number of rows, in even tiles.
void product(const Matrix& a, int64_t rows, int64_t depth, const float* panel, float* out,
             bool add) {
  using Tile = void (*)(const Matrix&, int64_t, const float*, float*, bool);
  static constexpr Tile kTiles[] = {
    product_tile<1>,
    product_tile<2>,
    product_tile<3>,
    product_tile<4>,
    product_tile<5>,
    product_tile<6>,
#if HWY_TARGET == HWY_AVX3
    product_tile<7>,
    product_tile<8>,
    product_tile<9>,
    product_tile<10>,
    product_tile<11>,
    product_tile<12>,
#endif
  };
  const int64_t count = divide_up(rows, kMaxRows);
  for (int64_t i = 0; i < count; ++i) {
    const int64_t first = i * rows / count, last = (i + 1) * rows / count;
    kTiles[last - first - 1]({a.data + first * a.row, a.row, a.col}, depth, panel,
                             out + first * kWidth, add);
  }
}

// ---- A call's operands ----

// An operand (..., rows, cols) with unit column stride, and where each product's part begins.
struct Operand {
  const float* data = nullptr;
  int64_t rows = 0, cols = 0, stride = 0;
  Layout layout;
  MemoryRef copied;

  explicit Operand(const Array& in) : data(in.as<float>()), layout(in.layout) {
    const int rank = layout.shape.rank();
    rows = layout.shape[rank - 2];
    cols = layout.shape[rank - 1];
    if (layout.strides[rank - 1] != 1 && cols > 1) {
      copied = MemoryRef(allocate_memory(static_cast<size_t>(in.numel()) * 4));
      layout = Layout::contiguous(in.layout.shape);
      copy_elements(in, copied->data, layout);
      data = static_cast<float*>(copied->data);
    }
    stride = layout.strides[rank - 2];
  }
  const float* at(int64_t p) const { return data + offset(layout, p); }

  // Of product p, whose index runs over the leading axes.
  static int64_t offset(const Layout& layout, int64_t p) {
    int64_t sum = 0;
    for (int i = layout.shape.rank() - 3; i >= 0; p /= layout.shape[i--])
      sum += p % layout.shape[i] * layout.strides[i];
    return sum;
  }
};

struct Call {
  AttentionAttributes kind;
  Operand q, k, v;
  float scale;
  int64_t keys;  // that count
  const Array* mask = nullptr;
  int64_t products, queries, size, value_size;

  explicit Call(const KernelCall& call)
      : kind(call.attributes<AttentionAttributes>()), q(call.in[0]), k(call.in[1]), v(call.in[2]) {
    scale = *call.in[kAttentionScale].as<float>();
    keys = k.rows;
    if (const auto* length = call.in[kAttentionLength].as<int64_t>())
      keys = std::clamp<int64_t>(*length, 0, keys);
    if (call.in[kAttentionMask].data) mask = &call.in[kAttentionMask];
    queries = q.rows;
    size = q.cols;
    value_size = v.cols;
    products = 1;
    for (int i = 0; i + 2 < q.layout.shape.rank(); ++i) products *= q.layout.shape[i];
  }
  // Keys that queries before `last` can see.
  int64_t visible(int64_t last) const { return kind.causal ? std::min(keys, last) : keys; }
};

// What a mask adds to the score of product p's query and key.
struct MaskRows {
  const char* data = nullptr;
  bool is_bool;
  int64_t row, col;

  MaskRows(const Array& mask, int64_t p)
      : is_bool(mask.dtype == kBool),
        row(mask.layout.strides[mask.layout.shape.rank() - 2]),
        col(mask.layout.strides[mask.layout.shape.rank() - 1]) {
    data = mask.as<char>() + Operand::offset(mask.layout, p) * (is_bool ? 1 : 4);
  }
  float operator()(int64_t query, int64_t key) const {
    const int64_t i = query * row + key * col;
    if (is_bool) return data[i] ? 0.0f : -kInfinity;
    return reinterpret_cast<const float*>(data)[i];
  }
};

float* scratch(MemoryRef* room, int64_t count) {
  *room = MemoryRef(allocate_memory(static_cast<size_t>(std::max<int64_t>(count, 1)) * 4));
  return static_cast<float*>((*room)->data);
}

// to (cols, kWidth) = the transpose of `count` rows, times a factor; absent rows are 0.
void transpose_in(const float* from, int64_t stride, int64_t count, int64_t cols, float factor,
                  float* to) {
  transpose(to, kWidth, from, stride, cols, count);
  for (int64_t d = 0; d < cols; ++d, to += kWidth) {
    std::fill(to + count, to + kWidth, 0.0f);
    for (int v = 0; factor != 1 && v < kVectors; ++v)
      (V::load(to + v * kLanes) * V::of(factor)).store(to + v * kLanes);
  }
}

// to: rows of `cols`, the transpose of from (cols, kWidth), each row times its factor.
void transpose_out(float* from, const float* factors, int64_t rows, int64_t cols, float* to) {
  for (int v = 0; v < kVectors; ++v) {
    const V factor = V::load(factors + v * kLanes);
    for (int64_t d = 0; d < cols; ++d) {
      float* const at = from + d * kWidth + v * kLanes;
      (V::load(at) * factor).store(at);
    }
  }
  transpose(to, cols, from, kWidth, rows, cols);
}

// to (blocks of kWidth columns, kWidth rows, kWidth) = `count` rows times a factor, 0 elsewhere.
void panels_in(const float* from, int64_t stride, int64_t count, int64_t cols, float factor,
               float* to) {
  const V by = V::of(factor);
  for (int64_t first = 0; first < cols; first += kWidth, to += kWidth * kWidth) {
    std::fill(to + count * kWidth, to + kWidth * kWidth, 0.0f);
    for (int v = 0; v < kVectors; ++v) {
      const float* row = from + first + v * kLanes;
      const int64_t width = std::clamp<int64_t>(cols - first - v * kLanes, 0, kLanes);
      for (int64_t i = 0; i < count; ++i, row += stride)
        (load(row, width) * by).store(to + i * kWidth + v * kLanes);
    }
  }
}

// Scores (count, kWidth) of a tile's queries on the keys from `first`, masked.
void masked_scores(const Call& c, int64_t p, int64_t query, const float* q, const float* k,
                   int64_t first, int64_t count, float* scores) {
  product({k + first * c.k.stride, c.k.stride, 1}, count, c.size, q, scores, false);
  if (c.kind.causal && first + count > query + 1) {
    float numbers[kWidth];
    for (int64_t i = 0; i < kWidth; ++i) numbers[i] = static_cast<float>(query + i - first);
    for (int64_t j = std::max<int64_t>(0, query + 1 - first); j < count; ++j) {
      const V key = V::of(static_cast<float>(j));
      for (int v = 0; v < kVectors; ++v) {
        float* const at = scores + j * kWidth + v * kLanes;
        select(key <= V::load(numbers + v * kLanes), V::load(at), V(-kInfinity)).store(at);
      }
    }
  }
  if (!c.mask) return;
  const MaskRows mask(*c.mask, p);
  const int64_t rows = std::min(kWidth, c.queries - query);
  for (int64_t j = 0; j < count; ++j) {
    float* const row = scores + j * kWidth;
    if (mask.row == 0) {
      const V same = V::of(mask(0, first + j));
      for (int v = 0; v < kVectors; ++v) (V::load(row + v * kLanes) + same).store(row + v * kLanes);
    } else {
      for (int64_t i = 0; i < rows; ++i) row[i] += mask(query + i, first + j);
    }
  }
}

// 0 where x is -infinity: what a row without any key is shifted by.
HWY_INLINE V finite_shift(V x) { return select(x == V(-kInfinity), V(0), x); }

// ---- Forward ----

struct Output {
  float *out, *lse;  // lse: null if not asked for
};

struct ForwardRoom {
  MemoryRef memory;
  float *q, *scores, *sums;
  explicit ForwardRoom(const Call& c) {
    float* const all = scratch(&memory, kWidth * (c.size + kBlock + c.value_size));
    q = all;
    scores = q + kWidth * c.size;
    sums = scores + kWidth * kBlock;
  }
};

// Queries [query, query + kWidth) of product p.
void forward_tile(const Call& c, const Output& o, int64_t p, int64_t query,
                  const ForwardRoom& room) {
  const int64_t rows = std::min(kWidth, c.queries - query);
  const float *k = c.k.at(p), *v = c.v.at(p);
  transpose_in(c.q.at(p) + query * c.q.stride, c.q.stride, rows, c.size, c.scale, room.q);
  V top[kVectors], total[kVectors];
  for (int i = 0; i < kVectors; ++i) top[i] = V(-kInfinity), total[i] = V(0);
  std::fill_n(room.sums, kWidth * c.value_size, 0.0f);
  const int64_t end = c.visible(query + rows);
  for (int64_t first = 0; first < end; first += kBlock) {
    const int64_t count = std::min(kBlock, end - first);
    masked_scores(c, p, query, room.q, k, first, count, room.scores);
    for (int i = 0; i < kVectors; ++i) {
      float* const column = room.scores + i * kLanes;
      V most = top[i];
      for (int64_t j = 0; j < count; ++j) most = greater(V::load(column + j * kWidth), most);
      const V shift = finite_shift(most);
      V sum = V(0);
      for (int64_t j = 0; j < count; ++j) {
        const V e = exp(V::load(column + j * kWidth) - shift);
        e.store(column + j * kWidth);
        sum = sum + e;
      }
      if (first > 0) {
        const V factor = exp(top[i] - shift);
        total[i] = total[i] * factor;
        for (int64_t d = 0; d < c.value_size; ++d) {
          float* const at = room.sums + d * kWidth + i * kLanes;
          (V::load(at) * factor).store(at);
        }
      }
      total[i] = total[i] + sum;
      top[i] = most;
    }
    product({v + first * c.v.stride, 1, c.v.stride}, c.value_size, count, room.scores, room.sums,
            true);
  }
  float factors[kWidth], lse[kWidth];
  for (int i = 0; i < kVectors; ++i) {
    const V one = select(total[i] == V(0), V(1), total[i]);
    (V(1) / one).store(factors + i * kLanes);
    (finite_shift(top[i]) + log(one)).store(lse + i * kLanes);
  }
  transpose_out(room.sums, factors, rows, c.value_size,
                o.out + (p * c.queries + query) * c.value_size);
  if (o.lse) std::copy_n(lse, rows, o.lse + p * c.queries + query);
}

// scores[j] = the product of q and key j for kKeys keys; lanes are elements.
template <int kKeys>
HWY_INLINE void score(const float* q, int64_t size, const float* k, int64_t stride, float* scores) {
  V sums[kKeys];
  repeat<kKeys>([&](auto j) HWY_ATTR { sums[j] = V(0); });
  int64_t d = 0;
  for (; d + kLanes <= size; d += kLanes) {
    const V x = V::load(q + d);
    repeat<kKeys>([&](auto j) HWY_ATTR { sums[j] = fma(x, V::load(k + j * stride + d), sums[j]); });
  }
  if (d < size) {
    const V x = load(q + d, size - d);
    repeat<kKeys>([&](auto j)
                      HWY_ATTR { sums[j] = fma(x, load(k + j * stride + d, size - d), sums[j]); });
  }
  if constexpr (kKeys == 4) {
    sums_of_four(sums, scores);
  } else {
    repeat<kKeys>([&](auto j) HWY_ATTR { scores[j] = sum_of(sums[j]); });
  }
}

// out = the sum of `count` rows of v, each times its weight, times a factor, for one vector of
// columns of which `width` exist. Four sums: the next product need not wait for the last.
HWY_INLINE void weighted_sum(const float* weights, int64_t count, const float* v, int64_t stride,
                             int64_t width, V factor, float* out) {
  constexpr int kSums = 4;
  V sums[kSums];
  repeat<kSums>([&](auto s) HWY_ATTR { sums[s] = V(0); });
  const auto run = [&](auto take) HWY_ATTR {
    int64_t j = 0;
    for (; j + kSums <= count; j += kSums) {
      repeat<kSums>([&](auto s) HWY_ATTR {
        sums[s] = fma(V::of(weights[j + s]), take(v + (j + s) * stride), sums[s]);
      });
    }
    for (; j < count; ++j) sums[0] = fma(V::of(weights[j]), take(v + j * stride), sums[0]);
  };
  if (width >= kLanes) {
    run([](const float* at) HWY_ATTR { return V::load(at); });
  } else {
    run([width](const float* at) HWY_ATTR { return V::load_first(width, at, V(0)); });
  }
  const V sum = ((sums[0] + sums[1]) + (sums[2] + sums[3])) * factor;
  width < kLanes ? sum.store_first(width, out) : sum.store(out);
}

// One query by itself. `scores` has room for all keys and a vector more.
void forward_query(const Call& c, const Output& o, int64_t p, int64_t query, float* scores) {
  const float *q = c.q.at(p) + query * c.q.stride, *k = c.k.at(p), *v = c.v.at(p);
  const int64_t count = c.visible(query + 1);
  int64_t j = 0;
  for (; j + 4 <= count; j += 4) score<4>(q, c.size, k + j * c.k.stride, c.k.stride, scores + j);
  for (; j < count; ++j) score<1>(q, c.size, k + j * c.k.stride, c.k.stride, scores + j);
  const int64_t whole = divide_up(count, kLanes) * kLanes;
  for (j = 0; j < whole; j += kLanes) (V::load(scores + j) * V::of(c.scale)).store(scores + j);
  if (c.mask) {
    const MaskRows mask(*c.mask, p);
    for (j = 0; j < count; ++j) scores[j] += mask(query, j);
  }
  std::fill(scores + count, scores + whole, -kInfinity);
  V most = V(-kInfinity), sums = V(0);
  for (j = 0; j < whole; j += kLanes) most = greater(V::load(scores + j), most);
  float tops[kLanes];
  most.store(tops);
  const float top = *std::max_element(tops, tops + kLanes);
  const float shift = top == -kInfinity ? 0 : top;
  for (j = 0; j < whole; j += kLanes) {
    const V e = exp(V::load(scores + j) - V::of(shift));
    e.store(scores + j);
    sums = sums + e;
  }
  const float sum = sum_of(sums), total = sum == 0 ? 1 : sum;
  float* const out = o.out + (p * c.queries + query) * c.value_size;
  for (int64_t d = 0; d < c.value_size; d += kLanes)
    weighted_sum(scores, count, v + d, c.v.stride, c.value_size - d, V::of(1 / total), out + d);
  if (o.lse) (V::of(shift) + log(V::of(total))).store_first(1, o.lse + p * c.queries + query);
}

void attention(const KernelCall& call) {
  constexpr double kPieceFlops = 2e5;
  const Call c(call);
  const Output o{call.out[0].as<float>(), call.out[1].as<float>()};
  if (!o.out && !o.lse) return;
  MemoryRef unused;
  Output to = o;
  if (!to.out) to.out = scratch(&unused, c.products * c.queries * c.value_size);
  const double flops = 2.0 * c.keys * (c.size + c.value_size);  // of a query
  if (c.queries <= kFewQueries) {
    parallel_pieces(c.products * c.queries, static_cast<int64_t>(kPieceFlops / (flops + 1)),
                    [&](int64_t begin, int64_t end) {
                      MemoryRef room;
                      float* const scores = scratch(&room, c.keys + kLanes);
                      for (int64_t i = begin; i < end; ++i)
                        forward_query(c, to, i / c.queries, i % c.queries, scores);
                    });
    return;
  }
  const int64_t tiles = divide_up(c.queries, kWidth);
  parallel_pieces(c.products * tiles, static_cast<int64_t>(kPieceFlops / (flops * kWidth + 1)),
                  [&](int64_t begin, int64_t end) {
                    const ForwardRoom room(c);
                    for (int64_t i = begin; i < end; ++i)
                      forward_tile(c, to, i / tiles, i % tiles * kWidth, room);
                  });
}

// ---- Backward ----

struct BackwardRoom {
  MemoryRef memory;
  float *q, *gout, *q_panels, *gout_panels;  // of a tile of queries
  float *weights, *gweights, *gq;            // of it and a block of keys
  float *gk, *gv;                            // of all keys: (blocks of columns, S, kWidth)
  int64_t size_blocks, value_blocks;

  explicit BackwardRoom(const Call& c)
      : size_blocks(divide_up(c.size, kWidth)), value_blocks(divide_up(c.value_size, kWidth)) {
    const int64_t counts[] = {
        c.size, c.value_size, kWidth * size_blocks, kWidth * value_blocks, kBlock,
        kBlock, c.size,       c.keys * size_blocks, c.keys * value_blocks};
    float** const places[] = {&q,        &gout, &q_panels, &gout_panels, &weights,
                              &gweights, &gq,   &gk,       &gv};
    int64_t sum = 0;
    for (int64_t n : counts) sum += n;
    float* at = scratch(&memory, sum * kWidth);
    for (size_t i = 0; i < std::size(counts); at += counts[i++] * kWidth) *places[i] = at;
  }
};

struct BackwardCall : Call {
  Operand out, gout;
  MemoryRef lse_copied;
  const float* lse;
  float *gq, *gk, *gv;

  explicit BackwardCall(const KernelCall& call)
      : Call(call),
        out(call.in[kAttentionOut]),
        gout(call.in[kAttentionGout]),
        lse(call.in[kAttentionLse].as<float>()) {
    const Array& sums = call.in[kAttentionLse];
    if (!sums.layout.is_contiguous()) {
      float* const to = scratch(&lse_copied, sums.numel());
      copy_elements(sums, to, Layout::contiguous(sums.layout.shape));
      lse = to;
    }
    gq = call.out[0].as<float>();
    gk = call.out[1].as<float>();
    gv = call.out[2].as<float>();
  }
};

// Adds what product p's queries from `query` give to the room's gk and gv, and writes their gq.
void backward_tile(const BackwardCall& c, int64_t p, int64_t query, const BackwardRoom& room) {
  const int64_t rows = std::min(kWidth, c.queries - query);
  const float *q = c.q.at(p) + query * c.q.stride, *k = c.k.at(p), *v = c.v.at(p);
  const float* out = c.out.at(p) + query * c.out.stride;
  const float* gout = c.gout.at(p) + query * c.gout.stride;
  transpose_in(q, c.q.stride, rows, c.size, c.scale, room.q);
  transpose_in(gout, c.gout.stride, rows, c.value_size, 1, room.gout);
  panels_in(q, c.q.stride, rows, c.size, c.scale, room.q_panels);
  panels_in(gout, c.gout.stride, rows, c.value_size, 1, room.gout_panels);
  // Absent queries have weight 0.
  float lse[kWidth], along[kWidth];
  for (int64_t i = 0; i < kWidth; ++i) {
    lse[i] = i < rows ? c.lse[p * c.queries + query + i] : kInfinity;
    V sum = V(0);
    for (int64_t d = 0; i < rows && d < c.value_size; d += kLanes) {
      const int64_t n = c.value_size - d;
      sum = fma(load(out + i * c.out.stride + d, n), load(gout + i * c.gout.stride + d, n), sum);
    }
    along[i] = sum_of(sum);
  }
  const int64_t end = c.visible(query + rows);
  for (int64_t first = 0; first < end; first += kBlock) {
    const int64_t count = std::min(kBlock, end - first);
    masked_scores(c, p, query, room.q, k, first, count, room.weights);
    product({v + first * c.v.stride, c.v.stride, 1}, count, c.value_size, room.gout, room.gweights,
            false);
    for (int i = 0; i < kVectors; ++i) {
      const V shift = V::load(lse + i * kLanes), centre = V::load(along + i * kLanes);
      for (int64_t j = 0; j < count; ++j) {
        float* const weight = room.weights + j * kWidth + i * kLanes;
        float* const gradient = room.gweights + j * kWidth + i * kLanes;
        const V w = exp(V::load(weight) - shift);
        w.store(weight);
        (w * (V::load(gradient) - centre)).store(gradient);
      }
    }
    for (int64_t b = 0; b < room.value_blocks; ++b)
      product({room.weights, kWidth, 1}, count, kWidth, room.gout_panels + b * kWidth * kWidth,
              room.gv + (b * c.keys + first) * kWidth, true);
    for (int64_t b = 0; b < room.size_blocks; ++b)
      product({room.gweights, kWidth, 1}, count, kWidth, room.q_panels + b * kWidth * kWidth,
              room.gk + (b * c.keys + first) * kWidth, true);
    product({k + first * c.k.stride, 1, c.k.stride}, c.size, count, room.gweights, room.gq,
            first > 0);
  }
  if (!c.gq) return;
  if (end == 0) std::fill_n(room.gq, c.size * kWidth, 0.0f);
  std::fill_n(along, kWidth, c.scale);
  transpose_out(room.gq, along, rows, c.size, c.gq + (p * c.queries + query) * c.size);
}

// to (S, cols) from (blocks, keys, kWidth); rows of keys that do not count are 0.
void write_out(const float* from, int64_t keys, int64_t rows, int64_t cols, float* to) {
  if (!to) return;
  for (int64_t j = 0; j < rows; ++j) {
    for (int64_t first = 0; first < cols; first += kWidth) {
      const int64_t width = std::min(kWidth, cols - first);
      float* const row = to + j * cols + first;
      if (j < keys)
        std::copy_n(from + (first / kWidth * keys + j) * kWidth, width, row);
      else
        std::fill_n(row, width, 0.0f);
    }
  }
}

void attention_backward(const KernelCall& call) {
  const BackwardCall c(call);
  parallel_for(c.products, [&](int64_t p) {
    const BackwardRoom room(c);
    std::fill_n(room.gk, c.keys * room.size_blocks * kWidth, 0.0f);
    std::fill_n(room.gv, c.keys * room.value_blocks * kWidth, 0.0f);
    for (int64_t query = 0; query < c.queries; query += kWidth) backward_tile(c, p, query, room);
    const int64_t all = c.k.rows;
    write_out(room.gk, c.keys, all, c.size, c.gk ? c.gk + p * all * c.size : nullptr);
    write_out(room.gv, c.keys, all, c.value_size, c.gv ? c.gv + p * all * c.value_size : nullptr);
  });
}

}  // namespace
}  // namespace glia::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace glia::cpu {
namespace {

GLIA_EXPORT(attention);
GLIA_EXPORT(attention_backward);

const RegisterKernel kernels[] = {
    {{"attention", {kF32}, GLIA_CHOOSE(attention)}},
    {{"attention_backward", {kF32}, GLIA_CHOOSE(attention_backward)}},
};

}  // namespace
}  // namespace glia::cpu
#endif
