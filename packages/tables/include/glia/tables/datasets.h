// Tables of the catalogue.
#pragma once

#include <string>
#include <vector>

#include "glia/catalogue.h"
#include "glia/tables/table.h"

namespace glia::tables {

// What is said of a set: its column of targets, and those that must not be looked at, since they
// say as much or were only known afterwards.
struct TableSet {
  std::string name;
  std::string target;
  std::vector<std::string> without = {};
  bool has_test = false;  // the set says which rows are for testing
};
const std::vector<TableSet>& table_sets();
// The rows of one of them. Without a split of its own, all are those of data::Train, and asking for
// data::Test is an Error. The folder as in glia/catalogue.h; throws IoError.
Table read_table_set(const std::string& name, data::Split split = data::Train,
                     const std::string& folder = "");

// Census income (Kohavi, Becker 1996): 32,561 and 16,281 rows, 14 columns and "income"; "?" is
// missing.
Table adult(data::Split split = data::Train, const std::string& folder = "");
// Recidivism within two years (Larson et al., ProPublica 2016): 7,214 rows, 13 columns and
// "two_year_recid".
Table compas(const std::string& folder = "");

}  // namespace glia::tables
