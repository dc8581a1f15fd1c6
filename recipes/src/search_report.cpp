// What a search shows of its trials.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "glia/recipes/run.h"
#include "glia/runtime.h"
#include "search_plan.h"

namespace glia::recipes {
namespace {

using Cell = report::Table::Cell;

// The trials that did not fail, the best first.
std::vector<size_t> ranking(const Searched& searched) {
  std::vector<size_t> order(searched.trials.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const double x = searched.trials[a].value, y = searched.trials[b].value;
    if (std::isnan(x) || std::isnan(y)) return !std::isnan(x) && std::isnan(y);
    return searched.highest ? x > y : x < y;
  });
  return order;
}

std::string with_spaces(std::string name) {
  std::replace(name.begin(), name.end(), '_', ' ');
  return name;
}

report::Section best_so_far(const Searched& searched) {
  std::vector<double> each, best;
  double so_far = std::numeric_limits<double>::quiet_NaN();
  for (const SearchTrial& t : searched.trials) {
    each.push_back(t.value);
    if (std::isnan(so_far) || (searched.highest ? t.value > so_far : t.value < so_far))
      so_far = t.value;
    best.push_back(so_far);
  }
  return {"Best so far", report::Curves{.series = {{"best", best}, {"each trial", each}},
                                        .x = {"trial"},
                                        .y = {with_spaces(searched.metric)}}};
}

// The value of the metric by that of a number.
report::Section by_number(const Searched& searched, const classic::Distribution& d) {
  std::vector<double> points;
  std::vector<std::string> names;
  for (const SearchTrial& t : searched.trials)
    for (const auto& [name, value] : t.settings) {
      if (name != d.name || std::isnan(t.value)) continue;
      const auto* whole = std::get_if<int64_t>(&value);
      points.push_back(whole ? static_cast<double>(*whole) : std::get<double>(value));
      points.push_back(t.value);
      names.push_back(t.folder + ": " + settings_text(t.settings));
    }
  const auto count = static_cast<int64_t>(names.size());
  return {with_spaces(searched.metric) + " by " + d.name,
          report::Scatter{.frames = {{.points = from_vector(points, {count, 2}), .names = names}},
                          .x = {d.name, false, d.log},
                          .y = {with_spaces(searched.metric)}}};
}

// The best value of the metric with each choice.
report::Section by_choice(const Searched& searched, const classic::Distribution& d) {
  report::Bars bars;
  for (const size_t i : ranking(searched)) {
    const SearchTrial& t = searched.trials[i];
    for (const auto& [name, value] : t.settings) {
      const std::string choice = shown(value);
      if (name == d.name && !std::isnan(t.value) &&
          std::ranges::count(bars.bars, choice, &report::Bars::Bar::name) == 0)
        bars.bars.push_back({choice, t.value});
    }
  }
  return {fmt::format("Best {} by {}", with_spaces(searched.metric), d.name), bars};
}

bool is_numeric(const classic::Distribution& d) {
  return d.is_range() || std::ranges::all_of(d.choices, [](const classic::ParamValue& v) {
           return std::holds_alternative<int64_t>(v) || std::holds_alternative<double>(v);
         });
}

}  // namespace

report::Table to_table(const Searched& searched, int64_t most) {
  report::Table table{{{"trial"}}, {}};
  if (searched.trials.empty()) return table;
  for (const auto& [name, value] : searched.trials[0].settings) table.columns.push_back({name});
  table.columns.push_back({searched.metric});
  table.columns.push_back({"seconds"});
  for (const size_t i : ranking(searched)) {
    if (static_cast<int64_t>(table.rows.size()) >= most) break;
    const SearchTrial& t = searched.trials[i];
    std::vector<Cell> row = {i + 1};
    for (const auto& [name, value] : t.settings) {
      if (const auto* whole = std::get_if<int64_t>(&value))
        row.emplace_back(*whole);
      else if (const auto* number = std::get_if<double>(&value))
        row.emplace_back(*number);
      else
        row.emplace_back(shown(value));
    }
    row.push_back(std::isnan(t.value) ? Cell("failed") : Cell(t.value));
    row.emplace_back(t.seconds);
    table.rows.push_back(std::move(row));
  }
  return table;
}

report::Report report_of(const Recipe& recipe, const SearchPlan& plan, const Searched& searched,
                         double seconds) {
  const SearchTrial& best = searched.trials[searched.best];
  report::Report page{
      .title = "Search for settings of " + recipe.name,
      .subtitle = fmt::format("{} trials by {}, {}", searched.trials.size(),
                              name_of(plan.job().method), version()),
      .highlights = {{"best " + with_spaces(searched.metric), report::shown(best.value)},
                     {"in", best.folder},
                     {"time", duration(seconds)}}};
  for (const auto& [name, value] : best.settings) page.highlights.emplace_back(name, shown(value));
  page.sections.push_back(best_so_far(searched));
  for (const classic::Distribution& d : plan.space())
    page.sections.push_back(is_numeric(d) ? by_number(searched, d) : by_choice(searched, d));
  page.sections.push_back({"Trials", to_table(searched), "The best first.", true});
  page.settings = {{"space", plan.job().space}, {"method", name_of(plan.job().method)}};
  for (const auto& [name, value] : plan.job().given) page.settings.emplace_back(name, shown(value));
  return page;
}

}  // namespace glia::recipes
