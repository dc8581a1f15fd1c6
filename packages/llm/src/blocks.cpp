#include "blocks.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "glia/error.h"
#include "glia/ops.h"
#include "glia/parallel.h"

namespace glia::llm {
namespace {

struct Kind {
  Quant type;
  const char* name;
  int64_t block, bytes;
  LevelsOf levels = {};
};
constexpr int64_t kSuper = 256;  // weights of a block with a K
constexpr Kind kKinds[] = {
    {Quant::kF32, "F32", 1, 4},
    {Quant::kF16, "F16", 1, 2},
    {Quant::kBF16, "BF16", 1, 2},
    {Quant::kQ4_0, "Q4_0", 32, 18, {32, 32, 4, 8, false, true}},
    {Quant::kQ4_1, "Q4_1", 32, 20, {32, 32, 4, 0, true, true}},
    {Quant::kQ5_0, "Q5_0", 32, 22, {32, 32, 5, 16, false, true}},
    {Quant::kQ5_1, "Q5_1", 32, 24, {32, 32, 5, 0, true, true}},
    {Quant::kQ8_0, "Q8_0", 32, 34, {32, 32, 8, 128, false, true}},
    {Quant::kQ2_K, "Q2_K", kSuper, 84, {kSuper, 16, 2, 0, true, false}},
    {Quant::kQ3_K, "Q3_K", kSuper, 110, {kSuper, 16, 3, 4, false, false}},
    {Quant::kQ4_K, "Q4_K", kSuper, 144, {kSuper, 32, 4, 0, true, false}},
    {Quant::kQ5_K, "Q5_K", kSuper, 176, {kSuper, 32, 5, 0, true, false}},
    {Quant::kQ6_K, "Q6_K", kSuper, 210, {kSuper, 16, 6, 32, false, false}},
};

const Kind& kind_of(Quant type) {
  const auto* found = std::ranges::find(kKinds, type, &Kind::type);
  if (found == std::end(kKinds))
    throw ValueError(fmt::format("weights of kind {} are not known", static_cast<uint32_t>(type)));
  return *found;
}

// ---- One block --------------------------------------------------------------------------------

void unpack_nibbles(const uint8_t* q, int64_t half, uint8_t* level) {
  for (int64_t i = 0; i < half; ++i) {
    level[i] = q[i] & 15;
    level[half + i] = q[i] >> 4;
  }
}
// The fifth bit of 32 levels.
void add_fifth(const uint8_t* bits, uint8_t* level) {
  for (int i = 0; i < 32; ++i) level[i] |= (bits[i / 8] >> (i % 8) & 1) << 4;
}

// The eight 6-bit scales and least values of Q4_K and Q5_K in 12 bytes.
void unpack_scales(const uint8_t* block, Levels* out) {
  const float d = half_at(block), least = half_at(block + 2);
  const uint8_t* const s = block + 4;
  for (int i = 0; i < 8; ++i) {
    const int scale = i < 4 ? s[i] & 63 : (s[i + 4] & 15) | s[i - 4] >> 6 << 4;
    const int low = i < 4 ? s[i + 4] & 63 : s[i + 4] >> 4 | s[i] >> 6 << 4;
    out->scale[i] = d * static_cast<float>(scale);
    out->least[i] = -(least * static_cast<float>(low));
  }
}

void unpack_q2(const uint8_t* block, Levels* out) {
  const uint8_t* const q = block + 16;
  const float d = half_at(block + 80), least = half_at(block + 82);
  for (int i = 0; i < 16; ++i) {
    out->scale[i] = d * static_cast<float>(block[i] & 15);
    out->least[i] = -(least * static_cast<float>(block[i] >> 4));
  }
  for (int i = 0; i < 256; ++i) out->level[i] = q[i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3;
}

void unpack_q3(const uint8_t* block, Levels* out) {
  const uint8_t *const high = block, *const q = block + 32, *const s = block + 96;
  const float d = half_at(block + 108);
  for (int i = 0; i < 16; ++i) {
    const int low = i < 8 ? s[i] & 15 : s[i - 8] >> 4;
    const int scale = (low | (s[8 + i % 4] >> i / 4 * 2 & 3) << 4) - 32;
    out->scale[i] = d * static_cast<float>(scale);
    out->least[i] = 0;
  }
  for (int i = 0; i < 256; ++i)
    out->level[i] =
        (q[i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3) | (high[i % 32] >> i / 32 & 1) << 2;
}

void unpack_q6(const uint8_t* block, Levels* out) {
  const float d = half_at(block + 208);
  for (int i = 0; i < 16; ++i) {
    out->scale[i] = d * static_cast<float>(static_cast<int8_t>(block[192 + i]));
    out->least[i] = 0;
  }
  for (int i = 0; i < 256; ++i) {
    const int half = i / 128, quarter = i % 128 / 32, at = i % 32;
    const int low = block[half * 64 + quarter % 2 * 32 + at] >> quarter / 2 * 4 & 15;
    out->level[i] = low | (block[128 + half * 32 + at] >> quarter * 2 & 3) << 4;
  }
}

// ---- Rounding ---------------------------------------------------------------------------------

void put_half(uint8_t* to, float x) {
  const uint16_t bits = float16(x).bits;
  std::memcpy(to, &bits, 2);
}
int whole(float x, int most) { return std::clamp(static_cast<int>(x), 0, most); }

// 32 weights to levels of `bits` with or without a least value, as ggml's reference has it.
void pack(const Kind& kind, const float* x, uint8_t* to) {
  const int bits = kind.levels.bits, top = (1 << bits) - 1;
  uint8_t level[32];
  float most = 0, low = x[0], high = x[0];  // that of the largest size, with its sign
  for (int i = 0; i < 32; ++i) {
    if (std::abs(x[i]) > std::abs(most)) most = x[i];
    low = std::min(low, x[i]);
    high = std::max(high, x[i]);
  }
  if (bits == 8) {
    const float d = std::abs(most) / 127, by = d != 0 ? 1 / d : 0;
    put_half(to, d);
    for (int i = 0; i < 32; ++i)
      to[2 + i] = static_cast<uint8_t>(static_cast<int8_t>(std::round(x[i] * by)));
    return;
  }
  const bool has_least = kind.levels.has_least;
  const auto zero = static_cast<float>(kind.levels.zero);
  const float d = has_least ? (high - low) / static_cast<float>(top) : most / -zero;
  const float by = d != 0 ? 1 / d : 0;
  for (int i = 0; i < 32; ++i)
    level[i] =
        has_least ? whole((x[i] - low) * by + 0.5f, top) : whole(x[i] * by + zero + 0.5f, top);
  put_half(to, d);
  if (has_least) put_half(to + 2, low);
  to += has_least ? 4 : 2;
  if (bits == 5) {
    std::fill_n(to, 4, 0);
    for (int i = 0; i < 32; ++i) to[i / 8] |= (level[i] >> 4) << i % 8;
    to += 4;
  }
  for (int i = 0; i < 16; ++i) to[i] = (level[i] & 15) | (level[i + 16] & 15) << 4;
}

constexpr int64_t kItem = 1 << 16;  // weights of an item of parallel work

}  // namespace

bool is_float(Quant type) { return block_of(type).first == 1; }
LevelsOf levels_of(Quant type) { return kind_of(type).levels; }
std::pair<int64_t, int64_t> block_of(Quant type) {
  return {kind_of(type).block, kind_of(type).bytes};
}
std::string quant_name(Quant type) { return kind_of(type).name; }

Quant quant_named(const std::string& name) {
  std::string upper = name;
  std::ranges::transform(upper, upper.begin(), [](unsigned char c) { return std::toupper(c); });
  for (const Kind& kind : kKinds)
    if (upper == kind.name) return kind.type;
  throw ValueError("there is no kind of weights '" + name + "'");
}

void unpack(Quant type, const uint8_t* block, Levels* out) {
  out->scale[0] = half_at(block);
  out->least[0] = 0;
  switch (type) {
    case Quant::kQ4_0:
      return unpack_nibbles(block + 2, 16, out->level);
    case Quant::kQ4_1:
      out->least[0] = half_at(block + 2);
      return unpack_nibbles(block + 4, 16, out->level);
    case Quant::kQ5_0:
      unpack_nibbles(block + 6, 16, out->level);
      return add_fifth(block + 2, out->level);
    case Quant::kQ5_1:
      out->least[0] = half_at(block + 2);
      unpack_nibbles(block + 8, 16, out->level);
      return add_fifth(block + 4, out->level);
    case Quant::kQ8_0:
      for (int i = 0; i < 32; ++i) out->level[i] = block[2 + i] ^ 0x80;
      return;
    case Quant::kQ2_K:
      return unpack_q2(block, out);
    case Quant::kQ3_K:
      return unpack_q3(block, out);
    case Quant::kQ4_K:
      unpack_scales(block, out);
      for (int i = 0; i < 4; ++i) unpack_nibbles(block + 16 + 32 * i, 32, out->level + 64 * i);
      return;
    case Quant::kQ5_K:
      unpack_scales(block, out);
      for (int i = 0; i < 4; ++i) unpack_nibbles(block + 48 + 32 * i, 32, out->level + 64 * i);
      for (int i = 0; i < 256; ++i) out->level[i] |= (block[16 + i % 32] >> i / 32 & 1) << 4;
      return;
    case Quant::kQ6_K:
      return unpack_q6(block, out);
    default:
      throw ValueError("weights of kind " + quant_name(type) + " are in no blocks");
  }
}

Tensor dequantize(const QuantizedTensor& weights) {
  const Kind& kind = kind_of(weights.type);
  const int64_t count = weights.shape.numel(), blocks = count / kind.block;
  if (weights.shape.rank() == 0 || weights.shape[weights.shape.rank() - 1] % kind.block != 0 ||
      !weights.bytes.defined() || weights.bytes.numel() != blocks * kind.bytes)
    throw ShapeError(fmt::format("dequantize: {} bytes of {} are no {}",
                                 weights.bytes.defined() ? weights.bytes.numel() : 0, kind.name,
                                 weights.shape.str()));
  const auto values = std::make_shared<std::vector<float>>(count);
  const uint8_t* const from = weights.bytes.data<uint8_t>().data();
  float* const to = values->data();
  const int64_t each = kItem / kind.block;
  parallel_for((blocks + each - 1) / each, [&](int64_t item) {
    const int64_t end = std::min(blocks, (item + 1) * each);
    for (int64_t b = item * each; b < end; ++b) {
      const uint8_t* const at = from + b * kind.bytes;
      if (kind.type == Quant::kF32) {
        std::memcpy(to + b, at, 4);
      } else if (kind.type == Quant::kF16) {
        to[b] = half_at(at);
      } else if (kind.type == Quant::kBF16) {
        to[b] = std::bit_cast<float>(uint32_t(at[0] | at[1] << 8) << 16);
      } else {
        Levels levels;
        unpack(kind.type, at, &levels);
        const LevelsOf& of = kind.levels;
        for (int64_t i = 0; i < of.block; ++i) {
          const int64_t part = i / of.part;
          to[b * of.block + i] =
              levels.scale[part] * static_cast<float>(levels.level[i] - of.zero) +
              levels.least[part];
        }
      }
    }
  });
  return from_external(to, weights.shape, kF32, values);
}

QuantizedTensor quantize(const Tensor& weights, Quant type) {
  const Kind& kind = kind_of(type);
  if (!weights.defined() || weights.rank() == 0 || weights.size(-1) % kind.block != 0)
    throw ShapeError(fmt::format("quantize: rows of {} are no multiple of {}, the block of {}",
                                 weights.defined() ? weights.shape().str() : "nothing", kind.block,
                                 kind.name));
  if (kind.block > 32)
    throw ValueError(
        fmt::format("quantize: to {} is not known here; F32, F16, BF16, Q4_0, Q4_1, "
                    "Q5_0, Q5_1 and Q8_0 are",
                    kind.name));
  const Tensor values = cast(weights, kF32);
  const float* const x = values.data<float>().data();
  const int64_t count = values.numel(), blocks = count / kind.block;
  const bool wide = type == Quant::kF32 || type == Quant::kBF16;
  const float most = wide ? std::numeric_limits<float>::max() : 65504;  // f16's
  if (!std::all_of(x, x + count, [most](float v) { return std::abs(v) <= most; }))
    throw ValueError(
        fmt::format("quantize: a weight is not finite, or too large for {}", kind.name));
  const auto bytes = std::make_shared<std::vector<uint8_t>>(blocks * kind.bytes);
  const int64_t each = kItem / kind.block;
  parallel_for((blocks + each - 1) / each, [&](int64_t item) {
    const int64_t end = std::min(blocks, (item + 1) * each);
    for (int64_t b = item * each; b < end; ++b) {
      uint8_t* const to = bytes->data() + b * kind.bytes;
      if (kind.type == Quant::kF32) {
        std::memcpy(to, x + b, 4);
      } else if (kind.type == Quant::kF16) {
        put_half(to, x[b]);
      } else if (kind.type == Quant::kBF16) {
        const uint16_t bits = bfloat16(x[b]).bits;
        std::memcpy(to, &bits, 2);
      } else {
        pack(kind, x + b * kind.block, to);
      }
    }
  });
  const int64_t size = blocks * kind.bytes;
  return {type, weights.shape(), from_external(bytes->data(), {size}, kU8, bytes)};
}

}  // namespace glia::llm
