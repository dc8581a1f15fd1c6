// Learning from few labels and many samples: labels spread along similar samples.
#pragma once

#include <cstdint>

#include "glia/classic/estimator.h"

namespace glia::classic {

enum class LabelKernel { kRbf, kKnn };
struct LabelSpreadingOptions {
  LabelKernel kernel = LabelKernel::kRbf;
  double gamma = 20;        // of kRbf: exp(-gamma |x - x'|^2)
  int64_t n_neighbors = 7;  // of kKnn
  double alpha = 0.2;       // how much a labelled sample takes from its neighbours
  int64_t max_iter = 30;
  double tol = 1e-3;
};

// y is -1 where no label is known. By the normalised Laplacian of the samples' graph (Zhou et al.
// 2004). Memory grows with the square of the samples.
class LabelSpreading : public Classifier {
 public:
  explicit LabelSpreading(const LabelSpreadingOptions& options = {},
                          Where where = Where::current());

  std::string_view name() const override { return "LabelSpreading"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<LabelSpreading>(*this);
  }
  std::vector<Param> params() override;
  LabelSpreading& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                      Where where = Where::current()) override;
  Tensor predict_proba(const Tensor& x, Where where = Where::current()) const override;

  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;
  const LabelSpreadingOptions& options() const { return options_; }

  Tensor fit_x;                // (samples, features) f64
  Tensor label_distributions;  // (samples, classes) f64
  Tensor transduction;         // (samples) i64: the label of each sample that was fitted
  int64_t n_iter = 0;

 protected:
  // Labels that are known stay as they are, and neighbours' shares add up to 1: see below.
  LabelSpreading(const LabelSpreadingOptions& options, bool clamped, Where where);

 private:
  void check_options(Where where) const;

  LabelSpreadingOptions options_;
  bool clamped_ = false;
};

struct LabelPropagationOptions {
  LabelKernel kernel = LabelKernel::kRbf;
  double gamma = 20;
  int64_t n_neighbors = 7;
  int64_t max_iter = 1000;
  double tol = 1e-3;
};
// Labels that are known stay as they are (Zhu & Ghahramani 2002).
class LabelPropagation : public LabelSpreading {
 public:
  explicit LabelPropagation(const LabelPropagationOptions& options = {},
                            Where where = Where::current());

  std::string_view name() const override { return "LabelPropagation"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<LabelPropagation>(*this);
  }
  std::vector<Param> params() override;
};

}  // namespace glia::classic
