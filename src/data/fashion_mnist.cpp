#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "glia/data.h"
#include "glia/io.h"
#include "glia/ops.h"
#include "runtime/settings.h"

namespace glia::data {
namespace {

constexpr const char* kFolder = "/fashion-mnist";
constexpr const char* kInstalled = "/usr/share/datasets/fashion-mnist";
constexpr const char* kImages = "-images-idx3-ubyte";
constexpr const char* kLabels = "-labels-idx1-ubyte";

// The file, or the file with ".gz", in the folder; empty if it has neither.
std::string find(const std::string& folder, const std::string& file) {
  std::error_code ignored;
  for (const char* ending : {".gz", ""})
    if (std::filesystem::exists(folder + "/" + file + ending, ignored))
      return folder + "/" + file + ending;
  return "";
}

bool holds_any(const std::string& folder) {
  for (const char* prefix : {"train", "t10k"})
    for (const char* half : {kImages, kLabels})
      if (!find(folder, std::string(prefix) + half).empty()) return true;
  return false;
}

// The first of the folders that holds any of the files: all must come from one place.
std::string place(const std::string& folder) {
  std::vector<std::string> folders;
  if (!folder.empty()) {
    folders = {folder};
  } else {
    if (const char* root = setting("GLIA_DATA")) {
      if (std::error_code ignored; !std::filesystem::is_directory(root, ignored))
        throw IoError(std::string("GLIA_DATA is \"") + root + "\", which is no folder");
      folders.push_back(std::string(root) + kFolder);
    }
    folders.push_back(kInstalled);
  }
  const auto found = std::ranges::find_if(folders, holds_any);
  if (found != folders.end()) return *found;
  throw IoError("Fashion-MNIST: its files are not in " + folders[0] +
                (folders.size() > 1 ? " or " + folders[1] : "") +
                "; install Debian's package dataset-fashion-mnist, or set GLIA_DATA to the folder "
                "that holds fashion-mnist/");
}

}  // namespace

Dataset<2> fashion_mnist(Split split, const std::string& folder) {
  const std::string from = place(folder);
  const auto file_of = [&](const char* half) {
    const std::string name = (split == Train ? "train" : "t10k") + std::string(half);
    const std::string path = find(from, name);
    if (path.empty()) throw IoError(from + "/" + name + ".gz: is missing");
    return path;
  };
  const std::string image_file = file_of(kImages), label_file = file_of(kLabels);
  const Tensor images = io::read_idx(image_file), labels = io::read_idx(label_file);
  if (images.dtype() != kU8 || images.rank() != 3 || images.size(1) != 28 || images.size(2) != 28)
    throw IoError(image_file + ": " + name(images.dtype()) + " " + images.shape().str() +
                  " are no images of 28 x 28 bytes");
  if (labels.dtype() != kU8 || labels.rank() != 1 || labels.size(0) != images.size(0))
    throw IoError(label_file + ": " + name(labels.dtype()) + " " + labels.shape().str() +
                  " are no labels of " + images.shape().str() + " images");
  if (labels.size(0) == 0) throw IoError(image_file + ": holds no images");
  for (const uint8_t label : labels.data<uint8_t>())
    if (label >= kFashionClasses.size())
      throw IoError(label_file + ": label " + std::to_string(label) + " is not one of 10 classes");
  return from_tensors(unsqueeze(images, -1), cast(labels, kI64));
}

}  // namespace glia::data
