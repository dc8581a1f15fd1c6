#include "jpeg.h"

#include <jpeglib.h>
#include <cstdio>  // before jpeglib.h, which uses FILE
//
#include <jerror.h>

#include <algorithm>
#include <csetjmp>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "glia/error.h"
#include "glia/io.h"

namespace glia::vision {
namespace {

// libjpeg reports errors by a jump that runs no destructors: between setjmp and libjpeg nothing is
// owned, and what is needed is passed in through this.
struct Fault {
  jpeg_error_mgr manager;
  std::jmp_buf back;
  char text[JMSG_LENGTH_MAX] = "";

  Fault() {
    jpeg_std_error(&manager);
    manager.error_exit = [](j_common_ptr info) {
      Fault& self = of(info);
      (*info->err->format_message)(info, self.text);
      std::longjmp(self.back, 1);
    };
    // Warnings of data that are missing or damaged are errors: the picture would be partly grey.
    manager.emit_message = [](j_common_ptr info, int level) {
      const int code = info->err->msg_code;
      if (level < 0 && (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER ||
                        code == JWRN_HUFF_BAD_CODE || code == JWRN_MUST_RESYNC))
        (*info->err->error_exit)(info);
    };
  }
  static Fault& of(j_common_ptr info) { return *reinterpret_cast<Fault*>(info->err); }
};

// Few bytes can hold very many passes over a picture.
constexpr int kMostScans = 500;
void count_scans(j_common_ptr info) {
  if (info->is_decompressor &&
      reinterpret_cast<j_decompress_ptr>(info)->input_scan_number > kMostScans) {
    std::strcpy(Fault::of(info).text, "has too many scans");
    std::longjmp(Fault::of(info).back, 1);
  }
}

struct Reading {
  Fault fault;
  jpeg_decompress_struct info;
  jpeg_progress_mgr progress{};
  bool made = false;

  Reading() {
    info.err = &fault.manager;
    progress.progress_monitor = count_scans;
  }
  ~Reading() {
    if (made) jpeg_destroy_decompress(&info);
  }
  template <class Step>
  bool run(Step step) {
    if (setjmp(fault.back)) return false;
    step();
    return true;
  }
};

struct Writing {
  Fault fault;
  jpeg_compress_struct info;
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  bool made = false;

  Writing() { info.err = &fault.manager; }
  ~Writing() {
    if (made) jpeg_destroy_compress(&info);
    std::free(bytes);
  }
  template <class Step>
  bool run(Step step) {
    if (setjmp(fault.back)) return false;
    step();
    return true;
  }
};

using Bytes = std::span<const uint8_t>;

// The orientation that an EXIF segment tells, 1 to 8; 1 for anything else.
int orientation_of(Bytes exif) {
  constexpr size_t kHeader = 6;  // "Exif" and two zeros; then a TIFF file
  if (exif.size() < kHeader + 8 || std::memcmp(exif.data(), "Exif\0\0", kHeader) != 0) return 1;
  const Bytes tiff = exif.subspan(kHeader);
  const bool little = tiff[0] == 'I';
  const auto number = [&](size_t at, size_t size) {
    uint32_t n = 0;
    if (at > tiff.size() || size > tiff.size() - at) return n;
    for (size_t i = 0; i < size; ++i) n = n << 8 | tiff[at + (little ? size - 1 - i : i)];
    return n;
  };
  const size_t directory = number(4, 4), entries = number(directory, 2);
  for (size_t i = 0; i < entries; ++i) {
    const size_t at = directory + 2 + 12 * i;
    if (at >= tiff.size()) break;
    if (number(at, 2) != 0x0112) continue;
    const uint32_t value = number(at + 8, 2);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

// The picture turned and mirrored so that it stands upright.
std::vector<uint8_t> upright(const std::vector<uint8_t>& from, int64_t& height, int64_t& width,
                             int64_t channels, int orientation) {
  const bool turned = orientation >= 5;
  const int64_t rows = turned ? width : height, columns = turned ? height : width;
  std::vector<uint8_t> to(from.size());
  for (int64_t y = 0; y < rows; ++y)
    for (int64_t x = 0; x < columns; ++x) {
      int64_t v = turned ? x : y, u = turned ? y : x;  // where it lies in the file
      if (orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8)
        u = width - 1 - u;
      if (orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7)
        v = height - 1 - v;
      std::copy_n(&from[(v * width + u) * channels], channels, &to[(y * columns + x) * channels]);
    }
  height = rows;
  width = columns;
  return to;
}

}  // namespace

Tensor decode_jpeg(std::string_view bytes, int64_t most_pixels, const std::string& name) {
  const auto fail = [&](const std::string& fault) { throw IoError(name + ": " + fault); };
  Reading reading;
  jpeg_decompress_struct& info = reading.info;
  const bool begun = reading.run([&] {
    jpeg_create_decompress(&info);
    reading.made = true;
    info.progress = &reading.progress;
    jpeg_mem_src(&info, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
    jpeg_save_markers(&info, JPEG_APP0 + 1, 0xFFFF);
    jpeg_read_header(&info, TRUE);
  });
  if (!begun) fail(std::string("corrupt JPEG: ") + reading.fault.text);
  int64_t height = info.image_height, width = info.image_width;
  if (height * width > most_pixels)
    fail(std::to_string(width) + " x " + std::to_string(height) + " pixels are more than the " +
         std::to_string(most_pixels) + " that are read");
  const bool cmyk = info.num_components == 4;
  info.out_color_space = cmyk ? JCS_CMYK : info.num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
  const int64_t stored = cmyk ? 4 : info.num_components == 1 ? 1 : 3;
  int orientation = 1;
  for (jpeg_saved_marker_ptr m = info.marker_list; m && orientation == 1; m = m->next)
    orientation = orientation_of({m->data, m->data_length});

  std::vector<uint8_t> pixels(static_cast<size_t>(height * width * stored));
  const bool done = reading.run([&] {
    jpeg_start_decompress(&info);
    while (info.output_scanline < info.output_height) {
      JSAMPROW row = pixels.data() + int64_t{info.output_scanline} * width * stored;
      jpeg_read_scanlines(&info, &row, 1);
    }
    jpeg_finish_decompress(&info);
  });
  if (!done) fail(std::string("corrupt JPEG: ") + reading.fault.text);

  int64_t channels = stored;
  if (cmyk) {  // Adobe's programs store it inverted: all ink is 0
    channels = 3;
    const bool inverted = info.saw_Adobe_marker;
    for (int64_t i = 0; i < height * width; ++i) {
      const auto light = [&](int64_t c) {
        return inverted ? pixels[4 * i + c] : 255 - pixels[4 * i + c];
      };
      const int black = light(3);
      for (int64_t c = 0; c < 3; ++c)
        pixels[3 * i + c] = static_cast<uint8_t>((light(c) * black + 127) / 255);
    }
    pixels.resize(static_cast<size_t>(height * width * channels));
  }
  if (orientation != 1) pixels = upright(pixels, height, width, channels, orientation);
  return from_vector(pixels, {height, width, channels});
}

std::string encode(const Tensor& image, int quality, int orientation) {
  const int64_t channels = image.rank() == 3 ? image.size(2) : 0;
  const bool cmyk = channels == 4;
  if (image.dtype() != kU8 || (channels != 1 && channels != 3 && !cmyk) || image.numel() == 0 ||
      image.size(0) > JPEG_MAX_DIMENSION || image.size(1) > JPEG_MAX_DIMENSION)
    throw IoError(std::string("JPEG: an image is u8 (H, W, 1) or (H, W, 3) of up to 65500 pixels, "
                              "not ") +
                  name(image.dtype()) + " " + image.shape().str());
  if (quality < 1 || quality > 100)
    throw ValueError("encode_jpeg: a quality of " + std::to_string(quality) +
                     " is not from 1 to 100");
  const auto pixels = image.data<uint8_t>();
  const uint8_t exif[] = {
      'E', 'x', 'i', 'f', 0,    0, 'M', 'M', 0, 42, 0, 0, 0,
      8,   0,   1,   1,   0x12, 0, 3,   0,   0, 0,  1, 0, static_cast<uint8_t>(orientation),
      0,   0,   0,   0,   0,    0};
  Writing writing;
  jpeg_compress_struct& info = writing.info;
  const bool done = writing.run([&] {
    jpeg_create_compress(&info);
    writing.made = true;
    jpeg_mem_dest(&info, &writing.bytes, &writing.size);
    info.image_height = static_cast<JDIMENSION>(image.size(0));
    info.image_width = static_cast<JDIMENSION>(image.size(1));
    info.input_components = static_cast<int>(channels);
    info.in_color_space = cmyk ? JCS_CMYK : channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(&info);
    jpeg_set_quality(&info, quality, TRUE);
    jpeg_start_compress(&info, TRUE);
    if (orientation) jpeg_write_marker(&info, JPEG_APP0 + 1, exif, sizeof exif);
    while (info.next_scanline < info.image_height) {
      JSAMPROW row = const_cast<JSAMPROW>(pixels.data()) +
                     int64_t{info.next_scanline} * image.size(1) * channels;
      jpeg_write_scanlines(&info, &row, 1);
    }
    jpeg_finish_compress(&info);
  });
  if (!done) throw IoError(std::string("JPEG: ") + writing.fault.text);
  return std::string(reinterpret_cast<char*>(writing.bytes), writing.size);
}

std::string encode_jpeg(const Tensor& image, int quality) {
  if (image.rank() == 3 && image.size(2) == 4)
    throw IoError("JPEG: an image of 4 channels has no place for alpha");
  return encode(image, quality, 0);
}

}  // namespace glia::vision
