#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <map>
#include <set>

#include "buffer.h"
#include "file.h"
#include "glia/error.h"
#include "glia/io.h"
#include "glia/parallel.h"
#include "glia/tables/read.h"
#include "values.h"

namespace glia::tables {
namespace {

constexpr size_t kPart = 1 << 20;  // bytes of a part

struct Fault {
  const char* at = nullptr;
  std::string what;
};

// What is read of the file's columns.
struct Plan {
  std::vector<std::string> names = {};
  std::vector<int> slots = {};  // of each column of the file its buffer, or -1
  std::vector<bool> fixed = {};
  std::vector<Kind> kinds = {};  // of the buffers: as far as known
  ValueRules rules = {};
  char separator = ',';
  bool skip_space = false, fill = true;
};

struct Part {
  const char* begin = nullptr;
  const char* limit = nullptr;  // rows that begin before it
  const char* end = nullptr;    // of the last row
  int64_t rows = 0;
  std::vector<Buffer> buffers;
  Fault fault;
};

inline bool is_digit(char c) { return static_cast<unsigned char>(c - '0') < 10; }

constexpr double kPowers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                              1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                              1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

// Reads rows of a text that ends at `end`.
class Reader {
 public:
  Reader(const Plan& plan, const char* end) : plan_(plan), end_(end), separator_(plan.separator) {}

  // One value as text; `p` is then at the separator, the end of the line or of the text. Throws
  // Fault for a quote that is not closed. `owned_` says that the text lies in the scratch.
  std::string_view value(const char*& p) {
    owned_ = false;
    if (plan_.skip_space)
      while (p != end_ && *p == ' ' && separator_ != ' ') ++p;
    if (p != end_ && *p == '"') return quoted(p);
    const char* begin = p;
    while (p != end_ && !ends(*p)) ++p;
    return {begin, static_cast<size_t>(p - begin)};
  }
  bool owned() const { return owned_; }

  void end_of_line(const char*& p) const {
    if (p == end_) return;
    if (*p == '\r') {
      ++p;
      if (p != end_ && *p == '\n') ++p;
    } else if (*p == '\n') {
      ++p;
    }
  }

  // Whether the line at p is empty; it is passed over.
  bool empty_line(const char*& p) const {
    const char* at = p;
    while (at != end_ && (*at == ' ' || *at == '\t') && *at != separator_) ++at;
    if (at != end_ && *at != '\n' && *at != '\r') return false;
    p = at;
    end_of_line(p);
    return true;
  }

  // The rest of the row is passed over.
  void pass_row(const char*& p) {
    for (;;) {
      value(p);
      if (p == end_ || *p != separator_) break;
      ++p;
    }
    end_of_line(p);
  }

  std::vector<std::string> row(const char*& p) {
    std::vector<std::string> out;
    for (;;) {
      out.emplace_back(value(p));
      if (p == end_ || *p != separator_) break;
      ++p;
    }
    end_of_line(p);
    return out;
  }

  // All rows of a part. False, and the column in `needs_text`, if a value does not fit its kind.
  bool rows(Part& part, int& needs_text) {
    const char* p = part.begin;
    const size_t width = plan_.slots.size();
    while (p < part.limit) {
      if ((*p == '\n' || *p == '\r' || *p == ' ' || *p == '\t') && empty_line(p)) continue;
      size_t c = 0;
      for (;; ++c) {
        if (c == width) throw Fault{p, "has more than " + std::to_string(width) + " values"};
        const int slot = plan_.slots[c];
        if (slot < 0) {
          value(p);
        } else if (!number(p, part.buffers[static_cast<size_t>(slot)])) {
          const char* at = p;
          const std::string_view text = value(p);
          const auto added = part.buffers[static_cast<size_t>(slot)].add(text, plan_.rules, owned_);
          if (added == Buffer::Added::kNo) refuse(at, c, text);
          if (added == Buffer::Added::kNeedsText) {
            needs_text = slot;
            return false;
          }
        }
        if (p == end_ || *p != separator_) break;
        ++p;
      }
      if (++c < width) {
        if (!plan_.fill)
          throw Fault{p, "has " + std::to_string(c) + " values and not " + std::to_string(width)};
        for (; c < width; ++c)
          if (const int slot = plan_.slots[c];
              slot >= 0 && !part.buffers[static_cast<size_t>(slot)].add_missing())
            refuse(p, c, "");
      }
      end_of_line(p);
      ++part.rows;
    }
    part.end = p;
    return true;
  }

 private:
  bool ends(char c) const { return c == separator_ || c == '\n' || c == '\r'; }

  [[noreturn]] void refuse(const char* at, size_t column, std::string_view text) const {
    const Kind kind = plan_.kinds[static_cast<size_t>(plan_.slots[column])];
    const char* what = kind == Kind::kInteger ? "no integer"
                       : kind == Kind::kBool  ? "neither true nor false"
                       : kind == Kind::kDate  ? "no date"
                                              : "no number";
    throw Fault{at,
                "'" + std::string(text) + "' of column '" + plan_.names[column] + "' is " + what};
  }

  std::string_view quoted(const char*& p) {
    const char* open = p++;
    const char* begin = p;
    scratch_.clear();
    for (;;) {
      const auto* quote =
          static_cast<const char*>(std::memchr(p, '"', static_cast<size_t>(end_ - p)));
      if (!quote) throw Fault{open, "a quote is not closed"};
      p = quote + 1;
      if (p != end_ && *p == '"') {  // one of two is meant
        scratch_.append(begin, p);
        begin = ++p;
        owned_ = true;
        continue;
      }
      if (p == end_ || ends(*p)) {
        if (!owned_) return {begin, static_cast<size_t>(quote - begin)};
        scratch_.append(begin, quote);
        return scratch_;
      }
      throw Fault{p, "text behind a quote"};
    }
  }

  // The usual form of a number, quickly; false leaves p where it was.
  bool number(const char*& p, Buffer& buffer) {
    if (buffer.kind != Kind::kInteger && buffer.kind != Kind::kFloat) return false;
    const char* at = p;
    bool negative = false;
    if (at != end_ && *at == '-') {
      negative = true;
      ++at;
    }
    const char* first = at;
    uint64_t mantissa = 0;
    while (at != end_ && is_digit(*at))
      mantissa = mantissa * 10 + static_cast<uint64_t>(*at++ - '0');
    int64_t count = at - first, exponent = 0;
    if (at == end_ || ends(*at)) {
      if (count == 0 || count > 18) return false;
      const auto value = static_cast<int64_t>(mantissa);
      if (negative && value == 0 && buffer.kind == Kind::kFloat)
        buffer.floats.push_back(-0.0);
      else
        buffer.add_integer(negative ? -value : value);
      p = at;
      return true;
    }
    if (buffer.kind == Kind::kInteger && buffer.fixed) return false;
    if (*at == '.') {
      const char* point = ++at;
      while (at != end_ && is_digit(*at))
        mantissa = mantissa * 10 + static_cast<uint64_t>(*at++ - '0');
      exponent = point - at;
      count -= exponent;
    }
    if (count == 0) return false;
    if (at != end_ && (*at == 'e' || *at == 'E')) {
      ++at;
      bool below = false;
      if (at != end_ && (*at == '-' || *at == '+')) below = *at++ == '-';
      const char* digits = at;
      int64_t power = 0;
      while (at != end_ && is_digit(*at) && at - digits < 6) power = power * 10 + (*at++ - '0');
      if (at == digits) return false;
      exponent += below ? -power : power;
    }
    if (at != end_ && !ends(*at)) return false;
    double value = 0;
    if (count <= 19 && mantissa <= (uint64_t{1} << 53) && exponent >= -22 && exponent <= 22) {
      // Both are exact, and so is one operation but for its rounding (Clinger 1990).
      value = static_cast<double>(mantissa);
      value = exponent < 0 ? value / kPowers[-exponent] : value * kPowers[exponent];
    } else if (std::from_chars(first, at, value).ec != std::errc()) {
      return false;
    }
    buffer.add_float(negative ? -value : value);
    p = at;
    return true;
  }

  const Plan& plan_;
  const char* end_;
  const char separator_;
  std::string scratch_;
  bool owned_ = false;
};

void read_part(const Plan& plan, Part& part, const char* end) {
  std::vector<Kind> kinds = plan.kinds;
  for (;;) {
    part.rows = 0;
    part.fault = {};
    part.end = part.begin;
    part.buffers.assign(kinds.size(), {});
    for (size_t i = 0; i < kinds.size(); ++i) {
      part.buffers[i].kind = kinds[i];
      part.buffers[i].fixed = plan.fixed[i];
    }
    int needs_text = -1;
    try {
      if (Reader(plan, end).rows(part, needs_text)) return;
    } catch (const Fault& fault) {
      part.fault = fault;
      return;
    }
    kinds[static_cast<size_t>(needs_text)] = Kind::kText;
  }
}

// Where rows begin behind the bounds of parts, if quotes are where they should be: an even number
// of them lies before. Parts are checked against each other afterwards.
std::vector<Part> parts_of(const char* begin, const char* end) {
  const auto size = static_cast<size_t>(end - begin);
  const size_t count = std::max<size_t>(1, (size + kPart - 1) / kPart);
  std::vector<int64_t> quotes(count);
  parallel_for(static_cast<int64_t>(count), [&](int64_t i) {
    const char* p = begin + static_cast<size_t>(i) * kPart;
    const char* limit = std::min(p + kPart, end);
    while ((p = static_cast<const char*>(std::memchr(p, '"', static_cast<size_t>(limit - p))))) {
      ++quotes[static_cast<size_t>(i)];
      ++p;
    }
  });
  std::vector<Part> parts(count);
  int64_t before = 0;
  for (size_t i = 0; i < count; ++i) {
    const char* p = begin + i * kPart;
    if (i > 0) {
      bool inside = before % 2 == 1;
      for (; p != end && (inside || p[-1] != '\n'); ++p) inside ^= *p == '"';
    }
    parts[i].begin = p;
    if (i > 0) parts[i - 1].limit = p;
    before += quotes[i];
  }
  parts.back().limit = end;
  return parts;
}

// Every row as it stands, whatever the parts' bounds were taken for.
std::vector<Part> read_parts(Plan& plan, const char* begin, const char* end) {
  std::vector<Part> parts = parts_of(begin, end);
  read_part(plan, parts[0], end);  // says most likely what the others hold
  if (parts[0].fault.at) return parts;
  for (size_t i = 0; i < plan.kinds.size(); ++i) plan.kinds[i] = parts[0].buffers[i].kind;
  const auto count = static_cast<int64_t>(parts.size());
  parallel_for(count - 1,
               [&](int64_t i) { read_part(plan, parts[static_cast<size_t>(i) + 1], end); });
  for (size_t i = 1; i < parts.size(); ++i) {
    const char* expected = parts[i - 1].end;
    if (parts[i].begin != expected) {
      parts[i].begin = expected;
      read_part(plan, parts[i], end);
    }
    if (parts[i].fault.at) return parts;
  }
  // What turned out to be text somewhere is text everywhere.
  std::vector<int64_t> again;
  for (size_t c = 0; c < plan.kinds.size(); ++c)
    for (const Part& part : parts) plan.kinds[c] = joined(plan.kinds[c], part.buffers[c].kind);
  for (size_t i = 0; i < parts.size(); ++i)
    for (size_t c = 0; c < plan.kinds.size(); ++c) {
      const Kind kind = parts[i].buffers[c].kind;
      if (plan.kinds[c] == Kind::kText && kind != Kind::kText && kind != Kind::kUnknown) {
        again.push_back(static_cast<int64_t>(i));
        break;
      }
    }
  parallel_for(static_cast<int64_t>(again.size()), [&](int64_t i) {
    read_part(plan, parts[static_cast<size_t>(again[static_cast<size_t>(i)])], end);
  });
  return parts;
}

std::vector<std::string> unlike(std::vector<std::string> names) {
  std::set<std::string> taken(names.begin(), names.end()), seen;
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i].empty()) names[i] = "Unnamed: " + std::to_string(i);
    std::string name = names[i];
    for (int64_t n = 1; seen.count(name) > 0; ++n) {
      std::string other = names[i] + "." + std::to_string(n);
      if (taken.count(other) == 0) name = std::move(other);
    }
    seen.insert(names[i] = name);
  }
  return names;
}

Table read(const std::string& name, std::string_view whole, const CsvOptions& options) {
  if (options.separator == '"' || options.separator == '\n' || options.separator == '\r')
    throw ValueError("read_csv: separator is a quote or the end of a line");
  const std::string_view text = without_mark(whole);
  const char* p = text.data();
  const char* end = p + text.size();
  Plan plan{.rules = {options.missing, options.default_missing, options.dates},
            .separator = options.separator,
            .skip_space = options.skip_initial_space,
            .fill = options.row_length == RowLength::kFill};
  try {
    Reader reader(plan, end);
    for (int64_t i = 0; i < options.skip_rows; ++i) {
      while (p != end && *p != '\n' && *p != '\r') ++p;
      reader.end_of_line(p);
    }
    while (p != end && reader.empty_line(p)) {
    }
    if (p == end) throw IoError(name + ": holds no rows");

    const char* first = p;
    std::vector<std::string> names = reader.row(p);
    const bool header =
        options.header == Header::kYes ||
        (options.header == Header::kGuess && !std::ranges::all_of(names, [](const auto& cell) {
           return parse_float(cell).has_value();
         }));
    if (!header) {
      p = first;
      for (size_t i = 0; i < names.size(); ++i) names[i] = std::to_string(i + 1);
    }
    if (!options.names.empty()) {
      if (options.names.size() != names.size())
        throw IoError(name + ": has " + std::to_string(names.size()) + " columns, but " +
                      std::to_string(options.names.size()) + " names are given");
      names = options.names;
    }
    plan.names = unlike(std::move(names));
    if (options.max_rows >= 0) {
      const char* at = p;
      for (int64_t i = 0; i < options.max_rows && at != end;)
        if (!reader.empty_line(at)) {
          reader.pass_row(at);
          ++i;
        }
      end = at;
    }
  } catch (const Fault& fault) {
    fault_at(name, text, fault.at, fault.what);
  }

  const auto place = [&](const std::string& column) {
    const auto at = std::ranges::find(plan.names, column);
    if (at == plan.names.end()) {
      std::string known;
      for (const std::string& one : plan.names) known += (known.empty() ? "" : ", ") + one;
      throw IoError(name + ": has no column '" + column + "', but " + known);
    }
    return static_cast<size_t>(at - plan.names.begin());
  };
  plan.slots.assign(plan.names.size(), options.columns.empty() ? 0 : -1);
  for (const std::string& column : options.columns) plan.slots[place(column)] = 0;
  std::vector<size_t> columns;
  for (size_t i = 0; i < plan.slots.size(); ++i)
    if (plan.slots[i] == 0) {
      plan.slots[i] = static_cast<int>(columns.size());
      columns.push_back(i);
    }
  plan.kinds.assign(columns.size(), Kind::kUnknown);
  plan.fixed.assign(columns.size(), false);
  for (const auto& [column, type] : options.types)
    if (const int slot = plan.slots[place(column)]; slot >= 0) {
      plan.kinds[static_cast<size_t>(slot)] = kind_of(type);
      plan.fixed[static_cast<size_t>(slot)] = true;
    }

  std::vector<Part> parts = read_parts(plan, p, end);
  for (const Part& part : parts)
    if (part.fault.at) fault_at(name, text, part.fault.at, part.fault.what);
  std::vector<std::optional<Column>> out(columns.size());
  parallel_for(static_cast<int64_t>(columns.size()), [&](int64_t i) {
    const auto c = static_cast<size_t>(i);
    std::vector<Buffer*> buffers;
    for (Part& part : parts) buffers.push_back(&part.buffers[c]);
    out[c] = join_buffers(plan.names[columns[c]], plan.kinds[c], buffers);
  });
  std::vector<Column> all;
  for (auto& column : out) all.push_back(std::move(*column));
  return Table(std::move(all));
}

}  // namespace

Table read_csv(const std::string& path, const CsvOptions& options) {
  const FileText file(path);
  return read(path, file.text(), options);
}

Table read_tsv(const std::string& path, CsvOptions options) {
  options.separator = '\t';
  return read_csv(path, options);
}

Table parse_csv(std::string_view text, const CsvOptions& options, const std::string& name) {
  return read(name, text, options);
}

}  // namespace glia::tables
