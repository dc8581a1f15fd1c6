#include "coalitions.h"

#include <algorithm>
#include <string>

#include "common.h"
#include "glia/op.h"

namespace glia::explain {
namespace {

constexpr int64_t kInputsAtOnce = 256;

Shape one_of(const Tensor& x) {
  Shape shape = x.shape();
  shape.erase(0);
  return shape;
}

}  // namespace

Groups::Groups(const char* op, const Tensor& feature_mask, const Tensor& x, const Where& where)
    : shape_(one_of(x)) {
  if (!feature_mask.defined()) {
    count_ = shape_.numel();
    of_ = arange(count_);
    return;
  }
  Tensor mask = feature_mask;
  if (mask.rank() == x.rank() && mask.size(0) == 1) mask = squeeze(mask, 0);
  if (mask.shape() != shape_)
    fail(op, "feature_mask " + feature_mask.shape().str() + " for inputs " + shape_.str(), where);
  of_ = cast(reshape(mask, {-1}), kI64);
  if (of_.numel() == 0) return;
  count_ = max(of_).item<int64_t>() + 1;
  std::vector<bool> seen(static_cast<size_t>(std::clamp<int64_t>(count_, 0, of_.numel() + 1)));
  for (int64_t g : of_.to_vector<int64_t>()) {
    if (g < 0 || g >= static_cast<int64_t>(seen.size()))
      throw ValueError(std::string(op) + ": feature_mask has " + std::to_string(g) +
                           ": groups are numbered from 0 on",
                       where);
    seen[static_cast<size_t>(g)] = true;
  }
  if (std::ranges::count(seen, true) != count_)
    throw ValueError(
        std::string(op) + ": feature_mask leaves out a number below " + std::to_string(count_),
        where);
}

Tensor Groups::spread(const Tensor& values) const {
  Shape shape = shape_;
  shape.insert(0, values.size(0));
  return reshape(take(values, of_, 1), shape);
}

Tensor kept_scores(const Forward& f, const Tensor& x, const Tensor& absent, const Tensor& keep,
                   const Target& target, const Where& where) {
  const NoGrad no_grad;
  const int64_t rows = absent.size(0), count = keep.size(0);
  const int64_t at_once = std::max<int64_t>(1, kInputsAtOnce / std::max<int64_t>(rows, 1));
  std::vector<Tensor> all;
  for (int64_t first = 0; first < count; first += at_once) {
    const Tensor some = slice(keep, 0, {first, std::min(first + at_once, count)});
    const Tensor inputs = glia::where(unsqueeze(some, 1), unsqueeze(x, 0), unsqueeze(absent, 0));
    Shape flat = x.shape();
    flat[0] = some.size(0) * rows;
    const Tensor scores = target.at(zeros({flat[0]}, kI64)).of(f(reshape(inputs, flat)), where);
    all.push_back(mean(reshape(scores, {some.size(0), rows}), {1}));
    eval(all.back());
  }
  return all.empty() ? zeros({0}, x.dtype()) : concat(all, 0);
}

}  // namespace glia::explain
