// tar archives for tests, in POSIX's form without what is optional.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace glia::io {

inline std::string tar_header(const std::string& name, uint64_t size, char type = '0') {
  const auto octal = [](uint64_t n, int digits) {
    std::string out(digits, '0');
    for (int i = digits; i-- > 0; n /= 8) out[i] = static_cast<char>('0' + n % 8);
    return out;
  };
  std::string block = name;
  block.resize(124);
  block += octal(size, 11) + '\0' + octal(0, 11) + '\0' + "        " + type;
  block.resize(257);
  block += std::string(
      "ustar\0"
      "00",
      8);
  block.resize(512);
  uint64_t sum = 0;
  for (const char c : block) sum += static_cast<uint8_t>(c);
  block.replace(148, 7, octal(sum, 6) + '\0');
  return block;
}
inline std::string tar_entry(const std::string& name, std::string_view bytes, char type = '0') {
  std::string out = tar_header(name, bytes.size(), type).append(bytes);
  out.resize((out.size() + 511) / 512 * 512);
  return out;
}
inline const std::string kTarEnd = std::string(1024, '\0');

}  // namespace glia::io
