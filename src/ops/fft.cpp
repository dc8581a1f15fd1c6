// Discrete Fourier transforms: three operations along one axis, and what is made of them.
#include "ops/fft.h"

#include <fmt/format.h>

#include <cmath>
#include <numbers>

#include "glia/fft.h"
#include "ops/private.h"

namespace glia {
namespace {

constexpr int64_t kMostNumbers = int64_t{1} << 40;  // of one line, so that positions can be squared

double transform_flops(const KernelCall& call) {
  double n = 1;
  for (const Array& a : call.out)
    if (a.data) n = std::max(n, static_cast<double>(a.numel()));
  return 5 * n * std::log2(n + 1);
}
Work work_of_transform(const KernelCall& call) {
  Work work = traffic(call);
  work.flops = transform_flops(call);
  return work;
}

Complex record_fft(const Complex& x, int axis, double scale, const Where& where);
Complex record_rfft(const Tensor& x, int axis, double scale, const Where& where);
Tensor record_irfft(const Complex& x, int axis, int64_t n, double scale, const Where& where);

// One more axis in front.
template <class A>
Tensor batch_along(const Recorded& one, std::span<const Tensor> inputs,
                   std::span<const bool> batched, int64_t size) {
  A attributes = one.attributes<A>();
  ++attributes.axis;
  std::vector<Tensor> all;
  std::vector<Node*> nodes;
  for (size_t i = 0; i < inputs.size(); ++i) {
    all.push_back(with_batch_axis(inputs[i], batched[i], size));
    nodes.push_back(all.back().node());
  }
  Shape shape;
  if (one.op().outputs == 1) shape = batched_shape(one, size);
  return record(one.op(), nodes, shape, one.dtype(), attributes, one.where());
}

// A gradient of a result, zeros where none reached it.
Complex gradient_of(const Vjp& v, const Shape& shape) {
  const Tensor none = zeros(shape, v.dtype());
  return {v.g(0).defined() ? v.g(0) : none, v.g(1).defined() ? v.g(1) : none};
}

// ---- fft(re, im) -> re, im: backwards it is the same with the parts exchanged -------------------

void vjp_fft(Vjp& v) {
  const auto [axis, scale] = v.attributes<FftAttributes>();
  const Complex g = gradient_of(v, v.in_shape(0));
  const Complex back = record_fft({g.im, g.re}, static_cast<int>(axis), scale, v.where());
  v.set(0, back.im);
  v.set(1, back.re);
}
const Op kFft{.name = "fft",
              .kind = Kind::kKernel,
              .attributes = kAttributeFields<FftAttributes>,
              .vjp = vjp_fft,
              .batch = batch_along<FftAttributes>,
              .outputs = 2,
              .work = work_of_transform};

// ---- rfft(x) -> re, im --------------------------------------------------------------------------

// Along an axis of n / 2 + 1 numbers, factors of those that stand for two and of the others.
Tensor doubled(int64_t n, int axis, int rank, double twice, double once, DType dtype) {
  const int64_t count = n / 2 + 1;
  std::vector<double> factors(static_cast<size_t>(count), twice);
  factors[0] = once;
  if (n % 2 == 0) factors.back() = once;
  Shape shape = Shape::filled(rank, 1);
  shape[axis] = count;
  return reshape(cast(from_vector(factors, {count}), dtype), shape);
}

void vjp_rfft(Vjp& v) {
  const auto [axis, scale] = v.attributes<FftAttributes>();
  const Shape& shape = v.in_shape(0);
  const int i = static_cast<int>(axis);
  Shape half = shape;
  half[i] = shape[i] / 2 + 1;
  const Complex g = gradient_of(v, half);
  v.set(0, record_irfft(g * doubled(shape[i], i, shape.rank(), 0.5, 1, v.dtype()), i, shape[i],
                        scale, v.where()));
}
const Op kRfft{.name = "rfft",
               .kind = Kind::kKernel,
               .attributes = kAttributeFields<FftAttributes>,
               .vjp = vjp_rfft,
               .batch = batch_along<FftAttributes>,
               .outputs = 2,
               .work = work_of_transform};

// ---- irfft(re, im) -> x
// ---------------------------------------------------------------------------

void vjp_irfft(Vjp& v) {
  const auto a = v.attributes<IrfftAttributes>();
  const int i = static_cast<int>(a.axis);
  const Complex g = record_rfft(v.g(), i, a.scale, v.where()) *
                    doubled(a.n, i, v.shape().rank(), 2, 1, v.dtype());
  v.set(0, g.re);
  v.set(1, g.im);
}
const Op kIrfft{.name = "irfft",
                .kind = Kind::kKernel,
                .attributes = kAttributeFields<IrfftAttributes>,
                .vjp = vjp_irfft,
                .batch = batch_along<IrfftAttributes>,
                .work = work_of_transform};

const RegisterOp registered[] = {RegisterOp(kFft), RegisterOp(kRfft), RegisterOp(kIrfft)};

Complex record_fft(const Complex& x, int axis, double scale, const Where& where) {
  const Tensor tuple =
      record(kFft, {x.re.node(), x.im.node()}, {}, x.re.dtype(), FftAttributes{axis, scale}, where);
  return {output(tuple, 0, x.re.shape(), x.re.dtype()),
          output(tuple, 1, x.re.shape(), x.re.dtype())};
}
Complex record_rfft(const Tensor& x, int axis, double scale, const Where& where) {
  const Tensor tuple = record(kRfft, {x.node()}, {}, x.dtype(), FftAttributes{axis, scale}, where);
  Shape half = x.shape();
  half[axis] = half[axis] / 2 + 1;
  return {output(tuple, 0, half, x.dtype()), output(tuple, 1, half, x.dtype())};
}
Tensor record_irfft(const Complex& x, int axis, int64_t n, double scale, const Where& where) {
  Shape shape = x.re.shape();
  shape[axis] = n;
  return record(kIrfft, {x.re.node(), x.im.node()}, shape, x.re.dtype(),
                IrfftAttributes{axis, n, scale}, where);
}

}  // namespace

namespace fft {
namespace {

Tensor checked(const char* op, const Tensor& x, const Where& where) {
  require_defined(op, x, where);
  if (x.rank() == 0) fail(op, "x has no axis", where);
  return as_full_float(op, x, where);
}
Complex checked(const char* op, const Complex& x, const Where& where) {
  require_defined(op, x.re, where);
  require_defined(op, x.im, where);
  Complex both{as_full_float(op, x.re, where), as_full_float(op, x.im, where)};
  if (both.re.dtype() != both.im.dtype()) fail(op, "the parts have different dtypes", where);
  if (both.re.shape() != both.im.shape()) {
    const Shape shape = broadcast(both.re.shape(), both.im.shape());
    both = {expand(both.re, shape, where), expand(both.im, shape, where)};
  }
  if (both.re.rank() == 0) fail(op, "x has no axis", where);
  return both;
}

// Cut or filled up to n along the axis.
Tensor resized(const Tensor& x, int axis, int64_t n) {
  const int64_t size = x.size(axis);
  if (n < size) return slice(x, axis, {0, n});
  if (n == size) return x;
  std::vector<std::pair<int64_t, int64_t>> pads(static_cast<size_t>(x.rank()));
  pads[static_cast<size_t>(axis)].second = n - size;
  return pad(x, pads);
}
Complex resized(const Complex& x, int axis, int64_t n) {
  return {resized(x.re, axis, n), resized(x.im, axis, n)};
}

int64_t checked_length(const char* op, std::optional<int64_t> n, int64_t size, const Where& where) {
  const int64_t length = n.value_or(size);
  if (length < 1 || length > kMostNumbers)
    fail(op, fmt::format("a transform of {} numbers", length), where);
  return length;
}

// Backwards, unless `forward`.
double scale_of(int64_t n, bool forward, Norm norm) {
  if (norm == Norm::kOrtho) return 1 / std::sqrt(static_cast<double>(n));
  return (norm == Norm::kForward) == forward ? 1 / static_cast<double>(n) : 1;
}

Complex complex_fft(const char* op, const Complex& x, std::optional<int64_t> n, int axis,
                    bool forward, Norm norm, const Where& where) {
  const Complex all = checked(op, x, where);
  const int i = checked_axis(op, axis, all.re.rank(), where);
  const int64_t length = checked_length(op, n, all.re.size(i), where);
  const Complex in = resized(all, i, length);
  const double scale = scale_of(length, forward, norm);
  if (forward) return record_fft(in, i, scale, where);
  const Complex y = record_fft({in.im, in.re}, i, scale, where);
  return {y.im, y.re};
}
Complex half_spectrum(const char* op, const Tensor& x, std::optional<int64_t> n, int axis,
                      bool forward, Norm norm, const Where& where) {
  const Tensor all = checked(op, x, where);
  const int i = checked_axis(op, axis, all.rank(), where);
  const int64_t length = checked_length(op, n, all.size(i), where);
  return record_rfft(resized(all, i, length), i, scale_of(length, forward, norm), where);
}
Tensor from_half(const char* op, const Complex& x, std::optional<int64_t> n, int axis, bool forward,
                 Norm norm, const Where& where) {
  const Complex all = checked(op, x, where);
  const int i = checked_axis(op, axis, all.re.rank(), where);
  const int64_t length = checked_length(op, n, 2 * (all.re.size(i) - 1), where);
  return record_irfft(resized(all, i, length / 2 + 1), i, length, scale_of(length, forward, norm),
                      where);
}

struct Several {
  std::vector<int> axes;
  std::vector<std::optional<int64_t>> lengths;
};
Several several(const char* op, int rank, const std::vector<int64_t>& s, const Axes& axes,
                const Where& where) {
  Several all;
  if (!axes.empty() && !s.empty() && axes.size() != s.size())
    fail(op, fmt::format("{} lengths of {} axes", s.size(), axes.size()), where);
  if (axes.empty() && s.size() > static_cast<size_t>(rank))
    fail(op, fmt::format("{} lengths of rank {}", s.size(), rank), where);
  if (axes.empty()) {
    for (int i = s.empty() ? 0 : rank - static_cast<int>(s.size()); i < rank; ++i)
      all.axes.push_back(i);
  }
  for (int64_t axis : axes) {
    const int i = checked_axis(op, axis, rank, where);
    if (std::ranges::count(all.axes, i)) fail(op, fmt::format("axis {} is given twice", i), where);
    all.axes.push_back(i);
  }
  for (size_t k = 0; k < all.axes.size(); ++k)
    all.lengths.push_back(s.empty() ? std::nullopt : std::optional(s[k]));
  return all;
}

Complex complex_fftn(const char* op, const Complex& x, const std::vector<int64_t>& s,
                     const Axes& axes, bool forward, Norm norm, const Where& where) {
  Complex y = checked(op, x, where);
  const Several all = several(op, y.re.rank(), s, axes, where);
  for (size_t k = all.axes.size(); k-- > 0;)
    y = complex_fft(op, y, all.lengths[k], all.axes[k], forward, norm, where);
  return y;
}

Complex without_imaginary(const char* op, const Tensor& x, const Where& where) {
  const Tensor all = checked(op, x, where);
  return {all, zeros_like(all)};
}

}  // namespace

Complex fft(const Complex& x, std::optional<int64_t> n, int axis, Norm norm, Where where) {
  return complex_fft("fft", x, n, axis, true, norm, where);
}
Complex fft(const Tensor& x, std::optional<int64_t> n, int axis, Norm norm, Where where) {
  return complex_fft("fft", without_imaginary("fft", x, where), n, axis, true, norm, where);
}
Complex ifft(const Complex& x, std::optional<int64_t> n, int axis, Norm norm, Where where) {
  return complex_fft("ifft", x, n, axis, false, norm, where);
}
Complex rfft(const Tensor& x, std::optional<int64_t> n, int axis, Norm norm, Where where) {
  return half_spectrum("rfft", x, n, axis, true, norm, where);
}
Tensor irfft(const Complex& x, std::optional<int64_t> n, int axis, Norm norm, Where where) {
  return from_half("irfft", x, n, axis, false, norm, where);
}
Tensor hfft(const Complex& x, std::optional<int64_t> n, int axis, Norm norm, Where where) {
  require_defined("hfft", x.im, where);
  return from_half("hfft", conj(x), n, axis, true, norm, where);
}
Complex ihfft(const Tensor& x, std::optional<int64_t> n, int axis, Norm norm, Where where) {
  return conj(half_spectrum("ihfft", x, n, axis, false, norm, where));
}

Complex fftn(const Complex& x, const std::vector<int64_t>& s, const Axes& axes, Norm norm,
             Where where) {
  return complex_fftn("fftn", x, s, axes, true, norm, where);
}
Complex fftn(const Tensor& x, const std::vector<int64_t>& s, const Axes& axes, Norm norm,
             Where where) {
  return complex_fftn("fftn", without_imaginary("fftn", x, where), s, axes, true, norm, where);
}
Complex ifftn(const Complex& x, const std::vector<int64_t>& s, const Axes& axes, Norm norm,
              Where where) {
  return complex_fftn("ifftn", x, s, axes, false, norm, where);
}
Complex rfftn(const Tensor& x, const std::vector<int64_t>& s, const Axes& axes, Norm norm,
              Where where) {
  const Tensor in = checked("rfftn", x, where);
  const Several all = several("rfftn", in.rank(), s, axes, where);
  Complex y = rfft(in, all.lengths.back(), all.axes.back(), norm, where);
  for (size_t k = all.axes.size() - 1; k-- > 0;)
    y = fft(y, all.lengths[k], all.axes[k], norm, where);
  return y;
}
Tensor irfftn(const Complex& x, const std::vector<int64_t>& s, const Axes& axes, Norm norm,
              Where where) {
  Complex y = checked("irfftn", x, where);
  const Several all = several("irfftn", y.re.rank(), s, axes, where);
  for (size_t k = 0; k + 1 < all.axes.size(); ++k)
    y = ifft(y, all.lengths[k], all.axes[k], norm, where);
  return irfft(y, all.lengths.back(), all.axes.back(), norm, where);
}

Complex fft2(const Complex& x, const std::vector<int64_t>& s, const Axes& axes, Norm norm,
             Where where) {
  return fftn(x, s, axes, norm, where);
}
Complex fft2(const Tensor& x, const std::vector<int64_t>& s, const Axes& axes, Norm norm,
             Where where) {
  return fftn(x, s, axes, norm, where);
}
Complex ifft2(const Complex& x, const std::vector<int64_t>& s, const Axes& axes, Norm norm,
              Where where) {
  return ifftn(x, s, axes, norm, where);
}
Complex rfft2(const Tensor& x, const std::vector<int64_t>& s, const Axes& axes, Norm norm,
              Where where) {
  return rfftn(x, s, axes, norm, where);
}
Tensor irfft2(const Complex& x, const std::vector<int64_t>& s, const Axes& axes, Norm norm,
              Where where) {
  return irfftn(x, s, axes, norm, where);
}

Tensor hfftn(const Complex& x, const std::vector<int64_t>& s, const Axes& axes, Norm norm,
             Where where) {
  Complex y = checked("hfftn", x, where);
  const Several all = several("hfftn", y.re.rank(), s, axes, where);
  for (size_t k = 0; k + 1 < all.axes.size(); ++k)
    y = fft(y, all.lengths[k], all.axes[k], norm, where);
  return hfft(y, all.lengths.back(), all.axes.back(), norm, where);
}
Complex ihfftn(const Tensor& x, const std::vector<int64_t>& s, const Axes& axes, Norm norm,
               Where where) {
  const Tensor in = checked("ihfftn", x, where);
  const Several all = several("ihfftn", in.rank(), s, axes, where);
  Complex y = ihfft(in, all.lengths.back(), all.axes.back(), norm, where);
  for (size_t k = all.axes.size() - 1; k-- > 0;)
    y = ifft(y, all.lengths[k], all.axes[k], norm, where);
  return y;
}
Tensor hfft2(const Complex& x, const std::vector<int64_t>& s, const Axes& axes, Norm norm,
             Where where) {
  return hfftn(x, s, axes, norm, where);
}
Complex ihfft2(const Tensor& x, const std::vector<int64_t>& s, const Axes& axes, Norm norm,
               Where where) {
  return ihfftn(x, s, axes, norm, where);
}

// ---- Order of frequencies
// -------------------------------------------------------------------------

namespace {

// The last `back(size)` numbers of each axis to its front.
template <class F>
Tensor rotated(const char* op, const Tensor& x, const Axes& axes, const Where& where, F&& back) {
  require_defined(op, x, where);
  Tensor y = x;
  for (int i = 0; i < x.rank(); ++i) {
    const bool all = axes.empty();
    const bool named = std::ranges::any_of(
        axes, [&](int64_t axis) { return checked_axis(op, axis, x.rank(), where) == i; });
    const int64_t size = x.size(i);
    if ((!all && !named) || size < 2) continue;
    const int64_t cut = size - back(size);
    y = concat({slice(y, i, {cut, size}), slice(y, i, {0, cut})}, i);
  }
  for (int64_t axis : axes) checked_axis(op, axis, x.rank(), where);
  return y;
}

void require_frequencies(const char* op, int64_t n, double d) {
  if (n < 1 || !(d != 0)) throw ShapeError(fmt::format("{}: {} samples {} apart", op, n, d));
}

}  // namespace

Tensor fftfreq(int64_t n, double d, DType dtype) {
  require_frequencies("fftfreq", n, d);
  const Tensor k = concat({arange((n + 1) / 2), arange(-(n / 2), 0)});
  return cast(cast(k, kF64) / (static_cast<double>(n) * d), dtype);
}
Tensor rfftfreq(int64_t n, double d, DType dtype) {
  require_frequencies("rfftfreq", n, d);
  return cast(cast(arange(n / 2 + 1), kF64) / (static_cast<double>(n) * d), dtype);
}

Tensor fftshift(const Tensor& x, const Axes& axes, Where where) {
  return rotated("fftshift", x, axes, where, [](int64_t n) { return n / 2; });
}
Tensor ifftshift(const Tensor& x, const Axes& axes, Where where) {
  return rotated("ifftshift", x, axes, where, [](int64_t n) { return (n + 1) / 2; });
}
Complex fftshift(const Complex& x, const Axes& axes, Where where) {
  return {fftshift(x.re, axes, where), fftshift(x.im, axes, where)};
}
Complex ifftshift(const Complex& x, const Axes& axes, Where where) {
  return {ifftshift(x.re, axes, where), ifftshift(x.im, axes, where)};
}

// ---- Cosine transforms --------------------------------------------------------------------------

namespace {

// exp(-i pi (a k + b) / c) for k < count.
Complex turns(int64_t count, double a, double b, double c, DType dtype) {
  std::vector<double> re, im;
  for (int64_t k = 0; k < count; ++k) {
    const double angle = std::numbers::pi * (a * static_cast<double>(k) + b) / c;
    re.push_back(std::cos(angle));
    im.push_back(-std::sin(angle));
  }
  return {cast(from_vector(re, {count}), dtype), cast(from_vector(im, {count}), dtype)};
}

// Along the last axis, unscaled.
Tensor cosine1(const Tensor& x, const Where& where) {
  const int64_t n = x.size(-1);
  const Tensor mirrored = concat({x, flip(slice(x, -1, {1, n - 1}), {-1})}, -1);
  return rfft(mirrored, {}, -1, Norm::kBackward, where).re;
}
// Even positions forwards, odd ones backwards, then a turned spectrum (Makhoul 1980).
Tensor cosine2(const Tensor& x, const Where& where) {
  const int64_t n = x.size(-1), half = n / 2 + 1;
  const Tensor order = concat({slice(x, -1, {0, n, 2}), flip(slice(x, -1, {1, n, 2}), {-1})}, -1);
  const Complex y = rfft(order, {}, -1, Norm::kBackward, where) *
                    turns(half, 1, 0, 2 * static_cast<double>(n), x.dtype());
  return concat({y.re, -flip(slice(y.im, -1, {1, n - half + 1}), {-1})}, -1) * 2;
}
// The transpose of that: its gradient.
Tensor cosine3(const Tensor& x, const Where& where) {
  const int64_t n = x.size(-1), half = n / 2 + 1;
  // Twice the sum with half of the first number: n times the inverse of type 2.
  const Complex w = conj(turns(half, 1, 0, 2 * static_cast<double>(n), x.dtype()));
  const Tensor zero = slice(x, -1, {0, 1}) * 0;
  const Tensor mirrored = concat({zero, flip(slice(x, -1, {1, n}), {-1})}, -1);
  const Complex spectrum = Complex{slice(x, -1, {0, half}), -slice(mirrored, -1, {0, half})} * w;
  const Tensor v = irfft(spectrum, n, -1, Norm::kForward, where);
  const int64_t evens = (n + 1) / 2;
  const Tensor even = slice(v, -1, {0, evens}), odd = flip(slice(v, -1, {evens, n}), {-1});
  if (n == 1) return even;
  // Put together again: even and odd numbers by turns.
  const Tensor pairs = stack({slice(even, -1, {0, n / 2}), odd}, -1);
  const Tensor joined = flatten(pairs, x.rank() - 1, x.rank());
  return n % 2 == 0 ? joined : concat({joined, slice(even, -1, {evens - 1, evens})}, -1);
}
Tensor cosine4(const Tensor& x, const Where& where) {
  const int64_t n = x.size(-1);
  const Complex turned = turns(n, 1, 0, 2 * static_cast<double>(n), x.dtype()) * x;
  const Complex y = fft(turned, 2 * n, -1, Norm::kBackward, where);
  const Complex w = turns(n, 2, 1, 4 * static_cast<double>(n), x.dtype());
  return (slice(y.re, -1, {0, n}) * w.re - slice(y.im, -1, {0, n}) * w.im) * 2;
}

// By an orthogonal scale, the first (and for type 1 the last) number has another.
Tensor ends(int64_t n, int type, double end, DType dtype) {
  std::vector<double> factors(static_cast<size_t>(n), 1);
  factors[0] = end;
  if (type == 1) factors.back() = end;
  return cast(from_vector(factors, {n}), dtype);
}

Tensor cosine(const char* op, const Tensor& x, int type, std::optional<int64_t> n, int axis,
              Norm norm, bool forward, const Where& where) {
  const Tensor all = checked(op, x, where);
  const int i = checked_axis(op, axis, all.rank(), where);
  const int64_t length = checked_length(op, n, all.size(i), where);
  if (type < 1 || type > 4 || (type == 1 && length < 2))
    fail(op, fmt::format("type {} of {} numbers", type, length), where);
  Tensor in = transpose(resized(all, i, length), i, -1);
  const int kind = forward || type == 1 || type == 4 ? type : 5 - type;  // 2 and 3 are each other's
  const double whole = 2 * static_cast<double>(type == 1 ? length - 1 : length);
  const bool ortho = norm == Norm::kOrtho;
  const double root = std::sqrt(2.0);
  if (ortho && (kind == 3 || kind == 1)) in = in * ends(length, kind, root, in.dtype());
  Tensor y = kind == 1   ? cosine1(in, where)
             : kind == 2 ? cosine2(in, where)
             : kind == 3 ? cosine3(in, where)
                         : cosine4(in, where);
  if (ortho) {
    y = y / std::sqrt(whole);
    if (kind == 2 || kind == 1) y = y * ends(length, kind, 1 / root, y.dtype());
  } else if ((norm == Norm::kForward) == forward) {
    y = y / whole;
  }
  return transpose(y, i, -1);
}

}  // namespace

Tensor dct(const Tensor& x, int type, std::optional<int64_t> n, int axis, Norm norm, Where where) {
  return cosine("dct", x, type, n, axis, norm, true, where);
}
Tensor idct(const Tensor& x, int type, std::optional<int64_t> n, int axis, Norm norm, Where where) {
  return cosine("idct", x, type, n, axis, norm, false, where);
}

}  // namespace fft
}  // namespace glia
