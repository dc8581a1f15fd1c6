// Formats of pictures, resizing filters, tiles, and measures of pictures and masks.
#include <gtest/gtest.h>

#include <cmath>

#include "glia/error.h"
#include "glia/io.h"
#include "glia/ops.h"
#include "glia/random.h"
#include "glia/vision/image.h"
#include "glia/vision/masks.h"
#include "glia/vision/weights.h"
#include "tests/support/scratch.h"

namespace glia::vision {
namespace {

class Pictures : public test::ScratchWorkingFolder {};

// One of 2 x 1 pixels, red and blue, in each format.
std::string ppm() { return std::string("P6 # two\n2 1\n255\n\xff\0\0\0\0\xff", 23); }
std::string gif() {
  return std::string(
      "GIF89a\x02\0\x01\0\x80\0\0\xff\0\0\0\0\xff\x2c\0\0\0\0\x02\0\x01\0\0\x02\x02"
      "\x44\x0a\0\x3b",
      35);
}
std::string tiff() {
  std::string b("II*\0\x08\0\0\0\x08\0", 10);
  const auto entry = [&](int tag, int type, int count, int value) {
    for (const auto& [v, size] : {std::pair{tag, 2}, {type, 2}, {count, 4}, {value, 4}})
      for (int i = 0; i < size; ++i) b.push_back(static_cast<char>(v >> (8 * i)));
  };
  entry(256, 3, 1, 2), entry(257, 3, 1, 1), entry(258, 3, 1, 8), entry(259, 3, 1, 1);
  entry(262, 3, 1, 2), entry(273, 4, 1, 110), entry(277, 3, 1, 3), entry(279, 4, 1, 6);
  b += std::string(4, '\0');
  return b + std::string("\xff\0\0\0\0\xff", 6);
}

TEST_F(Pictures, TwoPixelsInEachFormat) {
  const std::vector<uint8_t> want = {255, 0, 0, 0, 0, 255};
  for (const std::string& file : {ppm(), gif(), tiff()}) {
    const Tensor image = decode_image(file);
    EXPECT_EQ(image.shape(), Shape({1, 2, 3})) << file;
    EXPECT_EQ(image.to_vector<uint8_t>(), want) << file;
    // A GIF ends before its last two bytes.
    for (size_t size = 0; size + 2 < file.size(); ++size)
      EXPECT_THROW(decode_image(file.substr(0, size)), IoError) << file << size;
    EXPECT_THROW(decode_image(file, 1), IoError);
    for (size_t at = 0; at < file.size(); ++at)
      for (const char v : {'\xff', '\x7f', '\0', '\x01'}) {
        std::string bad = file;
        bad[at] = v;
        try {
          decode_image(bad, 1 << 16);
        } catch (const IoError&) {
        }
      }
  }
}

TEST_F(Pictures, TextsOfNumbers) {
  EXPECT_EQ(decode_image("P2\n3 1\n# five levels\n4\n0 2 4 ").to_vector<uint8_t>(),
            std::vector<uint8_t>({0, 128, 255}));
  EXPECT_EQ(decode_image("P1 4 1 0110 ").to_vector<uint8_t>(),
            std::vector<uint8_t>({255, 0, 0, 255}));
  EXPECT_EQ(decode_image("P4 3 1\n\xa0").to_vector<uint8_t>(), std::vector<uint8_t>({0, 255, 0}));
  for (const char* bad : {"P2 3 1 4 0 2", "P2 3 1 4 0 2 5 ", "P2 0 1 4 ", "P2 99999999 99999999 4 ",
                          "P5 3 1 0 aaa", "P5 3 1 70000 aaaaaa", "P3 x", "P7 1 1"})
    EXPECT_THROW(decode_image(bad), IoError) << bad;
  // 16 bits: the upper half, or all.
  io::write_file_atomic("deep.pgm", std::string("P5 2 1 65535\n\x12\x34\xff\xff", 17));
  EXPECT_EQ(read_image("deep.pgm").to_vector<uint8_t>(), std::vector<uint8_t>({0x12, 0xff}));
  const auto deep = read_image_float("deep.pgm").to_vector<float>();
  EXPECT_FLOAT_EQ(deep[0], 0x1234 / 65535.0f);
  EXPECT_FLOAT_EQ(deep[1], 1);
  EXPECT_THROW(read_image_float("nowhere.png"), IoError);
  io::write_png("a.png", full({2, 2, 3}, 51, kU8));
  EXPECT_FLOAT_EQ(read_image_float("a.png").to_vector<float>()[0], 0.2f);
}

// A filter keeps what is constant, and does nothing at the same size.
TEST_F(Pictures, Filters) {
  manual_seed(0);
  const Tensor image = cast(uniform({13, 9, 3}, 0, 255), kU8);
  for (const Filter f : {Filter::kBox, Filter::kBilinear, Filter::kBicubic, Filter::kLanczos}) {
    const Tensor grey = resize(full({7, 11, 1}, 77, kU8), 20, 5, f);
    EXPECT_EQ(min(grey).item(), 77);
    EXPECT_EQ(max(grey).item(), 77);
    EXPECT_TRUE(all(resized_crop(image, 0, 0, 13, 9, 13, 9, f) == image).item<bool>());
  }
  // Halved by boxes: means of four.
  const Tensor small =
      resize(from_vector(std::vector<uint8_t>{0, 10, 20, 30}, {2, 2, 1}), 1, 1, Filter::kBox);
  EXPECT_EQ(small.item(), 15);
}

TEST_F(Pictures, TilesAreTheWhole) {
  manual_seed(3);
  const Tensor image = cast(uniform({50, 37, 2}, 0, 255), kU8);
  int64_t calls = 0;
  const auto twice = [&](const Tensor& part) {
    ++calls;
    EXPECT_LE(part.size(0), 16 + 6);
    return resize(part, 2 * part.size(0), 2 * part.size(1), Filter::kBilinear);
  };
  const Tensor tiled = in_tiles(image, twice, {.tile = 16, .margin = 3, .scale = 2});
  EXPECT_EQ(calls, 4 * 3);
  EXPECT_TRUE(all(tiled == resize(image, 100, 74)).item<bool>());
  EXPECT_THROW(in_tiles(image, twice, {.tile = 1}), ValueError);
  EXPECT_THROW(in_tiles(image, [](const Tensor& x) { return x; }, {.scale = 2}), ShapeError);
  const UpConv7 net;
  EXPECT_TRUE(all(upscaled(net, image, 16) == upscaled(net, image, 64)).item<bool>());
  EXPECT_EQ(upscaled(net, image).shape(), Shape({100, 74, 3}));
}

TEST_F(Pictures, Likeness) {
  const Tensor a = full({8, 8}, 100, kU8), b = full({8, 8}, 110, kU8);
  EXPECT_NEAR(psnr(a, b), 20 * std::log10(25.5), 1e-9);
  EXPECT_TRUE(std::isinf(psnr(a, a)));
  EXPECT_NEAR(ssim(a, a), 1, 1e-12);
  const double c1 = 6.5025;  // of constants, the light's part alone
  EXPECT_NEAR(ssim(a, b), (2 * 100.0 * 110 + c1) / (100.0 * 100 + 110.0 * 110 + c1), 1e-12);
  EXPECT_THROW(ssim(a, full({8, 9}, 1, kU8)), ShapeError);
  EXPECT_THROW(ssim(a, b, {.window = 9}), ValueError);
  EXPECT_THROW(ssim(a, b, {.gaussian = true}), ValueError);
  EXPECT_THROW(psnr(a, b, 0), ValueError);
}

TEST_F(Pictures, MasksByTheirOverlap) {
  Overlap o(3);
  o.add(tensor<int64_t>({0, 0, 1, 1}), tensor<int64_t>({0, 1, 1, 1}));
  EXPECT_DOUBLE_EQ(o.iou()[0], 0.5);
  EXPECT_DOUBLE_EQ(o.dice()[0], 2.0 / 3);
  EXPECT_DOUBLE_EQ(o.iou()[1], 2.0 / 3);
  EXPECT_DOUBLE_EQ(o.dice()[1], 0.8);
  EXPECT_TRUE(std::isnan(o.iou()[2]));
  EXPECT_DOUBLE_EQ(o.mean_iou(), (0.5 + 2.0 / 3) / 2);
  EXPECT_DOUBLE_EQ(o.accuracy(), 0.75);
  EXPECT_THROW(o.add(tensor<int64_t>({3}), tensor<int64_t>({0})), ValueError);
  EXPECT_THROW(o.add(tensor<int64_t>({0, 1}), tensor<int64_t>({0})), ShapeError);
  EXPECT_THROW(Overlap(0), ValueError);
}

TEST_F(Pictures, FoldersOfMasks) {
  for (const char* folder : {"set/images", "set/masks"})
    std::filesystem::create_directories(folder);
  io::write_png("set/images/a.png", zeros({4, 6, 1}, kU8));
  io::write_png("set/masks/a.png", from_vector(std::vector<uint8_t>{0, 255, 7, 0}, {2, 2}));
  EXPECT_THROW(read_masked("set"), IoError) << "another size";
  io::write_png("set/images/a.png", zeros({2, 2, 1}, kU8));
  const MaskedPictures set = read_masked("set");
  EXPECT_EQ(set.values, std::vector<uint8_t>({0, 7, 255}));
  EXPECT_EQ(set.channels, 1);
  EXPECT_EQ(set.pictures[0].mask.to_vector<uint8_t>(), std::vector<uint8_t>({0, 2, 1, 0}));
  EXPECT_THROW(read_masked("set", {0, 255}), IoError) << "a value that is none of the classes";
  io::write_png("set/images/b.png", zeros({2, 2, 3}, kU8));
  EXPECT_THROW(read_masked("set"), IoError) << "no mask";
  EXPECT_THROW(read_masked("nowhere"), IoError);
}

}  // namespace
}  // namespace glia::vision
