// Options that all models of trees share, checked, and as their growth.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "glia/classic/tree.h"
#include "linear.h"
#include "tree_grower.h"

namespace glia::classic {

// "none", "sqrt", "log2", a count or a share, by which 1 is a feature and 1.0 is all of them.
Param max_features_param(std::string* at);
// Throws ValueError for a text that is none of these, or a number that is out of range.
int64_t max_features_of(std::string_view op, const std::string& text, int64_t features,
                        Where where);
// A count of at least `least`, or a share of n, rounded up.
int64_t samples_of(std::string_view op, std::string_view option, double value, int64_t least,
                   int64_t n, Where where);
std::vector<int8_t> monotonic_of(std::string_view op, const std::vector<double>& given,
                                 int64_t features, Where where);

// Whether fit() goes on with what there is, `begun` of it, up to the option's value. Throws
// ValueError where that is less, or where features, outputs or classes are not the same.
bool goes_on(std::string_view op, bool warm_start, int64_t begun, std::string_view option,
             int64_t wanted, bool same, Where where);
bool same_numbers(const Tensor& known, const Tensor& given);

inline const std::vector<std::string> kClassCriteria{"gini", "entropy", "log_loss"};
inline const std::vector<std::string> kRegressionCriteria{"squared_error", "absolute_error",
                                                          "poisson"};

inline Impurity impurity_of(ClassCriterion criterion) {
  return criterion == ClassCriterion::kGini ? Impurity::kGini : Impurity::kEntropy;
}
inline Impurity impurity_of(RegressionCriterion criterion) {
  return criterion == RegressionCriterion::kSquaredError    ? Impurity::kSquaredError
         : criterion == RegressionCriterion::kAbsoluteError ? Impurity::kAbsoluteError
                                                            : Impurity::kPoisson;
}

// What trees of n samples, which weigh `weight` together, are to grow like. Throws ValueError for
// options out of range.
template <class Options>
TreeGrowth growth_of(std::string_view op, const Options& o, int64_t n, int64_t features,
                     double weight, Where where) {
  TreeGrowth g;
  g.impurity = impurity_of(o.criterion);
  if (o.max_depth) {
    require_option(*o.max_depth >= 1, op, "max_depth", static_cast<double>(*o.max_depth), where);
    g.max_depth = *o.max_depth;
  }
  if (o.max_leaf_nodes) {
    require_option(*o.max_leaf_nodes >= 2, op, "max_leaf_nodes",
                   static_cast<double>(*o.max_leaf_nodes), where);
    g.max_leaf_nodes = *o.max_leaf_nodes;
  }
  g.min_samples_leaf = samples_of(op, "min_samples_leaf", o.min_samples_leaf, 1, n, where);
  g.min_samples_split = samples_of(op, "min_samples_split", o.min_samples_split, 2, n, where);
  g.min_samples_split = std::max({g.min_samples_split, int64_t{2}});
  require_option(o.min_weight_fraction_leaf >= 0 && o.min_weight_fraction_leaf <= 0.5, op,
                 "min_weight_fraction_leaf", o.min_weight_fraction_leaf, where);
  require_option(o.min_impurity_decrease >= 0, op, "min_impurity_decrease", o.min_impurity_decrease,
                 where);
  require_option(o.ccp_alpha >= 0, op, "ccp_alpha", o.ccp_alpha, where);
  g.min_weight_leaf = o.min_weight_fraction_leaf * weight;
  g.min_impurity_decrease = o.min_impurity_decrease;
  g.ccp_alpha = o.ccp_alpha;
  g.max_features = max_features_of(op, o.max_features, features, where);
  g.monotonic = monotonic_of(op, o.monotonic_cst, features, where);
  return g;
}

// In scikit-learn's order, without criterion and splitter.
template <class Options>
std::vector<Param> growth_params(Options& o) {
  return {{"max_depth", &o.max_depth},
          {"min_samples_split", &o.min_samples_split},
          {"min_samples_leaf", &o.min_samples_leaf},
          {"min_weight_fraction_leaf", &o.min_weight_fraction_leaf},
          max_features_param(&o.max_features),
          {"random_state", &o.random_state},
          {"max_leaf_nodes", &o.max_leaf_nodes},
          {"min_impurity_decrease", &o.min_impurity_decrease},
          {"ccp_alpha", &o.ccp_alpha},
          list_param("monotonic_cst", &o.monotonic_cst)};
}

// Throws ValueError for numbers whose squares are beyond f64.
void check_magnitude(std::string_view op, const Tensor& y, Where where);

// The arguments of fit() of a classifier, checked.
struct ClassTreeData {
  TreeSamples samples;
  Tensor classes;
  std::vector<double> weight;  // none: 1 each
  double total = 0;            // of the weights
};
ClassTreeData class_tree_data(std::string_view op, const Tensor& x, const Tensor& y,
                              const Tensor& sample_weight, bool balanced,
                              const std::vector<double>& class_weight,
                              const std::vector<double>& monotonic, Where where);
// Of a regressor.
struct NumberTreeData {
  TreeSamples samples;
  bool flat = true;  // y was (samples)
  std::vector<double> weight;
  double total = 0;
};
NumberTreeData number_tree_data(std::string_view op, const Tensor& x, const Tensor& y,
                                const Tensor& sample_weight, RegressionCriterion criterion,
                                const std::vector<double>& monotonic, Where where);

}  // namespace glia::classic
