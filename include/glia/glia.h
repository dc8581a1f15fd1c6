// All of Glia's public headers.
#pragma once

#include "glia/autodiff.h"
#include "glia/complex.h"
#include "glia/data.h"
#include "glia/io.h"
#include "glia/nn.h"
#include "glia/ops.h"
#include "glia/optim.h"
#include "glia/random.h"
#include "glia/report.h"
#include "glia/runtime.h"
#include "glia/sparse.h"
#include "glia/tensor.h"
#include "glia/train.h"
