// TIFF 6.0 (Adobe 1992), as far as pictures have it.
#include <zlib.h>

#include <algorithm>
#include <array>
#include <map>

#include "formats.h"

namespace glia::vision {
namespace {

using Bytes = std::vector<uint8_t>;

Bytes packed_bits(const PictureFile& file, std::string_view in, size_t wanted) {
  Bytes out;
  for (size_t i = 0; i < in.size() && out.size() < wanted;) {
    const auto n = static_cast<int8_t>(in[i++]);
    if (n == -128) continue;
    const size_t count = n >= 0 ? n + 1 : 1 - n;
    if (i + (n >= 0 ? count : 1) > in.size()) file.fail("corrupt TIFF: a run ends too early");
    if (n >= 0) {
      out.insert(out.end(), in.begin() + i, in.begin() + i + count);
      i += count;
    } else {
      out.insert(out.end(), count, static_cast<uint8_t>(in[i++]));
    }
  }
  return out;
}

// Codes of 9 to 12 bits, the highest first, which grow one code early.
Bytes lzw(const PictureFile& file, std::string_view in, size_t wanted) {
  constexpr int kClear = 256, kEnd = 257, kMost = 4096;
  std::array<int, kMost> prefix;
  std::array<uint8_t, kMost> last, stack;
  Bytes out;
  uint32_t held = 0;
  int bits = 0, size = 9, next = kEnd + 1, before = -1;
  uint8_t first = 0;
  for (size_t at = 0; out.size() < wanted;) {
    while (bits < size && at < in.size()) {
      held = held << 8 | static_cast<uint8_t>(in[at++]);
      bits += 8;
    }
    if (bits < size) break;
    int code = static_cast<int>(held >> (bits - size) & ((1u << size) - 1));
    bits -= size;
    if (code == kEnd) break;
    if (code == kClear) {
      size = 9;
      next = kEnd + 1;
      before = -1;
      continue;
    }
    const int given = code;
    size_t depth = 0;
    if (code >= next) {
      if (code > next || before < 0) file.fail("corrupt TIFF: an unknown code");
      stack[depth++] = first;
      code = before;
    }
    while (code > kEnd) {
      stack[depth++] = last[code];
      code = prefix[code];
    }
    if (code > 255) file.fail("corrupt TIFF: an unknown code");
    first = static_cast<uint8_t>(code);
    out.push_back(first);
    while (depth > 0) out.push_back(stack[--depth]);
    if (before >= 0 && next < kMost) {
      prefix[next] = before;
      last[next++] = first;
      if (next == (1 << size) - 1 && size < 12) ++size;
    }
    before = given;
  }
  return out;
}

Bytes inflated(const PictureFile& file, std::string_view in, size_t wanted) {
  Bytes out(wanted);
  uLongf size = wanted;
  const int status = uncompress(out.data(), &size, reinterpret_cast<const Bytef*>(in.data()),
                                static_cast<uLong>(in.size()));
  if (status != Z_OK && status != Z_BUF_ERROR) file.fail("corrupt TIFF: corrupt Deflate");
  out.resize(size);
  return out;
}

class Tiff {
 public:
  explicit Tiff(const PictureFile& file) : file_(file), big_(file.bytes[0] == 'M') {
    const uint64_t at = number(4, 4), count = number(at, 2);
    for (uint64_t i = 0; i < count; ++i) {
      const uint64_t entry = at + 2 + 12 * i;
      entries_.emplace(number(entry, 2), entry);
    }
  }

  Raster read() {
    Raster out{value(257, 0), value(256, 0)};
    file_.check_size(out.width, out.height);
    bits_ = value(258, 1);
    samples_ = value(277, 1);
    const int64_t colours = value(262, 1), format = value(339, 1);
    if (samples_ < 1 || samples_ > 16 || format != 1 ||
        (bits_ != 1 && bits_ != 2 && bits_ != 4 && bits_ != 8 && bits_ != 16))
      file_.fail("is a TIFF of " + std::to_string(samples_) + " samples of " +
                 std::to_string(bits_) + " bits, kind " + std::to_string(format) +
                 ", which is not read");
    if (colours > 3)
      file_.fail("is a TIFF of colours " + std::to_string(colours) + ", which is not read");
    separate_ = value(284, 1) == 2 && samples_ > 1;
    out.deep = bits_ == 16;
    out.channels = std::min<int64_t>(samples_, 4);
    if (samples_ > 4 || (colours == 2 && samples_ < 3))
      file_.fail("is a TIFF of " + std::to_string(samples_) + " samples, which is not read");
    out.values.resize(static_cast<size_t>(out.height * out.width * out.channels));
    fill(out);
    const auto most = static_cast<uint16_t>((1u << bits_) - 1);
    if (colours == 3) return with_palette(out);
    if (bits_ < 8)
      for (uint16_t& v : out.values) v = static_cast<uint16_t>(v * 255 / most);
    if (colours == 0)
      for (uint16_t& v : out.values) v = static_cast<uint16_t>((out.deep ? 65535 : 255) - v);
    return out;
  }

 private:
  uint64_t number(uint64_t at, int size) const { return file_.number(at, size, big_); }

  // The i-th of a field's numbers.
  int64_t value(uint64_t tag, int64_t fallback, uint64_t i = 0) const {
    const auto found = entries_.find(tag);
    if (found == entries_.end()) return fallback;
    const uint64_t type = number(found->second + 2, 2), count = number(found->second + 4, 4);
    const int size = type == 3 ? 2 : type == 4 ? 4 : type == 1 ? 1 : 0;
    if (size == 0 || i >= count) file_.fail("corrupt TIFF: a field that is none");
    const uint64_t inside = found->second + 8;
    const uint64_t at = count * size <= 4 ? inside : number(inside, 4);
    return static_cast<int64_t>(number(at + i * size, size));
  }

  Bytes unpacked(int64_t i, size_t wanted) const {
    const bool tiled = entries_.contains(322);
    const auto at = static_cast<uint64_t>(value(tiled ? 324 : 273, 0, i)),
               size = static_cast<uint64_t>(value(tiled ? 325 : 279, 0, i));
    if (at > file_.bytes.size() || size > file_.bytes.size() - at) file_.fail("ends too early");
    const std::string_view in = file_.bytes.substr(at, size);
    Bytes out;
    switch (const int64_t how = value(259, 1)) {
      case 1:
        out.assign(in.begin(), in.begin() + std::min(wanted, in.size()));
        break;
      case 5:
        out = lzw(file_, in, wanted);
        break;
      case 8:
      case 32946:
        out = inflated(file_, in, wanted);
        break;
      case 32773:
        out = packed_bits(file_, in, wanted);
        break;
      default:
        file_.fail("is a TIFF compressed by method " + std::to_string(how) + ", which is not read");
    }
    if (out.size() < wanted) file_.fail("corrupt TIFF: a part ends too early");
    return out;
  }

  // All strips or tiles, of all samples or of one after the other.
  void fill(Raster& out) const {
    const bool tiled = entries_.contains(322);
    const int64_t width = tiled ? value(322, 0) : out.width,
                  height = tiled ? value(323, 0) : std::min(out.height, value(278, out.height));
    file_.check_size(width, height);
    const int64_t across = (out.width + width - 1) / width,
                  down = (out.height + height - 1) / height;
    const int64_t planes = separate_ ? samples_ : 1, each = separate_ ? 1 : samples_;
    const bool differences = value(317, 1) == 2;
    const int64_t row = (width * each * bits_ + 7) / 8;
    int64_t part = 0;
    for (int64_t plane = 0; plane < planes; ++plane)
      for (int64_t y = 0; y < down; ++y)
        for (int64_t x = 0; x < across; ++x, ++part) {
          const int64_t rows = tiled ? height : std::min(height, out.height - y * height);
          const Bytes bytes = unpacked(part, static_cast<size_t>(rows * row));
          for (int64_t r = 0; r < std::min(rows, out.height - y * height); ++r)
            place(out, &bytes[r * row], y * height + r, x * width,
                  std::min(width, out.width - x * width), plane, each, differences);
        }
  }
  void place(Raster& out, const uint8_t* bytes, int64_t row, int64_t column, int64_t count,
             int64_t plane, int64_t each, bool differences) const {
    std::array<uint16_t, 16> before{};
    const auto mask = static_cast<uint16_t>((1u << bits_) - 1);
    for (int64_t i = 0; i < count; ++i)
      for (int64_t s = 0; s < each; ++s) {
        const int64_t k = i * each + s;
        uint16_t v = 0;
        if (bits_ == 16)
          v = static_cast<uint16_t>(big_ ? bytes[2 * k] << 8 | bytes[2 * k + 1]
                                         : bytes[2 * k + 1] << 8 | bytes[2 * k]);
        else
          v = bytes[k * bits_ / 8] >> (8 - bits_ - k * bits_ % 8) & mask;
        if (differences) v = before[s] = static_cast<uint16_t>((v + before[s]) & mask);
        const int64_t channel = separate_ ? plane : s;
        if (channel < out.channels)
          out.values[(row * out.width + column + i) * out.channels + channel] = v;
      }
  }

  Raster with_palette(const Raster& indices) const {
    Raster out{indices.height, indices.width, 3};
    const int64_t colours = int64_t{1} << bits_;
    if (bits_ > 8) file_.fail("is a TIFF of a palette of 16 bits, which is not read");
    std::vector<uint16_t> palette;
    for (int64_t i = 0; i < 3 * colours; ++i)
      palette.push_back(static_cast<uint16_t>(value(320, 0, i) >> 8));
    for (size_t i = 0; i < indices.values.size(); i += indices.channels)
      for (int64_t c = 0; c < 3; ++c)
        out.values.push_back(palette[c * colours + indices.values[i]]);
    return out;
  }

  const PictureFile& file_;
  const bool big_;
  bool separate_ = false;
  int64_t bits_ = 8, samples_ = 1;
  std::map<uint64_t, uint64_t> entries_;
};

}  // namespace

Raster decode_tiff(const PictureFile& file) { return Tiff(file).read(); }

}  // namespace glia::vision
