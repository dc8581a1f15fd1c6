#include "glia/math/coding.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <queue>
#include <string>
#include <utility>

#include "glia/error.h"

namespace glia::coding {
namespace {

using Bytes = std::vector<uint8_t>;

constexpr int64_t kMost = int64_t{1} << 53;
constexpr int kLongest = 63;

[[noreturn]] void fail(const char* function, const std::string& why) {
  throw ValueError(std::string(function) + ": " + why);
}

// ---- Numbers in a message ----

// Seven bits a byte, the last one without the eighth.
void put_number(Bytes* out, uint64_t n) {
  for (; n >= 128; n >>= 7) out->push_back(static_cast<uint8_t>(n | 128));
  out->push_back(static_cast<uint8_t>(n));
}

class Reader {
 public:
  Reader(const char* function, const Bytes& message) : function_(function), message_(message) {}
  uint8_t byte() {
    if (at_ == message_.size()) fail(function_, "the message is cut short");
    return message_[at_++];
  }
  int64_t number() {
    uint64_t n = 0;
    for (int shift = 0; shift < 63; shift += 7) {
      const uint8_t b = byte();
      n |= static_cast<uint64_t>(b & 127) << shift;
      if (b < 128) {
        if (n > static_cast<uint64_t>(kMost)) break;
        return static_cast<int64_t>(n);
      }
    }
    fail(function_, "the message has no valid length");
  }
  // 256 bits: which bytes occur.
  std::vector<bool> present() {
    std::vector<bool> out;
    for (int i = 0; i < 32; ++i) {
      const uint8_t bits = byte();
      for (int k = 0; k < 8; ++k) out.push_back(bits >> k & 1);
    }
    return out;
  }
  Bytes rest() const { return Bytes(message_.begin() + static_cast<int64_t>(at_), message_.end()); }

 private:
  const char* function_;
  const Bytes& message_;
  size_t at_ = 0;
};

void put_present(Bytes* out, const std::vector<int64_t>& counts) {
  for (size_t i = 0; i < 32; ++i) {
    uint8_t bits = 0;
    for (size_t k = 0; k < 8; ++k) bits |= static_cast<uint8_t>((counts[8 * i + k] > 0) << k);
    out->push_back(bits);
  }
}

}  // namespace

// ---- Entropy ----

std::vector<int64_t> byte_counts(const Bytes& bytes) {
  std::vector<int64_t> counts(256, 0);
  for (uint8_t b : bytes) ++counts[b];
  return counts;
}

double byte_entropy(const Bytes& bytes, int order) {
  if (order < 0 || order > 2)
    fail("byte_entropy", "order is " + std::to_string(order) + ", not 0, 1 or 2");
  const size_t n = bytes.size(), context = static_cast<size_t>(order);
  if (n <= context) return 0;
  // sum over contexts of n log n, less that over contexts with the next byte.
  std::vector<uint32_t> with_next(size_t{1} << (8 * (context + 1)), 0);
  const uint32_t mask = static_cast<uint32_t>(with_next.size() - 1);
  uint32_t key = 0;
  for (size_t i = 0; i < n; ++i) {
    key = (key << 8 | bytes[i]) & mask;
    if (i >= context) ++with_next[key];
  }
  const auto n_log_n = [](uint64_t k) {
    return k == 0 ? 0.0 : static_cast<double>(k) * std::log2(static_cast<double>(k));
  };
  double bits = 0;
  for (size_t c = 0; c < with_next.size(); c += 256) {
    uint64_t all = 0;
    double parts = 0;
    for (size_t b = 0; b < 256; ++b) {
      all += with_next[c + b];
      parts += n_log_n(with_next[c + b]);
    }
    bits += n_log_n(all) - parts;
  }
  return bits / static_cast<double>(n - context);
}

// ---- Huffman ----

HuffmanCode HuffmanCode::of_counts(const std::vector<int64_t>& counts) {
  constexpr const char* kName = "HuffmanCode.of_counts";
  struct Node {
    int64_t weight;
    size_t left = 0, right = 0;
  };
  int64_t all = 0;
  std::vector<Node> nodes;
  std::vector<size_t> symbols;
  for (size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] < 0) fail(kName, "the count " + std::to_string(counts[i]));
    if (counts[i] >= kMost - all) fail(kName, "the counts are too large");
    all += counts[i];
    if (counts[i] == 0) continue;
    symbols.push_back(i);
    nodes.push_back({counts[i]});
  }
  const size_t leaves = nodes.size();
  using Entry = std::pair<int64_t, size_t>;  // of equal weights the older one, for shallow codes
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> open;
  for (size_t i = 0; i < leaves; ++i) open.push({nodes[i].weight, i});
  const auto take = [&] {
    const size_t least = open.top().second;
    open.pop();
    return least;
  };
  while (open.size() > 1) {
    const size_t a = take(), b = take();
    nodes.push_back({nodes[a].weight + nodes[b].weight, a, b});
    open.push({nodes.back().weight, nodes.size() - 1});
  }
  std::vector<int> lengths(counts.size(), 0), depth(nodes.size(), 0);
  for (size_t i = nodes.size(); i-- > leaves;) {
    depth[nodes[i].left] = depth[nodes[i].right] = depth[i] + 1;
  }
  for (size_t i = 0; i < leaves; ++i) lengths[symbols[i]] = std::max(depth[i], 1);
  return of_lengths(lengths);
}

HuffmanCode HuffmanCode::of_lengths(const std::vector<int>& lengths) {
  constexpr const char* kName = "HuffmanCode.of_lengths";
  HuffmanCode code;
  std::vector<std::pair<int, size_t>> order;
  for (size_t i = 0; i < lengths.size(); ++i) {
    if (lengths[i] < 0 || lengths[i] > kLongest)
      fail(kName, "a length of " + std::to_string(lengths[i]) + " bits");
    if (lengths[i] > 0) order.emplace_back(lengths[i], i);
  }
  std::sort(order.begin(), order.end());
  code.lengths_ = lengths;
  code.codes_.assign(lengths.size(), 0);
  uint64_t next = 0;
  int length = 0;
  for (const auto& [bits, symbol] : order) {
    if (length == 0) length = bits;
    // Codes of a length end at 2^length (Kraft 1949).
    if (bits - length > 0 && next >> (kLongest - (bits - length)) != 0)
      fail(kName, "no prefix code has these lengths");
    next <<= bits - length;
    length = bits;
    if (next >> bits != 0) fail(kName, "no prefix code has these lengths");
    code.codes_[symbol] = next++;
  }
  return code;
}

int64_t HuffmanCode::message_bits(const std::vector<int64_t>& counts) const {
  if (counts.size() != lengths_.size())
    fail("HuffmanCode.message_bits", std::to_string(counts.size()) + " counts for " +
                                         std::to_string(lengths_.size()) + " symbols");
  int64_t bits = 0;
  for (size_t i = 0; i < counts.size(); ++i) bits += counts[i] * lengths_[i];
  return bits;
}

Bytes HuffmanCode::encode(const Bytes& symbols) const {
  Bytes out;
  uint64_t waiting = 0;
  int bits = 0;
  for (uint8_t s : symbols) {
    if (s >= lengths_.size() || lengths_[s] == 0)
      fail("HuffmanCode.encode", "symbol " + std::to_string(s) + " has no code");
    for (int left = lengths_[s]; left > 0;) {
      const int part = std::min(left, 32);
      left -= part;
      waiting = waiting << part | (codes_[s] >> left & ((uint64_t{1} << part) - 1));
      for (bits += part; bits >= 8; bits -= 8)
        out.push_back(static_cast<uint8_t>(waiting >> (bits - 8)));
    }
  }
  if (bits > 0) out.push_back(static_cast<uint8_t>(waiting << (8 - bits)));
  return out;
}

Bytes HuffmanCode::decode(const Bytes& bits, int64_t count) const {
  constexpr const char* kName = "HuffmanCode.decode";
  if (count < 0) fail(kName, std::to_string(count) + " symbols");
  // Of each length: the first code, and the symbols in the codes' order.
  std::vector<std::vector<size_t>> symbols(kLongest + 1);
  std::vector<uint64_t> first(kLongest + 1, 0);
  for (size_t i = 0; i < lengths_.size(); ++i) {
    const size_t l = static_cast<size_t>(lengths_[i]);
    if (l == 0) continue;
    if (symbols[l].empty()) first[l] = codes_[i];
    symbols[l].push_back(i);
  }
  Bytes out;
  size_t at = 0;
  const size_t end = bits.size() * 8;
  while (static_cast<int64_t>(out.size()) < count) {
    uint64_t code = 0;
    for (size_t l = 1;; ++l) {
      if (l > kLongest) fail(kName, "the bits are no code");
      if (at == end) fail(kName, "the message is cut short");
      code = code << 1 | (bits[at / 8] >> (7 - at % 8) & 1);
      ++at;
      if (symbols[l].empty() || code < first[l] || code - first[l] >= symbols[l].size()) continue;
      out.push_back(static_cast<uint8_t>(symbols[l][code - first[l]]));
      break;
    }
  }
  return out;
}

Bytes huffman_encode(const Bytes& bytes) {
  const std::vector<int64_t> counts = byte_counts(bytes);
  const HuffmanCode code = HuffmanCode::of_counts(counts);
  Bytes out;
  put_number(&out, bytes.size());
  put_present(&out, counts);
  for (int length : code.lengths()) {
    if (length > 0) out.push_back(static_cast<uint8_t>(length));
  }
  const Bytes bits = code.encode(bytes);
  out.insert(out.end(), bits.begin(), bits.end());
  return out;
}

Bytes huffman_decode(const Bytes& message) {
  Reader reader("huffman_decode", message);
  const int64_t count = reader.number();
  const std::vector<bool> present = reader.present();
  std::vector<int> lengths(256, 0);
  for (size_t i = 0; i < 256; ++i) {
    if (!present[i]) continue;
    lengths[i] = reader.byte();
    if (lengths[i] == 0) fail("huffman_decode", "a length of 0 bits");
  }
  const Bytes bits = reader.rest();
  if (static_cast<uint64_t>(count) > 8 * static_cast<uint64_t>(bits.size()))
    fail("huffman_decode", "the message is cut short");
  return HuffmanCode::of_lengths(lengths).decode(bits, count);
}

// ---- Arithmetic coding ----

namespace {

// The range is kept above 2^48; 56 bits are in work, and a carry goes into the bytes before.
constexpr uint64_t kLeastRange = uint64_t{1} << 48, kWork = uint64_t{1} << 56;
constexpr int kWorkBytes = 7;

// Where each symbol's part of [0, total) begins; one more at the end.
std::vector<uint64_t> beginnings(const std::vector<int64_t>& counts) {
  std::vector<uint64_t> out{0};
  for (int64_t c : counts) out.push_back(out.back() + static_cast<uint64_t>(c));
  return out;
}

class RangeEncoder {
 public:
  void put(uint64_t begin, uint64_t end, uint64_t total) {
    const uint64_t unit = range_ / total;
    low_ += unit * begin;
    range_ = end < total ? unit * (end - begin) : range_ - unit * begin;
    for (; range_ < kLeastRange; range_ <<= 8) shift();
  }
  Bytes finish() {
    for (int i = 0; i <= kWorkBytes; ++i) shift();
    return std::move(out_);
  }

 private:
  // The highest byte goes out, once no carry can change it.
  void shift() {
    if (low_ < uint64_t{0xFF} << 48 || low_ >= kWork) {
      const uint8_t carry = static_cast<uint8_t>(low_ >> 56);
      if (begun_) out_.push_back(static_cast<uint8_t>(held_ + carry));
      for (; full_ > 0; --full_) out_.push_back(static_cast<uint8_t>(0xFF + carry));
      held_ = static_cast<uint8_t>(low_ >> 48);
      begun_ = true;
    } else {
      ++full_;
    }
    low_ = (low_ & (kLeastRange - 1)) << 8;
  }

  uint64_t low_ = 0, range_ = kWork - 1;
  uint8_t held_ = 0;
  bool begun_ = false;
  uint64_t full_ = 0;  // bytes 0xFF behind the one that is held
  Bytes out_;
};

class RangeDecoder {
 public:
  explicit RangeDecoder(const Bytes& bits) : bits_(bits) {
    for (int i = 0; i < kWorkBytes; ++i) next();
  }
  // The symbol whose part the fraction lies in.
  size_t take(const std::vector<uint64_t>& begin) {
    const uint64_t total = begin.back(), unit = range_ / total;
    const uint64_t at = std::min(value_ / unit, total - 1);
    const size_t symbol =
        static_cast<size_t>(std::upper_bound(begin.begin(), begin.end(), at) - begin.begin() - 1);
    const uint64_t low = begin[symbol], high = begin[symbol + 1];
    value_ -= unit * low;
    range_ = high < total ? unit * (high - low) : range_ - unit * low;
    for (; range_ < kLeastRange; range_ <<= 8) next();
    return symbol;
  }
  bool past_end() const { return at_ > bits_.size(); }

 private:
  void next() {
    value_ = value_ << 8 | (at_ < bits_.size() ? bits_[at_] : 0);
    ++at_;
  }
  const Bytes& bits_;
  size_t at_ = 0;
  uint64_t value_ = 0, range_ = kWork - 1;
};

constexpr int64_t kMostTotal = int64_t{1} << 32;

}  // namespace

Bytes arithmetic_encode(const Bytes& bytes) {
  std::vector<int64_t> counts = byte_counts(bytes);
  // Of very long messages in smaller numbers.
  const int64_t scale = static_cast<int64_t>(bytes.size()) / kMostTotal + 1;
  for (int64_t& c : counts) c = (c + scale - 1) / scale;
  Bytes out;
  put_number(&out, bytes.size());
  put_present(&out, counts);
  for (int64_t c : counts) {
    if (c > 0) put_number(&out, static_cast<uint64_t>(c));
  }
  const std::vector<uint64_t> begin = beginnings(counts);
  RangeEncoder encoder;
  for (uint8_t b : bytes) encoder.put(begin[b], begin[b + size_t{1}], begin.back());
  const Bytes bits = encoder.finish();
  out.insert(out.end(), bits.begin(), bits.end());
  return out;
}

Bytes arithmetic_decode(const Bytes& message) {
  constexpr const char* kName = "arithmetic_decode";
  Reader reader(kName, message);
  const int64_t count = reader.number();
  const std::vector<bool> present = reader.present();
  std::vector<int64_t> counts(256, 0);
  int64_t all = 0;
  for (size_t i = 0; i < 256; ++i) {
    if (!present[i]) continue;
    counts[i] = reader.number();
    all += counts[i];
    if (counts[i] == 0 || all > 2 * kMostTotal) fail(kName, "the message has no valid counts");
  }
  if (count > 0 && all == 0) fail(kName, "the message has no counts");
  const Bytes bits = reader.rest();
  const std::vector<uint64_t> begin = beginnings(counts);
  const int64_t scale = count / kMostTotal + 1;
  if (all < (count + scale - 1) / scale) fail(kName, "the message has no valid length");
  RangeDecoder decoder(bits);
  Bytes out;
  for (int64_t i = 0; i < count; ++i) {
    if (decoder.past_end()) fail(kName, "the message is cut short");
    out.push_back(static_cast<uint8_t>(decoder.take(begin)));
  }
  if (decoder.past_end()) fail(kName, "the message is cut short");
  return out;
}

}  // namespace glia::coding
