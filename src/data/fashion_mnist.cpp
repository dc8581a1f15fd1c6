#include <cstdlib>
#include <fstream>

#include "glia/data.h"
#include "glia/io.h"
#include "glia/ops.h"

namespace glia::data {
namespace {

bool exists(const std::string& path) { return std::ifstream(path).good(); }

// The file, or the file with ".gz", in the first of the folders that has it.
std::string find(const std::vector<std::string>& folders, const std::string& file) {
  std::string tried;
  for (const std::string& folder : folders) {
    for (const char* ending : {".gz", ""}) {
      const std::string path = folder + "/" + file + ending;
      if (exists(path)) return path;
    }
    tried += (tried.empty() ? "" : " and ") + folder;
  }
  throw IoError(file + ".gz: not found in " + tried +
                "; install Debian's package dataset-fashion-mnist, or set GLIA_DATA to the folder "
                "that holds fashion-mnist/");
}

}  // namespace

Dataset<2> fashion_mnist(Split split, const std::string& folder) {
  std::vector<std::string> folders;
  if (!folder.empty()) {
    folders = {folder};
  } else {
    if (const char* root = std::getenv("GLIA_DATA"))
      folders.push_back(std::string(root) + "/fashion-mnist");
    folders.push_back("/usr/share/datasets/fashion-mnist");
  }
  const std::string prefix = split == Train ? "train" : "t10k";
  const std::string image_file = find(folders, prefix + "-images-idx3-ubyte");
  const std::string label_file = find(folders, prefix + "-labels-idx1-ubyte");
  const Tensor images = io::read_idx(image_file), labels = io::read_idx(label_file);
  if (images.dtype() != kU8 || images.rank() != 3 || images.size(1) != 28 || images.size(2) != 28)
    throw IoError(image_file + ": " + name(images.dtype()) + " " + images.shape().str() +
                  " are no images of 28 x 28 bytes");
  if (labels.dtype() != kU8 || labels.rank() != 1 || labels.size(0) != images.size(0))
    throw IoError(label_file + ": " + name(labels.dtype()) + " " + labels.shape().str() +
                  " are no labels of " + images.shape().str() + " images");
  for (const uint8_t label : labels.data<uint8_t>())
    if (label >= kFashionClasses.size())
      throw IoError(label_file + ": label " + std::to_string(label) + " is not one of 10 classes");
  return from_tensors(unsqueeze(images, -1), cast(labels, kI64));
}

}  // namespace glia::data
