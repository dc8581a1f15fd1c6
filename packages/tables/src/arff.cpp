#include <algorithm>
#include <cmath>
#include <optional>

#include "file.h"
#include "glia/error.h"
#include "glia/io.h"
#include "glia/tables/read.h"
#include "values.h"

namespace glia::tables {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

enum class Attribute { kNumeric, kNominal, kString, kDate };

struct Field {
  std::string name;
  Attribute kind = Attribute::kNumeric;
  std::vector<std::string> categories = {};
  std::vector<double> numbers = {};
  std::vector<int32_t> codes = {};
  std::vector<std::optional<std::string>> texts = {};
  std::vector<int64_t> dates = {};
};

// One line, word by word.
class Line {
 public:
  Line(const std::string& file, std::string_view whole, std::string_view line)
      : file_(file), whole_(whole), left_(line) {}

  [[noreturn]] void fail(const std::string& fault) const {
    fault_at(file_, whole_, left_.data(), fault);
  }
  void blanks() {
    while (!left_.empty() && (left_[0] == ' ' || left_[0] == '\t')) left_.remove_prefix(1);
  }
  bool done() {
    blanks();
    return left_.empty() || left_[0] == '%';
  }
  bool take(char c) {
    blanks();
    if (left_.empty() || left_[0] != c) return false;
    left_.remove_prefix(1);
    return true;
  }
  // A value up to a blank or one of `ends`, or quoted; `quoted` says which.
  std::string word(std::string_view ends, bool* quoted = nullptr) {
    blanks();
    if (quoted) *quoted = false;
    std::string out;
    if (!left_.empty() && (left_[0] == '\'' || left_[0] == '"')) {
      const char quote = left_[0];
      if (quoted) *quoted = true;
      size_t i = 1;
      for (; i < left_.size() && left_[i] != quote; ++i) {
        if (left_[i] == '\\' && i + 1 < left_.size()) ++i;
        out += left_[i];
      }
      if (i == left_.size()) fail("a quote is not closed");
      left_.remove_prefix(i + 1);
      return out;
    }
    size_t i = 0;
    while (i < left_.size() && ends.find(left_[i]) == std::string_view::npos) ++i;
    out = trimmed(left_.substr(0, i));
    left_.remove_prefix(i);
    return out;
  }

 private:
  const std::string& file_;
  std::string_view whole_, left_;
};

Field declared(Line& line) {
  Field field{.name = line.word(" \t")};
  if (field.name.empty()) line.fail("an attribute has no name");
  if (line.take('{')) {
    field.kind = Attribute::kNominal;
    if (line.take('}')) return field;
    do {
      field.categories.push_back(line.word(",}"));
      const auto end = field.categories.end() - 1;
      if (std::find(field.categories.begin(), end, *end) != end)
        line.fail("category '" + *end + "' twice");
    } while (line.take(','));
    if (!line.take('}')) line.fail("a brace is not closed");
    return field;
  }
  const std::string type = lower(line.word(" \t"));
  if (type == "string")
    field.kind = Attribute::kString;
  else if (type == "date")
    field.kind = Attribute::kDate;
  else if (type != "numeric" && type != "real" && type != "integer")
    line.fail("attribute '" + field.name + "' is of the unknown type '" + type + "'");
  return field;
}

void add(Field& field, const std::string& value, bool missing, const Line& line) {
  const auto refuse = [&](const char* what) {
    line.fail("'" + value + "' of attribute '" + field.name + "' is " + what);
  };
  switch (field.kind) {
    case Attribute::kNumeric: {
      const auto number = missing ? kNaN : parse_float(value);
      if (!number) refuse("no number");
      field.numbers.push_back(*number);
      break;
    }
    case Attribute::kNominal: {
      const auto at = std::ranges::find(field.categories, value);
      if (!missing && at == field.categories.end()) refuse("none of its categories");
      field.codes.push_back(missing ? -1 : static_cast<int32_t>(at - field.categories.begin()));
      break;
    }
    case Attribute::kString:
      field.texts.push_back(missing ? std::nullopt : std::optional(value));
      break;
    case Attribute::kDate: {
      const auto date = missing ? kNoDate : parse_date(value);
      if (!date) refuse("no ISO date");
      field.dates.push_back(*date);
      break;
    }
  }
}

// {index value, ...}: what is not named is 0, or the first category.
void sparse_row(std::vector<Field>& fields, Line& line) {
  std::vector<std::optional<std::pair<std::string, bool>>> values(fields.size());
  if (!line.take('}')) {
    do {
      const auto index = parse_integer(line.word(" \t,}"));
      if (!index || *index < 0 || *index >= static_cast<int64_t>(fields.size()))
        line.fail("is no index of an attribute");
      bool quoted = false;
      std::string value = line.word(",}", &quoted);
      const bool missing = value == "?" && !quoted;
      values[static_cast<size_t>(*index)] = {std::move(value), missing};
    } while (line.take(','));
    if (!line.take('}')) line.fail("a brace is not closed");
  }
  for (size_t i = 0; i < fields.size(); ++i) {
    Field& field = fields[i];
    if (values[i])
      add(field, values[i]->first, values[i]->second, line);
    else if (field.kind == Attribute::kNominal && !field.categories.empty())
      field.codes.push_back(0);
    else
      add(field, "0", field.kind != Attribute::kNumeric, line);
  }
}

std::string quoted(const std::string& text) {
  if (!text.empty() && text != "?" && text.find_first_of(" \t,{}%'\"\\\n\r") == std::string::npos)
    return text;
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

}  // namespace

Table read_arff(const std::string& path) {
  const FileText file(path);
  const std::string_view text = without_mark(file.text());
  std::vector<Field> fields;
  bool data = false;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::string_view whole = text.substr(at, end - at);
    at = end + 1;
    if (whole.ends_with('\r')) whole.remove_suffix(1);
    Line line(path, text, whole);
    if (line.done()) continue;
    if (data) {
      if (line.take('{')) {
        sparse_row(fields, line);
        continue;
      }
      for (size_t i = 0; i < fields.size(); ++i) {
        if (i > 0 && !line.take(','))
          line.fail("has " + std::to_string(i) + " values and not " +
                    std::to_string(fields.size()));
        bool quoted = false;
        const std::string value = line.word(",", &quoted);
        add(fields[i], value, value == "?" && !quoted, line);
      }
      if (!line.done()) line.fail("has more than " + std::to_string(fields.size()) + " values");
      continue;
    }
    const std::string word = lower(line.word(" \t"));
    if (word == "@attribute")
      fields.push_back(declared(line));
    else if (word == "@data")
      data = true;
    else if (word != "@relation")
      line.fail("'" + word + "' is no declaration");
  }
  if (!data || fields.empty()) throw IoError(path + ": has no @attribute and @data");
  std::vector<Column> columns;
  for (Field& field : fields) {
    switch (field.kind) {
      case Attribute::kNumeric:
        columns.push_back(Column::from_floats(field.name, std::move(field.numbers)));
        break;
      case Attribute::kNominal:
        columns.push_back(Column::from_texts(field.name, std::move(field.codes), field.categories));
        break;
      case Attribute::kString:
        columns.push_back(Column::from_texts(field.name, field.texts));
        break;
      case Attribute::kDate:
        columns.push_back(Column::from_dates(field.name, std::move(field.dates)));
        break;
    }
  }
  try {
    return Table(std::move(columns));
  } catch (const ValueError& fault) {
    throw IoError(path + ": " + fault.what());
  }
}

void write_arff(const std::string& path, const Table& table, const std::string& relation) {
  std::string out = "@relation " + quoted(relation) + "\n\n";
  for (const Column& column : table.columns()) {
    out += "@attribute " + quoted(column.name()) + " ";
    if (column.type() == ColumnType::kText || column.type() == ColumnType::kBool) {
      std::string names;
      if (column.type() == ColumnType::kBool) names = "False,True";
      if (column.type() == ColumnType::kText)
        for (const std::string& category : column.categories())
          names += (names.empty() ? "" : ",") + quoted(category);
      out += "{" + names + "}\n";
    } else {
      out += column.type() == ColumnType::kInteger ? "integer\n"
             : column.type() == ColumnType::kDate  ? "date 'yyyy-MM-dd HH:mm:ss'\n"
                                                   : "numeric\n";
    }
  }
  out += "\n@data\n";
  for (int64_t row = 0; row < table.rows(); ++row) {
    bool first = true;
    for (const Column& column : table.columns()) {
      if (!first) out += ',';
      first = false;
      out += column.is_missing(row) ? "?" : quoted(column.text(row));
    }
    out += '\n';
  }
  io::write_file_atomic(path, out);
}

}  // namespace glia::tables
