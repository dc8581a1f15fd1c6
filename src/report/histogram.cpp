#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "glia/error.h"
#include "report/html.h"
#include "report/plot.h"
#include "report/section.h"

namespace glia::report {
namespace {

constexpr int64_t kMostBins = 400;

struct Bins {
  double low = 0, step = 1;
  size_t count = 1;

  double edge(size_t i) const { return low + step * static_cast<double>(i); }
};

Bins bins_of(const Range& range, int64_t wanted) {
  if (range.empty()) return {};
  const double size = std::max(std::abs(range.low), std::abs(range.high));
  if (range.high - range.low <= size * 1e-12) {  // all in one bin
    const double step = std::max(range.whole ? 1 : size * 0.1, 1e-300);
    return {.low = range.low - step / 2, .step = step};
  }
  double step = round_step((range.high - range.low) / static_cast<double>(wanted) / 1.5);
  if (range.whole) step = std::max(1.0, step);
  // Whole numbers lie in the middle of their bins.
  const double shift = range.whole && step == 1 ? 0.5 : 0;
  const double first = std::floor(range.low / step + shift);
  const double last = std::floor(range.high / step + shift);
  return {.low = (first - shift) * step,
          .step = step,
          .count = static_cast<size_t>(std::max(1.0, last - first + 1))};
}

// The outline of the bars: up and down at the bins' edges.
std::string outline(const Bins& bins, const std::vector<double>& heights, const Scale& x,
                    const Scale& y) {
  const auto level = [&](double h) {
    return 1000 - 1000 * std::max(0.0, h > 0 || !y.log ? y.at(h) : 0);
  };
  std::string out = fmt::format("M{:.1f} 1000", 1000 * x.at(bins.edge(0)));
  for (size_t i = 0; i < heights.size(); ++i)
    out += fmt::format("V{:.1f}H{:.1f}", level(heights[i]), 1000 * x.at(bins.edge(i + 1)));
  return out + "V1000";
}

}  // namespace

std::string html_of(const Histogram& histogram, const std::string& title) {
  if (histogram.bins < 0) throw ValueError(fmt::format("bins is {}, less than 0", histogram.bins));
  const Axis x_axis{histogram.x.name, histogram.x.percent, false};  // bins are equally wide
  const Axis y_axis{"", histogram.shares, histogram.log_counts};
  std::vector<std::vector<double>> samples;
  Range values(x_axis);
  int64_t missing = 0;
  size_t largest = 0;
  for (const auto& sample : histogram.samples) {
    if (!sample.values.defined())
      throw ShapeError("sample \"" + sample.name + "\": values are undefined");
    auto& kept = samples.emplace_back(sample.values.to_vector<double>());
    const size_t given = kept.size();
    std::erase_if(kept, [&](double v) { return !drawable(v, x_axis); });
    missing += static_cast<int64_t>(given - kept.size());
    largest = std::max(largest, kept.size());
    for (const double v : kept) values.add(v);
  }
  const std::string gone = remark(left_out(missing, false));
  if (largest == 0) return nothing() + gone;

  // By Rice's rule: 2 n^(1/3).
  const int64_t rice = std::lround(2 * std::cbrt(static_cast<double>(largest)));
  const Bins bins = bins_of(values, histogram.bins ? std::min(histogram.bins, kMostBins)
                                                   : std::clamp<int64_t>(rice, 8, 60));
  std::vector<std::vector<double>> heights;
  Range counts(y_axis);
  if (!histogram.log_counts) counts.add(0);
  for (const auto& sample : samples) {
    auto& h = heights.emplace_back(bins.count);
    for (const double v : sample) {
      const auto bin = static_cast<int64_t>(std::floor((v - bins.low) / bins.step));
      ++h[std::clamp<int64_t>(bin, 0, static_cast<int64_t>(bins.count) - 1)];
    }
    for (double& count : h) {
      if (histogram.shares && !sample.empty()) count /= static_cast<double>(sample.size());
      counts.add(count);
    }
  }
  if (histogram.log_counts) counts.add(counts.low / 2);  // the least is seen, too

  Range edges(x_axis);
  std::vector<double> middles, lows, highs;
  for (size_t i = 0; i < bins.count; ++i) {
    edges.add(bins.edge(i));
    edges.add(bins.edge(i + 1));
    lows.push_back(bins.edge(i));
    highs.push_back(bins.edge(i + 1));
    middles.push_back(bins.edge(i) + bins.step / 2);
  }
  edges.whole = values.whole;
  const Scale x = scale_of(edges, {.labels = kPlotWidth, .marks = 6});
  const Scale y = scale_of(counts, {.marks = 4, .to_marks = true});

  std::string shapes, keys, series, fact = title;
  for (size_t i = 0; i < samples.size(); ++i) {
    const std::string& name = histogram.samples[i].name;
    shapes += fmt::format("<g class='{}'><path class='line fill' d='{}'/></g>\n", look(i),
                          outline(bins, heights[i], x, y));
    double sum = 0;
    for (const double v : samples[i]) sum += v / static_cast<double>(samples[i].size());
    const std::string about =
        fmt::format("{}, mean {}", counted(static_cast<int64_t>(samples[i].size()), "value"),
                    samples[i].empty() ? "–" : shown(sum, histogram.x.percent));
    keys += key(i, "block", name, about);
    fact += fmt::format("; {}: {}", name, about);
    series += fmt::format("{}{{\"x\":{},\"y\":{}}}", i ? "," : "",
                          array(middles, histogram.x.percent), array(heights[i], histogram.shares));
  }
  const std::string hover = fmt::format(
      R"({{"kind":"lines","x":{},"y":{},"name":{},"units":["{}","{}"],"bins":[{},{}],)"
      R"("whole":{},"series":[{}]}})",
      x.json(), y.json(), json_text(x_axis.name), x_axis.percent ? " %" : "",
      histogram.shares ? " %" : "", array(lows, histogram.x.percent),
      array(highs, histogram.x.percent), values.whole && bins.step == 1 ? 1 : 0, series);
  return legend(keys) +
         html_of(Plot{.x = x,
                      .y = y,
                      .x_name = x_axis.name,
                      .y_name = histogram.shares ? "share" : "count",
                      .fact = fact,
                      .shapes = shapes,
                      .hover = hover}) +
         gone;
}

}  // namespace glia::report
