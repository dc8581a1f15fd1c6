// Estimators made of others: one after the other, beside each other, and each for columns of its
// own. scikit-learn's names; options of a part are "NAME__OPTION".
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "glia/classic/estimator.h"
#include "glia/tables/table.h"

namespace glia::classic {

// Transformers, and any estimator at the end, which says what the pipeline is. Names are different,
// not empty and without "__".
class Pipeline : public Estimator {
 public:
  Pipeline() = default;
  explicit Pipeline(NamedEstimators steps, Where where = Where::current());

  std::string_view name() const override { return "Pipeline"; }
  EstimatorKind kind() const override;
  std::unique_ptr<Estimator> clone() const override { return std::make_unique<Pipeline>(*this); }
  std::vector<Param> params() override;
  std::vector<std::pair<std::string, const Estimator*>> parts() const override;
  void set_parts(NamedEstimators parts, Where where = Where::current()) override;

  // The weights are for the last step.
  Pipeline& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                Where where = Where::current()) override;
  // What the last step's own says: also of one that has no transform() or predict() for others.
  Tensor fit_transform(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                       Where where = Where::current()) override;
  Tensor fit_predict(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                     Where where = Where::current()) override;
  Tensor predict(const Tensor& x, Where where = Where::current()) const override;
  Tensor predict_proba(const Tensor& x, Where where = Where::current()) const override;
  Tensor decision_function(const Tensor& x, Where where = Where::current()) const override;
  Tensor transform(const Tensor& x, Where where = Where::current()) const override;
  Tensor inverse_transform(const Tensor& x, Where where = Where::current()) const override;
  double score(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
               Where where = Where::current()) const override;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;

  // The step of that name; throws ValueError without one.
  const Estimator& step(std::string_view name, Where where = Where::current()) const;
  // What the last step gets.
  Tensor prepared(const Tensor& x, Where where = Where::current()) const;

 private:
  using Last = std::function<Tensor(Estimator& step, const Tensor& x)>;
  // Fits all steps, the last one as it says, or none.
  Tensor fit_steps(const Tensor& x, const Tensor& y, Where where, const Last& last);

  NamedEstimators steps_;
};

// Transformers of the same features, whose outputs stand beside each other.
class FeatureUnion : public Transformer {
 public:
  FeatureUnion() = default;
  explicit FeatureUnion(NamedEstimators transformers, Where where = Where::current());

  std::string_view name() const override { return "FeatureUnion"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<FeatureUnion>(*this);
  }
  std::vector<Param> params() override;
  std::vector<std::pair<std::string, const Estimator*>> parts() const override;
  void set_parts(NamedEstimators parts, Where where = Where::current()) override;

  FeatureUnion& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                    Where where = Where::current()) override;
  Tensor transform(const Tensor& x, Where where = Where::current()) const override;
  Tensor fit_transform(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                       Where where = Where::current()) override;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;

 private:
  NamedEstimators transformers_;
};

// ---- Columns ----------------------------------------------------------------------------------

struct ColumnPart {
  std::string name;
  AnyEstimator transformer;
  std::vector<int64_t> columns;  // of X
};
enum class Remainder { kDrop, kPassthrough };

// Transformers, each of features of its own, whose outputs stand beside each other; the rest is
// dropped, or follows as it is.
class ColumnTransformer : public Transformer {
 public:
  ColumnTransformer() = default;
  explicit ColumnTransformer(std::vector<ColumnPart> parts, Remainder remainder = Remainder::kDrop,
                             Where where = Where::current());

  std::string_view name() const override { return "ColumnTransformer"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<ColumnTransformer>(*this);
  }
  std::vector<Param> params() override;
  std::vector<std::pair<std::string, const Estimator*>> parts() const override;
  void set_parts(NamedEstimators parts, Where where = Where::current()) override;
  // The columns of each part, in their order.
  std::vector<std::vector<int64_t>> columns() const;

  ColumnTransformer& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                         Where where = Where::current()) override;
  Tensor transform(const Tensor& x, Where where = Where::current()) const override;
  Tensor fit_transform(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                       Where where = Where::current()) override;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;

 private:
  Tensor outputs(const std::function<Tensor(const ColumnPart&, const Tensor&)>& of, const char* op,
                 const Tensor& x, int64_t width, Where where) const;

  std::vector<ColumnPart> parts_;
  Remainder remainder_ = Remainder::kDrop;
};

// ---- Tables -----------------------------------------------------------------------------------

// What columns of a table hold, so that other tables become numbers in the same way: texts and
// bools the codes of their sorted categories, dates days since 1970, numbers themselves; NaN is
// missing, and a text that fit() did not see is -1.
class ColumnCodes {
 public:
  struct Column {
    std::string name;
    bool category = false;
    bool date = false;
    std::vector<std::string> categories = {};  // of a category, sorted
  };
  std::vector<Column> columns;

  // Columns without any value, and, if `without` names some, those, are left out.
  ColumnCodes& fit(const tables::Table& table, const std::vector<std::string>& without = {},
                   Where where = Where::current());
  // f64 (rows, columns). Throws ValueError for a column that is missing or of another kind.
  Tensor transform(const tables::Table& table, Where where = Where::current()) const;
  // The positions of categories, or of the others.
  std::vector<int64_t> positions(bool category) const;
};

struct TableColumnsOptions {
  bool scale = true;              // numbers to mean 0 and variance 1
  bool unknown_is_error = false;  // a category that fit() did not see; else 0 of all
};
// What suits most tables: numbers get the median where they are missing, and are scaled; of
// categories each gets a feature, a missing value being one.
ColumnTransformer table_columns(const ColumnCodes& codes, const TableColumnsOptions& options = {});
// Names of what table_columns() makes, once it is fitted: "age", "sex=female", "sex=missing".
std::vector<std::string> feature_names(const ColumnCodes& codes,
                                       const ColumnTransformer& transformer);

}  // namespace glia::classic
