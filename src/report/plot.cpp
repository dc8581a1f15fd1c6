#include "report/plot.h"

#include <fmt/format.h>

#include <algorithm>

#include "report/html.h"

namespace glia::report {
namespace {

constexpr double kLargest = 1e300;             // beyond, differences could overflow
constexpr double kCharacter = 6.8, kGap = 12;  // pixels of labels

int exponent(double value) { return static_cast<int>(std::floor(std::log10(value) + 1e-9)); }

// Of a value whose neighbours are a `step` away, on an axis whose largest is `largest`.
std::string mark_label(double value, double step, double largest, bool percent,
                       bool short_ones = false) {
  if (percent) value *= 100, step *= 100, largest *= 100;
  const char* unit = percent ? " %" : "";
  if (std::abs(value) < step * 1e-6) return std::string("0") + unit;
  const auto with_digits = [&](double v, double s, const char* suffix) {
    return grouped(fmt::format("{:.{}f}", v, std::max(0, -exponent(s)))) + suffix + unit;
  };
  if (!short_ones && largest >= 1e-4 && largest < 1e6) return with_digits(value, step, "");
  if (!short_ones && largest >= 1e6 && largest < 1e9 && step >= 1e3)
    return with_digits(value / 1e6, step / 1e6, "M");
  const int digits = std::clamp(exponent(std::abs(value)) - exponent(step), 0, 15);
  return scientific(value, digits) + unit;
}

bool fits(const Scale& scale, double pixels) {
  double used = 0;
  for (const auto& [at, label] : scale.marks)
    used += kCharacter * static_cast<double>(label.size()) + kGap;
  return pixels == 0 || used <= pixels || scale.marks.size() < 2;
}

Scale linear(double low, double high, int marks, bool whole, const Room& room, bool percent) {
  Scale scale{.percent = percent};
  const double step = std::max(round_step((high - low) / marks), whole ? 1.0 : 0.0);
  if (room.to_marks) {
    low = std::floor(low / step + 1e-9) * step;
    high = std::ceil(high / step - 1e-9) * step;
  }
  scale.low = low;
  scale.high = high;
  const double first = std::ceil(low / step - 1e-9), last = std::floor(high / step + 1e-9);
  for (double i = first; i <= last; ++i)
    scale.marks.emplace_back(
        scale.at(i * step),
        mark_label(i * step, step, std::max(std::abs(low), std::abs(high)), percent));
  return scale;
}

// Marks at powers of ten, and at 2 and 5 times these where there are few.
Scale logarithmic(double low, double high, int marks, const Room& room, bool percent) {
  Scale scale{.log = true, .percent = percent};
  const int first = static_cast<int>(std::floor(low + 1e-9));
  const int last = static_cast<int>(std::ceil(high - 1e-9));
  const int every = std::max(1, (last - first + marks - 1) / marks);
  std::vector<double> candidates;
  for (int e = first; e <= last + every - 1; e += every)
    for (const double digit : {1, 2, 5})
      if (digit == 1 || (2 * (last - first) < marks && e < last))
        candidates.push_back(e + std::log10(digit));
  if (room.to_marks) {
    for (const double c : candidates)
      if (c <= low + 1e-9) scale.low = c;
    for (const double c : candidates)
      if (scale.high = c; c >= high - 1e-9) break;
  } else {
    scale.low = low;
    scale.high = high;
  }
  const bool powers = first < -4 || last > 5;  // all labels alike: 1e-5, 1e-4, ...
  for (const double c : candidates) {
    if (c < scale.low - 1e-9 || c > scale.high + 1e-9) continue;
    const double value = std::pow(10, c);
    scale.marks.emplace_back((c - scale.low) / (scale.high - scale.low),
                             mark_label(value, value, value, percent, powers));
  }
  if (scale.marks.size() < 2 && high - low < 1) {  // as on a linear axis
    const double from = std::pow(10, scale.low), to = std::pow(10, scale.high);
    scale.marks = linear(from, to, marks, false, {}, percent).marks;
    for (auto& [at, label] : scale.marks) at = scale.at(from + at * (to - from));
  }
  return scale;
}

}  // namespace

bool drawable(double value, const Axis& axis) {
  return std::abs(value) <= kLargest && (!axis.log || value > 1 / kLargest);
}

void Range::add(double value) {
  if (!drawable(value, *axis)) return;
  low = std::min(low, value);
  high = std::max(high, value);
  whole = whole && value == std::trunc(value);
}

double Scale::at(double value) const {
  return ((log ? std::log10(value) : value) - low) / (high - low);
}

std::string Scale::json() const {
  const double unit = percent ? 100 : 1, shift = log ? std::log10(unit) : 0;
  return fmt::format("[{},{},{}]", log ? low + shift : low * unit, log ? high + shift : high * unit,
                     log ? 1 : 0);
}

double round_step(double rough) {
  const double power = std::pow(10, std::floor(std::log10(rough)));
  for (const double digit : {1, 2, 5})
    if (digit * power >= rough * 0.999) return digit * power;
  return 10 * power;
}

Scale scale_of(const Range& range, const Room& room) {
  const Axis& axis = *range.axis;
  double low = range.empty() ? (axis.log ? 1 : 0) : range.low;
  double high = range.empty() ? (axis.log ? 10 : 1) : range.high;
  bool whole = range.whole && !axis.percent;
  if (axis.log) low = std::log10(low), high = std::log10(high);
  const double size = std::max(std::abs(low), std::abs(high));
  if (high - low <= (axis.log ? 1e-6 : size * 1e-12) ||
      high - low < 1 / kLargest) {  // one value, so to speak
    const double around = axis.log ? 0.5 : size < 1 / kLargest ? 1 : whole ? 1 : size * 0.05;
    low -= std::max(around, size * 1e-9);
    high += std::max(around, size * 1e-9);
  }
  const double free = (high - low) * room.margin;
  low -= free;
  high += free;
  Scale scale;
  for (int marks = room.marks; marks > 0; --marks) {
    scale = axis.log ? logarithmic(low, high, marks, room, axis.percent)
                     : linear(low, high, marks, whole, room, axis.percent);
    if (fits(scale, room.labels)) break;
  }
  while (!fits(scale, room.labels))  // few, but long ones
    for (size_t i = 1; i < scale.marks.size(); ++i)
      scale.marks.erase(scale.marks.begin() + static_cast<ptrdiff_t>(i));
  return scale;
}

std::string place(const Scale& x, const Scale& y, double x_value, double y_value) {
  return fmt::format("{:.1f} {:.1f}", 1000 * x.at(x_value), 1000 - 1000 * y.at(y_value));
}

std::string html_of(const Plot& plot) {
  std::string grid, labels;
  size_t widest = 1;
  for (const auto& [at, label] : plot.y.marks) {
    widest = std::max(widest, label.size());
    grid += fmt::format("M0 {:.1f}H1000", 1000 - 1000 * at);
    labels += fmt::format("<span class='ty' style='bottom:{:.2f}%'>{}</span>", 100 * at, label);
  }
  for (const auto& [at, label] : plot.x.marks) {
    if (plot.grid) grid += fmt::format("M{:.1f} 0V1000", 1000 * at);
    labels += fmt::format("<span class='tx' style='left:{:.2f}%'>{}</span>", 100 * at, label);
  }
  const std::string shape =
      plot.ratio > 0 ? fmt::format(";--ratio:{:.4f};--most:{:.0f}px", plot.ratio, plot.height) : "";
  const auto name = [](const char* place, const std::string& text) {
    return text.empty() ? "" : fmt::format("<div class='{}'>{}</div>\n", place, escaped(text));
  };
  return fmt::format("<div class='plot{}' role='img' aria-label='{}' style='--w:{}ch{}'>\n",
                     plot.ratio > 0 ? " equal" : "", escaped(plot.fact), widest, shape) +
         name("yname", plot.y_name) +
         fmt::format(
             "<div class='area'><svg viewBox='0 0 1000 1000' preserveAspectRatio='none'>"
             "<path class='grid' d='{}'/>\n{}</svg>\n{}</div>\n",
             grid, plot.shapes, labels) +
         name("xname", plot.x_name) +
         (plot.hover.empty()
              ? ""
              : fmt::format("<script type='application/json'>{}</script>\n", plot.hover)) +
         "</div>\n";
}

}  // namespace glia::report
