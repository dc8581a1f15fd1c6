// Tables of the user's with a column to predict, a model of package classic for them, and what a
// report says of it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "glia/classic/compose.h"
#include "glia/classic/estimator.h"
#include "glia/recipes/run.h"
#include "glia/tables/table.h"

namespace glia::recipes {

// What a model must know of its table, which its file keeps.
struct TableForm {
  classic::ColumnCodes codes;
  std::string target;
  std::vector<std::string> classes;  // of a classifier; none of a regressor

  bool is_classes() const { return !classes.empty(); }
  Facts facts() const;
  static TableForm of(const Saved& saved);  // throws IoError for what cannot be
};

struct TableSamples {
  Tensor x;             // f64 (rows, columns)
  Tensor y;             // i64 (rows) or f64 (rows)
  int64_t dropped = 0;  // rows without a target
};
// Rows whose target is not missing. A classifier's targets that the form does not know, or a text
// that should be a number, are an Error.
TableSamples samples_of(const tables::Table& table, const TableForm& form);
// The form that fits the table of a file; `classes` says what the target is. Throws IoError for a
// target that is none.
TableForm form_of(const std::string& file, const tables::Table& table, const std::string& target,
                  const std::vector<std::string>& without, bool classes);

// Rows for training and for testing, drawn by the seed; classes in both in their shares.
struct TableSplit {
  Tensor train, test;  // positions
};
TableSplit split_rows(const Tensor& y, bool classes, double test, int64_t seed);
// Positions of the tests of so many folds, which are drawn likewise.
std::vector<Tensor> fold_rows(const Tensor& y, bool classes, int64_t folds, int64_t seed);

// The names of what can be trained: classifiers and regressors.
std::vector<std::string> tabular_models();
// Sets "C=0.1,penalty=l1": options of a pipeline's part "PART__", or of the whole.
void set_options(classic::Estimator& estimator, const std::string& options,
                 const std::string& part = "");
// Columns and the model, with its options "C=0.1,penalty=l1".
classic::Pipeline table_pipeline(const std::string& model, const TableForm& form,
                                 const std::string& options);
// "C=0.1|1,penalty=l1|l2": every combination, as options.
std::vector<std::string> combinations(const std::string& text);
// "a,b" in parts, without blanks around.
std::vector<std::string> listed(const std::string& text);

// How good a model is on samples, the score that counts first: accuracy and others of classes, R^2
// and errors of numbers.
Results judged(const classic::Estimator& model, const TableSamples& samples, const TableForm& form);
// Confusion and curves of classes, or residuals of numbers.
std::vector<report::Section> judged_sections(const classic::Estimator& model,
                                             const TableSamples& samples, const TableForm& form);
// What the model weighs most: coefficients or importances, if it has any.
std::vector<report::Section> weight_sections(const classic::Pipeline& model, const TableForm& form);

}  // namespace glia::recipes
