// What estimates of information share.
#pragma once

#include <optional>
#include <vector>

#include "glia/op.h"
#include "glia/ops.h"
#include "glia/ops/arrange.h"

namespace glia::information {

// The logarithm of a base, by which nats are divided.
double log_base(const char* function, std::optional<double> base, const Where& where);
// Samples (N) or (N, D) as rows. Throws for other shapes, none, NaN, and infinities if asked.
std::vector<double> sample_rows(const char* function, const Tensor& x, int64_t* columns,
                                bool finite, const Where& where);

}  // namespace glia::information
