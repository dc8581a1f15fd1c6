// Dropout: of single values, of whole channels and of whole examples.
#include <cmath>
#include <string>

#include "glia/ops/normalize.h"
#include "glia/random.h"
#include "ops/private.h"

namespace glia {
namespace {

// Which of so many are kept.
Tensor kept(const Shape& shape, double p, DType dtype) {
  return rand(shape, dtype == kF64 ? kF64 : kF32) >= p;
}

void require_probability(const char* op, double p, const Where& where) {
  if (!(p >= 0 && p <= 1))
    fail(op, "the probability " + std::to_string(p) + " is not in [0, 1]", where);
}

// Drops what the mask's shape says together; that broadcasts to x.
Tensor dropped(const char* op, const Tensor& x, double p, const Shape& mask, const Where& where) {
  require_probability(op, p, where);
  const Tensor t = as_float(op, x, where);
  if (p == 0) return t;
  if (p == 1) return glia::where(full({}, 0, kBool), t, 0);
  return glia::where(kept(mask, p, t.dtype()), t * (1 / (1 - p)), 0);
}

// All axes of size 1 but the last, and the first of a batch.
Shape channels_of(const Shape& shape, bool batch) {
  Shape mask = Shape::filled(shape.rank(), 1);
  mask[shape.rank() - 1] = shape.size(-1);
  if (batch) mask[0] = shape[0];
  return mask;
}

Tensor dropped_channels(const char* op, const Tensor& x, double p, int positions,
                        const Where& where) {
  require_defined(op, x, where);
  const int more = x.rank() - positions;
  if (more != 1 && more != 2)
    fail(op,
         "needs a batch of rank " + std::to_string(positions + 2) + " or an example of rank " +
             std::to_string(positions + 1) + ", not " + x.shape().str(),
         where);
  return dropped(op, x, p, channels_of(x.shape(), more == 2), where);
}

Tensor dropped_to_alpha(const char* op, const Tensor& x, double p, const Shape& mask,
                        const Where& where) {
  require_probability(op, p, where);
  const Tensor t = as_float(op, x, where);
  if (p == 0) return t;
  if (p == 1) return glia::where(full({}, 0, kBool), t, 0);
  constexpr double kAlpha = 1.7580993408473766;  // minus what selu() tends to
  const double scale = 1 / std::sqrt((1 - p) * (1 + p * kAlpha * kAlpha));
  const Tensor wide = cast(t, sum_dtype(t.dtype()));
  const Tensor y =
      glia::where(kept(mask, p, t.dtype()), wide, -kAlpha) * scale + kAlpha * p * scale;
  return cast(y, t.dtype());
}

}  // namespace

Tensor dropout(const Tensor& x, double p, Where where) {
  require_defined("dropout", x, where);
  return dropped("dropout", x, p, x.shape(), where);
}

Tensor dropout1d(const Tensor& x, double p, Where where) {
  return dropped_channels("dropout1d", x, p, 1, where);
}
Tensor dropout2d(const Tensor& x, double p, Where where) {
  return dropped_channels("dropout2d", x, p, 2, where);
}
Tensor dropout3d(const Tensor& x, double p, Where where) {
  return dropped_channels("dropout3d", x, p, 3, where);
}

Tensor alpha_dropout(const Tensor& x, double p, Where where) {
  require_defined("alpha_dropout", x, where);
  return dropped_to_alpha("alpha_dropout", x, p, x.shape(), where);
}
Tensor feature_alpha_dropout(const Tensor& x, double p, Where where) {
  const char* op = "feature_alpha_dropout";
  require_defined(op, x, where);
  if (x.rank() < 2) fail(op, "needs (N, ..., C), not " + x.shape().str(), where);
  return dropped_to_alpha(op, x, p, channels_of(x.shape(), true), where);
}

Tensor drop_path(const Tensor& x, double p, DropPathMode mode, Where where) {
  require_defined("drop_path", x, where);
  if (x.rank() < 1) fail("drop_path", "needs (N, ...), not a single number", where);
  Shape mask = Shape::filled(x.rank(), 1);
  if (mode == DropPathMode::kRow) mask[0] = x.shape()[0];
  return dropped("drop_path", x, p, mask, where);
}

}  // namespace glia
