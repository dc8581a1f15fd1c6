// Folders of pictures, one for each class.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "glia/vision/image.h"

namespace glia::vision {

// The pictures below a folder, by their names' ends in any case, .png, .jpg, .jpeg, .webp,
// .tif, .tiff, .gif, .ppm and .pgm, sorted.
// Throws IoError.
std::vector<std::string> list_images(const std::string& folder);

// The pictures FOLDER/CLASS/... and the class of each, in the order of their names, as
// torchvision's ImageFolder has them. Other files are not looked at.
struct ImageFolder {
  std::vector<std::string> classes;  // the names of the folders, sorted
  std::vector<std::string> files;
  std::vector<int64_t> labels;  // indices of `classes`
};
// Throws IoError for a folder that has no classes, or a class without a picture. Given `classes`,
// its folders must be among these, and the labels are theirs.
ImageFolder image_folder(const std::string& folder, const std::vector<std::string>& classes = {});

// Part of each class by chance, at least one picture of it and never all.
struct SplitFolder {
  ImageFolder train, test;
};
// Throws IoError for a class of one picture, ValueError unless 0 < share < 1.
SplitFolder split(const ImageFolder& folder, double share, uint64_t seed);

struct LoadOptions {
  int64_t size = 0;      // of the square that each picture becomes
  int64_t channels = 0;  // 1 or 3; 0: 1 if all pictures are grey
  Square square = Square::kCrop;
  int64_t most_pixels = int64_t{1} << 26;  // of one file
};
// All pictures: u8 (N, size, size, channels). Read by several threads. Throws IoError naming the
// first file that cannot be read, Error where they would not fit into half of the memory.
Tensor load_images(const std::vector<std::string>& files, const LoadOptions& options);

// The pictures .../CLASS/NAME of a tar, plain or gzipped, in the order of their names.
struct ImageArchive {
  std::vector<std::string> classes;  // sorted, or those that were given
  Tensor images;                     // u8 (N, size, size, channels)
  Tensor labels;                     // i64 (N): indices of `classes`
};
// Throws IoError as load_images() and image_folder() do. All compressed pictures are in memory.
ImageArchive load_archive(const std::string& path, const LoadOptions& options,
                          const std::vector<std::string>& classes = {});

}  // namespace glia::vision
