#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "glia/error.h"
#include "report/html.h"
#include "report/section.h"

namespace glia::report {
namespace {

constexpr size_t kMost = 128;           // rows and columns that are shown
constexpr size_t kMostNames = 40;       // on a side; of more, every second, third, ... is written
constexpr size_t kMostCharacters = 64;  // in a row of values that are written into their cells
constexpr size_t kMostWritten = 32;     // rows of such
constexpr int kLevels = 20;             // of shade
constexpr double kSide = 620, kCell = 44;  // pixels: of the whole, and of a cell, at most

struct Cells {
  size_t rows, columns;
  std::vector<double> values;

  double at(size_t r, size_t c) const { return values[r * columns + c]; }
};

Cells cells_of(const Matrix& matrix) {
  const auto rows = static_cast<int64_t>(matrix.rows.size());
  const auto columns = static_cast<int64_t>(matrix.columns.size());
  if (!matrix.values.defined() || matrix.values.shape() != Shape({rows, columns}))
    throw ShapeError(fmt::format(
        "values are {}, not ({}, {}) as the names are",
        matrix.values.defined() ? matrix.values.shape().str() : "undefined", rows, columns));
  const auto all = matrix.values.to_vector<double>();
  Cells cells{std::min(matrix.rows.size(), kMost), std::min(matrix.columns.size(), kMost), {}};
  for (size_t r = 0; r < cells.rows; ++r)
    for (size_t c = 0; c < cells.columns; ++c)
      cells.values.push_back(all[r * matrix.columns.size() + c]);
  return cells;
}

// From -kLevels to kLevels.
std::vector<int> levels_of(const Cells& cells, bool confusion) {
  double largest = 0;
  for (const double v : cells.values)
    if (std::isfinite(v)) largest = std::max(largest, std::abs(v));
  std::vector<int> levels;
  for (size_t r = 0; r < cells.rows; ++r) {
    double total = 0;
    for (size_t c = 0; c < cells.columns; ++c)
      if (std::isfinite(cells.at(r, c))) total += std::abs(cells.at(r, c));
    for (size_t c = 0; c < cells.columns; ++c) {
      const double v = cells.at(r, c), whole = confusion ? total : largest;
      double part = std::isfinite(v) && whole > 0 ? std::abs(v) / whole : 0;
      // The square root lets the few mistakes be seen beside the many hits.
      if (confusion) part = std::sqrt(part);
      const int level = static_cast<int>(std::ceil(part * kLevels - 1e-9));
      levels.push_back(v < 0 ? -level : level);
    }
  }
  return levels;
}

// One path for each shade; equal neighbours are one rectangle.
std::string shades(const Cells& cells, const std::vector<int>& levels) {
  std::vector<std::string> paths(2 * kLevels + 1);
  for (size_t r = 0; r < cells.rows; ++r) {
    for (size_t c = 0, end; c < cells.columns; c = end) {
      const int level = levels[r * cells.columns + c];
      for (end = c + 1; end < cells.columns && levels[r * cells.columns + end] == level;) ++end;
      paths[level + kLevels] += fmt::format("M{0} {1}H{2}v1H{0}z", c, r, end);
    }
  }
  std::string out;
  for (int level = -kLevels; level <= kLevels; ++level)
    if (level != 0 && !paths[level + kLevels].empty())
      out += fmt::format("<path class='{}' opacity='{:.2f}' d='{}'/>\n", level < 0 ? "low" : "heat",
                         std::abs(level) / double{kLevels}, paths[level + kLevels]);
  return out;
}

std::string diagonal(const Cells& cells) {
  std::string path;
  for (size_t i = 0; i < std::min(cells.rows, cells.columns); ++i)
    path += fmt::format("M{0} {0}h1v1H{0}z", i);
  return fmt::format("<path class='hit' d='{}'/>\n", path);
}

// The names of a side: each beside the cells that it stands for.
std::string names(const char* side, const std::vector<std::string>& all) {
  const size_t every = (all.size() + kMostNames - 1) / kMostNames;
  std::string out =
      fmt::format("<div class='{}{}' style='--n:{}'>", side,
                  all.size() > kMostNames / 2 ? " many" : "", (all.size() + every - 1) / every);
  for (size_t i = 0; i < all.size(); i += every) {
    const size_t cells = std::min(every, all.size() - i);
    const std::string name = escaped(all[i]);
    out += fmt::format("<span style='flex-grow:{}' title='{}'><i>{}</i></span>", cells, name,
                       cells == every ? name : "");
  }
  return out + "</div>\n";
}

// Characters of the longest name; those of wide scripts count twice, and beyond `most` none.
size_t longest_name(const std::vector<std::string>& all, size_t most) {
  size_t longest = 0;
  for (const std::string& name : all) {
    size_t length = 0;
    for (const char c : name) {
      const auto byte = static_cast<uint8_t>(c);
      length += byte < 0x80 || byte >= 0xE0 ? (byte >= 0xE0 ? 2 : 1) : byte >= 0xC0 ? 1 : 0;
    }
    longest = std::max(longest, length);
  }
  return std::min(longest, most);
}

std::string size_note(const char* what, size_t shown_count, size_t given) {
  return shown_count == given ? ""
                              : remark(fmt::format("The first {} of {} {} are shown.", shown_count,
                                                   grouped(std::to_string(given)), what));
}

}  // namespace

std::string html_of(const Matrix& matrix, const std::string& title) {
  const Cells cells = cells_of(matrix);
  if (cells.values.empty()) return nothing();
  const std::vector<std::string> rows(matrix.rows.begin(), matrix.rows.begin() + cells.rows);
  const std::vector<std::string> columns(matrix.columns.begin(),
                                         matrix.columns.begin() + cells.columns);

  const int digits = std::min(common_digits(cells.values, matrix.percent), matrix.percent ? 1 : 2);
  std::string written;
  size_t longest = 1;
  for (const double v : cells.values) {
    std::string text = v == 0 ? "" : fixed(v, digits, matrix.percent);
    if (matrix.percent && text.ends_with(" %")) text.resize(text.size() - 2);
    longest = std::max(longest, text.size());
    written += fmt::format("<span>{}</span>", text);
  }
  const bool legible = longest * cells.columns <= kMostCharacters && cells.rows <= kMostWritten;

  const auto rows_high = static_cast<double>(cells.rows);
  const auto columns_wide = static_cast<double>(cells.columns);
  const double cell = std::clamp(kSide / std::max(rows_high, columns_wide), 8.0, kCell);
  const double letters = legible ? 8 * static_cast<double>(longest) + 8 : 0;
  const double width =
      columns_wide * std::max({cell, letters, std::min(18.0, kSide / columns_wide)});
  const double height = rows_high * std::max(cell, std::min(18.0, kSide / rows_high));

  int64_t missing = 0;
  double total = 0, correct = 0;
  size_t highest = 0;
  for (size_t i = 0; i < cells.values.size(); ++i) {
    const double v = cells.values[i];
    missing += !std::isfinite(v);
    if (std::isfinite(v) && !(v <= cells.values[highest])) highest = i;
    total += v;
    if (i / cells.columns == i % cells.columns) correct += v;
  }
  const std::string fact =
      matrix.confusion && total > 0
          ? fmt::format("{}: {} on the diagonal", title, shown(correct / total, true))
          : fmt::format("{}: highest {} at {}, {}", title,
                        shown(cells.values[highest], matrix.percent), rows[highest / cells.columns],
                        columns[highest % cells.columns]);
  const std::string hover = fmt::format(
      R"({{"kind":"cells","rows":{},"columns":{},"names":[{},{}],"unit":"{}","values":{}}})",
      json_texts(rows), json_texts(columns), json_text(matrix.row_name),
      json_text(matrix.column_name), matrix.percent ? " %" : "",
      array(cells.values, matrix.percent));
  const auto arrow = [](const std::string& name, const char* way) {
    return name.empty() ? "" : fmt::format("<span>{} {}</span>", escaped(name), way);
  };
  const std::string corner = arrow(matrix.column_name, "→") + arrow(matrix.row_name, "↓");
  std::string out = fmt::format(
      "<div class='matrix' role='img' aria-label='{}' style='--rows:{};--columns:{};"
      "--longest:{};--width:{:.0f}px;--ratio:{:.4f};--names:{}ch;--heads:{}ch'>\n"
      "<div class='corner'>{}</div>\n",
      escaped(fact), cells.rows, cells.columns, longest, width, width / height,
      std::max<size_t>(longest_name(rows, 24), 4), std::max<size_t>(longest_name(columns, 18), 4),
      corner);
  out += names("top", columns) + names("side", rows);
  out += fmt::format(
      "<div class='area{}'><svg viewBox='0 0 {} {}' preserveAspectRatio='none'>\n{}{}</svg>\n",
      legible ? " legible" : "", cells.columns, cells.rows,
      shades(cells, levels_of(cells, matrix.confusion)), matrix.confusion ? diagonal(cells) : "");
  if (legible) out += "<div class='values'>" + written + "</div>\n";
  return out + "</div>\n<script type='application/json'>" + hover + "</script>\n</div>\n" +
         size_note("rows", cells.rows, matrix.rows.size()) +
         size_note("columns", cells.columns, matrix.columns.size()) +
         remark(left_out(missing, false));
}

}  // namespace glia::report
