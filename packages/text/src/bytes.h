// Bytes as characters that can be seen, as byte-level BPE writes its vocabulary (Radford et al.
// 2019): those of Latin-1 that are, and others from U+0100 on for the rest.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace glia::text {

inline const std::array<std::string, 256>& byte_characters() {
  static const auto all = [] {
    std::array<std::string, 256> out;
    uint32_t next = 0x100;
    for (uint32_t b = 0; b < 256; ++b) {
      const bool seen = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
      const uint32_t c = seen ? b : next++;
      if (c < 0x80)
        out[b] = static_cast<char>(c);
      else
        out[b] = {static_cast<char>(0xC0 | c >> 6), static_cast<char>(0x80 | (c & 0x3F))};
    }
    return out;
  }();
  return all;
}
inline std::string_view byte_character(uint8_t byte) { return byte_characters()[byte]; }
// The byte that the character stands for, if it does.
inline std::optional<uint8_t> byte_of(char32_t c) {
  static const auto all = [] {
    std::array<int16_t, 0x144> out;
    out.fill(-1);
    for (int b = 0; b < 256; ++b) {
      const std::string& c = byte_characters()[static_cast<size_t>(b)];
      const auto first = static_cast<uint8_t>(c[0]);
      out[c.size() == 1 ? first : (first & 0x1Fu) << 6 | (c[1] & 0x3Fu)] = static_cast<int16_t>(b);
    }
    return out;
  }();
  if (c >= all.size() || all[c] < 0) return {};
  return static_cast<uint8_t>(all[c]);
}

}  // namespace glia::text
