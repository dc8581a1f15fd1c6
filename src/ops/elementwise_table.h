// Every elementwise operation, its value above its gradient. To add one, add an entry here and
// its declaration to glia/ops.h or a header of glia/ops; the function, kernels, gradients, tests and tables follow.
//
//   UNARY (code, function, domain, cost, value of x, gradient of x)
//   BINARY(code, function, domain, cost, value of a and b, gradient of a, gradient of b)
//   COMPARE(code, function, domain, cost, value of a and b): gives bool, has no gradient
//
// A value is an expression over lanes: x, a and b are of a type V that may be a SIMD vector, with
// the arithmetic operators and the functions of ops/lanes.h. A gradient is an expression over
// tensors: x, a, b are the inputs, y the output, g its gradient. NONE says that no gradient
// flows. At ties, ends and zeros gradients are PyTorch's. The domain says on which dtypes the op is
// defined and, for tests, on which values:
//   DOMAIN(types, low, high), types: Float, Number (all but bool), Integral (integers and bool),
//   Any.
// The cost is about how many instructions an element takes (Op::cost).
// This file is included several times, each time with other definitions of the macros.

//    code        function      domain                      cost value             gradient
UNARY(kNeg,       operator-,    DOMAIN(Number, -4, 4),      1,  (-x),               (-g))
UNARY(kAbs,       abs,          DOMAIN(Number, -4, 4),      1,  abs(x),             where(x > 0, g, where(x < 0, -g, 0)))
UNARY(kSign,      sign,         DOMAIN(Number, -4, 4),      1,  sign(x),            NONE)
UNARY(kSquare,    square,       DOMAIN(Number, -4, 4),      1,  (x * x),            (g * (2 * x)))
UNARY(kReciprocal, reciprocal,   DOMAIN(Float, 0.2, 4),     8,  (V(1) / x),         (-g * y * y))
UNARY(kSqrt,      sqrt,         DOMAIN(Float, 0.1, 9),      8,  sqrt(x),            (g * 0.5 / y))
UNARY(kRsqrt,     rsqrt,        DOMAIN(Float, 0.1, 9),      8,  (V(1) / sqrt(x)),   (g * -0.5 * y * y * y))
UNARY(kExp,       exp,          DOMAIN(Float, -9, 9),       25, exp(x),             (g * y))
UNARY(kExpm1,     expm1,        DOMAIN(Float, -4, 4),       25, expm1(x),           (g * (y + 1)))
UNARY(kLog,       log,          DOMAIN(Float, 0.1, 9),      25, log(x),             (g / x))
UNARY(kLog1p,     log1p,        DOMAIN(Float, -0.9, 9),     25, log1p(x),           (g / (x + 1)))
UNARY(kSin,       sin,          DOMAIN(Float, -9, 9),       60, sin(x),             (g * cos(x)))
UNARY(kCos,       cos,          DOMAIN(Float, -9, 9),       60, cos(x),             (-g * sin(x)))
UNARY(kTanh,      tanh,         DOMAIN(Float, -4, 4),       25, tanh(x),            (g * (1 - y * y)))
UNARY(kErf,       erf,          DOMAIN(Float, -4, 4),       40, erf(x),
      (g * (1.1283791670955126 * exp(-square(x)))))
UNARY(kSigmoid,   sigmoid,      DOMAIN(Float, -9, 9),       25, sigmoid(x),         (g * (y * (1 - y))))
UNARY(kRelu,      relu,         DOMAIN(Number, -4, 4),      1,  relu(x),            where(y <= 0, 0, g))
UNARY(kFloor,     floor,        DOMAIN(Float, -9, 9),       1,  floor(x),           NONE)
UNARY(kCeil,      ceil,         DOMAIN(Float, -9, 9),       1,  ceil(x),            NONE)
UNARY(kRound,     round,        DOMAIN(Float, -9, 9),       1,  round(x),           NONE)
UNARY(kTrunc,     trunc,        DOMAIN(Float, -9, 9),       2,  trunc(x),           NONE)
UNARY(kTan,       tan,          DOMAIN(Float, -1.3, 1.3),   70, tan(x),             (g * (1 + y * y)))
UNARY(kAsin,      asin,         DOMAIN(Float, -0.9, 0.9),   70, asin(x),            (g * rsqrt(1 - square(x))))
UNARY(kAcos,      acos,         DOMAIN(Float, -0.9, 0.9),   70, acos(x),            (-g * rsqrt(1 - square(x))))
UNARY(kAtan,      atan,         DOMAIN(Float, -4, 4),       60, atan(x),            (g / (square(x) + 1)))
UNARY(kSinh,      sinh,         DOMAIN(Float, -4, 4),       40, sinh(x),            (g * cosh(x)))
UNARY(kCosh,      cosh,         DOMAIN(Float, -4, 4),       40, cosh(x),            (g * sinh(x)))
UNARY(kAsinh,     asinh,        DOMAIN(Float, -9, 9),       50, asinh(x),           (g * rsqrt(square(x) + 1)))
UNARY(kAcosh,     acosh,        DOMAIN(Float, 1.2, 9),      50, acosh(x),           (g * rsqrt(square(x) - 1)))
UNARY(kAtanh,     atanh,        DOMAIN(Float, -0.9, 0.9),   40, atanh(x),           (g / (1 - square(x))))
UNARY(kLog2,      log2,         DOMAIN(Float, 0.1, 9),      25, log2(x),            (g / (x * 0.69314718055994531)))
UNARY(kLog10,     log10,        DOMAIN(Float, 0.1, 9),      25, log10(x),           (g / (x * 2.302585092994046)))
UNARY(kExp2,      exp2,         DOMAIN(Float, -9, 9),       25, exp2(x),            (g * y * 0.69314718055994531))
UNARY(kBitNot,    operator~,    DOMAIN(Integral, -9, 9),    1,  bit_not(x),         NONE)

BINARY(kAdd,       operator+,    DOMAIN(Number, -4, 4),      1,  (a + b),            g, g)
BINARY(kSub,       operator-,    DOMAIN(Number, -4, 4),      1,  (a - b),            g, (-g))
BINARY(kMul,       operator*,    DOMAIN(Number, -4, 4),      1,  (a * b),            (g * b), (g * a))
BINARY(kDiv,       operator/,    DOMAIN(Float, 0.5, 4),      8,  (a / b),            (g / b), (-g * y / b))
BINARY(kPow,       general_pow,  DOMAIN(Number, 0.1, 4),     60, pow(a, b),
       (g * (b * pow(sloped_base(a, b), b - 1))), (g * y * log(where((a == 0) & (b >= 0), 1, a))))
BINARY(kMaximum,   maximum,      DOMAIN(Any, -4, 4),         1,  max(a, b),
       where(a == b, g / 2, where(a < b, 0, g)), where(a == b, g / 2, where(a > b, 0, g)))
BINARY(kMinimum,   minimum,      DOMAIN(Any, -4, 4),         1,  min(a, b),
       where(a == b, g / 2, where(a > b, 0, g)), where(a == b, g / 2, where(a < b, 0, g)))
BINARY(kAtan2,     atan2,        DOMAIN(Float, 0.3, 4),      60, atan2(a, b),
       (g * b * inverse_square(a, b)), (-g * a * inverse_square(a, b)))
BINARY(kFloorDivide, floor_divide, DOMAIN(Number, 0.7, 9),  25, floor_divide(a, b), NONE, NONE)
BINARY(kRemainder, remainder,    DOMAIN(Number, 0.7, 9),    25, remainder(a, b),    g, (-g * floor_divide(a, b)))
BINARY(kFmod,      fmod,         DOMAIN(Number, 0.7, 9),     30, fmod(a, b),         g, (-g * trunc(a / b)))
BINARY(kCopysign,  copysign,     DOMAIN(Float, -4, 4),       2,  copysign(a, b),     where(a == 0, 0, g * (y / a)), NONE)
BINARY(kHypot,     hypot,        DOMAIN(Float, 0.3, 4),      30, hypot(a, b),        (g * (a / y)), (g * (b / y)))
BINARY(kBitAnd,    operator&,    DOMAIN(Integral, 0, 9),     1,  bit_and(a, b),      NONE, NONE)
BINARY(kBitOr,     operator|,    DOMAIN(Integral, 0, 9),     1,  bit_or(a, b),       NONE, NONE)
BINARY(kBitXor,    operator^,    DOMAIN(Integral, 0, 9),     1,  bit_xor(a, b),      NONE, NONE)

COMPARE(kLess,      operator<,    DOMAIN(Any, -4, 4),    1,  (a < b))
COMPARE(kLessEqual, operator<=,   DOMAIN(Any, -4, 4),    1,  (a <= b))
COMPARE(kEqual,     operator==,   DOMAIN(Any, -4, 4),    1,  (a == b))
COMPARE(kNotEqual,  operator!=,   DOMAIN(Any, -4, 4),    1,  (a != b))
