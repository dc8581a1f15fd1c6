// Plain shapes on a picture: what environments are drawn with.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "glia/tensor.h"

namespace glia::rl {

using Color = std::array<uint8_t, 3>;
inline constexpr Color kWhite = {255, 255, 255}, kBlack = {0, 0, 0}, kGrey = {160, 160, 160},
                       kBlue = {60, 90, 200}, kRed = {200, 60, 50}, kGreen = {60, 150, 80},
                       kBrown = {200, 150, 100}, kIce = {220, 235, 250}, kYellow = {235, 200, 60};

struct Point {
  double x = 0, y = 0;  // in pixels from the upper left corner
};

class Canvas {
 public:
  Canvas(int64_t width, int64_t height, Color background = kWhite);

  // What is inside, by the centres of pixels; parts beyond the picture are left out.
  void rectangle(Point corner, Point opposite, Color color);
  void polygon(const std::vector<Point>& corners, Color color);
  void circle(Point centre, double radius, Color color);
  void line(Point from, Point to, double width, Color color);

  Tensor picture() const;  // u8 (height, width, 3)

 private:
  template <class Inside>
  void fill(Point low, Point high, Color color, const Inside& inside);

  int64_t width_, height_;
  std::vector<uint8_t> pixels_;
};

}  // namespace glia::rl
