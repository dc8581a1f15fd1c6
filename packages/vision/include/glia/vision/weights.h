// Weights that others trained, in the formats of their programs.
//
//   const auto net = vision::make_network("efficientnet_lite0", {.classes = 3});
//   vision::load_weights(*net, "efficientnet-lite0-57934424.pth");  // all but the last layer
#pragma once

#include <string>

#include "glia/io.h"
#include "glia/nn/conv.h"
#include "glia/vision/networks.h"

namespace glia::vision {

// ---- Files --------------------------------------------------------------------------------------
// Every fault is an IoError, "FILE: fault".

// The arrays of an HDF5 file as Keras writes them, by their paths ("block1/conv/vars/0"), as they
// lie there: f32 or f64, contiguous, in groups of the old style (superblock version 0).
io::NamedTensors read_hdf5(const std::string& path);
// The arrays that a Keras model for TensorFlow.js has, by their names ("conv2d_1/kernel"): a
// folder's model.json and the files of f32 that it names.
io::NamedTensors read_layers_model(const std::string& folder);
// Convolutions and deconvolutions of an ncnn model of FILE.param and FILE.bin, f32 or f16: for each
// layer "NAME.weight" (out, in, height, width) and "NAME.bias", f32.
io::NamedTensors read_ncnn(const std::string& param);
// One of these, PyTorch's or safetensors, by the name's end, or a folder with model.json.
io::NamedTensors read_weights(const std::string& path);

// Sets the values of a network: by its own names, by those with "module.", "model." or
// "state_dict." before them, for EfficientNet by those of its first PyTorch version
// ("_blocks.0._bn1.weight"), for darknet_tiny by Keras'. The last layer stays as it is where the
// file's has another number of classes; false then. Throws IoError for a file of another network,
// and nothing has changed.
bool load_weights(Network& network, const std::string& path);

// ---- Networks of one task -----------------------------------------------------------------------

// Where things end: the convolutions of VGG-16, a map at each of five sizes, and all of them
// together (Xie & Tu 2015).
struct Hed : nn::Module {
  Hed();
  // Pictures (N, H, W, 3) of 0 to 255, any dtype -> how likely an edge is, (N, H, W, 1).
  Tensor operator()(const Tensor& images, Where where = Where::current()) const;
  // From Keras' HDF5 file.
  void load(const std::string& path);

  std::vector<std::vector<nn::Conv2d>> blocks;
  std::vector<nn::Conv2d> sides;
  nn::Conv2d fuse{5, 1, {.kernel = 1}};
  GLIA_FIELDS(blocks, sides, fuse)
};

// Twice the size: waifu2x's "upconv_7", six convolutions and one transposed.
struct UpConv7 : nn::Module {
  UpConv7();
  // (N, H, W, 3) of 0 to 1 -> (N, 2 H, 2 W, 3).
  Tensor operator()(const Tensor& x, Where where = Where::current()) const;
  // From ncnn's FILE.param, with FILE.bin beside it.
  void load(const std::string& param);

  std::vector<nn::Conv2d> convolutions;
  nn::ConvTranspose2d up;
  GLIA_FIELDS(convolutions, up)
};
// A picture u8 (H, W, 1 to 4; alpha is dropped) of any size at twice its size, u8 (2 H, 2 W, 3): by
// squares of `tile` pixels, so that memory does not grow with the picture. The result does not
// depend on the squares.
Tensor upscaled(const UpConv7& network, const Tensor& image, int64_t tile = 256,
                Where where = Where::current());

}  // namespace glia::vision
