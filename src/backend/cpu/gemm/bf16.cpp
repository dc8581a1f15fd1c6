// Products of bf16: two neighbours along k are one word, which all that cuts, packs and copies
// takes for a float. Sums are f32, rounded once.
#include <algorithm>
#include <cstring>
#include <vector>

#include "backend/cpu/gemm/gemm.h"
#include "backend/cpu/gemm/kernel.h"
#include "backend/cpu/gemm/pack.h"
#include "backend/cpu/simd/tile.h"
#include "core/node.h"
#include "runtime/threads.h"

namespace glia::cpu::gemm {
namespace {

// out[l * columns + j] = the pair of in[2 l * row + j] and in[(2 l + 1) * row + j], zero beyond k.
void interleave(const bfloat16* in, int64_t row, int64_t k, int64_t columns, float* out) {
  constexpr int64_t kPiece = 1 << 14;  // words that one thread writes at a time, about
  const InterleaveFunction pairs = interleave_pairs();
  const int64_t words = divide_up(k, 2), step = std::max<int64_t>(1, kPiece / columns);
  const std::vector<uint16_t> zeros(k % 2 == 0 ? 0 : columns);
  parallel_for(divide_up(words, step), [&](int64_t piece) {
    for (int64_t l = piece * step; l < std::min(words, (piece + 1) * step); ++l) {
      const auto* const first = reinterpret_cast<const uint16_t*>(in) + 2 * l * row;
      pairs(first, 2 * l + 1 < k ? first + row : zeros.data(), columns,
            reinterpret_cast<uint32_t*>(out) + l * columns);
    }
  });
}

// out[i] = in[i * line ...], of k elements each, with a zero where k is odd.
void copy_lines(const bfloat16* in, int64_t line, int64_t lines, int64_t k, float* out) {
  const int64_t words = divide_up(k, 2);
  for (int64_t i = 0; i < lines; ++i) {
    out[(i + 1) * words - 1] = 0;
    std::memcpy(out + i * words, in + i * line, k * sizeof(bfloat16));
  }
}

// Matrices of `lines` by k, as words: where they lie if their pairs are words there, else copied.
struct Words {
  const float* data;
  int64_t line, step;  // words between lines, and between words of a line
  std::vector<int64_t> offsets;
  MemoryRef copied;

  Words(const bfloat16* in, std::span<const int64_t> starts, int64_t lines, int64_t k, int64_t line,
        int64_t step)
      : line(line / 2), step(step), offsets(starts.begin(), starts.end()) {
    const auto even = [](int64_t x) { return x % 2 == 0; };
    if (step == 1 && even(k) && (even(line) || lines == 1) &&
        reinterpret_cast<uintptr_t>(in) % sizeof(float) == 0 && std::ranges::all_of(starts, even)) {
      for (int64_t& offset : offsets) offset /= 2;
      data = reinterpret_cast<const float*>(in);
      return;
    }
    const int64_t words = divide_up(k, 2), size = lines * words;
    const bool shared = std::ranges::count(starts, starts[0]) == std::ssize(starts);
    copied = allocate(size * (shared ? 1 : std::ssize(starts)));
    data = floats(copied);
    this->line = step == 1 ? words : 1;
    this->step = step == 1 ? 1 : lines;
    for (size_t i = 0; i < starts.size(); ++i) {
      offsets[i] = shared ? 0 : static_cast<int64_t>(i) * size;
      if (shared && i > 0) continue;
      float* const to = floats(copied) + offsets[i];
      step == 1 ? copy_lines(in + starts[i], line, lines, k, to)
                : interleave(in + starts[i], step, k, lines, to);
    }
  }
};

// Rounds what is finished of sums (rows, columns).
class Rounding final : public Epilogue {
 public:
  Rounding(int64_t rows, int64_t columns, bfloat16* out)
      : rows_(rows), columns_(columns), out_(out), sums_(allocate(rows * columns)) {}

  float* sums() const { return floats(sums_); }
  void begin(int64_t) override {}
  void run(const Part& part) override {
    static const TileFunction cast = cast_function(kF32, kBF16);
    const bool whole = part.columns == columns_;
    const int64_t runs = whole ? 1 : part.rows, length = part.rows * part.columns / runs;
    for (int64_t i = 0; i < runs; ++i) {
      const int64_t at = (part.row + i) * columns_ + part.column;
      cast(out_ + at, sums() + at, nullptr, nullptr, length);
    }
  }
  void run_all() { hand_on(this, rows_, columns_); }

 private:
  const int64_t rows_, columns_;
  bfloat16* const out_;
  const MemoryRef sums_;
};

// Channels of x and weights in pairs.
ConvShape of_words(const ConvShape& s, int64_t ConvShape::*channels) {
  ConvShape words = s;
  words.*channels /= 2;
  return words;
}

}  // namespace

void matmul(const MatmulShape& s, std::span<const int64_t> a_offsets,
            std::span<const int64_t> b_offsets, const bfloat16* a, const bfloat16* b,
            bfloat16* out) {
  const int64_t batch = std::ssize(a_offsets);
  if (batch * s.m * s.n == 0) return;
  const Words left(a, a_offsets, s.m, s.k, s.a_row, s.a_col);
  const Words right(b, b_offsets, s.n, s.k, s.b_col, s.b_row);
  MatmulShape words{.m = s.m, .n = s.n, .k = divide_up(s.k, 2)};
  words.a_row = left.line;
  words.a_col = left.step;
  words.b_row = right.step;
  words.b_col = right.line;
  Rounding rounding(batch * s.m, s.n, out);
  const bool inside = batch == 1 && s.n > 1;
  matmul(*pair_kernels(), words, left.offsets, right.offsets, left.data, right.data,
         rounding.sums(), inside ? &rounding : nullptr);
  if (!inside) rounding.run_all();
}

void conv2d(const ConvShape& s, const bfloat16* x, const bfloat16* w, bfloat16* y) {
  Rounding rounding(s.n * s.oh * s.ow, s.o, y);
  conv2d(*pair_kernels(), of_words(s, &ConvShape::c), reinterpret_cast<const float*>(x),
         reinterpret_cast<const float*>(w), rounding.sums(), &rounding);
}

void conv2d_backward_data(const ConvShape& s, const bfloat16* dy, const bfloat16* w, bfloat16* dx) {
  const int64_t row = s.kh * s.kw * s.c;
  const MemoryRef weights = allocate(s.o / 2 * row);
  interleave(w, row, s.o, row, floats(weights));
  Rounding rounding(s.n * s.h * s.w, s.c, dx);
  conv2d_backward_data(*pair_kernels(), of_words(s, &ConvShape::o),
                       reinterpret_cast<const float*>(dy), floats(weights), rounding.sums(),
                       &rounding);
}

}  // namespace glia::cpu::gemm
