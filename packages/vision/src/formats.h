// Picture files besides PNG and JPEG, each in a file of its own.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "glia/error.h"

namespace glia::vision {

// By the name's end.
bool is_picture(const std::filesystem::path& path);

// Pixels in rows, of 8 bits, or of 16 if `deep`.
struct Raster {
  int64_t height = 0, width = 0, channels = 0;
  bool deep = false;
  std::vector<uint16_t> values = {};  // up to 255, or 65,535
};

// What every reader is told: whose bytes they are, and how many pixels there may be.
struct PictureFile {
  std::string_view bytes;
  int64_t most_pixels;
  const std::string& name;

  [[noreturn]] void fail(const std::string& fault) const { throw IoError(name + ": " + fault); }
  // The number of `size` bytes at a place; fails where the file ends before.
  uint64_t number(uint64_t at, int size, bool big_endian) const;
  // Fails for sizes that are none, or too many pixels.
  void check_size(int64_t width, int64_t height) const;
};

// The first picture of a GIF file, as a browser shows it: 3 channels, or 4 if some is transparent.
Raster decode_gif(const PictureFile& file);
// The first picture of a TIFF file: grey, colours or a palette, alpha, of 1, 2, 4, 8 or 16 bits, in
// strips or tiles, as they are or by LZW, Deflate or PackBits.
Raster decode_tiff(const PictureFile& file);
// PBM, PGM, PPM (P1 to P6), of up to 16 bits.
Raster decode_pnm(const PictureFile& file);
Raster decode_webp(const PictureFile& file);
// PNG with all of its bits.
Raster decode_deep_png(const PictureFile& file);

}  // namespace glia::vision
