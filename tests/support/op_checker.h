// Holds an operation's case against its reference, its other ways to run and its derivatives.
#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/op.h"
#include "glia/autodiff.h"
#include "glia/runtime.h"
#include "tests/support/op_case.h"

namespace glia::test {

enum class Check {
  kValues,
  kLayouts,
  kBroadcast,
  kRank0,
  kRank8,
  kEmpty,
  kSpecial,
  kEager,
  kFused,
  kThreads,
  kFirst,
  kSecond,
  kVmap,
};
inline constexpr const char* kCheckNames[] = {
    "values",  "layouts", "broadcast", "rank 0", "rank 8", "empty", "NaN, inf",
    "= eager", "= fused", "= threads", "d",      "d²",     "vmap"};
inline constexpr int kChecks = std::size(kCheckNames);

// What checking one operation has found.
struct Report {
  std::set<Check> done;
  bool no_gradient = false;  // asking for one is an error that names the operation
  std::vector<std::string> faults;

  void expect_same(const std::string& where, const std::string& difference) {
    if (!difference.empty()) faults.push_back(where + ": " + difference);
  }
};

// ---- Calling an operation -------------------------------------------------------------------

inline bool records(const Tensor& t, const std::string& op) {
  std::set<const Node*> seen;
  std::vector<const Node*> stack{t.node()};
  while (!stack.empty()) {
    const Node* node = stack.back();
    stack.pop_back();
    if (!seen.insert(node).second) continue;
    if (node->op->name == op) return true;
    for (const Node* in : node->input_span()) stack.push_back(in);
  }
  return false;
}

class Eager {
 public:
  Eager() { set_eager(true); }
  ~Eager() { set_eager(false); }
};
class Threads {
 public:
  explicit Threads(int n) : before_(num_threads()) { set_num_threads(n); }
  ~Threads() { set_num_threads(before_); }

 private:
  int before_;
};

// x under the name of an expression that gives it back bit for bit.
inline Tensor disguised(const Tensor& x) { return is_float(x.dtype()) ? -(-x) : ~(~x); }

// ---- Layouts --------------------------------------------------------------------------------

// The same values behind other strides.
struct Disguise {
  const char* what;
  bool (*fits)(const Shape&);
  // Changes the values where the layout allows only some, and gives them as a view.
  Tensor (*make)(Host*);
};

inline Shape reversed(const Shape& s) {
  Shape out = s;
  std::reverse(out.begin(), out.end());
  return out;
}

inline Tensor make_transposed(Host* h) {
  const Host stored = host_made(reversed(h->shape), h->dtype, [&](std::vector<int64_t> index) {
    std::reverse(index.begin(), index.end());
    return at(*h, index);
  });
  Axes axes;
  for (int i = h->shape.rank() - 1; i >= 0; --i) axes.push_back(i);
  return permute(upload(stored), axes);
}
inline Tensor make_stepped(Host* h) {
  Shape wide = h->shape;
  const int last = wide.rank() - 1;
  wide[last] = 2 * wide[last] + 1;
  const Host stored = host_made(wide, h->dtype, [&](std::vector<int64_t> index) -> Real {
    int64_t& i = index.back();
    if (i % 2 == 0) return 1;
    i /= 2;
    return at(*h, index);
  });
  return slice(upload(stored), last, {1, Slice::kNone, 2});
}
inline Tensor make_flipped(Host* h) {
  Axes axes;
  for (int i = 0; i < h->shape.rank(); ++i) axes.push_back(i);
  const Host stored = host_made(h->shape, h->dtype, [&](std::vector<int64_t> index) {
    for (size_t i = 0; i < index.size(); ++i)
      index[i] = h->shape[static_cast<int>(i)] - 1 - index[i];
    return at(*h, index);
  });
  return flip(upload(stored), axes);
}
inline Tensor make_offset(Host* h) {  // contiguous, not from the first byte
  Shape tall = h->shape;
  tall[0] += 1;
  Host stored = host_filled(tall, h->dtype, 1);
  std::copy(h->values.begin(), h->values.end(), stored.values.end() - h->size());
  return slice(upload(stored), 0, {1, Slice::kNone});
}
// Repeats the values along axes [first, last).
inline Tensor repeated(Host* h, int first, int last) {
  Shape small = h->shape;
  for (int i = first; i < last; ++i) small[i] = 1;
  const Host stored = host_made(small, h->dtype, [&](const auto& index) { return at(*h, index); });
  *h = host_made(h->shape, h->dtype, [&](const auto& index) { return at(stored, index); });
  return expand(upload(stored), h->shape);
}
inline Tensor make_same_rows(Host* h) { return repeated(h, 0, 1); }
inline Tensor make_same_columns(Host* h) {
  return repeated(h, h->shape.rank() - 1, h->shape.rank());
}
inline Tensor make_scalar(Host* h) { return repeated(h, 0, h->shape.rank()); }

inline bool of_rank_1(const Shape& s) { return s.rank() >= 1; }
inline bool of_rank_2(const Shape& s) { return s.rank() >= 2; }
inline constexpr Disguise kDisguises[] = {{"transposed", of_rank_2, make_transposed},
                                          {"stepped", of_rank_1, make_stepped},
                                          {"flipped", of_rank_1, make_flipped},
                                          {"offset", of_rank_1, make_offset},
                                          {"repeated rows", of_rank_2, make_same_rows},
                                          {"repeated columns", of_rank_1, make_same_columns},
                                          {"repeated scalar", of_rank_1, make_scalar}};

// ---- The checks -----------------------------------------------------------------------------

class Checker {
 public:
  explicit Checker(const OpCase& c) : case_(c) {}

  Report run() {
    if (case_.forms.empty()) report_.faults.push_back("no reference for this operation");
    bool recorded = !case_.registered;
    for (const Form& form : case_.forms) {
      for (DType dtype : case_.dtypes) {
        Numbers numbers(static_cast<uint64_t>(dtype) + 1);
        const std::vector<Host> in = form.inputs(dtype, numbers);
        const std::string where = std::string(name(dtype)) + ", " + form.what;
        // Large arrays show what threads do; the dtypes that run on one width behave alike.
        if (elements(in) > 10000 && dtype != kF32 && dtype != kI64) continue;
        try {
          recorded = recorded || records(form.apply(upload(in)), case_.op);
          values(form, in, where);
          if (elements(in) <= 10000) {
            layouts(form, in, where);
            special_values(form, in, dtype, where);
          }
          same_bits(form, in, where);
          if (dtype != case_.dtypes.back() || elements(in) > 64) continue;
          derivatives(form, in, where);
          vmapped(form, in, form.inputs(dtype, numbers), where);
        } catch (const std::exception& error) {
          report_.faults.push_back(where + ": " + error.what());
        }
      }
    }
    if (!recorded) report_.faults.push_back("no form records this operation");
    return std::move(report_);
  }

 private:
  static int64_t elements(const std::vector<Host>& in) {
    int64_t most = 0;
    for (const Host& h : in) most = std::max(most, h.size());
    return most;
  }
  void done(Check check) { report_.done.insert(check); }
  Host compute(const Form& form, const std::vector<Host>& in) {
    return host(form.apply(upload(in)));
  }

  void values(const Form& form, const std::vector<Host>& in, const std::string& where) {
    const Host want = form.reference(in);
    report_.expect_same(where, difference(compute(form, in), want, case_.tolerance(want.dtype)));
    done(Check::kValues);
    for (const Host& h : in) {
      if (h.shape.rank() == 0) done(Check::kRank0);
      if (h.shape.rank() == kMaxRank) done(Check::kRank8);
      if (h.size() == 0) done(Check::kEmpty);
      if (h.shape != in[0].shape) done(Check::kBroadcast);
    }
  }

  void layouts(const Form& form, const std::vector<Host>& in, const std::string& where) {
    if (!case_.any_layout) return;
    for (const Disguise& d : kDisguises) {
      for (size_t i = 0; i < in.size(); ++i) {
        if (!d.fits(in[i].shape) || in[i].size() == 0) continue;
        std::vector<Host> changed = in;
        const Tensor view = d.make(&changed[i]);
        std::vector<Tensor> tensors = upload(changed);
        tensors[i] = view;
        const Host want = form.reference(changed);
        report_.expect_same(
            where + ", input " + std::to_string(i) + " " + d.what,
            difference(host(form.apply(tensors)), want, case_.tolerance(want.dtype)));
        done(Check::kLayouts);
      }
    }
  }

  void special_values(const Form& form, std::vector<Host> in, DType dtype,
                      const std::string& where) {
    if (!case_.special_values || !is_float(dtype)) return;
    std::vector<Real> special{0.0, -0.0, 1, -1, 0.5, -2.5, 3, INFINITY, -INFINITY, NAN, -3};
    if (case_.extreme_values) special.insert(special.end(), {1e4, -1e4, 1e30, -1e30, 1e-30});
    // Each input steps through the list at its own pace, so that all pairs come up.
    for (size_t shift = 0; shift < special.size(); ++shift) {
      for (size_t i = 0; i < in.size(); ++i) {
        if (in[i].dtype != dtype) continue;
        for (size_t k = 0; k < in[i].values.size(); ++k)
          in[i].values[k] = rounded(special[(k + (i == 0 ? shift : 0)) % special.size()], dtype);
      }
      const Host want = form.reference(in);
      report_.expect_same(where + ", special values",
                          difference(compute(form, in), want, case_.tolerance(want.dtype)));
    }
    done(Check::kSpecial);
  }

  void same_bits(const Form& form, const std::vector<Host>& in, const std::string& where) {
    const Host lazy = compute(form, in);
    for (int threads : {1, 2, 4}) {
      const Threads some(threads);
      report_.expect_same(where + ", " + std::to_string(threads) + " threads",
                          bit_difference(compute(form, in), lazy));
    }
    done(Check::kThreads);
    // What sums may be made in another order next to other operations.
    Host want = lazy;
    const Host reference = form.reference(in);
    const bool sums = !reference.magnitude.empty();
    const auto compare = [&](const std::string& how, const Host& got) {
      report_.expect_same(where + ", " + how,
                          sums ? difference(got, reference, case_.tolerance(reference.dtype))
                               : bit_difference(got, lazy));
    };
    {
      const Eager on;
      compare("eager", compute(form, in));
    }
    done(Check::kEager);
    std::vector<Tensor> tensors = upload(in);
    for (Tensor& t : tensors) t = disguised(t);
    const Tensor out = form.apply(tensors);
    const Tensor after = disguised(out);
    compare("fused, before its neighbour", host(out));
    compare("fused, behind its neighbour", host(after));
    if (is_float(out.dtype()) && out.rank() > 0 && out.numel() > 0) {
      const Tensor again = form.apply(tensors);
      const Tensor rows = max(again, {-1});
      const Host with_rows = host(rows);
      compare("fused with a reduction", host(again));
      report_.expect_same(where + ", a reduction of it",
                          bit_difference(with_rows, host(max(upload(host(again)), {-1}))));
    }
    done(Check::kFused);
  }

  // Compares with central differences of L = sum(weights * f(x)), and of sum(weights * dL/dx).
  void derivatives(const Form& form, const std::vector<Host>& in, const std::string& where) {
    std::vector<size_t> by;
    for (size_t i = 0; i < in.size(); ++i) {
      if (is_float(in[i].dtype) && (form.differentiable >> i & 1)) by.push_back(i);
    }
    if (by.empty()) return;
    const auto first = [&](const std::vector<Host>& at) {
      return weighted(form.apply(prepared(at, by)));
    };
    const std::vector<Tensor> x = prepared(in, by);
    const Tensor y = form.apply(x);
    if (!is_float(y.dtype())) {
      if (y.requires_grad()) report_.faults.push_back(where + ": integers require a gradient");
      return;
    }
    const std::vector<Tensor> leaves = picked(x, by);
    std::vector<Tensor> g;
    try {
      g = gradients(weighted(y), leaves);
    } catch (const ShapeError&) {
      throw;
    } catch (const Error& error) {
      const bool names = std::string(error.what()).find(case_.op) != std::string::npos;
      if (!names) throw;
      report_.no_gradient = true;
      return;
    }
    compare_slopes(where + ", derivative", in, by, g, first, form.step, 1e-6);
    done(Check::kFirst);

    const auto second = [&](const std::vector<Host>& at) {
      const std::vector<Tensor> x = prepared(at, by);
      Tensor total;
      for (const Tensor& g : gradients(weighted(form.apply(x)), picked(x, by)))
        total = total.defined() ? total + weighted(g) : weighted(g);
      return total;
    };
    const std::vector<Tensor> x2 = prepared(in, by);
    Tensor total;
    for (const Tensor& g : gradients(weighted(form.apply(x2)), picked(x2, by)))
      total = total.defined() ? total + weighted(g) : weighted(g);
    compare_slopes(where + ", second derivative", in, by, gradients(total, picked(x2, by)), second,
                   form.step, 1e-5);
    done(Check::kSecond);
  }

  // A function of single examples over two of them, with every input in turn shared by both.
  void vmapped(const Form& form, const std::vector<Host>& first, const std::vector<Host>& second,
               const std::string& where) {
    for (const Host& h : first) {
      if (h.shape.rank() == kMaxRank) return;
    }
    const int inputs = static_cast<int>(first.size());
    for (int shared = -1; shared < (inputs > 1 ? inputs : 0); ++shared) {
      std::vector<Host> batch = first, other = second;
      std::vector<int> axes(first.size(), 0);
      for (int i = 0; i < inputs; ++i) {
        if (i == shared) {
          axes[i] = -1;
          other[i] = first[i];
          continue;
        }
        batch[i].shape.insert(0, 2);
        batch[i].values.insert(batch[i].values.end(), other[i].values.begin(),
                               other[i].values.end());
      }
      Host want = form.reference(first);
      if (want.shape.rank() == kMaxRank) return;
      const Host got = host(vmap(form.apply, axes)(upload(batch)));
      const Host more = form.reference(other);
      want.shape.insert(0, 2);
      want.values.insert(want.values.end(), more.values.begin(), more.values.end());
      want.magnitude.insert(want.magnitude.end(), more.magnitude.begin(), more.magnitude.end());
      report_.expect_same(where + ", vmap" + (shared < 0 ? "" : " sharing an input"),
                          difference(got, want, case_.tolerance(want.dtype)));
    }
    done(Check::kVmap);
  }

  static std::vector<Tensor> prepared(const std::vector<Host>& in, const std::vector<size_t>& by) {
    std::vector<Tensor> x = upload(in);
    for (size_t i : by) x[i] = trainable(x[i]);
    return x;
  }
  static std::vector<Tensor> picked(const std::vector<Tensor>& x, const std::vector<size_t>& by) {
    std::vector<Tensor> out;
    for (size_t i : by) out.push_back(x[i]);
    return out;
  }
  // A sum in f64 in which every element counts differently.
  static Tensor weighted(const Tensor& y) {
    Numbers numbers(7);
    const Host weights = random_host(y.shape(), kF64, 0.5, 1.5, numbers);
    return sum(cast(y, kF64) * upload(weights));
  }

  void compare_slopes(const std::string& where, const std::vector<Host>& in,
                      const std::vector<size_t>& by, const std::vector<Tensor>& g,
                      const std::function<Tensor(const std::vector<Host>&)>& f, double step,
                      double tolerance) {
    std::vector<Host> at = in;
    for (size_t k = 0; k < by.size(); ++k) {
      Host& h = at[by[k]];
      const Host got = host(g[k]);
      if (got.shape != h.shape || got.dtype != h.dtype) {
        report_.faults.push_back(where + ": the gradient is " + name(got.dtype) + " " +
                                 got.shape.str());
        return;
      }
      for (int64_t i = 0; i < h.size(); ++i) {
        const Real x = h[i];
        h[i] = x + step;
        const double above = f(at).item();
        h[i] = x - step;
        const double below = f(at).item();
        h[i] = x;
        const double slope = (above - below) / (2 * step);
        if (!(std::abs(got[i] - slope) <= tolerance * (1 + std::abs(slope)))) {
          report_.faults.push_back(where + " by element " + std::to_string(i) + " of input " +
                                   std::to_string(by[k]) + " is " + text_of(got[i]) +
                                   ", by differences " + text_of(slope));
          return;
        }
      }
    }
  }

  const OpCase& case_;
  Report report_;
};

}  // namespace glia::test
