// Pictures: both kinds of files, broken ones, orientations, colours, sizes; and folders of them.
#include "glia/vision/image.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <functional>

#include "glia/catalogue.h"
#include "glia/error.h"
#include "glia/io.h"
#include "glia/ops.h"
#include "glia/random.h"
#include "glia/runtime.h"
#include "glia/vision/folder.h"
#include "jpeg.h"
#include "tests/support/scratch.h"
#include "tests/support/tar.h"

namespace glia::vision {
namespace {

namespace fs = std::filesystem;

using Vision = test::Scratch;
using test::fault;

double worst(const Tensor& a, const Tensor& b) {
  return max(abs(cast(a, kF32) - cast(b, kF32))).item();
}

// (height, width, channels): smooth, so that JPEG keeps it, and different in each corner.
Tensor picture(int64_t height, int64_t width, int64_t channels) {
  std::vector<uint8_t> pixels;
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x)
      for (int64_t c = 0; c < channels; ++c)
        pixels.push_back(static_cast<uint8_t>(40 + 150 * y / height + 50 * x / width + 10 * c));
  return from_vector(pixels, {height, width, channels});
}

TEST_F(Vision, JpegKeepsAPicture) {
  for (const int64_t channels : {1, 3}) {
    const Tensor image = picture(33, 50, channels);
    const Tensor read = read_image(file("a.jpg", encode_jpeg(image, 95)));
    EXPECT_EQ(read.shape(), image.shape());
    EXPECT_LT(worst(read, image), 6);
  }
  EXPECT_LT(encode_jpeg(picture(64, 64, 3), 10).size(), encode_jpeg(picture(64, 64, 3), 95).size());
  // A PNG is told by what it holds, whatever it is called.
  const Tensor image = picture(9, 7, 3);
  EXPECT_EQ(worst(read_image(file("b.jpg", io::encode_png(image))), image), 0);
  EXPECT_THROW(encode_jpeg(picture(4, 4, 4)), IoError);
  EXPECT_THROW(encode_jpeg(zeros({4, 4, 3})), IoError);
  EXPECT_THROW(encode_jpeg(picture(4, 4, 1), 0), ValueError);
}

TEST_F(Vision, EveryOrientationStandsUpright) {
  const Tensor image = picture(24, 40, 3);
  // How a file of each orientation holds the picture: TIFF 6.0, tag 274.
  const auto stored = [&](int orientation) -> Tensor {
    const Tensor turned = permute(image, {1, 0, 2});
    switch (orientation) {
      case 2:
        return flip(image, {1});
      case 3:
        return flip(image, {0, 1});
      case 4:
        return flip(image, {0});
      case 5:
        return turned;
      case 6:
        return flip(turned, {0});
      case 7:
        return flip(turned, {0, 1});
      case 8:
        return flip(turned, {1});
      default:
        return image;
    }
  };
  for (int orientation = 1; orientation <= 9; ++orientation) {
    const std::string bytes = encode(stored(orientation), 95, orientation);
    const Tensor read = decode_jpeg(bytes);
    ASSERT_EQ(read.shape(), image.shape()) << orientation;
    EXPECT_LT(worst(read, image), 8) << orientation;
  }
}

TEST_F(Vision, CmykBecomesRgb) {
  // Adobe's inverted values: light of cyan, magenta, yellow, and of black.
  Tensor image = concat({picture(16, 16, 3), full({16, 16, 1}, 255, kU8)}, 2);
  EXPECT_LT(worst(decode_jpeg(encode(image, 95, 0)), picture(16, 16, 3)), 30);
  image = concat({picture(16, 16, 3), zeros({16, 16, 1}, kU8)}, 2);
  EXPECT_LT(max(cast(decode_jpeg(encode(image, 95, 0)), kF32)).item(), 12);
}

TEST_F(Vision, BrokenFilesAreNamed) {
  const std::string whole = encode_jpeg(picture(64, 64, 3));
  for (size_t size = 0; size < whole.size(); size += 1 + whole.size() / 60) {
    const std::string path = file("cut.jpg", whole.substr(0, size));
    fault(path, [&] { read_image(path); });
  }
  EXPECT_EQ(fault(file("text.png", "no picture"), [&] { read_image(file("text.png")); }),
            ": is no picture: neither PNG nor JPEG, WebP, TIFF, GIF or PPM");
  fault(file("none.png"), [&] { read_image(file("none.png")); });
  EXPECT_EQ(fault(file("big.jpg", whole), [&] { read_image(file("big.jpg"), 64 * 64 - 1); }),
            ": 64 x 64 pixels are more than the 4095 that are read");
  // A header that claims what the file does not hold, and any byte that is another one.
  std::string bomb = whole;
  const size_t frame = bomb.find("\xff\xc0");
  ASSERT_NE(frame, std::string::npos);
  bomb.replace(frame + 5, 4, "\xff\xdc\xff\xdc");
  const std::string path = file("bomb.jpg", bomb);
  EXPECT_NE(fault(path, [&] { read_image(path); }).find("pixels are more than"), std::string::npos);
  uint32_t noise = 1;
  for (int i = 0; i < 400; ++i) {
    std::string other = encode(picture(24, 24, 1), 80, 6);
    for (int k = 0; k < 3; ++k) {
      noise = noise * 1664525 + 1013904223;
      other[2 + (noise >> 8) % (other.size() - 2)] = static_cast<char>(noise >> 24);
    }
    try {
      decode_jpeg(other, 1 << 20);
    } catch (const IoError&) {
    }
  }
}

TEST_F(Vision, Colours) {
  const auto pixel = [](std::vector<uint8_t> v) {
    return from_vector(v, {1, 1, static_cast<int64_t>(v.size())});
  };
  const auto values = [](const Tensor& t) { return t.to_vector<int64_t>(); };
  using V = std::vector<int64_t>;
  EXPECT_EQ(values(to_channels(pixel({100}), 3)), (V{100, 100, 100}));
  EXPECT_EQ(values(to_channels(pixel({255, 0, 0}), 1)), V{76});
  EXPECT_EQ(values(to_channels(pixel({0, 255, 0}), 1)), V{150});
  EXPECT_EQ(values(to_channels(pixel({0, 0}), 1)), V{255});  // transparent: white
  EXPECT_EQ(values(to_channels(pixel({100, 255}), 1)), V{100});
  EXPECT_EQ(values(to_channels(pixel({0, 0, 200, 51}), 3)), (V{204, 204, 244}));
  EXPECT_THROW(to_channels(pixel({1}), 2), ValueError);
  EXPECT_THROW(to_channels(zeros({3, 3}, kU8), 1), ShapeError);
  EXPECT_THROW(to_channels(zeros({0, 3, 1}, kU8), 1), ShapeError);
}

// The definition: each output is the mean of the triangle around it, over all pixels of the box.
Tensor slow_crop(const Tensor& image, int64_t top, int64_t left, int64_t height, int64_t width,
                 int64_t out_h, int64_t out_w) {
  const auto weights = [](int64_t out, int64_t in) {
    std::vector<double> w;
    const double scale = static_cast<double>(in) / static_cast<double>(out);
    for (int64_t i = 0; i < out; ++i) {
      double total = 0;
      for (int64_t j = 0; j < in; ++j) {
        const double from = (j + 0.5) - (i + 0.5) * scale;
        w.push_back(std::max(0.0, 1 - std::abs(from) / std::max(1.0, scale)));
        total += w.back();
      }
      for (int64_t j = 0; j < in; ++j) w[i * in + j] /= total;
    }
    return from_vector(w, {out, in});
  };
  std::vector<double> box(static_cast<size_t>(height * width));
  const auto pixels = image.data<uint8_t>();
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x)
      if (top + y >= 0 && top + y < image.size(0) && left + x >= 0 && left + x < image.size(1))
        box[y * width + x] = pixels[(top + y) * image.size(1) + left + x];
  return matmul(matmul(weights(out_h, height), from_vector(box, {height, width})),
                transpose(weights(out_w, width)));
}

TEST_F(Vision, ResizedAsByItsDefinition) {
  manual_seed(1);
  const Tensor image = cast(uniform({19, 31, 1}, 0, 255), kU8);
  for (const auto& [top, left, height, width, out_h, out_w] :
       std::initializer_list<std::array<int64_t, 6>>{{0, 0, 19, 31, 7, 5},
                                                     {0, 0, 19, 31, 40, 33},
                                                     {0, 0, 19, 31, 19, 31},
                                                     {3, 4, 5, 6, 2, 9},
                                                     {-6, 0, 31, 31, 8, 8},
                                                     {-50, -70, 150, 160, 9, 11},
                                                     {40, 40, 5, 5, 3, 3},
                                                     {0, 0, 19, 31, 1, 1}}) {
    const Tensor out = resized_crop(image, top, left, height, width, out_h, out_w);
    ASSERT_EQ(out.shape(), Shape({out_h, out_w, 1}));
    const Tensor want = slow_crop(image, top, left, height, width, out_h, out_w);
    EXPECT_LT(max(abs(cast(reshape(out, {out_h, out_w}), kF64) - want)).item(), 0.501)
        << top << " " << left << " " << out_h << " " << out_w;
  }
  for (const auto& [height, width] : {std::pair<int64_t, int64_t>{0, 1}, {1, -1}, {INT64_MAX, 1}})
    EXPECT_THROW(resized_crop(image, 0, 0, height, width, 2, 2), ValueError);
  EXPECT_THROW(resize(image, 0, 3), ValueError);
  EXPECT_THROW(resize(image, INT64_MAX, 3), ValueError);
}

TEST_F(Vision, Squares) {
  const Tensor wide = concat(
      {zeros({4, 4, 1}, kU8), full({4, 4, 1}, 200, kU8), zeros({4, 4, 1}, kU8)}, 1);  // (4, 12, 1)
  EXPECT_EQ(min(to_square(wide, 2, Square::kCrop)).item(), 200);
  const Tensor padded = reshape(to_square(wide, 12, Square::kPad), {12, 12});
  EXPECT_EQ(sum(cast(padded, kF32)).item(), 16 * 200);
  EXPECT_EQ(index(padded, {5, 5}).item(), 200);
  // A row of very many pixels costs what it has, not its square.
  EXPECT_EQ(to_square(zeros({1, 1000000, 1}, kU8), 8, Square::kPad).shape(), Shape({8, 8, 1}));
}

class Folder : public Vision {
 protected:
  void add(const std::string& name, uint8_t value, int64_t channels = 1) {
    fs::create_directories(fs::path(file(name)).parent_path());
    const Tensor image = full({12, 10, channels}, value, kU8);
    io::write_file_atomic(file(name),
                          name.ends_with("png") ? io::encode_png(image) : encode_jpeg(image, 95));
  }
};

TEST_F(Folder, ClassesAreItsFolders) {
  add("set/b/2.PNG.png", 10);
  add("set/b/deep/er/1.JPG", 20);
  add("set/a/x.jpeg", 30);
  io::write_file_atomic(file("set/a/notes.txt"), "text");
  io::write_file_atomic(file("set/README"), "text");
  const ImageFolder folder = image_folder(file("set"));
  EXPECT_EQ(folder.classes, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(folder.labels, (std::vector<int64_t>{0, 1, 1}));
  EXPECT_TRUE(folder.files[1].ends_with("b/2.PNG.png"));
  EXPECT_EQ(image_folder(file("set"), {"b", "c", "a"}).labels, (std::vector<int64_t>{2, 0, 0}));

  const Tensor images = load_images(folder.files, {.size = 8});
  EXPECT_EQ(images.shape(), Shape({3, 8, 8, 1}));
  EXPECT_NEAR(index(images, {2, 3, 3, 0}).item(), 20, 2);
  add("set/b/c.png", 1, 3);
  EXPECT_EQ(load_images(image_folder(file("set")).files, {.size = 8}).size(3), 3);
  EXPECT_EQ(load_images(image_folder(file("set")).files, {.size = 8, .channels = 1}).size(3), 1);

  EXPECT_NE(fault(file("set/b"), [&] { image_folder(file("set"), {"a", "c"}); }), "");
  fs::create_directories(file("set/empty"));
  EXPECT_EQ(fault(file("set/empty"), [&] { image_folder(file("set")); }), ": holds no pictures");
  fault(file("set/a"), [&] { image_folder(file("set/a")); });
  fault(file("nowhere"), [&] { image_folder(file("nowhere")); });
}

TEST_F(Folder, TheFirstBadFileIsNamed) {
  std::vector<std::string> files;
  for (int i = 0; i < 40; ++i) {
    const std::string name = "many/" + std::to_string(100 + i) + ".png";
    add(name, 1);
    files.push_back(file(name));
  }
  for (const int bad : {11, 12, 39}) io::write_file_atomic(files[bad], "text");
  for (int repeat = 0; repeat < 10; ++repeat)
    fault(files[11], [&] { load_images(files, {.size = 8}); });
  EXPECT_THROW(load_images(files, {.size = 0}), ValueError);
  EXPECT_THROW(load_images(files, {.size = 8, .channels = 2}), ValueError);
  EXPECT_THROW(load_images(std::vector<std::string>(1 << 20, files[0]), {.size = 65536}), Error);
}

TEST_F(Folder, ArchivesAreReadAsFolders) {
  const auto jpeg = [](uint8_t value) { return encode_jpeg(full({32, 32, 3}, value, kU8), 95); };
  const auto png = [](uint8_t value) { return io::encode_png(full({32, 32, 3}, value, kU8)); };
  const std::string tar =
      io::tar_entry("./set/b/", "", '5') + io::tar_entry("./set/b/2.jpg", jpeg(20)) +
      io::tar_entry("set/a/9.png", png(90)) + io::tar_entry("set/a/note.txt", "x") +
      io::tar_entry("./set/b/1.JPEG", jpeg(10)) + io::kTarEnd;
  const LoadOptions options{.size = 32};
  const ImageArchive read = load_archive(file("x", tar), options);
  EXPECT_EQ(read.classes, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(read.labels.to_vector<int64_t>(), (std::vector<int64_t>{0, 1, 1}));
  EXPECT_EQ(read.images.shape(), (Shape{3, 32, 32, 3}));
  const auto pixels = read.images.to_vector<uint8_t>();
  for (int i = 0; i < 3; ++i) EXPECT_NEAR(pixels[i * 3072], (std::array{90, 10, 20}[i]), 2) << i;
  EXPECT_EQ(load_archive(file("x"), options, {"b", "c", "a"}).labels.to_vector<int64_t>(),
            (std::vector<int64_t>{2, 0, 0}));
  EXPECT_EQ(fault(file("x"), [&] { load_archive(file("x"), options, {"b"}); }),
            ": set/a/9.png is in none of the classes' folders");
  EXPECT_EQ(fault(file("x", io::kTarEnd), [&] { load_archive(file("x"), options); }),
            ": holds no pictures");
  file("x", io::tar_entry("1.png", png(1)) + io::kTarEnd);
  EXPECT_EQ(fault(file("x"), [&] { load_archive(file("x"), options); }),
            ": 1.png is in none of the classes' folders");
  file("x", io::tar_entry("a/1.png", png(1)) + io::tar_entry("a/2.png", "text") + io::kTarEnd);
  EXPECT_EQ(fault(file("x"), [&] { load_archive(file("x"), options); }),
            ": a/2.png: is no picture: neither PNG nor JPEG, WebP, TIFF, GIF or PPM");
}

// The archives are found beside the binary form, and said to be what they are.
TEST_F(Folder, Cifar10AsArchives) {
  const auto& set = data::entry("cifar10");
  const auto archive = [](int64_t each) {
    std::string out;
    for (const char* name : {"truck", "airplane"})
      for (int64_t i = 0; i < each; ++i)
        out += io::tar_entry(std::string(name) + "/" + std::to_string(i) + ".jpg",
                             encode_jpeg(full({32, 32, 3}, 100, kU8)));
    return out + io::kTarEnd;
  };
  file("train.tar.gz", archive(3));
  EXPECT_EQ(data::read_labelled(set, data::Train, folder_).size(), 6);
  EXPECT_EQ(fault(file("test.tar.gz"), [&] { data::read_labelled(set, data::Test, folder_); }),
            ": is missing");
  file("test.tar", archive(1));
  fs::rename(file("test.tar"), file("test.tar.gz"));
  auto [images, labels] = *data::read_labelled(set, data::Test, folder_).batch(9).begin();
  EXPECT_EQ(images.shape(), (Shape{2, 32, 32, 3}));
  EXPECT_EQ(labels.to_vector<int64_t>(), (std::vector<int64_t>{0, 9}));
  EXPECT_EQ(data::title_of(set, folder_), "CIFAR-10, re-encoded as JPEG");
  EXPECT_THROW(data::cifar10(data::Test, folder_), IoError) << "only the binary form";
  // What was published comes first.
  file("test_batch.bin", std::string(3073, '\1'));
  EXPECT_EQ(data::title_of(set, folder_), "CIFAR-10");
  EXPECT_EQ(data::read_labelled(set, data::Test, folder_).size(), 1);
}

TEST_F(Folder, SplitsAPartOfEachClass) {
  ImageFolder folder{.classes = {"a", "b"}};
  for (int i = 0; i < 30; ++i) {
    folder.files.push_back("f" + std::to_string(i));
    folder.labels.push_back(i < 20 ? 0 : 1);
  }
  const SplitFolder parts = split(folder, 0.2, 7);
  EXPECT_EQ(parts.test.files.size(), 6u);
  EXPECT_EQ(std::ranges::count(parts.test.labels, 1), 2);
  EXPECT_EQ(parts.train.files.size(), 24u);
  EXPECT_EQ(split(folder, 0.2, 7).test.files, parts.test.files);
  EXPECT_NE(split(folder, 0.2, 8).test.files, parts.test.files);
  for (const std::string& f : parts.test.files)
    EXPECT_EQ(std::ranges::count(parts.train.files, f), 0);
  EXPECT_EQ(split(folder, 0.001, 7).test.files.size(), 2u);
  EXPECT_EQ(split(folder, 0.999, 7).train.files.size(), 2u);
  for (const double share : {0.0, 1.0, -1.0, std::nan("")})
    EXPECT_THROW(split(folder, share, 7), ValueError);
  folder.files.resize(21);
  folder.labels.resize(21);
  EXPECT_THROW(split(folder, 0.2, 7), IoError);
}

}  // namespace
}  // namespace glia::vision
