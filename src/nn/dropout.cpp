#include "glia/nn/dropout.h"

#include <fmt/format.h>

namespace glia::nn {

DropoutBase::DropoutBase(const char* layer, double p) : p(p) {
  if (!(p >= 0 && p <= 1))
    throw ShapeError(fmt::format("{}: the probability {} is not in [0, 1]", layer, p));
}

Tensor Dropout1d::operator()(const Tensor& x, Where where) const {
  return is_training() ? dropout1d(x, p, where) : x;
}
Tensor Dropout2d::operator()(const Tensor& x, Where where) const {
  return is_training() ? dropout2d(x, p, where) : x;
}
Tensor Dropout3d::operator()(const Tensor& x, Where where) const {
  return is_training() ? dropout3d(x, p, where) : x;
}
Tensor AlphaDropout::operator()(const Tensor& x, Where where) const {
  return is_training() ? alpha_dropout(x, p, where) : x;
}
Tensor FeatureAlphaDropout::operator()(const Tensor& x, Where where) const {
  return is_training() ? feature_alpha_dropout(x, p, where) : x;
}
Tensor DropPath::operator()(const Tensor& x, Where where) const {
  return is_training() ? drop_path(x, p, mode, where) : x;
}

}  // namespace glia::nn
