#include "members.h"

#include "checks.h"
#include "columns.h"
#include "glia/ops.h"

namespace glia::classic {

void check_rank(std::string_view op, const Tensor& x, Where where) {
  if (!x.defined()) throw ShapeError(std::string(op) + ": X is not defined", where);
  if (x.rank() != 2 || x.numel() == 0)
    throw ShapeError(std::string(op) + ": X is (samples, features), not " + x.shape().str(), where);
}

void fit_counted(Estimator& estimator, const Tensor& x, const Tensor& y,
                 const std::vector<double>& counts, Where where) {
  try {
    estimator.fit(x, y, vector_of(counts), where);
    return;
  } catch (const Error& fault) {
    if (std::string(fault.what()).find("takes no sample_weight") == std::string::npos) throw;
  }
  std::vector<int64_t> rows;
  for (size_t i = 0; i < counts.size(); ++i)
    rows.insert(rows.end(), static_cast<size_t>(counts[i]), static_cast<int64_t>(i));
  const Tensor some = vector_of(rows);
  estimator.fit(take(x, some), take(y, some), {}, where);
}

Tensor shares_of(const Estimator& estimator, const Tensor& x, int64_t count, Where where) {
  Tensor p;
  std::vector<int64_t> codes;
  if (const auto* classifier = dynamic_cast<const Classifier*>(&estimator))
    codes = classifier->classes.to_vector<int64_t>();
  if (has_method(p, [&] { return estimator.predict_proba(x, where); })) {
    p = cast(p, kF64);
    if (p.size(1) == count) return p;
    if (static_cast<int64_t>(codes.size()) != p.size(1))
      throw Error(std::string(estimator.name()) + " was fitted to samples of " +
                      std::to_string(p.size(1)) + " classes of " + std::to_string(count),
                  where);
  } else {
    const Tensor said = cast(estimator.predict(x, where), kI64);
    return cast(reshape(said, {-1, 1}) == reshape(arange(0, count, 1, kI64), {1, count}), kF64);
  }
  const int64_t n = p.size(0);
  const auto given = p.to_vector<double>();
  std::vector<double> out(static_cast<size_t>(n * count));
  for (int64_t i = 0; i < n; ++i)
    for (size_t c = 0; c < codes.size(); ++c)
      out[static_cast<size_t>(i * count + codes[c])] =
          given[static_cast<size_t>(i) * codes.size() + c];
  return from_vector(out, {n, count});
}

}  // namespace glia::classic
