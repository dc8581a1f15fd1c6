#include "glia/classic/naive_bayes.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "columns.h"
#include "fitted.h"
#include "glia/ops.h"
#include "linear.h"
#include "metrics/inputs.h"

namespace glia::classic {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Tensor not_negative(std::string_view op, const Tensor& x, Where where) {
  if (any(x < 0).item<bool>())
    throw ValueError(std::string(op) + ": X contains a number below 0", where);
  return x;
}

// X W^T where 0 times an infinite weight is 0; times(V, present) is X V, or that of 1 where X is
// above 0.
template <class Times>
Tensor weighed(const Tensor& weight, Times&& times) {
  const Tensor across = transpose(weight), sum = times(nan_to_num(across, 0, 0, 0), false);
  if (all(isfinite(weight)).item<bool>()) return sum;
  const Tensor never = times(cast(isfinite(across) == false, kF64), true);
  return glia::where(never > 0, -kInfinity, sum);
}
Tensor product(const Tensor& x, const Tensor& weights, bool present) {
  return matmul(present ? cast(x > 0, kF64) : x, weights);
}

}  // namespace

// ---- What all share -----------------------------------------------------------------------------

Tensor NaiveBayes::prepared(std::string_view op, const Tensor& x, Where where) const {
  return cast(fitted() ? check_x(op, x, n_features_in, where) : check_x(op, x, where), kF64);
}

void NaiveBayes::learn(std::string_view op, const Tensor& x, const Tensor& y,
                       const std::vector<int64_t>& all, const Tensor& sample_weight, bool anew,
                       Where where) {
  const NoGrad no_grad;
  const int64_t width = n_features_in;
  if (anew) n_features_in = 0;  // any number of features
  Tensor samples;
  try {
    samples = prepared(op, x, where);
  } catch (...) {
    n_features_in = width;
    throw;
  }
  n_features_in = width;
  eval(samples, where);
  learn(op,
        {samples.size(0), samples.size(1), [&](const Tensor& weight) { count(samples, weight); }},
        y, all, sample_weight, anew, where);
}

void NaiveBayes::learn(std::string_view op, const Samples& x, const Tensor& y,
                       const std::vector<int64_t>& all, const Tensor& sample_weight, bool anew,
                       Where where) {
  const NoGrad no_grad;
  const int64_t n = x.samples, d = x.features;
  const ClassTargets targets = check_classes(op, y, n, where);
  const Tensor given = check_sample_weight(op, sample_weight, n, kF64, where);
  std::vector<int64_t> known;
  if (!anew && fitted()) {
    known = classes.to_vector<int64_t>();
    if (!all.empty() && distinct(all) != known)
      throw ValueError(std::string(op) + ": classes are not those of the first call", where);
  } else {
    known = anew ? targets.classes.to_vector<int64_t>() : distinct(all);
    if (known.empty()) throw ValueError(std::string(op) + ": the first call needs classes", where);
  }
  const auto k = static_cast<int64_t>(known.size());
  check_options(op, k, d, where);
  std::vector<int64_t> place;
  for (const int64_t c : targets.classes.to_vector<int64_t>()) {
    place.push_back(position(known, c));
    if (place.back() < 0)
      throw ValueError(
          std::string(op) + ": y has the class " + std::to_string(c) + ", which is none of classes",
          where);
  }
  const Tensor codes = take(vector_of(place), targets.codes);
  Tensor weight = cast(reshape(codes, {1, n}) == reshape(arange(0, k, 1, kI64), {k, 1}), kF64);
  if (given.defined()) weight = weight * given;
  eval(weight, where);
  if (anew || !fitted()) {
    begin(k, d);
    class_count = zeros({k}, kF64);
    classes = vector_of(known);
  }
  x.count(weight);
  n_features_in = d;
}

NaiveBayes& NaiveBayes::fit(const Tensor& x, const Tensor& y, const Tensor& sample_weight,
                            Where where) {
  learn(std::string(name()) + ".fit", x, y, {}, sample_weight, true, where);
  return *this;
}

NaiveBayes& NaiveBayes::partial_fit(const Tensor& x, const Tensor& y,
                                    const std::vector<int64_t>& all, const Tensor& sample_weight,
                                    Where where) {
  learn(std::string(name()) + ".partial_fit", x, y, all, sample_weight, false, where);
  return *this;
}

Tensor NaiveBayes::checked(const Tensor& joint, Where where) const {
  if (!all(joint < kInfinity).item<bool>())  // NaN is not less
    throw ValueError(
        std::string(name()) +
            ".predict: a class has a variance or a count of 0; var_smoothing or alpha above 0, "
            "and features that are not constant, avoid that",
        where);
  return joint;
}

Tensor NaiveBayes::normalised(const Tensor& joint, Where where) const {
  if (any(max(joint, {1}) == -kInfinity).item<bool>())
    throw ValueError(std::string(name()) +
                         ".predict_proba: a sample has probability 0 in every class; alpha above "
                         "0 gives it one",
                     where);
  return joint - logsumexp(joint, {1}, true);
}

Tensor NaiveBayes::predict_joint_log_proba(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  const std::string op = std::string(name()) + ".predict";
  require_fitted(op, fitted(), where);
  return checked(joint(prepared(op, x, where)), where);
}

Tensor NaiveBayes::predict(const Tensor& x, Where where) const {
  return take(classes, argmax(predict_joint_log_proba(x, where), 1));
}

Tensor NaiveBayes::predict_log_proba(const Tensor& x, Where where) const {
  return normalised(predict_joint_log_proba(x, where), where);
}

Tensor NaiveBayes::predict_proba(const Tensor& x, Where where) const {
  return exp(predict_log_proba(x, where));
}

StateDict NaiveBayes::state_dict(Where where) const {
  const auto copy = clone();
  return fitted_state(*copy, static_cast<NaiveBayes&>(*copy).attributes(), where);
}

void NaiveBayes::load_state_dict(const StateDict& state, Where where) {
  load_fitted_state(*this, attributes(), state, where);
}

// ---- GaussianNB ---------------------------------------------------------------------------------

std::vector<Param> GaussianNB::params() {
  return {list_param("priors", &options_.priors), {"var_smoothing", &options_.var_smoothing}};
}

void GaussianNB::check_options(std::string_view op, int64_t k, int64_t, Where where) const {
  require_option(options_.var_smoothing >= 0 && std::isfinite(options_.var_smoothing), op,
                 "var_smoothing", options_.var_smoothing, where);
  check_priors(op, "priors", options_.priors, k, where);
}

void GaussianNB::begin(int64_t k, int64_t d) {
  theta = zeros({k, d}, kF64);
  var = zeros({k, d}, kF64);
  epsilon = 0;
}

void GaussianNB::count(const Tensor& x, const Tensor& weight) {
  const Tensor seen = sum(weight, {1}), mass = glia::where(seen > 0, seen, 1);
  const Tensor mean = matmul(weight, x) / column(mass);
  // Of each class about its mean; what weighs nothing is of any.
  const Tensor spread = matmul(weight, square(x - take(mean, argmax(weight, 0))));
  const Tensor before = class_count, total = before + seen,
               share = glia::where(total > 0, total, 1);
  const Tensor all = column(before) * (var - epsilon) + spread +
                     column(before * seen / share) * square(theta - mean);
  const double largest = max(glia::var(x, {0}, false, 0)).item();
  // A class that is not here stays as it is.
  const Tensor here = column(seen > 0);
  theta = glia::where(here, (column(before) * theta + column(seen) * mean) / column(share), theta);
  var = glia::where(here, all / column(share), var - epsilon);
  epsilon = options_.var_smoothing * largest;
  var = var + epsilon;
  class_count = total;
  class_prior = options_.priors.empty() ? total / sum(total) : vector_of(options_.priors);
  eval({theta, var, class_count, class_prior});
}

Tensor GaussianNB::joint(const Tensor& x) const {
  const Tensor constant = log(class_prior) - 0.5 * sum(log(2 * std::numbers::pi * var), {1});
  std::vector<Tensor> distance;
  for (int64_t c = 0; c < theta.size(0); ++c)
    distance.push_back(sum(square(x - index(theta, {c})) / index(var, {c}), {1}));
  // A class that was never seen has no variance either.
  return glia::where(class_prior > 0, constant - 0.5 * stack(distance, 1), -kInfinity);
}

std::vector<FittedAttribute> GaussianNB::attributes() {
  return {{"class_count", &class_count, {-3}},
          {"class_prior", &class_prior, {-3}},
          {"theta", &theta, {-3, -2}},
          {"var", &var, {-3, -2}},
          {"epsilon", &epsilon, {}}};
}

// ---- Counts -------------------------------------------------------------------------------------

namespace {

std::vector<Param> discrete_params(DiscreteNBOptions& o) {
  return {{"alpha", &o.alpha},
          {"force_alpha", &o.force_alpha},
          {"fit_prior", &o.fit_prior},
          list_param("class_prior", &o.class_prior)};
}

double smoothing(const DiscreteNBOptions& o) {
  return o.force_alpha ? o.alpha : std::max(o.alpha, 1e-10);
}

Tensor log_shares(const Tensor& count) {
  return where(count > 0, log(count) - log(sum(count, {1}, true)), -kInfinity);
}

}  // namespace

void DiscreteNB::check_options(std::string_view op, int64_t k, int64_t, Where where) const {
  const DiscreteNBOptions& o = discrete();
  require_option(o.alpha >= 0 && std::isfinite(o.alpha), op, "alpha", o.alpha, where);
  check_priors(op, "class_prior", o.class_prior, k, where);
}

void DiscreteNB::set_prior() {
  const DiscreteNBOptions& o = discrete();
  const int64_t k = class_count.size(0);
  if (!o.class_prior.empty())
    class_log_prior = log(vector_of(o.class_prior));
  else if (o.fit_prior)
    class_log_prior = log(class_count) - log(sum(class_count));
  else
    class_log_prior = full({k}, -std::log(static_cast<double>(k)), kF64);
}

std::vector<FittedAttribute> DiscreteNB::attributes() {
  return {{"class_count", &class_count, {-3}},
          {"class_log_prior", &class_log_prior, {-3}, kF64, false, true},
          {"feature_log_prob", &feature_log_prob, {-3, -1}, kF64, false, true}};
}

// ---- CountNB ------------------------------------------------------------------------------------

Tensor CountNB::prepared(std::string_view op, const Tensor& x, Where where) const {
  return not_negative(op, NaiveBayes::prepared(op, x, where), where);
}

Csr CountNB::checked_samples(std::string_view op, const Csr& x, bool known, Where where) const {
  const Csr given = check_x(op, x, known ? n_features_in : -1, where);
  return given.with_values(not_negative(op, given.values(), where));
}

void CountNB::begin(int64_t k, int64_t d) { feature_count = zeros({k, d}, kF64); }

void CountNB::tally(const Tensor& products, const Tensor& weight) {
  feature_count = feature_count + products;
  class_count = class_count + sum(weight, {1});
  set_log_prob();
  set_prior();
  eval({feature_count, class_count, feature_log_prob, class_log_prior});
}

void CountNB::count(const Tensor& x, const Tensor& weight) { tally(matmul(weight, x), weight); }

CountNB::Samples CountNB::counted(const Csr& x) {
  return {x.shape()[0], x.shape()[1], [this, x](const Tensor& weight) {
            tally(transpose(spmm(x.transpose(), transpose(weight))), weight);
          }};
}

CountNB& CountNB::fit(const Csr& x, const Tensor& y, const Tensor& sample_weight, Where where) {
  const NoGrad no_grad;
  const std::string op = std::string(name()) + ".fit";
  learn(op, counted(checked_samples(op, x, false, where)), y, {}, sample_weight, true, where);
  return *this;
}

CountNB& CountNB::partial_fit(const Csr& x, const Tensor& y, const std::vector<int64_t>& all,
                              const Tensor& sample_weight, Where where) {
  const NoGrad no_grad;
  const std::string op = std::string(name()) + ".partial_fit";
  learn(op, counted(checked_samples(op, x, fitted(), where)), y, all, sample_weight, false, where);
  return *this;
}

Tensor CountNB::joint(const Tensor& x) const {
  return joint_by([&](const Tensor& w, bool present) { return product(x, w, present); });
}

Tensor CountNB::predict_joint_log_proba(const Csr& x, Where where) const {
  const NoGrad no_grad;
  const std::string op = std::string(name()) + ".predict";
  require_fitted(op, fitted(), where);
  const Csr given = checked_samples(op, x, true, where);
  return checked(joint_by([&](const Tensor& w, bool present) {
                   return spmm(present ? given.with_values(cast(given.values() > 0, kF64)) : given,
                               w);
                 }),
                 where);
}

Tensor CountNB::predict(const Csr& x, Where where) const {
  return take(classes, argmax(predict_joint_log_proba(x, where), 1));
}

Tensor CountNB::predict_log_proba(const Csr& x, Where where) const {
  return normalised(predict_joint_log_proba(x, where), where);
}

Tensor CountNB::predict_proba(const Csr& x, Where where) const {
  return exp(predict_log_proba(x, where));
}

std::vector<FittedAttribute> CountNB::attributes() {
  std::vector<FittedAttribute> all = DiscreteNB::attributes();
  all.back().shape = {-3, -2};  // feature_log_prob
  all.push_back({"feature_count", &feature_count, {-3, -2}});
  return all;
}

// ---- MultinomialNB, ComplementNB ----------------------------------------------------------------

std::vector<Param> MultinomialNB::params() { return discrete_params(options_); }

void MultinomialNB::set_log_prob() {
  feature_log_prob = log_shares(feature_count + smoothing(options_));
}

Tensor MultinomialNB::joint_by(const Product& times) const {
  return weighed(feature_log_prob, times) + class_log_prior;
}

std::vector<Param> ComplementNB::params() {
  std::vector<Param> all = discrete_params(options_);
  all.emplace_back("norm", &options_.norm);
  return all;
}

void ComplementNB::set_log_prob() {
  feature_all = sum(feature_count, {0});
  const Tensor others = feature_all + smoothing(options_) - feature_count;
  const Tensor logged = log(others / sum(others, {1}, true));
  feature_log_prob = options_.norm ? logged / sum(logged, {1}, true) : -logged;
  eval(feature_all);
}

Tensor ComplementNB::joint_by(const Product& times) const {
  const Tensor sum = times(transpose(feature_log_prob), false);
  return classes.size(0) == 1 ? sum + class_log_prior : sum;
}

std::vector<FittedAttribute> ComplementNB::attributes() {
  std::vector<FittedAttribute> all = CountNB::attributes();
  all.push_back({"feature_all", &feature_all, {-2}});
  return all;
}

// ---- BernoulliNB --------------------------------------------------------------------------------

std::vector<Param> BernoulliNB::params() {
  std::vector<Param> all = discrete_params(options_);
  all.emplace_back("binarize", &options_.binarize);
  return all;
}

Tensor BernoulliNB::prepared(std::string_view op, const Tensor& x, Where where) const {
  const Tensor given = NaiveBayes::prepared(op, x, where);
  if (options_.binarize) return cast(given > *options_.binarize, kF64);
  if (!all((given == 0) | (given == 1)).item<bool>())
    throw ValueError(std::string(op) + ": X is 0 and 1 where binarize is none", where);
  return given;
}

void BernoulliNB::check_options(std::string_view op, int64_t k, int64_t d, Where where) const {
  DiscreteNB::check_options(op, k, d, where);
  if (options_.binarize)
    require_option(std::isfinite(*options_.binarize), op, "binarize", *options_.binarize, where);
}

void BernoulliNB::begin(int64_t k, int64_t d) { feature_count = zeros({k, d}, kF64); }

void BernoulliNB::count(const Tensor& x, const Tensor& weight) {
  feature_count = feature_count + matmul(weight, x);
  class_count = class_count + sum(weight, {1});
  const double alpha = smoothing(options_);
  const Tensor smoothed = feature_count + alpha;
  feature_log_prob =
      glia::where(smoothed > 0, log(smoothed) - column(log(class_count + 2 * alpha)), -kInfinity);
  set_prior();
  eval({feature_count, class_count, feature_log_prob, class_log_prior});
}

Tensor BernoulliNB::joint(const Tensor& x) const {
  // What is not there has probability 0 where a feature was always there.
  const Tensor absent = log(1 - exp(feature_log_prob));
  const auto by = [](const Tensor& of) {
    return [of](const Tensor& w, bool present) { return product(of, w, present); };
  };
  return weighed(feature_log_prob, by(x)) + weighed(absent, by(1 - x)) + class_log_prior;
}

std::vector<FittedAttribute> BernoulliNB::attributes() {
  std::vector<FittedAttribute> all = DiscreteNB::attributes();
  all.back().shape = {-3, -2};  // feature_log_prob
  all.push_back({"feature_count", &feature_count, {-3, -2}});
  return all;
}

// ---- CategoricalNB ------------------------------------------------------------------------------

namespace {

constexpr double kMostCategories = 1e7;

// Where each feature's categories begin among all.
std::vector<int64_t> offsets(const Tensor& sizes) {
  std::vector<int64_t> begin{0};
  for (const int64_t size : sizes.to_vector<int64_t>()) begin.push_back(begin.back() + size);
  return begin;
}

}  // namespace

std::vector<Param> CategoricalNB::params() {
  std::vector<Param> all = discrete_params(options_);
  all.emplace_back(
      "min_categories",
      [this] {
        std::string text;
        for (const int64_t c : options_.min_categories)
          text += (text.empty() ? "" : ",") + std::to_string(c);
        return ParamValue(text);
      },
      [this](const ParamValue& value) {
        std::vector<double> numbers;
        if (!std::holds_alternative<std::monostate>(value)) {
          try {
            list_param("min_categories", &numbers).set(value);
          } catch (const ValueError&) {
            return false;
          }
        }
        for (const double x : numbers)
          if (!(x >= 0 && x <= kMostCategories && x == std::floor(x))) return false;
        options_.min_categories.assign(numbers.begin(), numbers.end());
        return true;
      });
  return all;
}

Tensor CategoricalNB::prepared(std::string_view op, const Tensor& x, Where where) const {
  const Tensor given = NaiveBayes::prepared(op, x, where);
  if (!all((given >= 0) & (given == floor(given)) & (given < kMostCategories)).item<bool>())
    throw ValueError(std::string(op) + ": X holds categories: 0, 1, 2, ...", where);
  const double total = sum(max(given, {0}) + 1).item();
  if (total > kMostCategories)
    throw ValueError(std::string(op) + ": X has " + to_text(ParamValue(total)) +
                         " categories, which are too many to count",
                     where);
  return cast(given, kI64);
}

void CategoricalNB::check_options(std::string_view op, int64_t k, int64_t d, Where where) const {
  DiscreteNB::check_options(op, k, d, where);
  const auto given = static_cast<int64_t>(options_.min_categories.size());
  if (given > 1 && given != d)
    throw ValueError(std::string(op) + ": min_categories has " + std::to_string(given) +
                         " numbers for " + std::to_string(d) + " features",
                     where);
  for (const int64_t c : options_.min_categories)
    require_option(c >= 1 && static_cast<double>(c) <= kMostCategories, op, "min_categories",
                   static_cast<double>(c), where);
}

void CategoricalNB::begin(int64_t k, int64_t d) {
  std::vector<int64_t> sizes(static_cast<size_t>(d), 1);
  if (!options_.min_categories.empty())
    for (size_t j = 0; j < sizes.size(); ++j)
      sizes[j] = options_.min_categories[options_.min_categories.size() == 1 ? 0 : j];
  n_categories = vector_of(sizes);
  category_count = zeros({k, offsets(n_categories).back()}, kF64);
}

void CategoricalNB::count(const Tensor& x, const Tensor& weight) {
  const int64_t k = weight.size(0), d = x.size(1), n = x.size(0);
  const std::vector<int64_t> old = offsets(n_categories);
  const Tensor sizes = maximum(n_categories, max(x, {0}) + 1);
  const std::vector<int64_t> begin = offsets(sizes);
  std::vector<double> counts(static_cast<size_t>(k * begin.back()));
  const auto before = category_count.to_vector<double>();
  for (int64_t c = 0; c < k; ++c)
    for (int64_t j = 0; j < d; ++j)
      for (int64_t v = old[j]; v < old[j + 1]; ++v)
        counts[c * begin.back() + begin[j] + v - old[j]] = before[c * old.back() + v];
  const auto value = x.to_vector<int64_t>();
  const auto w = weight.to_vector<double>();
  for (int64_t i = 0; i < n; ++i)
    for (int64_t c = 0; c < k; ++c) {
      const double own = w[c * n + i];
      if (own == 0) continue;
      for (int64_t j = 0; j < d; ++j) counts[c * begin.back() + begin[j] + value[i * d + j]] += own;
    }
  n_categories = sizes;
  category_count = from_vector(counts, {k, begin.back()});
  class_count = class_count + sum(weight, {1});
  std::vector<Tensor> logs;
  const double alpha = smoothing(options_);
  for (int64_t j = 0; j < d; ++j)
    logs.push_back(
        log_shares(slice(category_count, 1, {.start = begin[j], .stop = begin[j + 1]}) + alpha));
  feature_log_prob = concat(logs, 1);
  set_prior();
  eval({n_categories, class_count, feature_log_prob, class_log_prior});
}

Tensor CategoricalNB::joint(const Tensor& x) const {
  const Tensor unknown = x >= n_categories;
  if (any(unknown).item<bool>()) {
    const auto where = nonzero(unknown).to_vector<int64_t>();
    throw ValueError("CategoricalNB.predict: feature " + std::to_string(where[1]) +
                     " has a category that fit did not know; min_categories makes room for more");
  }
  const std::vector<int64_t> begin = offsets(n_categories);
  Tensor total = class_log_prior;
  for (int64_t j = 0; j < x.size(1); ++j)
    total = total + take(transpose(feature_log_prob), index(x, {Slice{}, j}) + begin[j]);
  return total;
}

std::vector<FittedAttribute> CategoricalNB::attributes() {
  std::vector<FittedAttribute> all = DiscreteNB::attributes();
  all.push_back({"n_categories", &n_categories, {-2}, kI64});
  all.push_back({"category_count", &category_count, {-3, -1}});
  return all;
}

void CategoricalNB::load_state_dict(const StateDict& state, Where where) {
  CategoricalNB fresh = *this;
  fresh.NaiveBayes::load_state_dict(state, where);
  bool fits = fresh.category_count.shape() == fresh.feature_log_prob.shape();
  int64_t total = 0;
  for (const int64_t size : fresh.n_categories.to_vector<int64_t>()) {
    fits = fits && size >= 1 && size <= fresh.category_count.size(1);
    total += fits ? size : 0;
  }
  if (!fits || total != fresh.category_count.size(1))
    throw Error("CategoricalNB.load_state_dict: n_categories does not fit category_count", where);
  *this = std::move(fresh);
}

}  // namespace glia::classic
