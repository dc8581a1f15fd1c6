// Layers: PyTorch's names, defaults and initial distributions; images are (N, H, W, C).
//
//   struct Net : nn::Module {
//     nn::Linear hidden{784, 128}, out{128, 10};
//     Tensor operator()(const Tensor& x) const { return out(relu(hidden(x))); }
//     GLIA_FIELDS(hidden, out)
//   };
#pragma once

#include "glia/nn/activations.h"
#include "glia/nn/attention.h"
#include "glia/nn/conv.h"
#include "glia/nn/dropout.h"
#include "glia/nn/functional.h"
#include "glia/nn/init.h"
#include "glia/nn/layers.h"
#include "glia/nn/losses.h"
#include "glia/nn/module.h"
#include "glia/nn/normalization.h"
#include "glia/nn/packed.h"
#include "glia/nn/pool.h"
#include "glia/nn/positions.h"
#include "glia/nn/recurrent.h"
#include "glia/nn/sequential.h"
#include "glia/nn/transformer.h"
#include "glia/nn/tree.h"
