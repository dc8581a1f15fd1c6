#include "glia/classic/tree.h"

#include <algorithm>
#include <charconv>

#include "columns.h"
#include "glia/ops.h"
#include "tree_options.h"
#include "twister.h"

namespace glia::classic {

// ---- Options ----------------------------------------------------------------------------------

bool goes_on(std::string_view op, bool warm_start, int64_t begun, std::string_view option,
             int64_t wanted, bool same, Where where) {
  if (!warm_start || begun == 0) return false;
  if (!same)
    throw ValueError(
        std::string(op) + ": warm_start goes on with the features, outputs and classes of before",
        where);
  if (wanted < begun)
    throw ValueError(std::string(op) + ": " + std::string(option) + " = " + std::to_string(wanted) +
                         " is less than the " + std::to_string(begun) + " of warm_start",
                     where);
  return true;
}

bool same_numbers(const Tensor& known, const Tensor& given) {
  return known.shape() == given.shape() && all(known == given).item<bool>();
}

Param max_features_param(std::string* at) {
  return {"max_features", [at] { return ParamValue(*at); },
          [at](const ParamValue& value) {
            if (const auto* number = std::get_if<double>(&value)) {
              *at = to_text(value);
              if (*number == std::trunc(*number) && std::abs(*number) < 1e6) *at += ".0";
              return true;
            }
            if (std::holds_alternative<bool>(value)) return false;
            *at = to_text(value);
            return true;
          }};
}

int64_t max_features_of(std::string_view op, const std::string& text, int64_t features,
                        Where where) {
  const auto fail = [&] {
    throw ValueError(std::string(op) + ": max_features is " + text +
                         ", not none, sqrt, log2, a count from 1 to " + std::to_string(features) +
                         " or a share such as 0.5",
                     where);
  };
  const auto some = static_cast<double>(features);
  if (text == "none") return features;
  if (text == "sqrt") return static_cast<int64_t>(std::sqrt(some));
  if (text == "log2") return std::max<int64_t>(1, static_cast<int64_t>(std::log2(some)));
  const char* end = text.data() + text.size();
  int64_t count = 0;
  const auto whole = std::from_chars(text.data(), end, count);
  if (whole.ec == std::errc() && whole.ptr == end) {
    if (count < 1 || count > features) fail();
    return count;
  }
  double share = 0;
  const auto real = std::from_chars(text.data(), end, share);
  if (real.ec != std::errc() || real.ptr != end || !(share > 0 && share <= 1)) fail();
  return std::max<int64_t>(1, static_cast<int64_t>(share * some));
}

int64_t samples_of(std::string_view op, std::string_view option, double value, int64_t least,
                   int64_t n, Where where) {
  const bool share = value > 0 && value < 1;
  require_option(share || (value >= static_cast<double>(least) && value == std::trunc(value) &&
                           value < 0x1p53),
                 op, option, value, where);
  return share ? static_cast<int64_t>(std::ceil(value * static_cast<double>(n)))
               : static_cast<int64_t>(value);
}

std::vector<int8_t> monotonic_of(std::string_view op, const std::vector<double>& given,
                                 int64_t features, Where where) {
  if (!given.empty() && given.size() != static_cast<size_t>(features))
    throw ValueError(std::string(op) + ": monotonic_cst has " + std::to_string(given.size()) +
                         " numbers for " + std::to_string(features) + " features",
                     where);
  std::vector<int8_t> out;
  for (const double sign : given) {
    require_option(sign == 0 || sign == 1 || sign == -1, op, "monotonic_cst", sign, where);
    out.push_back(static_cast<int8_t>(sign));
  }
  return out;
}

// ---- Data -------------------------------------------------------------------------------------

namespace {

double total_of(const std::vector<double>& weight, int64_t n) {
  if (weight.empty()) return static_cast<double>(n);
  double total = 0;
  for (const double w : weight) total += w;
  return total;
}

}  // namespace

void check_magnitude(std::string_view op, const Tensor& y, Where where) {
  if (any(abs(y) > 1e150).item<bool>())
    throw ValueError(std::string(op) + ": y contains a number beyond 1e150, whose square is no f64",
                     where);
}

ClassTreeData class_tree_data(std::string_view op, const Tensor& x, const Tensor& y,
                              const Tensor& sample_weight, bool balanced,
                              const std::vector<double>& class_weight,
                              const std::vector<double>& monotonic, Where where) {
  const Tensor given = tree_x(op, x, -1, where);
  const int64_t n = given.size(0);
  const ClassTargets targets = check_classes(op, y, n, where);
  ClassTreeData out;
  out.classes = targets.classes;
  if (out.classes.size(0) > 2 &&
      std::any_of(monotonic.begin(), monotonic.end(), [](double sign) { return sign != 0; }))
    throw ValueError(std::string(op) + ": monotonic_cst is for two classes, and y has " +
                         std::to_string(out.classes.size(0)),
                     where);
  // Without class weights all weigh alike in "balanced", and nothing is lost by no weights.
  if (sample_weight.defined() || balanced || !class_weight.empty())
    out.weight = class_sample_weights(op, targets, sample_weight, n, balanced, class_weight, where);
  out.total = total_of(out.weight, n);
  out.samples = tree_samples(given);
  out.samples.classes = out.classes.size(0);
  for (const int64_t code : targets.codes.to_vector<int64_t>())
    out.samples.codes.push_back(static_cast<int32_t>(code));
  return out;
}

NumberTreeData number_tree_data(std::string_view op, const Tensor& x, const Tensor& y,
                                const Tensor& sample_weight, RegressionCriterion criterion,
                                const std::vector<double>& monotonic, Where where) {
  const Tensor given = tree_x(op, x, -1, where);
  const int64_t n = given.size(0);
  const Tensor targets = check_targets(op, y, n, where);
  check_magnitude(op, targets, where);
  NumberTreeData out;
  out.flat = targets.rank() == 1;
  if (criterion == RegressionCriterion::kPoisson &&
      (any(targets < 0.0).item<bool>() || !(sum(targets) > 0.0).item<bool>()))
    throw ValueError(std::string(op) + ": the Poisson deviance is of y of at least 0, not all 0",
                     where);
  const Tensor weight = check_sample_weight(op, sample_weight, n, kF64, where);
  if (weight.defined()) out.weight = weight.to_vector<double>();
  out.total = total_of(out.weight, n);
  out.samples = tree_samples(given);
  out.samples.outputs = out.flat ? 1 : targets.size(1);
  out.samples.y = targets.to_vector<double>();
  if (out.samples.outputs > 1 &&
      std::any_of(monotonic.begin(), monotonic.end(), [](double sign) { return sign != 0; }))
    throw ValueError(std::string(op) + ": monotonic_cst is for one output", where);
  return out;
}

// ---- Trees ------------------------------------------------------------------------------------

namespace {

uint32_t tree_seed(uint64_t random_state) {
  return static_cast<uint32_t>(Twister(random_state).below(INT32_MAX));
}

struct ClassTree {
  Tensor classes;
  Grove grove;
};
ClassTree class_tree(const std::string& op, const DecisionTreeClassifierOptions& o, const Tensor& x,
                     const Tensor& y, const Tensor& sample_weight, double ccp_alpha, Where where) {
  const NoGrad no_grad;
  const ClassTreeData data =
      class_tree_data(op, x, y, sample_weight, o.balanced, o.class_weight, o.monotonic_cst, where);
  TreeGrowth growth = growth_of(op, o, data.samples.n, data.samples.d, data.total, where);
  growth.random = o.splitter == TreeSplitter::kRandom;
  growth.ccp_alpha = ccp_alpha;
  for (int8_t& sign : growth.monotonic) sign = static_cast<int8_t>(-sign);  // of the first class
  if (data.samples.classes < 2) growth.monotonic.clear();
  return {data.classes, grow_tree(data.samples, growth, data.weight, tree_seed(o.random_state))};
}

struct NumberTree {
  bool flat;
  Grove grove;
};
NumberTree number_tree(const std::string& op, const DecisionTreeRegressorOptions& o,
                       const Tensor& x, const Tensor& y, const Tensor& sample_weight,
                       double ccp_alpha, Where where) {
  const NoGrad no_grad;
  const NumberTreeData data =
      number_tree_data(op, x, y, sample_weight, o.criterion, o.monotonic_cst, where);
  TreeGrowth growth = growth_of(op, o, data.samples.n, data.samples.d, data.total, where);
  growth.random = o.splitter == TreeSplitter::kRandom;
  growth.ccp_alpha = ccp_alpha;
  return {data.flat, grow_tree(data.samples, growth, data.weight, tree_seed(o.random_state))};
}

template <class Options>
std::vector<Param> tree_params(Options& o, const std::vector<std::string>& criteria) {
  std::vector<Param> all = growth_params(o);
  all.insert(all.begin(), {{"criterion", &o.criterion, criteria},
                           {"splitter", &o.splitter, {"best", "random"}}});
  return all;
}

}  // namespace

std::vector<Param> DecisionTreeClassifier::params() {
  std::vector<Param> all = tree_params(options_, kClassCriteria);
  all.emplace_back("balanced", &options_.balanced);
  all.push_back(list_param("class_weight", &options_.class_weight));
  return all;
}

DecisionTreeClassifier& DecisionTreeClassifier::fit(const Tensor& x, const Tensor& y,
                                                    const Tensor& sample_weight, Where where) {
  ClassTree tree = class_tree(std::string(name()) + ".fit", options_, x, y, sample_weight,
                              options_.ccp_alpha, where);
  grove_ = std::make_shared<Grove>(std::move(tree.grove));
  classes = tree.classes;
  feature_importances = vector_of(grove_->importances());
  n_features_in = grove_->n_features;
  return *this;
}

PruningPath DecisionTreeClassifier::cost_complexity_pruning_path(const Tensor& x, const Tensor& y,
                                                                 const Tensor& sample_weight,
                                                                 Where where) const {
  return pruning_path(class_tree(std::string(name()) + ".cost_complexity_pruning_path", options_, x,
                                 y, sample_weight, 0, where)
                          .grove);
}

int64_t DecisionTreeClassifier::depth(Where where) const {
  require_fitted(std::string(name()) + ".depth", fitted(), where);
  return grove_->depth(0);
}
int64_t DecisionTreeClassifier::n_leaves(Where where) const {
  require_fitted(std::string(name()) + ".n_leaves", fitted(), where);
  return grove_->n_leaves(0);
}

std::vector<Param> DecisionTreeRegressor::params() {
  return tree_params(options_, kRegressionCriteria);
}

DecisionTreeRegressor& DecisionTreeRegressor::fit(const Tensor& x, const Tensor& y,
                                                  const Tensor& sample_weight, Where where) {
  NumberTree tree = number_tree(std::string(name()) + ".fit", options_, x, y, sample_weight,
                                options_.ccp_alpha, where);
  grove_ = std::make_shared<Grove>(std::move(tree.grove));
  flat_ = tree.flat;
  feature_importances = vector_of(grove_->importances());
  n_features_in = grove_->n_features;
  return *this;
}

PruningPath DecisionTreeRegressor::cost_complexity_pruning_path(const Tensor& x, const Tensor& y,
                                                                const Tensor& sample_weight,
                                                                Where where) const {
  return pruning_path(number_tree(std::string(name()) + ".cost_complexity_pruning_path", options_,
                                  x, y, sample_weight, 0, where)
                          .grove);
}

int64_t DecisionTreeRegressor::depth(Where where) const {
  require_fitted(std::string(name()) + ".depth", fitted(), where);
  return grove_->depth(0);
}
int64_t DecisionTreeRegressor::n_leaves(Where where) const {
  require_fitted(std::string(name()) + ".n_leaves", fitted(), where);
  return grove_->n_leaves(0);
}

}  // namespace glia::classic
