// The kernels, over the lanes of one instruction set: included by a file that has defined
// GLIA_LANES, the attribute of its functions, and within its namespace Floats, Ints and Bytes (16
// floats, 16 integers, 64 bytes) with the functions on them that are used here.

// Arrays of lanes are registers only where loops over them are unrolled.
#define GLIA_UNROLL _Pragma("GCC unroll 16")
#define GLIA_INLINE GLIA_LANES __attribute__((always_inline)) inline

// ---- Products ---------------------------------------------------------------------------------

template <int kBits, int kParts, bool kNarrow, bool kLeast, int kRows>
GLIA_LANES void tile_of_blocks(const Packed& w, const uint8_t* at, const Activations& x, int64_t t0,
                               Floats* out) {
  constexpr int kLevels = kBits == 8 ? 512 : 256, kFifth = kBits == 5 ? 64 : 0;
  constexpr int kScales = kGroup * (kNarrow ? 2 : 4), kPerPart = 8 / kParts;
  constexpr int kBytes = kLevels + kFifth + kParts * kScales * (kLeast ? 2 : 1);
  const int64_t chunks = w.columns / kChunk;
  const int zero = (kBits == 8 ? kByteBias : 0) - w.levels.zero;
  Floats sum[kRows], low = set(0);
  GLIA_UNROLL
  for (int t = 0; t < kRows; ++t) sum[t] = set(0);
  for (int64_t c = 0; c < chunks; ++c, at += kBytes) {
    Bytes level[8];
    GLIA_UNROLL
    for (int i = 0; i < (kBits == 8 ? 8 : 4); ++i) {
      const Bytes b = load_bytes(at + 64 * i);
      level[i] = kBits == 8 ? as_factor(b) : low_half(b);
      if (kBits != 8) level[i + 4] = high_half(b);
    }
    if (kBits == 5) GLIA_UNROLL
    for (int i = 0; i < 8; ++i) level[i] = with_fifth(level[i], at + kLevels + 8 * i);
    Floats scale[kParts], least[kParts];
    GLIA_UNROLL
    for (int p = 0; p < kParts; ++p) {
      const uint8_t* const s = at + kLevels + kFifth + p * kScales;
      scale[p] = kNarrow ? load_half(s) : load_float(s);
      if (kLeast)
        least[p] = kNarrow ? load_half(s + kParts * kScales) : load_float(s + kParts * kScales);
    }
    GLIA_UNROLL
    for (int t = 0; t < kRows; ++t) {
      const int64_t at_chunk = (t0 + t) * chunks + c;
      const int8_t* const q = x.bytes.data() + 2 * at_chunk * kChunk;
      const float by = x.scale[at_chunk];
      GLIA_UNROLL
      for (int p = 0; p < kParts; ++p) {
        const int64_t at_part = kParts == 1 ? at_chunk : 2 * at_chunk + p;
        const int32_t* const sums = kParts == 1 ? x.sum.data() : x.sum16.data();
        const float* const totals = kParts == 1 ? x.total.data() : x.total16.data();
        Ints high = set_int(0), rest = set_int(kLeast && kBits != 8 ? 0 : zero * sums[at_part]);
        GLIA_UNROLL
        for (int i = p * kPerPart; i < (p + 1) * kPerPart; ++i) {
          const int8_t* const four = q + 4 * i;
          high = kBits == 8 ? add_dot_byte(high, level[i], four) : add_dot(high, level[i], four);
          rest = kBits == 8 ? add_dot_byte(rest, level[i], four + kChunk)
                            : add_dot(rest, level[i], four + kChunk);
        }
        const Floats dot = to_float(add_256(rest, high));
        sum[t] = multiply_add(dot, multiply(scale[p], set(by)), sum[t]);
        if (kLeast) {
          Floats& to = kRows == 1 ? low : sum[t];
          to = multiply_add(least[p], set(totals[at_part]), to);
        }
      }
    }
  }
  GLIA_UNROLL
  for (int t = 0; t < kRows; ++t) out[t] = sum[t];
  if (kRows == 1) out[0] = add(sum[0], low);
}

template <Quant kType>
GLIA_INLINE Floats load_as(const uint8_t* at) {
  if constexpr (kType == Quant::kF32)
    return load_float(at);
  else if constexpr (kType == Quant::kF16)
    return load_half(at);
  else
    return load_bfloat(at);
}

template <Quant kType, int kRows>
GLIA_LANES void tile_of_floats(const Packed& w, const uint8_t* at, const Activations& x, int64_t t0,
                               Floats* out) {
  constexpr int kBytes = kGroup * (kType == Quant::kF32 ? 4 : 2);
  constexpr int kSums = kRows == 1 ? 4 : 1;  // sums that do not wait for each other
  Floats sum[kRows * kSums];
  GLIA_UNROLL
  for (int i = 0; i < kRows * kSums; ++i) sum[i] = set(0);
  const float* const from = x.values + t0 * x.columns;
  int64_t c = 0;
  for (; c + kSums <= w.columns; c += kSums) GLIA_UNROLL
  for (int s = 0; s < kSums; ++s) {
    const Floats v = load_as<kType>(at + (c + s) * kBytes);
    GLIA_UNROLL
    for (int t = 0; t < kRows; ++t)
      sum[t * kSums + s] = multiply_add(v, set(from[t * x.columns + c + s]), sum[t * kSums + s]);
  }
  for (; c < w.columns; ++c)
    sum[0] = multiply_add(load_as<kType>(at + c * kBytes), set(from[c]), sum[0]);
  GLIA_UNROLL
  for (int t = 0; t < kRows; ++t) out[t] = sum[t * kSums];
  if (kSums == 4) out[0] = add(add(sum[0], sum[1 % kSums]), add(sum[2 % kSums], sum[3 % kSums]));
}

// Calls tile<rows>() on tiles of as many rows as registers hold.
#define GLIA_TILES(TILE, ...)                                                                  \
  for (int64_t g = first; g < last; ++g) {                                                     \
    const uint8_t* const at = w.bytes.data() + g * w.group_bytes;                              \
    const int64_t rows = w.rows - g * kGroup < kGroup ? w.rows - g * kGroup : kGroup;          \
    for (int64_t t = 0; t < x.rows;) {                                                         \
      Floats out[8];                                                                           \
      const int64_t left = x.rows - t;                                                         \
      int n = 1;                                                                               \
      if (kMostTile >= 8 && left >= 8) {                                                       \
        TILE<__VA_ARGS__, kMostTile >= 8 ? 8 : 1>(w, at, x, t, out);                           \
        n = 8;                                                                                 \
      } else if (kMostTile >= 4 && left >= 4) {                                                \
        TILE<__VA_ARGS__, kMostTile >= 4 ? 4 : 1>(w, at, x, t, out);                           \
        n = 4;                                                                                 \
      } else if (left >= 2) {                                                                  \
        TILE<__VA_ARGS__, 2>(w, at, x, t, out);                                                \
        n = 2;                                                                                 \
      } else {                                                                                 \
        TILE<__VA_ARGS__, 1>(w, at, x, t, out);                                                \
      }                                                                                        \
      for (int i = 0; i < n; ++i, ++t) store_first(y + t * stride + g * kGroup, out[i], rows); \
    }                                                                                          \
  }                                                                                            \
  return

GLIA_LANES void product(const Packed& w, int64_t first, int64_t last, const Activations& x,
                        float* y, int64_t stride) {
  switch (w.type) {
    case Quant::kF32:
      GLIA_TILES(tile_of_floats, Quant::kF32);
    case Quant::kF16:
      GLIA_TILES(tile_of_floats, Quant::kF16);
    case Quant::kBF16:
      GLIA_TILES(tile_of_floats, Quant::kBF16);
    case Quant::kQ4_0:
      GLIA_TILES(tile_of_blocks, 4, 1, true, false);
    case Quant::kQ4_1:
      GLIA_TILES(tile_of_blocks, 4, 1, true, true);
    case Quant::kQ5_0:
      GLIA_TILES(tile_of_blocks, 5, 1, true, false);
    case Quant::kQ5_1:
      GLIA_TILES(tile_of_blocks, 5, 1, true, true);
    case Quant::kQ8_0:
      GLIA_TILES(tile_of_blocks, 8, 1, true, false);
    case Quant::kQ4_K:
      GLIA_TILES(tile_of_blocks, 4, 1, false, true);
    case Quant::kQ5_K:
      GLIA_TILES(tile_of_blocks, 5, 1, false, true);
    case Quant::kQ2_K:
      GLIA_TILES(tile_of_blocks, 8, 2, false, true);
    case Quant::kQ3_K:
    case Quant::kQ6_K:
      GLIA_TILES(tile_of_blocks, 8, 2, false, false);
  }
}

GLIA_LANES void to_bytes(Activations& x, int64_t t) {
  const float* const from = x.values + t * x.columns;
  const int64_t chunks = x.columns / kChunk;
  for (int64_t c = 0; c < chunks; ++c) {
    const int64_t at = t * chunks + c;
    const float* const v = from + c * kChunk;
    const Floats a = load_float(v), b = load_float(v + 16);
    const float most = largest(maximum(magnitude(a), magnitude(b)));
    // What is not finite makes the scale so, and with it the result.
    const float none = total(multiply(add(a, b), set(0)));
    const float scale = most / kMostWhole + none;
    const float by = scale > 0 ? 1 / scale : 0;
    int8_t* const to = x.bytes.data() + 2 * at * kChunk;
    int32_t* const sums = x.sum16.data() + 2 * at;
    sums[0] = round_to_bytes(multiply(a, set(by)), to);
    sums[1] = round_to_bytes(multiply(b, set(by)), to + 16);
    x.scale[at] = scale;
    x.sum[at] = sums[0] + sums[1];
    x.total[at] = scale * static_cast<float>(sums[0] + sums[1]);
    for (int p = 0; p < 2; ++p) x.total16[2 * at + p] = scale * static_cast<float>(sums[p]);
  }
}

// ---- Between products -------------------------------------------------------------------------

GLIA_LANES void norm(const float* x, const float* weight, int64_t size, float eps, float* y) {
  Floats squares = set(0);
  int64_t i = 0;
  for (; i + 16 <= size; i += 16) {
    const Floats v = load_float(x + i);
    squares = multiply_add(v, v, squares);
  }
  float sum = total(squares);
  for (; i < size; ++i) sum += x[i] * x[i];
  const float by = 1 / __builtin_sqrtf(sum / static_cast<float>(size) + eps);
  for (i = 0; i + 16 <= size; i += 16)
    store(y + i, multiply(multiply(load_float(x + i), set(by)), load_float(weight + i)));
  for (; i < size; ++i) y[i] = x[i] * by * weight[i];
}

// e^x, to 2 units in the last place; below -87 it is e^-87.
GLIA_INLINE Floats exponential(Floats x) {
  x = minimum(maximum(x, set(-87.0f)), set(88.0f));
  const Floats n = rounded(multiply(x, set(1.44269504f)));
  Floats r = multiply_add(n, set(-0.693359375f), x);  // the logarithm of 2 in two parts
  r = multiply_add(n, set(2.12194440e-4f), r);
  Floats p = set(1.9875691500e-4f);  // Cephes' polynomial (Moshier 1989)
  p = multiply_add(p, r, set(1.3981999507e-3f));
  p = multiply_add(p, r, set(8.3334519073e-3f));
  p = multiply_add(p, r, set(4.1665795894e-2f));
  p = multiply_add(p, r, set(1.6666665459e-1f));
  p = multiply_add(p, r, set(5.0000001201e-1f));
  p = add(multiply_add(multiply(r, r), p, r), set(1));
  return multiply(p, power_of_two(n));
}

GLIA_LANES void gate(float* g, const float* up, int64_t size) {
  int64_t i = 0;
  for (; i + 16 <= size; i += 16) {
    const Floats v = load_float(g + i);
    const Floats e = exponential(multiply(v, set(-1)));
    store(g + i, multiply(divide(v, add(e, set(1))), load_float(up + i)));
  }
  for (; i < size; ++i) g[i] = g[i] / (1 + __builtin_expf(-g[i])) * up[i];
}

// ---- Attention --------------------------------------------------------------------------------

// Scores of the queries for each position that any of them sees, by rows.
template <int kRows>
GLIA_LANES void score(const Kept& kept, float* const* query, int64_t blocks, float* scores) {
  constexpr int kSums = kRows == 1 ? 4 : 1;
  for (int64_t b = 0; b < blocks; ++b) {
    const uint16_t* const keys = kept.keys + b * kept.size * 16;
    Floats sum[kRows * kSums];
    GLIA_UNROLL
    for (int i = 0; i < kRows * kSums; ++i) sum[i] = set(0);
    int64_t d = 0;
    for (; d + kSums <= kept.size; d += kSums) GLIA_UNROLL
    for (int s = 0; s < kSums; ++s) {
      const Floats k = load_half(reinterpret_cast<const uint8_t*>(keys + (d + s) * 16));
      GLIA_UNROLL
      for (int r = 0; r < kRows; ++r)
        sum[r * kSums + s] = multiply_add(k, set(query[r][d + s]), sum[r * kSums + s]);
    }
    for (; d < kept.size; ++d)
      sum[0] = multiply_add(load_half(reinterpret_cast<const uint8_t*>(keys + d * 16)),
                            set(query[0][d]), sum[0]);
    GLIA_UNROLL
    for (int r = 0; r < kRows; ++r) {
      Floats all = sum[r * kSums];
      GLIA_UNROLL
      for (int s = 1; s < kSums; ++s) all = add(all, sum[r * kSums + s]);
      store(scores + (r * blocks + b) * 16, all);
    }
  }
}

// Scores become weights, 0 for what is not seen.
GLIA_INLINE void soften(float* scores, int64_t seen, int64_t room) {
  for (int64_t i = seen; i < room; ++i) scores[i] = -__builtin_inff();
  Floats most = set(-__builtin_inff());
  for (int64_t i = 0; i < room; i += 16) most = maximum(most, load_float(scores + i));
  const Floats high = set(largest(most));
  Floats sum = set(0);
  for (int64_t i = 0; i < room; i += 16) {
    const Floats e = exponential(subtract(load_float(scores + i), high));
    store(scores + i, e);
  }
  for (int64_t i = seen; i < room; ++i) scores[i] = 0;
  for (int64_t i = 0; i < room; i += 16) sum = add(sum, load_float(scores + i));
  const Floats by = set(1 / total(sum));
  for (int64_t i = 0; i < room; i += 16) store(scores + i, multiply(load_float(scores + i), by));
}

template <int kRows, int kParts>
GLIA_LANES void mix(const Kept& kept, float* const* out, int64_t positions, int64_t room,
                    const float* scores, int64_t first) {
  Floats sum[kRows * kParts];
  GLIA_UNROLL
  for (int i = 0; i < kRows * kParts; ++i) sum[i] = set(0);
  for (int64_t s = 0; s < positions; ++s) GLIA_UNROLL
  for (int p = 0; p < kParts; ++p) {
    const uint16_t* const at = kept.values + s * kept.padded + first + 16 * p;
    const Floats v = load_half(reinterpret_cast<const uint8_t*>(at));
    GLIA_UNROLL
    for (int r = 0; r < kRows; ++r)
      sum[r * kParts + p] = multiply_add(v, set(scores[r * room + s]), sum[r * kParts + p]);
  }
  GLIA_UNROLL
  for (int r = 0; r < kRows; ++r) GLIA_UNROLL
  for (int p = 0; p < kParts; ++p) {
    const int64_t at = first + 16 * p, left = kept.size - at;
    store_first(out[r] + at, sum[r * kParts + p], left < 16 ? left : 16);
  }
}

template <int kRows>
GLIA_LANES void attend_rows(const Kept& kept, float* const* query, const int64_t* seen,
                            float* scores) {
  int64_t positions = 0;
  GLIA_UNROLL
  for (int r = 0; r < kRows; ++r) positions = seen[r] > positions ? seen[r] : positions;
  const int64_t blocks = (positions + 15) / 16, room = blocks * 16;
  score<kRows>(kept, query, blocks, scores);
  GLIA_UNROLL
  for (int r = 0; r < kRows; ++r) soften(scores + r * room, seen[r], room);
  constexpr int kParts = kRows == 1 ? 4 : 1;
  int64_t first = 0;
  for (; first + 16 * kParts <= kept.padded; first += 16 * kParts)
    mix<kRows, kParts>(kept, query, positions, room, scores, first);
  for (; first < kept.padded; first += 16)
    mix<kRows, 1>(kept, query, positions, room, scores, first);
}

GLIA_LANES void attend(const Kept& kept, float* const* query, const int64_t* seen, int64_t rows,
                       float* scores) {
  if (rows == 8) return attend_rows<8>(kept, query, seen, scores);
  int64_t r = 0;
  for (; r + 2 <= rows; r += 2) attend_rows<2>(kept, query + r, seen + r, scores);
  if (r < rows) attend_rows<1>(kept, query + r, seen + r, scores);
}

#undef GLIA_TILES
#undef GLIA_INLINE
#undef GLIA_UNROLL
