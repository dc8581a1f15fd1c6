// The network of denoising diffusion: a U of residual blocks that know the step, with attention
// where pictures are small (Ho et al. 2020), and classes.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "glia/generative/diffusion.h"
#include "glia/nn/layers.h"
#include "glia/nn/module.h"
#include "glia/nn/normalization.h"

namespace glia::generative {

struct UNetOptions {
  int64_t channels = 1;
  int64_t width = 32;                            // channels of the first level
  std::vector<int64_t> multipliers = {1, 2, 2};  // of each level's; its pictures are half as large
  int64_t blocks = 1;                            // residual blocks of each level on the way down
  int64_t attention_levels = 1;                  // how many of the smallest have attention
  int64_t heads = 4, groups = 8;                 // of attention, of group norms
  int64_t classes = 0;                           // 0: none are told
  double dropout = 0;
  int64_t steps = 1000;  // of the diffusion
};

struct UNet : nn::Module {
  // Throws ShapeError for options out of range.
  explicit UNet(const UNetOptions& options = {});
  // x (N, H, W, channels), H and W multiples of 2^(levels - 1), at steps t (N) i64, of classes (N)
  // i64; `classes` itself stands for none told -> (N, H, W, channels).
  Tensor operator()(const Tensor& x, const Tensor& t, const Tensor& labels = {},
                    Where where = Where::current()) const;

  struct Block : nn::Module {
    Block(int64_t in, int64_t out, int64_t embedded, const UNetOptions& options);
    Tensor operator()(const Tensor& x, const Tensor& embedded) const;
    nn::GroupNorm norm1, norm2;
    nn::Conv2d conv1, conv2;
    nn::Linear time;
    nn::Dropout dropout;
    std::optional<nn::Conv2d> shortcut;
    GLIA_FIELDS(norm1, conv1, time, norm2, dropout, conv2, shortcut)
  };
  struct Attention : nn::Module {
    Attention(int64_t width, const UNetOptions& options);
    Tensor operator()(const Tensor& x) const;
    int64_t heads;
    nn::GroupNorm norm;
    nn::Linear qkv, out;
    GLIA_FIELDS(norm, qkv, out)
  };
  struct Level : nn::Module {
    std::vector<Block> blocks;
    std::vector<Attention> attentions;  // behind each block, or none
    std::optional<nn::Conv2d> resize;   // to the next level
    GLIA_FIELDS(blocks, attentions, resize)
  };

  UNetOptions options;
  Tensor positions;  // of steps (steps, width), as sines and cosines
  nn::Linear time1, time2;
  std::optional<nn::Embedding> label;
  nn::Conv2d conv_in;
  std::vector<Level> down;
  std::vector<Block> middle;  // two, with attention between
  std::optional<Attention> attention;
  std::vector<Level> up;
  nn::GroupNorm norm_out;
  nn::Conv2d conv_out;
  GLIA_FIELDS(time1, time2, label, conv_in, down, middle, attention, up, norm_out, conv_out)
};

// The network as the denoiser of samples of these classes (N); undefined: of no class in
// particular. Predictions are none + scale (class - none) (Ho & Salimans 2022, classifier-free
// guidance): a scale of 1 is the class alone, more makes samples more typical of it. The network
// must outlive it. Throws ValueError for classes of a network without.
Denoiser guided(const UNet& net, const Tensor& labels, double scale = 1);
// Classes of which each is told with probability 1 - p: what guidance is trained by.
Tensor dropped_labels(const Tensor& labels, int64_t classes, double p);

}  // namespace glia::generative
