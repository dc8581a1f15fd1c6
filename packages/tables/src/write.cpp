#include <algorithm>

#include "glia/error.h"
#include "glia/io.h"
#include "glia/parallel.h"
#include "glia/tables/read.h"
#include "values.h"

namespace glia::tables {
namespace {

constexpr int64_t kBlock = 1 << 14;  // rows that one thread writes

std::string quoted(const std::string& text, char separator) {
  const bool plain =
      text.find_first_of(std::string{separator, '"', '\n', '\r'}) == std::string::npos;
  if (plain) return text;
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

}  // namespace

std::string to_csv(const Table& table, const CsvWriteOptions& options) {
  std::string head;
  if (options.header) {
    for (const Column& column : table.columns())
      head += (head.empty() ? std::string() : std::string(1, options.separator)) +
              quoted(column.name(), options.separator);
    head += '\n';
  }
  // Categories are quoted once.
  std::vector<std::vector<std::string>> categories;
  for (const Column& column : table.columns()) {
    categories.emplace_back();
    if (column.type() != ColumnType::kText) continue;
    for (const std::string& text : column.categories())
      categories.back().push_back(quoted(text, options.separator));
  }
  const int64_t count = (table.rows() + kBlock - 1) / kBlock;
  std::vector<std::string> blocks(static_cast<size_t>(count));
  const bool alone = table.columns().size() == 1;
  parallel_for(count, [&](int64_t b) {
    std::string& out = blocks[static_cast<size_t>(b)];
    for (int64_t row = b * kBlock; row < std::min(table.rows(), (b + 1) * kBlock); ++row) {
      const size_t begin = out.size();
      for (size_t c = 0; c < categories.size(); ++c) {
        const Column& column = table.columns()[c];
        if (c > 0) out += options.separator;
        if (column.is_missing(row))
          out += options.missing;
        else if (column.type() == ColumnType::kText)
          out += categories[c][static_cast<size_t>(column.codes()[static_cast<size_t>(row)])];
        else
          out += column.text(row);
      }
      if (alone && out.size() == begin) out += "\"\"";  // no empty line
      out += '\n';
    }
  });
  for (const std::string& block : blocks) head += block;
  return head;
}

void write_csv(const std::string& path, const Table& table, const CsvWriteOptions& options) {
  io::write_file_atomic(path, to_csv(table, options));
}

void write_tsv(const std::string& path, const Table& table) {
  write_csv(path, table, {.separator = '\t'});
}

Table read_table(const std::string& path) {
  std::string name = path;
  if (name.ends_with(".gz")) name.resize(name.size() - 3);
  if (name.ends_with(".csv")) return read_csv(path);
  if (name.ends_with(".tsv")) return read_tsv(path);
  if (name.ends_with(".arff")) return read_arff(path);
  if (name.ends_with(".jsonl") || name.ends_with(".ndjson")) return read_json_lines(path);
  throw IoError(path + ": is no .csv, .tsv, .arff, .jsonl or .ndjson, each gzipped or not");
}

}  // namespace glia::tables
