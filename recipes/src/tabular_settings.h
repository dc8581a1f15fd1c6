// What is chosen of a run on a table, and the rows that this means.
#pragma once

#include <string>

#include "glia/recipes/run.h"
#include "glia/tables/datasets.h"
#include "recipes/src/tabular.h"

namespace glia::recipes {

struct TabularSettings : Settings {
  std::string data, target, model, param, search, drop, missing;
  int64_t cv = 0;
  double test = 0;
  bool learning_curve = false;

  void declare(Fields& f) override;
  const tables::TableSet* known() const;  // or null
  tables::Table read(const std::string& from, data::Split split) const;
  // Rows for training and testing.
  struct Both {
    TableForm form;
    TableSamples train, test;
  };
  Both samples(bool classes) const;
  bool is_classifier() const;
};

}  // namespace glia::recipes
