// What boosting goes down: losses of raw predictions, with their gradients.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace glia::classic {

enum class BoostLoss {
  kSquaredError,
  kAbsoluteError,
  kHuber,        // squared within delta, else linear
  kQuantile,     // pinball
  kPoisson,      // half the deviance, of exp(raw)
  kGamma,        // likewise
  kBinomial,     // of two classes, raw is the log of odds
  kMultinomial,  // a raw prediction of each class
  kExponential,  // of two classes: AdaBoost's
};

class Loss {
 public:
  // `outputs` are the raw predictions of a sample: the classes of kMultinomial, else 1.
  explicit Loss(BoostLoss kind, int64_t outputs = 1, double quantile = 0.5)
      : kind_(kind), outputs_(outputs), quantile_(quantile) {}

  int64_t outputs() const { return outputs_; }
  double quantile() const { return quantile_; }
  // Second derivatives are 1 without weights.
  bool constant_hessian() const {
    return kind_ == BoostLoss::kSquaredError || kind_ == BoostLoss::kAbsoluteError ||
           kind_ == BoostLoss::kQuantile;
  }
  // Whether leaves say what a second-order step does; else a median or quantile of what is left.
  bool differentiable() const {
    return kind_ != BoostLoss::kAbsoluteError && kind_ != BoostLoss::kQuantile &&
           kind_ != BoostLoss::kHuber;
  }
  double delta = 1;  // of kHuber

  // raw and results are (outputs, samples). No weights: 1 each. Either result may be null.
  void derivatives(std::span<const double> y, std::span<const double> raw,
                   std::span<const double> weight, float* gradient, float* hessian) const;
  void gradients(std::span<const double> y, std::span<const double> raw, double* out) const;
  // The best constant raw predictions (outputs).
  std::vector<double> constant(std::span<const double> y, std::span<const double> weight) const;
  // The weighted mean.
  double mean(std::span<const double> y, std::span<const double> raw,
              std::span<const double> weight) const;

 private:
  struct Step {
    double gradient, hessian;
  };
  Step step(double y, double raw) const;
  template <class Take>
  void for_each_step(std::span<const double> y, std::span<const double> raw, Take&& take) const;
  double value(double y, double raw) const;

  BoostLoss kind_;
  int64_t outputs_;
  double quantile_;
};

// NumPy's sum, pair by pair, so that it rounds as there.
double pairwise_sum(std::span<const double> values);
// The median, or another quantile: NumPy's linear one without weights, else the first value at
// which the share is reached.
double quantile_of(std::vector<double> values, std::span<const double> weight, double q);

}  // namespace glia::classic
