// The training loop: epochs, metrics, callbacks, and checkpoints from which a run goes on to the
// same bits as one that was never interrupted.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "glia/data.h"
#include "glia/nn.h"
#include "glia/optim.h"

namespace glia::training {

using Values = std::vector<std::pair<std::string, double>>;  // numbers by name
// The number of that name; throws Error if there is none.
double value_of(const Values& values, const std::string& name);

// What a model makes of one batch.
struct Outcome {
  Tensor loss;  // the mean over the batch, one element
  // Sums over the batch, such as {"accuracy", how many are right}; reported per sample.
  std::vector<std::pair<std::string, Tensor>> sums = {};
};
using Forward = std::function<Outcome(const data::Sample& batch)>;

// Means of outcomes over many batches. Adding computes nothing: the sums are variables, computed
// along with the optimizer's step.
class Means {
 public:
  void add(const Outcome& outcome, int64_t samples);
  int64_t samples() const { return samples_; }
  Values values() const;  // "loss" first; empty before the first batch

 private:
  friend class Trainer;
  std::vector<std::pair<std::string, Buffer>> sums_;
  int64_t samples_ = 0;
};

// One epoch that has been finished.
struct Epoch {
  int64_t epoch = 0;   // from 1
  int64_t step = 0;    // optimizer steps since the start
  double seconds = 0;  // of training since the start
  Values values;       // "lr", "train_loss", ..., "test_loss", ...
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
  int64_t epochs = 1;
  optim::Schedule schedule = {};  // the learning rate of each step; empty: the optimizer's own
  std::string note = {};          // kept in checkpoints, for the caller: see read_note()
};

class Trainer {
 public:
  // Model and optimizer must outlive the trainer.
  Trainer(nn::Module& model, optim::Optimizer& optimizer, Forward forward, Options options);

  void add(Callback callback) { callbacks_.push_back(std::move(callback)); }

  // Trains until the last epoch or stop(), and evaluates `test`, if given, after each epoch.
  // Throws ValueError when the loss of an epoch is not finite or there are no samples, and IoError
  // when a run that was loaded has gone on other data (see data::Source::fingerprint).
  void fit(data::Pipeline& training, data::Pipeline* test = nullptr);
  // Means over one pass, in evaluation mode and without gradients.
  Values evaluate(data::Pipeline& samples);

  // Ends fit() after the step or epoch that is running.
  void stop() { stopped_ = true; }
  bool stopped() const { return stopped_; }
  bool finished() const { return at_.epoch >= options_.epochs; }

  // Everything that decides how the run goes on, as one safetensors file that replaces an older
  // one when it is whole: weights as "model.NAME", the optimizer's state, the sums of the running
  // epoch, what callbacks remember; and as metadata the position in the data and their fingerprint,
  // the random stream, the history, the note.
  void save(const std::string& path) const;
  // For a trainer of the same model, optimizer and options. Throws IoError naming the file.
  void load(const std::string& path);

  nn::Module& model() const { return model_; }
  const Options& options() const { return options_; }
  int64_t epoch() const { return at_.epoch; }     // the running one, from 0
  int64_t batch() const { return at_.position; }  // of the running epoch: how many are done
  int64_t batches() const { return batches_; }    // of an epoch; known within fit()
  int64_t step() const { return step_; }          // optimizer steps done since the start
  double seconds() const;                         // of training, over all resumptions
  const Means& means() const { return means_; }   // of the running epoch
  const std::vector<Epoch>& history() const { return history_; }

 private:
  // What a checkpoint knows of training and test data; none: no batches.
  struct Origin {
    int64_t batches = 0;
    uint64_t fingerprint = 0;
  };

  void begin(data::Pipeline& training, data::Pipeline* test);
  StateDict callback_states() const;
  void train_batch(const data::Sample& batch);
  void finish_epoch(data::Pipeline* test);
  void call(Callback::Hook Callback::*hook);

  nn::Module& model_;
  optim::Optimizer& optimizer_;
  const Forward forward_;
  const Options options_;
  std::vector<Callback> callbacks_;
  data::State at_;
  int64_t batches_ = 0, step_ = 0;
  double lr_ = 0;
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
// what a sample is called.
Callback progress(const std::string& unit = "samples");
// A table with a row for each epoch, written anew after each.
Callback csv(const std::string& path);
// TensorBoard's scalars: each epoch's values, and the loss every 50 steps.
Callback tensorboard(const std::string& folder);
// save()s at the start, after each epoch, every `steps` steps if positive, and at the end.
Callback checkpoints(const std::string& path, int64_t steps = 0);
// Stops when the named value has not become better for `patience` epochs.
enum class Better { kLower, kHigher };
struct EarlyStoppingOptions {
  double min_delta = 0;  // only what is better than the best by more than this counts as better
  bool restore_best =
      false;  // the run ends with the weights of the best epoch; a checkpoint holds them
};
Callback early_stopping(const std::string& name, int patience, Better better = Better::kLower,
                        const EarlyStoppingOptions& options = {});

}  // namespace glia::training
