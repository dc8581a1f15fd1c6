#include "formats.h"

#include <png.h>
#include <webp/decode.h>

#include <csetjmp>
#include <memory>

namespace glia::vision {

uint64_t PictureFile::number(uint64_t at, int size, bool big_endian) const {
  if (at > bytes.size() || static_cast<uint64_t>(size) > bytes.size() - at) fail("ends too early");
  uint64_t n = 0;
  for (int i = 0; i < size; ++i)
    n = n << 8 | static_cast<uint8_t>(bytes[at + (big_endian ? i : size - 1 - i)]);
  return n;
}

void PictureFile::check_size(int64_t width, int64_t height) const {
  if (width < 1 || height < 1 || width > INT32_MAX || height > INT32_MAX)
    fail("claims " + std::to_string(width) + " x " + std::to_string(height) + " pixels");
  if (width > most_pixels / height)
    fail(std::to_string(width) + " x " + std::to_string(height) + " pixels are more than the " +
         std::to_string(most_pixels) + " that are read");
}

// ---- PBM, PGM, PPM ------------------------------------------------------------------------------

namespace {

// The numbers of a header, between white space and comments.
class Words {
 public:
  explicit Words(const PictureFile& file) : file_(file) {}
  uint64_t next() {
    while (at_ < file_.bytes.size() && (is_space() || file_.bytes[at_] == '#')) {
      if (file_.bytes[at_] == '#')
        while (at_ < file_.bytes.size() && file_.bytes[at_] != '\n') ++at_;
      else
        ++at_;
    }
    return digits(9);
  }
  // 0 or 1, which need no space between.
  uint64_t bit() {
    while (at_ < file_.bytes.size() && is_space()) ++at_;
    return digits(1);
  }
  uint64_t begin() const { return at_ + 1; }  // of the bytes behind one white space

 private:
  bool is_space() const {
    const char c = file_.bytes[at_];
    return c == ' ' || (c >= '\t' && c <= '\r');
  }
  uint64_t digits(int most) {
    uint64_t n = 0;
    int count = 0;
    for (; at_ < file_.bytes.size() && count < most; ++at_, ++count) {
      const char c = file_.bytes[at_];
      if (c < '0' || c > '9') break;
      n = 10 * n + static_cast<uint64_t>(c - '0');
    }
    if (count == 0) file_.fail("has no number where one must be, or ends too early");
    return n;
  }
  const PictureFile& file_;
  uint64_t at_ = 2;
};

}  // namespace

Raster decode_pnm(const PictureFile& file) {
  const int kind = file.bytes[1] - '0';
  Words words(file);
  Raster out;
  out.width = static_cast<int64_t>(words.next());
  out.height = static_cast<int64_t>(words.next());
  out.channels = kind % 3 == 0 ? 3 : 1;
  const bool bits = kind % 3 == 1;
  const uint64_t most = bits ? 1 : words.next();
  if (most < 1 || most > 65535) file.fail("has values of up to " + std::to_string(most));
  file.check_size(out.width, out.height);
  out.deep = most > 255;
  const uint64_t full = out.deep ? 65535 : 255;
  const int64_t count = out.width * out.height * out.channels;
  const auto add = [&](uint64_t v) {
    if (v > most) file.fail("has a value above its largest");
    out.values.push_back(static_cast<uint16_t>((v * full + most / 2) / most));
  };
  const int size = most > 255 ? 2 : 1;
  if (kind >= 4) {  // before memory is asked for
    const int64_t bytes = bits ? out.height * ((out.width + 7) / 8) : count * size;
    if (words.begin() > file.bytes.size() ||
        static_cast<uint64_t>(bytes) > file.bytes.size() - words.begin())
      file.fail("ends too early");
  } else if (static_cast<uint64_t>(count) > file.bytes.size()) {
    file.fail("ends too early");
  }
  out.values.reserve(static_cast<size_t>(count));
  if (kind == 4) {
    const uint64_t row = (static_cast<uint64_t>(out.width) + 7) / 8;
    for (int64_t y = 0; y < out.height; ++y)
      for (int64_t x = 0; x < out.width; ++x) {
        const uint64_t byte = file.number(words.begin() + y * row + x / 8, 1, true);
        add(1 - (byte >> (7 - x % 8) & 1));
      }
  } else if (kind > 4) {
    for (int64_t i = 0; i < count; ++i) add(file.number(words.begin() + i * size, size, true));
  } else {
    for (int64_t i = 0; i < count; ++i)
      add(bits ? 1 - std::min<uint64_t>(1, words.bit()) : words.next());
  }
  return out;
}

// ---- WebP ---------------------------------------------------------------------------------------

Raster decode_webp(const PictureFile& file) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(file.bytes.data());
  WebPBitstreamFeatures features;
  if (WebPGetFeatures(bytes, file.bytes.size(), &features) != VP8_STATUS_OK)
    file.fail("corrupt WebP");
  if (features.has_animation) file.fail("is a moving WebP, which is not read");
  file.check_size(features.width, features.height);
  Raster out{features.height, features.width, features.has_alpha ? 4 : 3};
  const std::unique_ptr<uint8_t, void (*)(void*)> pixels(
      features.has_alpha ? WebPDecodeRGBA(bytes, file.bytes.size(), nullptr, nullptr)
                         : WebPDecodeRGB(bytes, file.bytes.size(), nullptr, nullptr),
      WebPFree);
  if (!pixels) file.fail("corrupt WebP");
  out.values.assign(pixels.get(), pixels.get() + out.height * out.width * out.channels);
  return out;
}

// ---- PNG of 16 bits -----------------------------------------------------------------------------

namespace {

struct PngReading {
  const PictureFile* file = nullptr;
  size_t at = 0;
  std::jmp_buf back;
  char text[256] = "";
};

struct PngPointers {
  png_structp png = nullptr;
  png_infop info = nullptr;
  ~PngPointers() { png_destroy_read_struct(&png, &info, nullptr); }
};

// libpng leaves by a jump, over which nothing may be owned.
template <class Step>
bool run(PngReading& reading, Step step) {
  if (setjmp(reading.back)) return false;
  step();
  return true;
}

}  // namespace

Raster decode_deep_png(const PictureFile& file) {
  PngReading reading;
  reading.file = &file;
  PngPointers p;
  p.png = png_create_read_struct(
      PNG_LIBPNG_VER_STRING, &reading,
      [](png_structp png, png_const_charp text) {
        auto* r = static_cast<PngReading*>(png_get_error_ptr(png));
        std::snprintf(r->text, sizeof r->text, "%s", text);
        std::longjmp(r->back, 1);
      },
      [](png_structp, png_const_charp) {});
  p.info = p.png ? png_create_info_struct(p.png) : nullptr;
  if (!p.info) throw std::bad_alloc();
  png_set_read_fn(p.png, &reading, [](png_structp png, png_bytep to, size_t size) {
    auto* r = static_cast<PngReading*>(png_get_io_ptr(png));
    if (size > r->file->bytes.size() - r->at) png_error(png, "ends too early");
    r->file->bytes.copy(reinterpret_cast<char*>(to), size, r->at);
    r->at += size;
  });
  if (!run(reading, [&] { png_read_info(p.png, p.info); }))
    file.fail(std::string("corrupt PNG: ") + reading.text);
  Raster out{.height = png_get_image_height(p.png, p.info),
             .width = png_get_image_width(p.png, p.info),
             .deep = png_get_bit_depth(p.png, p.info) == 16};
  file.check_size(out.width, out.height);
  size_t row = 0;
  const bool begun = run(reading, [&] {
    png_set_expand(p.png);
    png_set_interlace_handling(p.png);
    png_read_update_info(p.png, p.info);
    row = png_get_rowbytes(p.png, p.info);
  });
  if (!begun) file.fail(std::string("corrupt PNG: ") + reading.text);
  out.channels = png_get_channels(p.png, p.info);
  std::vector<uint8_t> pixels(row * static_cast<size_t>(out.height));
  std::vector<png_bytep> rows;
  for (int64_t y = 0; y < out.height; ++y) rows.push_back(pixels.data() + row * y);
  if (!run(reading, [&] { png_read_image(p.png, rows.data()); }))
    file.fail(std::string("corrupt PNG: ") + reading.text);
  const size_t size = out.deep ? 2 : 1;
  for (size_t i = 0; i + size <= pixels.size(); i += size)
    out.values.push_back(
        static_cast<uint16_t>(out.deep ? pixels[i] << 8 | pixels[i + 1] : pixels[i]));
  return out;
}

}  // namespace glia::vision
