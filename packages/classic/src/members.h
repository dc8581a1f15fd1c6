// What estimators made of estimators share.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "glia/classic/ensemble.h"
#include "twister.h"

namespace glia::classic {

// Draws the seeds of an estimator and its parts, in the order of their names.
inline void seed_estimator(Estimator& estimator, Twister& random) {
  std::vector<Param> seeds;
  for (const Param& p : estimator.params())
    if (p.name() == "random_state" || p.name().ends_with("__random_state")) seeds.push_back(p);
  std::sort(seeds.begin(), seeds.end(),
            [](const Param& a, const Param& b) { return a.name() < b.name(); });
  for (const Param& p : seeds) p.set(random.below(INT32_MAX));
}

// Throws ValueError unless X is (samples, features).
void check_rank(std::string_view op, const Tensor& x, Where where);
// Fits it with weights or, if it takes none, to samples as often as they count.
void fit_counted(Estimator& estimator, const Tensor& x, const Tensor& y,
                 const std::vector<double>& counts, Where where);
// Whether it has the method that `call` calls; the value is in `out`.
template <class Call>
bool has_method(Tensor& out, Call&& call) {
  try {
    out = call();
    return true;
  } catch (const ShapeError&) {
    throw;
  } catch (const ValueError&) {
    throw;
  } catch (const Error& fault) {
    if (std::string(fault.what()).find(" has no ") == std::string::npos) throw;
    return false;
  }
}
// (samples, count) f64: probabilities of classes 0 .. count - 1 by one that was fitted to them, or
// 1 for the class that it says.
Tensor shares_of(const Estimator& estimator, const Tensor& x, int64_t count, Where where);

}  // namespace glia::classic
