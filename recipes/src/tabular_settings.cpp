#include "recipes/src/tabular_settings.h"

#include <algorithm>

#include "glia/glia.h"
#include "glia/tables/read.h"

namespace glia::recipes {

void TabularSettings::declare(Fields& f) {
  const std::vector<std::string> models = tabular_models();
  const bool logistic = std::ranges::find(models, "LogisticRegression") != models.end();
  f(data, "data", "adult", "A data set, or a table of the user's.",
    data_sets("tabular", "FILE.csv"));
  const tables::TableSet* set = known();
  f(target, "target", set ? set->target : "", "The column to predict.");
  f(model, "model", logistic ? "LogisticRegression" : "DummyClassifier",
    "A classifier, or a regressor of numbers.", {models});
  f(param, "param", "", "Options of the model: \"C=0.1,penalty=l1\".");
  f(search, "search", "",
    "Options to choose among by cross-validation: \"C=0.1|1|10,penalty=l1|l2\".");
  f(cv, "cv", 5, "Folds of cross-validation; 0: none.", {0, 1000});
  f(learning_curve, "learning-curve", false,
    "Also trains on parts of the rows: scores by their number, in the report.");
  f(test, "test", 0.25, "The share of the rows that is tested on, if the data has no test.",
    {0.001, 0.999});
  std::string without;
  if (set)
    for (const std::string& name : set->without) without += (without.empty() ? "" : ",") + name;
  f(drop, "drop", without, "Columns that are not looked at: \"id,name\".");
  f(missing, "missing", "?", "Texts that stand for a missing value, besides NA and such.");
  Settings::declare(f);
}

const tables::TableSet* TabularSettings::known() const {
  const auto at = std::ranges::find(tables::table_sets(), data, &tables::TableSet::name);
  return at == tables::table_sets().end() ? nullptr : &*at;
}

tables::Table TabularSettings::read(const std::string& from, data::Split split) const {
  if (std::ranges::any_of(tables::table_sets(), [&](const auto& s) { return s.name == from; }))
    return tables::read_table_set(from, split);
  std::string name = from.ends_with(".gz") ? from.substr(0, from.size() - 3) : from;
  tables::CsvOptions options{.missing = listed(missing)};
  if (name.ends_with(".tsv")) options.separator = '\t';
  return name.ends_with(".csv") || name.ends_with(".tsv") ? tables::read_csv(from, options)
                                                          : tables::read_table(from);
}

TabularSettings::Both TabularSettings::samples(bool classes) const {
  if (target.empty()) throw Error("--target: no column is named");
  const tables::Table all = read(data, data::Train);
  Both out;
  out.form = form_of(data, all, target, listed(drop), classes);
  out.train = samples_of(all, out.form);
  const tables::TableSet* set = known();
  if (set && set->has_test) {
    out.test = samples_of(read(data, data::Test), out.form);
    return out;
  }
  const TableSplit rows = split_rows(out.train.y, classes, test, seed);
  out.test = {take(out.train.x, rows.test), take(out.train.y, rows.test)};
  out.train = {take(out.train.x, rows.train), take(out.train.y, rows.train), out.train.dropped};
  return out;
}

bool TabularSettings::is_classifier() const {
  return classic::make_estimator(model)->kind() == classic::EstimatorKind::kClassifier;
}

}  // namespace glia::recipes
