// JPEG over libjpeg-turbo.
#pragma once

#include "glia/vision/image.h"

namespace glia::vision {

// As encode_jpeg; an image of 4 channels is stored as CMYK, inverted as Adobe does. With an EXIF
// orientation, if that is not 0.
std::string encode(const Tensor& image, int quality, int orientation);

}  // namespace glia::vision
