#include "data/files.h"

namespace glia::data {
namespace {

const std::string kAt =
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/";

const RegisterEntry set({
    .name = "fashion-mnist",
    .title = "Fashion-MNIST",
    .home = "https://github.com/zalandoresearch/fashion-mnist",
    .licence = "MIT",
    .task = "image-classification",
    .files = {{"train-images-idx3-ubyte.gz", kAt + "train-images-idx3-ubyte.gz"},
              {"train-labels-idx1-ubyte.gz", kAt + "train-labels-idx1-ubyte.gz", 29515,
               "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"},
              {"t10k-images-idx3-ubyte.gz", kAt + "t10k-images-idx3-ubyte.gz"},
              {"t10k-labels-idx1-ubyte.gz", kAt + "t10k-labels-idx1-ubyte.gz", 5148,
               "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"}},
    .package = "dataset-fashion-mnist",
    .package_folder = "/usr/share/datasets/fashion-mnist",
    .classes = {kFashionClasses.begin(), kFashionClasses.end()},
    .labelled = fashion_mnist,
});

}  // namespace

Dataset<2> fashion_mnist(Split split, const std::string& folder) {
  return read_idx_images(entry("fashion-mnist"), split, folder);
}

}  // namespace glia::data
