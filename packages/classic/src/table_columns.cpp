#include <algorithm>
#include <cmath>
#include <limits>

#include "columns.h"
#include "glia/classic/compose.h"
#include "glia/classic/encoders.h"
#include "glia/classic/impute.h"
#include "glia/classic/preprocessing.h"
#include "glia/error.h"
#include "glia/ops.h"

namespace glia::classic {
namespace {

using tables::ColumnType;

bool is_category(const tables::Column& column) {
  return column.type() == ColumnType::kText || column.type() == ColumnType::kBool;
}

}  // namespace

ColumnCodes& ColumnCodes::fit(const tables::Table& table, const std::vector<std::string>& without,
                              Where where) {
  for (const std::string& name : without) table.column(name, where);
  std::vector<Column> found;
  for (const tables::Column& column : table.columns()) {
    if (std::ranges::find(without, column.name()) != without.end() ||
        column.missing() == column.size())
      continue;
    Column one{.name = column.name(),
               .category = is_category(column),
               .date = column.type() == ColumnType::kDate};
    if (column.type() == ColumnType::kBool) one.categories = {"False", "True"};
    if (column.type() == ColumnType::kText) {
      std::vector<bool> used(column.categories().size());
      for (const int32_t code : column.codes())
        if (code >= 0) used[static_cast<size_t>(code)] = true;
      for (size_t i = 0; i < used.size(); ++i)
        if (used[i]) one.categories.push_back(column.categories()[i]);
      std::sort(one.categories.begin(), one.categories.end());
    }
    found.push_back(std::move(one));
  }
  if (found.empty()) throw ValueError("ColumnCodes.fit: the table has no column of values", where);
  columns = std::move(found);
  return *this;
}

Tensor ColumnCodes::transform(const tables::Table& table, Where where) const {
  const auto width = static_cast<int64_t>(columns.size());
  Features out{.values = {}, .rows = table.rows(), .columns = width, .dtype = kF64};
  if (width == 0) throw Error("ColumnCodes.transform: it is not fitted; call fit first", where);
  out.values.resize(static_cast<size_t>(out.rows * width));
  for (int64_t j = 0; j < width; ++j) {
    const Column& own = columns[static_cast<size_t>(j)];
    const tables::Column& given = table.column(own.name, where);
    const auto fill = [&](auto value) {
      for (int64_t i = 0; i < out.rows; ++i)
        out.at(i, j) = given.is_missing(i) ? std::numeric_limits<double>::quiet_NaN()
                                           : value(static_cast<size_t>(i));
    };
    const bool empty = given.missing() == given.size();
    if (own.category && !empty) {
      const auto code = [&](const std::string& text) {
        const auto at = std::lower_bound(own.categories.begin(), own.categories.end(), text);
        return at != own.categories.end() && *at == text
                   ? static_cast<double>(at - own.categories.begin())
                   : -1.0;
      };
      if (given.type() == ColumnType::kText) {
        std::vector<double> codes;
        for (const std::string& text : given.categories()) codes.push_back(code(text));
        fill([&](size_t i) { return codes[static_cast<size_t>(given.codes()[i])]; });
      } else {
        fill([&](size_t i) { return code(given.text(static_cast<int64_t>(i))); });
      }
      continue;
    }
    const bool date = given.type() == ColumnType::kDate;
    if (!empty && (given.type() == ColumnType::kText || date != own.date))
      throw ValueError("ColumnCodes.transform: column '" + own.name + "' is " +
                           std::string(tables::type_name(given.type())) + ", but fit saw " +
                           (own.date ? "dates" : "numbers"),
                       where);
    const auto values = given.to_tensor().to_vector<double>();
    fill([&](size_t i) { return values[i]; });
  }
  return out.tensor();
}

std::vector<int64_t> ColumnCodes::positions(bool category) const {
  std::vector<int64_t> out;
  for (size_t i = 0; i < columns.size(); ++i)
    if (columns[i].category == category) out.push_back(static_cast<int64_t>(i));
  return out;
}

ColumnTransformer table_columns(const ColumnCodes& codes, const TableColumnsOptions& options) {
  std::vector<ColumnPart> parts;
  if (const auto numbers = codes.positions(false); !numbers.empty()) {
    NamedEstimators steps;
    steps.emplace_back("impute",
                       std::make_unique<SimpleImputer>(SimpleImputerOptions{
                           .strategy = ImputeStrategy::kMedian, .keep_empty_features = true}));
    if (options.scale) steps.emplace_back("scale", std::make_unique<StandardScaler>());
    parts.push_back({"numbers", std::make_unique<Pipeline>(std::move(steps)), numbers});
  }
  if (const auto texts = codes.positions(true); !texts.empty())
    parts.push_back({"categories",
                     std::make_unique<OneHotEncoder>(OneHotEncoderOptions{
                         .handle_unknown = options.unknown_is_error ? OneHotUnknown::kError
                                                                    : OneHotUnknown::kIgnore}),
                     texts});
  return ColumnTransformer(std::move(parts));
}

std::vector<std::string> feature_names(const ColumnCodes& codes,
                                       const ColumnTransformer& transformer) {
  std::vector<std::string> names;
  const auto columns = transformer.columns();
  const auto parts = transformer.parts();
  if (parts.empty())  // all go through as they are
    for (const auto& column : codes.columns) names.push_back(column.name);
  for (size_t p = 0; p < parts.size(); ++p) {
    const auto* encoder = dynamic_cast<const OneHotEncoder*>(parts[p].second);
    for (size_t c = 0; c < columns[p].size(); ++c) {
      const auto& column = codes.columns.at(static_cast<size_t>(columns[p][c]));
      if (!encoder) {
        names.push_back(column.name);
        continue;
      }
      for (const double code : encoder->categories.values.at(c))
        names.push_back(column.name + "=" +
                        (std::isnan(code) ? "missing"
                         : code < 0       ? "other"
                                          : column.categories.at(static_cast<size_t>(code))));
    }
  }
  return names;
}

}  // namespace glia::classic
