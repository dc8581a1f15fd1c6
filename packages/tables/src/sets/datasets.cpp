#include "glia/tables/datasets.h"

#include <algorithm>

#include "glia/error.h"

namespace glia::tables {

const std::vector<TableSet>& table_sets() {
  static const std::vector<TableSet> sets = {
      {.name = "adult", .target = "income", .has_test = true},
      // Scores of COMPAS itself, and whether there was any later offence.
      {.name = "compas",
       .target = "two_year_recid",
       .without = {"is_recid", "decile_score", "score_text"}},
  };
  return sets;
}

Table read_table_set(const std::string& name, data::Split split, const std::string& folder) {
  const auto set = std::ranges::find(table_sets(), name, &TableSet::name);
  if (set == table_sets().end()) throw Error("there is no table '" + name + "' in the catalogue");
  if (split == data::Test && !set->has_test) throw Error(name + ": has no split of its own");
  return name == "adult" ? adult(split, folder) : compas(folder);
}

}  // namespace glia::tables
