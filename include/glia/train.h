// The training loop: epochs, metrics, callbacks, and checkpoints from which a run goes on to the
// same bits as one that was never interrupted.
//
//   training::Trainer trainer(
//       training::supervised(net, optimizer, [&](const data::Sample& batch) -> training::Outcome {
//         return {cross_entropy(net(batch[0]), batch[1])};
//       }),
//       {.epochs = 3});
//   trainer.fit(training_data, &test_data);
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "glia/data.h"
#include "glia/nn.h"
#include "glia/optim.h"

namespace glia::training {

using Values = std::vector<std::pair<std::string, double>>;  // numbers by name
// The number of that name; throws Error if there is none.
double value_of(const Values& values, const std::string& name);

// ---- What a step measures ---------------------------------------------------------------------

// A number, or a tensor of one element that may not have been computed yet.
class Amount {
 public:
  Amount() = default;  // unset
  Amount(const Tensor& tensor) : tensor_(tensor), is_set_(true) {}
  template <class T, class = std::enable_if_t<std::is_arithmetic_v<T>>>
  Amount(T number) : number_(static_cast<double>(number)), is_set_(true) {}
  bool is_set() const { return is_set_; }
  const Tensor& tensor() const { return tensor_; }  // undefined: it is a number
  double number() const { return number_; }

 private:
  Tensor tensor_;
  double number_ = 0;
  bool is_set_ = false;
};

// A sum, and how many things it is a sum over: samples, tokens, graphs, episodes. What is shown is
// the sum of all sums by that of all counts. If nothing was counted (no episode has ended) the
// value is missing: NaN in an epoch's values, an empty cell in a table, a gap in a curve. Other
// sums than 0 over nothing are an error.
struct Metric {
  std::string name;
  Amount sum;
  Amount count = {};  // unset: 1
};
using Metrics = std::vector<Metric>;

// Means over many steps. Adding computes nothing: the sums are variables, computed along with what
// the step sets.
class Means {
 public:
  // What one metric has come to.
  struct Total {
    std::string name;
    double sum = 0, count = 0;
  };

  // Throws Error unless the metrics have the names of those before, each once.
  void add(const Metrics& metrics);
  std::vector<Total> totals() const;  // empty before the first step
  Values values() const;              // without those of which nothing has been counted

 private:
  friend class Trainer;
  struct Running {
    double known = 0;  // sum of what was given as numbers
    Buffer computed;   // and as tensors, f64; undefined if there were none
    void add(const Amount& amount);
    double of_tensors() const;
  };
  struct Entry {
    std::string name;
    Running sum, count;
  };
  std::vector<Entry> entries_;
};

// ---- What is trained --------------------------------------------------------------------------

// Something that a run changes, by name: a model, an optimizer, an average of weights, a replay
// buffer, an environment, a pipeline that steps read. It must outlive the trainer.
class Part {
 public:
  // Anything with state_dict() and load_state_dict().
  template <class T, class = decltype(std::declval<T&>().load_state_dict(
                         std::declval<const T&>().state_dict()))>
  Part(std::string name, T& object)
      : Part(
            std::move(name), [&object] { return object.state_dict(); },
            [&object](const StateDict& state) { object.load_state_dict(state); }) {
    if constexpr (std::derived_from<T, nn::Module>) module_ = &object;
    if constexpr (std::derived_from<T, optim::Optimizer>) optimizer_ = &object;
  }
  Part(std::string name, data::Pipeline& pipeline);
  // load() throws, and changes nothing, where the state does not fit.
  Part(std::string name, std::function<StateDict()> state,
       std::function<void(const StateDict&)> load)
      : name_(std::move(name)), state_(std::move(state)), load_(std::move(load)) {}

  const std::string& name() const { return name_; }
  StateDict state_dict() const { return state_(); }
  void load_state_dict(const StateDict& state) const { load_(state); }
  nn::Module* module() const { return module_; }              // or nullptr
  optim::Optimizer* optimizer() const { return optimizer_; }  // or nullptr

 private:
  std::string name_;
  std::function<StateDict()> state_;
  std::function<void(const StateDict&)> load_;
  nn::Module* module_ = nullptr;
  optim::Optimizer* optimizer_ = nullptr;
};

// What a run does. All that decides how it goes on is a part.
struct Task {
  std::vector<Part> parts;
  // One step: gradients, updates, whatever it takes. Without data the batch is empty. What
  // optimizers do in it is computed when it returns, together with the metrics, in one plan.
  std::function<Metrics(const data::Sample& batch)> step;
  // What is measured of a batch of test data; shown as "test_NAME".
  std::function<Metrics(const data::Sample& batch)> measure = {};
  // What else is found out after each epoch, such as BLEU or a mean reward; shown under its name.
  std::function<Values()> evaluate = {};
};

// What a model makes of one batch.
struct Outcome {
  Tensor loss;  // the mean over the batch, one element
  // Sums over the batch, such as {"accuracy", how many are right}.
  Metrics sums = {};
  // What the loss is a mean of, and sums without a count of their own are over: by default the
  // batch's samples, the size of its first tensor.
  Amount count = {};
};
using Forward = std::function<Outcome(const data::Sample& batch)>;

struct SupervisedOptions {
  double clip_norm = 0;    // the most that the gradients' common norm may be; 0: any
  int64_t accumulate = 1;  // batches whose gradients make one step of the optimizer: their mean
};
// The ordinary task: one model, one optimizer and a loss of each batch. Parts "model" and
// "optimizer", which must outlive it, and "gradients" if they are accumulated; metrics "loss" and
// what the outcome has. An optimizer that needs_loss() calls `forward` as often as it likes. Throws
// ValueError for options out of range.
Task supervised(nn::Module& model, optim::Optimizer& optimizer, Forward forward,
                const SupervisedOptions& options = {});
// The same by gradients of the scaled loss, for f16: what is clipped is unscaled, and a step whose
// gradients are not finite is left out. One part more, "scaler", which must outlive it too.
Task supervised(nn::Module& model, optim::Optimizer& optimizer, optim::GradScaler& scaler,
                Forward forward, const SupervisedOptions& options = {});

// ---- The loop ---------------------------------------------------------------------------------

// One epoch that has been finished.
struct Epoch {
  int64_t epoch = 0;   // from 1
  int64_t step = 0;    // steps since the start
  double seconds = 0;  // of training since the start
  // "lr", or "PART_lr" for each of several optimizers; "train_loss", ...; "test_loss", ...; what
  // evaluate() found. NaN: missing.
  Values values;
};

class Trainer;
// Functions called as a run goes on; any may be empty.
struct Callback {
  using Hook = std::function<void(Trainer&)>;
  Hook on_begin = {};
  Hook on_step = {};
  Hook on_epoch = {};  // the epoch is the last of history()
  Hook on_end = {};    // also after stop(); not after an exception
  // What it must remember to go on, kept in checkpoints under its name.
  std::string name = {};
  std::function<StateDict()> state = {};
  std::function<void(const StateDict&)> load_state = {};  // before on_begin
};

struct Options {
  int64_t epochs = 1;     // passes over the data
  int64_t steps = 0;      // if not 0: the run ends after so many steps instead, and
  int64_t interval = 0;   // an epoch is so many of them, whatever the data; 0: all
  std::string note = {};  // kept in checkpoints, for the caller: see read_note()
};

class Trainer {
 public:
  // Throws ValueError for a task without a step, parts without a name, of one name or of one with
  // a dot in it, and options out of range.
  Trainer(Task task, Options options);

  void add(Callback callback) { callbacks_.push_back(std::move(callback)); }

  // Trains until the last epoch or stop(). After each epoch `test`, if given, is measured, and the
  // task evaluates. Throws ValueError when a mean of an epoch is not finite or there are no
  // samples, and IoError when a run that was loaded has gone on other data (see
  // data::Source::fingerprint).
  void fit(data::Pipeline& training, data::Pipeline* test = nullptr) { run(&training, test); }
  // The same without training data, for Options::steps.
  void fit(data::Pipeline* test = nullptr) { run(nullptr, test); }
  // Means of what the task measures over one pass, in evaluation mode and without gradients.
  Values evaluate(data::Pipeline& samples);

  // Ends fit() after the step or epoch that is running.
  void stop() { stopped_ = true; }
  bool stopped() const { return stopped_; }
  bool finished() const { return epoch_ >= epochs(); }

  // Everything that decides how the run goes on, as one safetensors file that replaces an older
  // one when it is whole: what each part's state_dict() has as "PART.NAME", the sums of the running
  // epoch as "metrics.NAME", what callbacks remember as "callbacks.NAME"; and as metadata the
  // position in the data and their fingerprint, the random stream, the history, the note.
  void save(const std::string& path) const;
  // For a trainer of the same parts and options. Throws IoError naming the file; then no part has
  // changed.
  void load(const std::string& path);

  const Task& task() const { return task_; }
  const std::vector<Part>& parts() const { return task_.parts; }
  const Options& options() const { return options_; }
  int64_t epochs() const;                        // of the whole run
  int64_t epoch() const { return epoch_; }       // the running one, from 0
  int64_t batch() const { return batch_; }       // of the running epoch: how many steps are done
  int64_t batches() const;                       // in the epoch, within fit(); 0 if unsized
  int64_t step() const { return step_; }         // steps done since the start
  double seconds() const;                        // of training, over all resumptions
  const Means& means() const { return means_; }  // of the running epoch
  const std::vector<Epoch>& history() const { return history_; }

 private:
  // What a checkpoint knows of training and test data; none: no batches.
  struct Origin {
    int64_t batches = 0;
    uint64_t fingerprint = 0;
  };

  void run(data::Pipeline* training, data::Pipeline* test);
  void begin(data::Pipeline* training, data::Pipeline* test);
  StateDict callback_states() const;
  void take_step(const data::Sample& batch);
  void finish_epoch(data::Pipeline* test);
  void call(Callback::Hook Callback::*hook);

  const Task task_;
  const Options options_;
  std::vector<Callback> callbacks_;
  data::State at_;  // in the training data
  int64_t epoch_ = 0, batch_ = 0, step_ = 0;
  Means means_;
  std::vector<Epoch> history_;
  Origin training_, test_;
  std::string loaded_;                 // the checkpoint, until fit() begins
  StateDict loaded_states_;            // of callbacks, until then
  double seconds_ = 0, started_ = -1;  // before fit(), and its clock when it started
  bool stopped_ = false;
};

// The note of a checkpoint's options. Throws IoError naming the file.
std::string read_note(const std::string& checkpoint);

// ---- Callbacks --------------------------------------------------------------------------------

// On standard output: a bar that moves on a terminal, otherwise a line now and then; `unit` is
// what the first metric counts. Empty: the speed shown is that of steps.
Callback progress(const std::string& unit = "samples");
// A table with a row for each epoch, written anew after each.
Callback csv(const std::string& path);
// TensorBoard's scalars: each epoch's values, and the metrics every 50 steps.
Callback tensorboard(const std::string& folder);
// save()s at the start, after each epoch, every `steps` steps if positive, and at the end.
Callback checkpoints(const std::string& path, int64_t steps = 0);
enum class Better { kLower, kHigher };
// save()s after each epoch whose named value is the best so far.
Callback best_checkpoint(const std::string& path, const std::string& name,
                         Better better = Better::kLower);
// Stops when the named value has not become better for `patience` epochs.
struct EarlyStoppingOptions {
  double min_delta = 0;  // only what is better than the best by more than this counts as better
  // The run ends with all models as they were in the best epoch; a checkpoint holds them.
  bool restore_best = false;
};
Callback early_stopping(const std::string& name, int patience, Better better = Better::kLower,
                        const EarlyStoppingOptions& options = {});

// Lowers the optimizer's rate when the named value of the epochs gets no better (see
// optim::ReduceLROnPlateau): a run that goes on does what the whole one does. Throws ValueError as
// that does.
Callback reduce_lr_on_plateau(optim::Optimizer& optimizer, const std::string& name,
                              const optim::ReduceLROnPlateauOptions& options = {});

// ---- Which learning rate ----------------------------------------------------------------------

struct LrRangeOptions {
  double start_lr = 1e-7, end_lr = 10;  // of the first step, and behind the last
  int64_t num_it = 100;                 // steps
  bool stop_div = true;                 // ends when the loss is above four times the best
};
struct LrRange {
  std::vector<double> lrs, losses;  // of each step; losses are smoothed (0.98 of the one before)
  double suggestion = 0;            // in the middle of the longest valley of losses
};
// The range test of Smith 2017, as fast.ai's lr_find: trains for some steps at rates that rise
// exponentially, of all optimizers among the parts and without their schedules, and gives
// everything back as it was: parts, the random stream, the data's position. The loss is the first
// metric of a step; the suggestion leaves out the first tenth of the steps and the last five.
// Throws ValueError for options out of range, for a task without an optimizer, and where the loss
// diverges before there are steps enough.
LrRange lr_range_test(const Task& task, data::Pipeline& training,
                      const LrRangeOptions& options = {});
// The same for a task that needs no data.
LrRange lr_range_test(const Task& task, const LrRangeOptions& options = {});

}  // namespace glia::training
