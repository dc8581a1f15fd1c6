#include "data/files.h"

namespace glia::data {
namespace {

const std::string kAt = "https://ossci-datasets.s3.amazonaws.com/mnist/";

const RegisterEntry set({
    .name = "mnist",
    .title = "MNIST",
    .home = "http://yann.lecun.com/exdb/mnist/",
    .licence = "CC BY-SA 3.0",
    .task = "image-classification",
    .files = {{"train-images-idx3-ubyte.gz", kAt + "train-images-idx3-ubyte.gz"},
              {"train-labels-idx1-ubyte.gz", kAt + "train-labels-idx1-ubyte.gz", 28881,
               "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"},
              {"t10k-images-idx3-ubyte.gz", kAt + "t10k-images-idx3-ubyte.gz", 1648877,
               "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"},
              {"t10k-labels-idx1-ubyte.gz", kAt + "t10k-labels-idx1-ubyte.gz", 4542,
               "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"}},
    .classes = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"},
    .labelled = mnist,
});

}  // namespace

Dataset<2> mnist(Split split, const std::string& folder) {
  return read_idx_images(entry("mnist"), split, folder);
}

}  // namespace glia::data
