// Matrix products of any size: pieces of the output, each computed by one thread in blocks that
// stay in its caches.
#include <algorithm>
#include <cstring>

#include "backend/cpu/gemm/gemm.h"
#include "backend/cpu/gemm/pack.h"
#include "core/node.h"
#include "runtime/threads.h"

namespace glia::cpu::gemm {
namespace {

constexpr int64_t kThin = 8;          // fewer rows or columns: reading the other matrix is the work
constexpr int64_t kDepth = 384;       // of k that a block of B has
constexpr int64_t kWidth = 256;       // columns that a packed block of B has
constexpr int64_t kHeight = 256;      // rows that a packed block of A has
constexpr int64_t kColumns = 64;      // columns of the output are cut at multiples
constexpr int64_t kNear = 1008;       // rows of B no farther apart are read where they lie
constexpr int64_t kDotDepth = 64;     // from here on dot products pay
constexpr int64_t kPart = 1 << 14;    // elements of the output handed on at a time
constexpr int64_t kStream = 3 << 15;  // elements that a thread reads while another wakes up
constexpr int64_t kShared = 1 << 18;  // elements of B that are packed for all pieces together
constexpr int64_t kStreamed = 1 << 17;  // elements of B that no cache keeps until they come again

// c (m, n), rows `c_row` apart, = a (m, k) b (k, n); if b_panel is not 0, b is as pack_columns
// leaves it, its panels so many elements apart.
template <class T>
struct Product {
  int64_t m = 0, n = 0, k = 0;
  const T* a = nullptr;
  int64_t a_row = 0, a_col = 1;
  const T* b = nullptr;
  int64_t b_row = 0, b_col = 1, b_panel = 0;
  T* c = nullptr;
  int64_t c_row = 0;
};

// Whether rows of B are read where they lie.
template <class T>
bool is_direct(const Kernels<T>& kernels, const Product<T>& p) {
  return p.b_col == 1 && (p.m <= 2 * kernels.rows || p.b_row <= kNear);
}

// Hands on parts of a piece that starts at (row, column) of the output.
struct Finish {
  Epilogue* epilogue = nullptr;
  int64_t row = 0, column = 0;
  int64_t index = 0;        // of its first part
  int64_t most_rows = 0;    // of a part
  bool whole_rows = false;  // parts have all columns of the piece

  void operator()(int64_t part, int64_t i, int64_t rows, int64_t j, int64_t columns) const {
    if (epilogue) epilogue->run({index + part, row + i, rows, column + j, columns});
  }
};

// Both matrices with contiguous rows of k, one of them with few.
template <class T>
bool dots_fit(const Product<T>& p) {
  if (p.k < kDotDepth || std::min(p.m, p.n) >= kThin) return false;
  return p.m < kThin ? p.b_row == 1 && (p.b_col != 1 || p.n == 1) : p.a_col == 1;
}

template <class T>
void multiply_by_dots(const Kernels<T>& kernels, const Product<T>& p, const Finish& finish) {
  Dots<T> d{.thin = p.m, .wide = p.n, .k = p.k, .x = p.a, .x_row = p.a_row, .y = p.b};
  d.y_row = p.b_col;
  d.c = p.c;
  d.c_thin = p.c_row;
  d.c_wide = 1;
  int64_t x_col = p.a_col;
  if (p.m >= kThin) {
    d = {.thin = p.n, .wide = p.m, .k = p.k, .x = p.b, .x_row = p.b_col, .y = p.a};
    d.y_row = p.a_row;
    d.c = p.c;
    d.c_thin = 1;
    d.c_wide = p.c_row;
    x_col = p.b_row;
  }
  if (x_col != 1) {
    T* const copy = workspace<T>(d.thin * d.k);
    for (int64_t t = 0; t < d.thin; ++t)
      for (int64_t l = 0; l < d.k; ++l) copy[t * d.k + l] = d.x[t * d.x_row + l * x_col];
    d.x = copy;
    d.x_row = d.k;
  }
  kernels.dots(d);
  finish(0, 0, p.m, 0, p.n);
}

// Blocks of k outermost, then of rows, then of columns.
template <class T>
void multiply_by_blocks(const Kernels<T>& kernels, const Product<T>& p, const Finish& finish) {
  const int64_t lanes = kernels.lanes;
  const bool direct = p.b_panel != 0 || is_direct(kernels, p);
  const bool streamed = direct && p.m < kThin && p.k * p.n > kStreamed;
  const int64_t depth = streamed ? 16 : divide_up(p.k, divide_up(p.k, kDepth));
  // Along rows, A is read line by line; across them a tile needs part of a line, which must last.
  const bool compact = p.a_col != 1 && rows_collide<T>(p.a_col) && p.m > 1 && p.n > 2 * lanes;
  int64_t width = direct ? p.n : round_up(divide_up(p.n, divide_up(p.n, kWidth)), 2 * lanes);
  int64_t height = compact ? round_up(divide_up(p.m, divide_up(p.m, kHeight)), kernels.rows) : p.m;
  if (finish.epilogue) {
    height = std::min(height, finish.most_rows);
    if (width < p.n) width = round_up(width, kColumns);
  }

  const int64_t packed_b = direct ? 0 : depth * round_up(width, lanes);
  const int64_t a_line = round_up(height, 16) + 16, packed_a = compact ? depth * a_line : 0;
  T* const to_b = packed_a + packed_b > 0 ? workspace<T>(packed_a + packed_b) : nullptr;
  T* const to_a = to_b + packed_b;

  for (int64_t l = 0; l < p.k; l += depth) {
    Block<T> block{.k = std::min(depth, p.k - l)};
    block.add = l > 0;
    block.c_row = p.c_row;
    for (int64_t i = 0; i < p.m; i += height) {
      block.rows = std::min(height, p.m - i);
      block.a = p.a + i * p.a_row + l * p.a_col;
      block.a_row = p.a_row;
      block.a_col = p.a_col;
      if (compact) {
        copy_rows(to_a, a_line, block.a, p.a_col, block.k, block.rows);
        block.a_col = a_line;
        block.a = to_a;
      }
      for (int64_t j = 0; j < p.n; j += width) {
        block.columns = std::min(width, p.n - j);
        block.c = p.c + i * p.c_row + j;
        block.b = p.b + l * p.b_row + j * p.b_col;
        block.b_row = p.b_row;
        block.b_panel = lanes;
        if (p.b_panel != 0) {
          block.b = p.b + l * lanes + j / lanes * p.b_panel;
          block.b_row = lanes;
          block.b_panel = p.b_panel;
          block.padded = true;
        } else if (!direct) {
          pack_columns(kernels, block.b, p.b_row, p.b_col, block.k, block.columns, to_b);
          block.b = to_b;
          block.b_row = lanes;
          block.b_panel = block.k * lanes;
          block.padded = true;
        }
        kernels.block(block);
        if (l + block.k == p.k && !finish.whole_rows)
          finish(i / height, i, block.rows, j, block.columns);
      }
      if (l + block.k == p.k && finish.whole_rows) finish(i / height, i, block.rows, 0, p.n);
    }
  }
}

template <class T>
void multiply(const Kernels<T>& kernels, const Product<T>& p, const Finish& finish) {
  p.b_panel == 0 && dots_fit(p) ? multiply_by_dots(kernels, p, finish)
                                : multiply_by_blocks(kernels, p, finish);
}

// ---- Cutting

struct Axis {
  int64_t size, step = size, count = 1;
  // Into so many pieces at most, of a multiple of `unit`.
  void into(int64_t pieces, int64_t unit) {
    step = round_up(divide_up(size, std::max<int64_t>(1, pieces)), unit);
    count = divide_up(size, step);
  }
};

// How a batch of products is cut, by shape alone: whole products in groups, or each into blocks of
// its output, and of k where the output is too small to be cut.
struct Cut {
  int64_t group = 1;
  Axis m, n, k;
};

template <class T>
Cut cut(const Kernels<T>& kernels, const Product<T>& p, int64_t batch, bool whole_rows) {
  // Operations of a piece: of eight, and of more. Columns of A are read best by large pieces.
  constexpr double kLeast = 1e6;
  const double large = p.a_col == 1 ? 1.6e7 : 1e9;
  Cut c{.m = {p.m}, .n = {p.n}, .k = {p.k}};
  const double m = p.m, n = p.n, k = p.k;
  // Reading an element costs about as much as ten operations on it.
  const double work = batch * (2 * m * n * k + 10 * (m * k + k * n + m * n));
  const double few = std::min(work / kLeast, 8.0), many = std::min(work / large, 32.0);
  int64_t pieces = std::max<int64_t>(1, static_cast<int64_t>(std::max(few, many)));
  const bool thin = p.m < kThin || p.n < kThin;
  if (thin) pieces = std::max(pieces, std::min<int64_t>(std::max(p.m, p.n) * p.k / kStream, 8));
  if (batch >= pieces) {
    c.group = divide_up(batch, pieces);
    return c;
  }
  const int64_t wanted = divide_up(pieces, batch), lines = 4 * kernels.rows;
  if (thin) {
    Axis& wide = p.m < p.n ? c.n : c.m;
    if (!whole_rows || &wide == &c.m) wide.into(std::min(wanted, wide.size / kColumns), kColumns);
    c.k.into(std::min(wanted / wide.count, p.k / 4096), 64);
    return c;
  }
  // Long columns of both are best read once, by whole rows.
  constexpr int64_t kLongest = 512, kSmall = 1 << 16;
  if (p.a_row == 1 && p.b_col == 1 && p.m * p.n <= kSmall)
    c.k.into(std::min({wanted, p.k / kLongest, int64_t{4}}), 8);
  while (c.m.count * c.n.count * c.k.count < wanted) {  // halve the longer side
    if (!whole_rows && c.n.step > kColumns && (c.n.step >= c.m.step || c.m.step < 2 * lines)) {
      c.n.into(2 * c.n.count, kColumns);
    } else if (c.m.step >= 2 * lines) {
      c.m.into(2 * c.m.count, kernels.rows);
    } else {
      break;
    }
  }
  if (c.k.count == 1) c.k.into(std::min(wanted / (c.m.count * c.n.count), p.k / kLongest), 8);
  return c;
}

// out = the sum of the partial outputs, in parts of whole rows or of one row.
template <class T>
void add_up(const T* partials, int64_t count, int64_t m, int64_t n, T* out, const Finish& finish) {
  const int64_t columns = finish.whole_rows ? n : std::min(n, kPart);
  const int64_t rows = std::max<int64_t>(1, kPart / n), across = divide_up(n, columns);
  if (finish.epilogue) finish.epilogue->begin(divide_up(m, rows));
  parallel_for(divide_up(m, rows) * across, [&](int64_t part) {
    const int64_t i = part / across * rows, j = part % across * columns;
    const int64_t height = std::min(rows, m - i), width = std::min(columns, n - j);
    add_partials(partials + i * n + j, count, m * n, out + i * n + j, height * width);
    finish(part / across, i, height, j, width);
  });
}

}  // namespace

bool can(const MatmulShape& s, int64_t) {
  return s.dtype == kBF16 ? pair_kernels() != nullptr : kernels<float>() != nullptr;
}

// In bf16 oneDNN is ahead where much is to be put in pairs for little work, where the last vectors
// are not filled, and in large products.
bool pays_in_bf16(const MatmulShape& s, int64_t batch) {
  constexpr int64_t kTiny = 1 << 17, kMost = 1 << 24;
  const int64_t work = s.m * s.n * s.k;
  if (work <= kTiny) return true;
  if (s.k < kDotDepth || batch > 1) return false;
  if (std::min(s.m, s.n) < kThin) return s.m < kThin ? s.b_row == 1 : s.a_col == 1;
  if (s.n >= kColumns && s.n % 16 != 0) return false;
  return work <= kMost && (s.b_row == 1 || s.m >= kDotDepth);
}

bool pays(const MatmulShape& s, int64_t batch) {
  if (s.dtype == kBF16) return pays_in_bf16(s, batch);
  constexpr int64_t kVector = 1 << 15, kOuter = 1 << 13, kLong = 1 << 23;
  constexpr int64_t kHuge = int64_t{1} << 31;
  if (batch > 1) return true;
  // One row times rows beyond L1, a few beyond L2, outer products, and the largest.
  const bool dots = s.k >= kDotDepth && (s.m == 1 ? s.b_row == 1 : s.n == 1 && s.a_col == 1);
  if (std::min(s.m, s.n) == 1) return dots || std::max(s.m, s.n) * s.k < kVector;
  if (s.m < kThin && s.b_col != 1) return s.n * s.k < kVector;
  if (std::min(s.m, s.n) < kThin) return std::max(s.m, s.n) * s.k < kLong;
  if (s.k < 16 && s.m * s.n > kOuter) return false;
  // On AVX2 oneDNN reads rows that collide where they lie, up to eight times this.
  const bool collide =
      kernels<float>()->lanes == 8 && (rows_collide(s.a_row) || rows_collide(s.b_row));
  return s.m * s.n * s.k < (collide ? 8 * kHuge : kHuge);
}

template <class T>
void matmul(const Kernels<T>& kernels, const MatmulShape& s, std::span<const int64_t> a_offsets,
            std::span<const int64_t> b_offsets, const T* a, const T* b, T* out,
            Epilogue* epilogue) {
  const int64_t batch = static_cast<int64_t>(a_offsets.size()), size = s.m * s.n;
  if (batch * size == 0) return;
  Product<T> whole{
      .m = s.m, .n = s.n, .k = s.k, .a = a, .a_row = s.a_row, .a_col = s.a_col, .b = b};
  whole.b_row = s.b_row;
  whole.b_col = s.b_col;
  whole.c_row = s.n;
  if (s.n == 1 && s.m > 1) {  // as a row: c^T = b^T a^T
    std::swap(whole.m, whole.n);
    std::swap(whole.a, whole.b);
    std::swap(a_offsets, b_offsets);
    whole.a_row = 0;
    whole.a_col = s.b_row;
    whole.b_row = s.a_col;
    whole.b_col = s.a_row;
    whole.c_row = s.m;
  }
  // Axes of size 1 have strides of no meaning; what is left has one of 1.
  if (whole.k == 1) whole.a_col = 1;
  if (whole.n == 1) whole.b_col = 1;
  if (whole.m == 1 && whole.a_col != 1) whole.a_row = 1;

  if (whole.k == 0) {
    std::memset(out, 0, batch * size * sizeof(T));
    if (epilogue) epilogue->begin(1);
    return Finish{.epilogue = epilogue}(0, 0, s.m, 0, s.n);
  }
  const bool whole_rows = epilogue && epilogue->whole_rows;
  const Cut c = cut(kernels, whole, batch, whole_rows);
  Finish finish{.epilogue = epilogue, .whole_rows = whole_rows};
  finish.most_rows =
      round_up(std::max(kernels.rows, kPart / std::min(c.n.step, 2 * kWidth)), kernels.rows);
  // Blocks of packed rows are at least half as high as they may be.
  const int64_t parts_of_piece = divide_up(c.m.step, std::min(finish.most_rows, kHeight / 2));
  if (epilogue && c.k.count == 1) epilogue->begin(c.m.count * parts_of_piece);
  const int64_t blocks = c.m.count * c.n.count * c.k.count;
  if (blocks == 1) {
    return parallel_for(divide_up(batch, c.group), [&](int64_t piece) {
      const int64_t end = std::min(batch, (piece + 1) * c.group);
      for (int64_t i = piece * c.group; i < end; ++i) {
        Product<T> p = whole;
        p.a += a_offsets[i];
        p.b += b_offsets[i];
        p.c = out + i * size;
        multiply(kernels, p, finish);
      }
    });
  }

  // What every row of pieces would pack for itself is packed once, unless it outgrows the cache.
  MemoryRef packed;
  Product<T> piece_of_rows = whole;
  piece_of_rows.m = std::min(c.m.step, whole.m);
  if (batch == 1 && c.m.count > 1 && whole.k * whole.n <= kShared && !dots_fit(piece_of_rows) &&
      !is_direct(kernels, piece_of_rows)) {
    const int64_t lanes = kernels.lanes, size = whole.k * lanes, panels = divide_up(whole.n, lanes);
    packed = allocate<T>(panels * size);
    const T* const from = whole.b + b_offsets[0];
    parallel_pack(panels * size, panels, [&](int64_t i) {
      pack_columns(kernels, from + i * lanes * whole.b_col, whole.b_row, whole.b_col, whole.k,
                   std::min(lanes, whole.n - i * lanes), elements<T>(packed) + i * size);
    });
    whole.b_panel = size;
  }

  MemoryRef partials;  // (k pieces, batch, m, n)
  if (c.k.count > 1) partials = allocate<T>(c.k.count * batch * size);
  T* const to = partials ? elements<T>(partials) : out;
  parallel_for(batch * blocks, [&](int64_t piece) {
    const int64_t slot = piece / (c.n.count * c.m.count), product = slot % batch;
    const int64_t i = piece / c.n.count % c.m.count * c.m.step;
    const int64_t j = piece % c.n.count * c.n.step;
    const int64_t l = slot / batch * c.k.step;
    Product<T> p = whole;
    p.m = std::min(c.m.step, whole.m - i);
    p.n = std::min(c.n.step, whole.n - j);
    p.k = std::min(c.k.step, whole.k - l);
    p.a += a_offsets[product] + i * whole.a_row + l * whole.a_col;
    p.b = packed ? elements<T>(packed) + l * kernels.lanes + j / kernels.lanes * whole.b_panel
                 : whole.b + b_offsets[product] + l * whole.b_row + j * whole.b_col;
    p.c = to + slot * size + i * whole.c_row + j;
    Finish part = finish;
    part.index = i / c.m.step * parts_of_piece;
    part.row = i;
    part.column = j;
    if (partials) part.epilogue = nullptr;
    multiply(kernels, p, part);
  });
  if (!partials) return;
  add_up(elements<T>(partials), c.k.count, batch * whole.m, whole.n, out, finish);
}

#define GLIA_INSTANTIATE(T)                                                             \
  template void matmul(const Kernels<T>&, const MatmulShape&, std::span<const int64_t>, \
                       std::span<const int64_t>, const T*, const T*, T*, Epilogue*);
GLIA_INSTANTIATE(float)
GLIA_INSTANTIATE(double)
GLIA_INSTANTIATE(int32_t)
#undef GLIA_INSTANTIATE

}  // namespace glia::cpu::gemm
