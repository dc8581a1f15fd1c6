// Bars and tables.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/html.h"
#include "report/plot.h"
#include "report/section.h"

namespace glia::report {
namespace {

constexpr size_t kMostBars = 200, kMostRows = 1000;

std::string first_of(size_t shown_rows, size_t given, const char* noun) {
  return shown_rows == given ? ""
                             : remark(fmt::format("The first {} of {} are shown.",
                                                  grouped(std::to_string(shown_rows)),
                                                  counted(static_cast<int64_t>(given), noun)));
}

// A number of a cell; NaN for text.
double number_of(const Table::Cell& cell) {
  if (const auto* whole = std::get_if<int64_t>(&cell.value())) return static_cast<double>(*whole);
  const auto* real = std::get_if<double>(&cell.value());
  return real ? *real : NAN;
}

bool is_text(const Table::Cell& cell) { return std::holds_alternative<std::string>(cell.value()); }

std::string text_of(const Table::Cell& cell, int digits, bool percent) {
  if (const auto* text = std::get_if<std::string>(&cell.value())) return *text;
  const auto* whole = std::get_if<int64_t>(&cell.value());
  if (whole && !percent) return grouped(std::to_string(*whole));
  return fixed(number_of(cell), digits, percent);
}

}  // namespace

std::string html_of(const Bars& bars, const std::string& title) {
  const size_t count = std::min(bars.bars.size(), kMostBars);
  if (count == 0) return nothing();
  const Axis axis{"", bars.percent, false};
  std::vector<double> values;
  Range range(axis);
  range.add(0);
  for (size_t i = 0; i < count; ++i) {
    values.push_back(bars.bars[i].value);
    range.add(values.back());
  }
  if (bars.reference) range.add(bars.reference->value);
  if (bars.percent && range.low == 0 && range.high <= 1) range.high = 1;  // shares of a whole
  if (range.high == range.low) range.high = 1;
  const auto at = [&](double v) { return 100 * (v - range.low) / (range.high - range.low); };

  const int digits = common_digits(values, bars.percent);
  const std::string line =
      bars.reference && drawable(bars.reference->value, axis)
          ? fmt::format("<u style='left:{:.2f}%'></u>", at(bars.reference->value))
          : "";
  const std::string zero = range.low < 0 ? fmt::format("<b style='left:{:.2f}%'></b>", at(0)) : "";
  std::string rows;
  for (size_t i = 0; i < count; ++i) {
    const double v = values[i];
    const std::string bar = drawable(v, axis)
                                ? fmt::format("<i{} style='left:{:.2f}%;width:{:.2f}%'></i>",
                                              v < 0 ? " class='low'" : "", at(std::min(v, 0.0)),
                                              at(std::max(v, 0.0)) - at(std::min(v, 0.0)))
                                : "";
    rows +=
        fmt::format("<span>{}</span><div>{}{}{}</div><span>{}</span>\n", escaped(bars.bars[i].name),
                    bar, zero, line, fixed(v, digits, bars.percent));
  }
  const std::string keys = bars.reference ? key(0, "dashed", bars.reference->name,
                                                shown(bars.reference->value, bars.percent))
                                          : "";
  return legend(keys) +
         fmt::format("<div class='bars' role='group' aria-label='{}'>\n{}</div>\n", escaped(title),
                     rows) +
         first_of(count, bars.bars.size(), "bar");
}

std::string html_of(const Table& table, const std::string& title) {
  const size_t width = table.columns.size(), count = std::min(table.rows.size(), kMostRows);
  for (size_t r = 0; r < table.rows.size(); ++r)
    check_count(fmt::format("row {}", r), table.rows[r].size(), "cells", width, "columns");
  if (width == 0 || count == 0) return nothing();
  std::vector<bool> numeric(width);
  std::vector<int> digits(width);
  std::string head;
  for (size_t c = 0; c < width; ++c) {
    std::vector<double> numbers;
    bool text = false;
    for (size_t r = 0; r < count; ++r) {
      const auto& cell = table.rows[r][c];
      text = text || is_text(cell);
      if (!is_text(cell)) numbers.push_back(number_of(cell));
    }
    numeric[c] = !text;
    digits[c] = common_digits(numbers, table.columns[c].percent);
    head += fmt::format("<th scope='col'{}>{}</th>", numeric[c] ? " class='number'" : "",
                        escaped(table.columns[c].name));
  }
  std::string body;
  for (size_t r = 0; r < count; ++r) {
    body += "<tr>";
    for (size_t c = 0; c < width; ++c) {
      const auto& cell = table.rows[r][c];
      const std::string text = escaped(text_of(cell, digits[c], table.columns[c].percent));
      body += is_text(cell)
                  ? fmt::format("<td>{}</td>", text)
                  : fmt::format("<td{} data-v='{}'>{}</td>", numeric[c] ? " class='number'" : "",
                                number_of(cell), text);
    }
    body += "</tr>\n";
  }
  return fmt::format(
             "<div class='scroll'><table aria-label='{}'>\n<thead><tr>{}</tr></thead>\n"
             "<tbody>\n{}</tbody></table></div>\n",
             escaped(title), head, body) +
         first_of(count, table.rows.size(), "row");
}

}  // namespace glia::report
