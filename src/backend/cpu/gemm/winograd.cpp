// A tile of 4x4 outputs is A^T [(G w G^T) * (B^T x B)] A: 36 products for each pair of channels
// where the sum itself has 144. Over many tiles, each of the 36 is a matrix product. A gradient of
// weights is the transposed algorithm: G^T [(A dy A^T) * (B^T x B)] G, summed over tiles.
//
// The polynomials behind A, B and G meet at 0, +-1/sqrt(2), +-sqrt(2) and infinity, which keeps
// numbers nearer to each other than the usual 0, +-1, +-2. Of normal numbers in f32 the relative
// error (RMS, against f64) is 5e-7 to 7e-7 in all passes; of plain sums of 16 to 128 channels,
// 2e-7 to 6e-7.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/gemm/winograd.cpp"
#include "backend/cpu/simd/targets.h"

#include <algorithm>

#include "backend/cpu/gemm/pack.h"
#include "backend/cpu/gemm/winograd.h"
#include "backend/cpu/simd/functions.h"
#include "backend/cpu/simd/lane-inl.h"
#include "core/node.h"
#include "runtime/threads.h"

// Once, though this file is compiled for each instruction set.
#ifndef GLIA_WINOGRAD_LINES
#define GLIA_WINOGRAD_LINES
namespace glia::cpu::gemm::winograd {

constexpr int64_t kTile = 4, kPoints = 6;  // along each axis: outputs, and what a tile becomes

// A transform along one axis: for each of `items` and j < n, the numbers from[.][j] become
// to[.][j]; items lie from_item and to_item apart.
struct Lines {
  const float* from[kPoints] = {};
  float* to[kPoints] = {};
  int64_t n = 0, items = 1, from_item = 0, to_item = 0;
};
using Transform = void (*)(const Lines&);

struct Transforms {
  Transform image;     // B^T: 6 to 6
  Transform output;    // A^T: 6 to 4
  Transform spread;    // A: 4 to 6
  Transform weights;   // G: 3 to 6
  Transform gradient;  // G^T: 6 to 3
};

}  // namespace glia::cpu::gemm::winograd
#endif

HWY_BEFORE_NAMESPACE();
namespace glia::cpu::HWY_NAMESPACE {

using gemm::winograd::Lines;
using V = Lane<float>;

constexpr double kA = 0.70710678118654752440, kB = 2 * kA;  // the points; their squares: 1/2, 2

struct Image {
  static constexpr int kIn = 6, kOut = 6;
  static HWY_INLINE void apply(const V* x, V* out) {
    const V even_a = fma(V(-2), x[2], x[4]), odd_a = fma(V(-2), x[1], x[3]);
    const V even_b = fma(V(-0.5), x[2], x[4]), odd_b = fma(V(-0.5), x[1], x[3]);
    out[0] = fma(V(-2.5), x[2], x[0] + x[4]);
    out[1] = fma(V(kA), odd_a, even_a);
    out[2] = fma(V(-kA), odd_a, even_a);
    out[3] = fma(V(kB), odd_b, even_b);
    out[4] = fma(V(-kB), odd_b, even_b);
    out[5] = fma(V(-2.5), x[3], x[1] + x[5]);
  }
};

struct Output {
  static constexpr int kIn = 6, kOut = 4;
  static HWY_INLINE void apply(const V* x, V* out) {
    const V even_a = x[1] + x[2], odd_a = x[1] - x[2];
    const V even_b = x[3] + x[4], odd_b = x[3] - x[4];
    out[0] = x[0] + (even_a + even_b);
    out[1] = fma(V(kB), odd_b, V(kA) * odd_a);
    out[2] = fma(V(2), even_b, V(0.5) * even_a);
    out[3] = fma(V(2 * kB), odd_b, fma(V(0.5 * kA), odd_a, x[5]));
  }
};

struct Spread {
  static constexpr int kIn = 4, kOut = 6;
  static HWY_INLINE void apply(const V* x, V* out) {
    const V even_a = fma(V(0.5), x[2], x[0]), odd_a = fma(V(0.5), x[3], x[1]);
    const V even_b = fma(V(2), x[2], x[0]), odd_b = fma(V(2), x[3], x[1]);
    out[0] = x[0];
    out[1] = fma(V(kA), odd_a, even_a);
    out[2] = fma(V(-kA), odd_a, even_a);
    out[3] = fma(V(kB), odd_b, even_b);
    out[4] = fma(V(-kB), odd_b, even_b);
    out[5] = x[3];
  }
};

struct Weights {
  static constexpr int kIn = 3, kOut = 6;
  static HWY_INLINE void apply(const V* x, V* out) {
    const V even_a = fma(V(0.5), x[2], x[0]) * V(-2. / 3), odd_a = x[1] * V(-2. / 3 * kA);
    const V even_b = fma(V(2), x[2], x[0]) * V(1. / 6), odd_b = x[1] * V(1. / 6 * kB);
    out[0] = x[0];
    out[1] = even_a + odd_a;
    out[2] = even_a - odd_a;
    out[3] = even_b + odd_b;
    out[4] = even_b - odd_b;
    out[5] = x[2];
  }
};

struct Gradient {
  static constexpr int kIn = 6, kOut = 3;
  static HWY_INLINE void apply(const V* x, V* out) {
    const V even_a = V(-2. / 3) * (x[1] + x[2]), odd_a = x[1] - x[2];
    const V even_b = V(1. / 6) * (x[3] + x[4]), odd_b = x[3] - x[4];
    out[0] = x[0] + (even_a + even_b);
    out[1] = fma(V(1. / 6 * kB), odd_b, V(-2. / 3 * kA) * odd_a);
    out[2] = fma(V(2), even_b, fma(V(0.5), even_a, x[5]));
  }
};

template <class T>
void transform(const Lines& lines) {
  const float* from[T::kIn];
  float* to[T::kOut];
  repeat<T::kIn>([&](auto i) HWY_ATTR { from[i] = lines.from[i]; });
  repeat<T::kOut>([&](auto i) HWY_ATTR { to[i] = lines.to[i]; });
  for (int64_t item = 0; item < lines.items; ++item) {
    V x[T::kIn], out[T::kOut];
    // The pointers stay as they are: counting 12 of them up costs more than the arithmetic.
    int64_t f = item * lines.from_item, t = item * lines.to_item, left = lines.n;
    for (; left >= V::kLanes; left -= V::kLanes, f += V::kLanes, t += V::kLanes) {
      repeat<T::kIn>([&](auto i) HWY_ATTR { x[i] = V::load(from[i] + f); });
      T::apply(x, out);
      repeat<T::kOut>([&](auto i) HWY_ATTR { out[i].store(to[i] + t); });
    }
    if (left > 0) {
      repeat<T::kIn>([&](auto i) HWY_ATTR { x[i] = V::load_first(left, from[i] + f, V(0)); });
      T::apply(x, out);
      repeat<T::kOut>([&](auto i) HWY_ATTR { out[i].store_first(left, to[i] + t); });
    }
  }
}

const gemm::winograd::Transforms& winograd_transforms() {
  static constexpr gemm::winograd::Transforms kTable{transform<Image>, transform<Output>,
                                                     transform<Spread>, transform<Weights>,
                                                     transform<Gradient>};
  return kTable;
}

}  // namespace glia::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace glia::cpu {

GLIA_EXPORT(winograd_transforms);

namespace gemm::winograd {
namespace {

constexpr int64_t kSquare = kPoints * kPoints;
constexpr int64_t kNearFloats = 9 << 12;  // of transformed tiles that a thread works on at a time
constexpr int64_t kDepth = 32;    // channels summed at a time: with more, sums lose what points won
constexpr int64_t kFewTiles = 8;  // of a thread, at least: with fewer, reading weights is the work
constexpr int64_t kPieces = 8;    // of the work, each some runs
constexpr double kLeast = 2e6;    // operations of the plain sum that a thread's piece has, at least

// A strip is a row of tiles of an image; a run is some strips, counted through all images.
struct Grid {
  Grid(const ConvShape& s, int64_t channels)
      : across(divide_up(s.ow, kTile)),
        down(divide_up(s.oh, kTile)),
        strips(s.n * down),
        pitch(round_up(channels, 16)) {
    const double operations = 2.0 * s.n * s.oh * s.ow * s.o * s.c * 9;
    const auto pieces = std::clamp<int64_t>(static_cast<int64_t>(operations / kLeast), 1, kPieces);
    const int64_t near = std::max<int64_t>(1, kNearFloats / (kSquare * pitch * across));
    run = std::max(divide_up(strips, pieces), divide_up(kFewTiles, across));
    run = std::min({run, near, strips});
    runs = divide_up(strips, run);
  }
  int64_t end_of(int64_t i) const { return std::min(strips, (i + 1) * run); }
  // Between the matrices of two points; not a power of 2.
  int64_t slot() const { return run * across * pitch + 16; }

  int64_t across, down, strips;
  int64_t pitch;  // floats from a transformed tile to the next
  int64_t run, runs;
};

// The first row of a strip's tiles and how many of these are in the image.
struct Strip {
  Strip(const ConvShape& s, const Grid& grid, int64_t i)
      : image(i / grid.down), row(i % grid.down * kTile), rows(std::min(kTile, s.oh - row)) {}
  int64_t image, row, rows;
};

// Rows of `line` floats that a transform along columns leaves for the one along rows.
struct Middle {
  float* data;
  int64_t line;
};

// All `items` tiles of a strip along rows, from `middle` to the 36 matrices.
void to_tiles(Transform transform, const Middle& middle, int64_t step, int64_t channels, int64_t in,
              const Grid& grid, float* out) {
  for (int64_t r = 0; r < kPoints; ++r) {
    Lines lines{.n = channels, .items = grid.across, .from_item = step, .to_item = grid.pitch};
    for (int64_t j = 0; j < in; ++j) lines.from[j] = middle.data + r * middle.line + j * channels;
    for (int64_t j = 0; j < kPoints; ++j) lines.to[j] = out + (r * kPoints + j) * grid.slot();
    transform(lines);
  }
}

// `count` rows of an image (h, w, channels) from `top` on, which may lie outside, along columns.
void from_image(Transform transform, const float* image, int64_t h, int64_t w, int64_t channels,
                int64_t top, int64_t left, int64_t count, const float* zeros,
                const Middle& middle) {
  const int64_t line = w * channels, start = std::min(left * channels, middle.line);
  Lines lines{.n = std::clamp<int64_t>(line, 0, middle.line - start)};
  for (int64_t i = 0; i < count; ++i) {
    const int64_t row = top + i;
    lines.from[i] = row >= 0 && row < h ? image + row * line : zeros;
  }
  for (int64_t i = 0; i < kPoints; ++i) {
    float* const out = middle.data + i * middle.line;
    lines.to[i] = out + start;
    std::fill_n(out, start, 0.0f);
    std::fill(out + start + lines.n, out + middle.line, 0.0f);
  }
  transform(lines);
}

// What a thread works in.
struct Work {
  // `rows`: floats of the longest row of an image; `slots`: 36 of them or a few more.
  Work(int64_t rows, int64_t line, int64_t slots) {
    rows = round_up(rows, 16);
    spare = workspace(rows + kPoints * line + slots);
    middle = spare + rows;
    tiles = middle + kPoints * line;
  }
  float *spare, *middle, *tiles;
};

// The first row of a strip in images of so many rows, counted through all images.
int64_t first_row(const Grid& grid, int64_t strip, int64_t rows) {
  return strip / grid.down * rows + std::min(strip % grid.down * kTile, rows);
}

// What strips [begin, end) cover of images of rows of `line` floats. Transforms would wait for
// memory that products leave idle, so what they read and write next is fetched between products.
struct Ahead {
  Ahead(const Grid& grid, int64_t begin, int64_t end, const float* images, int64_t rows,
        int64_t line)
      : from(images + first_row(grid, begin, rows) * line),
        floats((first_row(grid, end, rows) - first_row(grid, begin, rows)) * line) {}
  // One of 36 parts. Not inlined, it is a function without effects to gcc, and calls are left out.
  HWY_INLINE void fetch(int64_t part) const {
    for (int64_t i = round_up(part * floats / kSquare, 16); i < (part + 1) * floats / kSquare;
         i += 16)
      __builtin_prefetch(from + i);
  }
  const float* from;
  int64_t floats;
};

// B^T x B of all strips of a run.
void transform_image(const Transforms& transforms, const ConvShape& s, const Grid& grid,
                     int64_t begin, int64_t end, const float* x, const float* zeros, float* middle,
                     float* out) {
  const Middle columns{middle, (grid.across * kTile + 2) * s.c};
  for (int64_t i = begin; i < end; ++i, out += grid.across * grid.pitch) {
    const Strip strip(s, grid, i);
    from_image(transforms.image, x + strip.image * s.h * s.w * s.c, s.h, s.w, s.c,
               strip.row - s.pad_h, s.pad_w, kPoints, zeros, columns);
    to_tiles(transforms.image, columns, kTile * s.c, s.c, kPoints, grid, out);
  }
}

const Transforms& transforms() { return GLIA_DISPATCH(winograd_transforms)(); }

}  // namespace

bool can(const ConvShape& s) {
  return s.kh == 3 && s.kw == 3 && s.stride_h == 1 && s.stride_w == 1 && s.dilation_h == 1 &&
         s.dilation_w == 1 && s.groups == 1;
}

// Transforms cost as much as products of some channels, those of weights as some tiles. Sums of a
// gradient have to stay in cache.
bool pays(const ConvShape& s, bool gradient) {
  const int64_t across = divide_up(s.ow, kTile), down = divide_up(s.oh, kTile);
  const int64_t tiles = s.n * across * down;
  if (2 * s.oh * s.ow < kTile * kTile * across * down) return false;
  if (!gradient) return tiles >= 4 && s.c >= 8;
  return tiles >= 64 && s.c >= 16 && s.c * s.o <= 1 << 15;
}

MemoryRef transform_weights(const Kernels<float>& kernels, int64_t c, int64_t o,
                            const float* packed) {
  const Transforms& transforms = winograd::transforms();
  constexpr int64_t kRows = 16;
  const int64_t panels = divide_up(o, kernels.lanes), size = c * kernels.lanes;
  MemoryRef memory = allocate(kSquare * panels * size);
  float* const out = floats(memory);
  const int64_t pieces = divide_up(c, kRows);
  const auto run = [&](int64_t piece) {
    const int64_t first = piece % pieces * kRows * kernels.lanes;
    const float* const from = packed + piece / pieces * 9 * size + first;
    float* const to = out + piece / pieces * size + first;
    float middle[3 * kPoints * kRows * 16];
    Lines lines{.n = std::min(kRows * kernels.lanes, size - first)};
    for (int64_t j = 0; j < 3; ++j) {
      for (int64_t i = 0; i < 3; ++i) lines.from[i] = from + (i * 3 + j) * size;
      for (int64_t i = 0; i < kPoints; ++i) lines.to[i] = middle + (i * 3 + j) * lines.n;
      transforms.weights(lines);
    }
    for (int64_t i = 0; i < kPoints; ++i) {
      for (int64_t j = 0; j < 3; ++j) lines.from[j] = middle + (i * 3 + j) * lines.n;
      for (int64_t j = 0; j < kPoints; ++j) lines.to[j] = to + (i * kPoints + j) * panels * size;
      transforms.weights(lines);
    }
  };
  parallel_pack(kSquare * panels * size, panels * pieces, run);
  return memory;
}

void correlate(const Kernels<float>& kernels, const ConvShape& s, const float* x,
               const float* matrices, int64_t matrix, float* y, int64_t y_row, Epilogue* epilogue) {
  const Transforms& transforms = winograd::transforms();
  const Grid grid(s, std::max(s.c, s.o));
  const int64_t slot = grid.slot();
  if (epilogue) epilogue->begin(grid.runs);
  const auto compute = [&](int64_t run) {
    const int64_t begin = run * grid.run, end = grid.end_of(run);
    // The 36 products lie a slot before their left matrices, each over one that is done with.
    const Work work(std::max(s.w * s.c, s.ow * y_row),
                    (grid.across * kTile + 2) * std::max(s.c, s.o), (kSquare + 1) * slot);
    float* const products = work.tiles;
    std::fill_n(work.spare, s.w * s.c, 0.0f);
    transform_image(transforms, s, grid, begin, end, x, work.spare, work.middle, products + slot);

    Block<float> block{.rows = (end - begin) * grid.across, .columns = s.o};
    block.a_row = grid.pitch;
    block.b_row = kernels.lanes;
    block.b_panel = s.c * kernels.lanes;
    block.c_row = grid.pitch;
    block.padded = true;
    const Ahead input(grid, end, grid.end_of(run + 1), x, s.h, s.w * s.c);
    const Ahead output(grid, begin, end, y, s.oh, s.ow * y_row);
    for (int64_t i = 0; i < kSquare; ++i) {
      for (int64_t l = 0; l < s.c; l += kDepth) {
        block.k = std::min(kDepth, s.c - l);
        block.add = l > 0;
        block.a = products + (i + 1) * slot + l;
        block.b = matrices + i * matrix + l * kernels.lanes;
        block.c = products + i * slot;
        kernels.block(block);
      }
      input.fetch(i);
      output.fetch(i);
    }

    const int64_t line = grid.across * kTile * s.o;
    for (int64_t i = begin; i < end; ++i) {
      const float* const tiles = products + (i - begin) * grid.across * grid.pitch;
      for (int64_t r = 0; r < kPoints; ++r) {
        Lines lines{.n = s.o, .items = grid.across, .from_item = grid.pitch};
        lines.to_item = kTile * s.o;
        for (int64_t j = 0; j < kPoints; ++j) lines.from[j] = tiles + (r * kPoints + j) * slot;
        for (int64_t j = 0; j < kTile; ++j) lines.to[j] = work.middle + r * line + j * s.o;
        transforms.output(lines);
      }
      const Strip strip(s, grid, i);
      Lines lines{.n = s.o, .items = s.ow, .from_item = s.o, .to_item = y_row};
      if (y_row == s.o) lines = {.n = s.ow * s.o};
      for (int64_t r = 0; r < kPoints; ++r) lines.from[r] = work.middle + r * line;
      for (int64_t r = 0; r < kTile; ++r) {
        lines.to[r] =
            r < strip.rows ? y + ((strip.image * s.oh + strip.row + r) * s.ow) * y_row : work.spare;
      }
      transforms.output(lines);
    }
    if (epilogue) {
      const int64_t from = first_row(grid, begin, s.oh), to = first_row(grid, end, s.oh);
      epilogue->run({run, from * s.ow, (to - from) * s.ow, 0, s.o});
    }
  };
  const int64_t pieces = std::max(std::min(kPieces, grid.runs), grid.runs / kPieces);
  parallel_for(pieces, [&](int64_t piece) {
    const int64_t end = (piece + 1) * grid.runs / pieces;
    for (int64_t run = piece * grid.runs / pieces; run < end; ++run) compute(run);
  });
}

void weight_gradient(const Kernels<float>& kernels, const ConvShape& s, const float* x,
                     const float* dy, float* dw) {
  const Transforms& transforms = winograd::transforms();
  const Grid grid(s, std::max(s.c, s.o));
  const int64_t slot = grid.slot(), size = s.o * s.c, pieces = std::min(kPieces, grid.runs);
  const MemoryRef partials = allocate(pieces * 9 * size);
  parallel_for(pieces, [&](int64_t piece) {
    const int64_t first = piece * grid.runs / pieces, last = (piece + 1) * grid.runs / pieces;
    const Work work(std::max(s.w * s.c, s.ow * s.o), (grid.across * kTile + 2) * std::max(s.c, s.o),
                    2 * kSquare * slot + 54 * size);
    float *const image = work.tiles, *const spread = image + kSquare * slot;
    float* const sums = spread + kSquare * slot;
    std::fill_n(work.spare, std::max(s.w * s.c, s.ow * s.o), 0.0f);
    for (int64_t run = first; run < last; ++run) {
      const int64_t begin = run * grid.run, end = grid.end_of(run);
      transform_image(transforms, s, grid, begin, end, x, work.spare, work.middle, image);
      const Middle columns{work.middle, grid.across * kTile * s.o};
      for (int64_t i = begin; i < end; ++i) {
        const Strip strip(s, grid, i);
        from_image(transforms.spread, dy + strip.image * s.oh * s.ow * s.o, s.oh, s.ow, s.o,
                   strip.row, 0, kTile, work.spare, columns);
        to_tiles(transforms.spread, columns, kTile * s.o, s.o, kTile, grid,
                 spread + (i - begin) * grid.across * grid.pitch);
      }
      Block<float> block{.rows = s.o, .columns = s.c, .k = (end - begin) * grid.across};
      block.a_row = 1;
      block.a_col = grid.pitch;
      block.b_row = grid.pitch;
      block.b_panel = kernels.lanes;
      block.c_row = s.c;
      block.add = run > first;
      block.padded = true;
      const Ahead input(grid, end, grid.end_of(run + 1), x, s.h, s.w * s.c);
      const Ahead output(grid, end, grid.end_of(run + 1), dy, s.oh, s.ow * s.o);
      for (int64_t i = 0; i < kSquare; ++i) {
        block.a = spread + i * slot;
        block.b = image + i * slot;
        block.c = sums + i * size;
        kernels.block(block);
        input.fetch(i);
        output.fetch(i);
      }
    }

    float* const middle = sums + kSquare * size;
    for (int64_t j = 0; j < kPoints; ++j) {
      Lines lines{.n = size};
      for (int64_t i = 0; i < kPoints; ++i) lines.from[i] = sums + (i * kPoints + j) * size;
      for (int64_t i = 0; i < 3; ++i) lines.to[i] = middle + (i * kPoints + j) * size;
      transforms.gradient(lines);
    }
    float* const out = floats(partials) + piece * 9 * size;
    for (int64_t i = 0; i < 3; ++i) {
      Lines lines{.n = s.c, .items = s.o, .from_item = s.c, .to_item = 9 * s.c};
      for (int64_t j = 0; j < kPoints; ++j) lines.from[j] = middle + (i * kPoints + j) * size;
      for (int64_t j = 0; j < 3; ++j) lines.to[j] = out + (i * 3 + j) * s.c;
      transforms.gradient(lines);
    }
  });
  add_partials(floats(partials), pieces, 9 * size, dw, 9 * size);
}

}  // namespace gemm::winograd
}  // namespace glia::cpu
#endif
