// GIF89a (CompuServe 1990): pictures one after the other, with one table of colours.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <map>

#include "glia/rl/policy.h"

namespace glia::rl {
namespace {

// The colours of all pictures, rounded so that there are at most 256.
class Palette {
 public:
  explicit Palette(const std::vector<Tensor>& pictures) {
    while (!collect(pictures)) ++dropped_;
  }
  uint8_t index(const uint8_t* rgb) const { return at_.at(key(rgb)); }
  // 256 of them, three bytes each.
  std::string table() const {
    std::string bytes(768, '\0');
    for (const auto& [rgb, i] : at_)
      for (size_t c = 0; c < 3; ++c)
        bytes[i * size_t{3} + c] = static_cast<char>(rgb >> (16 - 8 * c));
    return bytes;
  }

 private:
  uint32_t key(const uint8_t* rgb) const {
    uint32_t out = 0;
    for (size_t c = 0; c < 3; ++c)
      out = out << 8 | static_cast<uint32_t>(rgb[c] >> dropped_ << dropped_);
    return out;
  }
  bool collect(const std::vector<Tensor>& pictures) {
    at_.clear();
    for (const Tensor& picture : pictures) {
      const auto bytes = picture.data<uint8_t>();
      uint32_t last = ~0u;
      for (size_t i = 0; i < bytes.size(); i += 3) {
        const uint32_t rgb = key(&bytes[i]);
        if (rgb == last) continue;
        last = rgb;
        const size_t next = at_.size();
        if (at_.emplace(rgb, static_cast<uint8_t>(next)).second && next == 256) return false;
      }
    }
    return true;
  }

  int dropped_ = 0;  // bits of each colour
  std::map<uint32_t, uint8_t> at_;
};

// Codes of 9 to 12 bits for ever longer runs of colours (Welch 1984), in blocks of 255 bytes.
class Packer {
 public:
  explicit Packer(std::string& out) : out_(out) {}

  void pack(const std::vector<uint8_t>& colours) {
    out_ += '\x08';
    clear();
    int32_t run = colours[0];
    for (size_t i = 1; i < colours.size(); ++i) {
      uint16_t& longer = next_[static_cast<size_t>(run) * 256 + colours[i]];
      if (longer != 0) {
        run = longer;
        continue;
      }
      write(run);
      if (used_ < 4096) {
        if (used_ == 1 << bits_) ++bits_;
        longer = static_cast<uint16_t>(used_++);
      } else {
        clear();
      }
      run = colours[i];
    }
    write(run);
    write(kEnd);
    while (held_ > 0) {  // what is left of the last byte
      block_ += static_cast<char>(buffer_ & 255);
      buffer_ >>= 8;
      held_ -= 8;
    }
    flush();
    out_ += '\0';
  }

 private:
  static constexpr int32_t kClear = 256, kEnd = 257;

  void clear() {
    write(kClear);
    next_.assign(4096 * 256, 0);
    used_ = kEnd + 1;
    bits_ = 9;
  }
  void write(int32_t code) {
    buffer_ |= static_cast<uint32_t>(code) << held_;
    for (held_ += bits_; held_ >= 8; held_ -= 8, buffer_ >>= 8) {
      block_ += static_cast<char>(buffer_ & 255);
      if (block_.size() == 255) flush();
    }
  }
  void flush() {
    if (block_.empty()) return;
    out_ += static_cast<char>(block_.size());
    out_ += block_;
    block_.clear();
  }

  std::string& out_;
  std::string block_;
  std::vector<uint16_t> next_;  // of a run and a colour behind it; 0: none yet
  uint32_t buffer_ = 0;
  int held_ = 0, bits_ = 9;
  int32_t used_ = kEnd + 1;
};

void append_number(std::string& out, int64_t number) {  // 16 bits
  out += static_cast<char>(number & 255);
  out += static_cast<char>(number >> 8 & 255);
}

}  // namespace

std::string encode_gif(const std::vector<Tensor>& pictures, double fps) {
  if (pictures.empty()) throw ValueError("encode_gif: there are no pictures");
  if (!(fps >= 0.01 && fps <= 100))
    throw ValueError("encode_gif: " + std::to_string(fps) + " pictures a second");
  const Shape& shape = pictures[0].shape();
  for (const Tensor& picture : pictures)
    if (picture.dtype() != kU8 || shape.rank() != 3 || shape[2] != 3 || shape.numel() == 0 ||
        shape[0] > 65535 || shape[1] > 65535 || !(picture.shape() == shape))
      throw ShapeError("encode_gif: a picture is " + picture.shape().str() + " " +
                       name(picture.dtype()) + ", not (height, width, 3) u8 as the first");
  const Palette palette(pictures);
  std::string out = "GIF89a";
  append_number(out, shape[1]);
  append_number(out, shape[0]);
  out += std::string("\xf7\0\0", 3);  // a table of 256 colours
  out += palette.table();
  out += std::string("\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0\0", 19);  // for ever
  const auto hundredths = static_cast<int64_t>(std::lround(100 / fps));
  std::vector<uint8_t> colours(static_cast<size_t>(shape[0] * shape[1]));
  for (const Tensor& picture : pictures) {
    const auto bytes = picture.data<uint8_t>();
    for (size_t i = 0; i < colours.size(); ++i) {
      const uint8_t* rgb = &bytes[3 * i];
      const bool same = i > 0 && std::equal(rgb, rgb + 3, rgb - 3);
      colours[i] = same ? colours[i - 1] : palette.index(rgb);
    }
    out += std::string("\x21\xf9\x04\0", 4);
    append_number(out, hundredths);
    out += std::string("\0\0\x2c\0\0\0\0", 7);
    append_number(out, shape[1]);
    append_number(out, shape[0]);
    out += '\0';
    Packer(out).pack(colours);
  }
  return out + '\x3b';
}

}  // namespace glia::rl
