// Few numbers for a picture, from which it is made again (Hinton & Salakhutdinov 2006).
#pragma once

#include <cstdint>
#include <vector>

#include "glia/nn/conv.h"
#include "glia/nn/sequential.h"

namespace glia::vision {

enum class AutoEncoderKind {
  kLinear,       // one matrix each way: spans the subspace of the principal components
  kDense,        // layers with ReLU both ways
  kConv,         // convolutions that halve the picture twice, a linear layer, and back
  kTied,         // dense, its way back by the same matrices, transposed
  kSparse,       // dense, and each number of the code mostly near 0 (Ng 2011)
  kDenoising,    // dense, from pictures of which some pixels are missing (Vincent et al. 2008)
  kContractive,  // dense, its code little changed by small changes (Rifai et al. 2011)
};

struct AutoEncoderOptions {
  AutoEncoderKind kind = AutoEncoderKind::kDense;
  int64_t size = 28, channels = 1;                 // of pictures
  int64_t code = 30;                               // numbers for each
  std::vector<int64_t> hidden = {1000, 500, 250};  // of dense layers between
  double noise = 0.3;      // denoising: the part of the pixels that is set to 0
  double sparsity = 0.05;  // sparse: what a number of the code is in the mean
  double penalty = 0.1;    // of sparse and contractive codes: its weight in the loss
};

// Of pictures (N, size, size, channels) of 0 to 1. The code of sparse ones is in [0, 1], of others
// any numbers; what is made of it is in [0, 1], of a linear one any numbers.
struct AutoEncoder : nn::Module {
  // Throws ShapeError for options out of range, and for a size that is no multiple of 4 of kConv.
  explicit AutoEncoder(const AutoEncoderOptions& options);

  Tensor encode(const Tensor& x, Where where = Where::current()) const;     // (N, code)
  Tensor decode(const Tensor& code, Where where = Where::current()) const;  // pictures again
  Tensor operator()(const Tensor& x, Where where = Where::current()) const {
    return decode(encode(x, where), where);
  }
  // The mean over pictures of the squared differences' sum, and what the kind asks for besides:
  // in training mode of pictures with missing pixels, drawn anew; penalty * the divergence of the
  // code's means from `sparsity`; penalty * an estimate of the sum of the squared derivatives of
  // the code by the pixels (along one random direction, right in the mean).
  Tensor loss(const Tensor& x) const;

  AutoEncoderOptions options;
  std::vector<nn::Linear> encoder, decoder;  // the decoder of tied ones has biases of its own only
  std::vector<Parameter> biases;             // of a tied decoder
  std::vector<nn::Conv2d> down;
  std::vector<nn::ConvTranspose2d> up;
  GLIA_FIELDS(down, encoder, decoder, biases, up)
};
// Trains each layer and its counterpart alone, from the outermost on, to give back what it gets
// (Bengio et al. 2007), by Adam: of kinds with layers of their own both ways. Pictures f32
// (N, size, size, channels). Throws ValueError for tied and convolutional ones.
struct PretrainOptions {
  int64_t epochs = 1, batch = 128;
  double lr = 1e-3;
  uint64_t seed = 0;
};
void pretrain(AutoEncoder& net, const Tensor& pictures, const PretrainOptions& options = {});

// The mean over pictures of the sum of squared differences.
Tensor squared_error(const Tensor& made, const Tensor& pictures, Where where = Where::current());

}  // namespace glia::vision
