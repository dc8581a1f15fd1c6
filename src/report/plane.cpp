// Points and ways in the plane.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "glia/error.h"
#include "report/html.h"
#include "report/plot.h"
#include "report/section.h"

namespace glia::report {
namespace {

constexpr int64_t kMostPoints = 10000;  // of all frames together
constexpr size_t kMostPaths = 400, kMostSteps = 20000;
constexpr size_t kMostFrames = 12;
constexpr double kPlotHeight = 440;  // at most, of plots with equal axes

// Splitmix64's last steps: as good as chance.
uint64_t mixed(uint64_t i) {
  i = (i + 1) * 0x9E3779B97F4A7C15;
  i = (i ^ (i >> 30)) * 0xBF58476D1CE4E5B9;
  i = (i ^ (i >> 27)) * 0x94D049BB133111EB;
  return i ^ (i >> 31);
}

// Widens the shorter range so that both have the same unit in a plot of the returned ratio.
double make_equal(Range& x, Range& y) {
  constexpr double kFlattest = 2;
  const auto widen = [](Range& range, double size) {
    const double missing = size - (range.high - range.low);
    if (missing <= 0) return;
    range.low -= missing / 2;
    range.high += missing / 2;
    range.whole = false;
  };
  if (x.empty() || y.empty()) return 1;
  const double size =
      std::max({std::abs(x.low), std::abs(x.high), std::abs(y.low), std::abs(y.high)});
  double width = x.high - x.low, height = y.high - y.low;
  if (std::max(width, height) <= size * 1e-9) width = height = size > 1e-290 ? size * 0.1 : 1;
  widen(x, std::max(width, height / kFlattest));
  widen(y, std::max(height, width / kFlattest));
  return (x.high - x.low) / (y.high - y.low);
}

std::string point_hover(const Scale& x, const Scale& y, const std::string& more) {
  return fmt::format(R"({{"kind":"points","x":{},"y":{},"units":["{}","{}"],{}}})", x.json(),
                     y.json(), x.percent ? " %" : "", y.percent ? " %" : "", more);
}

std::vector<double> as_numbers(const std::vector<size_t>& values) {
  return {values.begin(), values.end()};
}

// ---- Scatter --------------------------------------------------------------------------------

// The points of a frame that are drawn.
struct Drawn {
  std::vector<double> x, y;
  std::vector<size_t> classes, indices;
};

size_t class_of(const Scatter& scatter, const Scatter::Frame& frame, size_t i) {
  if (frame.labels.empty()) return 0;
  const int64_t label = frame.labels[i];
  if (label < 0 || label >= static_cast<int64_t>(scatter.classes.size()))
    throw ValueError(fmt::format("label {} of point {} is none of the {}", label, i,
                                 counted(static_cast<int64_t>(scatter.classes.size()), "class")));
  return static_cast<size_t>(label);
}

std::string panel_of(const Scatter& scatter, const Scatter::Frame& frame, const Drawn& drawn,
                     const Plot& empty, const std::string& title) {
  std::vector<std::string> paths(std::max<size_t>(1, scatter.classes.size())), names;
  for (size_t i = 0; i < drawn.x.size(); ++i) {
    paths[drawn.classes[i]] += "M" + place(empty.x, empty.y, drawn.x[i], drawn.y[i]) + "h0";
    if (!frame.names.empty()) names.push_back(frame.names[drawn.indices[i]]);
  }
  Plot plot = empty;
  const size_t n = drawn.x.size();
  const char* size = n > 2000 ? " tiny" : n > 300 ? " small" : "";
  for (size_t c = 0; c < paths.size(); ++c)
    if (!paths[c].empty())
      plot.shapes += fmt::format("<g class='{}'><path class='dots many{}' d='{}'/></g>\n", look(c),
                                 size, paths[c]);
  std::string more = fmt::format(R"("points":[{},{},{}])", array(drawn.x, plot.x.percent),
                                 array(drawn.y, plot.y.percent), array(as_numbers(drawn.classes)));
  if (!names.empty()) more += ",\"names\":" + json_texts(names);
  plot.hover = point_hover(plot.x, plot.y, more);
  const std::string head = frame.title.empty() ? "" : ", " + frame.title;
  plot.fact = fmt::format("{}{}: {}", title, head, counted(static_cast<int64_t>(n), "point"));
  if (!scatter.classes.empty())
    plot.fact += " of " + counted(static_cast<int64_t>(scatter.classes.size()), "kind");
  return fmt::format("<div>{}{}</div>\n",
                     frame.title.empty() ? "" : "<h3>" + escaped(frame.title) + "</h3>",
                     html_of(plot));
}

// At most kMostFrames of them, evenly spread, with the first and the last.
std::vector<size_t> chosen_frames(size_t n) {
  const size_t count = std::min(n, kMostFrames);
  std::vector<size_t> chosen;
  for (size_t i = 0; i < count; ++i) chosen.push_back(count > 1 ? i * (n - 1) / (count - 1) : i);
  return chosen;
}

}  // namespace

std::string html_of(const Scatter& scatter, const std::string& title) {
  std::vector<Points> all;
  int64_t total = 0, missing = 0, shown_points = 0;
  Range x_range(scatter.x), y_range(scatter.y);
  const std::vector<size_t> chosen = chosen_frames(scatter.frames.size());
  for (const size_t f : chosen) {
    const auto& frame = scatter.frames[f];
    const std::string what = fmt::format("frame {}", f);
    const Points& points = all.emplace_back(points_of(frame.points, what));
    if (!frame.labels.empty())
      check_count(what, frame.labels.size(), "labels", points.x.size(), "points");
    if (!frame.names.empty())
      check_count(what, frame.names.size(), "names", points.x.size(), "points");
    total += static_cast<int64_t>(points.x.size());
  }
  const double share =
      static_cast<double>(kMostPoints) / static_cast<double>(std::max(total, kMostPoints));
  std::vector<Drawn> frames;
  for (size_t f = 0; f < chosen.size(); ++f) {
    Drawn& drawn = frames.emplace_back();
    for (size_t i = 0; i < all[f].x.size(); ++i) {
      const double x = all[f].x[i], y = all[f].y[i];
      const size_t c = class_of(scatter, scatter.frames[chosen[f]], i);
      const bool visible = drawable(x, scatter.x) && drawable(y, scatter.y);
      missing += !visible;
      if (!visible || (share < 1 && static_cast<double>(mixed(i) >> 11) * 0x1p-53 >= share))
        continue;
      x_range.add(x);
      y_range.add(y);
      drawn.x.push_back(x);
      drawn.y.push_back(y);
      drawn.classes.push_back(c);
      drawn.indices.push_back(i);
    }
    shown_points += static_cast<int64_t>(drawn.x.size());
  }
  const std::string gone = remark(left_out(missing, scatter.x.log || scatter.y.log));
  if (shown_points == 0) return nothing() + gone;

  const bool several = frames.size() > 1;
  const bool equal = scatter.equal && !scatter.x.log && !scatter.y.log;
  double ratio = several ? 1 : 0;
  if (equal) ratio = make_equal(x_range, y_range);
  const Plot empty{.x = scale_of(x_range, {.labels = several ? kPanelWidth : kPlotWidth,
                                           .marks = several ? 3 : 6,
                                           .margin = 0.04}),
                   .y = scale_of(y_range, {.marks = several ? 3 : 5, .margin = 0.04}),
                   .x_name = scatter.x.name,
                   .y_name = scatter.y.name,
                   .grid = true,
                   .ratio = ratio,
                   .height = kPlotHeight};
  std::string panels, keys;
  for (size_t f = 0; f < frames.size(); ++f)
    panels += panel_of(scatter, scatter.frames[chosen[f]], frames[f], empty, title);
  for (size_t c = 0; c < scatter.classes.size(); ++c) keys += key(c, "point", scatter.classes[c]);
  std::string remarks;
  if (chosen.size() < scatter.frames.size())
    remarks +=
        remark(fmt::format("{} of {} frames are shown.", chosen.size(), scatter.frames.size()));
  if (share < 1)
    remarks += remark(fmt::format("{} of {} are drawn, chosen by chance.",
                                  grouped(std::to_string(shown_points)), counted(total, "point")));
  return legend(keys) + (several ? "<div class='panels'>\n" + panels + "</div>\n" : panels) +
         remarks + gone;
}

// ---- Trajectories ---------------------------------------------------------------------------

namespace {

std::string shape_of(const Trajectories::Obstacle& o, const Scale& x, const Scale& y) {
  const double left = 1000 * x.at(o.left), right = 1000 * x.at(o.right);
  const double top = 1000 - 1000 * y.at(o.top), bottom = 1000 - 1000 * y.at(o.bottom);
  const std::string name = o.name.empty() ? "" : "<title>" + escaped(o.name) + "</title>";
  if (o.round)
    return fmt::format(
        "<ellipse class='box' cx='{:.1f}' cy='{:.1f}' rx='{:.1f}' ry='{:.1f}'>{}</ellipse>\n",
        (left + right) / 2, (top + bottom) / 2, std::abs(right - left) / 2,
        std::abs(bottom - top) / 2, name);
  return fmt::format(
      "<rect class='box' x='{:.1f}' y='{:.1f}' width='{:.1f}' height='{:.1f}'>{}</rect>\n",
      std::min(left, right), std::min(top, bottom), std::abs(right - left), std::abs(bottom - top),
      name);
}

bool drawable(const Trajectories::Obstacle& o) {
  for (const double v : {o.left, o.right, o.bottom, o.top})
    if (!drawable(v, Axis{})) return false;
  return true;
}

}  // namespace

std::string html_of(const Trajectories& trajectories, const std::string& title) {
  const Axis x_axis{trajectories.x.name, trajectories.x.percent, false};  // equal axes are linear
  const Axis y_axis{trajectories.y.name, trajectories.y.percent, false};
  const size_t given = trajectories.paths.size(), count = std::min(given, kMostPaths);
  Range x_range(x_axis), y_range(y_axis);
  std::vector<Points> paths;
  int64_t missing = 0;
  for (size_t i = 0; i < count; ++i) {
    const Points& points =
        paths.emplace_back(points_of(trajectories.paths[i].points, fmt::format("path {}", i)));
    for (size_t t = 0; t < points.x.size(); ++t) {
      if (!drawable(points.x[t], x_axis) || !drawable(points.y[t], y_axis)) {
        ++missing;
        continue;
      }
      x_range.add(points.x[t]);
      y_range.add(points.y[t]);
    }
  }
  for (const auto& o : trajectories.obstacles) {
    if (!drawable(o)) continue;
    for (const double x : {o.left, o.right}) x_range.add(x);
    for (const double y : {o.bottom, o.top}) y_range.add(y);
  }
  const std::string gone = remark(left_out(missing, false));
  if (x_range.empty()) return nothing() + gone;

  Plot plot{.x_name = x_axis.name, .y_name = y_axis.name, .grid = true, .height = kPlotHeight};
  plot.ratio = make_equal(x_range, y_range);
  plot.x = scale_of(x_range, {.labels = kPlotWidth, .marks = 6, .margin = 0.04});
  plot.y = scale_of(y_range, {.marks = 5, .margin = 0.04});
  for (const auto& o : trajectories.obstacles)
    if (drawable(o)) plot.shapes += shape_of(o, plot.x, plot.y);

  std::string keys, ends;
  Points drawn;
  std::vector<size_t> owners, steps;
  bool thinner = false;
  for (size_t i = 0; i < count; ++i) {
    const Points& points = paths[i];
    const auto kept = thinned(points.y, std::max<size_t>(40, kMostSteps / count));
    thinner = thinner || kept.size() < points.x.size();
    std::string line, last;
    bool open = false;
    for (const size_t t : kept) {
      const double x = points.x[t], y = points.y[t];
      const bool visible = drawable(x, x_axis) && drawable(y, y_axis);
      if (visible) {
        const std::string at = place(plot.x, plot.y, x, y);
        if (line.empty())
          ends += fmt::format(
              "<g class='{0}'><path class='dots ring' d='M{1}h0'/>"
              "<path class='dots hole' d='M{1}h0'/></g>\n",
              look(i), at);
        line += (open ? "L" : "M") + at;
        last = at;
        drawn.x.push_back(x);
        drawn.y.push_back(y);
        owners.push_back(i);
        steps.push_back(t);
      }
      open = visible;
    }
    if (line.empty()) continue;
    plot.shapes += fmt::format("<g class='{}'><path class='line' d='{}'/></g>\n", look(i), line);
    ends += fmt::format("<g class='{}'><path class='dots end' d='M{}h0'/></g>\n", look(i), last);
  }
  plot.shapes += ends;
  const bool named = std::any_of(trajectories.paths.begin(), trajectories.paths.end(),
                                 [](const auto& path) { return !path.name.empty(); });
  for (size_t i = 0; named && i < count; ++i) keys += key(i, "", trajectories.paths[i].name);
  plot.fact = fmt::format("{}: {} and {}", title, counted(static_cast<int64_t>(given), "path"),
                          counted(static_cast<int64_t>(trajectories.obstacles.size()), "obstacle"));
  plot.hover =
      point_hover(plot.x, plot.y,
                  fmt::format(R"("points":[{},{},{}],"steps":{})", array(drawn.x, plot.x.percent),
                              array(drawn.y, plot.y.percent), array(as_numbers(owners)),
                              array(as_numbers(steps))));
  std::string remarks = remark("A ring is a start, a dot an end.");
  if (count < given)
    remarks += remark(fmt::format("The first {} of {} are drawn.", count,
                                  counted(static_cast<int64_t>(given), "path")));
  if (thinner) remarks += remark("Not every step of long paths is drawn.");
  return legend(keys) + html_of(plot) + remarks + gone;
}

}  // namespace glia::report
