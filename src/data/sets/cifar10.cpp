// The binary version: records of a label and 32 x 32 values of red, green and blue.
#include "data/files.h"
#include "glia/ops.h"
#include "io/file.h"

namespace glia::data {
namespace {

constexpr int64_t kSide = 32, kPixels = kSide * kSide, kRecord = 1 + 3 * kPixels;
constexpr int64_t kMost = 100000 * kRecord;

const RegisterEntry set({
    .name = "cifar10",
    .title = "CIFAR-10",
    .home = "https://www.cs.toronto.edu/~kriz/cifar.html",
    .licence = "not stated",
    .task = "image-classification",
    .files = {{"data_batch_1.bin"},
              {"data_batch_2.bin"},
              {"data_batch_3.bin"},
              {"data_batch_4.bin"},
              {"data_batch_5.bin"},
              {"test_batch.bin"}},
    .by_hand = "unpack the .bin files of https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    .classes = {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship",
                "truck"},
    .labelled = cifar10,
});

}  // namespace

Dataset<2> cifar10(Split split, const std::string& folder) {
  const Entry& set = entry("cifar10");
  const std::string from = find(set, folder);
  std::vector<Tensor> images, labels;
  for (const DataFile& file : set.files) {
    if (file.name.starts_with("test") != (split == Test)) continue;
    const std::string path = file_in(from, file.name);
    const std::string bytes = read_plain(path, kMost);
    const int64_t size = static_cast<int64_t>(bytes.size());
    if (size == 0 || size % kRecord != 0)
      throw IoError(path + ": " + io::grouped(size) + " bytes are no records of " +
                    io::grouped(kRecord));
    std::vector<uint8_t> pixels, classes;
    pixels.reserve(bytes.size());
    for (int64_t record = 0; record < size; record += kRecord) {
      const char* at = bytes.data() + record;
      classes.push_back(*at++);
      for (int64_t p = 0; p < kPixels; ++p)
        for (int64_t channel = 0; channel < 3; ++channel)
          pixels.push_back(at[channel * kPixels + p]);
    }
    const int64_t count = size / kRecord;
    images.push_back(from_vector(pixels, {count, kSide, kSide, 3}));
    labels.push_back(checked_labels(path, from_vector(classes, {count}), 10));
  }
  return from_tensors(concat(images), concat(labels));
}

}  // namespace glia::data
