// All distributions: see glia/math/distribution.h.
#pragma once

#include "glia/math/composed.h"
#include "glia/math/continuous.h"
#include "glia/math/discrete.h"
#include "glia/math/distribution.h"
#include "glia/math/multivariate.h"
