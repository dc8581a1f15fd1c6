// Tables: named columns of numbers, texts, dates and truth values, any of which may be missing.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "glia/tensor.h"

namespace glia::tables {

enum class ColumnType { kFloat, kInteger, kBool, kText, kDate };
std::string_view type_name(ColumnType type);  // "float", "integer", "bool", "text", "date"

// A date that is missing.
inline constexpr int64_t kNoDate = std::numeric_limits<int64_t>::min();

// A column with its name. Missing are NaN of floats, -1 of bools and of the codes of texts, and
// kNoDate; an integer is never missing: a reader gives a column that lacks some as floats, like
// pandas. What is asked for in another type than the column's is an Error.
class Column {
 public:
  Column() = default;  // floats, none
  static Column from_floats(std::string name, std::vector<double> values);
  static Column from_integers(std::string name, std::vector<int64_t> values);
  static Column from_bools(std::string name, std::vector<int8_t> values);  // 0, 1 or -1
  // Categories in the order of their first appearance.
  static Column from_texts(std::string name, const std::vector<std::optional<std::string>>& values);
  // Each a position in `categories`, which are different. Throws ValueError for others.
  static Column from_texts(std::string name, std::vector<int32_t> codes,
                           std::vector<std::string> categories, Where where = Where::current());
  static Column from_dates(std::string name, std::vector<int64_t> microseconds);  // since 1970, UTC

  const std::string& name() const { return name_; }
  Column renamed(std::string name) const;
  ColumnType type() const { return type_; }
  int64_t size() const;
  bool is_number() const;  // float, integer or bool
  bool is_missing(int64_t row) const;
  int64_t missing() const;  // how many

  std::span<const double> floats(Where where = Where::current()) const;
  std::span<const int64_t> integers(Where where = Where::current()) const;
  std::span<const int8_t> bools(Where where = Where::current()) const;
  std::span<const int32_t> codes(Where where = Where::current()) const;
  std::span<const int64_t> dates(Where where = Where::current()) const;
  const std::vector<std::string>& categories(Where where = Where::current()) const;

  // One value as write_csv() writes it; missing: "".
  std::string text(int64_t row) const;
  // f64 (rows), missing as NaN: numbers, codes of texts, and days since 1970 of dates.
  Tensor to_tensor() const;
  // Rows of those positions, in their order; categories stay. Throws ValueError.
  Column take(std::span<const int64_t> rows, Where where = Where::current()) const;

 private:
  using Values = std::variant<std::vector<double>, std::vector<int64_t>, std::vector<int8_t>,
                              std::vector<int32_t>>;
  Column(std::string name, ColumnType type, Values values);
  void require(ColumnType type, Where where) const;

  std::string name_;
  ColumnType type_ = ColumnType::kFloat;
  Values values_;
  std::vector<std::string> categories_;
};

// Columns of one length with different names.
class Table {
 public:
  Table() = default;
  explicit Table(std::vector<Column> columns, Where where = Where::current());

  int64_t rows() const { return columns_.empty() ? 0 : columns_.front().size(); }
  const std::vector<Column>& columns() const { return columns_; }
  std::vector<std::string> names() const;
  bool has(std::string_view name) const;
  // Throws ValueError, which lists the names, for one that is none.
  const Column& column(std::string_view name, Where where = Where::current()) const;

  // Adds a column, or takes the place of the one of its name. Throws ShapeError for another length.
  void set(Column column, Where where = Where::current());
  Table select(const std::vector<std::string>& names, Where where = Where::current()) const;
  Table without(const std::vector<std::string>& names, Where where = Where::current()) const;
  Table take(std::span<const int64_t> rows, Where where = Where::current()) const;
  Table head(int64_t rows) const;  // the first, or all
  // f64 (rows, columns), as Column::to_tensor(). Throws ValueError for a column of texts.
  Tensor to_tensor(Where where = Where::current()) const;

 private:
  std::vector<Column> columns_;
};

// For people: names and the first rows below each other.
std::string to_text(const Table& table, int64_t rows = 10);
// Of each column its type, how many values are missing, how many differ, and of numbers mean,
// deviation (n - 1), least, quartiles (linear) and greatest: pandas' describe(), turned.
Table describe(const Table& table);

// ---- Dates ------------------------------------------------------------------------------------

// Microseconds since 1970, UTC, of ISO 8601: "2024-02-29", "2024-02-29 12:30", "T" for the blank,
// seconds with up to nine digits behind a point (those below microseconds are dropped), and "Z" or
// "+01:00" behind. Nothing for what is none.
std::optional<int64_t> parse_date(std::string_view text);
// "2024-02-29", or "2024-02-29 12:30:00.5" if it is not midnight; "" for kNoDate.
std::string date_text(int64_t microseconds);

}  // namespace glia::tables
