#include "products.h"

#include <algorithm>
#include <numeric>

#include "glia/autodiff.h"
#include "glia/ops.h"
#include "ops.h"

namespace glia::quantum {
namespace {

// A complex matrix as a real one on (real part, imaginary part).
Tensor as_real(const Matrix& m, DType dtype) {
  const int n = m.size();
  std::vector<double> values(static_cast<size_t>(4 * n * n));
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < n; ++j) {
      const Cx x = m(i, j);
      const auto at = [&](int row, int column) -> double& {
        return values[static_cast<size_t>(row * 2 * n + column)];
      };
      at(i, j) = at(n + i, n + j) = x.re;
      at(i, n + j) = -x.im;
      at(n + i, j) = x.im;
    }
  return cast(from_vector(values, {2 * n, 2 * n}), dtype);
}

// A matrix of the targets as one of controls and targets; where controls are otherwise it is
// `rest`.
Matrix controlled(const Matrix& m, const Instruction& i, double rest) {
  const int controls = static_cast<int>(i.controls.size()), n = m.size();
  if (controls == 0) return m;
  Matrix out(n << controls);
  for (int c = 0; c < 1 << controls; ++c) {
    bool on = true;
    for (int j = 0; j < controls; ++j)
      on &= (c >> (controls - 1 - j) & 1) == static_cast<int>(i.values >> j & 1);
    for (int a = 0; a < n; ++a)
      for (int b = 0; b < n; ++b)
        out(c * n + a, c * n + b) = on ? m(a, b) : Cx{a == b ? rest : 0.0, 0};
  }
  return out;
}

}  // namespace

Complex parts_of(const Tensor& v) {
  return {squeeze(slice(v, 1, Slice{0, 1}), 1), squeeze(slice(v, 1, Slice{1, 2}), 1)};
}

Tensor places_of(const Wires& kept, int64_t wires) {
  std::vector<int64_t> bits;  // the most significant first: kept, then the others
  for (int64_t w : kept) bits.push_back(wires - 1 - w);
  for (int64_t w = 0; w < wires; ++w)
    if (std::ranges::find(kept, w) == kept.end()) bits.push_back(wires - 1 - w);
  std::vector<int64_t> places(size_t{1} << wires, 0);
  for (size_t i = 0; i < places.size(); ++i)
    for (int64_t b = 0; b < wires; ++b)
      if (i >> (wires - 1 - b) & 1) places[i] |= int64_t{1} << bits[static_cast<size_t>(b)];
  return from_vector(places, {int64_t{1} << kept.size(),
                              int64_t{1} << (wires - static_cast<int64_t>(kept.size()))});
}

Tensor state_by_products(const Program& program, const Tensor& angles, const Tensor& initial) {
  const int64_t count = angles.size(0), size = int64_t{1} << program.wires;
  const DType dtype = angles.dtype();
  Tensor v = initial;
  if (!v.defined()) {
    std::vector<double> first(static_cast<size_t>(2 * size), 0.0);
    first[0] = 1;
    v = cast(from_vector(first, {1, 2, size}), dtype);
  }
  v = expand(v, {count, 2, size});
  for (const Instruction& i : program.instructions) {
    Wires used(i.controls.begin(), i.controls.end());
    used.insert(used.end(), i.targets.begin(), i.targets.end());
    const Tensor places = reshape(places_of(used, program.wires), {-1});
    const int64_t k = int64_t{1} << used.size();
    const Tensor x = reshape(take(v, places, 2), {count, 2 * k, size / k});
    const auto turned = [&](Matrix m) {
      if (i.inverse) m = dagger(m);
      return i.conjugate ? conjugate(std::move(m)) : m;
    };
    const auto product_with = [&](const Matrix& m, double rest) {
      return matmul(as_real(controlled(turned(m), i, rest), dtype), x);
    };
    Tensor y;
    const FormFacts& f = facts_of(i.form);
    if (i.form >= Form::kMatrix || f.basis == Basis::kConstant) {
      y = product_with(i.form >= Form::kMatrix ? i.matrix : f.a, 1);
    } else {
      const Tensor t = reshape(slice(angles, 1, Slice{i.angle, i.angle + 1}), {count, 1, 1});
      const bool damping = f.basis == Basis::kDamping;
      const Tensor at = f.basis == Basis::kHalf ? t / 2 : t;
      y = product_with(f.a, 1) + (damping ? t : cos(at)) * product_with(f.b, 0) +
          (damping ? sqrt(1 - t) : sin(at)) * product_with(f.c, 0);
    }
    v = take(reshape(y, {count, 2, size}), argsort(places), 2);
  }
  return v;
}

Tensor shifted_value(const std::function<Tensor(const Tensor&)>& f, const Program& program,
                     const std::vector<bool>& wanted, const Tensor& angles, Where where) {
  const auto shifts = all_shifts(program, 2, wanted);
  const auto value = [f](const std::vector<Tensor>& in) { return f(in[0]); };
  // Itself by shifts, so that it has derivatives too.
  const auto whole = [f, program, wanted, where](const Tensor& at) {
    return at.requires_grad() ? shifted_value(f, program, wanted, at, where) : f(at);
  };
  const auto back = [whole, shifts](const std::vector<Tensor>& in, const Tensor&,
                                    const Tensor& grad) -> std::vector<Tensor> {
    const Tensor& at = in[0];
    const int64_t count = at.size(0), angle_count = at.size(1);
    // So many at a time that their states need little memory.
    constexpr size_t kAtOnce = 16;
    std::vector<Tensor> columns(static_cast<size_t>(angle_count));
    for (size_t first = 0; first < shifts.size(); first += kAtOnce) {
      const std::vector some(
          shifts.begin() + static_cast<std::ptrdiff_t>(first),
          shifts.begin() + static_cast<std::ptrdiff_t>(std::min(shifts.size(), first + kAtOnce)));
      const auto many = static_cast<int64_t>(some.size());
      const Tensor values = reshape(whole(reshape(shifted(at, some), {count * many, angle_count})),
                                    {count, many, grad.size(1)});
      const Tensor slopes = sum(values * unsqueeze(grad, 1), {2}) * factors_of(some, at.dtype());
      for (int64_t s = 0; s < many; ++s) {
        Tensor& column = columns[static_cast<size_t>(some[static_cast<size_t>(s)].first)];
        const Tensor one = slice(slopes, 1, Slice{s, s + 1});
        column = column.defined() ? column + one : one;
      }
    }
    for (Tensor& column : columns)
      if (!column.defined()) column = zeros({count, 1}, at.dtype());
    return {concat(columns, 1)};
  };
  return custom_function(value, back, where)({angles});
}

}  // namespace glia::quantum
