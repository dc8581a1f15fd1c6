// The functions that the values of ops/elementwise_table.h are made of, written once over a lane
// type V. Included inside a namespace that has such a V, hence no include guard; <cmath>, <limits>
// and <cstdint> come first.
//
// What V must offer (a SIMD vector, a scalar or the recorder of a code generator):
//   V(c), V::Element                 a constant, given as double; float, double or an integer type
//   a + b, a - b, a * b, a / b, -a   integers wrap; their a / b truncates, and is 0 for b = 0
//   a < b, a <= b, a == b, a != b    give a mask; masks have & | !
//   select(mask, a, b)               mask ? a : b
//   lesser(a, b), greater(a, b)      a < b ? a : b and a > b ? a : b, so b where either is NaN
//   abs(a)
// and for floats
//   fma(a, b, c)                     a * b + c, rounded once
//   sqrt, floor, ceil, round         round: half to even
//   copysign(a, b)                   a with b's sign bit
//   exponent(x), mantissa(x)         of a normal x > 0: x = m 2^e with 1 <= m < 2
//   scale(x, n)                      x 2^n, rounded once; n whole, |n| to twice the largest e
//   patch(mask, y, f, x...)          where the mask holds (rarely), f of x in double; else y
//   patch_sine<quarters>(mask, y, x) the same of sin(x + quarters pi / 2) of f32, by sine_of f64
// and for integers and bool
//   bit_not, bit_and, bit_or, bit_xor
//
// Polynomials are minimax fits in the weight of the final relative error, their coefficients
// rounded one by one. f32 is within 2 ulp (erf, sigmoid, hyperbolic functions and their inverses 3,
// tan, asin, acos, pow 4), f64 within 4.

template <class V>
inline constexpr bool kIsFloat = !std::numeric_limits<typename V::Element>::is_integer;
template <class V>
inline constexpr bool kIsDouble = std::numeric_limits<typename V::Element>::digits == 53;

// The constant of V's precision.
template <class V>
V constant(double f32, double f64) {
  return V(kIsDouble<V> ? f64 : f32);
}
template <class V>
V infinity() {
  return V(std::numeric_limits<double>::infinity());
}
template <class V>
V not_a_number() {
  return V(std::numeric_limits<double>::quiet_NaN());
}

// c0 + c1 x + c2 x^2 + ...
template <class V>
V polynomial(V, double c) {
  return V(c);
}
template <class V, class... C>
V polynomial(V x, double c, C... more) {
  return fma(polynomial(x, more...), x, V(c));
}

// ---- Arithmetic

template <class V>
V sign(V x) {
  return select(V(0) < x, V(1), select(x < V(0), V(-1), x));
}

template <class V>
V relu(V x) {
  return select(x <= V(0), V(0), x);
}

template <class V>
V max(V a, V b) {
  return select(a == a, greater(a, b), a);
}

template <class V>
V min(V a, V b) {
  return select(a == a, lesser(a, b), a);
}

template <class V>
struct Division {
  V quotient, remainder;
};

// Rounded to minus infinity; the remainder has b's sign.
template <class V>
Division<V> floor_division(V a, V b) {
  V q = a / b;
  if constexpr (kIsFloat<V>) q = floor(q);
  V r = V(0);
  if constexpr (kIsFloat<V>) {
    r = select(q == V(0), a, fma(-q, b, a));  // b may be infinite
  } else {
    r = select(b == V(0), V(0), a - q * b);
  }
  // An integer quotient was truncated; a float's may have been rounded up to the next integer.
  auto high = ((r < V(0)) & (V(0) < b)) | ((V(0) < r) & (b < V(0)));
  return {select(high, q - V(1), q), select(high, r + b, r)};
}

template <class V>
V floor_divide(V a, V b) {
  const V q = floor_division(a, b).quotient;
  if constexpr (kIsFloat<V>) {
    return select((abs(a) == infinity<V>()) & (b != V(0)), not_a_number<V>(), q);
  } else {
    return q;
  }
}

inline double python_remainder(double a, double b) {
  const double r = std::fmod(a, b);
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

template <class V>
V remainder(V a, V b) {
  const auto [q, r] = floor_division(a, b);
  if constexpr (kIsFloat<V>) {
    // Beyond this the quotient is no longer exact.
    const V limit = constant<V>(0x1p22, 0x1p51);
    const auto far = (limit <= abs(q)) & (abs(a) < infinity<V>()) & (b != V(0));
    return patch(
        far, r, [](double x, double y) { return python_remainder(x, y); }, a, b);
  } else {
    return r;
  }
}

template <class V>
V trunc(V x) {
  return copysign(floor(abs(x)), x);
}

// The remainder of the quotient cut off: with a's sign, as in C.
template <class V>
V fmod(V a, V b) {
  if constexpr (kIsFloat<V>) {
    return copysign(remainder(abs(a), abs(b)), a);
  } else {
    return select(b == V(0), V(0), a - a / b * b);
  }
}

// ---- Exponential functions

template <class V>
V ln2_high() {
  return constant<V>(0x1.62e4p-1, 0x1.62e42fefa4p-1);  // times an exponent: exact
}
template <class V>
V ln2_low() {
  return constant<V>(0x1.7f7d1cp-20, -0x1.8432a1b0e2634p-43);
}

// x = n ln 2 + r, |r| <= ln 2 / 2.
template <class V>
struct Octaves {
  V n, r;
};
template <class V>
Octaves<V> octaves(V x) {
  const V n = round(x * V(1.4426950408889634));
  return {n, fma(n, -ln2_low<V>(), fma(n, -ln2_high<V>(), x))};
}

// e^r - 1 for |r| <= ln 2 / 2.
template <class V>
V expm1_near(V r) {
  V p;
  if constexpr (kIsDouble<V>) {
    p = polynomial(r, 0.5, 0.16666666666666677, 0.04166666666666665, 0.0083333333333218875,
                   0.0013888888888922404, 0.0001984126988390131, 2.4801587156177576e-5,
                   2.7557248023381979e-6, 2.7557516713639153e-7, 2.5107372388683429e-8,
                   2.0802324657995285e-9);
  } else {
    p = polynomial(r, 0.5, 0.166665345, 0.0416666083, 0.00836765673, 0.00139193411);
  }
  return fma(r * r, p, r);
}

// x kept where e^x is neither 0 nor infinite; NaN stays.
template <class V>
V clamp_exponent(V x) {
  return lesser(constant<V>(89, 710), greater(constant<V>(-105, -746), x));
}

template <class V>
V exp(V x) {
  const auto [n, r] = octaves(clamp_exponent(x));
  return scale(V(1) + expm1_near(r), n);
}

template <class V>
V expm1(V x) {
  const auto [n, r] = octaves(greater(V(-40), clamp_exponent(x)));
  const V half = scale(V(0.5), n);  // 2^n itself may overflow
  const V y = fma(expm1_near(r), half, half - V(0.5));
  return y + y;
}

template <class V>
V tanh(V x) {
  const V a = lesser(V(20), abs(x));
  const V t = expm1(a + a);
  return copysign(t / (t + V(2)), x);
}

template <class V>
V sigmoid(V x) {
  return V(1) / (V(1) + exp(-x));
}

// ---- Logarithms and powers

// x = m 2^e with m in [sqrt(1/2), sqrt(2)), for finite x > 0.
template <class V>
struct Binary {
  V e, m;
};
template <class V>
Binary<V> binary(V x) {
  const V shift = constant<V>(23, 52);
  const auto small = x < V(double{std::numeric_limits<typename V::Element>::min()});
  x = select(small, x * constant<V>(0x1p23, 0x1p52), x);
  V e = exponent(x), m = mantissa(x);
  const auto upper = V(1.4142135623730951) < m;
  m = select(upper, m * V(0.5), m);
  e = select(upper, e + V(1), e);
  return {select(small, e - shift, e), m};
}

// log(1 + f) + e ln 2 for 1 + f in [sqrt(1/2), sqrt(2)); with s = f / (2 + f), log(1 + f) is
// 2 atanh(s) = f - (h - s (h + s^2 P(s^2))), h = f^2 / 2.
template <class V>
V log_near(V f, V e) {
  const V s = f / (V(2) + f), z = s * s, h = V(0.5) * f * f;
  V p;
  if constexpr (kIsDouble<V>) {
    p = polynomial(z, 0.66666666666667351, 0.39999999999409375, 0.28571428743678751,
                   0.22222198429963474, 0.18183572296166228, 0.15313833826412743,
                   0.14798240807456514);
  } else {
    p = polynomial(z, 0.666667759, 0.399775684, 0.298714638);
  }
  const V low = fma(s, fma(z, p, h), e * ln2_low<V>());
  return fma(e, ln2_high<V>(), f - (h - low));
}

// y = log(x) where 0 < x < infinity, and the limits elsewhere.
template <class V>
V log_limits(V x, V y) {
  y = select(x == infinity<V>(), x, y);
  return select(V(0) < x, y, select(x == V(0), -infinity<V>(), not_a_number<V>()));
}

template <class V>
V log(V x) {
  const auto [e, m] = binary(x);
  return log_limits(x, log_near(m - V(1), e));
}

template <class V>
V log1p(V x) {
  const V u = V(1) + x, one = u - x;
  const V lost = (V(1) - one) + (x - (u - one));  // by rounding u
  const auto [e, m] = binary(u);
  return log_limits(u, log_near((m - V(1)) + scale(lost, -e), e));
}

// An unevaluated sum, of twice the precision.
template <class V>
struct Pair {
  V high, low;
};
// a + b without error, for |a| >= |b| or a = 0.
template <class V>
Pair<V> exact_sum(V a, V b) {
  const V sum = a + b;
  return {sum, b - (sum - a)};
}

// log x for finite x > 0: 2 atanh(s) + e ln 2, s = (m - 1) / (m + 1).
template <class V>
Pair<V> log_pair(V x) {
  const auto [e, m] = binary(x);
  const V f = m - V(1), d = m + V(1), d_low = m - (d - V(1)), inverse = V(1) / d;
  const V s = f * inverse, s_low = (fma(-s, d, f) - s * d_low) * inverse;
  const V z = s * s, z_low = fma(s + s, s_low, fma(s, s, -z));
  const V t = s * z, t_low = fma(s, z, -t) + fma(s, z_low, s_low * z);
  const V c = constant<V>(0x1.555556p-1, 0x1.5555555555555p-1);  // 2/3
  const V c_low = constant<V>(-0x1.555556p-26, 0x1.5555555555555p-55);
  const V u = t * c, u_low = fma(t, c, -u) + fma(t_low, c, t * c_low);
  V p;
  if constexpr (kIsDouble<V>) {
    p = polynomial(z, 0.40000000000002273, 0.28571428570091223, 0.22222222521480017,
                   0.1818178422551355, 0.15386764083087134, 0.1325665557409863, 0.1319787677733143);
  } else {
    p = polynomial(z, 0.400001526, 0.285470873, 0.234197691);
  }
  const Pair<V> first = exact_sum(e * ln2_high<V>(), s + s), second = exact_sum(first.high, u);
  const V low = fma(t * z, p, u_low) + fma(e, ln2_low<V>(), s_low + s_low);
  return exact_sum(second.high, (first.low + second.low) + low);
}

// Wraps; with a negative exponent 1 / a^-b, cut off.
template <class V>
V integer_pow(V a, V b) {
  V p = V(1), square = a;
  for (int bit = 0; bit < std::numeric_limits<typename V::Element>::digits; ++bit) {
    const V one = V(static_cast<double>(uint64_t{1} << bit));
    p = select(bit_and(b, one) == one, p * square, p);
    square = square * square;
  }
  return select((b < V(0)) & (a != V(1)) & (a != V(-1)), V(0), p);
}

// With the special cases of C99's annex F.
template <class V>
V float_pow(V a, V b) {
  const V x = abs(a), zero = V(0), one = V(1), inf = infinity<V>();
  const Pair<V> l = log_pair(x);
  // An exponent beyond 2^64 gives 0, 1 or infinity.
  const V c = lesser(V(0x1p64), greater(V(-0x1p64), b));
  const V y = c * l.high;
  const V y_low = fma(c, l.low, fma(c, l.high, -y));
  const V limit = constant<V>(105, 750);
  const V inside = lesser(limit, greater(-limit, y));
  const auto [n, r] = octaves(inside);
  V p = scale(one + expm1_near(r + select(inside == y, y_low, zero)), n);

  const auto falls = b < zero;
  p = select(x == zero, select(falls, inf, zero), p);
  p = select(x == inf, select(falls, zero, inf), p);
  const V half = b * V(0.5);
  const auto whole = floor(b) == b, odd = whole & (floor(half) != half);
  p = select(odd, copysign(p, a), p);
  p = select((a < zero) & (x != inf) & !whole, not_a_number<V>(), p);
  p = select(a == a, select(b == b, p, b), a);
  return select((a == one) | (b == zero), one, p);
}

template <class V>
V pow(V a, V b) {
  if constexpr (kIsFloat<V>)
    return float_pow(a, b);
  else
    return integer_pow(a, b);
}

// ---- Trigonometry and erf

// x = n pi / 2 + r, |r| <= pi / 4, and sine and cosine of r.
template <class V>
struct Turn {
  V n, s, c;
};
template <class V>
Turn<V> turn(V x) {
  const V n = round(x * V(0.63661977236758134));
  V r = fma(n, -constant<V>(0x1.921fb6p+0, 0x1.921fb54442d18p+0), x);
  r = fma(n, -constant<V>(-0x1.777a5cp-25, 0x1.1a62633145c07p-54), r);
  r = fma(n, -constant<V>(-0x1.ee59dap-50, -0x1.f1976b7ed8fbcp-110), r);
  const V z = r * r;
  V s, c;
  if constexpr (kIsDouble<V>) {
    s = polynomial(z, -0.16666666666666627, 0.0083333333333210791, -0.00019841269828700832,
                   2.7557313296116782e-6, -2.5050694513928078e-8, 1.5893024941694827e-10);
    c = polynomial(z, 0.041666666666666581, -0.001388888888887097, 2.4801587287528022e-5,
                   -2.7557313791618537e-7, 2.0875647504127202e-9, -1.1355745184776122e-11);
  } else {
    s = polynomial(z, -0.166666538, 0.00833210163, -0.000195068453);
    c = polynomial(z, 0.0416666456, -0.00138872978, 2.44300845e-5);
  }
  return {n, fma(r * z, s, r), fma(z * z, c, fma(z, V(-0.5), V(1)))};
}

// sin(x + quarters pi / 2).
template <class V>
V sine(V x, double quarters) {
  const auto [n, s, c] = turn(x);
  V quarter = n + V(quarters);
  quarter = fma(floor(quarter * V(0.25)), V(-4), quarter);
  const V y = select((quarter == V(1)) | (quarter == V(3)), c, s);
  return select(V(2) <= quarter, -y, y);
}

// As far as n pi / 2 is exact enough, then f32 in f64, and f64 by the C library.
template <int quarters, class V>
V sine_of(V x) {
  const V a = abs(x);
  const auto far = (constant<V>(0x1p17, 0x1p40) < a) & (a < infinity<V>());  // of infinity NaN
  const V y = sine(x, quarters);
  if constexpr (kIsDouble<V>) {
    return patch(
        far, y, [](double t) { return quarters == 0 ? std::sin(t) : std::cos(t); }, x);
  } else {
    return patch_sine<quarters>(far, y, x);
  }
}

template <class V>
V sin(V x) {
  return sine_of<0>(x);
}

template <class V>
V cos(V x) {
  return sine_of<1>(x);
}

template <class V>
V atan2(V y, V x) {
  const V ax = abs(x), ay = abs(y), large = greater(ax, ay), small = lesser(ax, ay);
  V q = select(large == V(0), V(0), small / large);
  q = select(small == infinity<V>(), V(1), q);
  const V z = q * q;
  V p;
  if constexpr (kIsDouble<V>) {
    p = polynomial(z, -0.33333333333333093, 0.19999999999955462, -0.14285714282803472,
                   0.11111111013682264, -0.09090907119743967, 0.076922811918456541,
                   -0.066664150351295831, 0.058805927608035512, -0.052538064120826802,
                   0.047232961175231153, -0.042217246820055947, 0.036693659906950393,
                   -0.029985769788474052, 0.022085384376747043, -0.013995199793920903,
                   0.0072635059778466595, -0.0029194180020574311, 0.00084351162203427687,
                   -0.00015480296911604804, 1.3489880321811699e-5);
  } else {
    p = polynomial(z, -0.333333015, 0.199986264, -0.142650917, 0.109566569, -0.0841645449,
                   0.0581778735, -0.0313941687, 0.0110287555, -0.00181865424);
  }
  p = fma(q * z, p, q);
  const V right = constant<V>(0x1.921fb6p+0, 0x1.921fb54442d18p+0);  // pi / 2
  const V right_low = constant<V>(-0x1.777a5cp-25, 0x1.1a62633145c07p-54);
  p = select(ax < ay, right - (p - right_low), p);
  p = select(copysign(V(1), x) < V(0), V(2) * right - (p - V(2) * right_low), p);
  return select(x == x, select(y == y, copysign(p, y), y), x);
}

template <class V>
V tan(V x) {
  const V a = abs(x);
  const auto far = (constant<V>(0x1p17, 0x1p40) < a) & (a < infinity<V>());
  const auto [n, s, c] = turn(x);
  const auto odd = fma(floor(n * V(0.5)), V(-2), n) == V(1);
  return patch(
      far, select(odd, -c, s) / select(odd, s, c), [](double t) { return std::tan(t); }, x);
}

// sqrt(1 - x^2)
template <class V>
V other_leg(V x) {
  return sqrt((V(1) - x) * (V(1) + x));
}
template <class V>
V asin(V x) {
  return atan2(x, other_leg(x));
}
template <class V>
V acos(V x) {
  return atan2(other_leg(x), x);
}
template <class V>
V atan(V x) {
  return atan2(x, V(1));
}

// ---- Hyperbolic functions, other bases, lengths

// e^|x| / 4 by octaves, which is finite as far as sinh and cosh are.
template <class V>
struct QuarterPower {
  V near, quarter;  // (1 + near) quarter
};
template <class V>
QuarterPower<V> quarter_power(V x) {
  const auto [n, r] = octaves(lesser(constant<V>(89.6, 710.6), abs(x)));
  return {expm1_near(r), scale(V(1), n - V(2))};
}
template <class V>
V sinh(V x) {
  const auto [near, quarter] = quarter_power(x);
  const V u = fma(near, quarter, quarter - V(0.25));  // (e^|x| - 1) / 4
  const V w = lesser(V(1e18), u);                     // behind which w / (4 w + 1) does not change
  const V half = u + w / fma(V(4), w, V(1));
  return copysign(half + half, x);
}
template <class V>
V cosh(V x) {
  const auto [near, quarter] = quarter_power(x);
  const V u = fma(near, quarter, quarter), half = u + V(0.0625) / u;
  return half + half;
}

// log1p(y), and log(2 a) where a is so large that its square says no more.
template <class V>
V log_of_double(V a, V y) {
  const auto large = constant<V>(0x1p26, 0x1p54) < a;
  return log1p(select(large, a, y)) + select(large, V(0.69314718055994531), V(0));
}
template <class V>
V asinh(V x) {
  const V a = abs(x), square = a * a;
  return copysign(log_of_double(a, a + square / (V(1) + sqrt(square + V(1)))), x);
}
template <class V>
V acosh(V x) {
  const V t = x - V(1);
  const V y = log_of_double(x, t + sqrt(fma(t, t, t + t)));
  return select(x < V(1), not_a_number<V>(), y);
}
template <class V>
V atanh(V x) {
  const V a = abs(x);
  return copysign(V(0.5) * log1p((a + a) / (V(1) - a)), x);
}

template <class V>
V log2(V x) {
  const auto [e, m] = binary(x);
  return log_limits(x, fma(log_near(m - V(1), V(0)), V(1.4426950408889634), e));
}
template <class V>
V log10(V x) {
  const auto [e, m] = binary(x);
  const V high = constant<V>(0x1.344p-2, 0x1.34413509f79p-2);  // times an exponent: exact
  const V low = constant<V>(0x1.3509f8p-18, 0x1.fde623e2566b0p-47);
  const V l = log_near(m - V(1), V(0));
  return log_limits(x, fma(e, high, fma(l, V(0.43429448190325182), e * low)));
}
template <class V>
V exp2(V x) {
  const V inside = lesser(constant<V>(129, 1025), greater(constant<V>(-151, -1076), x));
  const V n = round(inside);
  return scale(V(1) + expm1_near((inside - n) * V(0.69314718055994531)), n);
}

template <class V>
V hypot(V x, V y) {
  const V ax = abs(x), ay = abs(y), large = greater(ax, ay), small = lesser(ax, ay);
  const V q = select(large == V(0), V(0), small / large);
  V length = large * sqrt(fma(q, q, V(1)));
  length = select(ax == ax, select(ay == ay, length, ay), ax);
  return select((ax == infinity<V>()) | (ay == infinity<V>()), infinity<V>(), length);
}

// Beyond 0.9 from erfc(t) = exp(-t^2) f(t): the derivative needs the same exponential.
template <class V>
V erf(V x) {
  const V a = abs(x), z = x * x;
  V near, f;
  if constexpr (kIsDouble<V>) {
    near = polynomial(z, 0.12837916709551253, -0.37612638903182436, 0.11283791670890864,
                      -0.026866170632855894, 0.0052239775048163972, -0.0008548320087017262,
                      0.00012055083426028879, -1.4919856614626536e-5, 1.6375055257243238e-6,
                      -1.5542009840892056e-7, 1.0251323487813132e-8);
    f = polynomial(lesser(V(6), a) - V(1.75), 0.28497223473743651, -0.13097634551448615,
                   0.055763630087064984, -0.022259995241377964, 0.0084043192079328551,
                   -0.0030209746511173291, 0.0010392045166442145, -0.00034353335722947956,
                   0.00010950531596171659, -3.3755341389512913e-5, 1.0086607928602099e-5,
                   -2.9279547290472214e-6, 8.2725823398183543e-7, -2.2777782088106059e-7,
                   6.1098640728478706e-8, -1.6024070149539867e-8, 4.1866923736596384e-9,
                   -1.0950244823951872e-9, 2.6349524705077546e-10, -4.9253786838776186e-11,
                   5.8389189433740586e-12, -3.1582578913700623e-13);
  } else {
    near = polynomial(z, 0.128379151, -0.376125008, 0.112818778, -0.0267686192, 0.0049959193,
                      -0.000600415573);
    f = polynomial(lesser(V(4), a), 0.988822758, -1.0604037, 0.815760195, -0.455623865, 0.178666189,
                   -0.0461745635, 0.00700662751, -0.000470050814);
  }
  return select(a < constant<V>(0.92, 0.9), fma(x, near, x), copysign(fma(-exp(-z), f, V(1)), x));
}
