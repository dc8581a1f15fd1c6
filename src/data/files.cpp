#include "data/files.h"

#include "glia/io.h"
#include "glia/ops.h"
#include "io/inflate.h"

namespace glia::data {

std::string read_plain(const std::string& path, int64_t most) {
  const io::Content file = io::load(path);
  if (file.bytes.size() < 2 || file.bytes[0] != 0x1f || file.bytes[1] != 0x8b) {
    if (static_cast<int64_t>(file.bytes.size()) > most)
      io::fail(path, "is longer than " + io::grouped(most) + " bytes");
    return std::string(io::text_of(file.bytes));
  }
  io::Inflater inflater(path, file.bytes, io::Inflater::kGzip);
  const io::Content plain = inflater.take(most + 1);
  if (static_cast<int64_t>(plain.bytes.size()) > most)
    io::fail(path, "is longer than " + io::grouped(most) + " bytes");
  inflater.finish();
  return std::string(io::text_of(plain.bytes));
}

Tensor checked_labels(const std::string& path, const Tensor& labels, int64_t classes) {
  for (const uint8_t label : labels.data<uint8_t>())
    if (label >= classes)
      throw IoError(path + ": label " + std::to_string(label) + " is not one of " +
                    std::to_string(classes) + " classes");
  return cast(labels, kI64);
}

Dataset<2> read_idx_images(const Entry& set, Split split, const std::string& folder) {
  const std::string from = find(set, folder), prefix = split == Train ? "train" : "t10k";
  const std::string image_file = file_in(from, prefix + "-images-idx3-ubyte.gz");
  const std::string label_file = file_in(from, prefix + "-labels-idx1-ubyte.gz");
  const Tensor images = io::read_idx(image_file), labels = io::read_idx(label_file);
  if (images.dtype() != kU8 || images.rank() != 3 || images.size(1) != 28 || images.size(2) != 28)
    throw IoError(image_file + ": " + name(images.dtype()) + " " + images.shape().str() +
                  " are no images of 28 x 28 bytes");
  if (labels.dtype() != kU8 || labels.rank() != 1 || labels.size(0) != images.size(0))
    throw IoError(label_file + ": " + name(labels.dtype()) + " " + labels.shape().str() +
                  " are no labels of " + images.shape().str() + " images");
  if (labels.size(0) == 0) throw IoError(image_file + ": holds no images");
  return from_tensors(unsqueeze(images, -1), checked_labels(label_file, labels, 10));
}

}  // namespace glia::data
