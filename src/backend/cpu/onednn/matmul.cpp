// Matrix products: sgemm for f32, the matmul primitive where that is faster and for bf16.
#include <algorithm>

#include "backend/cpu/matrix.h"
#include "backend/cpu/onednn/common.h"
#include "runtime/threads.h"

namespace glia::cpu {

using namespace onednn;
using dnnl::memory;

namespace {

// A matrix as BLAS names it: rows ('N') or columns ('T') contiguous, `ld` elements apart.
struct Operand {
  char transposed = 'N';
  int64_t ld = 1;
  bool operator==(const Operand&) const = default;
};

bool rows_contiguous(int64_t rows, int64_t cols, int64_t row, int64_t col) {
  return (cols == 1 || col == 1) && (rows == 1 || row >= cols);
}

Operand operand(int64_t rows, int64_t cols, int64_t row, int64_t col) {
  if (rows_contiguous(rows, cols, row, col)) return {'N', rows == 1 ? cols : row};
  return {'T', cols == 1 ? rows : col};
}

// One piece: c (m, n) with rows `ldc` apart = a b. The output may be wider than the inputs.
struct Product {
  DType dtype = kF32, out = kF32;
  int64_t m = 0, n = 0, k = 0, ldc = 0;
  Operand a = {}, b = {};
  bool operator==(const Product&) const = default;
};

struct Primitive {
  dnnl::matmul primitive;
  memory::desc a, b, c, scratch;
};

Cache<Product, Primitive>& cache() {
  static auto* instance = new Cache<Product, Primitive>;
  return *instance;
}

std::shared_ptr<const Primitive> make_primitive(const Product& p) {
  const auto strides = [](const Operand& o) {
    return o.transposed == 'T' ? memory::dims{1, o.ld} : memory::dims{o.ld, 1};
  };
  const memory::desc a({p.m, p.k}, data_type(p.dtype), strides(p.a));
  const memory::desc b({p.k, p.n}, data_type(p.dtype), strides(p.b));
  const memory::desc c({p.m, p.n}, data_type(p.out), memory::dims{p.ldc, 1});
  const dnnl::matmul::primitive_desc pd({a, b, c}, attributes(), engine());
  return std::make_shared<Primitive>(Primitive{dnnl::matmul(pd), a, b, c, pd.scratchpad_desc()});
}

void multiply_by_primitive(const Product& p, const void* a, const void* b, void* c) {
  const auto found = cache().get(p, [&] { return make_primitive(p); });
  execute(
      found->primitive, found->scratch,
      {{DNNL_ARG_SRC, found->a, a}, {DNNL_ARG_WEIGHTS, found->b, b}, {DNNL_ARG_DST, found->c, c}});
}

void multiply_f32(const Product& p, const float* a, const float* b, float* c) {
  // With b transposed, sgemm packs slowly where there are few rows to pay for it.
  constexpr double kPrimitivePays = 2e5;
  if (p.b.transposed == 'T' && p.a.transposed == 'N' && p.m > 8 &&
      2.0 * p.m * p.n * p.k > kPrimitivePays)
    return multiply_by_primitive(p, a, b, c);
  engine();
  const OneThread one;
  const dnnl::status status = dnnl::sgemm(p.a.transposed, p.b.transposed, p.m, p.n, p.k, 1, a,
                                          p.a.ld, b, p.b.ld, 0, c, p.ldc);
  if (status != dnnl::status::success) throw Error("matmul: oneDNN's sgemm refused the sizes");
}

// Without bf16 instructions: in f32, rounded once at the end.
void multiply_widened(const Product& p, const void* a, const void* b, void* c) {
  const auto widen = [](const void* in, const Operand& o, int64_t rows, int64_t cols) {
    const int64_t n = o.transposed == 'T' ? (cols - 1) * o.ld + rows : (rows - 1) * o.ld + cols;
    MemoryRef out = scratch_memory(n * 4);
    convert(in, kBF16, out->data, kF32, n);
    return out;
  };
  const MemoryRef wide_a = widen(a, p.a, p.m, p.k), wide_b = widen(b, p.b, p.k, p.n);
  Product wide = p;
  wide.dtype = wide.out = kF32;
  MemoryRef wide_c;
  if (p.out != kF32) {
    wide_c = scratch_memory(p.m * p.n * 4);
    wide.ldc = p.n;
  }
  float* const to = static_cast<float*>(wide_c ? wide_c->data : c);
  multiply_f32(wide, static_cast<float*>(wide_a->data), static_cast<float*>(wide_b->data), to);
  if (!wide_c) return;
  for (int64_t i = 0; i < p.m; ++i)
    convert(to + i * p.n, kF32, static_cast<uint16_t*>(c) + i * p.ldc, p.out, p.n);
}

void multiply(const Product& p, const void* a, const void* b, void* c) {
  if (p.dtype == kF32) {
    multiply_f32(p, static_cast<const float*>(a), static_cast<const float*>(b),
                 static_cast<float*>(c));
  } else if (has_bf16()) {
    multiply_by_primitive(p, a, b, c);
  } else {
    multiply_widened(p, a, b, c);
  }
}

int64_t round_up(int64_t x, int64_t multiple) { return (x + multiple - 1) / multiple * multiple; }
int64_t divide_up(int64_t x, int64_t y) { return (x + y - 1) / y; }

// How a batch of products is cut: whole products in groups, or each into blocks of its output,
// and of k where the output is too small to be cut.
struct Cut {
  int64_t group = 1;  // products in one piece
  int64_t m, n, k;    // sizes of a block
  int64_t ms = 1, ns = 1, ks = 1;
};

Cut cut(const MatmulShape& s, int64_t batch) {
  constexpr int64_t kLeastM = 32, kLeastN = 48, kLeastK = 1024;
  Cut c{.m = s.m, .n = s.n, .k = s.k};
  const double m = s.m, n = s.n, k = s.k;
  // Reading an element costs about as much as ten operations on it.
  const int64_t pieces = piece_count(batch * (2 * m * n * k + 10 * (m * k + k * n + m * n)));
  if (batch >= pieces) {
    c.group = divide_up(batch, pieces);
    return c;
  }
  const int64_t wanted = divide_up(pieces, batch);
  while (c.ms * c.ns < wanted) {  // halve the longer side
    if (c.m >= c.n && c.m >= 2 * kLeastM) {
      c.m = round_up(divide_up(s.m, c.ms *= 2), 8);
    } else if (c.n >= 2 * kLeastN) {
      c.n = round_up(divide_up(s.n, c.ns *= 2), 16);
    } else if (c.m >= 2 * kLeastM) {
      c.m = round_up(divide_up(s.m, c.ms *= 2), 8);
    } else {
      break;
    }
  }
  c.ms = divide_up(s.m, c.m);
  c.ns = divide_up(s.n, c.n);
  const int64_t ks = std::min(wanted / (c.ms * c.ns), s.k / kLeastK);
  if (ks > 1) {
    c.k = round_up(divide_up(s.k, ks), 64);
    c.ks = divide_up(s.k, c.k);
  }
  return c;
}

const void* at(const void* p, DType dtype, int64_t i) {
  return static_cast<const char*>(p) + i * static_cast<int64_t>(size_of(dtype));
}

}  // namespace

bool fits(int64_t rows, int64_t cols, int64_t row, int64_t col) {
  return rows_contiguous(rows, cols, row, col) || rows_contiguous(cols, rows, col, row);
}

void matmul(const MatmulShape& s, std::span<const int64_t> a_offsets,
            std::span<const int64_t> b_offsets, const void* a, const void* b, void* out) {
  const int64_t batch = static_cast<int64_t>(a_offsets.size()), size = s.m * s.n;
  if (batch * size == 0) return;
  if (s.k == 0) {
    std::fill_n(static_cast<char*>(out), batch * size * size_of(s.dtype), 0);
    return;
  }
  Product whole{.dtype = s.dtype, .out = s.dtype, .m = s.m, .n = s.n, .k = s.k, .ldc = s.n};
  whole.a = operand(s.m, s.k, s.a_row, s.a_col);
  whole.b = operand(s.k, s.n, s.b_row, s.b_col);
  const Cut c = cut(s, batch);

  if (c.group > 1 || c.ms * c.ns * c.ks == 1) {
    parallel_for(divide_up(batch, c.group), [&](int64_t piece) {
      const int64_t end = std::min(batch, (piece + 1) * c.group);
      for (int64_t i = piece * c.group; i < end; ++i)
        multiply(whole, at(a, s.dtype, a_offsets[i]), at(b, s.dtype, b_offsets[i]),
                 const_cast<void*>(at(out, s.dtype, i * size)));
    });
    return;
  }

  MemoryRef partials;  // (ks, batch, m, n)
  if (c.ks > 1) {
    partials = scratch_memory(c.ks * batch * size * 4);
    whole.out = kF32;
  }
  void* const blocks = partials ? partials->data : out;
  parallel_for(c.ks * batch * c.ms * c.ns, [&](int64_t piece) {
    const int64_t j = piece % c.ns, i = piece / c.ns % c.ms, slot = piece / (c.ns * c.ms);
    const int64_t product = slot % batch, l = slot / batch;
    Product p = whole;
    p.m = std::min(c.m, s.m - i * c.m);
    p.n = std::min(c.n, s.n - j * c.n);
    p.k = std::min(c.k, s.k - l * c.k);
    multiply(p, at(a, s.dtype, a_offsets[product] + i * c.m * s.a_row + l * c.k * s.a_col),
             at(b, s.dtype, b_offsets[product] + l * c.k * s.b_row + j * c.n * s.b_col),
             const_cast<void*>(at(blocks, p.out, slot * size + i * c.m * s.n + j * c.n)));
  });
  if (partials) sum_partials(static_cast<float*>(partials->data), c.ks, batch * size, out, s.dtype);
}

void onednn::trim_matmul() { cache().clear(); }

}  // namespace glia::cpu
