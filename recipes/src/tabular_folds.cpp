#include "recipes/src/tabular_folds.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

#include "glia/classic/plots.h"
#include "glia/glia.h"

namespace glia::recipes {
namespace {

// Of "NAME=0.5" the number; none of several options, or of a name.
std::optional<double> number_of(const std::string& options) {
  const size_t equals = options.find('=');
  double value = 0;
  const char* end = options.data() + options.size();
  if (options.find(',') != std::string::npos || equals == std::string::npos) return {};
  const auto read = std::from_chars(options.data() + equals + 1, end, value);
  return read.ptr == end && read.ec == std::errc() ? std::optional(value) : std::nullopt;
}

}  // namespace

std::vector<Results> cross_validated(Run& run, const classic::Pipeline& model,
                                     const TableSamples& samples, const TableForm& form,
                                     const TabularSettings& s) {
  std::vector<Results> out;
  const std::vector<Tensor> folds = fold_rows(samples.y, form.is_classes(), s.cv, s.seed);
  for (const Tensor& test : folds) {
    std::vector<int64_t> train;
    const auto held = test.to_vector<int64_t>();
    for (int64_t i = 0; i < samples.y.size(0); ++i)
      if (!std::binary_search(held.begin(), held.end(), i)) train.push_back(i);
    const Tensor rows = from_vector(train, {static_cast<int64_t>(train.size())});
    const auto fold = model.clone();
    fold->fit(take(samples.x, rows), take(samples.y, rows));
    out.push_back(judged(*fold, {take(samples.x, test), take(samples.y, test)}, form));
    if (run.interrupted()) throw Interrupted("stopped; nothing is saved");
  }
  return out;
}

Spread spread_of(const std::vector<Results>& folds, const std::string& name) {
  std::vector<double> values;
  for (const Results& fold : folds)
    for (const Result& r : fold)
      if (r.name == name) values.push_back(std::get<double>(r.value));
  Spread out;
  const auto n = static_cast<double>(values.size());
  for (const double v : values) out.mean += v / n;
  for (const double v : values) out.deviation += (v - out.mean) * (v - out.mean);
  out.deviation = values.size() > 1 ? std::sqrt(out.deviation / (n - 1)) : 0;
  return out;
}

report::Section cv_section(const std::vector<Results>& folds) {
  report::Table table{{{"score"}, {"mean"}, {"deviation"}}, {}};
  for (size_t i = 0; i < folds.size(); ++i)
    table.columns.push_back({fmt::format("fold {}", i + 1)});
  for (const Result& r : folds.at(0)) {
    if (!std::holds_alternative<double>(r.value)) continue;
    const Spread spread = spread_of(folds, r.name);
    std::vector<report::Table::Cell> row = {r.name, spread.mean, spread.deviation};
    for (const Results& fold : folds)
      for (const Result& other : fold)
        if (other.name == r.name) row.emplace_back(std::get<double>(other.value));
    row.resize(table.columns.size(), "");
    table.rows.push_back(std::move(row));
  }
  return {"Cross-validation", table, "Of the rows for training.", true};
}

std::string chosen(Run& run, const TableSamples& samples, const TableForm& form,
                   const TabularSettings& s, std::vector<report::Section>& sections) {
  if (s.cv < 2) throw Error("--search chooses by cross-validation: --cv 2 or more");
  report::Table table{{{"options"}, {"mean"}, {"deviation"}}, {}};
  std::string best, score;
  double most = -std::numeric_limits<double>::infinity();
  std::vector<double> values, scores;  // of an option that is one number
  for (const std::string& options : combinations(s.search)) {
    const std::string all = s.param + "," + options;
    const auto folds = cross_validated(run, table_pipeline(s.model, form, all), samples, form, s);
    const Spread spread = spread_of(folds, folds[0][0].name);
    run.say(fmt::format("{}: {} {:.6g} +- {:.2g}", options, folds[0][0].name, spread.mean,
                        spread.deviation));
    table.rows.push_back({options, spread.mean, spread.deviation});
    score = folds[0][0].name;
    if (const auto value = number_of(options)) {
      values.push_back(*value);
      for (const Results& fold : folds) scores.push_back(std::get<double>(fold[0].value));
    }
    if (spread.mean > most) {
      most = spread.mean;
      best = options;
    }
  }
  sections.push_back({"Search", table, fmt::format("Chosen: {}", best), true});
  const auto count = static_cast<int64_t>(values.size());
  if (count > 1 && values.size() == table.rows.size() && std::ranges::is_sorted(values))
    sections.push_back(classic::validation_curve_section(
        s.search.substr(0, s.search.find('=')), values,
        {{}, from_vector(scores, {count, static_cast<int64_t>(scores.size()) / count})}, score,
        values.front() > 0 && values.back() / values.front() >= 100));
  return s.param + "," + best;
}

}  // namespace glia::recipes
