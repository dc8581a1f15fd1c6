#include "glia/vision/networks.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "glia/autodiff.h"
#include "glia/error.h"
#include "glia/io.h"
#include "glia/ops.h"
#include "glia/random.h"
#include "glia/vision/models.h"
#include "glia/vision/transfer.h"
#include "glia/vision/weights.h"
#include "tests/support/scratch.h"

namespace glia::vision {
namespace {

class Networks : public test::ScratchWorkingFolder {};

template <class F>
std::string fault(F&& f) {
  try {
    f();
  } catch (const std::exception& e) {
    return e.what();
  }
  return "nothing is thrown";
}

// As torchvision's documentation has them; LeNet by its layers, Lite0 and Tiny Darknet by the files
// of their weights (Tiny Darknet's counts running statistics, too).
TEST_F(Networks, PublishedNumbersOfParameters) {
  const std::map<std::string, int64_t> published = {
      {"alexnet", 61100840},           {"vgg11", 132863336},
      {"vgg16_bn", 138365992},         {"resnet18", 11689512},
      {"resnet50", 25557032},          {"resnext50_32x4d", 25028904},
      {"wide_resnet50_2", 68883240},   {"densenet121", 7978856},
      {"squeezenet1_0", 1248424},      {"squeezenet1_1", 1235496},
      {"mobilenet_v2", 3504872},       {"mobilenet_v3_small", 2542856},
      {"mobilenet_v3_large", 5483032}, {"efficientnet_b0", 5288548},
      {"efficientnet_b7", 66347960},   {"efficientnet_lite0", 4652008},
      {"convnext_tiny", 28589128},     {"vit_b_16", 86567656},
      {"vit_b_32", 88224232}};
  for (const auto& [name, count] : published)
    EXPECT_EQ(make_network(name)->parameter_count(), count) << name;
  EXPECT_EQ(
      make_network("lenet", {.classes = 10, .channels = 1, .image_size = 28})->parameter_count(),
      61706);
  EXPECT_EQ(network_names().size(), 52u);
}

// Each is a trunk and a last layer, in one shape, in both modes; what is random is so in training.
TEST_F(Networks, SmallPicturesGoThroughEachFamily) {
  const NoGrad no_grad;
  for (const char* name : {"lenet", "resnet18", "squeezenet1_1", "mobilenet_v1",
                           "mobilenet_v3_small", "efficientnet_lite0", "darknet_tiny"}) {
    const auto net = make_network(name, {.classes = 5, .image_size = 64});
    const Tensor x = randn({2, 64, 64, 3});
    EXPECT_EQ((*net)(x).shape(), Shape({2, 5})) << name;
    net->eval();
    const Tensor y = (*net)(x), z = net->head(net->features(x));
    EXPECT_EQ(max(abs(y - z)).item(), 0) << name;
    EXPECT_TRUE(all(isfinite(y)).item<bool>()) << name;
  }
  const auto unet = make_network("unet", {.classes = 3, .channels = 1});
  EXPECT_EQ((*unet)(zeros({1, 33, 47, 1})).shape(), Shape({1, 33, 47, 3}));
  const auto fcn = make_network("fcn_resnet50", {.classes = 4});
  EXPECT_EQ((*fcn)(zeros({1, 40, 24, 3})).shape(), Shape({1, 40, 24, 4}));
}

TEST_F(Networks, WhatDoesNotFitIsSaid) {
  EXPECT_NE(fault([] { make_network("resnet19"); }).find("unknown network 'resnet19' (known: "),
            std::string::npos);
  EXPECT_THROW(make_network("resnet18", {.classes = 0}), ShapeError);
  EXPECT_THROW(make_network("resnet18", {.channels = -1}), ShapeError);
  EXPECT_THROW(make_network("vgg16", {.classes = INT64_MAX}), ShapeError);
  EXPECT_THROW(make_network("vit_b_16", {.image_size = 100}), ShapeError);
  const auto net = make_network("resnet18", {.classes = 2});
  EXPECT_NE(fault([&] {
              (*net)(zeros({1, 32, 32, 1}));
            }).find("takes pictures (N, H, W, 3)"),
            std::string::npos);
  EXPECT_THROW((*net)(zeros({32, 32, 3})), ShapeError);
  EXPECT_THROW((*make_network("vit_b_32", {.image_size = 64}))(zeros({1, 32, 32, 3})), ShapeError);
  EXPECT_NE(fault([] { make_classifier("alexnet", 32, 3, 10); }).find("do not fit it"),
            std::string::npos);
  EXPECT_NE(fault([] { make_classifier("nonet", 32, 3, 10); }).find("unknown network"),
            std::string::npos);
}

// ResNet-18's 1.814 billion multiplications and additions at 224 (torchvision), a 49th of that and
// what is not a product at 32.
TEST_F(Networks, CostOfAPicture) {
  const auto net = make_network("resnet18");
  const NetworkCost cost = cost_of(*net, 32);
  EXPECT_EQ(cost.parameters, 11689512);
  EXPECT_EQ(cost.parameter_bytes, 4 * 11689512);
  EXPECT_GT(cost.flops, 2 * 1.814e9 / 49);
  EXPECT_LT(cost.flops, 1.15 * 2 * 1.814e9 / 49);
  EXPECT_GT(cost.memory_bytes, 4 * 16 * 16 * 64);
  EXPECT_LT(cost.memory_bytes, 4000000);
  EXPECT_TRUE(net->is_training());
}

TEST_F(Networks, LayersInParts) {
  const auto net = make_network("mobilenet_v2", {.classes = 7});
  const auto groups = layer_groups(*net, 5);
  ASSERT_EQ(groups.size(), 5u);
  ASSERT_EQ(groups.back().size(), 2u);
  EXPECT_EQ(groups.back()[0].shape(), Shape({7, 1280}));
  size_t all = 0;
  for (const ParameterList& g : groups) all += g.size();
  EXPECT_EQ(all, net->all_parameters().size());
  EXPECT_TRUE(groups[0][0].same_place(net->all_parameters()[0]));
  EXPECT_EQ(layer_groups(*net, 1000).back().size(), 2u);
  EXPECT_THROW(layer_groups(*net, 1), ValueError);
}

// A problem that is convex: the gradient at the end is nothing, and classes are parted.
TEST_F(Networks, TheLastLayerIsFitted) {
  manual_seed(1);
  const auto net = make_network("lenet", {.classes = 3, .image_size = 32});
  net->eval();
  const Tensor labels = cast(arange(60), kI64) - 3 * floor_divide(arange(60), 3);
  const Tensor x = randn({60, 32, 32, 3}) + reshape(cast(labels, kF32), {60, 1, 1, 1});
  const Tensor features = features_of(*net, x, 7);
  EXPECT_EQ(features.shape(), Shape({60, 84}));
  const Tensor before = net->state_dict()[0].second;
  const double loss = fit_last_layer(*net, features, labels);
  EXPECT_LT(loss, 0.3);  // log 3 before
  EXPECT_EQ(mean(cast(argmax((*net)(x)) == labels, kF32)).item(), 1);
  EXPECT_EQ(max(abs(net->state_dict()[0].second - before)).item(), 0);
  EXPECT_NEAR(fit_last_layer(*net, features, labels), loss, 1e-4 * loss);
  EXPECT_THROW(fit_last_layer(*net, features, slice(labels, 0, {0, 3})), ShapeError);
  net->train();
  EXPECT_THROW(features_of(*net, x), Error);
}

TEST_F(Networks, WeightsOfAnotherNumberOfClasses) {
  const auto from = make_network("squeezenet1_1", {.classes = 4});
  io::NamedTensors saved;
  for (const auto& [name, value] : from->state_dict()) saved.emplace_back("module." + name, value);
  io::write_safetensors("net.safetensors", saved);
  const auto same = make_network("squeezenet1_1", {.classes = 4});
  EXPECT_TRUE(load_weights(*same, "net.safetensors"));
  const auto other = make_network("squeezenet1_1", {.classes = 9});
  const Tensor head = other->state_dict().back().second;
  EXPECT_FALSE(load_weights(*other, "net.safetensors"));
  EXPECT_EQ(max(abs(other->state_dict()[0].second - from->state_dict()[0].second)).item(), 0);
  EXPECT_EQ(max(abs(other->state_dict().back().second - head)).item(), 0);
  const auto wrong = make_network("lenet", {.image_size = 32});
  EXPECT_NE(fault([&] {
              load_weights(*wrong, "net.safetensors");
            }).find("net.safetensors: is not of lenet"),
            std::string::npos);
}

// ---- Files of others ----------------------------------------------------------------------------

TEST_F(Networks, NcnnFiles) {
  const std::string text =
      "7767517\n3 3\n"
      "Input input 0 1 a 0=4 1=4 2=1\n"
      "Convolution first 1 1 a b 0=2 1=1 5=1 6=2 9=2 -23310=1,0.100000\n"
      "Deconvolution second 1 1 b c 0=1 1=1 5=0 6=2\n";
  std::string bytes("\x47\x6B\x30\x01", 4);     // f16
  bytes += std::string("\x00\x3C\x00\xC0", 4);  // 1, -2
  const float bias[] = {0.5f, 0.25f}, second[] = {3, 4};
  bytes.append(reinterpret_cast<const char*>(bias), 8);
  bytes += std::string(4, '\0');  // f32
  bytes.append(reinterpret_cast<const char*>(second), 8);
  io::write_file_atomic("net.param", text);
  io::write_file_atomic("net.bin", bytes);
  const io::NamedTensors all = read_weights("net.param");
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].first, "first.weight");
  EXPECT_EQ(all[0].second.shape(), Shape({2, 1, 1, 1}));
  EXPECT_EQ(all[0].second.to_vector<float>(), std::vector<float>({1, -2}));
  EXPECT_EQ(all[1].second.to_vector<float>(), std::vector<float>({0.5f, 0.25f}));
  EXPECT_EQ(all[2].second.to_vector<float>(), std::vector<float>({3, 4}));
  for (size_t size = 0; size < bytes.size(); ++size) {
    io::write_file_atomic("net.bin", bytes.substr(0, size));
    EXPECT_THROW(read_ncnn("net.param"), IoError) << size;
  }
  for (const char* bad :
       {"", "8\n", "7767517\n3 3\nConvolution x 1 1 a b 0=0 1=1 6=2\n",
        "7767517\n3 3\nConvolution x 1 1 a b 0=9999999 1=99999 6=2\n",
        "7767517\n3 3\nConvolution x 1 1 a b 0=2 1=1 6=9223372036854775807\n",
        "7767517\n3 3\nLSTM x 1 1 a b 0=2\n", "7767517\n3 3\nConvolution x 99999\n"}) {
    io::write_file_atomic("net.param", bad);
    EXPECT_THROW(read_ncnn("net.param"), IoError) << bad;
  }
}

TEST_F(Networks, ModelsOfTensorFlowJs) {
  const float values[] = {1, 2, 3, 4, 5, 6};
  std::filesystem::create_directories("net");
  io::write_file_atomic("net/part", {reinterpret_cast<const char*>(values), sizeof values});
  const auto manifest = [](const std::string& path, const std::string& shape) {
    return R"({"weightsManifest": [{"paths": [")" + path +
           R"("], "weights": [{"name": "a/kernel", "shape": )" + shape +
           R"(, "dtype": "float32"}]}]})";
  };
  io::write_file_atomic("net/model.json", manifest("part", "[2, 3]"));
  const io::NamedTensors all = read_weights("net");
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].first, "a/kernel");
  EXPECT_EQ(all[0].second.shape(), Shape({2, 3}));
  for (const std::string& bad :
       {manifest("part", "[7]"), manifest("part", "[-1]"), manifest("../part", "[2]"),
        manifest("none", "[2]"), manifest("part", "[4611686018427387904, 4]"), std::string("{}"),
        std::string("text")}) {
    io::write_file_atomic("net/model.json", bad);
    EXPECT_THROW(read_layers_model("net"), IoError) << bad;
  }
}

// A file of one group "g" with one array "x" of three numbers, made by hand.
std::string hdf5() {
  std::string b("\x89HDF\r\n\x1a\n", 8);
  const auto put = [&](uint64_t v, int size) {
    for (int i = 0; i < size; ++i) b.push_back(static_cast<char>(v >> (8 * i)));
  };
  const auto pad_to = [&](size_t at) { b.resize(at, '\0'); };
  put(0, 4);         // versions
  put(0x080800, 4);  // sizes of offsets and lengths
  b[13] = 8, b[14] = 8;
  pad_to(24);
  put(0, 8), put(~0ull, 8), put(2048, 8), put(~0ull, 8);
  put(0, 8), put(128, 8);  // the root's entry: name and header
  const auto group = [&](size_t header, size_t tree, size_t heap, size_t node, const char* name,
                         uint64_t child) {
    pad_to(header);
    put(1, 2), put(1, 2), put(1, 4), put(24, 4), put(0, 4);
    put(0x11, 2), put(16, 2), put(0, 4), put(tree, 8), put(heap, 8);
    pad_to(tree);
    b += "TREE";
    put(0, 1), put(0, 1), put(1, 2), put(~0ull, 8), put(~0ull, 8), put(0, 8), put(node, 8);
    pad_to(heap);
    b += "HEAP";
    put(0, 4), put(16, 8), put(~0ull, 8), put(heap + 32, 8);
    pad_to(heap + 40);
    b += name;
    pad_to(node);
    b += "SNOD";
    put(1, 2), put(1, 2), put(8, 8), put(child, 8);
    pad_to(node + 48);
  };
  group(128, 256, 320, 384, "g", 512);
  group(512, 640, 704, 768, "x", 1024);
  pad_to(1024);
  put(1, 2), put(3, 2), put(1, 4), put(80, 4), put(0, 4);
  put(1, 2), put(16, 2), put(0, 4), put(1, 1), put(1, 1), put(0, 6), put(3, 8);
  put(3, 2), put(16, 2), put(0, 4), put(0x11, 1), put(0x20, 3), put(4, 4), put(0, 8);
  put(8, 2), put(24, 2), put(0, 4), put(3, 1), put(1, 1), put(2000, 8), put(12, 8), put(0, 6);
  pad_to(2000);
  const float values[] = {1.5f, -2, 8};
  b.append(reinterpret_cast<const char*>(values), sizeof values);
  pad_to(2048);
  return b;
}

TEST_F(Networks, Hdf5Files) {
  const std::string good = hdf5();
  io::write_file_atomic("net.h5", good);
  const io::NamedTensors all = read_weights("net.h5");
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].first, "g/x");
  EXPECT_EQ(all[0].second.to_vector<float>(), std::vector<float>({1.5f, -2, 8}));
  // Cut anywhere, or with any byte spoilt: an error, or an array, and never more.
  for (size_t size = 0; size < 2012; size += 13) {
    io::write_file_atomic("net.h5", good.substr(0, size));
    EXPECT_THROW(read_hdf5("net.h5"), IoError) << size;
  }
  for (size_t at = 0; at < good.size(); at += 3)
    for (const char v : {'\xff', '\x01'}) {
      std::string bad = good;
      bad[at] = v;
      std::ofstream("net.h5") << bad;
      try {
        read_hdf5("net.h5");
      } catch (const IoError&) {
      }
    }
}

}  // namespace
}  // namespace glia::vision
