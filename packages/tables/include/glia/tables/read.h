// Tables from files and to files: CSV, ARFF and JSON lines.
//
// A file may be gzipped. Every fault is an IoError of one line, "FILE: line N, column M: fault",
// of the first that there is. What is written appears whole or not at all.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "glia/tables/table.h"

namespace glia::tables {

enum class Header { kYes, kNo, kGuess };  // guess: none if all of the first row are numbers
enum class RowLength { kFill, kExact };   // fill: a short row lacks its last values

// Defaults are those of pandas.read_csv, but that columns of ISO dates are dates.
struct CsvOptions {
  char separator = ',';
  Header header = Header::kYes;
  // Of the columns, also instead of the header's; else "1", "2", ... without a header.
  std::vector<std::string> names = {};
  std::vector<std::string> columns = {};  // only these are kept; empty: all
  // Columns that must be of a type; of others it is guessed from all values.
  std::vector<std::pair<std::string, ColumnType>> types = {};
  // Texts that stand for a missing value, besides the empty one and pandas': NA, N/A, NaN, null...
  std::vector<std::string> missing = {};
  bool default_missing = true;
  bool dates = true;                // guesses ISO dates
  bool skip_initial_space = false;  // before a value
  RowLength row_length = RowLength::kFill;
  int64_t skip_rows = 0;  // lines before the header
  int64_t max_rows = -1;  // only the first; -1: all
};

// Values may be quoted, with "" for a quote, and then hold separators and ends of lines. Ends of
// lines are \n, \r\n or \r; empty lines are none; a byte order mark is passed over. A column is
// integer, float, bool (true, True, TRUE, ...), date or text, the first that fits all of its
// values; integers with missing ones are floats. Names that appear twice become "a", "a.1"; an
// empty one "Unnamed: 2". Rows that are longer than the first are a fault. The mapped file is read
// in parts, in parallel; the result does not depend on that.
Table read_csv(const std::string& path, const CsvOptions& options = {});
// The same with tabs.
Table read_tsv(const std::string& path, CsvOptions options = {});
// The same of a text; `name` is what errors call it.
Table parse_csv(std::string_view text, const CsvOptions& options = {},
                const std::string& name = "CSV");

struct CsvWriteOptions {
  char separator = ',';
  bool header = true;
  std::string missing = {};
};
// pandas' form: values are quoted where they must be, floats have as many digits as tell them from
// others, bools are True and False.
void write_csv(const std::string& path, const Table& table, const CsvWriteOptions& options = {});
std::string to_csv(const Table& table, const CsvWriteOptions& options = {});
void write_tsv(const std::string& path, const Table& table);

// Weka's format: numeric, nominal, string and date attributes; dense or sparse rows; "?" is
// missing. Nominal attributes are texts whose categories are those that are declared.
Table read_arff(const std::string& path);
void write_arff(const std::string& path, const Table& table, const std::string& relation = "table");

// An object a line, of numbers, texts, truth values and null: what one lacks is missing. Columns in
// the order in which they appear. Types as in read_csv(), but that a text is never a number.
Table read_json_lines(const std::string& path);
void write_json_lines(const std::string& path, const Table& table);

// By the name's end: .csv, .tsv, .arff, .jsonl or .ndjson, each also with .gz.
Table read_table(const std::string& path);

}  // namespace glia::tables
