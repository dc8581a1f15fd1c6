// Tensors of any bits, and files that other programs wrote.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "glia/tensor.h"

namespace glia::io {

// Any bits at all, NaN included.
inline Tensor noise(DType dtype, const Shape& shape, uint32_t seed = 1) {
  std::mt19937 random(seed);
  std::vector<uint8_t> bytes(shape.numel() * size_of(dtype));
  for (uint8_t& byte : bytes) byte = dtype == kBool ? random() % 2 : random();
  return from_bytes(bytes.data(), shape, dtype);
}

inline std::string from_hex(std::string_view hex) {
  std::string out;
  for (size_t at = 0; at + 1 < hex.size(); at += 2)
    out += static_cast<char>(std::stoi(std::string(hex.substr(at, 2)), nullptr, 16));
  return out;
}

// np.savez_compressed(..., a=[[0, 1, 2], [3, 4, 5]] in f32, b=[True, False])
inline constexpr std::string_view kNumpyNpz =
    "504b03042d0000000800000021004fe9002affffffffffffffff05001400612e6e707901001000980000000000"
    "000055000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9366a2aea3a09e965f54529498"
    "179f5f94920a12774bcc294e058a17672416a402f91a463a0ac69a3a0ab50a64032e063068b007120e4004c40d"
    "40bcc00100504b03042d000000080000002100ee19bb5dffffffffffffffff05001400622e6e70790100100082"
    "0000000000000046000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a05e9364a8aea3a09e96"
    "5f54529498179f5f94920a12774bcc294e058a17672416a402f91a463a9a3a0ab50a14002e460600504b01022d"
    "032d0000000800000021004fe9002a5500000098000000050000000000000000000000800100000000612e6e70"
    "79504b01022d032d000000080000002100ee19bb5d460000008200000005000000000000000000000080018c00"
    "0000622e6e7079504b0506000000000200020066000000090100000000";
// np.save of [[0, 1, 2], [3, 4, 5]] in big-endian i16 and Fortran order
inline constexpr std::string_view kNumpyFortran =
    "934e554d5059010076007b276465736372273a20273e6932272c2027666f727472616e5f6f72646572273a2054"
    "7275652c20277368617065273a2028322c2033292c207d20202020202020202020202020202020202020202020"
    "202020202020202020202020202020202020202020202020202020202020202020202020200a00000003000100"
    "0400020005";

}  // namespace glia::io
