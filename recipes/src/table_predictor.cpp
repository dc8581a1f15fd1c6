#include "recipes/src/table_predictor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "glia/glia.h"
#include "glia/tables/read.h"
#include "recipes/src/explanations.h"
#include "recipes/src/predictors.h"

namespace glia::recipes {
namespace {

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
    const std::string& given = text_of(input, "a row is a text: {\"COLUMN\": VALUE, ...}");
    const std::vector<std::string> rows = inputs(given);
    if (rows.empty()) throw IoError(given + ": holds no rows");
    const tables::Table table = row_of(rows[0]);
    const Tensor x = form_.codes.transform(table);
    const auto samples = settings_.samples(form_.is_classes()).train.x;
    const Tensor background = slice(samples, 0, {0, std::min(samples.size(0), kBackground)});
    std::vector<RowColumn> columns;
    for (const auto& c : form_.codes.columns) {
      const tables::Column& column = table.column(c.name);
      columns.push_back({c.name,
                         column.is_missing(0) ? "missing"
                         : column.type() == tables::ColumnType::kFloat
                             ? fmt::format("{:g}", column.floats()[0])
                             : column.text(0),
                         c.categories});
    }
    std::string title = form_.target;
    std::function<Tensor(const Tensor&)> said = [this](const Tensor& t) {
      return model_.predict(t);
    };
    if (!form_.is_classes() && !options.answer.empty())
      throw ValueError("'" + options.answer + "' is no class: the model says numbers");
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
            .sections = row_sections(said, x, background, columns)};
  }

 protected:
  Results answer(const Input& input) const override {
    const std::string& text = text_of(input, "a row is a text: {\"COLUMN\": VALUE, ...}");
    const Tensor x = form_.codes.transform(row_of(text));
    if (!form_.is_classes()) return {{form_.target, model_.predict(x).to_vector<double>().at(0)}};
    const auto code = model_.predict(x).to_vector<int64_t>().at(0);
    Results out = {{form_.target, name_of(code)}};
    if (const Tensor p = probabilities(x); p.defined()) {
      out.push_back({"classes", probability_table(form_.classes, p.to_vector<double>())});
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

}  // namespace

std::unique_ptr<Predictor> table_predictor(const Saved& saved, const TabularSettings& s) {
  return std::make_unique<TablePredictor>(saved, s);
}

}  // namespace glia::recipes
