// What should be said of a model and of its data before others rely on them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "glia/fairness/metrics.h"
#include "glia/report.h"

namespace glia::fairness {

// Model cards (Mitchell et al. 2019). Empty parts are named as missing, so that nobody takes them
// for done.
struct ModelCard {
  std::string name, version, date, type;  // type: what kind of model
  std::string developers, license, citation;
  std::string intended_use, users, out_of_scope;
  std::string factors;  // groups, instruments, environments
  std::string training_data, evaluation_data;
  std::string ethical_considerations, caveats;
  std::vector<std::pair<std::string, double>> metrics;  // measured on the evaluation data
  std::vector<report::Section> sections;                // charts of the run
};
// Data sheets (Gebru et al. 2021).
struct DataSheet {
  std::string name, motivation, composition, collection, preprocessing, uses, distribution,
      maintenance;
  std::vector<std::pair<std::string, std::string>> numbers;  // rows, columns, missing values
};

std::string to_markdown(const ModelCard& card);
std::string to_markdown(const DataSheet& sheet);
report::Report to_report(const ModelCard& card);
report::Report to_report(const DataSheet& sheet);

// A table of each metric in each group with its greatest difference, and bars of the first metric.
// `names` are those of the groups, in the frame's order.
std::vector<report::Section> fairness_sections(const MetricFrame& frame,
                                               const std::vector<std::string>& metrics,
                                               const std::vector<std::string>& names,
                                               Where where = Where::current());

}  // namespace glia::fairness
