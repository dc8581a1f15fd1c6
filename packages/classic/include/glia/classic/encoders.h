// Categories as numbers, and back. scikit-learn's names and defaults.
//
// Categories of X are numbers, such as the codes of a column of texts (ColumnCodes in compose.h);
// they ascend, and NaN is one of its own, the last.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "glia/classic/estimator.h"
#include "glia/tables/table.h"

namespace glia::classic {

// The categories of each feature.
struct Categories {
  std::vector<std::vector<double>> values;  // ascending, NaN last
};

enum class OneHotUnknown { kError, kIgnore };  // ignore: 0 of all
enum class OneHotDrop { kNone, kFirst, kIfBinary };
struct OneHotEncoderOptions {
  OneHotDrop drop = OneHotDrop::kNone;  // the first category, which all 0 then stands for
  OneHotUnknown handle_unknown = OneHotUnknown::kError;
};
// A feature of 0 and 1 for each category.
class OneHotEncoder : public Transformer {
 public:
  explicit OneHotEncoder(const OneHotEncoderOptions& options = {}) : options_(options) {}

  std::string_view name() const override { return "OneHotEncoder"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<OneHotEncoder>(*this);
  }
  std::vector<Param> params() override;
  OneHotEncoder& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                     Where where = Where::current()) override;
  Tensor transform(const Tensor& x, Where where = Where::current()) const override;
  Tensor inverse_transform(const Tensor& x, Where where = Where::current()) const override;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const OneHotEncoderOptions& options() const { return options_; }

  Categories categories;

 private:
  OneHotEncoderOptions options_;
};

enum class OrdinalUnknown { kError, kUseEncodedValue };
struct OrdinalEncoderOptions {
  OrdinalUnknown handle_unknown = OrdinalUnknown::kError;
  double unknown_value = -1;                         // of kUseEncodedValue
  std::optional<double> encoded_missing_value = {};  // of NaN; unset: it stays NaN
};
// Each category by its number: 0, 1, ...
class OrdinalEncoder : public Transformer {
 public:
  explicit OrdinalEncoder(const OrdinalEncoderOptions& options = {}) : options_(options) {}

  std::string_view name() const override { return "OrdinalEncoder"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<OrdinalEncoder>(*this);
  }
  std::vector<Param> params() override;
  OrdinalEncoder& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                      Where where = Where::current()) override;
  Tensor transform(const Tensor& x, Where where = Where::current()) const override;
  Tensor inverse_transform(const Tensor& x, Where where = Where::current()) const override;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const OrdinalEncoderOptions& options() const { return options_; }

  Categories categories;

 private:
  OrdinalEncoderOptions options_;
};

enum class TargetType { kAuto, kContinuous, kBinary, kMulticlass };
struct TargetEncoderOptions {
  TargetType target_type = TargetType::kAuto;  // auto: whole numbers are classes
  std::optional<double> smooth = {};  // samples of the overall mean; unset: by the variances
  int64_t cv = 5;
  uint64_t random_state = 0;
};
// Each category by the mean of its targets, drawn towards that of all (Micci-Barreca 2001); an
// unknown one by that. Of several classes a feature each. fit_transform() encodes each of `cv`
// parts, shuffled, by the others: what fit() and transform() give would tell the targets.
class TargetEncoder : public Transformer {
 public:
  explicit TargetEncoder(const TargetEncoderOptions& options = {}) : options_(options) {}

  std::string_view name() const override { return "TargetEncoder"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<TargetEncoder>(*this);
  }
  std::vector<Param> params() override;
  TargetEncoder& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                     Where where = Where::current()) override;
  Tensor transform(const Tensor& x, Where where = Where::current()) const override;
  Tensor fit_transform(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                       Where where = Where::current()) override;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const TargetEncoderOptions& options() const { return options_; }

  Categories categories;
  std::vector<std::vector<double>> encodings;  // of each feature, or each feature and class
  Tensor target_mean;                          // (1) or (classes) f64
  Tensor classes;                              // (classes) i64, or (0) of numbers

 private:
  TargetEncoderOptions options_;
};

// Labels by their numbers: those of a column of a table, sorted; a Classifier's y. Not an
// Estimator.
class LabelEncoder {
 public:
  std::vector<std::string> classes;  // as text, ascending: numbers by value

  LabelEncoder& fit(const tables::Column& y, Where where = Where::current());
  // i64 (N). Throws ValueError for a missing label, and for one that fit() did not see.
  Tensor transform(const tables::Column& y, Where where = Where::current()) const;
  Tensor fit_transform(const tables::Column& y, Where where = Where::current());
  // The texts of numbers (N).
  std::vector<std::string> inverse_transform(const Tensor& y, Where where = Where::current()) const;
};

}  // namespace glia::classic
