#include "canvas.h"

#include <algorithm>
#include <cmath>

namespace glia::rl {

Canvas::Canvas(int64_t width, int64_t height, Color background)
    : width_(width), height_(height), pixels_(static_cast<size_t>(width * height * 3)) {
  rectangle({0, 0}, {static_cast<double>(width), static_cast<double>(height)}, background);
}

template <class Inside>
void Canvas::fill(Point low, Point high, Color color, const Inside& inside) {
  const auto clipped = [](double at, int64_t most) {
    return static_cast<int64_t>(std::clamp(at, 0.0, static_cast<double>(most)));
  };
  const int64_t left = clipped(std::floor(low.x), width_);
  const int64_t right = clipped(std::ceil(high.x), width_);
  const int64_t bottom = clipped(std::ceil(high.y), height_);
  for (int64_t y = clipped(std::floor(low.y), height_); y < bottom; ++y)
    for (int64_t x = left; x < right; ++x)
      if (inside(static_cast<double>(x) + 0.5, static_cast<double>(y) + 0.5))
        std::copy(color.begin(), color.end(), &pixels_[static_cast<size_t>((y * width_ + x) * 3)]);
}

void Canvas::rectangle(Point corner, Point opposite, Color color) {
  const Point low = {std::min(corner.x, opposite.x), std::min(corner.y, opposite.y)};
  const Point high = {std::max(corner.x, opposite.x), std::max(corner.y, opposite.y)};
  fill(low, high, color,
       [&](double x, double y) { return x >= low.x && x < high.x && y >= low.y && y < high.y; });
}

void Canvas::polygon(const std::vector<Point>& corners, Color color) {
  if (corners.empty()) return;
  Point low = corners[0], high = corners[0];
  for (const Point& p : corners) {
    low = {std::min(low.x, p.x), std::min(low.y, p.y)};
    high = {std::max(high.x, p.x), std::max(high.y, p.y)};
  }
  fill(low, high, color, [&](double x, double y) {  // crossings to the right
    bool inside = false;
    for (size_t i = 0, j = corners.size() - 1; i < corners.size(); j = i++) {
      const Point &a = corners[i], &b = corners[j];
      if ((a.y > y) != (b.y > y) && x < (b.x - a.x) * (y - a.y) / (b.y - a.y) + a.x)
        inside = !inside;
    }
    return inside;
  });
}

void Canvas::circle(Point centre, double radius, Color color) {
  fill({centre.x - radius, centre.y - radius}, {centre.x + radius, centre.y + radius}, color,
       [&](double x, double y) { return std::hypot(x - centre.x, y - centre.y) <= radius; });
}

void Canvas::line(Point from, Point to, double width, Color color) {
  const double length = std::hypot(to.x - from.x, to.y - from.y);
  if (length == 0) return;
  const double dx = (to.y - from.y) / length * width / 2, dy = (from.x - to.x) / length * width / 2;
  polygon({{from.x + dx, from.y + dy},
           {to.x + dx, to.y + dy},
           {to.x - dx, to.y - dy},
           {from.x - dx, from.y - dy}},
          color);
}

Tensor Canvas::picture() const { return from_bytes(pixels_.data(), {height_, width_, 3}, kU8); }

}  // namespace glia::rl
