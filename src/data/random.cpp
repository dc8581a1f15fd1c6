#include "glia/data.h"

namespace glia::data {

// What epoch and position have above 32 bits goes where only the 2^34th number would come.
Random::Random(uint64_t seed, uint64_t epoch, uint64_t position)
    : key_{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)},
      counter_{0, static_cast<uint32_t>((epoch >> 32) * 0x9E3779B9 + (position >> 32)),
               static_cast<uint32_t>(epoch), static_cast<uint32_t>(position)} {}

uint32_t Random::bits() {
  if (left_ == 0) {
    std::array<uint32_t, 4> x = counter_;
    std::array<uint32_t, 2> key = key_;
    for (int round = 0; round < 10; ++round) {
      const uint64_t a = uint64_t{0xD2511F53} * x[0], b = uint64_t{0xCD9E8D57} * x[2];
      x = {static_cast<uint32_t>(b >> 32) ^ x[1] ^ key[0], static_cast<uint32_t>(b),
           static_cast<uint32_t>(a >> 32) ^ x[3] ^ key[1], static_cast<uint32_t>(a)};
      key[0] += 0x9E3779B9;
      key[1] += 0xBB67AE85;
    }
    block_ = x;
    left_ = 4;
    if (++counter_[0] == 0) ++counter_[1];
  }
  return block_[--left_];
}

int64_t Random::below(int64_t n) {
  if (n < 1) throw Error("below: there is no integer in [0, " + std::to_string(n) + ")");
  // Multiply and shift, rejecting the few values that would favour some results (Lemire 2019).
  if (n > int64_t{1} << 32) {
    const auto range = static_cast<uint64_t>(n);
    unsigned __int128 product;
    do product = (static_cast<unsigned __int128>(bits()) << 32 | bits()) * range;
    while (static_cast<uint64_t>(product) < -range % range);
    return static_cast<int64_t>(product >> 64);
  }
  const uint32_t threshold = static_cast<uint32_t>((uint64_t{1} << 32) % static_cast<uint64_t>(n));
  uint64_t product;
  do product = uint64_t{bits()} * static_cast<uint64_t>(n);
  while (static_cast<uint32_t>(product) < threshold);
  return static_cast<int64_t>(product >> 32);
}

double Random::uniform() { return bits() * 0x1p-32; }

}  // namespace glia::data
