// Matrix products.
#include "ops/matmul.h"

#include <algorithm>

#include "core/op.h"
#include "glia/ops.h"
#include "ops/autocast.h"
#include "ops/private.h"
#include "runtime/threads.h"

namespace glia {
namespace {

// ---- Value ----

// Elements that one accumulator block spans: small enough for registers.
constexpr int64_t kRows = 4;
template <class Sum>
constexpr int64_t kCols = 32 / sizeof(Sum);
constexpr int64_t kRowBlock = 64;  // rows that one thread computes at a time

// Rows [first, last) of one product. `panel` has room for k * kCols elements.
template <class T, class Sum>
void multiply_rows(const MatmulLayout& at, const T* a, const T* b, T* out, int64_t first,
                   int64_t last, Sum* panel) {
  constexpr int64_t cols = kCols<Sum>;
  for (int64_t j0 = 0; j0 < at.n; j0 += cols) {
    const int64_t width = std::min(cols, at.n - j0);
    for (int64_t l = 0; l < at.k; ++l)
      for (int64_t j = 0; j < cols; ++j)
        panel[l * cols + j] =
            j < width ? static_cast<Sum>(b[l * at.b_row + (j0 + j) * at.b_col]) : Sum{0};
    for (int64_t i0 = first; i0 < last; i0 += kRows) {
      const int64_t height = std::min(kRows, last - i0);
      const T* rows[kRows];
      for (int64_t i = 0; i < kRows; ++i) rows[i] = a + (i0 + std::min(i, height - 1)) * at.a_row;
      Sum sum[kRows][cols] = {};
      for (int64_t l = 0; l < at.k; ++l)
        for (int64_t i = 0; i < kRows; ++i) {
          const Sum x = static_cast<Sum>(rows[i][l * at.a_col]);
          for (int64_t j = 0; j < cols; ++j) sum[i][j] += x * panel[l * cols + j];
        }
      for (int64_t i = 0; i < height; ++i)
        for (int64_t j = 0; j < width; ++j)
          out[(i0 + i) * at.n + j0 + j] = static_cast<T>(sum[i][j]);
    }
  }
}

template <class T, class Sum>
void multiply(const KernelCall& call) {
  const MatmulLayout at(call);
  const int64_t products = static_cast<int64_t>(at.a_offsets.size());
  const int64_t blocks = (at.m + kRowBlock - 1) / kRowBlock;
  // Small products are computed many by one thread.
  const int64_t cost = std::max<int64_t>(1, std::min(at.m, kRowBlock) * at.n * at.k);
  const int64_t group = std::max<int64_t>(1, (int64_t{1} << 16) / cost);
  const int64_t items = products * blocks;
  parallel_for((items + group - 1) / group, [&](int64_t piece) {
    std::vector<Sum> panel(at.k * kCols<Sum>);
    for (int64_t i = piece * group; i < std::min(items, (piece + 1) * group); ++i) {
      const int64_t p = i / blocks, first = i % blocks * kRowBlock;
      multiply_rows(at, call.in[0].as<T>() + at.a_offsets[p], call.in[1].as<T>() + at.b_offsets[p],
                    call.out[0].as<T>() + p * at.m * at.n, first, std::min(at.m, first + kRowBlock),
                    panel.data());
    }
  });
}

void run_matmul(const KernelCall& call) {
  switch (call.out[0].dtype) {
    case kF64:
      return multiply<double, double>(call);
    case kF32:
      return multiply<float, float>(call);
    case kBF16:
      return multiply<bfloat16, float>(call);
    case kI64:
      return multiply<uint64_t, uint64_t>(call);  // unsigned: overflow wraps
    default:
      return multiply<uint32_t, uint32_t>(call);  // i32
  }
}

Work work_of_matmul(const KernelCall& call) {
  Work work = traffic(call);
  const Array& a = call.in[0];
  const int k = a.layout.shape.rank() - (call.attributes<MatmulAttributes>().transpose_a ? 2 : 1);
  work.flops = 2.0 * static_cast<double>(call.out[0].numel() * a.layout.shape[k]);
  return work;
}

// ---- Recording and gradient ----

extern const Op kMatmul;

// The product of two tensors of rank 2 and above, either stored transposed.
Tensor product(const Tensor& a, const Tensor& b, MatmulAttributes stored, const Where& where) {
  const int ra = a.rank(), rb = b.rank();
  const auto [ta, tb] = stored;
  if (ra > 2 && rb == 2 && !ta) {  // one tall product instead of many
    Shape shape = a.shape();
    shape[ra - 1] = b.shape()[tb ? 0 : 1];
    const int64_t k = a.shape()[ra - 1], rows = k ? a.numel() / k : 0;
    if (k) return reshape(product(reshape(a, {rows, k}, where), b, stored, where), shape, where);
  }
  Shape leading_a(a.shape().span().first(ra - 2)), leading_b(b.shape().span().first(rb - 2));
  Shape shape = broadcast(leading_a, leading_b);
  // Many short rows times columns: sums of products, without a call for each.
  constexpr int64_t kMany = 64, kShort = 512;
  const int64_t k = a.shape()[ra - (ta ? 2 : 1)];
  if ((a.dtype() == kF32 || a.dtype() == kF64) && a.shape()[ra - (ta ? 1 : 2)] == 1 &&
      b.shape()[rb - (tb ? 2 : 1)] == 1 && k <= kShort && shape.numel() >= kMany) {
    leading_a.push_back(k);
    leading_b.push_back(k);
    shape.push_back(1);
    shape.push_back(1);
    const Tensor products =
        Operand(reshape(a, leading_a, where), where) * Operand(reshape(b, leading_b, where), where);
    return reshape(sum(products, {-1}, false, where), shape, where);
  }
  shape.push_back(a.shape()[ra - (ta ? 1 : 2)]);
  shape.push_back(b.shape()[rb - (tb ? 2 : 1)]);
  return record(kMatmul, {a.node(), b.node()}, shape, a.dtype(), stored, where);
}

void vjp_matmul(Vjp& v) {
  const Tensor a = v.in(0), b = v.in(1), &g = v.g();
  const Where& where = v.node().where;
  const auto [ta, tb] = v.attributes<MatmulAttributes>();
  if (v.needs(0))
    v.set(0, ta ? product(b, g, {tb, true}, where) : product(g, b, {false, !tb}, where));
  if (v.needs(1))
    v.set(1, tb ? product(g, a, {true, ta}, where) : product(a, g, {!ta, false}, where));
}

// The new axis becomes the first of the leading ones.
Tensor batch_matmul(const Recorded& node, std::span<const Tensor> inputs,
                    std::span<const bool> batched, int64_t size) {
  Tensor in[2];
  for (int i = 0; i < 2; ++i) {
    in[i] = inputs[i];
    if (!batched[i]) continue;
    Shape shape{size};
    const Shape& own = node.in_shape(i);
    for (int j = own.rank(); j < node.shape().rank(); ++j) shape.push_back(1);
    for (int64_t s : own) shape.push_back(s);
    in[i] = reshape(in[i], shape, node.where());
  }
  return product(in[0], in[1], node.attributes<MatmulAttributes>(), node.where());
}

const Op kMatmul{.name = "matmul",
                 .kind = Kind::kKernel,
                 .attributes = kAttributeFields<MatmulAttributes>,
                 .vjp = vjp_matmul,
                 .run = run_matmul,
                 .strided = true,
                 .batch = batch_matmul,
                 .work = work_of_matmul};
const RegisterOp registered(kMatmul);

// The dtype in which a product of this dtype is computed; integers wrap as their own type would.
DType computed_in(DType dtype) {
  switch (dtype) {
    case kF16:
      return kF32;
    case kBool:
    case kU8:
    case kI8:
      return kI32;
    default:
      return dtype;
  }
}

// a and b in the dtype of the computation, multiplied, and the result in their common dtype.
Tensor promoted_product(const Tensor& a, const Tensor& b, MatmulAttributes stored,
                        const Where& where) {
  const DType dtype = product_dtype(promote(a.dtype(), b.dtype())), in = computed_in(dtype);
  const Tensor out =
      product(product_operand(a, in, where), product_operand(b, in, where), stored, where);
  return cast(Operand(out, where), dtype);
}

}  // namespace

MatmulLayout::MatmulLayout(const KernelCall& call) {
  const Layout &a = call.in[0].layout, &b = call.in[1].layout, &out = call.out[0].layout;
  const int ra = a.shape.rank(), rb = b.shape.rank(), r = out.shape.rank();
  const auto [ta, tb] = call.attributes<MatmulAttributes>();
  const int a_m = ra - (ta ? 1 : 2), a_k = ra - (ta ? 2 : 1);
  const int b_k = rb - (tb ? 1 : 2), b_n = rb - (tb ? 2 : 1);
  m = a.shape[a_m];
  k = a.shape[a_k];
  n = b.shape[b_n];
  a_row = a.strides[a_m];
  a_col = a.strides[a_k];
  b_row = b.strides[b_k];
  b_col = b.strides[b_n];
  a_offsets = b_offsets = {0};
  for (int axis = 0; axis < r - 2; ++axis) {
    const auto grow = [&](std::vector<int64_t>& offsets, const Layout& in) {
      const int own = axis - (r - in.shape.rank());
      const int64_t stride = own < 0 || in.shape[own] == 1 ? 0 : in.strides[own];
      std::vector<int64_t> grown;
      grown.reserve(offsets.size() * out.shape[axis]);
      for (int64_t offset : offsets)
        for (int64_t i = 0; i < out.shape[axis]; ++i) grown.push_back(offset + i * stride);
      offsets = std::move(grown);
    };
    grow(a_offsets, a);
    grow(b_offsets, b);
  }
}

Tensor matmul(const Tensor& a, const Tensor& b, Where where) {
  if (!a.defined() || !b.defined()) fail("matmul", "an operand is not defined", where);
  const auto reject = [&](const char* why) {
    fail("matmul", why + (": " + a.shape().str()) + " x " + b.shape().str(), where);
  };
  if (a.rank() == 0 || b.rank() == 0) reject("an operand has no axes");
  const Tensor left = a.rank() == 1 ? unsqueeze(a, 0, where) : a;
  const Tensor right = b.rank() == 1 ? unsqueeze(b, 1, where) : b;
  if (left.size(-1) != right.size(-2)) reject("inner sizes differ");
  for (int i = 3; i <= std::min(left.rank(), right.rank()); ++i) {
    const int64_t x = left.size(-i), y = right.size(-i);
    if (x != y && x != 1 && y != 1) reject("leading axes do not broadcast");
  }
  Tensor out = promoted_product(left, right, {}, where);
  if (a.rank() == 1) out = squeeze(out, -2, where);
  if (b.rank() == 1) out = squeeze(out, -1, where);
  return out;
}

namespace {

// ---- linear(x, weight, bias), a product and a bias in the dtype of the result ----

Tensor rows_of(const Tensor& x) {
  int64_t rows = 1;
  for (int i = 0; i + 1 < x.rank(); ++i) rows *= x.shape()[i];
  return reshape(x, {rows, x.size(-1)});
}
std::vector<Tensor> compose_linear(const Recorded& one, std::span<const Tensor> in) {
  const DType dtype = promote(in[0].dtype(), in[1].dtype()), wide = computed_in(dtype);
  const Tensor out =
      product(rows_of(cast(in[0], wide)), cast(in[1], wide), {false, true}, one.where());
  // The bias joins what follows, in its shape, and is added before the result is rounded.
  const Tensor y = reshape(cast(out, dtype), one.shape());
  return {in[2].defined() ? cast(y + in[2], one.dtype()) : y};
}
void vjp_linear(Vjp& v) {
  const Tensor x = v.in(0), w = v.in(1), bias = v.in(2), &g = v.g();
  if (v.needs(2)) v.set(2, cast(g, bias.dtype()));
  const DType dtype = promote(x.dtype(), w.dtype()), wide = computed_in(dtype);
  const Tensor rows = rows_of(cast(cast(g, dtype), wide));
  if (v.needs(0)) v.set(0, reshape(product(rows, cast(w, wide), {}, v.where()), x.shape()));
  if (v.needs(1)) v.set(1, product(rows, rows_of(cast(x, wide)), {true, false}, v.where()));
}
Tensor batch_linear(const Recorded& one, std::span<const Tensor> in, std::span<const bool> batched,
                    int64_t size) {
  if (batched[1] || batched[2]) return {};
  return record(one.op(), {in[0].node(), in[1].node(), in[2].node()}, batched_shape(one, size),
                one.dtype(), {}, one.where());
}
const Op kLinear{.name = "linear",
                 .kind = Kind::kMacro,
                 .vjp = vjp_linear,
                 .batch = batch_linear,
                 .compose = compose_linear};
const RegisterOp registered_linear(kLinear);

}  // namespace

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias, Where where) {
  if (!x.defined() || !weight.defined()) fail("linear", "an operand is not defined", where);
  if (weight.rank() != 2) fail("linear", "weight " + weight.shape().str() + " is not 2-d", where);
  const int64_t in = weight.size(1), out = weight.size(0);
  if (x.rank() == 0 || x.size(-1) != in)
    fail("linear", "x " + x.shape().str() + " does not fit weight " + weight.shape().str(), where);
  if (bias.defined() && bias.shape() != Shape{out})
    fail("linear", "bias " + bias.shape().str() + " does not fit weight " + weight.shape().str(),
         where);
  Shape shape = x.shape();
  shape[x.rank() - 1] = out;
  const DType dtype = product_dtype(promote(x.dtype(), weight.dtype()));
  DType result = dtype;
  if (bias.defined()) result = promote(dtype, bias.dtype());
  if (bias.defined() && autocast_on()) result = product_dtype(result);
  return record(kLinear,
                {product_operand(x, dtype, where).node(),
                 product_operand(weight, dtype, where).node(), bias.node()},
                shape, result, {}, where);
}

}  // namespace glia
