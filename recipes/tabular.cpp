// A column of a table by the others: any classifier or regressor of package classic.
#include <fmt/format.h>

#include <filesystem>

#include "glia/classic/plots.h"
#include "glia/glia.h"
#include "recipes/src/table_predictor.h"
#include "recipes/src/tabular_folds.h"

namespace glia::recipes {
namespace {

void train(Run& run, const TabularSettings& s) {
  const auto [form, training, test] = s.samples(s.is_classifier());
  std::vector<report::Section> sections;
  run.say(fmt::format(
      "{}: {} rows to train on and {} to test on, {} columns{}; results in {}", s.data,
      training.y.size(0), test.y.size(0), form.codes.columns.size(),
      training.dropped > 0 ? fmt::format(", {} rows without {}", training.dropped, s.target) : "",
      run.folder()));
  classic::Pipeline model = table_pipeline(s.model, form, s.param);
  const std::string options = s.search.empty() ? s.param : chosen(run, training, form, s, sections);
  model = table_pipeline(s.model, form, options);
  std::vector<Results> folds;
  if (s.cv >= 2) {
    folds = cross_validated(run, model, training, form, s);
    sections.insert(sections.begin(), cv_section(folds));
  }
  model.fit(training.x, training.y);
  Results results = judged(model, test, form);
  if (!folds.empty()) {
    const Spread spread = spread_of(folds, results[0].name);
    results.push_back({"cv_" + results[0].name, spread.mean, results[0].percent});
    results.push_back({"cv_deviation", spread.deviation});
  }
  Facts facts = form.facts();
  std::vector<std::string> values;
  for (const auto& [name, value] : classic::get_params(model))
    if (name.starts_with("model__")) values.push_back(name + "=" + classic::to_text(value));
  facts.emplace_back("options", values);
  run.save(model.state_dict(), facts);

  for (report::Section& section : judged_sections(model, test, form))
    sections.push_back(std::move(section));
  if (s.learning_curve)
    sections.push_back(classic::learning_curve_section(
        classic::learning_curve(model, training.x, training.y,
                                {.cv = classic::CV(std::max<int64_t>(s.cv, 2)),
                                 .shuffle = true,
                                 .random_state = static_cast<uint64_t>(s.seed)}),
        form.is_classes() ? "accuracy" : "R^2"));
  for (report::Section& section : weight_sections(model, form))
    sections.push_back(std::move(section));
  sections.push_back({"Columns", [&] {
                        report::Table table{{{"column"}, {"kind"}, {"categories"}}, {}};
                        for (const auto& c : form.codes.columns)
                          table.rows.push_back({c.name,
                                                c.category ? "category"
                                                : c.date   ? "date"
                                                           : "number",
                                                static_cast<int64_t>(c.categories.size())});
                        return table;
                      }()});
  run.finish({.title = fmt::format("{} of {}", s.target,
                                   std::filesystem::path(s.data).filename().string()),
              .subtitle = fmt::format("{} on {} rows by {}", classic::to_text(model.step("model")),
                                      training.y.size(0), version()),
              .sections = sections},
             std::move(results));
}

const Register<TabularSettings> tabular({
    .name = "tabular",
    .task = "tabular",
    .description = "A column of a table by the others, by any classifier or regressor.",
    .run_name =
        [](const TabularSettings& s) {
          return fmt::format("tabular-{}-{}", std::filesystem::path(s.data).stem().string(),
                             s.model);
        },
    .references = [](const TabularSettings& s) -> std::vector<Reference> {
      if (s.data != "adult" || !s.is_classifier()) return {};
      return {{"accuracy", 0.8590, "NBTree (Kohavi 1996), of the set's description"}};
    },
    .train = train,
    .load = table_predictor,
    .input = "ROW",
    .input_help = "A table's file, or a row: '{\"age\": 39, \"sex\": \"Male\"}'.",
    .predict_help = "Prints the prediction of each row and, of classes, their probabilities.",
    .evaluate_help =
        "Prints scores: accuracy, area below the ROC curve and such of classes; R^2 and errors of\n"
        "numbers. --data may name another table that has the target.",
    .resumes = false,
    .fills = true,
    .explains = true,
});

}  // namespace
}  // namespace glia::recipes
