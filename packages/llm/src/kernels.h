// The loops in which a language model spends its time, for the instruction set in use: products of
// packed weights with vectors of bytes, attention to kept keys, and what stands between.
#pragma once

#include <cstdint>
#include <vector>

#include "blocks.h"

namespace glia::llm {

inline constexpr int64_t kGroup = 16;  // rows of weights whose sums lie side by side in lanes
inline constexpr int64_t kChunk = 32;  // columns that share a scale in what is multiplied

// Weights (rows, columns) in the order in which kernels read them. Groups of 16 rows follow each
// other, and in each its chunks of 32 columns. A chunk of blocks has the levels, of four columns
// for each of the 16 rows after the other; where they have four bits, those of columns 16 to 31 are
// in the high half of a byte; then the fifth bits of all, then 16 scales and 16 least values for
// each part. Floats lie column by column.
struct Packed {
  Quant type = Quant::kF32;
  LevelsOf levels = {};
  int bits = 0;  // of a level here: 4, 5 or 8
  int64_t rows = 0, columns = 0, group_bytes = 0;
  std::vector<uint8_t> bytes;
  int64_t groups() const { return (rows + kGroup - 1) / kGroup; }
};
Packed pack_rows(const QuantizedTensor& weights);

// Rows that are multiplied: as they are, and, where weights have levels, as whole numbers with a
// scale for each 32, the largest kMostWhole. Whole numbers of 8 bits are too coarse for what the
// largest features of a language model make of them: the logits' cosine with exact ones is then
// 0.998, and 0.999999 so.
inline constexpr float kMostWhole = 127 * 256;
struct Activations {
  int64_t rows = 0, columns = 0;
  const float* values = nullptr;
  std::vector<int8_t> bytes;  // of 32 the high bytes, then the low ones: 256 high + low
  std::vector<float> scale;   // of 32
  // Of 32 and of 16, for weights whose zero is not level 0: their sum, and the same by the scale.
  std::vector<int32_t> sum, sum16;
  std::vector<float> total, total16;
  // What was there goes; room is kept.
  void resize(int64_t new_rows, int64_t new_columns);
};

// Keys and values of one head as they are kept: f16, keys in blocks of 16 positions that lie side
// by side, values in rows.
struct Kept {
  const uint16_t *keys, *values;
  int64_t size, padded;  // of a head, and the same as whole 16s: of a row of values
};

struct Kernels {
  // y[t][row] of the rows of groups [first, last) of the weights, for all rows t of x.
  void (*product)(const Packed& w, int64_t first, int64_t last, const Activations& x, float* y,
                  int64_t stride);
  // Fills in row t from x.values.
  void (*to_bytes)(Activations& x, int64_t t);
  // y = x / sqrt(mean(x^2) + eps) * weight.
  void (*norm)(const float* x, const float* weight, int64_t size, float eps, float* y);
  // gate = silu(gate) * up.
  void (*gate)(float* gate, const float* up, int64_t size);
  // Of `rows` queries, at most kMostQueries, the attention to the first seen[r] positions, in place
  // of the query. `scores` is room for rows x the most seen, as whole 16s.
  void (*attend)(const Kept& kept, float* const* query, const int64_t* seen, int64_t rows,
                 float* scores);
  void (*to_half)(const float* x, int64_t size, uint16_t* y);
};
inline constexpr int64_t kMostQueries = 8;
// Those of cpu_level().
const Kernels& kernels();

extern const Kernels kBaselineKernels;
#if defined(__x86_64__)
extern const Kernels kAvx2Kernels, kAvx512Kernels;
#endif

}  // namespace glia::llm
