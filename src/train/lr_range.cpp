// The learning-rate range test.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "glia/random.h"
#include "glia/train.h"

namespace glia::training {
namespace {

bool has_rate(const Part& part) { return part.optimizer() && part.optimizer()->has_option("lr"); }

// Whatever a test changes, given back when it ends.
class Before {
 public:
  Before(const Task& task, data::Pipeline* training) : task_(task), training_(training) {
    for (const Part& part : task.parts) {
      states_.push_back(part.state_dict());
      for (const auto& [name, value] : states_.back()) eval(value);
      if (part.module()) modes_.push_back(part.module()->is_training());
      if (!has_rate(part)) continue;
      for (size_t g = 0; g < part.optimizer()->group_count(); ++g)
        schedules_.push_back(part.optimizer()->schedule("lr", g));
    }
    if (training) at_ = training->state();
  }
  Before(const Before&) = delete;
  Before& operator=(const Before&) = delete;

  void restore() {
    auto mode = modes_.begin();
    auto schedule = schedules_.begin();
    for (size_t i = 0; i < states_.size(); ++i) {
      const Part& part = task_.parts[i];
      if (has_rate(part))
        for (size_t g = 0; g < part.optimizer()->group_count(); ++g)
          part.optimizer()->set_schedule(*schedule++, g);
      if (part.module()) part.module()->train(*mode++);
      part.load_state_dict(states_[i]);
    }
    if (training_) training_->set_state(at_);
    set_random_state(random_);
  }

 private:
  const Task& task_;
  data::Pipeline* const training_;
  std::vector<StateDict> states_;
  std::vector<char> modes_;  // of modules: whether they were in training
  std::vector<optim::Schedule> schedules_;
  data::State at_;
  const RandomState random_ = random_state();
};

double number_of(const Amount& amount) {
  return amount.tensor().defined() ? amount.tensor().item() : amount.number();
}

double loss_of(const Metrics& metrics) {
  if (metrics.empty()) throw ValueError("lr_range_test: the step has no metric");
  const Metric& first = metrics[0];
  return number_of(first.sum) / (first.count.is_set() ? number_of(first.count) : 1);
}

// The next batch, going through the data again and again.
class Batches {
 public:
  explicit Batches(data::Pipeline* training) : training_(training) {
    if (training && training->size() == 0)
      throw ValueError("lr_range_test: the training data hold nothing");
  }
  data::Sample next() {
    data::Sample batch;
    if (!training_) return batch;
    for (int64_t epoch = at_.epoch;; ++epoch) {
      if (!pass_) {
        training_->set_state({epoch, 0});
        pass_.emplace(*training_);
      }
      if (pass_->next(batch)) return batch;
      pass_.reset();
      at_.epoch = epoch + 1;
    }
  }

 private:
  data::Pipeline* const training_;
  data::State at_;
  std::optional<data::Pipeline::Pass> pass_;
};

// The index in the middle of the longest falling subsequence, as fast.ai's `valley` finds it.
int64_t valley(const std::vector<double>& losses) {
  const auto count = static_cast<int64_t>(losses.size());
  std::vector<int64_t> lengths(losses.size(), 1);
  int64_t start = 0, end = 0;
  for (int64_t i = 1; i < count; ++i) {
    for (int64_t j = 0; j < i; ++j)
      if (losses[i] < losses[j]) lengths[i] = std::max(lengths[i], lengths[j] + 1);
    if (lengths[i] > lengths[end]) {
      end = i;
      start = end - lengths[end];
    }
  }
  const double third = static_cast<double>(end - start) / 3;
  return std::max<int64_t>(start + static_cast<int64_t>(third) + static_cast<int64_t>(third / 2),
                           0);
}

double suggestion(const LrRange& range, int64_t num_it) {
  constexpr int64_t kLeftOut = 5, kFewest = 10;
  const int64_t first = num_it / 10, count = static_cast<int64_t>(range.losses.size());
  if (count < std::max(kFewest, first + kLeftOut + 2))
    throw ValueError(fmt::format(
        "lr_range_test: the loss went out of range after {} steps: begin with a lower rate",
        count));
  return range.lrs[first + valley({range.losses.begin() + first, range.losses.end() - kLeftOut})];
}

LrRange test(const Task& task, data::Pipeline* training, const LrRangeOptions& o) {
  constexpr double kSmoothing = 0.98, kDiverged = 4;
  constexpr int64_t kFewest = 20;
  if (!(o.start_lr > 0 && o.start_lr < o.end_lr && std::isfinite(o.end_lr)) || o.num_it < kFewest)
    throw ValueError(fmt::format("lr_range_test: start_lr {}, end_lr {}, num_it {}", o.start_lr,
                                 o.end_lr, o.num_it));
  if (!task.step) throw ValueError("lr_range_test: the task has no step");
  std::vector<optim::Optimizer*> optimizers;
  for (const Part& part : task.parts)
    if (has_rate(part)) optimizers.push_back(part.optimizer());
  if (optimizers.empty()) throw ValueError("lr_range_test: the task has no optimizer");

  Before before(task, training);
  LrRange out;
  try {
    Batches batches(training);
    for (optim::Optimizer* optimizer : optimizers) optimizer->set_schedule({});
    for (const Part& part : task.parts)
      if (part.module()) part.module()->train();
    double mean = 0, best = INFINITY, weight = 1;
    for (int64_t i = 0; i < o.num_it; ++i) {
      const double part = static_cast<double>(i) / static_cast<double>(o.num_it);
      const double lr = o.start_lr * std::pow(o.end_lr / o.start_lr, part);
      for (optim::Optimizer* optimizer : optimizers) optimizer->set_lr(lr);
      optim::DeferredSteps together;
      const Metrics metrics = task.step(batches.next());
      together.finish();
      mean += (loss_of(metrics) - mean) * (1 - kSmoothing);
      weight *= kSmoothing;
      const double smooth = mean / (1 - weight);
      if (!std::isfinite(smooth)) break;
      out.lrs.push_back(lr);
      out.losses.push_back(smooth);
      best = std::min(best, smooth);
      if (o.stop_div && smooth > kDiverged * best) break;
    }
  } catch (...) {
    before.restore();
    throw;
  }
  before.restore();
  out.suggestion = suggestion(out, o.num_it);
  return out;
}

}  // namespace

LrRange lr_range_test(const Task& task, data::Pipeline& training, const LrRangeOptions& options) {
  return test(task, &training, options);
}

LrRange lr_range_test(const Task& task, const LrRangeOptions& options) {
  return test(task, nullptr, options);
}

}  // namespace glia::training
