#include "glia/generative/pixel_cnn.h"

#include <string>
#include <utility>

#include "glia/error.h"
#include "glia/ops.h"
#include "glia/random.h"

namespace glia::generative {
namespace {

// Moved by one row or one pixel, so that a place sees what lies before it only.
Tensor down(const Tensor& x) { return pad(x, {{0, 0}, {1, -1}, {0, 0}, {0, 0}}); }
Tensor right(const Tensor& x) { return pad(x, {{0, 0}, {0, 0}, {1, -1}, {0, 0}}); }
// With one row of zeros above, and so many pixels left and right.
Tensor framed(const Tensor& x, int64_t rows, int64_t left, int64_t right) {
  return pad(x, {{0, 0}, {rows, 0}, {left, right}, {0, 0}});
}

PixelCnnOptions checked(const PixelCnnOptions& o) {
  if (o.levels < 2 || o.levels > 65536 || o.width < 1 || o.width > 8192 || o.layers < 0 ||
      o.classes < 0)
    throw ShapeError("PixelCnn: levels " + std::to_string(o.levels) + ", width " +
                     std::to_string(o.width) + ", layers " + std::to_string(o.layers) +
                     ", classes " + std::to_string(o.classes));
  return o;
}

}  // namespace

PixelCnn::Layer::Layer(int64_t width, int64_t kernel_width, bool told)
    : conv1(width, width, {.kernel = {2, kernel_width}}),
      conv2(width, 2 * width, {.kernel = {2, kernel_width}}) {
  if (told) other.emplace(width, width);
}

// A kernel of 2 x 3 sees the row above and its own, one of 2 x 2 no pixel to the right.
Tensor PixelCnn::Layer::shifted(const nn::Conv2d& conv, const Tensor& x) const {
  const bool wide = conv.options.kernel.second == 3;
  return conv(framed(x, 1, 1, wide ? 1 : 0));
}

Tensor PixelCnn::Layer::operator()(const Tensor& x, const Tensor& told) const {
  Tensor h = shifted(conv1, elu(x));
  if (other) h = h + (*other)(elu(told));
  h = shifted(conv2, elu(h));
  const int64_t width = x.size(3);
  return x + slice(h, 3, {0, width}) * sigmoid(slice(h, 3, {width, 2 * width}));
}

PixelCnn::PixelCnn(const PixelCnnOptions& o)
    : options(checked(o)),
      pixel(o.levels, o.width),
      above(o.width, o.width, {.kernel = {2, 3}}),
      row_above(o.width, o.width, {.kernel = {1, 3}}),
      left(o.width, o.width, {.kernel = {2, 1}}),
      out(o.width, o.levels) {
  if (o.classes > 0) label.emplace(o.classes, o.width);
  for (int64_t i = 0; i < o.layers; ++i) {
    vertical.emplace_back(o.width, 3, false);
    horizontal.emplace_back(o.width, 2, true);
  }
}

Tensor PixelCnn::operator()(const Tensor& x, const Tensor& labels, Where where) const {
  if (x.rank() != 3)
    throw ShapeError("PixelCnn: pictures " + x.shape().str() + " are not (N, H, W)", where);
  if (labels.defined() != label.has_value())
    throw ValueError(label ? "PixelCnn: classes are missing" : "PixelCnn: it knows no classes",
                     where);
  const Tensor e = pixel(x, where);
  Tensor u = down(above(framed(e, 1, 1, 1)));
  Tensor h = down(row_above(framed(e, 0, 1, 1))) + right(left(framed(e, 1, 0, 0)));
  if (label) {
    const Tensor told = unsqueeze(unsqueeze((*label)(labels, where), 1), 1);
    u = u + told;
    h = h + told;
  }
  for (size_t i = 0; i < vertical.size(); ++i) {
    u = vertical[i](u);
    h = horizontal[i](h, u);
  }
  return out(elu(h));
}

Tensor PixelCnn::log_likelihood(const Tensor& x, const Tensor& labels) const {
  const Tensor each = cross_entropy((*this)(x, labels), x, {.reduction = Reduction::kNone});
  return -sum(each, {1, 2});
}

Tensor PixelCnn::sample(int64_t n, int64_t height, int64_t width, const Tensor& labels,
                        const Tensor& begin) const {
  const NoGrad no_grad;
  const int64_t first = begin.defined() ? begin.size(1) : 0;
  if (n < 1 || height < 1 || width < 1 || first > height ||
      (begin.defined() && begin.shape() != Shape{n, first, width}))
    throw ShapeError("PixelCnn::sample: " + std::to_string(n) + " pictures of " +
                     std::to_string(height) + " x " + std::to_string(width) +
                     ", or what they begin with, do not fit");
  Tensor x = zeros({n, height, width}, kI64);
  if (begin.defined()) x = slice_scatter(x, cast(begin, kI64), 1, 0);
  for (int64_t row = first; row < height; ++row) {
    for (int64_t column = 0; column < width; ++column) {
      // What lies below is not looked at.
      const Tensor logits = index((*this)(slice(x, 1, {0, row + 1}), labels),
                                  {Slice{}, row, Slice{column, column + 1}});
      // The largest with Gumbel noise is a draw.
      const Tensor noise = -log(-log(clamp(rand(logits.shape()), 1e-30, 1 - 1e-7)));
      const Tensor drawn = argmax(logits + noise);  // (n, 1)
      const Tensor line = slice_scatter(index(x, {Slice{}, row}), drawn, 1, column);
      x = slice_scatter(x, unsqueeze(line, 1), 1, row);
      glia::eval(x);
    }
  }
  return x;
}

}  // namespace glia::generative
