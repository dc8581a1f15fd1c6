// PNG over libpng, and base64.
#include <png.h>

#include <csetjmp>
#include <cstring>

#include "glia/io.h"
#include "io/elements.h"

namespace glia::io {
namespace {

// libpng reports errors by a jump that runs no destructors: the functions between setjmp and
// libpng own nothing, and what they need is passed in through this.
struct Session {
  Bytes left;                  // reading: what is still to come
  std::string* out = nullptr;  // writing
  char fault[128] = "";
  png_structp png = nullptr;
  png_infop info = nullptr;
  bool reading = false;

  explicit Session(Bytes file) : left(file), reading(true) {
    png = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, on_error, on_warning);
    if (png) png_set_read_fn(png, this, on_read);
    if (png) info = png_create_info_struct(png);
  }
  explicit Session(std::string* to) : out(to) {
    png = png_create_write_struct(PNG_LIBPNG_VER_STRING, this, on_error, on_warning);
    if (png) png_set_write_fn(png, this, on_write, nullptr);
    if (png) info = png_create_info_struct(png);
  }
  ~Session() {
    if (reading) {
      png_destroy_read_struct(&png, &info, nullptr);
    } else {
      png_destroy_write_struct(&png, &info);
    }
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  static void on_error(png_structp png, png_const_charp message) {
    auto* self = static_cast<Session*>(png_get_error_ptr(png));
    std::strncpy(self->fault, message, sizeof self->fault - 1);
    std::longjmp(png_jmpbuf(png), 1);
  }
  static void on_warning(png_structp, png_const_charp) {}
  static void on_read(png_structp png, png_bytep to, size_t count) {
    auto* self = static_cast<Session*>(png_get_io_ptr(png));
    if (count > self->left.size()) png_error(png, "ends too early");
    std::memcpy(to, self->left.data(), count);
    self->left = self->left.subspan(count);
  }
  static void on_write(png_structp png, png_bytep from, size_t count) {
    auto* self = static_cast<Session*>(png_get_io_ptr(png));
    bool full = false;
    try {
      self->out->append(reinterpret_cast<char*>(from), count);
    } catch (const std::exception&) {
      full = true;  // no exception may cross libpng
    }
    if (full) png_error(png, "no memory");
  }
};

struct Header {
  uint32_t height, width;
  int channels;
};

// Runs `step` and says whether libpng got through it.
template <class Step>
bool run(Session& session, Step step) {
  if (setjmp(png_jmpbuf(session.png))) return false;
  step(session.png, session.info);
  return true;
}

constexpr int kColorTypes[] = {PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB,
                               PNG_COLOR_TYPE_RGB_ALPHA};  // by channels - 1

}  // namespace

Tensor read_png(const std::string& path) { return read_png(path, int64_t{1} << 28); }

Tensor read_png(const std::string& path, int64_t most_pixels) {
  return decode_png(text_of(load(path).bytes), most_pixels, path);
}

Tensor decode_png(std::string_view bytes, int64_t most_pixels, const std::string& path) {
  if (bytes.size() < 8) fail_short(path, bytes.size(), 8);
  if (png_sig_cmp(bytes_of(bytes).data(), 0, 8) != 0) fail(path, "is no PNG file");
  Session session(bytes_of(bytes));
  if (!session.info) fail(path, "no memory to read it");

  uint64_t stored = 0;  // bytes of the pixels before libpng converts them
  Header header{};
  const bool begun = run(session, [&](png_structp png, png_infop info) {
    png_read_info(png, info);
    stored = uint64_t{png_get_rowbytes(png, info)} * png_get_image_height(png, info);
    png_set_expand(png);
    png_set_scale_16(png);
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
    header = {png_get_image_height(png, info), png_get_image_width(png, info),
              png_get_channels(png, info)};
  });
  if (!begun) fail(path, std::string("corrupt PNG: ") + session.fault);
  const std::string claim =
      std::to_string(header.width) + " x " + std::to_string(header.height) + " pixels";
  if (int64_t{header.width} * header.height > most_pixels)
    fail(path, claim + " are more than the " + grouped(most_pixels) + " that are read");
  // DEFLATE cannot shrink anything further than this.
  if (stored / 1032 > bytes.size()) fail(path, "too short for the " + claim + " that it claims");

  const size_t row_bytes = size_t{header.width} * header.channels;
  auto pixels = std::make_shared<std::vector<uint8_t>>(row_bytes * header.height);
  std::vector<png_bytep> rows(header.height);
  for (size_t y = 0; y < rows.size(); ++y) rows[y] = pixels->data() + y * row_bytes;
  const bool done = run(session, [&](png_structp png, png_infop info) {
    png_read_image(png, rows.data());
    png_read_end(png, info);
  });
  if (!done) fail(path, std::string("corrupt PNG: ") + session.fault);
  return from_external(pixels->data(), {header.height, header.width, header.channels}, kU8, pixels);
}

std::string encode_png(const Tensor& image) {
  const Shape& shape = image.shape();
  const int64_t channels = shape.rank() == 3 ? shape[2] : 1;
  const bool fits = (shape.rank() == 2 || shape.rank() == 3) && image.dtype() == kU8 &&
                    channels >= 1 && channels <= 4 && shape[0] > 0 && shape[1] > 0 &&
                    shape[0] <= PNG_UINT_31_MAX && shape[1] <= PNG_UINT_31_MAX;
  if (!fits)
    throw IoError(std::string("PNG: an image is u8, (H, W) or (H, W, C) with C from 1 to 4, not ") +
                  name(image.dtype()) + " " + shape.str());
  const std::span<const uint8_t> pixels = image.data<uint8_t>();
  std::string out;
  Session session(&out);
  const bool done =
      session.info && run(session, [&](png_structp png, png_infop info) {
        png_set_IHDR(png, info, shape[1], shape[0], 8, kColorTypes[channels - 1],
                     PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
        png_write_info(png, info);
        for (int64_t y = 0; y < shape[0]; ++y)
          png_write_row(png, pixels.data() + y * shape[1] * channels);
        png_write_end(png, info);
      });
  if (!done) throw IoError(std::string("PNG: ") + session.fault);
  return out;
}

void write_png(const std::string& path, const Tensor& image) {
  std::string bytes;
  try {
    bytes = encode_png(image);
  } catch (const IoError& error) {
    fail(path, error.what());
  }
  write_file_atomic(path, bytes);
}

std::string base64(std::string_view bytes) {
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t at = 0; at < bytes.size(); at += 3) {
    const std::string_view part = bytes.substr(at, 3);
    uint32_t bits = 0;
    for (size_t i = 0; i < 3; ++i)
      bits = bits << 8 | (i < part.size() ? static_cast<uint8_t>(part[i]) : 0);
    for (size_t i = 0; i < 4; ++i)
      out += i <= part.size() ? kDigits[bits >> (18 - 6 * i) & 63] : '=';
  }
  return out;
}

}  // namespace glia::io
