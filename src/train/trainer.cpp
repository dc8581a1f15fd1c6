#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "glia/autodiff.h"
#include "glia/io.h"
#include "glia/ops.h"
#include "glia/random.h"
#include "glia/train.h"
#include "runtime/clock.h"

namespace glia::training {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kMetadataKey = "glia.checkpoint";
const std::string kModel = "model.", kOptimizer = "optimizer.", kSums = "sums.",
                  kCallbacks = "callbacks.";

// JSON has no NaN or infinity; they are written as text.
Json to_json(double value) {
  if (std::isfinite(value)) return value;
  return std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
}
double number(const Json& json) {
  if (json.is_number()) return json.get<double>();
  if (json == "inf") return INFINITY;
  return json == "-inf" ? -INFINITY : NAN;
}

Json to_json(const Epoch& e) {
  Json values = Json::object();
  for (const auto& [name, value] : e.values) values[name] = to_json(value);
  return {
      {"epoch", e.epoch}, {"step", e.step}, {"seconds", to_json(e.seconds)}, {"values", values}};
}

int64_t count(const Json& json) {
  if (!json.is_number_integer() || json > INT64_MAX || json < 0)
    throw Error(json.dump() + " is no count");
  return json;
}

Epoch epoch_of(const Json& json) {
  Epoch e{count(json.at("epoch")), count(json.at("step")), number(json.at("seconds")), {}};
  for (const auto& [name, value] : json.at("values").items())
    e.values.emplace_back(name, number(value));
  return e;
}

void append(io::NamedTensors& to, const std::string& prefix, const io::NamedTensors& from) {
  for (const auto& [name, tensor] : from) to.emplace_back(prefix + name, tensor);
}

// Those whose names start with the prefix, without it.
io::NamedTensors with_prefix(const io::NamedTensors& all, const std::string& prefix) {
  io::NamedTensors out;
  for (const auto& [name, tensor] : all)
    if (name.starts_with(prefix)) out.emplace_back(name.substr(prefix.size()), tensor);
  return out;
}

Json checkpoint_facts(const std::string& path, const io::Metadata& metadata) {
  for (const auto& [key, value] : metadata)
    if (key == kMetadataKey) return Json::parse(value);
  throw IoError(path + ": is no checkpoint of a training run");
}

// Runs f; whatever it finds wrong with the file's content is said to be that file's fault.
template <class F>
void reading(const std::string& path, F&& f) {
  try {
    f();
  } catch (const IoError&) {
    throw;
  } catch (const std::exception& e) {
    throw IoError(path + ": does not fit this run: " + e.what());
  }
}

// Callbacks that have a name, by what their state's names begin with: a second one of a name gets
// a number.
std::vector<std::pair<std::string, const Callback*>> named(const std::vector<Callback>& callbacks) {
  std::vector<std::pair<std::string, const Callback*>> out;
  std::map<std::string, int> seen;
  for (const Callback& c : callbacks) {
    if (c.name.empty()) continue;
    const int before = seen[c.name]++;
    out.emplace_back(c.name + (before ? "#" + std::to_string(before + 1) : "") + ".", &c);
  }
  return out;
}

// Evaluation mode while it lives.
class EvaluationMode {
 public:
  explicit EvaluationMode(nn::Module& model) : model_(model), training_(model.is_training()) {
    model_.eval();
  }
  ~EvaluationMode() { model_.train(training_); }

 private:
  nn::Module& model_;
  const bool training_;
};

}  // namespace

double value_of(const Values& values, const std::string& name) {
  for (const auto& [key, value] : values)
    if (key == name) return value;
  throw Error("there is no value '" + name + "'");
}

void Means::add(const Outcome& outcome, int64_t samples) {
  if (sums_.empty()) {
    sums_.emplace_back("loss", zeros({}, kF64));
    for (const auto& [name, sum] : outcome.sums) sums_.emplace_back(name, zeros({}, kF64));
  }
  bool same = sums_.size() == outcome.sums.size() + 1;
  for (size_t i = 1; same && i < sums_.size(); ++i)
    same = sums_[i].first == outcome.sums[i - 1].first;
  if (!same) throw Error("Means: the sums of this batch are not those of the batches before");
  samples_ += samples;
  const auto grow = [&](size_t i, const Tensor& amount) {
    sums_[i].second.set(sums_[i].second + reshape(cast(stop_gradient(amount), kF64), {}));
  };
  grow(0, outcome.loss * samples);
  for (size_t i = 0; i < outcome.sums.size(); ++i) grow(i + 1, outcome.sums[i].second);
}

Values Means::values() const {
  Values out;
  for (const auto& [name, sum] : sums_)
    out.emplace_back(name, sum.tensor().item() / static_cast<double>(samples_));
  return out;
}

Trainer::Trainer(nn::Module& model, optim::Optimizer& optimizer, Forward forward, Options options)
    : model_(model),
      optimizer_(optimizer),
      forward_(std::move(forward)),
      options_(std::move(options)) {}

double Trainer::seconds() const {
  return seconds_ + (started_ < 0 ? 0 : milliseconds() / 1000 - started_);
}

void Trainer::call(Callback::Hook Callback::*hook) {
  for (const Callback& callback : callbacks_)
    if (callback.*hook) (callback.*hook)(*this);
}

void Trainer::begin(data::Pipeline& training, data::Pipeline* test) {
  // The same data as before, if a run goes on that was loaded.
  const auto checked = [&](const char* which, const data::Pipeline& data, const Origin& before) {
    if (data.size() == 0) throw ValueError(std::string("fit: the ") + which + " data hold nothing");
    const Origin now{data.size(), data.source()->fingerprint()};
    const std::string fault = loaded_ + ": does not fit this run: its " + which + " data ";
    if (loaded_.empty() || before.batches == 0) return now;
    if (before.batches != now.batches)
      throw IoError(fault + "have " + std::to_string(before.batches) +
                    " batches in an epoch, these have " + std::to_string(now.batches));
    if (before.fingerprint != now.fingerprint)
      throw IoError(fault + "are others: values, order or batches differ");
    return now;
  };
  const Origin now = checked("training", training, training_);
  if (test) test_ = checked("test", *test, test_);
  training_ = now;
  training.set_state(at_);  // or an error
  for (const auto& [key, callback] : named(callbacks_)) {
    const StateDict state = with_prefix(loaded_states_, key);
    if (callback->load_state && !state.empty()) callback->load_state(state);
  }
  loaded_.clear();
  loaded_states_.clear();
  started_ = milliseconds() / 1000;
  stopped_ = false;
  batches_ = training.size();
}

void Trainer::fit(data::Pipeline& training, data::Pipeline* test) {
  begin(training, test);
  call(&Callback::on_begin);
  while (!stopped_ && !finished()) {
    model_.train();
    training.set_state(at_);
    auto pass = training.pass();
    bool more = true;
    for (data::Sample batch; !stopped_ && (more = pass.next(batch));) {
      train_batch(batch);
      ++at_.position;
      call(&Callback::on_step);
    }
    if (more) break;  // stopped within the epoch
    finish_epoch(test);
    call(&Callback::on_epoch);
  }
  call(&Callback::on_end);
  seconds_ = seconds();
  started_ = -1;
}

void Trainer::train_batch(const data::Sample& batch) {
  const Outcome outcome = forward_(batch);
  if (options_.schedule) optimizer_.set_lr(options_.schedule(step_));
  means_.add(outcome, batch.at(0).size(0));
  optimizer_.step(gradients(outcome.loss, optimizer_.parameters()));
  ++step_;
}

void Trainer::finish_epoch(data::Pipeline* test) {
  Epoch done{at_.epoch + 1, step_, 0, {{"lr", optimizer_.lr()}}};
  for (const auto& [name, value] : means_.values()) {
    if (name == "loss" && !std::isfinite(value))
      throw ValueError("training diverged: the loss of epoch " + std::to_string(done.epoch) +
                       " is " + std::to_string(value) + "; a lower learning rate may help");
    done.values.emplace_back("train_" + name, value);
  }
  if (test)
    for (const auto& [name, value] : evaluate(*test))
      done.values.emplace_back("test_" + name, value);
  done.seconds = seconds();
  history_.push_back(std::move(done));
  means_ = {};
  at_ = {at_.epoch + 1, 0};
}

Values Trainer::evaluate(data::Pipeline& samples) {
  const EvaluationMode evaluating(model_);
  const NoGrad no_grad;
  if (samples.size() == 0) throw ValueError("evaluate: the data hold nothing");
  Means means;
  samples.set_state({});
  auto pass = samples.pass();
  for (data::Sample batch; pass.next(batch);) {
    means.add(forward_(batch), batch.at(0).size(0));
    eval_variables();
  }
  return means.values();
}

// Of a run that was loaded and has not begun, as they were.
StateDict Trainer::callback_states() const {
  if (!loaded_states_.empty()) return loaded_states_;
  StateDict states;
  for (const auto& [key, callback] : named(callbacks_))
    if (callback->state) append(states, key, callback->state());
  return states;
}

void Trainer::save(const std::string& path) const {
  const RandomState random = random_state();
  Json history = Json::array();
  for (const Epoch& e : history_) history.push_back(to_json(e));
  const auto origin = [](const Origin& o) { return Json{o.batches, o.fingerprint}; };
  const Json facts = {{"epoch", at_.epoch},
                      {"batch", at_.position},
                      {"step", step_},
                      {"samples", means_.samples()},
                      {"seconds", seconds()},
                      {"random", {random.seed, random.calls}},
                      {"data", {{"training", origin(training_)}, {"test", origin(test_)}}},
                      {"history", history},
                      {"note", options_.note}};
  io::NamedTensors tensors;
  append(tensors, kModel, model_.state_dict());
  append(tensors, kOptimizer, optimizer_.state_dict());
  for (const auto& [name, sum] : means_.sums_) tensors.emplace_back(kSums + name, sum);
  append(tensors, kCallbacks, callback_states());
  io::write_safetensors(path, tensors, {{kMetadataKey, facts.dump()}});
}

void Trainer::load(const std::string& path) {
  reading(path, [&] {
    io::Metadata metadata;
    const io::NamedTensors tensors = io::read_safetensors(path, &metadata);
    const Json facts = checkpoint_facts(path, metadata);
    std::vector<Epoch> history;
    for (const Json& e : facts.at("history")) history.push_back(epoch_of(e));
    Means means;
    means.samples_ = count(facts.at("samples"));
    for (const auto& [name, sum] : with_prefix(tensors, kSums)) {
      if (sum.rank() != 0 || sum.dtype() != kF64) throw Error(kSums + name + " is no f64 number");
      means.sums_.emplace_back(name, sum);
    }
    const RandomState random{facts.at("random").at(0), facts.at("random").at(1)};
    const data::State at{count(facts.at("epoch")), count(facts.at("batch"))};
    const int64_t step = count(facts.at("step"));
    const double seconds = number(facts.at("seconds"));
    const auto origin = [&](const char* which) -> Origin {
      if (!facts.contains("data")) return {};
      const Json& o = facts["data"].at(which);
      return {count(o.at(0)), o.at(1)};
    };
    const Origin training = origin("training"), test = origin("test");
    if (training.batches > 0 && at.position > training.batches)
      throw Error("batch " + std::to_string(at.position) + " of " +
                  std::to_string(training.batches));

    model_.load_state_dict(with_prefix(tensors, kModel));
    optimizer_.load_state_dict(with_prefix(tensors, kOptimizer));
    set_random_state(random);
    history_ = std::move(history);
    means_ = std::move(means);
    training_ = training;
    test_ = test;
    loaded_ = path;
    loaded_states_ = with_prefix(tensors, kCallbacks);
    at_ = at;
    step_ = step;
    seconds_ = seconds;
  });
}

std::string read_note(const std::string& checkpoint) {
  std::string note;
  reading(checkpoint, [&] {
    io::Metadata metadata;
    io::read_safetensors(checkpoint, &metadata);
    note = checkpoint_facts(checkpoint, metadata).at("note");
  });
  return note;
}

}  // namespace glia::training
