// Random graphs: what plans compute must be what one operation after the other computes, wherever
// values are read and whatever is held. GLIA_FUZZ_GRAPHS sets how many graphs are tried,
// GLIA_FUZZ_SEED the first one's seed.
#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>

#include "glia/autodiff.h"
#include "glia/ops.h"
#include "glia/ops/arrange.h"
#include "glia/random.h"
#include "glia/runtime.h"
#include "tests/support/host.h"

namespace glia::test {
namespace {

int64_t setting(const char* name, int64_t standard) {
  const char* text = std::getenv(name);
  return text && *text ? std::atoll(text) : standard;
}

// All numbers stay within this, so that rounding stays in proportion.
constexpr double kBound = 16;

// A tensor of the program, and how far a run in another order of sums may be from it.
struct Value {
  Tensor tensor;
  double error = 0;

  bool exact() const { return error == 0; }
  bool is_float() const { return glia::is_float(tensor.dtype()); }
};

double epsilon(DType t) { return std::ldexp(1.0, 1 - float_format(t).digits); }

// One random program; the same for equal seeds, however it is run.
class Program {
 public:
  // `interfere`, where given, is called between operations with all values there are.
  using Interfere = std::function<void(const std::vector<Value>&)>;

  Program(uint64_t seed, bool differentiable, Interfere interfere = nullptr)
      : numbers_(seed), differentiable_(differentiable), interfere_(std::move(interfere)) {
    manual_seed(seed);
    const int64_t leaves = numbers_.integer(2, 5), operations = numbers_.integer(3, 40);
    for (int64_t i = 0; i < leaves; ++i) add_leaf();
    for (int64_t i = 0; i < operations; ++i) {
      add_operation();
      if (interfere_) interfere_(pool_);
      if (pool_.size() > 12) pool_.erase(pool_.begin() + numbers_.integer(0, 5));
    }
  }

  // What is left of the pool, what was put aside, and the gradients.
  std::vector<Value> results() {
    std::vector<Value> out = kept_;
    out.insert(out.end(), pool_.begin(), pool_.end());
    if (leaves_.empty()) return out;
    Tensor loss = zeros({}, kF64);
    for (const Value& v : pool_) {
      if (v.is_float() && v.tensor.numel() > 0) loss = loss + mean(cast(v.tensor, kF64) * 0.5);
    }
    for (const Tensor& g : gradients(loss, leaves_)) out.push_back({g, 1e-9});
    return out;
  }
  const std::string& text() const { return text_; }

 private:
  // ---- Shapes and operands ----

  Shape random_shape() {
    Shape s;
    const int64_t rank = numbers_.integer(0, 4);
    const bool large = numbers_.integer(0, 15) == 0;
    // Of a few vectors and a rest, and about as many rows as sums change their way at.
    const int64_t medium = numbers_.integer(0, 5) == 0 ? numbers_.integer(0, 3) : -1;
    for (int64_t i = 0; i < rank; ++i) {
      const int64_t kind = numbers_.integer(0, 19);
      s.push_back(kind == 0                         ? 0
                  : kind <= 4                       ? 1
                  : large && i == rank - 1 && i < 2 ? numbers_.integer(1000, 9000)
                  : i == medium                     ? numbers_.integer(14, 70)
                                                    : numbers_.integer(2, 6));
    }
    return s;
  }
  DType random_dtype() {
    if (differentiable_) return kF64;
    return numbers_.pick(
        std::vector<DType>{kF32, kF32, kF32, kF64, kF64, kBF16, kF16, kI32, kI64, kU8, kBool});
  }

  void add_leaf() {
    const Shape s = random_shape();
    const DType t = random_dtype();
    Tensor x = upload(random_host(s, t, -4, 4, numbers_));
    if (is_float(t) && (differentiable_ || numbers_.integer(0, 2) == 0)) {
      x = trainable(x);
      if (differentiable_) leaves_.push_back(x);
    }
    put("leaf", {x, 0}, {});
  }

  const Value& any() { return pool_[static_cast<size_t>(numbers_.integer(0, pool_.size() - 1))]; }
  template <class F>
  const Value* find(F&& fits) {
    for (int attempt = 0; attempt < 8; ++attempt) {
      const Value& v = any();
      if (fits(v)) return &v;
    }
    return nullptr;
  }
  const Value* find_float() {
    return find([](const Value& v) { return v.is_float(); });
  }

  // x in a form that broadcasts with `shape`, made by views, or undefined.
  Tensor fitted(const Tensor& x, const Shape& shape) {
    if (x.shape() == shape || x.rank() == 0) return x;
    if (x.rank() > shape.rank()) return {};
    for (int i = 1; i <= x.rank(); ++i) {
      if (x.size(-i) != shape.size(-i) && x.size(-i) != 1 && shape.size(-i) != 1) return {};
    }
    return x;
  }

  // ---- Operations ----

  // Puts a result down. The error grows by what rounding may do.
  void put(const std::string& what, Value v, const std::vector<const Value*>& from,
           double slope = 1, bool sums = false) {
    for (const Value* f : from) v.error += slope * f->error;
    if (v.is_float() && (sums || v.error > 0)) v.error += 8 * kBound * epsilon(v.tensor.dtype());
    text_ += what + " -> " + name(v.tensor.dtype()) + v.tensor.shape().str() + "; ";
    if (numbers_.integer(0, 5) == 0) kept_.push_back(v);
    pool_.push_back(std::move(v));
  }

  void add_operation() {
    switch (numbers_.integer(0, 9)) {
      case 0:
      case 1:
        return unary();
      case 2:
      case 3:
      case 4:
        return binary();
      case 5:
      case 6:
        return view();
      case 7:
        return reduction();
      case 8:
        return numbers_.integer(0, 1) ? product() : join();
      default:
        return other();
    }
  }

  void unary() {
    const Value* x = find_float();
    if (!x) return bits();
    const Tensor t = x->tensor;
    const Value from = *x;
    switch (numbers_.integer(0, 15)) {
      case 10:
        return put("dropout", {dropout(t, 0.3) * 0.7}, {&from});
      case 11:
        return put("random", {t * rand(t.shape(), t.dtype())}, {&from});
      case 12:  // far from zero
        if (from.exact()) return put("far sine", {sin(t * 1e6) + cos(t * 1e6)}, {&from}, 1e7);
        break;
      case 13:
        return put("gelu", {gelu(t)}, {&from}, 2);
      case 14:
        if (t.rank() == 0 || t.numel() == 0) break;
        return put("layer_norm", {layer_norm(t, {}, {}, 1, 1)}, {&from}, 4, true);
      case 0:
        return put("neg", {-t}, {&from});
      case 1:
        return put("tanh", {tanh(t)}, {&from});
      case 2:
        return put("sigmoid", {sigmoid(t)}, {&from});
      case 3:
        return put("sin", {sin(t)}, {&from});
      case 4:
        return put("square", {square(t) * (1 / kBound)}, {&from}, 2);
      case 5:
        return put("softplus", {log1p(exp(t * 0.25))}, {&from});
      case 6:
        return put("erf", {erf(t)}, {&from}, 2);
      case 7:
        return put("rsqrt", {rsqrt(square(t) + 1)}, {&from});
      case 8:
        return put("stop", {stop_gradient(t) * 0.5}, {&from});
      case 9:
        return put("half", {0.5 * t + 1 - 0.25}, {&from});
      default:
        break;
    }
    // With jumps or kinks: only where nothing is uncertain.
    if (!x->exact()) return put("cos", {cos(t)}, {&from});
    switch (numbers_.integer(0, 4)) {
      case 0:
        return put("abs", {abs(t)}, {&from});
      case 1:
        return put("relu", {relu(t)}, {&from});
      case 2:
        return put("floor", {floor(t)}, {&from});
      case 3:
        return put("sign", {sign(t)}, {&from});
      default:
        return put("round", {round(t * 2) * 0.5}, {&from});
    }
  }

  void bits() {
    const Value* x = find([](const Value& v) { return !v.is_float(); });
    if (!x) return;
    const Value from = *x;
    const Tensor t = x->tensor;
    if (numbers_.integer(0, 1)) return put("not", {~t}, {});
    if (t.dtype() == kBool) return put("xor", {t ^ (numbers_.integer(0, 1) == 1)}, {});
    put("and", {t & 7}, {});
  }

  void binary() {
    const Value* x = find([](const Value& v) { return v.tensor.dtype() != kBool; });
    if (!x) return bits();
    const Value a = *x;
    Tensor other;
    const Value* y = find([&](const Value& v) {
      return v.is_float() == a.is_float() && v.tensor.dtype() != kBool &&
             (other = fitted(v.tensor, a.tensor.shape())).defined();
    });
    if (!y) return unary();
    const Value b = *y;
    const Tensor s = a.tensor, t = other;
    if (!a.is_float()) {
      switch (numbers_.integer(0, 4)) {
        case 0:
          return put("iadd", {s + t}, {});
        case 1:
          return put("imul", {s * t}, {});
        case 2:
          return put("idiv", {floor_divide(s, t)}, {});
        case 3:
          return put("ior", {s | t}, {});
        default:
          return put("iless", {s < t}, {});
      }
    }
    switch (numbers_.integer(0, 7)) {
      case 0:
        return put("add", {(s + t) * 0.5}, {&a, &b});
      case 1:
        return put("sub", {(t - s) * 0.5}, {&a, &b});
      case 2:
        return put("mul", {s * t * (1 / kBound)}, {&a, &b});
      case 3:
        return put("div", {s / (1 + square(t))}, {&a, &b}, 2 * kBound);
      case 4:
        return put("atan2", {atan2(s, 2 + square(t))}, {&a, &b}, 2 * kBound);
      default:
        break;
    }
    if (!a.exact() || !b.exact()) return put("add", {(s + t) * 0.5}, {&a, &b});
    switch (numbers_.integer(0, 3)) {
      case 0:
        return put("maximum", {maximum(s, t)}, {});
      case 1:
        return put("minimum", {minimum(s, 0.5)}, {});
      case 2:
        return put("where", {where(s < t, s * 0.5, t)}, {});
      default:
        return put("less", {s <= t}, {});
    }
  }

  void view() {
    const Value from = any();
    const Tensor t = from.tensor;
    const int rank = t.rank();
    const int axis = rank ? static_cast<int>(numbers_.integer(0, rank - 1)) : 0;
    switch (numbers_.integer(0, 7)) {
      case 0:
        return put("flatten", {reshape(t, {-1 * (t.numel() != 0)})}, {&from});
      case 1: {
        Axes order;
        for (int i = 0; i < rank; ++i) order.insert(order.begin() + numbers_.integer(0, i), i);
        return put("permute", {permute(t, order)}, {&from});
      }
      case 2: {
        if (rank == 0) return put("unsqueeze", {unsqueeze(t, 0)}, {&from});
        const std::vector<int64_t> steps{1, 1, 2, 3, -1, -2};
        const Slice range{numbers_.integer(-4, 3), numbers_.integer(-3, 6), numbers_.pick(steps)};
        return put("slice", {slice(t, axis, range)}, {&from});
      }
      case 3:
        return rank == 0 ? put("copy", {t}, {&from}) : put("flip", {flip(t, {axis})}, {&from});
      case 4: {
        Shape wide = t.shape();
        for (int64_t& size : wide) size = size == 1 ? numbers_.integer(1, 3) : size;
        if (rank < 4) wide.insert(0, numbers_.integer(1, 3));
        return put("expand", {expand(t, wide)}, {&from});
      }
      case 5: {
        if (rank == 0 || rank > 4 || t.size(axis) == 0 || t.numel() > 20000)
          return put("copy", {t}, {&from});
        const int64_t size = numbers_.integer(1, t.size(axis)), step = numbers_.integer(1, 3);
        return put("unfold", {unfold(t, axis, size, step)}, {&from});
      }
      case 6:
        return rank < 5 ? put("unsqueeze", {unsqueeze(t, axis)}, {&from})
                        : put("squeeze", {reshape(t, {t.numel()})}, {&from});
      default: {
        if (t.numel() > 2000) return put("copy", {t}, {&from});
        std::vector<std::pair<int64_t, int64_t>> pads;
        for (int i = 0; i < rank; ++i)
          pads.emplace_back(numbers_.integer(0, 2), numbers_.integer(0, 1));
        return put("pad", {pad(t, pads, 1)}, {&from});
      }
    }
  }

  void reduction() {
    const Value from = any();
    const Tensor t = from.tensor;
    Axes axes;
    for (int i = 0; i < t.rank(); ++i) {
      if (numbers_.integer(0, 1)) axes.push_back(numbers_.integer(0, 1) ? i : i - t.rank());
    }
    const bool keep = numbers_.integer(0, 1), extreme = numbers_.integer(0, 2) == 0;
    if (extreme && t.numel() > 0) {
      // Equal maxima share their gradient: not where they may be equal in one run only.
      if (from.exact()) return put("max", {max(t, axes, keep)}, {&from});
      return put("logsumexp", {logsumexp(t * 0.1, axes, keep) * 0.5}, {&from}, 1, true);
    }
    if (!from.is_float()) return put("isum", {sum(t, axes, keep)}, {});
    if (t.numel() == 0) return put("zero", {sum(t, axes, keep)}, {});
    if (numbers_.integer(0, 3) == 0)
      return put("var", {var(t, axes, keep, 0) * (1 / kBound)}, {&from}, 4, true);
    put("mean", {mean(t, axes, keep)}, {&from}, 1, true);
  }

  void product() {
    const Value* x = find([](const Value& v) {
      return v.is_float() && v.tensor.rank() >= 2 && v.tensor.size(-1) > 0;
    });
    if (!x) return unary();
    const Value a = *x;
    const int64_t k = a.tensor.size(-1);
    const Value* y = find([&](const Value& v) {
      return v.is_float() && v.tensor.rank() == 2 &&
             (v.tensor.size(0) == k || v.tensor.size(1) == k);
    });
    const Value b = y ? *y : a;
    Tensor right = b.tensor;
    if (!y) right = transpose(right);
    if (y && right.size(0) != k) right = transpose(right);
    if (a.tensor.numel() / k * right.size(-1) > 100000) return unary();
    const double scale = 1 / (kBound * static_cast<double>(k));
    if (b.tensor.rank() == 2 && b.tensor.size(1) == k)
      return put("linear", {linear(a.tensor, b.tensor) * scale}, {&a, &b}, 1, true);
    put("matmul", {matmul(a.tensor, right) * scale}, {&a, &b}, 1, true);
  }

  void join() {
    const Value from = any();
    const Tensor t = from.tensor;
    if (t.rank() == 0 || t.numel() > 20000) return view();
    const int axis = static_cast<int>(numbers_.integer(0, t.rank() - 1));
    switch (numbers_.integer(0, 2)) {
      case 0:
        return put("concat", {concat({t, flip(t, {axis}), t}, axis)}, {&from});
      case 1:
        return t.rank() < 5 ? put("stack", {stack({t, t}, axis)}, {&from}) : view();
      default: {
        const auto parts = split(t, 2, axis);
        return put("split", {parts[static_cast<size_t>(numbers_.integer(0, parts.size() - 1))]},
                   {&from});
      }
    }
  }

  void other() {
    const Value from = any();
    const Tensor t = from.tensor;
    if (t.rank() == 0 || t.numel() == 0) return unary();
    const int axis = static_cast<int>(numbers_.integer(0, t.rank() - 1));
    const int64_t size = t.size(axis);
    switch (numbers_.integer(0, 5)) {
      case 0: {
        const Tensor at = upload(random_host({3}, kI64, static_cast<double>(-size),
                                             static_cast<double>(size - 1), numbers_));
        return put("take", {take(t, at, axis)}, {&from});
      }
      case 1:
        if (!from.is_float()) return put("icumsum", {cumsum(t, axis)}, {});
        return put("cumsum", {cumsum(t, axis) * (1.0 / static_cast<double>(size))}, {&from}, 1,
                   true);
      case 2:
        if (!from.exact()) return put("tanh", {tanh(t)}, {&from});
        return put("sort", {sort(t, axis).first}, {&from});
      case 3:
        if (!from.is_float()) return bits();
        return put("softmax", {softmax(t, axis)}, {&from}, 2, true);
      case 4:
        if (differentiable_ || !from.exact()) return unary();
        return put("cast", {cast(t, random_dtype())}, {});
      default:
        if (!from.is_float()) return bits();
        return put("normal", {(t - mean(t, {axis}, true)) * 0.5}, {&from}, 2, true);
    }
  }

  Numbers numbers_;
  bool differentiable_;
  Interfere interfere_;
  std::vector<Value> pool_, kept_;
  std::vector<Tensor> leaves_;
  std::string text_;
};

struct Result {
  Host host;
  double error;
};
std::vector<Result> run(uint64_t seed, bool differentiable, Program::Interfere interfere,
                        std::string* text) {
  Program program(seed, differentiable, std::move(interfere));
  *text = program.text();
  std::vector<Result> out;
  for (const Value& v : program.results()) out.push_back({host(v.tensor), v.error});
  return out;
}

std::string compare(const std::vector<Result>& lazy, const std::vector<Result>& eager) {
  if (lazy.size() != eager.size()) return "unequal numbers of results";
  for (size_t i = 0; i < lazy.size(); ++i) {
    const Host &a = lazy[i].host, &b = eager[i].host;
    const double error = lazy[i].error;
    std::string fault;
    if (error == 0) {
      fault = bit_difference(a, b);
    } else if (a.shape != b.shape || a.dtype != b.dtype) {
      fault = "shape or dtype";
    } else {
      Real scale = 1;
      for (Real x : b.values) scale = std::max(scale, std::abs(x));
      for (int64_t k = 0; k < a.size() && fault.empty(); ++k) {
        if (!same_number(a[k], b[k]) && !(std::abs(a[k] - b[k]) <= error * scale))
          fault = "element " + std::to_string(k) + " is " + text_of(a[k]) + ", eagerly " +
                  text_of(b[k]) + ", with " + text_of(error) + " allowed";
      }
    }
    if (!fault.empty()) return "result " + std::to_string(i) + ": " + fault;
  }
  return "";
}

// Reads and holds this and that.
Program::Interfere meddler(uint64_t seed) {
  return [numbers = Numbers(seed),
          held = std::vector<Tensor>()](const std::vector<Value>& values) mutable {
    const Tensor& t = values[static_cast<size_t>(numbers.integer(0, values.size() - 1))].tensor;
    switch (numbers.integer(0, 9)) {
      case 0:
        host(t);
        break;
      case 1:
        if (t.numel() > 0) max(t).item();
        break;
      case 2:
        eval({t, values.back().tensor});
        break;
      case 3:
        held.push_back(t);
        break;
      case 4:
        if (!held.empty()) held.erase(held.begin());
        break;
      default:
        break;
    }
  };
}

void fuzz(bool differentiable) {
  const uint64_t first = static_cast<uint64_t>(setting("GLIA_FUZZ_SEED", 1));
  const int64_t graphs = setting("GLIA_FUZZ_GRAPHS", 300);
  std::printf("%ld graphs from seed %ld\n", static_cast<long>(graphs), static_cast<long>(first));
  const int threads = num_threads();
  for (uint64_t seed = first; seed < first + static_cast<uint64_t>(graphs); ++seed) {
    std::string text, step = "eager";
    try {
      set_eager(true);
      const auto eager = run(seed, differentiable, nullptr, &text);
      set_eager(false);
      step = "lazy";
      set_num_threads(1 + static_cast<int>(seed % 3));
      const auto lazy = run(seed, differentiable, nullptr, &text);
      EXPECT_EQ(compare(lazy, eager), "") << "seed " << seed << ": " << text;
      step = "read in between";
      const auto read = run(seed, differentiable, meddler(seed), &text);
      EXPECT_EQ(compare(read, eager), "") << "read in between, seed " << seed << ": " << text;
    } catch (const std::exception& error) {
      set_eager(false);
      ADD_FAILURE() << step << ", seed " << seed << ": " << error.what() << ": " << text;
    }
    set_num_threads(threads);
    if (testing::Test::HasFailure()) return;
  }
}

TEST(Fuzz, PlansComputeWhatSingleOperationsDo) { fuzz(false); }
TEST(Fuzz, GradientsToo) { fuzz(true); }

}  // namespace
}  // namespace glia::test
