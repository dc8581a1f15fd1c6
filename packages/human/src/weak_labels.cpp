#include "glia/human/weak_labels.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "glia/op.h"
#include "glia/ops.h"

namespace glia::human {
namespace {

struct Votes {
  std::vector<int64_t> values;
  size_t samples, sources;
  int64_t at(size_t i, size_t s) const { return values[i * sources + s]; }
};

Votes votes_of(const char* op, const Tensor& votes, int64_t classes, const Where& where) {
  require_defined(op, votes, where);
  if (votes.rank() != 2 || votes.size(1) == 0)
    fail(op, "votes are (N, sources), not " + votes.shape().str(), where);
  Votes out{{}, static_cast<size_t>(votes.size(0)), static_cast<size_t>(votes.size(1))};
  for (double v : votes.to_vector<double>()) {
    const auto whole = static_cast<int64_t>(v);
    if (static_cast<double>(whole) != v || whole < kAbstain || (classes > 0 && whole >= classes))
      throw ValueError(
          std::string(op) + ": a vote is " + std::to_string(v) + ", neither a class nor -1", where);
    out.values.push_back(whole);
  }
  return out;
}

}  // namespace

Tensor majority_vote(const Tensor& votes, int64_t classes, Where where) {
  if (classes < 1) throw ValueError("majority_vote: there is at least one class", where);
  const Votes v = votes_of("majority_vote", votes, classes, where);
  const auto k = static_cast<size_t>(classes);
  std::vector<double> out(v.samples * k, 0);
  for (size_t i = 0; i < v.samples; ++i) {
    double total = 0;
    for (size_t s = 0; s < v.sources; ++s)
      if (v.at(i, s) >= 0) {
        ++out[i * k + static_cast<size_t>(v.at(i, s))];
        ++total;
      }
    for (size_t c = 0; c < k; ++c)
      out[i * k + c] = total > 0 ? out[i * k + c] / total : 1 / static_cast<double>(k);
  }
  return from_vector(out, {votes.size(0), classes});
}

std::vector<SourceSummary> summarize(const Tensor& votes, const Tensor& y, Where where) {
  const Votes v = votes_of("summarize", votes, 0, where);
  std::vector<int64_t> truth;
  if (y.defined()) {
    if (y.shape() != Shape{votes.size(0)})
      fail("summarize", "labels " + y.shape().str() + " of votes " + votes.shape().str(), where);
    truth = y.to_vector<int64_t>();
  }
  std::vector<SourceSummary> out;
  const auto n = static_cast<double>(std::max<size_t>(v.samples, 1));
  for (size_t s = 0; s < v.sources; ++s) {
    SourceSummary one;
    double votes_of_it = 0, right = 0;
    for (size_t i = 0; i < v.samples; ++i) {
      const int64_t vote = v.at(i, s);
      if (vote == kAbstain) continue;
      bool overlap = false, conflict = false;
      for (size_t o = 0; o < v.sources; ++o) {
        if (o == s || v.at(i, o) == kAbstain) continue;
        overlap = true;
        conflict |= v.at(i, o) != vote;
      }
      ++votes_of_it;
      one.overlaps += overlap / n;
      one.conflicts += conflict / n;
      if (y.defined()) right += truth[i] == vote;
    }
    one.coverage = votes_of_it / n;
    one.accuracy = y.defined() && votes_of_it > 0 ? right / votes_of_it
                                                  : std::numeric_limits<double>::quiet_NaN();
    out.push_back(one);
  }
  return out;
}

LabelModel& LabelModel::fit(const Tensor& votes, Where where) {
  constexpr const char* kOp = "LabelModel.fit";
  if (classes_ < 2 || !(options_.smoothing > 0) || options_.max_iter < 1)
    throw ValueError(std::string(kOp) + ": two classes, smoothing and max_iter above 0", where);
  const Votes v = votes_of(kOp, votes, classes_, where);
  if (v.samples == 0) fail(kOp, "there are no votes", where);
  const auto k = static_cast<size_t>(classes_);
  if (!options_.class_balance.empty() && options_.class_balance.size() != k)
    throw ValueError(std::string(kOp) + ": class_balance has a number for each class", where);
  std::vector<double> q = majority_vote(votes, classes_, where).to_vector<double>();
  std::vector<double> table(v.sources * k * k), prior(k);
  log_likelihood.clear();
  for (int64_t iter = 0; iter < options_.max_iter; ++iter) {
    // Counts by what the classes probably are.
    std::ranges::fill(table, options_.smoothing);
    std::ranges::fill(prior, options_.smoothing);
    for (size_t i = 0; i < v.samples; ++i)
      for (size_t c = 0; c < k; ++c) {
        prior[c] += q[i * k + c];
        for (size_t s = 0; s < v.sources; ++s)
          if (v.at(i, s) >= 0)
            table[(s * k + c) * k + static_cast<size_t>(v.at(i, s))] += q[i * k + c];
      }
    for (size_t row = 0; row < v.sources * k; ++row) {
      double total = 0;
      for (size_t c = 0; c < k; ++c) total += table[row * k + c];
      for (size_t c = 0; c < k; ++c) table[row * k + c] /= total;
    }
    double total = 0;
    for (double p : prior) total += p;
    for (size_t c = 0; c < k; ++c)
      prior[c] = options_.class_balance.empty() ? prior[c] / total : options_.class_balance[c];
    // What the classes probably are by these.
    double fit = 0;
    for (size_t i = 0; i < v.samples; ++i) {
      double most = -INFINITY;
      for (size_t c = 0; c < k; ++c) {
        double log_p = std::log(prior[c]);
        for (size_t s = 0; s < v.sources; ++s)
          if (v.at(i, s) >= 0)
            log_p += std::log(table[(s * k + c) * k + static_cast<size_t>(v.at(i, s))]);
        q[i * k + c] = log_p;
        most = std::max(most, log_p);
      }
      double sum = 0;
      for (size_t c = 0; c < k; ++c) sum += q[i * k + c] = std::exp(q[i * k + c] - most);
      for (size_t c = 0; c < k; ++c) q[i * k + c] /= sum;
      fit += (most + std::log(sum)) / static_cast<double>(v.samples);
    }
    log_likelihood.push_back(fit);
    const size_t n = log_likelihood.size();
    if (n > 1 && std::abs(fit - log_likelihood[n - 2]) < options_.tol) break;
  }
  const auto sources = static_cast<int64_t>(v.sources);
  std::vector<double> right(v.sources, 0);
  for (size_t s = 0; s < v.sources; ++s)
    for (size_t c = 0; c < k; ++c) right[s] += prior[c] * table[(s * k + c) * k + c];
  confusion = from_vector(table, {sources, classes_, classes_});
  class_prior = from_vector(prior, {classes_});
  accuracy = from_vector(right, {sources});
  return *this;
}

Tensor LabelModel::predict_proba(const Tensor& votes, Where where) const {
  constexpr const char* kOp = "LabelModel.predict_proba";
  if (!confusion.defined())
    throw Error(std::string(kOp) + ": it is not fitted; call fit first", where);
  const Votes v = votes_of(kOp, votes, classes_, where);
  if (static_cast<int64_t>(v.sources) != confusion.size(0))
    fail(kOp,
         "votes " + votes.shape().str() + " of " + std::to_string(confusion.size(0)) + " sources",
         where);
  const auto k = static_cast<size_t>(classes_);
  const auto table = log(confusion).to_vector<double>(),
             prior = log(class_prior).to_vector<double>();
  std::vector<double> out(v.samples * k);
  for (size_t i = 0; i < v.samples; ++i)
    for (size_t c = 0; c < k; ++c) {
      out[i * k + c] = prior[c];
      for (size_t s = 0; s < v.sources; ++s)
        if (v.at(i, s) >= 0)
          out[i * k + c] += table[(s * k + c) * k + static_cast<size_t>(v.at(i, s))];
    }
  return softmax(from_vector(out, {votes.size(0), classes_}));
}

Tensor LabelModel::predict(const Tensor& votes, Where where) const {
  return argmax(predict_proba(votes, where));
}

}  // namespace glia::human
