// What a transform is behind its handle.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "glia/math/composed.h"
#include "math/distributions/law.h"

namespace glia::distributions {

struct Map {
  std::string name;
  int domain = 0, codomain = 0;  // last axes taken together
  // Of elementwise ones: whether it falls everywhere; undefined where it depends on a parameter,
  // which `slope` then has.
  Tensor slope;

  explicit Map(std::string name, int domain = 0, int codomain = 0)
      : name(std::move(name)), domain(domain), codomain(codomain) {}
  virtual ~Map() = default;
  virtual Tensor forward(const Tensor& x) const = 0;
  virtual Tensor backward(const Tensor& y) const = 0;
  virtual Tensor log_slope(const Tensor& x, const Tensor& y) const = 0;
  // The shape of y for an event of x.
  virtual Shape event_after(const Shape& event) const { return event; }
  virtual Shape event_before(const Shape& event) const { return event; }
  // Whether it is the same function, as far as numbers tell.
  virtual bool equals(const Map& other) const { return name == other.name; }
};

// For divergences: what a TransformedDistribution is made of.
struct TransformedLaw : Law {
  TransformedLaw(const Distribution& base, const std::vector<Transform>& transforms,
                 const char* name, const Where& where);
  Distribution base;
  std::vector<Transform> transforms;

  Tensor log_density(const Tensor& x) const override;
  Tensor smooth_sample(const Shape& shape) const override;
  Tensor rough_sample(const Shape& shape) const override;
  Tensor below(const Tensor& x) const override;
  Tensor at_probability(const Tensor& p) const override;

 private:
  bool elementwise() const;
  Tensor falls() const;
  Tensor applied(Tensor x) const;
  Shape base_sample(const Shape& drawn) const;
};

struct IndependentLaw : Law {
  IndependentLaw(const Distribution& base, int count, const Where& where);
  Distribution base;
  int count;

  Tensor log_density(const Tensor& x) const override;
  Tensor smooth_sample(const Shape& shape) const override;
  Tensor rough_sample(const Shape& shape) const override;
  Tensor information() const override;
  Tensor average() const override { return base.law().average(); }
  Tensor spread() const override { return base.law().spread(); }
  Tensor peak() const override { return base.law().peak(); }
};

// Whether both apply the same functions.
bool same(const std::vector<Transform>& a, const std::vector<Transform>& b);

}  // namespace glia::distributions
