// Reports: a page of charts, tables, pictures and texts, in one HTML file that needs no other.
//
// The page fits any width, follows the reader's light or dark scheme, prints, and shows exact
// values under the pointer. Any text is welcome in any string. Numbers that cannot be drawn (NaN,
// infinite, not positive on a logarithmic axis) are left out, points beyond what can be seen are
// thinned, and the page says so. Sizes that do not fit each other are a ShapeError, labels out of
// range a ValueError, pictures that are none an IoError; each names the section.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "glia/tensor.h"

namespace glia::report {

using Facts = std::vector<std::pair<std::string, std::string>>;  // name and value

// A number to compare with, such as a published result: a dashed line.
struct Reference {
  std::string name;
  double value = 0;
};

// How the numbers of an axis are written and spaced.
struct Axis {
  std::string name = {};
  bool percent = false;  // 0.93 is shown as 93 %
  bool log = false;
};

// Lines over a common x. Missing values (NaN) are gaps.
struct Curves {
  struct Series {
    std::string name;
    std::vector<double> y;
    std::vector<double> x = {};          // as many as y; empty: 1, 2, 3, ...
    std::vector<double> deviation = {};  // as many as y: a band y - deviation to y + deviation
  };
  std::vector<Series> series;
  Axis x = {}, y = {};
  std::vector<Reference> references = {};  // values of y
};

// Horizontal bars from zero, to the left where negative.
struct Bars {
  struct Bar {
    std::string name;
    double value = 0;
  };
  std::vector<Bar> bars;
  bool percent = false;
  std::optional<Reference> reference = {};
};

// A click on a column's name sorts by it.
struct Table {
  class Cell {
   public:
    template <class T, class = std::enable_if_t<std::is_arithmetic_v<T>>>
    Cell(T value) {
      if constexpr (std::is_integral_v<T>) {
        value_ = static_cast<int64_t>(value);
      } else {
        value_ = static_cast<double>(value);
      }
    }
    Cell(std::string text) : value_(std::move(text)) {}
    Cell(const char* text) : value_(std::string(text)) {}
    const std::variant<std::string, int64_t, double>& value() const { return value_; }

   private:
    std::variant<std::string, int64_t, double> value_;
  };
  struct Column {
    std::string name;
    bool percent = false;
  };
  std::vector<Column> columns;
  std::vector<std::vector<Cell>> rows;  // as many cells each as there are columns
};

// Shades of numbers: counts, attention, correlations. Negative ones have a colour of their own.
struct Matrix {
  std::vector<std::string> rows, columns;  // the names
  Tensor values;                           // (rows, columns), any dtype
  bool confusion = false;  // a row's shades are shares of its sum; the diagonal is marked
  bool percent = false;
  std::string row_name = {}, column_name = {};  // what rows and columns are: "truth", "guess"
};

// Pictures in groups: classes, or frames over time. Small ones are enlarged without smoothing.
struct Images {
  struct Picture {
    Tensor image;  // u8 (H, W) or (H, W, C), as io::encode_png takes it
    std::string caption = {}, detail = {};
  };
  struct Group {
    std::string title;  // may be empty
    std::vector<Picture> pictures;
  };
  std::vector<Group> groups;
  int64_t width = 96;  // of a picture on the page, in pixels, at least
};

// Samples of text, or texts of which each part has a weight: what a model looks at.
struct Texts {
  struct Span {
    std::string text;
    double weight = 0;  // shades the text; negative in another colour
  };
  struct Text {
    std::string title;  // may be empty
    std::vector<Span> spans;
  };
  std::vector<Text> texts;
};

// Points in the plane by class, in one frame or in several beside each other on the same axes.
struct Scatter {
  struct Frame {
    Tensor points;                        // (N, 2)
    std::vector<int64_t> labels = {};     // as many as points, indices of `classes`; or empty
    std::vector<std::string> names = {};  // as many as points, shown under the pointer; or empty
    std::string title = {};
  };
  std::vector<Frame> frames;
  std::vector<std::string> classes = {};
  Axis x = {}, y = {};
  bool equal = false;  // a unit is as long on both axes
};

// How often values fall in each of a number of equal bins, whose edges are round numbers.
struct Histogram {
  struct Sample {
    std::string name;
    Tensor values;  // any shape
  };
  std::vector<Sample> samples;
  int64_t bins = 0;     // about; 0: by the number of values
  bool shares = false;  // of each sample, instead of counts
  Axis x = {};
  bool log_counts = false;
};

// Ways through the plane, from a ring to a dot; a unit is as long on both axes.
struct Trajectories {
  struct Path {
    std::string name;  // may be empty
    Tensor points;     // (T, 2)
  };
  struct Obstacle {
    double left = 0, bottom = 0, right = 0, top = 0;
    bool round = false;  // the ellipse that fits in
    std::string name = {};
  };
  std::vector<Path> paths;
  std::vector<Obstacle> obstacles = {};
  Axis x = {}, y = {};
};

struct Section {
  std::string title;
  std::variant<Curves, Bars, Table, Matrix, Images, Texts, Scatter, Histogram, Trajectories> body;
  std::string note = {};  // a sentence below the title
  bool wide = false;      // all of the page's width; else two sections share a row
};

struct Report {
  std::string title, subtitle = {};
  Facts highlights = {};  // the few most important results, shown large
  std::vector<Section> sections = {};
  Facts settings = {};
};

// A number as the page writes it, for highlights and captions: four significant digits, whole
// numbers in full, "12,345"; "92.31 %" of 0.92312 if `percent`.
std::string shown(double value, bool percent = false);

// The page; equal reports give equal bytes.
std::string to_html(const Report& report);

}  // namespace glia::report
