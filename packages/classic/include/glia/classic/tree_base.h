// What models made of binary trees have in common.
#pragma once

#include <cstdint>
#include <memory>

#include "glia/classic/estimator.h"

namespace glia::classic {

struct Grove;  // fitted trees: src/grove.h
struct ExportTextOptions;

// A fitted tree, a row for each node: the root first, children behind their parent.
struct TreeArrays {
  Tensor children_left, children_right;  // (nodes) i64; -1 of leaves
  Tensor feature;                        // (nodes) i64; -2 of leaves
  Tensor threshold;                      // (nodes) f64: left where x <= threshold; -2 of leaves
  Tensor missing_go_to_left;             // (nodes) bool: where NaN goes
  Tensor impurity;                       // (nodes) f64
  Tensor n_node_samples;                 // (nodes) i64
  Tensor weighted_n_node_samples;        // (nodes) f64
  Tensor value;  // (nodes, outputs) f64 of a regressor; shares (nodes, classes) of a classifier
};

// Says the mean of its trees. Features are looked at in f32; NaN is a missing value.
class TreesClassifier : public Classifier {
 public:
  // (features) f64: the share of each in what splits gained, the mean of the trees; zeros if
  // nothing was split. Features of many values have more than they deserve.
  Tensor feature_importances;

  Tensor predict_proba(const Tensor& x, Where where = Where::current()) const override;
  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;

  int64_t n_trees() const;  // 0 before fit()
  TreeArrays tree(int64_t i = 0, Where where = Where::current()) const;
  // (samples, trees) i64: the leaf of each sample.
  Tensor apply(const Tensor& x, Where where = Where::current()) const;
  // (samples, nodes of tree i) bool: the nodes on each sample's way.
  Tensor decision_path(const Tensor& x, int64_t i = 0, Where where = Where::current()) const;

  friend std::string export_text(const TreesClassifier& model, const ExportTextOptions& options,
                                 int64_t tree, Where where);

 protected:
  std::shared_ptr<const Grove> grove_;
};

class TreesRegressor : public Regressor {
 public:
  Tensor feature_importances;  // as of a classifier

  // (samples), or (samples, outputs) if y was.
  Tensor predict(const Tensor& x, Where where = Where::current()) const override;
  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;

  int64_t n_trees() const;
  TreeArrays tree(int64_t i = 0, Where where = Where::current()) const;
  Tensor apply(const Tensor& x, Where where = Where::current()) const;
  Tensor decision_path(const Tensor& x, int64_t i = 0, Where where = Where::current()) const;

  friend std::string export_text(const TreesRegressor& model, const ExportTextOptions& options,
                                 int64_t tree, Where where);

 protected:
  std::shared_ptr<const Grove> grove_;
  bool flat_ = true;  // y was (samples)
};

}  // namespace glia::classic
