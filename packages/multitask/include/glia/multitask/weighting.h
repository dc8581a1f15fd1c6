// What several losses become: the gradients of one step. Each is a part of a run: it has state.
//
//   multitask::MGDA weighting(model.tasks());
//   training::Trainer trainer(multitask::task(model, optimizer, weighting, forward), {.epochs =
//   5});
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "glia/multitask/balance.h"
#include "glia/multitask/models.h"
#include "glia/train.h"

namespace glia::multitask {

// ---- Weightings -------------------------------------------------------------------------------

class Weighting {
 public:
  virtual ~Weighting() = default;
  Weighting(const Weighting&) = delete;
  Weighting& operator=(const Weighting&) = delete;

  // One step: by the losses, each of one element, the gradients in the order of `parameters`, of
  // which those that are in `shared` too are combined. Throws ShapeError for another number of
  // losses.
  std::vector<Tensor> gradients(const std::vector<Tensor>& losses, const ParameterList& parameters,
                                const ParameterList& shared, Where where = Where::current());
  // After an epoch.
  void finish_epoch();
  // What each task counted in the last step: the factors of the shared gradients.
  virtual std::vector<double> weights() const { return weights_; }
  // What it learns by the optimizer, if anything: to be among the optimizer's parameters.
  virtual ParameterList parameters() const { return {}; }
  size_t tasks() const { return weights_.size(); }

  // Weights, and what else has to go on.
  StateDict state_dict() const;
  void load_state_dict(const StateDict& state);

 protected:
  explicit Weighting(size_t tasks);
  // Factors of the losses, if they are known without gradients: then one backward pass does.
  virtual bool by_losses() const { return true; }
  // The one loss of a step of that kind.
  virtual Tensor combined(const std::vector<Tensor>& losses) const;
  // Else: sets what each task counts by products of gradients, f64 (T, T), and the losses.
  virtual void balance(const Tensor& gram, const std::vector<double>& losses);
  // Factors of the losses for what is not shared.
  virtual std::vector<double> own_weights() const;
  // After an epoch, with the mean of each loss.
  virtual void end_epoch(const std::vector<double>&) {}
  virtual StateDict extra_state() const { return {}; }
  virtual void load_extra_state(const StateDict&) {}

  std::vector<double> weights_;

 private:
  optim::GradientMean losses_;  // of the running epoch
};

// All losses count 1.
class EqualWeighting : public Weighting {
 public:
  explicit EqualWeighting(size_t tasks) : Weighting(tasks) {}
};

// Each loss is divided by a variance that is learnt (Kendall et al. 2018): exp(-s) L + s / 2 with s
// the logarithm of the variance, as of cross-entropies; for squares, half of exp(-s) L.
class UncertaintyWeighting : public Weighting {
 public:
  explicit UncertaintyWeighting(size_t tasks, bool squares = false);
  std::vector<double> weights() const override;
  ParameterList parameters() const override;

 protected:
  Tensor combined(const std::vector<Tensor>& losses) const override;
  StateDict extra_state() const override;
  void load_extra_state(const StateDict& state) override;

 private:
  const double part_;
  Parameter log_variances_;
};

// dwa_weights() after each epoch; even ones in the first two.
class DWA : public Weighting {
 public:
  explicit DWA(size_t tasks, double temperature = 2);

 protected:
  void end_epoch(const std::vector<double>& losses) override;
  StateDict extra_state() const override;
  void load_extra_state(const StateDict& state) override;

 private:
  const double temperature_;
  std::vector<double> last_;
};

// gradnorm_weights() in each step; the losses of the first one are the measure of progress.
class GradNorm : public Weighting {
 public:
  explicit GradNorm(size_t tasks, const GradNormOptions& options = {});

 protected:
  bool by_losses() const override { return false; }
  void balance(const Tensor& gram, const std::vector<double>& losses) override;
  std::vector<double> own_weights() const override { return next_; }
  StateDict extra_state() const override;
  void load_extra_state(const StateDict& state) override;

 private:
  const GradNormOptions options_;
  std::vector<double> next_, first_;
};

// min_norm_weights(). What a task has for itself follows its own loss, as with those below.
class MGDA : public Weighting {
 public:
  explicit MGDA(size_t tasks, const MinNormOptions& options = {});

 protected:
  bool by_losses() const override { return false; }
  void balance(const Tensor& gram, const std::vector<double>& losses) override;

 private:
  const MinNormOptions options_;
};

// pcgrad_weights(). Orders are drawn by the seed and the number of the step.
class PCGrad : public Weighting {
 public:
  explicit PCGrad(size_t tasks, uint64_t random_state = 0);

 protected:
  bool by_losses() const override { return false; }
  void balance(const Tensor& gram, const std::vector<double>& losses) override;
  StateDict extra_state() const override;
  void load_extra_state(const StateDict& state) override;

 private:
  const uint64_t random_state_;
  int64_t steps_ = 0;
};

// cagrad_weights().
class CAGrad : public Weighting {
 public:
  explicit CAGrad(size_t tasks, const CAGradOptions& options = {});

 protected:
  bool by_losses() const override { return false; }
  void balance(const Tensor& gram, const std::vector<double>& losses) override;

 private:
  const CAGradOptions options_;
};

// "equal", "uncertainty", "dwa", "gradnorm", "mgda", "pcgrad" or "cagrad", with their defaults.
// Throws Error for another name.
std::unique_ptr<Weighting> make_weighting(const std::string& name, size_t tasks,
                                          uint64_t random_state = 0);

// ---- Training ---------------------------------------------------------------------------------

// What a model makes of one batch.
struct Outcomes {
  std::vector<Tensor> losses;  // the mean over the batch of each task, one element each
  // Sums over the batch, such as {"accuracy_left", how many are right}.
  training::Metrics sums = {};
};
using Forward = std::function<Outcomes(const data::Sample& batch)>;

// For a Trainer: steps of the optimizer, whose parameters are those of the model and of the
// weighting. Parts "model", "optimizer" and "weighting", which must outlive it; metrics "loss_NAME"
// of each task, and after each epoch "weight_NAME". Throws ValueError for another number of names.
training::Task task(Model& model, optim::Optimizer& optimizer, Weighting& weighting,
                    Forward forward, std::vector<std::string> names);

}  // namespace glia::multitask
