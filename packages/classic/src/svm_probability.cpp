// Probabilities of a support vector classifier: Platt 1999 for two classes, and of more the ones
// that fit those of each two best (Wu, Lin & Weng 2004, the second method).
#include <algorithm>
#include <cmath>

#include "checks.h"
#include "columns.h"
#include "glia/classic/calibration.h"
#include "glia/classic/svm.h"
#include "glia/linalg.h"
#include "glia/ops.h"
#include "glia/ops/arrange.h"
#include "splits.h"
#include "svm_probability.h"

namespace glia::classic {

PairSigmoids pair_sigmoids(const Tensor& x, const std::vector<std::vector<int64_t>>& members,
                           const std::vector<double>& weight, SVCOptions options, Where where) {
  options.probability = false;
  options.balanced = false;
  const bool given = options.kernel == SvmKernel::kPrecomputed;
  std::vector<double> a, b;
  data::Random random(options.random_state, 7);
  for (size_t i = 0; i < members.size(); ++i)
    for (size_t j = i + 1; j < members.size(); ++j) {
      std::vector<int64_t> rows = members[i], is(members[i].size(), 0);
      rows.insert(rows.end(), members[j].begin(), members[j].end());
      is.resize(rows.size(), 1);
      const auto folds =
          static_cast<int64_t>(std::min({members[i].size(), members[j].size(), size_t{5}}));
      if (folds < 2)
        throw ValueError("SVC.fit: probability needs two samples of each class", where);
      const Tensor y = vector_of(is);
      const StratifiedKFold split({.n_splits = folds,
                                   .shuffle = true,
                                   .random_state = static_cast<uint64_t>(random.below(1 << 30))});
      std::vector<Tensor> scores, truth;
      for (const auto& [train, test] : split.split(y, y)) {
        const Tensor own = take(vector_of(rows), train), other = take(vector_of(rows), test);
        std::vector<double> w;
        for (const int64_t r : own.to_vector<int64_t>()) w.push_back(weight[r]);
        const Tensor samples = take(x, own), queries = take(x, other);
        SVC part(options);
        part.fit(given ? take(samples, own, 1) : samples, take(y, train), vector_of(w), where);
        scores.push_back(part.decision_function(given ? take(queries, own, 1) : queries, where));
        truth.push_back(take(y, test));
      }
      const SigmoidCalibration s = sigmoid_calibration(concat(scores), concat(truth), {}, where);
      a.push_back(s.a);
      b.push_back(s.b);
    }
  return {vector_of(a), vector_of(b)};
}

Tensor coupled(const Tensor& second, int64_t k) {
  if (k == 2) return concat({1 - second, second}, 1);
  const int64_t n = second.size(0), m = k + 1;
  const auto p = second.to_vector<double>();
  // Least sum over pairs of (r_ji p_i - r_ij p_j)^2 with the sum of p at 1, by Lagrange.
  std::vector<double> system(static_cast<size_t>(n * m * m)), right(static_cast<size_t>(n * m));
  std::vector<double> r(static_cast<size_t>(k * k));
  for (int64_t s = 0; s < n; ++s) {
    int64_t pair = s * (k * (k - 1) / 2);
    for (int64_t i = 0; i < k; ++i)
      for (int64_t j = i + 1; j < k; ++j, ++pair) {
        r[j * k + i] = std::clamp(p[pair], 1e-7, 1 - 1e-7);  // of j against i
        r[i * k + j] = 1 - r[j * k + i];
      }
    double* q = system.data() + s * m * m;
    for (int64_t i = 0; i < k; ++i) {
      for (int64_t j = 0; j < k; ++j) {
        if (i == j) continue;
        q[i * m + i] += r[j * k + i] * r[j * k + i];
        q[i * m + j] = -r[j * k + i] * r[i * k + j];
      }
      q[i * m + k] = q[k * m + i] = 1;
    }
    right[s * m + k] = 1;
  }
  const Tensor solved =
      linalg::solve(from_vector(system, {n, m, m}), from_vector(right, {n, m, 1}));
  const Tensor all = maximum(slice(squeeze(solved, 2), 1, {.stop = k}), 0.0);
  return all / sum(all, {1}, true);
}

Tensor SVC::predict_proba(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  if (!options_.probability)
    throw Error("SVC has no predict_proba without its option probability", where);
  const Tensor pairs = pairwise(x, "SVC.predict_proba", where);
  // Above 0 is the second class of two, and the first of each pair of more.
  const Tensor score = classes.size(0) == 2 ? pairs : -pairs;
  return coupled(sigmoid(-(probA * score + probB)), classes.size(0));
}

}  // namespace glia::classic
