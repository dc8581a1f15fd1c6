// Convolutions of (N, H, W, C) images, each forward alone and with its gradients.
#include "ops.h"

namespace glia::bench {
namespace {

struct Convolution {
  const char* name;
  Shape x, weight;
  Conv2dOptions options = {};
  DType dtype = kF32;
  bool backward = true;
};

const Convolution kUsual[] = {
    {"3x3 64 56", {8, 56, 56, 64}, {64, 3, 3, 64}, {.padding = {1, 1}}},
    {"3x3 b1 56 64", {1, 56, 56, 64}, {64, 3, 3, 64}, {.padding = {1, 1}}},
    {"3x3 512 7x7 b1", {1, 7, 7, 512}, {512, 3, 3, 512}, {.padding = {1, 1}}},
    {"3x3 1024->64 14x14", {8, 14, 14, 1024}, {64, 3, 3, 1024}, {.padding = {1, 1}}},
    {"3x3 odd channels 13->17", {8, 28, 28, 13}, {17, 3, 3, 13}, {.padding = {1, 1}}},
    {"3x3 s2", {8, 56, 56, 64}, {128, 3, 3, 64}, {.stride = {2, 2}, .padding = {1, 1}}},
    {"3x3 f64", {8, 32, 32, 16}, {32, 3, 3, 16}, {.padding = {1, 1}}, kF64},
    {"3x3 f64 b4 14 64", {4, 14, 14, 64}, {64, 3, 3, 64}, {.padding = {1, 1}}, kF64},
    {"3x3 bf16", {8, 28, 28, 64}, {64, 3, 3, 64}, {.padding = {1, 1}}, kBF16},
    {"3x3 f16", {8, 28, 28, 64}, {64, 3, 3, 64}, {.padding = {1, 1}}, kF16, false},
    {"3x3 dilation 2", {8, 28, 28, 64}, {64, 3, 3, 64}, {.padding = {2, 2}, .dilation = {2, 2}}},
    {"3x3 d=4 aspp 256",
     {2, 32, 32, 256},
     {64, 3, 3, 256},
     {.padding = {4, 4}, .dilation = {4, 4}}},
    {"1x1 64->256", {8, 56, 56, 64}, {256, 1, 1, 64}},
    {"1x1 b1 56 64->256", {1, 56, 56, 64}, {256, 1, 1, 64}},
    {"1x1 512->512 7x7 b32", {32, 7, 7, 512}, {512, 1, 1, 512}},
    {"1x1 s2", {8, 56, 56, 64}, {128, 1, 1, 64}, {.stride = {2, 2}}},
    {"2x2 s2", {32, 32, 32, 64}, {128, 2, 2, 64}, {.stride = {2, 2}}},
    {"4x4 s2 gan", {32, 32, 32, 64}, {128, 4, 4, 64}, {.stride = {2, 2}, .padding = {1, 1}}},
    {"5x5 32", {8, 28, 28, 32}, {64, 5, 5, 32}, {.padding = {2, 2}}},
    {"7x7 64", {4, 56, 56, 64}, {64, 7, 7, 64}, {.padding = {3, 3}}},
    {"15x15 16", {2, 64, 64, 16}, {16, 15, 15, 16}, {.padding = {7, 7}}},
    {"31x31", {1, 64, 64, 8}, {8, 31, 31, 8}, {.padding = {15, 15}}},
    {"1xk 1x7", {8, 28, 28, 64}, {64, 1, 7, 64}, {.padding = {0, 3}}},
    {"1xW full width", {16, 32, 100, 8}, {32, 1, 100, 8}},
};

const Convolution kFirstLayers[] = {
    {"stem 7x7 s2", {8, 224, 224, 3}, {64, 7, 7, 3}, {.stride = {2, 2}, .padding = {3, 3}}},
    {"patch 16x16 s16", {8, 224, 224, 3}, {192, 16, 16, 3}, {.stride = {16, 16}}},
    {"11x11 s4", {8, 224, 224, 3}, {64, 11, 11, 3}, {.stride = {4, 4}, .padding = {2, 2}}},
    {"5x5 s2 3->32 96", {16, 96, 96, 3}, {32, 5, 5, 3}, {.stride = {2, 2}, .padding = {2, 2}}},
    {"first 1->32 28x28 b128", {128, 28, 28, 1}, {32, 3, 3, 1}},
    {"5x5 1->6 lenet b256", {256, 28, 28, 1}, {6, 5, 5, 1}},
    {"5x5 6->16 lenet b256", {256, 12, 12, 6}, {16, 5, 5, 6}},
    {"huge image 3->3 5x5", {1, 1080, 1920, 3}, {3, 5, 5, 3}, {.padding = {2, 2}}},
    {"blur 1->1 9x9", {1, 1080, 1920, 1}, {1, 9, 9, 1}, {.padding = {4, 4}}},
};

const Convolution kGrouped[] = {
    {"3x3 groups 4", {8, 28, 28, 128}, {128, 3, 3, 32}, {.padding = {1, 1}, .groups = 4}},
    {"3x3 groups 32", {8, 28, 28, 128}, {128, 3, 3, 4}, {.padding = {1, 1}, .groups = 32}},
    {"depthwise 3x3", {8, 56, 56, 96}, {96, 3, 3, 1}, {.padding = {1, 1}, .groups = 96}},
    {"depthwise 3x3 s2",
     {8, 56, 56, 96},
     {96, 3, 3, 1},
     {.stride = {2, 2}, .padding = {1, 1}, .groups = 96}},
    {"depthwise 3x3 b1 112", {1, 112, 112, 32}, {32, 3, 3, 1}, {.padding = {1, 1}, .groups = 32}},
    {"depthwise 5x5 s1", {8, 28, 28, 120}, {120, 5, 5, 1}, {.padding = {2, 2}, .groups = 120}},
    {"depthwise 7x7", {8, 28, 28, 192}, {192, 7, 7, 1}, {.padding = {3, 3}, .groups = 192}},
    {"depthwise multiplier 2", {8, 28, 28, 32}, {64, 3, 3, 1}, {.padding = {1, 1}, .groups = 32}},
    {"depthwise dilated",
     {8, 28, 28, 64},
     {64, 3, 3, 1},
     {.padding = {2, 2}, .dilation = {2, 2}, .groups = 64}},
    {"depthwise 1d k31", {8, 1, 1024, 256}, {256, 1, 31, 1}, {.padding = {0, 15}, .groups = 256}},
};

const Convolution kOneDimensional[] = {
    {"1d k5", {16, 1, 1024, 32}, {64, 1, 5, 32}, {.padding = {0, 2}}},
    {"1d as W=1 k5", {16, 1024, 1, 32}, {64, 5, 1, 32}, {.padding = {2, 0}}},
    {"1d k3 dilated 8", {16, 1, 4096, 32}, {32, 1, 3, 32}, {.padding = {0, 8}, .dilation = {1, 8}}},
    {"1d k31 64->64", {8, 1, 1024, 64}, {64, 1, 31, 64}, {.padding = {0, 15}}},
    {"1d wavenet d=512", {4, 1, 8192, 32}, {64, 1, 2, 32}, {.dilation = {1, 512}}},
    {"1d long 1->16 k64 s16", {8, 1, 65536, 1}, {16, 1, 64, 1}, {.stride = {1, 16}}},
};

void add(Table& t, const Convolution& c) {
  const std::vector<Input> inputs{numbers(c.x, c.dtype), numbers(c.weight, c.dtype)};
  const auto f = [options = c.options](In x) { return conv2d(x[0], x[1], {}, options); };
  t.value(std::string("conv ") + c.name, inputs, f);
  if (c.backward) t.grad(std::string("conv fwd+bwd ") + c.name, inputs, f);
}

}  // namespace

void convolution(Table& t) {
  for (const Convolution& c : kUsual) add(t, c);
  for (const Convolution& c : kFirstLayers) add(t, c);
  for (const Convolution& c : kGrouped) add(t, c);
  for (const Convolution& c : kOneDimensional) add(t, c);
}

}  // namespace glia::bench
