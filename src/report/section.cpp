#include "report/section.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "glia/error.h"
#include "report/html.h"

namespace glia::report {

void check_count(const std::string& what, size_t count, const char* noun, size_t expected,
                 const char* of) {
  if (count != expected)
    throw ShapeError(fmt::format("{}: {} {} for {} {}", what, count, noun, expected, of));
}

Points points_of(const Tensor& points, const std::string& what) {
  if (!points.defined() || points.rank() != 2 || points.size(1) != 2)
    throw ShapeError(fmt::format("{}: points are (N, 2), not {}", what,
                                 points.defined() ? points.shape().str() : "undefined"));
  const auto values = points.to_vector<double>();
  Points out;
  for (size_t i = 0; i < values.size(); i += 2) {
    out.x.push_back(values[i]);
    out.y.push_back(values[i + 1]);
  }
  return out;
}

std::vector<size_t> thinned(const std::vector<double>& values, size_t most) {
  const size_t n = values.size(), stretches = std::max<size_t>(1, most / 2);
  std::vector<size_t> kept;
  if (n <= most) {
    for (size_t i = 0; i < n; ++i) kept.push_back(i);
    return kept;
  }
  kept.push_back(0);
  for (size_t s = 0; s < stretches; ++s) {
    const size_t begin = n * s / stretches, end = n * (s + 1) / stretches;
    size_t low = begin, high = begin;
    for (size_t i = begin; i < end; ++i) {
      if (!std::isfinite(values[low]) || values[i] < values[low]) low = i;
      if (!std::isfinite(values[high]) || values[i] > values[high]) high = i;
    }
    kept.insert(kept.end(), {std::min(low, high), std::max(low, high)});
  }
  kept.push_back(n - 1);
  kept.erase(std::unique(kept.begin(), kept.end()), kept.end());
  return kept;
}

std::string left_out(int64_t count, bool log) {
  return count == 0 ? ""
                    : fmt::format("{} left out: NaN, infinite{}.",
                                  counted(count, "value") + (count == 1 ? " is" : " are"),
                                  log ? " or not positive on a logarithmic axis" : " or too large");
}

}  // namespace glia::report
