// Convolutions on NHWC data: a row of the output is a sum over the kernel's rows of products, whose
// left matrix is a row of the image, each of its rows starting a stride later than the one before.
// Where the pixels of a kernel's row lie apart, by dilation or by groups of channels, the sum goes
// over those too.
#include <algorithm>
#include <cstring>

#include "backend/cpu/gemm/gemm.h"
#include "backend/cpu/gemm/pack.h"
#include "backend/cpu/gemm/winograd.h"
#include "core/node.h"
#include "runtime/threads.h"

namespace glia::cpu::gemm {
namespace {

constexpr int64_t kNearFloats = 1 << 13;     // of an image's rows that a thread works on at a time
constexpr int64_t kFewPositions = 1 << 9;    // whose products take as long as a call into oneDNN
constexpr int64_t kManyPositions = 1 << 12;  // beside which preparing weights is little
constexpr int64_t kLargeKernel = 14;         // for which oneDNN has no fast code
constexpr double kLeast = 1e6;               // operations that one call of a thread's has, at least

// The output rows of all images in runs, as large as their padded input rows stay in cache.
struct Runs {
  explicit Runs(const ConvShape& s)
      : width((s.ow - 1) * s.stride_w + (s.kw - 1) * s.dilation_w + 1),
        line(width * s.c),
        rows(std::clamp<int64_t>(kNearFloats / (line * s.stride_h), 1, s.oh)),
        in_rows((rows - 1) * s.stride_h + (s.kh - 1) * s.dilation_h + 1),
        of_image(divide_up(s.oh, rows)),
        count(s.n * of_image) {}

  int64_t width, line;    // of a padded row: pixels, elements
  int64_t rows, in_rows;  // of a run
  int64_t of_image, count;
  int64_t elements() const { return in_rows * line + 16; }  // and a vector that may be read beyond
};

struct Run {
  int64_t image, first, rows;  // of the output
};
Run run_at(const ConvShape& s, const Runs& runs, int64_t i) {
  const int64_t first = i % runs.of_image * runs.rows;
  return {i / runs.of_image, first, std::min(runs.rows, s.oh - first)};
}

// Positions p of `count`, a step apart, for which start + p * step lies within [0, size).
struct Range {
  int64_t begin, end;
};
Range inside(int64_t start, int64_t step, int64_t count, int64_t size) {
  const int64_t begin = start < 0 ? divide_up(-start, step) : 0;
  const int64_t end = start < size ? (size - 1 - start) / step + 1 : 0;
  return {std::min(begin, count), std::clamp(end, std::min(begin, count), count)};
}

// The input rows that a run sees, with the zeros about them.
template <class T>
void copy_padded(const ConvShape& s, const Runs& runs, const Run& run, const T* x, T* out) {
  const int64_t top = run.first * s.stride_h - s.pad_h;
  const int64_t rows = (run.rows - 1) * s.stride_h + (s.kh - 1) * s.dilation_h + 1;
  const int64_t left = std::min(s.pad_w, runs.width);
  const int64_t pixels = std::clamp<int64_t>(s.w, 0, runs.width - left);
  for (int64_t r = 0; r < rows; ++r, out += runs.line) {
    const int64_t h = top + r;
    if (h < 0 || h >= s.h) {
      std::fill_n(out, runs.line, T{0});
      continue;
    }
    std::fill_n(out, left * s.c, T{0});
    std::memcpy(out + left * s.c, x + (run.image * s.h + h) * s.w * s.c, pixels * s.c * sizeof(T));
    std::fill(out + (left + pixels) * s.c, out + runs.line, T{0});
  }
  std::fill_n(out, 16, T{0});
}

// Whether a row of the kernel sees pixels that are neighbours, and all of their channels.
bool is_dense(const ConvShape& s) { return s.groups == 1 && s.dilation_w == 1; }

bool by_tiles(const ConvShape& s, bool gradient) {
  return is_dense(s) && s.dilation_h == 1 && winograd::can(s) && winograd::pays(s, gradient);
}

// The convolution of dy that gives dx, at strides of 1; its kernel is turned about.
ConvShape turned(const ConvShape& s) {
  ConvShape back{.n = s.n, .h = s.oh, .w = s.ow, .c = s.o, .o = s.c, .kh = s.kh, .kw = s.kw};
  back.oh = s.h;
  back.ow = s.w;
  back.dilation_h = s.dilation_h;
  back.dilation_w = s.dilation_w;
  back.groups = s.groups;
  back.pad_h = (s.kh - 1) * s.dilation_h - s.pad_h;
  back.pad_w = (s.kw - 1) * s.dilation_w - s.pad_w;
  return back;
}

double operations(const ConvShape& s) {
  return 2.0 * s.n * s.oh * s.ow * s.o * (s.c / s.groups) * s.kh * s.kw;
}
int64_t pieces_of(const ConvShape& s) {
  return std::clamp<int64_t>(static_cast<int64_t>(operations(s) / kLeast), 1, 8);
}

// weights: (kH kW C, O) as pack_columns leaves them, those of each group after those of the one
// before. Positions of y lie y_row elements apart.
template <class T>
void correlate(const Kernels<T>& kernels, const ConvShape& s, const T* x, const T* weights, T* y,
               int64_t y_row, Epilogue* epilogue) {
  const Runs runs(s);
  if (epilogue) epilogue->begin(runs.count);
  const int64_t cg = s.c / s.groups, og = s.o / s.groups;
  const bool dense = is_dense(s);
  const int64_t group = std::clamp<int64_t>(
      static_cast<int64_t>(kLeast / (operations(s) / runs.count)), 1, runs.count);
  Block<T> each{.rows = s.ow, .columns = og, .k = dense ? s.kw * s.c : cg};
  each.a_row = s.stride_w * s.c;
  each.a_batch = dense ? runs.line * s.dilation_h : s.dilation_w * s.c;
  each.b_row = kernels.lanes;
  each.b_panel = s.kh * s.kw * cg * kernels.lanes;
  each.b_batch = each.k * kernels.lanes;
  each.padded = true;
  each.c_row = y_row;
  const int64_t of_group = divide_up(og, kernels.lanes) * each.b_panel;
  const int64_t of_row = s.kw * cg * kernels.lanes;
  parallel_for(divide_up(runs.count, group), [&](int64_t piece) {
    Block<T> block = each;
    T* const padded = workspace<T>(runs.elements());
    for (int64_t i = piece * group; i < std::min(runs.count, (piece + 1) * group); ++i) {
      const Run run = run_at(s, runs, i);
      copy_padded(s, runs, run, x, padded);
      const int64_t first = (run.image * s.oh + run.first) * s.ow;
      for (int64_t r = 0; r < run.rows; ++r) {
        // Rows of the kernel that lie beyond the image add nothing.
        const int64_t top = (run.first + r) * s.stride_h - s.pad_h;
        const Range seen = inside(top, s.dilation_h, s.kh, s.h);
        for (int64_t g = 0; g < s.groups; ++g) {
          block.c = y + (first + r * s.ow) * y_row + g * og;
          const auto row = [&](int64_t p) {
            block.a = padded + (r * s.stride_h + p * s.dilation_h) * runs.line + g * cg;
            block.b = weights + g * of_group + p * of_row;
            kernels.block(block);
          };
          block.batch = dense ? seen.end - seen.begin : s.kw;
          block.add = false;
          if (dense) {
            row(seen.begin);
            continue;
          }
          if (seen.begin == seen.end) block.batch = 0;
          row(seen.begin);
          block.add = true;
          for (int64_t p = seen.begin + 1; p < seen.end; ++p) row(p);
        }
      }
      if (epilogue) epilogue->run({i, first, run.rows * s.ow, 0, s.o});
    }
  });
}

// pack(first, columns, out) puts a vector of columns of the weights in order.
template <class T, class Pack>
void convolve(const Kernels<T>& kernels, const ConvShape& s, const T* x, T* y, Epilogue* epilogue,
              MemoryRef* kept, const Pack& pack) {
  const int64_t lanes = kernels.lanes, cg = s.c / s.groups, og = s.o / s.groups;
  const int64_t panels_of_group = divide_up(og, lanes), panels = s.groups * panels_of_group;
  const int64_t positions = s.n * s.oh * s.ow, window = s.kh * s.kw, size = window * cg * lanes;
  const bool tiles = std::is_same_v<T, float> && !kernels.pairs && by_tiles(s, false);
  const auto prepare = [&](int64_t begin, int64_t end) {
    MemoryRef packed = allocate<T>((end - begin) * size);
    parallel_pack((end - begin) * size, end - begin, [&](int64_t i) {
      const int64_t g = (begin + i) / panels_of_group;
      const int64_t first = (begin + i) % panels_of_group * lanes;
      pack(g * og + first, std::min(lanes, og - first), elements<T>(packed) + i * size);
    });
    if constexpr (std::is_same_v<T, float>) {
      if (tiles)
        return winograd::transform_weights(kernels, s.c, (end - begin) * lanes, floats(packed));
    }
    return packed;
  };
  // The channels of `part`; weights of `all` panels were prepared together.
  const auto run = [&](const ConvShape& part, const T* weights, [[maybe_unused]] int64_t all, T* to,
                       Epilogue* then) {
    if constexpr (std::is_same_v<T, float>) {
      if (tiles)
        return winograd::correlate(kernels, part, x, weights, all * s.c * lanes, to, s.o, then);
    }
    correlate(kernels, part, x, weights, to, s.o, then);
  };

  const int64_t pieces = s.groups > 1 ? 1 : std::min(pieces_of(s), panels / 2);
  const bool apart = pieces > 1 && positions < (tiles ? 1024 : window * s.o / 4);
  if (positions > kManyPositions) kept = nullptr;
  MemoryRef weights = kept ? *kept : MemoryRef();
  if (!weights && (kept || !apart)) weights = prepare(0, panels);
  if (kept) *kept = weights;
  if (!apart) return run(s, elements<T>(weights), panels, y, epilogue);
  // Many weights to a position: each thread computes some channels.
  parallel_for(pieces, [&](int64_t piece) {
    const int64_t begin = piece * panels / pieces, end = (piece + 1) * panels / pieces;
    ConvShape part = s;
    part.o = std::min(s.o, end * lanes) - begin * lanes;
    T* const to = y + begin * lanes;
    if (weights)
      return run(part, elements<T>(weights) + begin * (tiles ? s.c * lanes : size), panels, to,
                 nullptr);
    const MemoryRef own = prepare(begin, end);
    run(part, elements<T>(own), end - begin, to, nullptr);
  });
  hand_on(epilogue, positions, s.o);
}

bool empty(const ConvShape& s) {
  return s.n * s.h * s.w * s.c * s.o * s.oh * s.ow * s.kh * s.kw == 0;
}

}  // namespace

bool can(const ConvShape& s, Pass pass) {
  if (!kernels<float>() || empty(s)) return false;
  if (s.dtype == kBF16) {  // pairs of what is summed over
    const int64_t inner = pass == Pass::kForward ? s.c : s.o;
    if (!pair_kernels() || pass == Pass::kWeight || inner % 2 != 0) return false;
  }
  if (s.dtype == kBF16 && (!is_dense(s) || s.dilation_h != 1)) return false;
  if (pass != Pass::kData) return true;
  return s.stride_h == 1 && s.stride_w == 1 && s.pad_h <= (s.kh - 1) * s.dilation_h &&
         s.pad_w <= (s.kw - 1) * s.dilation_w;
}

// In bf16 only small ones, whose calls into oneDNN cost as much as their work.
bool pays_in_bf16(const ConvShape& s, Pass pass) {
  const bool forward = pass == Pass::kForward;
  if (operations(s) > (forward ? 6e7 : 8e6) || (!forward && s.c < 32)) return false;
  return s.stride_h * s.stride_w == 1 && s.kh * s.kw > 1;
}

// oneDNN is ahead where the output has few channels, where weights outgrow the cache beside the
// rows of an image, in gradients where rows are short, in those of weights at strides, but for few
// positions, and with groups; dilated ones only along one axis.
bool pays(const ConvShape& s, Pass pass) {
  if (s.dtype == kBF16) return pays_in_bf16(s, pass);
  if (s.groups == 1 && std::max(s.kh, s.kw) >= kLargeKernel) return true;
  const bool avx2 = kernels<float>()->lanes < 16;
  if (s.groups > 1) {
    const int64_t inner = s.c / s.groups;
    return avx2 && pass == Pass::kForward && inner > 1 && inner <= 8;
  }
  if (std::max(s.dilation_h, s.dilation_w) > 1) return s.kh == 1 || (avx2 && pass == Pass::kWeight);
  const int64_t weights = s.o * s.kh * s.kw * s.c, stride = std::max(s.stride_h, s.stride_w);
  if (stride == 1 && by_tiles(pass == Pass::kData ? turned(s) : s, pass == Pass::kWeight))
    return true;
  if (pass == Pass::kForward)
    return s.c <= 4 ? avx2 || s.o > 4 : s.kh * s.kw > 1 && weights <= 1 << 17;
  if (pass == Pass::kWeight && s.c <= 4 && stride == 1 && s.ow >= 256) return true;
  if (weights > 3 << 16) return false;
  if (stride > 1) return s.n * s.oh * s.ow <= kFewPositions;
  if (s.c < 32) return false;
  if (s.ow >= 8) return true;
  return pass == Pass::kWeight && (avx2 || s.n * s.oh * s.ow < 128);
}

template <class T>
void conv2d(const Kernels<T>& kernels, const ConvShape& s, const T* x, const T* w, T* y,
            Epilogue* epilogue, MemoryRef* kept) {
  const int64_t k = s.kh * s.kw * (s.c / s.groups);
  convolve(kernels, s, x, y, epilogue, kept, [&](int64_t first, int64_t columns, T* out) {
    pack_columns(kernels, w + first * k, 1, k, k, columns, out);
  });
}

// A convolution of dy with the kernel turned about.
template <class T>
void conv2d_backward_data(const Kernels<T>& kernels, const ConvShape& s, const T* dy, const T* w,
                          T* dx, Epilogue* epilogue) {
  const int64_t window = s.kh * s.kw, cg = s.c / s.groups, og = s.o / s.groups;
  const auto pack = [&](int64_t first, int64_t columns, T* out) {
    const T* const from = w + first / cg * og * window * cg + first % cg;
    for (int64_t p = window - 1; p >= 0; --p, out += og * kernels.lanes)
      pack_columns(kernels, from + p * cg, window * cg, 1, og, columns, out);
  };
  convolve(kernels, turned(s), dy, dx, epilogue, nullptr, pack);
}

// For each row of the kernel, dy^T (O, positions) times the image's (positions, kW C); partial sums
// over as many runs of positions as the shape has pieces.
template <class T>
void conv2d_backward_weight(const ConvShape& s, const T* x, const T* dy, T* dw) {
  const Kernels<T>& kernels = *gemm::kernels<T>();
  if constexpr (std::is_same_v<T, float>) {
    if (by_tiles(s, true)) return winograd::weight_gradient(kernels, s, x, dy, dw);
  }
  const Runs runs(s);
  const int64_t cg = s.c / s.groups, og = s.o / s.groups, window = s.kh * s.kw;
  const int64_t size = s.o * window * cg;
  const bool dense = is_dense(s);
  const int64_t pieces = std::min(pieces_of(s), runs.count);
  const MemoryRef partials = allocate<T>(pieces * size);
  parallel_for(pieces, [&](int64_t piece) {
    T* const padded = workspace<T>(runs.elements());
    T* const sum = elements<T>(partials) + piece * size;
    const int64_t begin = piece * runs.count / pieces, end = (piece + 1) * runs.count / pieces;
    for (int64_t i = begin; i < end; ++i) {
      const Run run = run_at(s, runs, i);
      copy_padded(s, runs, run, x, padded);
      Block<T> block{.rows = og, .columns = dense ? s.kw * s.c : cg, .k = s.ow};
      const T* const first = dy + (run.image * s.oh + run.first) * s.ow * s.o;
      block.a_row = 1;
      block.a_col = s.o;
      block.a_batch = s.ow * s.o;
      block.b_row = s.stride_w * s.c;
      block.b_panel = kernels.lanes;
      block.b_batch = s.stride_h * runs.line;
      block.c_row = window * cg;
      block.add = i > begin;
      block.padded = true;
      for (int64_t p = 0; p < s.kh; ++p) {
        const int64_t top = run.first * s.stride_h - s.pad_h + p * s.dilation_h;
        const Range seen = inside(top, s.stride_h, run.rows, s.h);
        block.batch = seen.end - seen.begin;
        for (int64_t g = 0; g < s.groups; ++g) {
          block.a = first + seen.begin * block.a_batch + g * og;
          for (int64_t q = 0; q < (dense ? 1 : s.kw); ++q) {
            block.b = padded + (p * s.dilation_h + seen.begin * s.stride_h) * runs.line +
                      q * s.dilation_w * s.c + g * cg;
            block.c = sum + (g * og * window + p * s.kw + q) * cg;
            kernels.block(block);
          }
        }
      }
    }
  });
  add_partials(elements<T>(partials), pieces, size, dw, size);
}

#define GLIA_INSTANTIATE(T)                                                                       \
  template void conv2d(const Kernels<T>&, const ConvShape&, const T*, const T*, T*, Epilogue*,    \
                       MemoryRef*);                                                               \
  template void conv2d_backward_data(const Kernels<T>&, const ConvShape&, const T*, const T*, T*, \
                                     Epilogue*);                                                  \
  template void conv2d_backward_weight(const ConvShape&, const T*, const T*, T*);
GLIA_INSTANTIATE(float)
GLIA_INSTANTIATE(double)
#undef GLIA_INSTANTIATE

}  // namespace glia::cpu::gemm
