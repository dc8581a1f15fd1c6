// Codes of bytes: how short a message gets shows what its entropy says. Link glia::math.
#pragma once

#include <cstdint>
#include <vector>

namespace glia::coding {

// ---- Entropy ----------------------------------------------------------------------------------

// How often each byte occurs: 256 counts.
std::vector<int64_t> byte_counts(const std::vector<uint8_t>& bytes);
// Bits per byte of the empirical H(next byte | the `order` bytes before), order 0, 1 or 2, over all
// bytes that have so many before them. 0 where there is none. Throws ValueError for other orders.
double byte_entropy(const std::vector<uint8_t>& bytes, int order = 0);

// ---- Huffman codes ----------------------------------------------------------------------------

// The prefix code of least mean length (Huffman 1952) in canonical form: codes of one length are
// consecutive numbers, in the order of symbols. A single symbol has one bit.
class HuffmanCode {
 public:
  // Of how often each symbol occurs; those with count 0 get no code. Throws ValueError for a
  // negative count, or counts whose sum is 2^53 or more.
  static HuffmanCode of_counts(const std::vector<int64_t>& counts);
  // Of the lengths that a code had. Throws ValueError if no prefix code has these.
  static HuffmanCode of_lengths(const std::vector<int>& lengths);

  // Bits of each symbol's code, 0: it has none; and the codes, of which the last bits count.
  const std::vector<int>& lengths() const { return lengths_; }
  const std::vector<uint64_t>& codes() const { return codes_; }
  // Bits of a message with so many of each symbol.
  int64_t message_bits(const std::vector<int64_t>& counts) const;

  // The symbols' codes one after the other, from the highest bit of each byte on. Throws ValueError
  // for a symbol without a code.
  std::vector<uint8_t> encode(const std::vector<uint8_t>& symbols) const;
  // `count` symbols. Throws ValueError where the bits end before, or are no code.
  std::vector<uint8_t> decode(const std::vector<uint8_t>& bits, int64_t count) const;

 private:
  std::vector<int> lengths_;
  std::vector<uint64_t> codes_;
};

// A message with what is needed to read it: its length and the code's lengths. Decoding throws
// ValueError for what is cut short or was not encoded so.
std::vector<uint8_t> huffman_encode(const std::vector<uint8_t>& bytes);
std::vector<uint8_t> huffman_decode(const std::vector<uint8_t>& message);

// ---- Arithmetic coding ------------------------------------------------------------------------

// A message as one fraction, by the frequencies of its bytes, which it begins with (Rissanen &
// Langdon 1979; Martin 1979): within a few bytes and 0.01 % of the entropy of order 0.
std::vector<uint8_t> arithmetic_encode(const std::vector<uint8_t>& bytes);
std::vector<uint8_t> arithmetic_decode(const std::vector<uint8_t>& message);

}  // namespace glia::coding
