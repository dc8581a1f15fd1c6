// Optimizers, averages of weights, gradient clipping and scaling, learning-rate schedules, with
// PyTorch's formulas and defaults.
#pragma once

#include "glia/optim/adaptive.h"
#include "glia/optim/elementwise.h"
#include "glia/optim/general.h"
#include "glia/optim/grad_scaler.h"
#include "glia/optim/gradients.h"
#include "glia/optim/layerwise.h"
#include "glia/optim/lr_schedules.h"
#include "glia/optim/optimizer.h"
#include "glia/optim/plateau.h"
#include "glia/optim/schedules.h"
#include "glia/optim/wrappers.h"
