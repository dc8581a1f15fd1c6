// Decision trees (Breiman, Friedman, Olshen & Stone 1984), with scikit-learn's nodes: the same
// seed makes the same tree.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "glia/classic/tree_base.h"

namespace glia::classic {

enum class ClassCriterion { kGini, kEntropy, kLogLoss };  // log loss is the entropy
enum class RegressionCriterion { kSquaredError, kAbsoluteError, kPoisson };
enum class TreeSplitter {
  kBest,    // of all thresholds
  kRandom,  // of one random threshold of each feature
};

struct DecisionTreeClassifierOptions {
  ClassCriterion criterion = ClassCriterion::kGini;
  TreeSplitter splitter = TreeSplitter::kBest;
  std::optional<int64_t> max_depth{};
  // How many samples a node must have to be split, and a leaf at least; below 1: shares of all.
  double min_samples_split = 2, min_samples_leaf = 1;
  double min_weight_fraction_leaf = 0;
  // How many features are looked at in each node: "none" (all), "sqrt", "log2", a count such as
  // "3", or a share such as "0.5" or "1.0".
  std::string max_features = "none";
  uint64_t random_state = 0;
  std::optional<int64_t> max_leaf_nodes{};  // the best nodes first
  double min_impurity_decrease = 0;
  bool balanced = false;                  // classes weigh the same
  std::vector<double> class_weight = {};  // of the classes, ascending
  double ccp_alpha = 0;                   // what a leaf costs: prunes what is not worth it
  // Of each feature 1 if the second of two classes must not get less likely as it grows, -1 more,
  // 0 either.
  std::vector<double> monotonic_cst = {};
};

// What pruning by growing ccp_alpha leaves.
struct PruningPath {
  Tensor ccp_alphas;  // (steps) f64, ascending
  Tensor impurities;  // (steps) f64: the sum of the leaves' shares
};

class DecisionTreeClassifier : public TreesClassifier {
 public:
  explicit DecisionTreeClassifier(const DecisionTreeClassifierOptions& options = {})
      : options_(options) {}

  std::string_view name() const override { return "DecisionTreeClassifier"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<DecisionTreeClassifier>(*this);
  }
  std::vector<Param> params() override;
  DecisionTreeClassifier& fit(const Tensor& x, const Tensor& y = {},
                              const Tensor& sample_weight = {},
                              Where where = Where::current()) override;
  // Of the tree that these samples make without pruning.
  PruningPath cost_complexity_pruning_path(const Tensor& x, const Tensor& y,
                                           const Tensor& sample_weight = {},
                                           Where where = Where::current()) const;
  int64_t depth(Where where = Where::current()) const;  // 0 of a single leaf
  int64_t n_leaves(Where where = Where::current()) const;
  const DecisionTreeClassifierOptions& options() const { return options_; }

 protected:
  DecisionTreeClassifierOptions options_;
};

struct DecisionTreeRegressorOptions {
  RegressionCriterion criterion = RegressionCriterion::kSquaredError;
  TreeSplitter splitter = TreeSplitter::kBest;
  std::optional<int64_t> max_depth{};
  double min_samples_split = 2, min_samples_leaf = 1;
  double min_weight_fraction_leaf = 0;
  std::string max_features = "none";
  uint64_t random_state = 0;
  std::optional<int64_t> max_leaf_nodes{};
  double min_impurity_decrease = 0;
  double ccp_alpha = 0;
  std::vector<double> monotonic_cst = {};  // 1: the answer must not fall as the feature grows
};
class DecisionTreeRegressor : public TreesRegressor {
 public:
  explicit DecisionTreeRegressor(const DecisionTreeRegressorOptions& options = {})
      : options_(options) {}

  std::string_view name() const override { return "DecisionTreeRegressor"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<DecisionTreeRegressor>(*this);
  }
  std::vector<Param> params() override;
  DecisionTreeRegressor& fit(const Tensor& x, const Tensor& y = {},
                             const Tensor& sample_weight = {},
                             Where where = Where::current()) override;
  PruningPath cost_complexity_pruning_path(const Tensor& x, const Tensor& y,
                                           const Tensor& sample_weight = {},
                                           Where where = Where::current()) const;
  int64_t depth(Where where = Where::current()) const;
  int64_t n_leaves(Where where = Where::current()) const;
  const DecisionTreeRegressorOptions& options() const { return options_; }

 protected:
  DecisionTreeRegressorOptions options_;
};

// A tree of random thresholds (Geurts, Ernst & Wehenkel 2006): for ensembles.
class ExtraTreeClassifier : public DecisionTreeClassifier {
 public:
  explicit ExtraTreeClassifier(const DecisionTreeClassifierOptions& options =
                                   {.splitter = TreeSplitter::kRandom, .max_features = "sqrt"})
      : DecisionTreeClassifier(options) {}

  std::string_view name() const override { return "ExtraTreeClassifier"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<ExtraTreeClassifier>(*this);
  }
};
class ExtraTreeRegressor : public DecisionTreeRegressor {
 public:
  explicit ExtraTreeRegressor(const DecisionTreeRegressorOptions& options =
                                  {.splitter = TreeSplitter::kRandom, .max_features = "1.0"})
      : DecisionTreeRegressor(options) {}

  std::string_view name() const override { return "ExtraTreeRegressor"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<ExtraTreeRegressor>(*this);
  }
};

struct ExportTextOptions {
  std::vector<std::string> feature_names = {};  // else feature_0, feature_1 ...
  std::vector<std::string> class_names = {};    // else the numbers
  int64_t max_depth = 10;
  int64_t spacing = 3;  // of each level
  int64_t decimals = 2;
  bool show_weights = false;
};
// The rules of a fitted tree, one a line:
//   |--- feature_2 <= 2.45
//   |   |--- class: 0
std::string export_text(const TreesClassifier& model, const ExportTextOptions& options = {},
                        int64_t tree = 0, Where where = Where::current());
std::string export_text(const TreesRegressor& model, const ExportTextOptions& options = {},
                        int64_t tree = 0, Where where = Where::current());

}  // namespace glia::classic
