// What a distribution is behind its handle, and what families share.
#pragma once

#include <functional>
#include <initializer_list>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "glia/math/distribution.h"
#include "glia/op.h"
#include "glia/ops/activation.h"
#include "glia/ops/arrange.h"
#include "glia/ops/reduce.h"
#include "glia/ops/select.h"
#include "glia/ops/special.h"
#include "glia/random.h"

namespace glia::distributions {

inline constexpr double kPi = 3.14159265358979323846,
                        kInf = std::numeric_limits<double>::infinity();
inline constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
inline constexpr double kEuler = 0.57721566490153286061;
inline constexpr double kHalfLog2Pi = 0.91893853320467274178;

// What a parameter may be.
enum class Range {
  kReal,
  kPositive,
  kNotNegative,
  kUnit,      // [0, 1]
  kOpenUnit,  // (0, 1)
  kNaturals,
  kAny,  // checked by its family
};
struct Given {
  const char* name;
  const Operand* value;
  Range range = Range::kReal;
  int event = 0;  // how many axes behind the batch it has
};

struct Law {
  std::string name;
  Shape batch, event;
  DType dtype = kF32;
  Support support = Support::kReal;
  bool discrete = false, smooth = true;  // smooth: it has smooth_sample()
  std::vector<std::pair<std::string, Tensor>> parameters;
  std::vector<Range> ranges;

  // Parameters in one dtype: that of the tensors among them, else f32. The batch is what they
  // broadcast to. Throws ShapeError, and ValueError for host numbers out of range.
  Law(const char* name, Support support, const std::vector<Given>& given);
  virtual ~Law() = default;

  const Tensor& operator[](size_t i) const { return parameters[i].second; }
  const Tensor& at(const std::string& parameter) const;
  // Throws ValueError for a parameter out of range.
  virtual void check(const Where& where) const;

  // What the functions of Distribution give, up to broadcasting; undefined where there is none.
  virtual Tensor log_density(const Tensor&) const { return {}; }
  virtual Tensor smooth_sample(const Shape&) const { return {}; }
  virtual Tensor rough_sample(const Shape& shape) const { return smooth_sample(shape); }
  virtual Tensor below(const Tensor&) const { return {}; }
  virtual Tensor at_probability(const Tensor&) const { return {}; }
  virtual Tensor information() const { return {}; }
  virtual Tensor average() const { return {}; }
  virtual Tensor spread() const { return {}; }
  virtual Tensor peak() const { return {}; }

  // sample + batch + event.
  Shape drawn(const Shape& sample) const;
  // A number in the batch's shape.
  Tensor constant(double value) const { return full(batch, value, dtype); }

 protected:
  void add(const char* parameter, const Tensor& value, Range range) {
    parameters.emplace_back(parameter, value);
    ranges.push_back(range);
  }
};

// The handle of a law that has just been made.
template <class L, class... A>
std::shared_ptr<const Law> make(A&&... arguments) {
  return std::make_shared<const L>(std::forward<A>(arguments)...);
}
// The law of that family, or null.
template <class L>
const L* as(const Distribution& d) {
  return dynamic_cast<const L*>(&d.law());
}

// ---- Shapes -----------------------------------------------------------------------------------

Shape joined(const Shape& front, const Shape& back);
// Without the last `count` axes.
Shape front_of(const Shape& shape, int count);
// x with `count` axes of size 1 behind.
Tensor behind(const Tensor& x, int count);
// Sums over the last `count` axes.
Tensor sum_last(const Tensor& x, int count);

// ---- Values -----------------------------------------------------------------------------------

// f(x) unless `outside`, where it is `otherwise` and sees `inside`.
Tensor unless(const Tensor& outside, const Tensor& x, const std::function<Tensor(const Tensor&)>& f,
              const Operand& otherwise = -kInf, double inside = 1);
// Whether x is no whole number from 0 on; not of NaN.
Tensor no_natural(const Tensor& x);
// a b, and 0 where a is 0.
Tensor times(const Tensor& a, const Tensor& b);
// Of the standard normal density.
inline Tensor log_normal_density(const Tensor& x) { return square(x) * -0.5 - kHalfLog2Pi; }
// log(1 + x^2), where the square may overflow.
Tensor log1p_square(const Tensor& x);
// log of the multivariate gamma function of order p.
Tensor mvlgamma(const Tensor& a, int64_t p);
// -x log x of a probability given with its logarithm.
inline Tensor surprise(const Tensor& p, const Tensor& log_p) { return -times(p, log_p); }

// ---- Samples ----------------------------------------------------------------------------------

// Uniform in (0, 1), f64: neither end.
Tensor open_uniform(const Shape& shape);
// The logarithm of standard gamma variables of these shapes, (...) expanded to `shape`; its
// gradient is implicit (Figurnov et al. 2018). Their own logarithm does not underflow.
Tensor log_gamma_sample(const Tensor& concentration, const Shape& shape);
// Without gradients.
Tensor poisson_sample(const Tensor& rate, const Shape& shape);
Tensor binomial_sample(const Tensor& count, const Tensor& p, const Shape& shape);
Tensor von_mises_sample(const Tensor& concentration, const Shape& shape);  // around 0

// The smallest whole number from `first` on whose `below` is at least p, found by halving.
Tensor search_natural(const std::function<Tensor(const Tensor&)>& below, const Tensor& p,
                      double first);
// The entropy of a discrete law on 0, 1, ... `last` (in the batch's shape or fewer axes).
Tensor summed_entropy(const Law& law, double last);

}  // namespace glia::distributions
