// Kernels of every instruction set against f64 on the numbers that blocks stand for.
#include "kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "glia/ops.h"
#include "glia/random.h"
#include "glia/runtime.h"

namespace glia::llm {
namespace {

struct Named {
  const char* name;
  const Kernels* kernels;
};
std::vector<Named> sets() {
  std::vector<Named> all{{"baseline", &kBaselineKernels}};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    all.push_back({"avx2", &kAvx2Kernels});
  if (__builtin_cpu_supports("avx512vnni")) all.push_back({"avx512", &kAvx512Kernels});
#endif
  return all;
}

// Blocks of any bytes, with scales that are numbers.
QuantizedTensor random_blocks(Quant type, int64_t rows, int64_t columns, std::mt19937& random) {
  const auto [block, size] = block_of(type);
  std::vector<uint8_t> bytes(rows * columns / block * size);
  for (uint8_t& b : bytes) b = static_cast<uint8_t>(random());
  std::vector<int64_t> halves;  // where scales lie
  switch (type) {
    case Quant::kQ2_K:
      halves = {80, 82};
      break;
    case Quant::kQ3_K:
      halves = {108};
      break;
    case Quant::kQ6_K:
      halves = {208};
      break;
    case Quant::kQ4_1:
    case Quant::kQ5_1:
    case Quant::kQ4_K:
    case Quant::kQ5_K:
      halves = {0, 2};
      break;
    default:
      halves = {0};
  }
  for (size_t b = 0; b < bytes.size(); b += size)
    for (const int64_t at : halves) {
      bytes[b + at + 1] = static_cast<uint8_t>((bytes[b + at + 1] & 0x83) | 0x28);  // about 0.05
    }
  const auto count = static_cast<int64_t>(bytes.size());
  return {type, {rows, columns}, from_vector(bytes, {count})};
}

TEST(LlmKernels, ProductsOfAllKindsAreThoseOfTheirNumbers) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  for (const Quant type : {Quant::kF32, Quant::kF16, Quant::kBF16, Quant::kQ4_0, Quant::kQ4_1,
                           Quant::kQ5_0, Quant::kQ5_1, Quant::kQ8_0, Quant::kQ2_K, Quant::kQ3_K,
                           Quant::kQ4_K, Quant::kQ5_K, Quant::kQ6_K}) {
    const int64_t rows = 37, columns = is_float(type) ? 77 : 512;
    manual_seed(3);
    const QuantizedTensor w = is_float(type) ? quantize(randn({rows, columns}), type)
                                             : random_blocks(type, rows, columns, random);
    const Packed packed = pack_rows(w);
    const std::vector<double> exact = dequantize(w).to_vector<double>();
    for (const int64_t t : {1, 2, 3, 5, 8, 15}) {
      std::vector<float> x(t * columns);
      for (float& v : x) v = normal(random);
      x[columns / 2] = 300;  // features that stand out
      for (const Named& set : sets()) {
        Activations a;
        a.resize(t, columns);
        a.values = x.data();
        if (!is_float(type))
          for (int64_t i = 0; i < t; ++i) set.kernels->to_bytes(a, i);
        std::vector<float> y(t * rows + 1, 7);
        set.kernels->product(packed, 0, 1, a, y.data(), rows);
        set.kernels->product(packed, 1, packed.groups(), a, y.data(), rows);
        EXPECT_EQ(y.back(), 7) << "wrote beyond the rows";
        for (int64_t i = 0; i < t; ++i)
          for (int64_t r = 0; r < rows; ++r) {
            double want = 0, bound = 0;
            for (int64_t c = 0; c < columns; ++c) {
              const double product = x[i * columns + c] * exact[r * columns + c];
              want += product;
              bound += 1e-6 * std::abs(product);
              // Each activation is right to 1.5 of 32,512 steps up to the largest of its 32.
              float most = 0;
              for (int64_t k = c / 32 * 32; k < std::min(columns, c / 32 * 32 + 32); ++k)
                most = std::max(most, std::abs(x[i * columns + k]));
              bound += std::abs(exact[r * columns + c]) * most * 1.5 / 32512;
            }
            ASSERT_NEAR(y[i * rows + r], want, bound)
                << set.name << " " << quant_name(type) << " " << t << " " << i << " " << r;
          }
      }
    }
  }
}

TEST(LlmKernels, InstructionSetsAgreeOnBytes) {
  std::mt19937 random(2);
  std::normal_distribution<float> normal;
  std::vector<float> x(256);
  for (float& v : x) v = normal(random);
  std::fill_n(x.begin() + 64, 32, 0.0f);
  x[130] = -1e30f;
  Activations first;
  for (const Named& set : sets()) {
    Activations a;
    a.resize(1, 256);
    a.values = x.data();
    set.kernels->to_bytes(a, 0);
    if (set.kernels == &kBaselineKernels) first = a;
    EXPECT_EQ(a.bytes, first.bytes) << set.name;
    EXPECT_EQ(a.sum, first.sum) << set.name;
    EXPECT_EQ(a.scale[2], 0);
    for (int i = 0; i < 256; ++i) {
      const int at = i / 32 * 64 + i % 32, whole = 256 * a.bytes[at] + a.bytes[at + 32];
      EXPECT_NEAR(whole * a.scale[i / 32], x[i], 1.51f * a.scale[i / 32]) << set.name << i;
    }
  }
  // What is no number makes no number, instead of one.
  for (const float wrong : {NAN, INFINITY})
    for (const Named& set : sets()) {
      x[5] = wrong;
      Activations a;
      a.resize(1, 256);
      a.values = x.data();
      set.kernels->to_bytes(a, 0);
      EXPECT_FALSE(std::isfinite(a.scale[0])) << set.name;
    }
}

TEST(LlmKernels, NormsAndGates) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  for (const int64_t size : {1, 16, 40, 576})
    for (const Named& set : sets()) {
      std::vector<float> x(size), w(size), y(size), g(size);
      for (int64_t i = 0; i < size; ++i) {
        x[i] = g[i] = 30 * normal(random);
        w[i] = normal(random);
      }
      set.kernels->norm(x.data(), w.data(), size, 1e-5f, y.data());
      double squares = 0;
      for (const float v : x) squares += double{v} * v;
      for (int64_t i = 0; i < size; ++i)
        EXPECT_NEAR(y[i], x[i] / std::sqrt(squares / size + 1e-5) * w[i], 1e-5) << set.name;
      set.kernels->gate(g.data(), w.data(), size);
      for (int64_t i = 0; i < size; ++i) {
        const double want = x[i] / (1 + std::exp(-double{x[i]})) * w[i];
        EXPECT_NEAR(g[i], want, 1e-5 + 1e-6 * std::abs(want)) << set.name;
      }
    }
}

TEST(LlmKernels, AttentionIsThatOfKeptHalves) {
  std::mt19937 random(4);
  std::normal_distribution<float> normal;
  for (const int64_t size : {6, 16, 64, 80})
    for (const int64_t rows : {1, 2, 5, 8}) {
      const int64_t positions = 53, padded = (size + 15) / 16 * 16, room = 64;
      std::vector<uint16_t> keys(room * size), values(room * padded);
      std::vector<double> k(positions * size), v(positions * size);
      for (int64_t s = 0; s < positions; ++s)
        for (int64_t d = 0; d < size; ++d) {
          const float16 a(normal(random)), b(normal(random));
          keys[s / 16 * 16 * size + d * 16 + s % 16] = a.bits;
          values[s * padded + d] = b.bits;
          k[s * size + d] = static_cast<float>(a);
          v[s * size + d] = static_cast<float>(b);
        }
      for (int64_t d = 0; d < size; ++d)  // what is not seen does not matter
        keys[48 * size + d * 16 + 15] = 0x7e00;
      std::vector<float> q(rows * size);
      for (float& x : q) x = normal(random);
      std::vector<int64_t> seen(rows);
      for (int64_t r = 0; r < rows; ++r) seen[r] = r == 0 ? 1 : positions - rows + r + 1;
      for (const Named& set : sets()) {
        std::vector<float> out = q, scores(rows * room);
        std::vector<float*> at(rows);
        for (int64_t r = 0; r < rows; ++r) at[r] = out.data() + r * size;
        set.kernels->attend({keys.data(), values.data(), size, padded}, at.data(), seen.data(),
                            rows, scores.data());
        for (int64_t r = 0; r < rows; ++r) {
          std::vector<double> p(seen[r]);
          double all = 0;
          for (int64_t s = 0; s < seen[r]; ++s) {
            double dot = 0;
            for (int64_t d = 0; d < size; ++d) dot += q[r * size + d] * k[s * size + d];
            all += p[s] = std::exp(dot);
          }
          for (int64_t d = 0; d < size; ++d) {
            double want = 0;
            for (int64_t s = 0; s < seen[r]; ++s) want += p[s] / all * v[s * size + d];
            ASSERT_NEAR(out[r * size + d], want, 1e-4)
                << set.name << size << " " << rows << " " << r;
          }
        }
      }
    }
}

}  // namespace
}  // namespace glia::llm
