// Arithmetic of sparse matrices: structures on the host, values by operations.
#include "glia/coo.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "ops/private.h"
#include "ops/rows.h"

namespace glia {
namespace {

// The structure as the host reads it.
struct Pattern {
  Tensor starts_of, cols_of;  // hold the memory
  std::span<const int32_t> starts, cols;
  explicit Pattern(const Csr& a)
      : starts_of(a.row_ptr()),
        cols_of(a.cols()),
        starts(starts_of.data<int32_t>()),
        cols(cols_of.data<int32_t>()) {}
  int64_t rows() const { return static_cast<int64_t>(starts.size()) - 1; }
};

void require_alike(const char* op, const Csr& a, const Csr& b, bool same_shape,
                   const Where& where) {
  const bool fits = same_shape ? a.shape() == b.shape() : a.shape()[1] == b.shape()[0];
  if (!fits || a.values().dtype() != b.values().dtype())
    fail(op,
         fmt::format("{} {} and {} {}", name(a.values().dtype()), a.shape().str(),
                     name(b.values().dtype()), b.shape().str()),
         where);
}

Tensor as_tensor(const std::vector<int32_t>& x) {
  return from_vector(x, {static_cast<int64_t>(x.size())});
}

// A structure that grows row by row.
struct Built {
  std::vector<int32_t> row_ptr{0}, cols;
  void end_row() { row_ptr.push_back(static_cast<int32_t>(cols.size())); }
  Csr with(const Tensor& values, const Shape& shape) const {
    return Csr(as_tensor(row_ptr), as_tensor(cols), values, shape);
  }
};

// Values added at their places in rising order of their list: (K).
Tensor summed_at(const Tensor& values, const std::vector<int32_t>& at, int64_t count,
                 const Where& where) {
  return index_add(zeros({count}, values.dtype()), as_tensor(at), values, 0, where);
}

}  // namespace

// ---- Coordinates --------------------------------------------------------------------------------

Coo Coo::from_dense(const Tensor& x) { return from_csr(Csr::from_dense(x)); }

Coo Coo::from_csr(const Csr& a) {
  const Tensor rows = row_numbers(a.row_ptr(), a.nnz(), {});
  return {cast(stack({rows, a.cols()}), kI64), a.values(), a.shape()};
}

Csr Coo::to_csr() const {
  if (!indices.defined() || indices.rank() != 2 || indices.size(0) != 2)
    throw ShapeError("Coo: indices " + (indices.defined() ? indices.shape().str() : "undefined") +
                     " are not (2, K)");
  return Csr::from_coo(index(indices, {0}), index(indices, {1}), values, shape);
}
Coo Coo::coalesce() const { return from_csr(to_csr()); }
Coo Coo::transpose() const {
  require_defined("Coo", indices, Where::current());
  if (shape.rank() != 2) throw ShapeError("Coo: the shape " + shape.str() + " is not (R, C)");
  return {flip(indices, {0}), values, {shape[1], shape[0]}};
}
Tensor Coo::to_dense() const { return to_csr().to_dense(); }

// ---- Sums and products --------------------------------------------------------------------------

Csr add(const Csr& a, const Csr& b, double factor, Where where) {
  require_alike("add", a, b, true, where);
  const Pattern p(a), q(b);
  Built out;
  std::vector<int32_t> place(static_cast<size_t>(a.shape()[1]), -1),
      at;  // of a's entries, then b's
  at.resize(p.cols.size() + q.cols.size());
  for (int64_t r = 0; r < p.rows(); ++r) {
    const auto first = static_cast<int32_t>(out.cols.size());
    const auto enter = [&](const Pattern& from, size_t shift) {
      for (int32_t j = from.starts[r]; j < from.starts[r + 1]; ++j) {
        const int32_t c = from.cols[j];
        if (place[c] < first) {
          place[c] = static_cast<int32_t>(out.cols.size());
          out.cols.push_back(c);
        }
        at[shift + static_cast<size_t>(j)] = place[c];
      }
    };
    enter(p, 0);
    enter(q, p.cols.size());
    out.end_row();
  }
  const Tensor terms =
      concat({a.values(), factor == 1 ? b.values() : b.values() * factor}, 0, where);
  return out.with(summed_at(terms, at, static_cast<int64_t>(out.cols.size()), where), a.shape());
}

Csr mul(const Csr& a, const Csr& b, Where where) {
  require_alike("mul", a, b, true, where);
  const Pattern p(a), q(b);
  Built out;
  // b's entries of the row at each column, one after the other; each of a's goes with all of them.
  std::vector<int32_t> of_a, of_b, at, head(static_cast<size_t>(a.shape()[1]), -1),
      next(q.cols.size()), made(head.size(), -1);
  for (int64_t r = 0; r < p.rows(); ++r) {
    const auto first = static_cast<int32_t>(out.cols.size());
    for (int32_t k = q.starts[r]; k < q.starts[r + 1]; ++k)
      next[k] = std::exchange(head[q.cols[k]], k);
    for (int32_t j = p.starts[r]; j < p.starts[r + 1]; ++j) {
      const int32_t c = p.cols[j];
      for (int32_t k = head[c]; k >= 0; k = next[k]) {
        if (made[c] < first) {
          made[c] = static_cast<int32_t>(out.cols.size());
          out.cols.push_back(c);
        }
        of_a.push_back(j);
        of_b.push_back(k);
        at.push_back(made[c]);
      }
    }
    for (int32_t k = q.starts[r]; k < q.starts[r + 1]; ++k) head[q.cols[k]] = -1;
    out.end_row();
  }
  const Tensor terms =
      take(a.values(), as_tensor(of_a), 0, where) * take(b.values(), as_tensor(of_b), 0, where);
  return out.with(summed_at(terms, at, static_cast<int64_t>(out.cols.size()), where), a.shape());
}

Csr spspmm(const Csr& a, const Csr& b, Where where) {
  require_alike("spspmm", a, b, false, where);
  const Pattern p(a), q(b);
  int64_t terms = 0;
  for (int32_t c : p.cols) terms += q.starts[c + 1] - q.starts[c];
  if (terms > INT32_MAX) fail("spspmm", fmt::format("{} terms are too many", terms), where);
  Built out;
  std::vector<int32_t> of_a, of_b, at, place(static_cast<size_t>(b.shape()[1]), -1);
  for (std::vector<int32_t>* list : {&of_a, &of_b, &at}) list->reserve(static_cast<size_t>(terms));
  for (int64_t r = 0; r < p.rows(); ++r) {
    const auto first = static_cast<int32_t>(out.cols.size());
    for (int32_t j = p.starts[r]; j < p.starts[r + 1]; ++j) {
      const int32_t m = p.cols[j];
      for (int32_t k = q.starts[m]; k < q.starts[m + 1]; ++k) {
        const int32_t c = q.cols[k];
        if (place[c] < first) {
          place[c] = static_cast<int32_t>(out.cols.size());
          out.cols.push_back(c);
        }
        of_a.push_back(j);
        of_b.push_back(k);
        at.push_back(place[c]);
      }
    }
    out.end_row();
  }
  const Tensor products =
      take(a.values(), as_tensor(of_a), 0, where) * take(b.values(), as_tensor(of_b), 0, where);
  return out.with(summed_at(products, at, static_cast<int64_t>(out.cols.size()), where),
                  {a.shape()[0], b.shape()[1]});
}

Csr sddmm(const Csr& a, const Tensor& x, const Tensor& y, Where where) {
  require_defined("sddmm", x, where);
  require_defined("sddmm", y, where);
  const DType dtype = a.values().dtype();
  if (x.rank() != 2 || y.rank() != 2 || x.size(0) != a.shape()[0] || y.size(1) != a.shape()[1] ||
      x.size(1) != y.size(0) || x.dtype() != dtype || y.dtype() != dtype)
    fail("sddmm",
         fmt::format("{} {} at {} x {}", name(dtype), a.shape().str(), x.shape().str(),
                     y.shape().str()),
         where);
  return a.with_values(
      dot_rows({.starts = a.row_ptr(), .cols = a.cols()}, x, transpose(y, 0, 1), where));
}

Tensor sum(const Csr& a, int axis, Where where) {
  if (axis < -1 || axis > 1) fail("sum", fmt::format("axis {} of a sparse matrix", axis), where);
  if (axis < 0) return sum(a.values(), {}, false, where);
  if (axis == 1) return sum(Ragged{a.values(), a.row_ptr()}, where);
  return index_add(zeros({a.shape()[1]}, a.values().dtype()), a.cols(), a.values(), 0, where);
}

Csr softmax(const Csr& a, Where where) {
  const Tensor row = row_numbers(a.row_ptr(), a.nnz(), where);
  const auto of_row = [&](const Tensor& x) { return take(x, row, 0, where); };
  const Tensor shift = stop_gradient(of_row(max(Ragged{a.values(), a.row_ptr()}, where)));
  const Tensor e = exp(a.values() - shift);
  return a.with_values(e / of_row(sum(Ragged{e, a.row_ptr()}, where)));
}

// ---- Conjugate gradients
// --------------------------------------------------------------------------

namespace {

struct CgAttributes {
  double rtol = 0, atol = 0;
  int64_t maxiter = 0;
  bool jacobi = false;
  GLIA_ATTRIBUTES(rtol, atol, maxiter, jacobi)
};

// One column; sums are f64 and in order of the rows.
template <class T>
class Cg {
 public:
  Cg(const KernelCall& call, const CgAttributes& options)
      : starts_(call.in[0].as<const int32_t>()),
        cols_(call.in[1].as<const int32_t>()),
        values_(call.in[2].as<const T>()),
        n_(call.in[0].numel() - 1),
        options_(options),
        inverse_(static_cast<size_t>(n_), 1.0) {
    for (int64_t i = 0; options.jacobi && i < n_; ++i) {
      double diagonal = 0;
      for (int32_t j = starts_[i]; j < starts_[i + 1]; ++j)
        if (cols_[j] == i) diagonal += static_cast<double>(values_[j]);
      if (diagonal != 0) inverse_[i] = 1 / diagonal;
    }
  }

  // Whether it converged.
  bool solve(const T* b, int64_t step, T* out) const {
    std::vector<double> x(n_, 0), r(n_), z(n_), p(n_), ap(n_);
    for (int64_t i = 0; i < n_; ++i) r[i] = static_cast<double>(b[i * step]);
    const double bound = std::max(options_.rtol * std::sqrt(dot(r, r)), options_.atol);
    double last = 0;
    bool done = std::sqrt(dot(r, r)) <= bound;
    for (int64_t k = 0; k < options_.maxiter && !done; ++k) {
      for (int64_t i = 0; i < n_; ++i) z[i] = inverse_[i] * r[i];
      const double now = dot(r, z), beta = k == 0 ? 0 : now / last;
      for (int64_t i = 0; i < n_; ++i) p[i] = z[i] + beta * p[i];
      multiply(p, &ap);
      const double alpha = now / dot(p, ap);
      if (!std::isfinite(alpha)) return false;
      for (int64_t i = 0; i < n_; ++i) {
        x[i] += alpha * p[i];
        r[i] -= alpha * ap[i];
      }
      last = now;
      done = std::sqrt(dot(r, r)) <= bound;
    }
    for (int64_t i = 0; i < n_; ++i) out[i * step] = static_cast<T>(x[i]);
    return done;
  }

 private:
  static double dot(const std::vector<double>& a, const std::vector<double>& b) {
    return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
  }
  void multiply(const std::vector<double>& x, std::vector<double>* y) const {
    parallel_pieces(n_, 4096, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        double s = 0;
        for (int32_t j = starts_[i]; j < starts_[i + 1]; ++j)
          s += static_cast<double>(values_[j]) * x[cols_[j]];
        (*y)[i] = s;
      }
    });
  }

  const int32_t *starts_, *cols_;
  const T* values_;
  int64_t n_;
  CgAttributes options_;
  std::vector<double> inverse_;
};

template <class T>
void solve_columns(const KernelCall& call) {
  const auto options = call.attributes<CgAttributes>();
  const Cg<T> solver(call, options);
  const int64_t columns = call.in[3].layout.shape[1];
  std::vector<uint8_t> converged(static_cast<size_t>(columns), 1);
  const auto run = [&](int64_t c) {
    converged[c] = solver.solve(call.in[3].as<const T>() + c, columns, call.out[0].as<T>() + c);
  };
  if (columns == 1)
    run(0);
  else
    parallel_for(columns, run);
  const auto bad = std::ranges::find(converged, 0);
  if (bad != converged.end())
    throw ValueError(fmt::format("cg: column {} does not converge in {} steps",
                                 bad - converged.begin(), options.maxiter));
}
void run_cg(const KernelCall& call) {
  call.in[2].dtype == kF64 ? solve_columns<double>(call) : solve_columns<float>(call);
}
const Op kCg{.name = "sparse_cg",
             .kind = Kind::kKernel,
             .attributes = kAttributeFields<CgAttributes>,
             .run = run_cg,
             .may_throw = true};
const RegisterOp registered(kCg);

Tensor record_cg(const Csr& a, const Tensor& b, const CgAttributes& options, const Where& where) {
  Tensor value;
  {
    const NoGrad off;
    value = record(kCg, {a.row_ptr().node(), a.cols().node(), a.values().node(), b.node()},
                   b.shape(), b.dtype(), options, where);
  }
  // A is its own transpose: g goes to b as A^-1 g, and -(A^-1 g)[r] x[c] to the value at (r, c).
  const auto rule = [=](const std::vector<Tensor>& in, const Tensor& x, const Tensor& g) {
    const Tensor gb = record_cg(a.with_values(in[0]), g, options, where);
    std::vector<Tensor> out(2);
    if (in[0].requires_grad())
      out[0] = -dot_rows({.starts = a.row_ptr(), .cols = a.cols()}, gb, x, where);
    out[1] = gb;
    return out;
  };
  return with_rule(value, {a.values(), b}, rule, where);
}

}  // namespace

Tensor cg(const Csr& a, const Tensor& b, const CgOptions& options, Where where) {
  require_defined("cg", b, where);
  const int64_t n = a.shape()[0];
  if (a.shape()[1] != n || b.rank() < 1 || b.rank() > 2 || b.size(0) != n ||
      b.dtype() != a.values().dtype())
    fail("cg",
         fmt::format("{} {} and {} {}", name(a.values().dtype()), a.shape().str(), name(b.dtype()),
                     b.shape().str()),
         where);
  if (!(options.rtol >= 0) || !(options.atol >= 0) || options.maxiter < 0)
    fail("cg",
         fmt::format("rtol {}, atol {}, maxiter {}", options.rtol, options.atol, options.maxiter),
         where);
  const Tensor columns = b.rank() == 1 ? unsqueeze(b, 1) : b;
  const int64_t most = options.maxiter ? options.maxiter : 10 * n;
  const Tensor x = record_cg(a, columns, {options.rtol, options.atol, most, options.jacobi}, where);
  return b.rank() == 1 ? squeeze(x, 1) : x;
}

}  // namespace glia
