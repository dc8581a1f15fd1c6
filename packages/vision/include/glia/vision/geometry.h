// Moving a picture, and with it the boxes and the mask of what it shows: the geometry of
// torchvision.transforms.v2.functional.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "glia/ops/image.h"

namespace glia::vision {

// A picture and what is marked in it. All but the image may be undefined. Functions that take one
// throw ShapeError where the parts have other shapes or dtypes, or do not fit.
struct Annotated {
  Tensor image;        // u8 (H, W, C)
  Tensor boxes = {};   // f32 (N, 4): left, top, right, bottom, in pixels from the picture's corner
  Tensor labels = {};  // i64 (N), of the boxes
  Tensor mask = {};    // u8 (H, W) or (H, W, M): classes, or one mask for each thing
};

// ---- Flips and crops --------------------------------------------------------------------------

Annotated horizontal_flip(const Annotated& x, Where where = Where::current());
Annotated vertical_flip(const Annotated& x, Where where = Where::current());

// What lies beyond a picture: `fill`, its edge, or its mirror image, without the edge or with it.
enum class Padding { kConstant, kEdge, kReflect, kSymmetric };
struct CropOptions {
  Padding padding_mode = Padding::kConstant;
  std::vector<double> fill = {};  // for all channels or for each, 0 to 255; empty: black
};
// The box of height x width pixels at (top, left), which may go beyond the picture. Boxes are cut
// off at the new edges; those that are outside are left without an area.
Annotated crop(const Annotated& x, int64_t top, int64_t left, int64_t height, int64_t width,
               const CropOptions& options = {}, Where where = Where::current());
Annotated center_crop(const Annotated& x, int64_t height, int64_t width,
                      Where where = Where::current());
// The box brought to out_height x out_width, as resized_crop() of an image; masks take the nearest
// pixel.
Annotated resized_crop(const Annotated& x, int64_t top, int64_t left, int64_t height, int64_t width,
                       int64_t out_height, int64_t out_width, Where where = Where::current());

// Without the boxes, and their labels, that have a side below `min_size` or less than `min_area`:
// torchvision's SanitizeBoundingBoxes.
Annotated sanitize_boxes(const Annotated& x, double min_size = 1, double min_area = 1,
                         Where where = Where::current());

// ---- Warps ------------------------------------------------------------------------------------
// Pixels come from where the inverse leads, nearest or linear; what comes from outside is `fill`,
// which at the edge mixes with the picture. Masks take the nearest pixel and 0. A box becomes the
// one around its four corners, cut off at the edges. Points are pairs of x and y in pixels.

struct AffineOptions {
  double angle = 0;                                               // degrees, clockwise
  std::pair<double, double> translate{0, 0};                      // to the right, down
  double scale = 1;                                               // above 0
  std::pair<double, double> shear{0, 0};                          // degrees along x and y
  InterpolationMode interpolation = InterpolationMode::kNearest;  // or kLinear
  std::vector<double> fill = {};
  std::optional<std::pair<double, double>> center = {};  // that stays; unset: the middle
};
// Turned, scaled and sheared about the centre, then shifted.
Annotated affine(const Annotated& x, const AffineOptions& options, Where where = Where::current());

struct RotateOptions {
  InterpolationMode interpolation = InterpolationMode::kNearest;
  bool expand = false;  // the result is as large as the turned picture
  std::vector<double> fill = {};
  std::optional<std::pair<double, double>> center = {};
};
// By `angle` degrees against the clock.
Annotated rotate(const Annotated& x, double angle, const RotateOptions& options = {},
                 Where where = Where::current());

struct WarpOptions {
  InterpolationMode interpolation = InterpolationMode::kLinear;
  std::vector<double> fill = {};
};
using Corners = std::vector<std::pair<double, double>>;  // four
// The plane is seen from elsewhere, so that `startpoints` come to lie at `endpoints`. Throws
// ValueError where three of either are on one line.
Annotated perspective(const Annotated& x, const Corners& startpoints, const Corners& endpoints,
                      const WarpOptions& options = {}, Where where = Where::current());

// Each pixel comes from so far away (Simard et al. 2003): `displacement` is f32 (H, W, 2), x first,
// in halves of the picture's width and height. Boxes move by the opposite at their corners.
Annotated elastic(const Annotated& x, const Tensor& displacement, const WarpOptions& options = {},
                  Where where = Where::current());

}  // namespace glia::vision
