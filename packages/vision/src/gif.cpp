// GIF (CompuServe 1989): the first picture, on its screen.
#include <algorithm>
#include <array>

#include "formats.h"

namespace glia::vision {
namespace {

// The pictures's bytes, which lie in blocks of up to 255, as codes of a growing number of bits.
std::vector<uint8_t> unpacked(const PictureFile& file, uint64_t at, int64_t wanted) {
  const auto start_bits = static_cast<int>(file.number(at, 1, false));
  if (start_bits < 1 || start_bits > 8) file.fail("corrupt GIF: codes of no size");
  const int clear = 1 << start_bits, end = clear + 1;
  constexpr int kMostCodes = 4096;
  std::array<int, kMostCodes> prefix;
  std::array<uint8_t, kMostCodes> last, stack;
  std::vector<uint8_t> out;
  ++at;
  uint64_t left = 0;
  uint32_t held = 0;
  int bits = 0, size = start_bits + 1, next = end + 1, before = -1;
  uint8_t first = 0;
  for (;;) {
    while (bits < size) {
      if (left == 0) {
        left = file.number(at++, 1, false);
        if (left == 0) file.fail("corrupt GIF: its picture ends too early");
      }
      held |= static_cast<uint32_t>(file.number(at++, 1, false)) << bits;
      bits += 8;
      --left;
    }
    int code = static_cast<int>(held & ((1u << size) - 1));
    held >>= size;
    bits -= size;
    if (code == clear) {
      size = start_bits + 1;
      next = end + 1;
      before = -1;
      continue;
    }
    if (code == end || static_cast<int64_t>(out.size()) >= wanted) break;
    const int given = code;
    size_t depth = 0;
    if (code >= next) {
      if (code > next || before < 0) file.fail("corrupt GIF: an unknown code");
      stack[depth++] = first;
      code = before;
    }
    while (code >= clear) {
      stack[depth++] = last[code];
      code = prefix[code];
    }
    first = static_cast<uint8_t>(code);
    out.push_back(first);
    while (depth > 0) out.push_back(stack[--depth]);
    if (before >= 0 && next < kMostCodes) {
      prefix[next] = before;
      last[next] = first;
      if (++next == 1 << size && size < 12) ++size;
    }
    before = given;
  }
  if (static_cast<int64_t>(out.size()) < wanted)
    file.fail("corrupt GIF: its picture ends too early");
  out.resize(static_cast<size_t>(wanted));
  return out;
}

}  // namespace

Raster decode_gif(const PictureFile& file) {
  const auto byte = [&](uint64_t at) { return file.number(at, 1, false); };
  const auto pair = [&](uint64_t at) { return static_cast<int64_t>(file.number(at, 2, false)); };
  Raster out{pair(8), pair(6), 4};
  file.check_size(out.width, out.height);
  uint64_t at = 13, palette = 0, colours = 0;
  const auto take_palette = [&](uint64_t flags) {
    if (!(flags & 0x80)) return;
    palette = at;
    colours = uint64_t{2} << (flags & 7);
    at += 3 * colours;
  };
  take_palette(byte(10));
  int transparent = -1;
  for (;;) {
    const uint64_t kind = byte(at++);
    if (kind == 0x3b) file.fail("is a GIF file without a picture");
    if (kind == 0x21) {  // what is said besides
      if (byte(at) == 0xf9 && byte(at + 1) >= 4 && (byte(at + 2) & 1))
        transparent = static_cast<int>(byte(at + 5));
      ++at;
      for (uint64_t size; (size = byte(at++)) > 0;) at += size;
      continue;
    }
    if (kind != 0x2c) file.fail("corrupt GIF: an unknown block");
    break;
  }
  const int64_t left = pair(at), top = pair(at + 2), width = pair(at + 4), height = pair(at + 6);
  const uint64_t flags = byte(at + 8);
  at += 9;
  take_palette(flags);
  if (palette == 0) file.fail("corrupt GIF: has no colours");
  file.check_size(width, height);
  const std::vector<uint8_t> indices = unpacked(file, at, width * height);
  std::vector<int64_t> rows;  // in the order in which they come
  if (flags & 0x40) {
    for (const auto& [start, step] : {std::pair<int64_t, int64_t>{0, 8}, {4, 8}, {2, 4}, {1, 2}})
      for (int64_t y = start; y < height; y += step) rows.push_back(y);
  } else {
    for (int64_t y = 0; y < height; ++y) rows.push_back(y);
  }
  out.values.resize(static_cast<size_t>(out.height * out.width * 4));
  for (int64_t r = 0; r < height; ++r)
    for (int64_t x = 0; x < width; ++x) {
      const int64_t row = top + rows[r], column = left + x;
      const uint64_t index = indices[r * width + x];
      if (row >= out.height || column >= out.width || static_cast<int>(index) == transparent)
        continue;
      if (index >= colours) file.fail("corrupt GIF: a colour that there is not");
      uint16_t* pixel = &out.values[(row * out.width + column) * 4];
      for (uint64_t c = 0; c < 3; ++c)
        pixel[c] = static_cast<uint16_t>(byte(palette + 3 * index + c));
      pixel[3] = 255;
    }
  bool opaque = true;
  for (size_t i = 3; i < out.values.size(); i += 4) opaque = opaque && out.values[i] == 255;
  if (!opaque) return out;
  Raster rgb{out.height, out.width, 3};
  for (size_t i = 0; i < out.values.size(); i += 4)
    rgb.values.insert(rgb.values.end(), &out.values[i], &out.values[i] + 3);
  return rgb;
}

}  // namespace glia::vision
