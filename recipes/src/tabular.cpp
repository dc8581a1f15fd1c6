#include "tabular.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "glia/classic/calibration.h"
#include "glia/classic/encoders.h"
#include "glia/classic/metrics.h"
#include "glia/classic/plots.h"
#include "glia/classic/tree.h"
#include "glia/data.h"
#include "glia/error.h"
#include "glia/io.h"
#include "glia/ops.h"
#include "recipes/src/shuffled.h"

namespace glia::recipes {
namespace {

std::string text_between(const std::string& text, size_t begin, size_t end) {
  while (begin < end && text[begin] == ' ') ++begin;
  while (end > begin && text[end - 1] == ' ') --end;
  return text.substr(begin, end - begin);
}

std::vector<std::string> split_at(const std::string& text, char separator) {
  std::vector<std::string> out;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(separator, at), text.size());
    if (std::string part = text_between(text, at, end); !part.empty())
      out.push_back(std::move(part));
    at = end + 1;
  }
  return out;
}

// Probabilities (rows, classes), or undefined.
Tensor probabilities(const classic::Estimator& model, const Tensor& x) {
  try {
    return model.predict_proba(x);
  } catch (const Error&) {
    return {};
  }
}

}  // namespace

std::vector<std::string> listed(const std::string& text) { return split_at(text, ','); }

// ---- Tables -----------------------------------------------------------------------------------

Facts TableForm::facts() const {
  std::vector<std::string> names, kinds, categories;
  std::vector<double> counts;
  for (const auto& column : codes.columns) {
    names.push_back(column.name);
    kinds.emplace_back(column.category ? "category" : column.date ? "date" : "number");
    counts.push_back(static_cast<double>(column.categories.size()));
    categories.insert(categories.end(), column.categories.begin(), column.categories.end());
  }
  return {{"columns", names},         {"kinds", kinds},          {"category_counts", counts},
          {"categories", categories}, {"target_column", target}, {"classes", classes}};
}

TableForm TableForm::of(const Saved& saved) {
  TableForm form;
  const auto& names = saved.texts("columns");
  const auto& kinds = saved.texts("kinds");
  const auto& counts = saved.numbers("category_counts");
  const auto& categories = saved.texts("categories");
  const auto fail = [&] {
    throw IoError(saved.path + ": what it says of its columns does not fit");
  };
  if (names.empty() || kinds.size() != names.size() || counts.size() != names.size()) fail();
  size_t at = 0;
  for (size_t i = 0; i < names.size(); ++i) {
    const double count = counts[i];
    if (!(count >= 0 && count <= static_cast<double>(categories.size() - at)) ||
        count != std::floor(count))
      fail();
    if (kinds[i] != "category" && kinds[i] != "date" && kinds[i] != "number") fail();
    const auto begin = categories.begin() + static_cast<std::ptrdiff_t>(at);
    at += static_cast<size_t>(count);
    classic::ColumnCodes::Column column{
        .name = names[i],
        .category = kinds[i] == "category",
        .date = kinds[i] == "date",
        .categories = {begin, categories.begin() + static_cast<std::ptrdiff_t>(at)}};
    if (!std::is_sorted(column.categories.begin(), column.categories.end())) fail();
    form.codes.columns.push_back(std::move(column));
  }
  if (at != categories.size()) fail();
  form.target = saved.text("target_column");
  form.classes = saved.texts("classes");
  return form;
}

TableForm form_of(const std::string& file, const tables::Table& table, const std::string& target,
                  const std::vector<std::string>& without, bool classes) {
  if (!table.has(target))
    throw IoError(fmt::format("{}: there is no column '{}', but {}", file, target,
                              fmt::join(table.names(), ", ")));
  TableForm form;
  form.target = target;
  std::vector<std::string> out = without;
  out.push_back(target);
  form.codes.fit(table, out, {});
  const tables::Column& column = table.column(target);
  if (!classes) {
    if (!column.is_number())
      throw IoError(fmt::format("{}: column '{}' is {}: a regressor predicts numbers", file, target,
                                tables::type_name(column.type())));
    return form;
  }
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < column.size(); ++i)
    if (!column.is_missing(i)) rows.push_back(i);
  if (rows.empty()) throw IoError(fmt::format("{}: column '{}' is all missing", file, target));
  form.classes = classic::LabelEncoder().fit(column.take(rows)).classes;
  constexpr size_t kMostClasses = 1000;
  if (form.classes.size() < 2 || form.classes.size() > kMostClasses)
    throw IoError(fmt::format("{}: column '{}' has {}, and not from 2 to {} classes", file, target,
                              form.classes.size() == 1
                                  ? "one value alone"
                                  : fmt::format("{} different values", form.classes.size()),
                              kMostClasses));
  return form;
}

TableSamples samples_of(const tables::Table& table, const TableForm& form) {
  const tables::Column& target = table.column(form.target);
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < target.size(); ++i)
    if (!target.is_missing(i)) rows.push_back(i);
  if (rows.empty()) throw Error(fmt::format("column '{}' is all missing", form.target));
  TableSamples out;
  out.dropped = target.size() - static_cast<int64_t>(rows.size());
  const tables::Table kept = out.dropped > 0 ? table.take(rows) : table;
  out.x = form.codes.transform(kept);
  const tables::Column& y = kept.column(form.target);
  if (form.is_classes()) {
    classic::LabelEncoder encoder;
    encoder.classes = form.classes;
    out.y = encoder.transform(y);
    return out;
  }
  if (!y.is_number())
    throw Error(
        fmt::format("column '{}' is {} and not numbers", form.target, tables::type_name(y.type())));
  out.y = y.to_tensor();
  return out;
}

// ---- Splits -----------------------------------------------------------------------------------

namespace {

// All positions in an order that is drawn; classes one after the other, if there are some.
std::vector<int64_t> drawn(const Tensor& y, bool classes, int64_t seed) {
  std::vector<int64_t> order = shuffled(y.size(0), static_cast<uint64_t>(seed));
  if (classes) {
    const auto labels = y.to_vector<int64_t>();
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
      return labels[static_cast<size_t>(a)] < labels[static_cast<size_t>(b)];
    });
  }
  return order;
}

Tensor positions(std::vector<int64_t> rows) {
  std::sort(rows.begin(), rows.end());
  return from_vector(rows, {static_cast<int64_t>(rows.size())});
}

}  // namespace

TableSplit split_rows(const Tensor& y, bool classes, double test, int64_t seed) {
  std::vector<int64_t> train, held;
  double owed = 0.5;  // so that every run of neighbours gives its share
  for (const int64_t i : drawn(y, classes, seed)) {
    owed += test;
    const bool take = owed >= 1;
    if (take) owed -= 1;
    (take ? held : train).push_back(i);
  }
  if (train.empty() || held.empty())
    throw Error(fmt::format("--test {}: {} rows are too few", test, y.size(0)));
  return {positions(std::move(train)), positions(std::move(held))};
}

std::vector<Tensor> fold_rows(const Tensor& y, bool classes, int64_t folds, int64_t seed) {
  std::vector<std::vector<int64_t>> parts(static_cast<size_t>(folds));
  size_t next = 0;
  for (const int64_t i : drawn(y, classes, seed)) parts[next++ % parts.size()].push_back(i);
  std::vector<Tensor> out;
  for (auto& part : parts) {
    if (part.empty()) throw Error(fmt::format("--cv {}: {} rows are too few", folds, y.size(0)));
    out.push_back(positions(std::move(part)));
  }
  return out;
}

// ---- Models -----------------------------------------------------------------------------------

std::vector<std::string> tabular_models() {
  std::vector<std::string> out;
  for (const std::string& name : classic::estimator_names()) {
    const auto kind = classic::make_estimator(name)->kind();
    if (kind == classic::EstimatorKind::kClassifier || kind == classic::EstimatorKind::kRegressor)
      out.push_back(name);
  }
  return out;
}

namespace {

// Whether the model takes missing values and categories as they are.
bool takes_tables(const std::string& model) { return model.starts_with("HistGradientBoosting"); }

// Whether splits alone count, for which columns may be of any scale; then rules have their units.
bool is_of_trees(const std::string& model) {
  return model.find("Tree") != std::string::npos || model.starts_with("RandomForest") ||
         model.starts_with("GradientBoosting") || model.starts_with("AdaBoost");
}

// The columns that it is to take for categories; those of more than it has bins for are numbers.
std::string category_columns(const classic::ColumnCodes& codes) {
  constexpr size_t kMostCategories = 254;  // besides those that were not seen
  std::string out;
  for (const int64_t c : codes.positions(true))
    if (codes.columns[static_cast<size_t>(c)].categories.size() <= kMostCategories)
      out += (out.empty() ? "" : ",") + std::to_string(c);
  return out;
}

}  // namespace

void set_options(classic::Estimator& estimator, const std::string& options,
                 const std::string& part) {
  const std::vector<classic::Param> params = estimator.params();
  for (const std::string& one : listed(options)) {
    const size_t equals = one.find('=');
    if (equals == std::string::npos || equals == 0)
      throw Error("'" + one + "' is no option: NAME=VALUE");
    const std::string name = one.substr(0, equals);
    const auto named = [&](const std::string& full) {
      return std::ranges::find_if(params, [&](const auto& p) { return p.name() == full; });
    };
    auto found = named(part + name);
    if (found == params.end()) found = named(name);
    if (found == params.end()) {
      std::string known;
      for (const auto& p : params)
        if (p.name().starts_with(part))
          known += (known.empty() ? "" : ", ") + p.name().substr(part.size());
      std::string_view of = estimator.name();
      for (const auto& [step, inner] : estimator.parts())
        if (step + "__" == part) of = inner->name();
      throw Error(
          fmt::format("{} has no option {}{}", of, name, known.empty() ? "" : ", but " + known));
    }
    found->set_text(text_between(one, equals + 1, one.size()));
  }
}

classic::Pipeline table_pipeline(const std::string& model, const TableForm& form,
                                 const std::string& options) {
  classic::ColumnTransformer columns =
      takes_tables(model) ? classic::ColumnTransformer({}, classic::Remainder::kPassthrough)
                          : classic::table_columns(form.codes, {.scale = !is_of_trees(model)});
  classic::NamedEstimators steps;
  steps.emplace_back("columns", std::make_unique<classic::ColumnTransformer>(std::move(columns)));
  steps.emplace_back("model", classic::make_estimator(model));
  if (takes_tables(model))
    classic::set_params(*steps.back().second,
                        {{"categorical_features", category_columns(form.codes)}});
  classic::Pipeline pipeline(std::move(steps));
  set_options(pipeline, options, "model__");
  return pipeline;
}

std::vector<std::string> combinations(const std::string& text) {
  std::vector<std::string> out = {""};
  for (const std::string& one : listed(text)) {
    const size_t equals = one.find('=');
    if (equals == std::string::npos) throw Error("--search: '" + one + "' is no NAME=A|B|C");
    std::vector<std::string> more;
    for (const std::string& before : out)
      for (const std::string& value : split_at(one.substr(equals + 1), '|'))
        more.push_back((before.empty() ? "" : before + ",") + one.substr(0, equals) + "=" + value);
    out = std::move(more);
    constexpr size_t kMost = 10000;
    if (out.empty() || out.size() > kMost)
      throw Error(fmt::format("--search: {} combinations and not from 1 to {}", out.size(), kMost));
  }
  return out;
}

// ---- Scores -----------------------------------------------------------------------------------

Results judged(const classic::Estimator& model, const TableSamples& samples,
               const TableForm& form) {
  const Tensor guess = model.predict(samples.x);
  const int64_t count = samples.y.size(0);
  if (!form.is_classes()) {
    const Tensor& y = samples.y;
    return {{"r2", classic::r2_score(y, guess)},
            {"rmse", classic::root_mean_squared_error(y, guess)},
            {"mae", classic::mean_absolute_error(y, guess)},
            {"median_error", classic::median_absolute_error(y, guess)},
            {"samples", count}};
  }
  const Tensor& y = samples.y;
  Results out = {{"accuracy", classic::accuracy_score(y, guess), true},
                 {"balanced_accuracy", classic::balanced_accuracy_score(y, guess), true},
                 {"f1_macro", classic::f1_score(y, guess, {.average = classic::Average::kMacro})}};
  const bool binary = form.classes.size() == 2;
  if (const Tensor p = probabilities(model, samples.x); p.defined()) {
    std::vector<int64_t> labels(form.classes.size());
    std::iota(labels.begin(), labels.end(), int64_t{0});
    out.push_back({"log_loss", classic::log_loss(y, p, {.labels = labels})});
    const Tensor score = binary ? index(p, {Slice{}, 1}) : p;
    double area = NAN;
    try {
      area = classic::roc_auc_score(y, score);
    } catch (const Error&) {  // a class that these samples have none of
    }
    if (std::isfinite(area)) out.push_back({"roc_auc", area});
    out.push_back({"ece", classic::expected_calibration_error(y, clamp(p, 0, 1))});
    if (binary) out.push_back({"brier", classic::brier_score_loss(y, p, {.labels = labels})});
  }
  out.push_back({"samples", count});
  return out;
}

namespace {

std::vector<double> numbers(const Tensor& t) { return t.to_vector<double>(); }

report::Section confusion_section(const Tensor& y, const Tensor& guess, const TableForm& form) {
  std::vector<int64_t> labels(form.classes.size());
  std::iota(labels.begin(), labels.end(), int64_t{0});
  return {"Confusion",
          report::Matrix{.rows = form.classes,
                         .columns = form.classes,
                         .values = classic::confusion_matrix(y, guess, {.labels = labels}),
                         .confusion = true,
                         .row_name = "truth",
                         .column_name = "guess"}};
}

report::Section class_section(const Tensor& y, const Tensor& guess, const TableForm& form) {
  std::vector<int64_t> labels(form.classes.size());
  std::iota(labels.begin(), labels.end(), int64_t{0});
  const auto each = classic::precision_recall_fscore_support(y, guess, 1, {.labels = labels});
  report::Table table{{{"class"}, {"precision", true}, {"recall", true}, {"F1"}, {"samples"}}, {}};
  const auto p = numbers(each.precision), r = numbers(each.recall), f = numbers(each.fscore),
             n = numbers(each.support);
  for (size_t i = 0; i < labels.size(); ++i)
    table.rows.push_back({form.classes[i], p[i], r[i], f[i], static_cast<int64_t>(n[i])});
  return {"Classes", table};
}

}  // namespace

std::vector<report::Section> judged_sections(const classic::Estimator& model,
                                             const TableSamples& samples, const TableForm& form) {
  const Tensor guess = model.predict(samples.x);
  if (form.is_classes()) {
    std::vector<report::Section> out = {confusion_section(samples.y, guess, form),
                                        class_section(samples.y, guess, form)};
    const Tensor p = probabilities(model, samples.x);
    if (p.defined() && p.size(1) == static_cast<int64_t>(form.classes.size())) {
      out.push_back(classic::roc_section(samples.y, p, form.classes));
      out.push_back(classic::precision_recall_section(samples.y, p, form.classes));
      out.push_back(classic::calibration_section(samples.y, clamp(p, 0, 1), form.classes));
      out.push_back(classic::reliability_section(samples.y, clamp(p, 0, 1)));
    }
    const auto& columns = form.codes.columns;
    if (columns.size() == 2 && !columns[0].category && !columns[1].category &&
        all(isfinite(samples.x)).item<bool>())
      out.push_back(classic::decision_boundary_section(model, samples.x, samples.y, form.classes));
    return out;
  }
  const Tensor flat = reshape(cast(guess, kF64), {-1});
  constexpr int64_t kMostPoints = 3000;
  const int64_t step = std::max<int64_t>(1, flat.size(0) / kMostPoints);
  const Tensor points =
      stack({slice(samples.y, 0, {.step = step}), slice(flat, 0, {.step = step})}, 1);
  return {{"Truth and prediction",
           report::Scatter{.frames = {{points}}, .x = {"truth"}, .y = {"prediction"}}},
          {"Residuals", report::Histogram{.samples = {{form.target, samples.y - flat}},
                                          .x = {"truth - prediction"}}}};
}

namespace {

// A tree's leaves, those of most samples first: what leads to each, and what it says.
report::Section rules_section(const classic::TreeArrays& tree,
                              const std::vector<std::string>& names, const TableForm& form) {
  constexpr size_t kMostRules = 50;
  const auto left = tree.children_left.to_vector<int64_t>(),
             right = tree.children_right.to_vector<int64_t>(),
             feature = tree.feature.to_vector<int64_t>(),
             samples = tree.n_node_samples.to_vector<int64_t>();
  const auto threshold = numbers(tree.threshold), value = numbers(tree.value);
  const auto width = static_cast<size_t>(tree.value.size(1));
  std::vector<std::string> rules(left.size());
  std::vector<size_t> leaves;
  for (size_t i = 0; i < left.size(); ++i) {  // parents come first
    if (left[i] < 0) {
      leaves.push_back(i);
      continue;
    }
    for (const bool is_left : {true, false})
      rules[static_cast<size_t>(is_left ? left[i] : right[i])] =
          fmt::format("{}{}{} {} {:.6g}", rules[i], rules[i].empty() ? "" : ", ",
                      names[static_cast<size_t>(feature[i])], is_left ? "<=" : ">", threshold[i]);
  }
  std::stable_sort(leaves.begin(), leaves.end(),
                   [&](size_t a, size_t b) { return samples[a] > samples[b]; });
  const bool classes = form.is_classes();
  report::Table table{{{"rule"}, {"samples"}, {form.target}}, {}};
  if (classes) table.columns.push_back({"share", true});
  for (size_t k = 0; k < std::min(leaves.size(), kMostRules); ++k) {
    const auto says = value.begin() + static_cast<std::ptrdiff_t>(leaves[k] * width);
    std::vector<report::Table::Cell> row = {rules[leaves[k]], samples[leaves[k]]};
    if (classes) {
      const auto most = std::max_element(says, says + static_cast<std::ptrdiff_t>(width));
      row.emplace_back(form.classes.at(static_cast<size_t>(most - says)));
      row.emplace_back(*most);
    } else {
      row.emplace_back(*says);
    }
    table.rows.push_back(std::move(row));
  }
  return {"Rules", table,
          fmt::format("{} leaves{}.", leaves.size(),
                      leaves.size() > kMostRules ? "; those of most samples" : "")};
}

}  // namespace

std::vector<report::Section> weight_sections(const classic::Pipeline& model,
                                             const TableForm& form) {
  const auto* columns = dynamic_cast<const classic::ColumnTransformer*>(&model.step("columns"));
  if (!columns) return {};
  const std::vector<std::string> names = classic::feature_names(form.codes, *columns);
  std::vector<report::Section> out;
  const classic::Estimator* last = &model.step("model");
  if (const auto* tree = dynamic_cast<const classic::DecisionTreeClassifier*>(last))
    out.push_back(rules_section(tree->tree(), names, form));
  if (const auto* tree = dynamic_cast<const classic::DecisionTreeRegressor*>(last))
    out.push_back(rules_section(tree->tree(), names, form));
  for (const auto& [name, value] : model.step("model").state_dict()) {
    const bool importance = name == "feature_importances";
    if ((name != "coef" && !importance) || !value.defined() || !is_float(value.dtype())) continue;
    const Tensor rows = value.rank() == 1 ? reshape(value, {1, -1}) : value;
    if (rows.rank() != 2 || rows.size(1) != static_cast<int64_t>(names.size())) continue;
    // The largest of any class; of one row with their signs.
    const bool one = rows.size(0) == 1;
    const auto shown = numbers(one ? index(rows, {0}) : max(abs(rows), {0}));
    std::vector<size_t> order(names.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return std::abs(shown[a]) > std::abs(shown[b]); });
    report::Bars bars;
    constexpr size_t kMostBars = 30;
    for (size_t i = 0; i < std::min(order.size(), kMostBars); ++i)
      bars.bars.push_back({names[order[i]], shown[order[i]]});
    out.push_back({importance ? "Importances" : "Coefficients", bars,
                   importance ? "How much each feature is used."
                   : one      ? "Of features at mean 0 and variance 1; categories are 0 or 1."
                              : "The largest of any class, without its sign."});
  }
  return out;
}

}  // namespace glia::recipes
