#include "glia/tables/table.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <unordered_map>
#include <unordered_set>

#include "glia/error.h"
#include "values.h"

namespace glia::tables {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kDay = 86400e6;  // in microseconds

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& one : names) text += (text.empty() ? "" : ", ") + one;
  return text;
}

}  // namespace

std::string_view type_name(ColumnType type) {
  constexpr std::string_view kNames[] = {"float", "integer", "bool", "text", "date"};
  return kNames[static_cast<int>(type)];
}

// ---- Column -----------------------------------------------------------------------------------

Column::Column(std::string name, ColumnType type, Values values)
    : name_(std::move(name)), type_(type), values_(std::move(values)) {}

Column Column::from_floats(std::string name, std::vector<double> values) {
  return {std::move(name), ColumnType::kFloat, std::move(values)};
}
Column Column::from_integers(std::string name, std::vector<int64_t> values) {
  return {std::move(name), ColumnType::kInteger, std::move(values)};
}
Column Column::from_bools(std::string name, std::vector<int8_t> values) {
  return {std::move(name), ColumnType::kBool, std::move(values)};
}
Column Column::from_dates(std::string name, std::vector<int64_t> microseconds) {
  return {std::move(name), ColumnType::kDate, std::move(microseconds)};
}

Column Column::from_texts(std::string name, const std::vector<std::optional<std::string>>& values) {
  std::vector<int32_t> codes;
  std::vector<std::string> categories;
  std::unordered_map<std::string, int32_t> seen;
  for (const auto& value : values) {
    if (!value) {
      codes.push_back(-1);
      continue;
    }
    const auto [at, added] = seen.try_emplace(*value, static_cast<int32_t>(categories.size()));
    if (added) categories.push_back(*value);
    codes.push_back(at->second);
  }
  Column out(std::move(name), ColumnType::kText, std::move(codes));
  out.categories_ = std::move(categories);
  return out;
}

Column Column::from_texts(std::string name, std::vector<int32_t> codes,
                          std::vector<std::string> categories, Where where) {
  const auto count = static_cast<int32_t>(categories.size());
  for (const int32_t code : codes)
    if (code < -1 || code >= count)
      throw ValueError("column '" + name + "': code " + std::to_string(code) + " of " +
                           std::to_string(count) + " categories",
                       where);
  std::unordered_set<std::string_view> seen;
  for (const std::string& one : categories)
    if (!seen.insert(one).second)
      throw ValueError("column '" + name + "': category '" + one + "' twice", where);
  Column out(std::move(name), ColumnType::kText, std::move(codes));
  out.categories_ = std::move(categories);
  return out;
}

Column Column::renamed(std::string name) const {
  Column out = *this;
  out.name_ = std::move(name);
  return out;
}

int64_t Column::size() const {
  return std::visit([](const auto& v) { return static_cast<int64_t>(v.size()); }, values_);
}

bool Column::is_number() const { return type_ != ColumnType::kText && type_ != ColumnType::kDate; }

bool Column::is_missing(int64_t row) const {
  const auto i = static_cast<size_t>(row);
  switch (type_) {
    case ColumnType::kFloat:
      return std::isnan(std::get<std::vector<double>>(values_)[i]);
    case ColumnType::kInteger:
      return false;
    case ColumnType::kBool:
      return std::get<std::vector<int8_t>>(values_)[i] < 0;
    case ColumnType::kText:
      return std::get<std::vector<int32_t>>(values_)[i] < 0;
    case ColumnType::kDate:
      return std::get<std::vector<int64_t>>(values_)[i] == kNoDate;
  }
  return false;
}

int64_t Column::missing() const {
  int64_t count = 0;
  for (int64_t row = 0; row < size(); ++row) count += is_missing(row);
  return count;
}

void Column::require(ColumnType type, Where where) const {
  if (type_ != type)
    throw Error("column '" + name_ + "' is " + std::string(type_name(type_)) + ", not " +
                    std::string(type_name(type)),
                where);
}

std::span<const double> Column::floats(Where where) const {
  require(ColumnType::kFloat, where);
  return std::get<std::vector<double>>(values_);
}
std::span<const int64_t> Column::integers(Where where) const {
  require(ColumnType::kInteger, where);
  return std::get<std::vector<int64_t>>(values_);
}
std::span<const int8_t> Column::bools(Where where) const {
  require(ColumnType::kBool, where);
  return std::get<std::vector<int8_t>>(values_);
}
std::span<const int32_t> Column::codes(Where where) const {
  require(ColumnType::kText, where);
  return std::get<std::vector<int32_t>>(values_);
}
std::span<const int64_t> Column::dates(Where where) const {
  require(ColumnType::kDate, where);
  return std::get<std::vector<int64_t>>(values_);
}
const std::vector<std::string>& Column::categories(Where where) const {
  require(ColumnType::kText, where);
  return categories_;
}

std::string Column::text(int64_t row) const {
  if (is_missing(row)) return "";
  const auto i = static_cast<size_t>(row);
  switch (type_) {
    case ColumnType::kFloat:
      return float_text(floats()[i]);
    case ColumnType::kInteger:
      return std::to_string(integers()[i]);
    case ColumnType::kBool:
      return bools()[i] ? "True" : "False";
    case ColumnType::kText:
      return categories_[static_cast<size_t>(codes()[i])];
    case ColumnType::kDate:
      return date_text(dates()[i]);
  }
  return "";
}

Tensor Column::to_tensor() const {
  std::vector<double> out;
  out.reserve(static_cast<size_t>(size()));
  const bool date = type_ == ColumnType::kDate;
  std::visit(
      [&](const auto& values) {
        int64_t row = 0;
        for (const auto value : values) {
          const auto number = static_cast<double>(value);
          out.push_back(is_missing(row++) ? kNaN : date ? number / kDay : number);
        }
      },
      values_);
  return from_vector(out, {size()});
}

Column Column::take(std::span<const int64_t> rows, Where where) const {
  Column out = *this;
  const int64_t count = size();
  std::visit(
      [&](auto& to) {
        const auto& from = std::get<std::decay_t<decltype(to)>>(values_);
        to.clear();
        to.reserve(rows.size());
        for (const int64_t row : rows) {
          if (row < 0 || row >= count)
            throw ValueError("column '" + name_ + "': row " + std::to_string(row) + " of " +
                                 std::to_string(count),
                             where);
          to.push_back(from[static_cast<size_t>(row)]);
        }
      },
      out.values_);
  return out;
}

// ---- Table ------------------------------------------------------------------------------------

Table::Table(std::vector<Column> columns, Where where) {
  for (Column& column : columns) {
    if (has(column.name())) throw ValueError("Table: two columns '" + column.name() + "'", where);
    set(std::move(column), where);
  }
}

std::vector<std::string> Table::names() const {
  std::vector<std::string> out;
  for (const Column& column : columns_) out.push_back(column.name());
  return out;
}

bool Table::has(std::string_view name) const {
  return std::ranges::any_of(columns_, [&](const Column& c) { return c.name() == name; });
}

const Column& Table::column(std::string_view name, Where where) const {
  const auto found =
      std::ranges::find_if(columns_, [&](const Column& c) { return c.name() == name; });
  if (found == columns_.end())
    throw ValueError("there is no column '" + std::string(name) + "'" +
                         (columns_.empty() ? "" : ", but " + listed(names())),
                     where);
  return *found;
}

void Table::set(Column column, Where where) {
  if (!columns_.empty() && column.size() != rows() &&
      !(columns_.size() == 1 && columns_[0].name() == column.name()))
    throw ShapeError("Table: column '" + column.name() + "' has " + std::to_string(column.size()) +
                         " rows, not " + std::to_string(rows()),
                     where);
  for (Column& old : columns_)
    if (old.name() == column.name()) {
      old = std::move(column);
      return;
    }
  columns_.push_back(std::move(column));
}

Table Table::select(const std::vector<std::string>& names, Where where) const {
  std::vector<Column> out;
  for (const std::string& name : names) out.push_back(column(name, where));
  return Table(std::move(out), where);
}

Table Table::without(const std::vector<std::string>& names, Where where) const {
  for (const std::string& name : names) column(name, where);
  Table out;
  for (const Column& column : columns_)
    if (std::ranges::find(names, column.name()) == names.end()) out.columns_.push_back(column);
  return out;
}

Table Table::take(std::span<const int64_t> rows, Where where) const {
  Table out;
  for (const Column& column : columns_) out.columns_.push_back(column.take(rows, where));
  return out;
}

Table Table::head(int64_t rows) const {
  std::vector<int64_t> first;
  for (int64_t i = 0; i < std::min(rows, this->rows()); ++i) first.push_back(i);
  return take(first);
}

Tensor Table::to_tensor(Where where) const {
  const auto width = static_cast<int64_t>(columns_.size());
  std::vector<double> out(static_cast<size_t>(rows() * width));
  for (int64_t c = 0; c < width; ++c) {
    const Column& column = columns_[static_cast<size_t>(c)];
    if (column.type() == ColumnType::kText)
      throw ValueError("Table.to_tensor: column '" + column.name() + "' is text", where);
    const Tensor values = column.to_tensor();
    int64_t at = c;
    for (const double value : values.data<double>()) {
      out[static_cast<size_t>(at)] = value;
      at += width;
    }
  }
  return from_vector(out, {rows(), width});
}

// ---- For people -------------------------------------------------------------------------------

std::string to_text(const Table& table, int64_t rows) {
  const Table first = table.head(rows);
  std::vector<std::vector<std::string>> cells(static_cast<size_t>(first.rows()) + 1);
  for (const Column& column : first.columns()) {
    size_t width = column.name().size();
    std::vector<std::string> texts = {column.name()};
    for (int64_t i = 0; i < first.rows(); ++i) {
      texts.push_back(column.is_missing(i) ? "NaN" : column.text(i));
      width = std::max(width, texts.back().size());
    }
    for (size_t i = 0; i < texts.size(); ++i)
      cells[i].push_back(std::string(width - texts[i].size(), ' ') + texts[i]);
  }
  std::string out;
  for (const auto& row : cells) {
    for (size_t c = 0; c < row.size(); ++c) out += (c > 0 ? "  " : "") + row[c];
    out += '\n';
  }
  if (table.rows() > first.rows()) out += "... " + std::to_string(table.rows()) + " rows\n";
  return out;
}

Table describe(const Table& table) {
  constexpr const char* kNumbers[] = {"mean", "std", "min", "25%", "50%", "75%", "max"};
  std::vector<std::optional<std::string>> names, types;
  std::vector<int64_t> missing, different;
  std::vector<std::vector<double>> numbers(std::size(kNumbers));
  for (const Column& column : table.columns()) {
    names.emplace_back(column.name());
    types.emplace_back(type_name(column.type()));
    missing.push_back(column.missing());
    std::vector<double> values;
    for (const double v : column.to_tensor().to_vector<double>())
      if (!std::isnan(v)) values.push_back(v);
    std::sort(values.begin(), values.end());
    const size_t n = values.size();
    std::vector<double> row(std::size(kNumbers), kNaN);
    if (column.type() != ColumnType::kText && n > 0) {
      double sum = 0, squares = 0;
      for (const double v : values) sum += v;
      row[0] = sum / static_cast<double>(n);
      for (const double v : values) squares += (v - row[0]) * (v - row[0]);
      if (n > 1) row[1] = std::sqrt(squares / static_cast<double>(n - 1));
      for (size_t q = 0; q <= 4; ++q)
        row[2 + q] = quantile_of_sorted(values, 0.25 * static_cast<double>(q));
    }
    for (size_t i = 0; i < row.size(); ++i) numbers[i].push_back(row[i]);
    different.push_back(std::unique(values.begin(), values.end()) - values.begin());
  }
  std::vector<Column> out = {Column::from_texts("column", names), Column::from_texts("type", types),
                             Column::from_integers("missing", missing),
                             Column::from_integers("different", different)};
  for (size_t i = 0; i < numbers.size(); ++i)
    out.push_back(Column::from_floats(kNumbers[i], numbers[i]));
  return Table(std::move(out));
}

}  // namespace glia::tables
