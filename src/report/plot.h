// Axes and the frame that charts are drawn in.
#pragma once

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "glia/report.h"

namespace glia::report {

// Whether a number has a place on the axis.
bool drawable(double value, const Axis& axis);

// The drawable values of an axis.
struct Range {
  explicit Range(const Axis& axis) : axis(&axis) {}
  void add(double value);
  bool empty() const { return low > high; }

  const Axis* axis;
  double low = INFINITY, high = -INFINITY;
  bool whole = true;  // all of them are whole numbers
};

// Where values lie, and marks at round numbers.
struct Scale {
  double low = 0, high = 1;  // logarithms to base 10 if log
  bool log = false, percent = false;
  std::vector<std::pair<double, std::string>> marks;  // places from 0 to 1, and labels

  double at(double value) const;  // from 0 to 1
  std::string json() const;       // [low, high, log], as the page's script takes it
};

struct Room {
  double labels = 0;      // pixels in a row for the marks' labels; 0: they stand below each other
  int marks = 5;          // about so many
  bool to_marks = false;  // the range ends at marks
  double margin = 0;      // a part of the range left free at both ends
};
Scale scale_of(const Range& range, const Room& room);

constexpr double kPlotWidth = 290, kPanelWidth = 120;  // pixels at the narrowest page

// A step of 1, 2 or 5 times a power of ten that is at least `rough`.
double round_step(double rough);

// Shapes are drawn in a space of 1000 x 1000 that is stretched over the plot; lines keep their
// width and points (lines of no length with round ends) their size.
std::string place(const Scale& x, const Scale& y, double x_value, double y_value);  // "12.5 80"

struct Plot {
  Scale x, y;
  std::string x_name, y_name;
  bool grid = false;   // lines at the marks of x, too
  std::string fact;    // what a reader who does not see the chart is told
  std::string shapes;  // SVG
  std::string hover;   // JSON for the page's script
  double ratio = 0;    // of width to height; 0: as high as there is room
  double height = 0;   // at most, in pixels, where there is a ratio
};
std::string html_of(const Plot& plot);

}  // namespace glia::report
