#include <cmath>
#include <limits>
#include <string>

#include "checks.h"
#include "glia/classic/metrics.h"
#include "glia/ops.h"

namespace glia::classic {
namespace {

void require_alike(const char* op, const Tensor& y_true, const Tensor& y_pred, Where where) {
  if (y_true.defined() && y_pred.defined() && y_true.shape() == y_pred.shape() &&
      y_true.rank() >= 1 && y_true.numel() > 0)
    return;
  const auto shape = [](const Tensor& t) { return t.defined() ? t.shape().str() : "undefined"; };
  throw ShapeError(std::string(op) + ": y_true and y_pred have one shape that is not empty, not " +
                       shape(y_true) + " and " + shape(y_pred),
                   where);
}

Tensor weights(const char* op, const Tensor& weight, int64_t samples, Where where) {
  const Tensor w = check_sample_weight(op, weight, samples, kF64, where);
  return w.defined() ? w : ones({samples}, kF64);
}

}  // namespace

double accuracy_score(const Tensor& y_true, const Tensor& y_pred, const Tensor& sample_weight,
                      Where where) {
  require_alike("accuracy_score", y_true, y_pred, where);
  const NoGrad no_grad;
  const Tensor w = weights("accuracy_score", sample_weight, y_true.size(0), where);
  return (sum(cast(y_true == y_pred, kF64) * w) / sum(w)).item();
}

double r2_score(const Tensor& y_true, const Tensor& y_pred, const Tensor& sample_weight,
                Where where) {
  require_alike("r2_score", y_true, y_pred, where);
  const NoGrad no_grad;
  const int64_t n = y_true.size(0);
  if (n < 2) return std::numeric_limits<double>::quiet_NaN();
  const Tensor w = reshape(weights("r2_score", sample_weight, n, where), {n, 1});
  const Tensor y = reshape(cast(y_true, kF64), {n, -1}),
               guess = reshape(cast(y_pred, kF64), {n, -1});
  const Tensor residual = sum(square(y - guess) * w, {0});
  const Tensor center = sum(y * w, {0}) / sum(w), total = sum(square(y - center) * w, {0});
  const Tensor varies = total > 0;
  return mean(glia::where(varies, 1 - residual / glia::where(varies, total, 1.0),
                          cast(residual == 0, kF64)))
      .item();
}

}  // namespace glia::classic
