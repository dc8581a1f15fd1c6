// Special functions of two and three numbers that distributions need, computed in f64 and rounded
// once. Operands broadcast and promote. Link glia::math.
#pragma once

#include "glia/ops.h"

namespace glia {

// The regularised incomplete beta function I_x(a, b), for a, b > 0 and x in [0, 1]; NaN outside.
// Its gradient reaches all three; by a and b it has no second one.
Tensor betainc(const Operand& a, const Operand& b, const Operand& x);
// The x where I_x(a, b) is p.
Tensor betaincinv(const Operand& a, const Operand& b, const Operand& p);
// The x where P(a, x) is p, and where Q(a, x) is q: see gammainc().
Tensor gammaincinv(const Operand& a, const Operand& p);
Tensor gammainccinv(const Operand& a, const Operand& q);
// log I_n(x) of the modified Bessel function of whole order n (its sign does not count), x >= 0.
// No gradient reaches n.
Tensor log_iv(const Operand& n, const Operand& x);

}  // namespace glia
