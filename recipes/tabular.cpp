// A column of a table by the others: any classifier or regressor of package classic.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "glia/classic/plots.h"
#include "glia/glia.h"
#include "glia/recipes/run.h"
#include "glia/tables/datasets.h"
#include "glia/tables/read.h"
#include "recipes/src/explanations.h"
#include "recipes/src/tabular.h"

namespace glia::recipes {
namespace {

struct TabularSettings : Settings {
  std::string data, target, model, param, search, drop, missing;
  int64_t cv = 0;
  double test = 0;
  bool learning_curve = false;

  void declare(Fields& f) override {
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

  const tables::TableSet* known() const {
    const auto at = std::ranges::find(tables::table_sets(), data, &tables::TableSet::name);
    return at == tables::table_sets().end() ? nullptr : &*at;
  }
  tables::Table read(const std::string& from, data::Split split) const {
    if (std::ranges::any_of(tables::table_sets(), [&](const auto& s) { return s.name == from; }))
      return tables::read_table_set(from, split);
    std::string name = from.ends_with(".gz") ? from.substr(0, from.size() - 3) : from;
    tables::CsvOptions options{.missing = listed(missing)};
    if (name.ends_with(".tsv")) options.separator = '\t';
    return name.ends_with(".csv") || name.ends_with(".tsv") ? tables::read_csv(from, options)
                                                            : tables::read_table(from);
  }
  // Rows for training and testing.
  struct Both {
    TableForm form;
    TableSamples train, test;
  };
  Both samples(bool classes) const {
    if (target.empty()) throw Error("--target: no column is named");
    const tables::Table all = read(data, data::Train);
    if (!all.has(target)) all.column(target);  // says which there are
    Both out;
    out.form = form_of(all, target, listed(drop), classes);
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
  bool is_classifier() const {
    return classic::make_estimator(model)->kind() == classic::EstimatorKind::kClassifier;
  }
};

// The scores of each fold, or none if the run was to stop.
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

struct Spread {
  double mean = 0, deviation = 0;
};
// Of a result over folds; sample deviation.
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

// Of "NAME=0.5" the number; none of several options, or of a name.
std::optional<double> number_of(const std::string& options) {
  const size_t equals = options.find('=');
  double value = 0;
  const char* end = options.data() + options.size();
  if (options.find(',') != std::string::npos || equals == std::string::npos) return {};
  const auto read = std::from_chars(options.data() + equals + 1, end, value);
  return read.ptr == end && read.ec == std::errc() ? std::optional(value) : std::nullopt;
}

// The best of the options, and a table of all.
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

constexpr int64_t kBackground = 50;  // rows that stand for columns that are not known

class TablePredictor : public Predictor, public Explains {
 public:
  TablePredictor(const Saved& saved, const TabularSettings& s)
      : settings_(s), form_(TableForm::of(saved)), model_(table_pipeline(s.model, form_, "")) {
    try {
      const std::vector<classic::Param> params = model_.params();
      for (const std::string& one : saved.texts("options"))
        for (const classic::Param& p : params)
          if (one.starts_with(p.name() + "=")) p.set_text(one.substr(p.name().size() + 1));
      model_.load_state_dict(saved.weights);
    } catch (const IoError&) {
      throw;
    } catch (const Error& fault) {
      throw IoError(saved.path + ": " + fault.what());
    }
    if (form_.is_classes() != s.is_classifier() ||
        model_.n_features_in != static_cast<int64_t>(form_.codes.columns.size()))
      throw IoError(saved.path + ": what it says of its columns does not fit its model");
  }

  // A row is an object of JSON: {"age": 39, "sex": "Male"}.
  std::vector<std::string> inputs(const std::string& text) const override {
    if (text.starts_with('{')) return {text};
    const tables::Table table = settings_.read(text, data::Test);
    std::vector<std::string> rows;
    for (int64_t i = 0; i < table.rows(); ++i) {
      nlohmann::ordered_json row;
      for (const auto& own : form_.codes.columns) {
        const tables::Column& c = table.column(own.name);
        auto& value = row[own.name];
        if (c.is_missing(i)) continue;
        if (c.type() == tables::ColumnType::kFloat)
          value = c.floats()[static_cast<size_t>(i)];
        else if (c.type() == tables::ColumnType::kInteger)
          value = c.integers()[static_cast<size_t>(i)];
        else
          value = c.text(i);
      }
      rows.push_back(row.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    }
    return rows;
  }

  // A row, or the first row of a table.
  report::Report explain(const Input& input, const ExplainOptions& options) const override {
    const auto* given = std::get_if<std::string>(&input);
    if (!given) throw ValueError("a row is a text: {\"COLUMN\": VALUE, ...}");
    const std::vector<std::string> rows = inputs(*given);
    if (rows.empty()) throw IoError(*given + ": holds no rows");
    const tables::Table table = row_of(rows[0]);
    const Tensor x = form_.codes.transform(table);
    const auto samples = settings_.samples(form_.is_classes()).train.x;
    const Tensor background = slice(samples, 0, {0, std::min(samples.size(0), kBackground)});
    std::vector<std::string> names, values;
    for (const auto& c : form_.codes.columns) {
      names.push_back(c.name);
      const tables::Column& column = table.column(c.name);
      values.push_back(column.is_missing(0) ? "missing"
                       : column.type() == tables::ColumnType::kFloat
                           ? fmt::format("{:g}", column.floats()[0])
                           : column.text(0));
    }
    std::string title = form_.target;
    std::function<Tensor(const Tensor&)> said = [this](const Tensor& t) {
      return model_.predict(t);
    };
    if (form_.is_classes()) {
      const Tensor p = probabilities(x);
      if (!p.defined()) throw Error(settings_.model + " gives no probabilities to explain");
      const int64_t label = explained_class(form_.classes, options.answer, p.to_vector<double>());
      title = "probability of " + form_.classes[static_cast<size_t>(label)];
      said = [this, label](const Tensor& t) { return index(probabilities(t), {Slice{}, label}); };
    }
    return {.title = "Why: " + title,
            .subtitle = classic::to_text(model_.step("model")),
            .highlights = {{title, report::shown(said(x).item(), form_.is_classes())}},
            .sections = row_sections(said, x, background, names, values)};
  }

 protected:
  Results answer(const Input& input) const override {
    const auto* text = std::get_if<std::string>(&input);
    if (!text) throw ValueError("a row is a text: {\"COLUMN\": VALUE, ...}");
    const Tensor x = form_.codes.transform(row_of(*text));
    if (!form_.is_classes()) return {{form_.target, model_.predict(x).to_vector<double>().at(0)}};
    const auto code = model_.predict(x).to_vector<int64_t>().at(0);
    Results out = {{form_.target, name_of(code)}};
    if (const Tensor p = probabilities(x); p.defined()) {
      report::Table table{{{"class"}, {"probability", true}}, {}};
      const auto values = p.to_vector<double>();
      for (size_t c = 0; c < values.size(); ++c)
        table.rows.push_back({form_.classes.at(c), values[c]});
      out.push_back({"classes", table});
    }
    return out;
  }

  Results score(const Evaluation& what) const override {
    if (what.data.empty() || what.data == settings_.data) {
      const auto both = settings_.samples(form_.is_classes());
      return judged(model_, what.split == "train" ? both.train : both.test, form_);
    }
    return judged(model_, samples_of(settings_.read(what.data, data::Test), form_), form_);
  }

  int64_t fill_table(const std::string& from, const std::string& out) const override {
    tables::Table table = settings_.read(from, data::Test);
    if (table.rows() == 0) throw IoError(from + ": holds no rows");
    const Tensor x = form_.codes.transform(table);
    const auto named = [&](std::string name) {
      while (table.has(name)) name += "_";
      return name;
    };
    if (!form_.is_classes()) {
      table.set(tables::Column::from_floats(named(form_.target + "_predicted"),
                                            model_.predict(x).to_vector<double>()));
    } else {
      std::vector<std::optional<std::string>> names;
      for (const int64_t code : model_.predict(x).to_vector<int64_t>())
        names.emplace_back(name_of(code));
      table.set(tables::Column::from_texts(named(form_.target + "_predicted"), names));
      if (const Tensor p = probabilities(x); p.defined())
        for (size_t c = 0; c < form_.classes.size(); ++c)
          table.set(tables::Column::from_floats(
              named("probability_" + form_.classes[c]),
              index(p, {Slice{}, static_cast<int64_t>(c)}).to_vector<double>()));
    }
    tables::write_csv(out, table);
    return table.rows();
  }

 private:
  std::string name_of(int64_t code) const {
    if (code < 0 || code >= static_cast<int64_t>(form_.classes.size()))
      throw IoError("the model has a class that its file does not name");
    return form_.classes[static_cast<size_t>(code)];
  }
  // (rows, classes), or undefined.
  Tensor probabilities(const Tensor& x) const {
    Tensor p;
    try {
      p = model_.predict_proba(x);
    } catch (const Error&) {
      return {};
    }
    return p.size(1) == static_cast<int64_t>(form_.classes.size()) ? p : Tensor();
  }
  tables::Table row_of(const std::string& text) const {
    const auto row = nlohmann::ordered_json::parse(text, nullptr, false);
    if (!row.is_object()) throw ValueError("'" + text + "' is no {\"COLUMN\": VALUE, ...}");
    std::vector<tables::Column> columns;
    for (const auto& own : form_.codes.columns) {
      const auto at = row.find(own.name);
      if (at == row.end()) throw ValueError("'" + text + "' has no \"" + own.name + "\"");
      if (at->is_structured()) throw ValueError("\"" + own.name + "\" is a list or an object");
      std::optional<std::string> value;
      if (!at->is_null())
        value = at->is_string()    ? at->get<std::string>()
                : at->is_boolean() ? (at->get<bool>() ? "True" : "False")
                                   : at->dump();
      if (own.category) {
        columns.push_back(tables::Column::from_texts(own.name, {value}));
      } else if (own.date) {
        const auto date = value ? tables::parse_date(*value) : tables::kNoDate;
        if (!date) throw ValueError("\"" + own.name + "\": '" + *value + "' is no date");
        columns.push_back(tables::Column::from_dates(own.name, {*date}));
      } else {
        double number = std::nan("");
        if (value && !at->is_number() && !at->is_boolean())
          throw ValueError("\"" + own.name + "\": '" + *value + "' is no number");
        if (value) number = at->is_boolean() ? at->get<bool>() : at->get<double>();
        columns.push_back(tables::Column::from_floats(own.name, {number}));
      }
    }
    return tables::Table(std::move(columns));
  }

  const TabularSettings settings_;
  const TableForm form_;
  classic::Pipeline model_;
};

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
    .load = make_predictor<TablePredictor, TabularSettings>,
    .input = "ROW",
    .input_help = "A table's file, or a row: '{\"age\": 39, \"sex\": \"Male\"}'.",
    .predict_help = "Prints the prediction of each row and, of classes, their probabilities.",
    .evaluate_help =
        "Prints scores: accuracy, area below the ROC curve and such of classes; R^2 and errors of\n"
        "numbers. --data may name another table that has the target.",
    .resumes = false,
    .fills = true,
});

}  // namespace
}  // namespace glia::recipes
