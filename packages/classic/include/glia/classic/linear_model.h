// Linear models: all of them.
#pragma once

#include "glia/classic/glm.h"
#include "glia/classic/linear_penalised.h"
#include "glia/classic/linear_regression.h"
#include "glia/classic/linear_robust.h"
#include "glia/classic/logistic.h"
#include "glia/classic/sgd.h"
