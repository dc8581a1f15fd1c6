// Entropies and divergences of probabilities, and of the frequencies of samples.
#include "glia/math/information.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "math/samples.h"

namespace glia::information {

double log_base(const char* function, std::optional<double> base, const Where& where) {
  if (!base) return 1;
  if (!(*base > 0 && *base != 1 && std::isfinite(*base)))
    throw ValueError(fmt::format("{}: the base is {}", function, *base), where);
  return std::log(*base);
}

namespace {

// Probabilities of sum 1 along the axis, as the last one.
Tensor normalised(const char* function, const Tensor& p, int axis, const Where& where) {
  require_defined(function, p, where);
  if (p.rank() == 0) fail(function, "a single number has no axis", where);
  const Tensor x = cast(p, is_float(p.dtype()) ? p.dtype() : kF32);
  const int at = checked_axis(function, axis, x.rank(), where);
  const Tensor last = at == x.rank() - 1 ? x : movedim(x, {at}, {-1}, where);
  const Tensor negative = any(last < 0, {-1}, true);
  return glia::where(negative, NAN, last / sum(last, {-1}, true));
}

// a log b, 0 where a is 0.
Tensor terms(const Tensor& a, const Tensor& b) {
  const Tensor none = a == 0;
  return where(none, 0, a * log(where(none, 1, b)));
}
Tensor divergence(const Tensor& p, const Tensor& q) {
  const Tensor none = p == 0;
  return sum(where(none, 0, p * log(where(none, 1, p) / where(none, 1, q))), {-1});
}

struct Pair {
  Tensor p, q;
  double log_base;
};
Pair pair_of(const char* function, const Tensor& p, const Tensor& q, std::optional<double> base,
             int axis, const Where& where) {
  Pair out{normalised(function, p, axis, where), normalised(function, q, axis, where),
           log_base(function, base, where)};
  if (out.p.size(-1) != out.q.size(-1))
    fail(function, fmt::format("{} and {} differ along the axis", p.shape().str(), q.shape().str()),
         where);
  return out;
}
void require_order(const char* function, double alpha, bool zero, const Where& where) {
  if (!(alpha > 0 || (zero && alpha == 0)))
    throw ValueError(fmt::format("{}: alpha is {}", function, alpha), where);
}

// (..., X, Y) as one axis (..., X Y).
Tensor flat_joint(const char* function, const Tensor& joint, const Where& where) {
  require_defined(function, joint, where);
  if (joint.rank() < 2)
    fail(function, "joint probabilities are (..., X, Y), not " + joint.shape().str(), where);
  return normalised(function, flatten(joint, -2, -1), -1, where);
}
// Of rows X, or of columns.
Tensor marginal(const Tensor& flat, const Tensor& joint, bool rows) {
  return sum(reshape(flat, joint.shape()), {rows ? -1 : -2});
}
Tensor own(const Tensor& p) { return -sum(terms(p, p), {-1}); }

}  // namespace

// ---- Of probabilities ----

Tensor entropy(const Tensor& p, std::optional<double> base, int axis, Where where) {
  const double unit = log_base("entropy", base, where);
  return own(normalised("entropy", p, axis, where)) / unit;
}
Tensor cross_entropy(const Tensor& p, const Tensor& q, std::optional<double> base, int axis,
                     Where where) {
  const Pair both = pair_of("cross_entropy", p, q, base, axis, where);
  return -sum(terms(both.p, both.q), {-1}) / both.log_base;
}
Tensor kl_divergence(const Tensor& p, const Tensor& q, std::optional<double> base, int axis,
                     Where where) {
  const Pair both = pair_of("kl_divergence", p, q, base, axis, where);
  return divergence(both.p, both.q) / both.log_base;
}
Tensor js_divergence(const Tensor& p, const Tensor& q, std::optional<double> base, int axis,
                     Where where) {
  const Pair both = pair_of("js_divergence", p, q, base, axis, where);
  const Tensor m = (both.p + both.q) / 2;
  return (divergence(both.p, m) + divergence(both.q, m)) / (2 * both.log_base);
}
Tensor renyi_entropy(const Tensor& p, double alpha, std::optional<double> base, int axis,
                     Where where) {
  require_order("renyi_entropy", alpha, true, where);
  const double unit = log_base("renyi_entropy", base, where);
  if (alpha == 1) return entropy(p, base, axis, where);
  const Tensor x = normalised("renyi_entropy", p, axis, where);
  if (alpha == 0) return log(sum(cast(x > 0, x.dtype()), {-1}) + 0 * sum(x, {-1})) / unit;
  if (std::isinf(alpha)) return -log(max(x, {-1})) / unit;
  const Tensor none = x == 0;
  const Tensor powers = glia::where(none, -INFINITY, alpha * log(glia::where(none, 1, x)));
  return logsumexp(powers, {-1}) / ((1 - alpha) * unit);
}
Tensor renyi_divergence(const Tensor& p, const Tensor& q, double alpha, std::optional<double> base,
                        int axis, Where where) {
  require_order("renyi_divergence", alpha, false, where);
  if (alpha == 1) return kl_divergence(p, q, base, axis, where);
  const Pair both = pair_of("renyi_divergence", p, q, base, axis, where);
  const Tensor none = both.p == 0;
  const Tensor ratio = glia::where(none, 1, both.p) / glia::where(none, 1, both.q);
  if (std::isinf(alpha)) return log(max(glia::where(none, 0, ratio), {-1})) / both.log_base;
  // p (p / q)^(alpha - 1): infinite for alpha above 1 where q alone is 0.
  const Tensor powers = log(glia::where(none, 1, both.p)) + (alpha - 1) * log(ratio);
  return logsumexp(glia::where(none, -INFINITY, powers), {-1}) / ((alpha - 1) * both.log_base);
}

Tensor joint_entropy(const Tensor& joint, std::optional<double> base, Where where) {
  return own(flat_joint("joint_entropy", joint, where)) / log_base("joint_entropy", base, where);
}
Tensor conditional_entropy(const Tensor& joint, std::optional<double> base, Where where) {
  const double unit = log_base("conditional_entropy", base, where);
  const Tensor flat = flat_joint("conditional_entropy", joint, where);
  return (own(flat) - own(marginal(flat, joint, true))) / unit;
}
// As one sum: entropies would cancel.
Tensor mutual_information(const Tensor& joint, std::optional<double> base, Where where) {
  const double unit = log_base("mutual_information", base, where);
  const Tensor flat = flat_joint("mutual_information", joint, where);
  const Tensor x = unsqueeze(marginal(flat, joint, true), -1);
  const Tensor y = unsqueeze(marginal(flat, joint, false), -2);
  return divergence(flat, flatten(x * y, -2, -1)) / unit;
}

// ---- Of samples ----

std::vector<double> sample_rows(const char* function, const Tensor& x, int64_t* columns,
                                bool finite, const Where& where) {
  require_defined(function, x, where);
  if (x.rank() != 1 && x.rank() != 2)
    fail(function, "samples are (N) or (N, D), not " + x.shape().str(), where);
  *columns = x.rank() == 2 ? x.size(1) : 1;
  if (x.size(0) == 0 || *columns == 0)
    throw ValueError(fmt::format("{}: no samples in {}", function, x.shape().str()), where);
  std::vector<double> rows = x.to_vector<double>();
  for (double v : rows) {
    if (std::isnan(v) || (finite && std::isinf(v)))
      throw ValueError(fmt::format("{}: a sample is {}", function, v), where);
  }
  return rows;
}

namespace {

// Which rows are equal: rows (N, D) by the number of their kind.
std::vector<int64_t> kinds_of(const std::vector<double>& rows, int64_t columns) {
  const int64_t n = static_cast<int64_t>(rows.size()) / columns;
  const auto row = [&](int64_t i) { return rows.data() + i * columns; };
  const auto less = [&](int64_t i, int64_t j) {
    return std::lexicographical_compare(row(i), row(i) + columns, row(j), row(j) + columns);
  };
  std::vector<int64_t> order(static_cast<size_t>(n)), kinds(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), less);
  int64_t kind = -1, before = -1;
  for (int64_t i : order) {
    if (before < 0 || less(before, i)) ++kind;
    kinds[static_cast<size_t>(i)] = kind;
    before = i;
  }
  return kinds;
}

double entropy_of_kinds(std::vector<int64_t> kinds, const PlugInOptions& options) {
  std::sort(kinds.begin(), kinds.end());
  const double n = static_cast<double>(kinds.size());
  double sum = 0, count = 0;
  for (size_t i = 0; i < kinds.size();) {
    size_t end = i;
    while (end < kinds.size() && kinds[end] == kinds[i]) ++end;
    const double p = static_cast<double>(end - i) / n;
    sum -= p * std::log(p);
    ++count;
    i = end;
  }
  return sum + (options.miller_madow ? (count - 1) / (2 * n) : 0);
}

std::vector<int64_t> kinds_in(const char* function, const Tensor& x, const Where& where) {
  int64_t columns = 1;
  const std::vector<double> rows = sample_rows(function, x, &columns, false, where);
  return kinds_of(rows, columns);
}

// Entropies of x, y and both.
struct Entropies {
  double x, y, both;
};
Entropies entropies_of(const char* function, const Tensor& x, const Tensor& y,
                       const PlugInOptions& options, const Where& where) {
  const std::vector<int64_t> a = kinds_in(function, x, where), b = kinds_in(function, y, where);
  if (a.size() != b.size())
    fail(function, fmt::format("{} and {} samples", a.size(), b.size()), where);
  std::vector<double> rows;
  for (size_t i = 0; i < a.size(); ++i) {
    rows.push_back(static_cast<double>(a[i]));
    rows.push_back(static_cast<double>(b[i]));
  }
  return {entropy_of_kinds(a, options), entropy_of_kinds(b, options),
          entropy_of_kinds(kinds_of(rows, 2), options)};
}

}  // namespace

double estimate_entropy(const Tensor& x, const PlugInOptions& options, Where where) {
  constexpr const char* kName = "estimate_entropy";
  const double unit = log_base(kName, options.base, where);
  return entropy_of_kinds(kinds_in(kName, x, where), options) / unit;
}
double estimate_joint_entropy(const Tensor& x, const Tensor& y, const PlugInOptions& options,
                              Where where) {
  constexpr const char* kName = "estimate_joint_entropy";
  const double unit = log_base(kName, options.base, where);
  return entropies_of(kName, x, y, options, where).both / unit;
}
double estimate_conditional_entropy(const Tensor& x, const Tensor& y, const PlugInOptions& options,
                                    Where where) {
  constexpr const char* kName = "estimate_conditional_entropy";
  const double unit = log_base(kName, options.base, where);
  const Entropies h = entropies_of(kName, x, y, options, where);
  return (h.both - h.x) / unit;
}
double estimate_mutual_information(const Tensor& x, const Tensor& y, const PlugInOptions& options,
                                   Where where) {
  constexpr const char* kName = "estimate_mutual_information";
  const double unit = log_base(kName, options.base, where);
  const Entropies h = entropies_of(kName, x, y, options, where);
  return (h.x + h.y - h.both) / unit;
}

}  // namespace glia::information
