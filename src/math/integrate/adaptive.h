// Integration of host functions by halving intervals.
#pragma once

#include "glia/math/integrate.h"

namespace glia::integrate {

// Over consecutive intervals between `breaks`, by the rule of 21 nodes, or of 15.
QuadResult adaptive(const RealFunction& f, const std::vector<double>& breaks, bool fifteen,
                    const QuadOptions& options);
QuadResult weighted(const RealFunction& f, double a, double b, const QuadOptions& options,
                    const Where& where);
// What is missing for the tolerance is said in the message.
void judge(QuadResult* r, const QuadOptions& options);

}  // namespace glia::integrate
