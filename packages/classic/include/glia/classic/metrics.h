// How right an estimator is: scikit-learn's metrics, names and defaults, in f64.
#pragma once

#include "glia/classic/metrics/classification.h"
#include "glia/classic/metrics/clustering.h"
#include "glia/classic/metrics/curves.h"
#include "glia/classic/metrics/pairwise.h"
#include "glia/classic/metrics/ranking.h"
#include "glia/classic/metrics/regression.h"
