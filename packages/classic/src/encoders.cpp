#include "glia/classic/encoders.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <numeric>

#include "checks.h"
#include "columns.h"
#include "glia/data.h"
#include "glia/ops.h"
#include "nan.h"

namespace glia::classic {
namespace {

Categories categories_of(const Features& x) {
  Categories out;
  for (int64_t j = 0; j < x.columns; ++j) {
    std::vector<double> seen = x.present(j);
    const bool missing = static_cast<int64_t>(seen.size()) < x.rows;
    seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
    if (missing) seen.push_back(kNaN);
    out.values.push_back(std::move(seen));
  }
  return out;
}

// Its position, or -1.
int64_t code_of(const std::vector<double>& categories, double value) {
  if (std::isnan(value))
    return std::isnan(categories.back()) ? static_cast<int64_t>(categories.size()) - 1 : -1;
  const auto end = categories.end() - (std::isnan(categories.back()) ? 1 : 0);
  const auto at = std::lower_bound(categories.begin(), end, value);
  return at != end && *at == value ? at - categories.begin() : -1;
}

[[noreturn]] void unknown(const char* op, double value, int64_t feature, Where where) {
  throw ValueError(std::string(op) + ": feature " + std::to_string(feature) + " has the category " +
                       (std::isnan(value) ? "NaN" : to_text(ParamValue(value))) +
                       ", which fit did not see",
                   where);
}

// Numbers of all features one after the other, how many each has, and whether NaN is the last.
void save(const Categories& categories, StateDict& state) {
  std::vector<double> all;
  std::vector<int64_t> counts, missing;
  for (const auto& of : categories.values) {
    counts.push_back(static_cast<int64_t>(of.size()));
    missing.push_back(std::isnan(of.back()));
    for (const double v : of) all.push_back(std::isnan(v) ? 0 : v);
  }
  state.emplace_back("categories", vector_of(all));
  state.emplace_back("n_categories", vector_of(counts));
  state.emplace_back("missing", vector_of(missing));
}

Categories load(StateReader& read, const char* name, Where where) {
  const auto counts = read.take("n_categories", kI64, {-1}).to_vector<int64_t>();
  const auto missing =
      read.take("missing", kI64, {static_cast<int64_t>(counts.size())}).to_vector<int64_t>();
  const Tensor values = read.take("categories", kF64, {-1});
  const auto all = values.to_vector<double>();
  Categories out;
  auto at = all.begin();
  for (size_t j = 0; j < counts.size(); ++j) {
    if (counts[j] < 1 || counts[j] > all.end() - at)
      throw Error(std::string(name) + ".load_state_dict: n_categories does not fit categories",
                  where);
    out.values.emplace_back(at, at + counts[j]);
    at += counts[j];
    std::vector<double>& own = out.values.back();
    if (missing[j]) own.back() = kNaN;
    if (!std::is_sorted(own.begin(), own.end() - (missing[j] ? 1 : 0), std::less_equal<>()))
      throw Error(std::string(name) + ".load_state_dict: categories do not ascend", where);
  }
  if (at != all.end())
    throw Error(std::string(name) + ".load_state_dict: n_categories does not fit categories",
                where);
  return out;
}

}  // namespace

// ---- OneHotEncoder ----------------------------------------------------------------------------

namespace {

// The first column that a feature's categories have none of: its category, or -1.
int64_t dropped(const OneHotEncoderOptions& options, const std::vector<double>& categories) {
  const bool drops = options.drop == OneHotDrop::kFirst ||
                     (options.drop == OneHotDrop::kIfBinary && categories.size() == 2);
  return drops ? 0 : -1;
}

}  // namespace

std::vector<Param> OneHotEncoder::params() {
  return {{"drop", &options_.drop, {"none", "first", "if_binary"}},
          {"handle_unknown", &options_.handle_unknown, {"error", "ignore"}}};
}

OneHotEncoder& OneHotEncoder::fit(const Tensor& x, const Tensor& /*y*/,
                                  const Tensor& /*sample_weight*/, Where where) {
  const Features given = features_of("OneHotEncoder.fit", x, true, -1, where);
  categories = categories_of(given);
  n_features_in = given.columns;
  return *this;
}

Tensor OneHotEncoder::transform(const Tensor& x, Where where) const {
  const char* op = "OneHotEncoder.transform";
  const Features given = features_of(op, x, true, n_features_in, where);
  Features out{.values = {}, .rows = given.rows, .columns = 0, .dtype = kF64};
  std::vector<int64_t> begin;
  for (const auto& own : categories.values) {
    const int64_t drop = dropped(options_, own);
    begin.push_back(out.columns - (drop + 1));
    out.columns += static_cast<int64_t>(own.size()) - (drop + 1);
  }
  out.values.resize(static_cast<size_t>(out.rows * out.columns));
  for (int64_t j = 0; j < given.columns; ++j) {
    const auto& own = categories.values[static_cast<size_t>(j)];
    for (int64_t i = 0; i < given.rows; ++i) {
      const int64_t code = code_of(own, given.at(i, j));
      if (code < 0 && options_.handle_unknown == OneHotUnknown::kError)
        unknown(op, given.at(i, j), j, where);
      if (code > dropped(options_, own)) out.at(i, begin[static_cast<size_t>(j)] + code) = 1;
    }
  }
  return out.tensor();
}

// What is 0 of all is the category that was dropped, or NaN.
Tensor OneHotEncoder::inverse_transform(const Tensor& x, Where where) const {
  const char* op = "OneHotEncoder.inverse_transform";
  require_fitted(op, fitted(), where);
  int64_t width = 0;
  for (const auto& own : categories.values)
    width += static_cast<int64_t>(own.size()) - (dropped(options_, own) + 1);
  const Features given = features_of(op, x, false, width, where);
  Features out{.values = {}, .rows = given.rows, .columns = n_features_in, .dtype = kF64};
  out.values.resize(static_cast<size_t>(out.rows * out.columns));
  for (int64_t i = 0; i < given.rows; ++i) {
    int64_t at = 0;
    for (int64_t j = 0; j < n_features_in; ++j) {
      const auto& own = categories.values[static_cast<size_t>(j)];
      const int64_t drop = dropped(options_, own);
      int64_t best = drop;
      double most = 0;
      for (int64_t c = drop + 1; c < static_cast<int64_t>(own.size()); ++c, ++at)
        if (given.at(i, at) > most) {
          most = given.at(i, at);
          best = c;
        }
      out.at(i, j) = best < 0 ? kNaN : own[static_cast<size_t>(best)];
    }
  }
  return out.tensor();
}

StateDict OneHotEncoder::state_dict(Where where) const {
  require_fitted("OneHotEncoder.state_dict", fitted(), where);
  StateDict state;
  save(categories, state);
  return state;
}

void OneHotEncoder::load_state_dict(const StateDict& state, Where where) {
  StateReader read("OneHotEncoder", state, where);
  Categories given = load(read, "OneHotEncoder", where);
  read.finish();
  categories = std::move(given);
  n_features_in = static_cast<int64_t>(categories.values.size());
}

// ---- OrdinalEncoder ---------------------------------------------------------------------------

std::vector<Param> OrdinalEncoder::params() {
  return {{"handle_unknown", &options_.handle_unknown, {"error", "use_encoded_value"}},
          {"unknown_value", &options_.unknown_value},
          {"encoded_missing_value", &options_.encoded_missing_value}};
}

OrdinalEncoder& OrdinalEncoder::fit(const Tensor& x, const Tensor& /*y*/,
                                    const Tensor& /*sample_weight*/, Where where) {
  const char* op = "OrdinalEncoder.fit";
  const Features given = features_of(op, x, true, -1, where);
  Categories seen = categories_of(given);
  const double other = options_.unknown_value;
  for (const auto& own : seen.values)
    if (options_.handle_unknown == OrdinalUnknown::kUseEncodedValue && other >= 0 &&
        other < static_cast<double>(own.size()))
      throw ValueError(std::string(op) + ": unknown_value = " + to_text(ParamValue(other)) +
                           " is the number of a category",
                       where);
  categories = std::move(seen);
  n_features_in = given.columns;
  return *this;
}

Tensor OrdinalEncoder::transform(const Tensor& x, Where where) const {
  const char* op = "OrdinalEncoder.transform";
  Features given = features_of(op, x, true, n_features_in, where);
  given.dtype = kF64;
  for (int64_t j = 0; j < given.columns; ++j)
    for (int64_t i = 0; i < given.rows; ++i) {
      double& v = given.at(i, j);
      const int64_t code = code_of(categories.values[static_cast<size_t>(j)], v);
      if (code < 0 && options_.handle_unknown == OrdinalUnknown::kError) unknown(op, v, j, where);
      v = code < 0        ? options_.unknown_value
          : std::isnan(v) ? options_.encoded_missing_value.value_or(kNaN)
                          : static_cast<double>(code);
    }
  return given.tensor();
}

Tensor OrdinalEncoder::inverse_transform(const Tensor& x, Where where) const {
  const char* op = "OrdinalEncoder.inverse_transform";
  Features given = features_of(op, x, true, n_features_in, where);
  given.dtype = kF64;
  for (int64_t j = 0; j < given.columns; ++j) {
    const auto& own = categories.values[static_cast<size_t>(j)];
    for (int64_t i = 0; i < given.rows; ++i) {
      double& v = given.at(i, j);
      const bool missing = options_.encoded_missing_value && v == *options_.encoded_missing_value;
      if (std::isnan(v) || missing ||
          (options_.handle_unknown != OrdinalUnknown::kError && v == options_.unknown_value)) {
        v = kNaN;
        continue;
      }
      if (v != std::floor(v) || v < 0 || v >= static_cast<double>(own.size()))
        throw ValueError(std::string(op) + ": " + to_text(ParamValue(v)) +
                             " is no number of a category of feature " + std::to_string(j),
                         where);
      v = own[static_cast<size_t>(v)];
    }
  }
  return given.tensor();
}

StateDict OrdinalEncoder::state_dict(Where where) const {
  require_fitted("OrdinalEncoder.state_dict", fitted(), where);
  StateDict state;
  save(categories, state);
  return state;
}

void OrdinalEncoder::load_state_dict(const StateDict& state, Where where) {
  StateReader read("OrdinalEncoder", state, where);
  Categories given = load(read, "OrdinalEncoder", where);
  read.finish();
  categories = std::move(given);
  n_features_in = static_cast<int64_t>(categories.values.size());
}

// ---- TargetEncoder ----------------------------------------------------------------------------

namespace {

// Targets: numbers, or of each class (of two the second) 0 and 1.
struct Targets {
  std::vector<std::vector<double>> values;
  std::vector<int64_t> classes;
};

Targets targets_of(const char* op, const TargetEncoderOptions& options, const Tensor& y,
                   int64_t samples, Where where) {
  Targets out;
  const auto numbers = check_targets(op, y, samples, where);
  if (numbers.rank() != 1) throw ShapeError(std::string(op) + ": y is (samples)", where);
  TargetType type = options.target_type;
  const std::vector<double> values = numbers.to_vector<double>();
  if (type == TargetType::kAuto) {
    const bool whole = std::ranges::all_of(values, [](double v) { return v == std::floor(v); });
    type = whole ? TargetType::kMulticlass : TargetType::kContinuous;
  }
  if (type == TargetType::kContinuous) {
    out.values = {values};
    return out;
  }
  const ClassTargets classes = check_classes(op, y, samples, where);
  out.classes = classes.classes.to_vector<int64_t>();
  if (options.target_type == TargetType::kBinary && out.classes.size() != 2)
    throw ValueError(
        std::string(op) + ": there are " + std::to_string(out.classes.size()) + " classes, not 2",
        where);
  const auto codes = classes.codes.to_vector<int64_t>();
  const size_t count = out.classes.size() <= 2 ? 1 : out.classes.size();
  for (size_t c = 0; c < count; ++c) {
    out.values.emplace_back();
    const auto which = static_cast<int64_t>(count == 1 ? out.classes.size() - 1 : c);
    for (const int64_t code : codes)
      out.values.back().push_back(count == 1 && out.classes.size() == 1 ? 0 : code == which);
  }
  return out;
}

// The encoding of each category of a feature, of the samples `rows`.
std::vector<double> encoding_of(const std::vector<int64_t>& codes, const std::vector<double>& y,
                                const std::vector<int64_t>& rows, size_t categories,
                                const std::optional<double>& smooth, double& mean) {
  mean = 0;
  for (const int64_t i : rows) mean += y[static_cast<size_t>(i)];
  mean /= static_cast<double>(rows.size());
  double variance = 0;
  std::vector<double> sums(categories), counts(categories), squares(categories);
  for (const int64_t i : rows) {
    const auto at = static_cast<size_t>(i);
    variance += (y[at] - mean) * (y[at] - mean) / static_cast<double>(rows.size());
    if (codes[at] < 0) continue;
    sums[static_cast<size_t>(codes[at])] += y[at];
    ++counts[static_cast<size_t>(codes[at])];
  }
  std::vector<double> out(categories, mean);
  if (smooth) {
    for (size_t c = 0; c < categories; ++c)
      if (counts[c] + *smooth > 0) out[c] = (sums[c] + *smooth * mean) / (counts[c] + *smooth);
    return out;
  }
  for (const int64_t i : rows) {
    const auto at = static_cast<size_t>(i);
    if (codes[at] < 0) continue;
    const auto c = static_cast<size_t>(codes[at]);
    const double difference = y[at] - sums[c] / counts[c];
    squares[c] += difference * difference;
  }
  for (size_t c = 0; c < categories; ++c) {
    const double share = variance * counts[c] / (variance * counts[c] + squares[c] / counts[c]);
    if (!std::isnan(share)) out[c] = share * sums[c] / counts[c] + (1 - share) * mean;
  }
  return out;
}

std::vector<std::vector<int64_t>> codes_of(const Categories& categories, const Features& x) {
  std::vector<std::vector<int64_t>> out;
  for (int64_t j = 0; j < x.columns; ++j) {
    out.emplace_back();
    for (int64_t i = 0; i < x.rows; ++i)
      out.back().push_back(code_of(categories.values[static_cast<size_t>(j)], x.at(i, j)));
  }
  return out;
}

}  // namespace

std::vector<Param> TargetEncoder::params() {
  return {{"target_type", &options_.target_type, {"auto", "continuous", "binary", "multiclass"}},
          {"smooth", &options_.smooth},
          {"cv", &options_.cv},
          {"random_state", &options_.random_state}};
}

TargetEncoder& TargetEncoder::fit(const Tensor& x, const Tensor& y, const Tensor& sample_weight,
                                  Where where) {
  const char* op = "TargetEncoder.fit";
  refuse_sample_weight(op, sample_weight, where);
  if (options_.smooth && !(*options_.smooth >= 0))
    throw ValueError(std::string(op) + ": smooth = " + to_text(ParamValue(*options_.smooth)),
                     where);
  const Features given = features_of(op, x, true, -1, where);
  const Targets targets = targets_of(op, options_, y, given.rows, where);
  Categories seen = categories_of(given);
  const auto codes = codes_of(seen, given);
  std::vector<int64_t> all(static_cast<size_t>(given.rows));
  std::iota(all.begin(), all.end(), int64_t{0});
  std::vector<double> means(targets.values.size());
  std::vector<std::vector<double>> of;
  for (size_t j = 0; j < codes.size(); ++j)
    for (size_t c = 0; c < targets.values.size(); ++c)
      of.push_back(encoding_of(codes[j], targets.values[c], all, seen.values[j].size(),
                               options_.smooth, means[c]));
  categories = std::move(seen);
  encodings = std::move(of);
  target_mean = vector_of(means);
  classes = vector_of(targets.classes);
  n_features_in = given.columns;
  return *this;
}

Tensor TargetEncoder::transform(const Tensor& x, Where where) const {
  const Features given = features_of("TargetEncoder.transform", x, true, n_features_in, where);
  const auto means = target_mean.to_vector<double>();
  const auto per = static_cast<int64_t>(means.size());
  const auto codes = codes_of(categories, given);
  Features out{.values = {}, .rows = given.rows, .columns = given.columns * per, .dtype = kF64};
  for (int64_t i = 0; i < given.rows; ++i)
    for (int64_t k = 0; k < out.columns; ++k) {
      const int64_t code = codes[static_cast<size_t>(k / per)][static_cast<size_t>(i)];
      out.values.push_back(code < 0 ? means[static_cast<size_t>(k % per)]
                                    : encodings[static_cast<size_t>(k)][static_cast<size_t>(code)]);
    }
  return out.tensor();
}

Tensor TargetEncoder::fit_transform(const Tensor& x, const Tensor& y, const Tensor& sample_weight,
                                    Where where) {
  const char* op = "TargetEncoder.fit_transform";
  const Features given = features_of(op, x, true, -1, where);
  if (options_.cv < 2 || options_.cv > given.rows)
    throw ValueError(std::string(op) + ": cv = " + std::to_string(options_.cv) + " of " +
                         std::to_string(given.rows) + " samples",
                     where);
  fit(x, y, sample_weight, where);
  const Targets targets = targets_of(op, options_, y, given.rows, where);
  const auto codes = codes_of(categories, given);
  // Shuffled, and classes dealt out evenly.
  std::vector<int64_t> order(static_cast<size_t>(given.rows));
  std::iota(order.begin(), order.end(), int64_t{0});
  data::Random random(options_.random_state);
  for (int64_t i = given.rows - 1; i > 0; --i)
    std::swap(order[static_cast<size_t>(i)], order[static_cast<size_t>(random.below(i + 1))]);
  if (!targets.classes.empty()) {
    const auto labels = check_classes(op, y, given.rows, where).codes.to_vector<int64_t>();
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
      return labels[static_cast<size_t>(a)] < labels[static_cast<size_t>(b)];
    });
  }
  const auto per = static_cast<int64_t>(targets.values.size());
  Features out{.values = {}, .rows = given.rows, .columns = given.columns * per, .dtype = kF64};
  out.values.resize(static_cast<size_t>(out.rows * out.columns));
  for (int64_t part = 0; part < options_.cv; ++part) {
    std::vector<int64_t> inside, outside;
    for (int64_t i = 0; i < given.rows; ++i)
      (i % options_.cv == part ? inside : outside).push_back(order[static_cast<size_t>(i)]);
    for (int64_t j = 0; j < given.columns; ++j)
      for (int64_t c = 0; c < per; ++c) {
        const auto& own = codes[static_cast<size_t>(j)];
        double mean = 0;
        const auto encoding =
            encoding_of(own, targets.values[static_cast<size_t>(c)], outside,
                        categories.values[static_cast<size_t>(j)].size(), options_.smooth, mean);
        for (const int64_t i : inside)
          out.at(i, j * per + c) = encoding[static_cast<size_t>(own[static_cast<size_t>(i)])];
      }
  }
  return out.tensor();
}

StateDict TargetEncoder::state_dict(Where where) const {
  require_fitted("TargetEncoder.state_dict", fitted(), where);
  StateDict state;
  save(categories, state);
  std::vector<double> all;
  for (const auto& of : encodings) all.insert(all.end(), of.begin(), of.end());
  state.emplace_back("encodings", vector_of(all));
  state.emplace_back("target_mean", target_mean);
  state.emplace_back("n_classes", tensor(classes.size(0)));
  if (classes.size(0) > 0) state.emplace_back("classes", classes);
  return state;
}

void TargetEncoder::load_state_dict(const StateDict& state, Where where) {
  StateReader read("TargetEncoder", state, where);
  Categories given = load(read, "TargetEncoder", where);
  const Tensor means = read.take("target_mean", kF64, {-1});
  const int64_t count = read.count("n_classes");
  const Tensor names =
      count > 0 ? read.take("classes", kI64, {count}) : vector_of(std::vector<int64_t>());
  int64_t total = 0;
  for (const auto& own : given.values) total += static_cast<int64_t>(own.size()) * means.size(0);
  const auto all = read.take("encodings", kF64, {total}).to_vector<double>();
  read.finish();
  std::vector<std::vector<double>> of;
  auto at = all.begin();
  for (const auto& own : given.values)
    for (int64_t c = 0; c < means.size(0); ++c) {
      of.emplace_back(at, at + static_cast<std::ptrdiff_t>(own.size()));
      at += static_cast<std::ptrdiff_t>(own.size());
    }
  categories = std::move(given);
  encodings = std::move(of);
  target_mean = means;
  classes = names;
  n_features_in = static_cast<int64_t>(categories.values.size());
}

// ---- LabelEncoder -----------------------------------------------------------------------------

LabelEncoder& LabelEncoder::fit(const tables::Column& y, Where where) {
  if (y.missing() > 0)
    throw ValueError("LabelEncoder.fit: column '" + y.name() + "' lacks " +
                         std::to_string(y.missing()) + " labels",
                     where);
  std::vector<int64_t> order(static_cast<size_t>(y.size()));
  std::iota(order.begin(), order.end(), int64_t{0});
  std::vector<std::string> seen;
  if (y.type() == tables::ColumnType::kText) {
    std::vector<bool> used(y.categories().size());
    for (const int32_t code : y.codes()) used[static_cast<size_t>(code)] = true;
    for (size_t i = 0; i < used.size(); ++i)
      if (used[i]) seen.push_back(y.categories()[i]);
    std::sort(seen.begin(), seen.end());
  } else {
    const auto values = y.to_tensor().to_vector<double>();
    std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
      return values[static_cast<size_t>(a)] < values[static_cast<size_t>(b)];
    });
    for (const int64_t i : order)
      if (std::string text = y.text(i); seen.empty() || seen.back() != text)
        seen.push_back(std::move(text));
  }
  if (seen.empty()) throw ValueError("LabelEncoder.fit: column '" + y.name() + "' is empty", where);
  classes = std::move(seen);
  return *this;
}

Tensor LabelEncoder::transform(const tables::Column& y, Where where) const {
  if (classes.empty())
    throw Error("LabelEncoder.transform: it is not fitted; call fit first", where);
  std::vector<int64_t> codes;
  std::vector<std::pair<std::string_view, int64_t>> known;
  for (size_t i = 0; i < classes.size(); ++i)
    known.emplace_back(classes[i], static_cast<int64_t>(i));
  std::sort(known.begin(), known.end());
  const auto code = [&](const std::string& text) {
    const auto at =
        std::lower_bound(known.begin(), known.end(), std::pair(std::string_view(text), int64_t{0}));
    if (at == known.end() || at->first != text)
      throw ValueError(
          "LabelEncoder.transform: fit did not see '" + text + "' of column '" + y.name() + "'",
          where);
    return at->second;
  };
  for (int64_t i = 0; i < y.size(); ++i) {
    if (y.is_missing(i))
      throw ValueError("LabelEncoder.transform: row " + std::to_string(i) + " of column '" +
                           y.name() + "' is missing",
                       where);
    codes.push_back(code(y.text(i)));
  }
  return vector_of(codes);
}

Tensor LabelEncoder::fit_transform(const tables::Column& y, Where where) {
  return fit(y, where).transform(y, where);
}

std::vector<std::string> LabelEncoder::inverse_transform(const Tensor& y, Where where) const {
  std::vector<std::string> out;
  for (const int64_t code : cast(y, kI64).to_vector<int64_t>()) {
    if (code < 0 || code >= static_cast<int64_t>(classes.size()))
      throw ValueError("LabelEncoder.inverse_transform: " + std::to_string(code) + " of " +
                           std::to_string(classes.size()) + " classes",
                       where);
    out.push_back(classes[static_cast<size_t>(code)]);
  }
  return out;
}

}  // namespace glia::classic
