#include "glia/llm/gguf.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "blocks.h"
#include "glia/error.h"
#include "glia/io.h"
#include "glia/ops.h"
#include "glia/random.h"
#include "tests/support/scratch.h"

namespace glia::llm {
namespace {

constexpr Quant kAll[] = {Quant::kF32,  Quant::kF16,  Quant::kQ4_0, Quant::kQ4_1, Quant::kQ5_0,
                          Quant::kQ5_1, Quant::kQ8_0, Quant::kQ2_K, Quant::kQ3_K, Quant::kQ4_K,
                          Quant::kQ5_K, Quant::kQ6_K, Quant::kBF16};

QuantizedTensor of_bytes(Quant type, const Shape& shape, const std::vector<uint8_t>& bytes) {
  return {type, shape, from_vector(bytes, {static_cast<int64_t>(bytes.size())})};
}
void put_half(std::vector<uint8_t>& to, size_t at, float x) {
  const uint16_t bits = float16(x).bits;
  std::memcpy(to.data() + at, &bits, 2);
}

TEST(Gguf, BlocksAreWhatTheirLayoutSays) {
  // Q4_1: scale 0.5, least -1, the first byte levels 3 and 12: weights 0 and 16.
  std::vector<uint8_t> q4(20);
  put_half(q4, 0, 0.5f);
  put_half(q4, 2, -1);
  q4[4] = 3 | 12 << 4;
  const auto a = dequantize(of_bytes(Quant::kQ4_1, {32}, q4)).to_vector<float>();
  EXPECT_EQ(a[0], 0.5f);
  EXPECT_EQ(a[16], 5);
  EXPECT_EQ(a[1], -1);
  // Q5_0: 16 is zero; the fifth bit of weight 17 is bit 17 of the four bytes behind the scale.
  std::vector<uint8_t> q5(22);
  put_half(q5, 0, 2);
  q5[2 + 2] = 1 << 1;
  q5[6 + 1] = 5 << 4;
  const auto b = dequantize(of_bytes(Quant::kQ5_0, {32}, q5)).to_vector<float>();
  EXPECT_EQ(b[17], 2 * (21 - 16));
  EXPECT_EQ(b[0], -32);
  // Q8_0 is signed.
  std::vector<uint8_t> q8(34);
  put_half(q8, 0, 0.25f);
  q8[2] = static_cast<uint8_t>(-128);
  q8[33] = 127;
  const auto c = dequantize(of_bytes(Quant::kQ8_0, {32}, q8)).to_vector<float>();
  EXPECT_EQ(c[0], -32);
  EXPECT_EQ(c[31], 31.75f);
  // Q4_K: the scales of parts 4 to 7 have their upper bits in those of parts 0 to 3.
  std::vector<uint8_t> k4(144);
  put_half(k4, 0, 1);
  put_half(k4, 2, 1);
  k4[4] = 2 | 1 << 6;  // part 0: scale 2; part 4: scale 16 and more
  k4[8] = 3;           // part 0: least 3
  k4[12] = 5;          // part 4: scale 21, least 0
  k4[16] = 7;          // weight 0
  k4[16 + 64] = 9;     // weight 128
  const auto d = dequantize(of_bytes(Quant::kQ4_K, {256}, k4)).to_vector<float>();
  EXPECT_EQ(d[0], 2 * 7 - 3);
  EXPECT_EQ(d[1], -3);
  EXPECT_EQ(d[128], 21 * 9);
  // Q6_K: 32 is zero, and parts of 16 have a signed scale.
  std::vector<uint8_t> k6(210);
  put_half(k6, 208, 0.5f);
  k6[192] = static_cast<uint8_t>(-3);
  k6[0] = 9;
  k6[128] = 2;
  const auto e = dequantize(of_bytes(Quant::kQ6_K, {256}, k6)).to_vector<float>();
  EXPECT_EQ(e[0], -1.5f * (9 + 32 - 32));
  EXPECT_EQ(e[1], -1.5f * -32);
  // f16 below its least normal number, and what is none.
  std::vector<uint8_t> h{1, 0, 0, 0x7c, 0, 0x7e, 0, 0xfc};
  const auto f = dequantize(of_bytes(Quant::kF16, {4}, h)).to_vector<float>();
  EXPECT_EQ(f[0], 0x1p-24f);
  EXPECT_EQ(f[1], INFINITY);
  EXPECT_TRUE(std::isnan(f[2]));
  EXPECT_EQ(f[3], -INFINITY);
}

TEST(Gguf, RoundingIsAsNearAsTheKindAllows) {
  manual_seed(1);
  const Tensor w = randn({64, 96});
  const std::pair<Quant, double> kinds[] = {
      {Quant::kF32, 0},     {Quant::kF16, 2e-3}, {Quant::kBF16, 2e-2}, {Quant::kQ8_0, 0.02},
      {Quant::kQ5_1, 0.12}, {Quant::kQ5_0, 0.2}, {Quant::kQ4_1, 0.25}, {Quant::kQ4_0, 0.4}};
  for (const auto& [kind, most] : kinds) {
    const QuantizedTensor q = quantize(w, kind);
    EXPECT_EQ(q.bytes.numel(), 64 * 96 / block_of(kind).first * block_of(kind).second);
    const Tensor back = dequantize(q);
    EXPECT_LE(max(abs(back - w)).item(), most) << quant_name(kind);
    // What has been rounded stays: the largest of a block and the ends are levels.
    if (kind == Quant::kQ4_1 || kind == Quant::kQ5_1) continue;
    EXPECT_LE(max(abs(dequantize(quantize(back, kind)) - back)).item(), 1e-2) << quant_name(kind);
  }
  EXPECT_EQ(sum(abs(dequantize(quantize(zeros({32}), Quant::kQ4_0)))).item(), 0);
  EXPECT_THROW(quantize(zeros({33}), Quant::kQ8_0), ShapeError);
  EXPECT_THROW(quantize(full({32}, NAN), Quant::kQ8_0), ValueError);
  EXPECT_THROW(quantize(full({32}, 1e6), Quant::kF16), ValueError);
  EXPECT_THROW(quantize(zeros({256}), Quant::kQ4_K), ValueError);
  EXPECT_THROW(dequantize({Quant::kQ8_0, {32}, zeros({33}, kU8)}), ShapeError);
  EXPECT_THROW(dequantize({static_cast<Quant>(99), {32}, zeros({34}, kU8)}), ValueError);
  EXPECT_EQ(quant_named("q4_k"), Quant::kQ4_K);
  EXPECT_THROW(quant_named("Q9"), ValueError);
}

class GgufFiles : public test::Scratch {};

Gguf sample() {
  Gguf out;
  out.set_text("general.architecture", "none");
  out.set_integer("count", 7);
  out.set_integer("negative", -7);
  out.set_number("eps", 0.5);
  out.set_flag("flag", true);
  out.set("words", {GgufType::kString, true, {}, {}, {"a", "", "Gr\xC3\xBC\xC3\x9F"}});
  out.set("bytes", {GgufType::kUint8, true, {0, 255}});
  out.set("halves", {GgufType::kFloat64, true, {}, {0.5, -1e300}});
  out.set("none", {GgufType::kInt32, true});
  manual_seed(2);
  for (const Quant kind : {Quant::kQ4_1, Quant::kF32, Quant::kQ8_0})
    out.tensors.emplace_back("w" + quant_name(kind), quantize(randn({3, 64}), kind));
  out.tensors.emplace_back("empty", quantize(zeros({0, 64}), Quant::kF32));
  return out;
}

TEST_F(GgufFiles, FilesComeBack) {
  const std::string path = file("a.gguf");
  const Gguf wrote = sample();
  write_gguf(path, wrote);
  const Gguf read = read_gguf(path);
  EXPECT_EQ(read.text("general.architecture"), "none");
  EXPECT_EQ(read.integer("count"), 7);
  EXPECT_EQ(read.integer("negative"), -7);
  EXPECT_EQ(read.number("count"), 7);
  EXPECT_EQ(read.number("eps"), 0.5);
  EXPECT_EQ(read.integer("flag"), 1);
  EXPECT_EQ(read.texts("words"), wrote.texts("words"));
  EXPECT_EQ(read.integers("bytes"), (std::vector<int64_t>{0, 255}));
  EXPECT_EQ(read.numbers("halves"), (std::vector<double>{0.5, -1e300}));
  EXPECT_TRUE(read.integers("none").empty());
  EXPECT_EQ(read.integer("missing", 3), 3);
  ASSERT_EQ(read.tensors.size(), 4u);
  for (size_t i = 0; i < 4; ++i) {
    const auto& [name, tensor] = read.tensors[i];
    EXPECT_EQ(name, wrote.tensors[i].first);
    EXPECT_EQ(tensor.shape, wrote.tensors[i].second.shape);
    EXPECT_EQ(tensor.bytes.to_vector<int>(), wrote.tensors[i].second.bytes.to_vector<int>());
  }
  EXPECT_THROW(read.text("count"), Error);
  EXPECT_THROW(read.integer("words"), Error);
  EXPECT_THROW(read.integer("missing"), Error);
  EXPECT_THROW(read.tensor("missing"), Error);
  write_gguf(file("b.gguf"), read);
  EXPECT_EQ(io::read_file(path), io::read_file(file("b.gguf")));
  Gguf twice = wrote;
  twice.tensors.push_back(twice.tensors[0]);
  EXPECT_THROW(write_gguf(path, twice), IoError);
}

// A file's failure is an IoError of one line that names it.
void expect_refused(const std::string& path, const std::string& bytes) {
  std::filesystem::remove(path);  // a file that is written over is synced by some systems
  std::ofstream(path, std::ios::binary) << bytes;
  try {
    const Gguf content = read_gguf(path);
    for (const auto& [name, tensor] : content.tensors) dequantize(tensor);
    FAIL() << "was read";
  } catch (const IoError& e) {
    EXPECT_TRUE(std::string(e.what()).starts_with(path)) << e.what();
    EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos);
  }
}

TEST_F(GgufFiles, LiesAreRefused) {
  const std::string path = file("a.gguf");
  write_gguf(path, sample());
  const std::string good = io::read_file(path);
  const auto with = [&](size_t at, uint64_t value, int size) {
    std::string bytes = good;
    std::memcpy(bytes.data() + at, &value, size);
    return bytes;
  };
  expect_refused(path, "");
  expect_refused(path, "GGU");
  expect_refused(path, "GGML" + good.substr(4));
  expect_refused(path, with(4, 1, 4));
  expect_refused(path, with(4, 0x03000000, 4));  // big-endian
  for (const uint64_t lie : {uint64_t{5}, UINT64_MAX, UINT64_MAX / 2, uint64_t{1} << 32}) {
    expect_refused(path, with(8, lie, 8));         // tensors
    expect_refused(path, with(16, lie + 9, 8));    // settings
    expect_refused(path, with(24, lie + 100, 8));  // the first name's length
  }
  const size_t tensor = good.find("wQ4_1");
  expect_refused(path, with(tensor + 5, 5, 4));                   // axes
  expect_refused(path, with(tensor + 9, 63, 8));                  // no whole block
  expect_refused(path, with(tensor + 9, uint64_t{1} << 60, 8));   // too many
  expect_refused(path, with(tensor + 17, uint64_t{1} << 62, 8));  // the product overflows
  expect_refused(path, with(tensor + 25, 4, 4));                  // an unknown kind
  expect_refused(path, with(tensor + 29, 7, 8));                  // not aligned
  expect_refused(path, with(tensor + 29, UINT64_MAX - 31, 8));    // beyond the end
  const size_t second = good.find("wF32");
  expect_refused(path, with(second + 28, 0, 8));  // over the first
  for (size_t size = 0; size + 800 < good.size(); size += 7)
    expect_refused(path, good.substr(0, size));
  EXPECT_THROW(read_gguf(file("none")), IoError);
  EXPECT_THROW(read_gguf("/"), IoError);
}

TEST_F(GgufFiles, DamagedFilesNeverCrash) {
  const std::string path = file("a.gguf");
  write_gguf(path, sample());
  const std::string good = io::read_file(path);
  uint64_t state = 88172645463325252;
  const auto draw = [&](uint64_t n) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % n;
  };
  int refused = 0;
  for (int i = 0; i < 2000; ++i) {
    std::string bytes = good;
    for (uint64_t k = 1 + draw(4); k > 0; --k)
      bytes[draw(700)] = static_cast<char>(draw(3) ? draw(256) : draw(2) * 255);
    if (draw(4) == 0) bytes.resize(draw(bytes.size()));
    std::filesystem::remove(path);
    std::ofstream(path, std::ios::binary) << bytes;
    try {
      const Gguf content = read_gguf(path);
      for (const auto& [name, tensor] : content.tensors) eval(dequantize(tensor));
    } catch (const Error& e) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 500);
  EXPECT_LT(refused, 2000);
}

TEST(Gguf, EveryKindHasItsBlock) {
  for (const Quant kind : kAll) {
    EXPECT_EQ(quant_named(quant_name(kind)), kind);
    const auto [weights, bytes] = block_of(kind);
    // No byte pattern is out of range.
    const Tensor all = dequantize({kind, {2 * weights}, full({2 * bytes}, 0x3b, kU8)});
    EXPECT_TRUE(std::isfinite(sum(all).item())) << quant_name(kind);
  }
}

}  // namespace
}  // namespace glia::llm
