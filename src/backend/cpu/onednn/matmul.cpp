// Matrix products: sgemm for f32, the matmul primitive where that is faster and for bf16.
#include <algorithm>
#include <cstring>

#include "backend/cpu/onednn/common.h"
#include "backend/cpu/onednn/onednn.h"
#include "backend/cpu/simd/tile.h"
#include "runtime/threads.h"

namespace glia::cpu::onednn {

using dnnl::memory;

namespace {

constexpr int64_t kThin = 8;  // fewer rows or columns: reading the other matrix is the work

// How a matrix lies, in the terms of BLAS: rows ('N') or columns ('T') contiguous, `ld` elements
// apart.
struct Storage {
  char transposed = 'N';
  int64_t ld = 1;
  bool operator==(const Storage&) const = default;
};

bool rows_contiguous(int64_t rows, int64_t cols, int64_t row, int64_t col) {
  return (cols == 1 || col == 1) && (rows == 1 || row >= cols);
}

Storage storage(int64_t rows, int64_t cols, int64_t row, int64_t col) {
  if (rows_contiguous(rows, cols, row, col)) return {'N', rows == 1 ? cols : row};
  return {'T', cols == 1 ? rows : col};
}

// One piece: c (m, n) with rows `ldc` apart = a b. The output may be wider than the inputs.
struct Product {
  DType dtype = kF32, out = kF32;
  int64_t m = 0, n = 0, k = 0, ldc = 0;
  Storage a = {}, b = {};
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
  const auto strides = [](const Storage& s) {
    return s.transposed == 'T' ? memory::dims{1, s.ld} : memory::dims{s.ld, 1};
  };
  const memory::desc a({p.m, p.k}, data_type(p.dtype), strides(p.a));
  const memory::desc b({p.k, p.n}, data_type(p.dtype), strides(p.b));
  const memory::desc c({p.m, p.n}, data_type(p.out), memory::dims{p.ldc, 1});
  const dnnl::matmul::primitive_desc pd({a, b, c}, attributes(), engine());
  return std::make_shared<Primitive>(Primitive{dnnl::matmul(pd), a, b, c, pd.scratchpad_desc()});
}

void multiply_by_primitive(Product p, const void* a, const void* b, void* c) {
  // The library's fast kernels want dense rows of the output.
  const int64_t ldc = p.ldc, row_bytes = p.n * static_cast<int64_t>(size_of(p.out));
  MemoryRef dense;
  if (ldc != p.n) {
    p.ldc = p.n;
    dense = scratch_memory(p.m * row_bytes);
  }
  const auto found = cache().get(p, [&] { return make_primitive(p); });
  execute(found->primitive, found->scratch,
          {{DNNL_ARG_SRC, found->a, a},
           {DNNL_ARG_WEIGHTS, found->b, b},
           {DNNL_ARG_DST, found->c, dense ? dense->data : c}});
  if (!dense) return;
  for (int64_t i = 0; i < p.m; ++i)
    std::memcpy(at(c, p.out, i * ldc), at(dense->data, p.out, i * p.n), row_bytes);
}

void multiply_f32(const Product& p, const float* a, const float* b, float* c) {
  // With b transposed, sgemm packs slowly where there are few rows to pay for it.
  constexpr double kPrimitivePays = 4e5;
  if (p.b.transposed == 'T' && p.m >= kThin && 2.0 * p.m * p.n * p.k > kPrimitivePays)
    return multiply_by_primitive(p, a, b, c);
  engine();
  const OneThread one;
  const dnnl::status status = dnnl::sgemm(p.a.transposed, p.b.transposed, p.m, p.n, p.k, 1, a,
                                          p.a.ld, b, p.b.ld, 0, c, p.ldc);
  if (status != dnnl::status::success) throw Error("matmul: oneDNN's sgemm refused the sizes");
}

// Without bf16 instructions: in f32, rounded once at the end.
void multiply_widened(const Product& p, const void* a, const void* b, void* c) {
  const auto widen = [](const void* in, const Storage& s, int64_t rows, int64_t cols) {
    const int64_t n = s.transposed == 'T' ? (cols - 1) * s.ld + rows : (rows - 1) * s.ld + cols;
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

// How a batch of products is cut: whole products in groups, or each into blocks of its output,
// and of k where the output is too small to be cut.
struct Cut {
  int64_t group = 1;  // products in one piece
  struct Axis {
    int64_t size, step = size, count = 1;
    // Into so many blocks at most, of at least `least` and a multiple of 8.
    void into(int64_t blocks, int64_t least) {
      blocks = std::max<int64_t>(1, std::min(blocks, size / least));
      step = divide_up(divide_up(size, blocks), 8) * 8;
      count = divide_up(size, step);
    }
  };
  Axis m, n, k;
};

Cut cut(const Product& p, int64_t batch) {
  Cut c{.m = {p.m}, .n = {p.n}, .k = {p.k}};
  const double m = p.m, n = p.n, k = p.k;
  // Reading an element costs about as much as ten operations on it.
  const double work = batch * (2 * m * n * k + 10 * (m * k + k * n + m * n));
  const int64_t pieces = piece_count(work, 128e6);
  if (batch >= pieces) {
    c.group = divide_up(batch, pieces);
    return c;
  }
  const int64_t wanted = divide_up(pieces, batch);
  if (p.m < kThin || p.n < kThin) {
    // The one large matrix is cut across its contiguous axis.
    const bool along_k = p.m < kThin ? p.b.transposed == 'N' : p.a.transposed == 'T';
    (along_k ? c.k : p.m < kThin ? c.n : c.m).into(wanted, 64);
    return c;
  }
  if (p.b.transposed == 'T') {  // its packing costs most: once for each column
    c.n.into(wanted, 32);
    c.m.into(wanted / c.n.count, 32);
  } else {
    while (c.m.count * c.n.count < wanted) {  // halve the longer side
      if (c.m.step >= 64 && (c.m.step >= c.n.step || c.n.step < 192)) {
        c.m.into(2 * c.m.count, 32);
      } else if (c.n.step >= 192) {
        c.n.into(2 * c.n.count, 96);
      } else {
        break;
      }
    }
  }
  c.k.into(wanted / (c.m.count * c.n.count), 1024);
  return c;
}

// b with contiguous rows, so that every piece can use it without packing.
MemoryRef transposed(const float* b, int64_t ld, int64_t k, int64_t n) {
  constexpr int64_t kRows = 16, kCols = 64;
  MemoryRef out = scratch_memory(k * n * 4);
  float* const to = static_cast<float*>(out->data);
  parallel_for(divide_up(k, kRows), [&](int64_t block) {
    const int64_t end = std::min(k, (block + 1) * kRows);
    for (int64_t j = 0; j < n; j += kCols)
      for (int64_t l = block * kRows; l < end; ++l)
        copy_strided(to + l * n + j, 1, b + j * ld + l, ld, std::min(kCols, n - j), 4);
  });
  return out;
}

}  // namespace

void matmul(const MatmulShape& s, std::span<const int64_t> a_offsets,
            std::span<const int64_t> b_offsets, const void* a, const void* b, void* out) {
  const int64_t batch = static_cast<int64_t>(a_offsets.size()), size = s.m * s.n;
  if (batch * size == 0) return;
  if (s.k == 0) {
    std::memset(out, 0, batch * size * size_of(s.dtype));
    return;
  }
  Product whole{.dtype = s.dtype, .out = s.dtype, .m = s.m, .n = s.n, .k = s.k, .ldc = s.n};
  whole.a = storage(s.m, s.k, s.a_row, s.a_col);
  whole.b = storage(s.k, s.n, s.b_row, s.b_col);
  int64_t b_row = s.b_row, b_col = s.b_col;
  MemoryRef b_rows;
  if (batch == 1 && s.dtype == kF32 && whole.b.transposed == 'T' && s.m >= 512 && s.n >= kThin) {
    b_rows = transposed(static_cast<const float*>(at(b, kF32, b_offsets[0])), b_col, s.k, s.n);
    b = b_rows->data;
    static constexpr int64_t kNoOffset[] = {0};
    b_offsets = kNoOffset;
    whole.b = {'N', s.n};
    b_row = s.n;
    b_col = 1;
  }

  const Cut c = cut(whole, batch);
  const int64_t blocks = c.m.count * c.n.count * c.k.count;
  if (blocks == 1) {
    parallel_for(divide_up(batch, c.group), [&](int64_t piece) {
      const int64_t end = std::min(batch, (piece + 1) * c.group);
      for (int64_t i = piece * c.group; i < end; ++i)
        multiply(whole, at(a, s.dtype, a_offsets[i]), at(b, s.dtype, b_offsets[i]),
                 at(out, s.dtype, i * size));
    });
    return;
  }

  MemoryRef partials;  // (k blocks, batch, m, n)
  if (c.k.count > 1) {
    partials = scratch_memory(c.k.count * batch * size * 4);
    whole.out = kF32;
  }
  void* const to = partials ? partials->data : out;
  parallel_for(batch * blocks, [&](int64_t piece) {
    const int64_t slot = piece / (c.n.count * c.m.count), product = slot % batch;
    const int64_t i = piece / c.n.count % c.m.count * c.m.step;
    const int64_t j = piece % c.n.count * c.n.step;
    const int64_t l = slot / batch * c.k.step;
    Product p = whole;
    p.m = std::min(c.m.step, s.m - i);
    p.n = std::min(c.n.step, s.n - j);
    p.k = std::min(c.k.step, s.k - l);
    multiply(p, at(a, s.dtype, a_offsets[product] + i * s.a_row + l * s.a_col),
             at(b, s.dtype, b_offsets[product] + l * b_row + j * b_col),
             at(to, p.out, slot * size + i * s.n + j));
  });
  if (partials)
    sum_partials(static_cast<float*>(partials->data), c.k.count, batch * size, out, s.dtype);
}

void trim_matmul() { cache().clear(); }

}  // namespace glia::cpu::onednn
