// Huffman and arithmetic codes: what goes in comes out, lengths beside entropies, damaged messages.
#include "glia/math/coding.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "glia/data.h"
#include "tests/support/files.h"
#include "tests/support/values.h"

namespace glia::coding {
namespace {

using glia::test::message_of;
using Bytes = std::vector<uint8_t>;

Bytes text(const std::string& s) { return Bytes(s.begin(), s.end()); }
// Bytes of geometric frequencies.
Bytes skewed(size_t n, double ratio, uint64_t seed = 1) {
  data::Random random(seed);
  Bytes out;
  for (size_t i = 0; i < n; ++i) {
    int b = 0;
    while (b < 255 && random.uniform() < ratio) ++b;
    out.push_back(static_cast<uint8_t>(b));
  }
  return out;
}
Bytes uniform(size_t n) {
  data::Random random(2);
  Bytes out;
  for (size_t i = 0; i < n; ++i) out.push_back(static_cast<uint8_t>(random.below(256)));
  return out;
}
std::vector<Bytes> messages() {
  Bytes all(256);
  std::iota(all.begin(), all.end(), 0);
  std::vector<Bytes> out{{},
                         {7},
                         {0, 0},
                         Bytes(1000, 255),
                         text("abracadabra"),
                         all,
                         uniform(5000),
                         skewed(20000, 0.5),
                         skewed(20000, 0.97),
                         skewed(3000, 0.02)};
  return out;
}

TEST(Coding, EntropyOfBytes) {
  EXPECT_EQ(byte_entropy({}), 0);
  EXPECT_EQ(byte_entropy({5, 5, 5}), 0);
  EXPECT_NEAR(byte_entropy({0, 1, 2, 3}), 2, 1e-14);
  EXPECT_NEAR(byte_entropy(text("abracadabra")), 2.0403733936884962, 1e-12);
  // What alternates is told by the byte before.
  Bytes alternating;
  for (int i = 0; i < 100; ++i) alternating.push_back(i % 2 ? 'a' : 'b');
  EXPECT_NEAR(byte_entropy(alternating, 0), 1, 1e-14);
  EXPECT_NEAR(byte_entropy(alternating, 1), 0, 1e-14);
  const Bytes bytes = skewed(3000, 0.8);
  EXPECT_GE(byte_entropy(bytes, 0), byte_entropy(bytes, 1));
  EXPECT_GE(byte_entropy(bytes, 1), byte_entropy(bytes, 2));
  EXPECT_NE(message_of<ValueError>([] { byte_entropy({1}, 3); }).find("order is 3"),
            std::string::npos);
}

TEST(Coding, HuffmanCodesAreShortestAndCanonical) {
  // Huffman 1952, by the example of 13 messages, times 100.
  const HuffmanCode code = HuffmanCode::of_counts({20, 18, 10, 10, 10, 6, 6, 4, 4, 4, 4, 3, 1});
  EXPECT_EQ(code.message_bits({20, 18, 10, 10, 10, 6, 6, 4, 4, 4, 4, 3, 1}), 342);
  const HuffmanCode small = HuffmanCode::of_lengths({2, 1, 3, 3});
  EXPECT_EQ(small.codes(), (std::vector<uint64_t>{2, 0, 6, 7}));
  EXPECT_EQ(HuffmanCode::of_counts({0, 9}).lengths(), (std::vector<int>{0, 1}));
  EXPECT_TRUE(HuffmanCode::of_counts({}).lengths().empty());
  // Counts like Fibonacci's make the longest codes.
  std::vector<int64_t> fibonacci{1, 1};
  while (fibonacci.size() < 40) fibonacci.push_back(fibonacci.back() + fibonacci.end()[-2]);
  const HuffmanCode deep = HuffmanCode::of_counts(fibonacci);
  EXPECT_EQ(*std::max_element(deep.lengths().begin(), deep.lengths().end()), 39);
  Bytes symbols(40);
  std::iota(symbols.begin(), symbols.end(), 0);
  EXPECT_EQ(deep.decode(deep.encode(symbols), 40), symbols);
}

TEST(Coding, MessagesComeBack) {
  for (const Bytes& m : messages()) {
    SCOPED_TRACE(m.size());
    EXPECT_EQ(huffman_decode(huffman_encode(m)), m);
    EXPECT_EQ(arithmetic_decode(arithmetic_encode(m)), m);
  }
}

TEST(Coding, LengthsAreThoseOfTheEntropy) {
  for (const Bytes& m :
       {skewed(200000, 0.5), skewed(200000, 0.97), skewed(200000, 0.02), uniform(100000)}) {
    const double n = static_cast<double>(m.size()), h = byte_entropy(m);
    const std::vector<int64_t> counts = byte_counts(m);
    const double mean =
        static_cast<double>(HuffmanCode::of_counts(counts).message_bits(counts)) / n;
    EXPECT_GE(mean, h - 1e-12);
    EXPECT_LE(mean, h + 1);
    // Without the counts before it.
    int64_t header = 32 + 8;
    for (int64_t c : counts) header += c > 0 ? 1 + static_cast<int64_t>(std::log2(c) / 7) : 0;
    const double bits =
        8 * static_cast<double>(arithmetic_encode(m).size() - static_cast<size_t>(header));
    EXPECT_LE(bits, n * h * 1.0001 + 128);
    EXPECT_GE(bits + 8 * 8, n * h);
  }
}

TEST(Coding, DamagedMessagesAreRefusedOrRead) {
  const Bytes m = skewed(300, 0.7);
  for (bool arithmetic : {false, true}) {
    const Bytes good = arithmetic ? arithmetic_encode(m) : huffman_encode(m);
    const auto read = [&](const Bytes& b) {
      try {
        arithmetic ? arithmetic_decode(b) : huffman_decode(b);
        return false;
      } catch (const ValueError&) {
        return true;
      }
    };
    for (size_t cut = 0; cut < good.size(); ++cut)
      EXPECT_TRUE(read(Bytes(good.begin(), good.begin() + static_cast<int64_t>(cut)))) << cut;
    data::Random random(5);
    for (int i = 0; i < 2000; ++i) {  // must not crash, whatever it says
      Bytes bad = good;
      // Not the length, which may be that of a long message of one byte.
      bad[static_cast<size_t>(2 + random.below(static_cast<int64_t>(bad.size()) - 2))] =
          static_cast<uint8_t>(random.below(256));
      read(bad);
    }
  }
  EXPECT_NE(message_of<ValueError>([] { HuffmanCode::of_lengths({1, 1, 1}); }), "");
  EXPECT_NE(message_of<ValueError>([] { HuffmanCode::of_lengths({-1}); }), "");
  EXPECT_NE(message_of<ValueError>([] { HuffmanCode::of_lengths({64}); }), "");
  EXPECT_NE(message_of<ValueError>([] { HuffmanCode::of_counts({-1}); }), "");
  EXPECT_NE(message_of<ValueError>([] { HuffmanCode::of_counts({INT64_MAX, INT64_MAX}); }), "");
  EXPECT_NE(message_of<ValueError>([] { HuffmanCode::of_counts({1, 1}).encode({2}); }), "");
  EXPECT_NE(message_of<ValueError>([] { HuffmanCode::of_counts({1, 1}).decode({0}, 9); }), "");
  EXPECT_NE(message_of<ValueError>([] { HuffmanCode::of_counts({1, 1}).decode({0}, -1); }), "");
  EXPECT_NE(message_of<ValueError>([] { HuffmanCode::of_counts({1, 1}).message_bits({1}); }), "");
}

}  // namespace
}  // namespace glia::coding
