// SHAP values of models whose form is known: exact, without samples of coalitions. The names of the
// library shap.
#pragma once

#include <string>
#include <vector>

#include "glia/classic/estimator.h"
#include "glia/tensor.h"

namespace glia::explain {

// Of a linear model (outputs, features) or (features) and intercepts (outputs) or (): of features
// taken as independent, w_i (x_i - mean of the background's feature i), exactly. x (N, features) ->
// (N, features) or (N, outputs, features), f64.
struct TableShap {
  Tensor values;
  Tensor expected_value;  // () or (outputs): the mean over the background
};
TableShap linear_shap(const Tensor& coef, const Tensor& intercept, const Tensor& x,
                      const Tensor& background, Where where = Where::current());

// Trees as flat arrays, one tree after another.
struct TreeEnsemble {
  std::vector<int64_t> begin;                 // the first node of each tree, and the end
  std::vector<int64_t> left, right, feature;  // children within the tree; -1 of leaves
  std::vector<double> threshold;              // left where x <= threshold, x in f32
  std::vector<bool> missing_left;             // where NaN goes
  std::vector<double> weight;                 // of the training samples in a node
  std::vector<double> value;                  // (nodes, outputs)
  int64_t outputs = 1;
  std::vector<double> base;  // (outputs): what is said without trees
  int64_t features = 0;
};
// Of a fitted tree, forest or gradient boosting of package classic. Throws Error for another
// estimator, and for trees that split by sets of categories.
TreeEnsemble trees_of(const classic::Estimator& estimator, Where where = Where::current());

// SHAP values of trees (Lundberg et al. 2020): x (N, features) -> (N, features, outputs) f64, or
// (N, features) of one output. Without a background the trees' own samples stand for what is not
// known (path-dependent, in time of depth^2 a leaf); else each row of the background (B, features)
// does, and the values are the mean (interventional). Of classifiers probabilities are explained,
// of boosting the score.
TableShap tree_shap(const TreeEnsemble& trees, const Tensor& x, const Tensor& background = {},
                    Where where = Where::current());

}  // namespace glia::explain
