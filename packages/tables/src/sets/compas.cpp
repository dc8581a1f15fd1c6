// A table with a header, of which some columns are read: the published one has more, with names.
#include "glia/error.h"
#include "glia/tables/datasets.h"
#include "glia/tables/read.h"

namespace glia::tables {
namespace {

const data::RegisterEntry set({
    .name = "compas",
    .title = "recidivism (COMPAS)",
    .home = "https://github.com/propublica/compas-analysis",
    .licence = "not stated",
    .task = "tabular",
    .files = {{"two-years.csv",
               "https://raw.githubusercontent.com/propublica/compas-analysis/master/"
               "compas-scores-two-years.csv"}},
});

}  // namespace

Table compas(const std::string& folder) {
  const std::string path =
      data::file_in(data::find(data::entry("compas"), folder), "two-years.csv");
  return read_csv(path, {.columns = {"sex", "age", "age_cat", "race", "juv_fel_count",
                                     "juv_misd_count", "juv_other_count", "priors_count",
                                     "days_b_screening_arrest", "c_charge_degree", "is_recid",
                                     "decile_score", "score_text", "two_year_recid"},
                         .types = {{"age", ColumnType::kInteger},
                                   {"priors_count", ColumnType::kInteger},
                                   {"two_year_recid", ColumnType::kInteger},
                                   {"sex", ColumnType::kText},
                                   {"race", ColumnType::kText}}});
}

}  // namespace glia::tables
