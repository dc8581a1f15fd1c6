#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/html.h"
#include "report/plot.h"
#include "report/section.h"

namespace glia::report {
namespace {

constexpr size_t kMostPoints = 1000;  // of a line that are drawn
constexpr size_t kMostDots = 40;      // lines with more have no dots at their points

// A series as it is drawn: thinned, and with an x for each y.
struct Line {
  std::vector<double> x, y, deviation;
  size_t given = 0;  // points before thinning
};

template <class T>
std::vector<T> picked(const std::vector<T>& values, const std::vector<size_t>& indices) {
  std::vector<T> out;
  if (!values.empty())
    for (const size_t i : indices) out.push_back(values[i]);
  return out;
}

Line line_of(const Curves::Series& series) {
  const std::string what = "series \"" + series.name + "\"";
  Line line{.x = series.x, .given = series.y.size()};
  if (line.x.empty())
    for (size_t i = 1; i <= line.given; ++i) line.x.push_back(static_cast<double>(i));
  check_count(what, line.x.size(), "values of x", line.given, "of y");
  if (!series.deviation.empty())
    check_count(what, series.deviation.size(), "deviations", line.given, "values of y");
  const auto kept = thinned(series.y, kMostPoints);
  line.x = picked(line.x, kept);
  line.y = picked(series.y, kept);
  line.deviation = picked(series.deviation, kept);
  return line;
}

// The runs of points between gaps, as [begin, end).
std::vector<std::pair<size_t, size_t>> runs_of(const Line& line, const Curves& curves) {
  std::vector<std::pair<size_t, size_t>> runs;
  bool open = false;
  for (size_t i = 0; i < line.y.size(); ++i) {
    const bool drawn = drawable(line.x[i], curves.x) && drawable(line.y[i], curves.y);
    if (drawn && !open) runs.emplace_back(i, i);
    if (drawn) runs.back().second = i + 1;
    open = drawn;
  }
  return runs;
}

class Drawing {
 public:
  Drawing(const Curves& curves, const std::vector<Line>& lines)
      : curves_(curves),
        x_(scale_of(range_of_x(lines), {.labels = kPlotWidth, .marks = 6})),
        y_(scale_of(range_of_y(lines), {.marks = 4, .to_marks = true})) {}

  const Scale& x() const { return x_; }
  const Scale& y() const { return y_; }

  std::string of(const Line& line, size_t i) const {
    std::string band, path, dots;
    for (const auto& [begin, end] : runs_of(line, curves_)) {
      for (size_t p = begin; p < end; ++p) {
        const std::string at = place(x_, y_, line.x[p], line.y[p]);
        path += (p == begin ? "M" : "L") + at;
        if (line.y.size() <= kMostDots || end - begin == 1) dots += "M" + at + "h0";
      }
      if (!line.deviation.empty()) band += band_of(line, begin, end);
    }
    std::string out = fmt::format("<g class='{}'>", look(i));
    if (!band.empty()) out += fmt::format("<path class='band' d='{}'/>", band);
    out += fmt::format("<path class='line' d='{}'/>", path);
    if (!dots.empty()) out += fmt::format("<path class='dots' d='{}'/>", dots);
    return out + "</g>\n";
  }

  std::string of(const Reference& reference) const {
    return fmt::format("<path class='line dashed' d='M0 {0:.1f}H1000'/>\n",
                       1000 - 1000 * y_.at(reference.value));
  }

 private:
  Range range_of_x(const std::vector<Line>& lines) const {
    Range range(curves_.x);
    for (const Line& line : lines)
      for (const double x : line.x) range.add(x);
    return range;
  }
  Range range_of_y(const std::vector<Line>& lines) const {
    Range range(curves_.y);
    for (const Line& line : lines) {
      for (size_t i = 0; i < line.y.size(); ++i) {
        range.add(line.y[i]);
        if (line.deviation.empty()) continue;
        range.add(line.y[i] - line.deviation[i]);
        range.add(line.y[i] + line.deviation[i]);
      }
    }
    for (const Reference& reference : curves_.references) range.add(reference.value);
    return range;
  }
  // Where an edge of the band lies: below the plot on a logarithmic axis if not positive.
  std::string edge(double x, double y) const {
    const double lowest = curves_.y.log ? std::pow(10, y_.low) : -INFINITY;
    return place(x_, y_, x, std::max(y, lowest));
  }
  std::string band_of(const Line& line, size_t begin, size_t end) const {
    std::string out;
    const auto width = [&](size_t p) {
      const double d = line.deviation[p];
      return drawable(line.y[p] + d, {}) && drawable(line.y[p] - d, {}) ? d : 0;
    };
    for (size_t p = begin; p < end; ++p)
      out += (p == begin ? "M" : "L") + edge(line.x[p], line.y[p] + width(p));
    for (size_t p = end; p-- > begin;) out += "L" + edge(line.x[p], line.y[p] - width(p));
    return out + "Z";
  }

  const Curves& curves_;
  Scale x_, y_;
};

std::string hover_of(const Curves& curves, const std::vector<Line>& lines, const Drawing& drawing) {
  std::string series;
  for (const Line& line : lines) {
    series += fmt::format("{}{{\"x\":{},\"y\":{}", series.empty() ? "" : ",",
                          array(line.x, curves.x.percent), array(line.y, curves.y.percent));
    if (!line.deviation.empty()) series += ",\"d\":" + array(line.deviation, curves.y.percent);
    series += "}";
  }
  return fmt::format(
      R"({{"kind":"lines","x":{},"y":{},"name":{},"units":["{}","{}"],"series":[{}]}})",
      drawing.x().json(), drawing.y().json(),
      json_text(curves.x.name.empty() ? "x" : curves.x.name), curves.x.percent ? " %" : "",
      curves.y.percent ? " %" : "", series);
}

}  // namespace

std::string html_of(const Curves& curves, const std::string& title) {
  std::vector<Line> lines;
  for (const auto& series : curves.series) lines.push_back(line_of(series));
  const Drawing drawing(curves, lines);

  std::string shapes, keys, fact = title, remarks;
  int64_t missing = 0, points = 0;
  for (const Reference& reference : curves.references) {
    const std::string value = shown(reference.value, curves.y.percent);
    if (drawable(reference.value, curves.y)) shapes += drawing.of(reference);
    fact += fmt::format("; {}: {}", reference.name, value);
  }
  for (size_t i = 0; i < lines.size(); ++i) {
    const auto& [name, y, x, deviation] = curves.series[i];
    for (size_t p = 0; p < y.size(); ++p)
      missing += !drawable(y[p], curves.y) || (!x.empty() && !drawable(x[p], curves.x));
    points += static_cast<int64_t>(y.size());
    if (lines[i].y.size() < lines[i].given)
      remarks += remark(fmt::format(
          "{}: {} of {} points are drawn, the lowest and the highest of each stretch.", name,
          grouped(std::to_string(lines[i].y.size())), grouped(std::to_string(y.size()))));
    shapes += drawing.of(lines[i], i);
    const std::string last = y.empty() ? "no points" : shown(y.back(), curves.y.percent);
    keys += key(i, "", name, last);
    fact += fmt::format("; {} ends at {}", name, last);
  }
  for (const Reference& reference : curves.references)
    keys += key(0, "dashed", reference.name, shown(reference.value, curves.y.percent));
  if (points == 0 && curves.references.empty()) return nothing();
  return legend(keys) +
         html_of(Plot{.x = drawing.x(),
                      .y = drawing.y(),
                      .x_name = curves.x.name,
                      .y_name = curves.y.name,
                      .fact = fact,
                      .shapes = shapes,
                      .hover = hover_of(curves, lines, drawing)}) +
         remarks + remark(left_out(missing, curves.x.log || curves.y.log));
}

}  // namespace glia::report
