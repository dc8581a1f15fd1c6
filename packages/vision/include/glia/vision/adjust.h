// Changes of a picture's values: those of torchvision.transforms.v2.functional for u8, to the bit
// where they are looked up in a table. Values between two bytes are cut off, as there.
//
// Pictures are u8 (H, W, C). Functions throw ShapeError for another one, or where it has neither 1
// nor 3 channels and colours matter, and ValueError for factors out of range.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "glia/tensor.h"

namespace glia::vision {

// ---- Colours ----------------------------------------------------------------------------------

// 0.2989 R + 0.587 G + 0.114 B, in 1 or 3 channels.
Tensor rgb_to_grayscale(const Tensor& image, int64_t num_output_channels = 1,
                        Where where = Where::current());
// Factors are at least 0, and 1 changes nothing: brightness goes from black on, contrast from the
// mean of the grey picture, saturation from the grey picture, sharpness from a blurred one, whose
// edge stays.
Tensor adjust_brightness(const Tensor& image, double brightness_factor,
                         Where where = Where::current());
Tensor adjust_contrast(const Tensor& image, double contrast_factor, Where where = Where::current());
Tensor adjust_saturation(const Tensor& image, double saturation_factor,
                         Where where = Where::current());
Tensor adjust_sharpness(const Tensor& image, double sharpness_factor,
                        Where where = Where::current());
// A turn of the hue by that part of the circle, from -0.5 to 0.5.
Tensor adjust_hue(const Tensor& image, double hue_factor, Where where = Where::current());
// 255 gain (x / 255)^gamma.
Tensor adjust_gamma(const Tensor& image, double gamma, double gain = 1,
                    Where where = Where::current());

// ---- Levels -----------------------------------------------------------------------------------

Tensor invert(const Tensor& image, Where where = Where::current());
// The upper `bits` of each value, from 0 to 8 of them.
Tensor posterize(const Tensor& image, int64_t bits, Where where = Where::current());
// Values of at least `threshold`, which is at most 255, inverted.
Tensor solarize(const Tensor& image, double threshold, Where where = Where::current());
// Each channel stretched to 0 and 255.
Tensor autocontrast(const Tensor& image, Where where = Where::current());
// Each channel's histogram made flat, as Pillow does it.
Tensor equalize(const Tensor& image, Where where = Where::current());

// ---- Neighbourhoods ---------------------------------------------------------------------------

// A Gaussian over `kernel_size` pixels each way (height and width; odd), of deviation `sigma`,
// mirrored at the edge. Unset: 0.15 kernel_size + 0.35.
Tensor gaussian_blur(const Tensor& image, std::pair<int64_t, int64_t> kernel_size,
                     std::optional<std::pair<double, double>> sigma = {},
                     Where where = Where::current());
// The box of height x width pixels at (top, left) filled with a value for all channels or one for
// each, from 0 to 255; empty: black. The box may go beyond the picture.
Tensor erase(const Tensor& image, int64_t top, int64_t left, int64_t height, int64_t width,
             const std::vector<double>& value = {}, Where where = Where::current());

}  // namespace glia::vision
