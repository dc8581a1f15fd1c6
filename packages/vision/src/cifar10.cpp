// CIFAR-10 as two archives of JPEG pictures, CLASS/NNNN.jpg.
#include "glia/catalogue.h"
#include "glia/error.h"
#include "glia/vision/folder.h"

namespace glia::vision {
namespace {

data::Dataset<2> read(data::Split split, const std::string& folder) {
  const std::string path =
      data::file_in(folder, split == data::Train ? "train.tar.gz" : "test.tar.gz");
  const auto set = load_archive(path, {.size = 32, .channels = 3}, data::entry("cifar10").classes);
  return data::from_tensors(set.images, set.labels);
}

const data::RegisterForm form({
    .set = "cifar10",
    .difference = "re-encoded as JPEG",
    .files = {{"train.tar.gz"}, {"test.tar.gz"}},
    .labelled = read,
});

}  // namespace
}  // namespace glia::vision
