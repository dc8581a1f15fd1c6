#include "glia/fairness/model_card.h"

#include <cmath>

#include "glia/op.h"

namespace glia::fairness {
namespace {

constexpr const char* kMissing = "Not stated.";
using Parts = std::vector<std::pair<std::string, std::string>>;

Parts parts_of(const ModelCard& c) {
  return {{"Intended use", c.intended_use},
          {"Intended users", c.users},
          {"Out-of-scope use", c.out_of_scope},
          {"Factors", c.factors},
          {"Training data", c.training_data},
          {"Evaluation data", c.evaluation_data},
          {"Ethical considerations", c.ethical_considerations},
          {"Caveats and recommendations", c.caveats}};
}
Parts facts_of(const ModelCard& c) {
  return {{"Version", c.version},       {"Date", c.date},       {"Type", c.type},
          {"Developers", c.developers}, {"Licence", c.license}, {"Citation", c.citation}};
}
Parts parts_of(const DataSheet& s) {
  return {{"Motivation", s.motivation},
          {"Composition", s.composition},
          {"Collection", s.collection},
          {"Preprocessing", s.preprocessing},
          {"Uses", s.uses},
          {"Distribution", s.distribution},
          {"Maintenance", s.maintenance}};
}

const std::string& or_missing(const std::string& text) {
  static const std::string missing = kMissing;
  return text.empty() ? missing : text;
}

std::string written(const Parts& parts) {
  std::string out;
  for (const auto& [title, text] : parts) out += "\n## " + title + "\n\n" + or_missing(text) + "\n";
  return out;
}

report::Section section_of(const Parts& parts) {
  report::Texts texts;
  for (const auto& [title, text] : parts) texts.texts.push_back({title, {{or_missing(text)}}});
  return {.title = "Description", .body = texts, .wide = true};
}

}  // namespace

std::string to_markdown(const ModelCard& card) {
  std::string out = "# Model card: " + or_missing(card.name) + "\n\n";
  for (const auto& [name, value] : facts_of(card))
    out += "- " + name + ": " + or_missing(value) + "\n";
  out += written(parts_of(card)) + "\n## Metrics\n\n";
  if (card.metrics.empty()) return out + kMissing + "\n";
  out += "| metric | value |\n| --- | --- |\n";
  for (const auto& [name, value] : card.metrics)
    out += "| " + name + " | " + report::shown(value) + " |\n";
  return out;
}

std::string to_markdown(const DataSheet& sheet) {
  std::string out = "# Data sheet: " + or_missing(sheet.name) + "\n\n";
  for (const auto& [name, value] : sheet.numbers) out += "- " + name + ": " + value + "\n";
  return out + written(parts_of(sheet));
}

report::Report to_report(const ModelCard& card) {
  report::Report page{.title = "Model card: " + or_missing(card.name),
                      .sections = {section_of(parts_of(card))},
                      .settings = {}};
  for (const auto& [name, value] : facts_of(card))
    page.settings.emplace_back(name, or_missing(value));
  for (const auto& [name, value] : card.metrics)
    page.highlights.emplace_back(name, report::shown(value));
  for (const report::Section& s : card.sections) page.sections.push_back(s);
  return page;
}

report::Report to_report(const DataSheet& sheet) {
  report::Report page{.title = "Data sheet: " + or_missing(sheet.name),
                      .sections = {section_of(parts_of(sheet))}};
  page.highlights = sheet.numbers;
  return page;
}

std::vector<report::Section> fairness_sections(const MetricFrame& frame,
                                               const std::vector<std::string>& metrics,
                                               const std::vector<std::string>& names, Where where) {
  if (names.size() != frame.groups().size() || metrics.empty())
    fail("fairness_sections",
         std::to_string(names.size()) + " names of " + std::to_string(frame.groups().size()) +
             " groups",
         where);
  if (frame.controls().size() != 1)
    fail("fairness_sections", "of a frame without control features", where);
  report::Table table{{{"group"}}, {}};
  for (const std::string& name : names) table.rows.push_back({name});
  table.rows.push_back({"all"});
  table.rows.push_back({"greatest difference"});
  for (const std::string& metric : metrics) {
    table.columns.push_back({metric});
    const auto values = frame.by_group(metric, where).to_vector<double>();
    for (size_t g = 0; g < values.size(); ++g) table.rows[g].push_back(values[g]);
    table.rows[names.size()].push_back(frame.overall(metric, where).to_vector<double>()[0]);
    table.rows[names.size() + 1].push_back(
        frame.difference(metric, Between::kGroups, where).to_vector<double>()[0]);
  }
  report::Bars bars;
  const auto first = frame.by_group(metrics[0], where).to_vector<double>();
  for (size_t g = 0; g < first.size(); ++g)
    if (std::isfinite(first[g])) bars.bars.push_back({names[g], first[g]});
  return {{.title = "Groups", .body = table, .wide = true}, {.title = metrics[0], .body = bars}};
}

}  // namespace glia::fairness
