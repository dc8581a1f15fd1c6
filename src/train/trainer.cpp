// The loop itself, and its checkpoints.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "glia/io.h"
#include "glia/random.h"
#include "glia/train.h"
#include "runtime/clock.h"

namespace glia::training {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kMetadataKey = "glia.checkpoint";
const std::string kMetrics = "metrics", kCallbacks = "callbacks";

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

std::vector<nn::Module*> modules_of(const std::vector<Part>& parts) {
  std::vector<nn::Module*> out;
  for (const Part& part : parts)
    if (part.module()) out.push_back(part.module());
  return out;
}

// Evaluation mode while it lives.
class EvaluationMode {
 public:
  explicit EvaluationMode(const std::vector<Part>& parts) {
    for (nn::Module* module : modules_of(parts)) {
      before_.emplace_back(module, module->is_training());
      module->eval();
    }
  }
  ~EvaluationMode() {
    for (const auto& [module, training] : before_) module->train(training);
  }

 private:
  std::vector<std::pair<nn::Module*, bool>> before_;
};

void check_parts(const std::vector<Part>& parts) {
  std::set<std::string> names{kMetrics, kCallbacks};
  for (const Part& part : parts) {
    const std::string& name = part.name();
    if (name.empty() || name.find('.') != std::string::npos)
      throw ValueError("Trainer: a part is named \"" + name + "\": empty, or with a dot");
    if (!names.insert(name).second)
      throw ValueError(name == kMetrics || name == kCallbacks
                           ? "Trainer: no part may be named \"" + name + "\""
                           : "Trainer: two parts are named \"" + name + "\"");
  }
}

// "lr" of the only optimizer, or "NAME_lr" of several: of their first groups.
Values learning_rates(const std::vector<Part>& parts) {
  Values out;
  for (const Part& part : parts)
    if (part.optimizer() && part.optimizer()->has_option("lr"))
      out.emplace_back(part.name() + "_lr", part.optimizer()->lr());
  if (out.size() == 1) out[0].first = "lr";
  return out;
}

// Loads all parts, or throws and loads none. `names` are those of the checkpoint's.
void load_parts(const std::vector<Part>& parts, std::vector<std::string> names,
                const io::NamedTensors& tensors) {
  for (const Part& part : parts)
    if (std::erase(names, part.name()) == 0) throw Error("it has no part '" + part.name() + "'");
  if (!names.empty()) throw Error("it has a part '" + names[0] + "', which this run has not");
  std::vector<StateDict> before;
  try {
    for (const Part& part : parts) {
      before.push_back(part.state_dict());
      part.load_state_dict(io::with_prefix(tensors, part.name() + "."));
    }
  } catch (...) {
    for (size_t i = 0; i + 1 < before.size(); ++i) parts[i].load_state_dict(before[i]);
    throw;
  }
}

void check_names(const Values& values, const std::vector<Epoch>& history) {
  std::set<std::string> names;
  for (const auto& [name, value] : values)
    if (!names.insert(name).second) throw Error("an epoch has two values named '" + name + "'");
  if (history.empty()) return;
  for (const auto& [name, value] : history.back().values)
    if (!names.erase(name)) throw Error("an epoch has no value '" + name + "', which others had");
  if (!names.empty()) throw Error("an epoch has a value '" + *names.begin() + "', others had none");
}

// NaN, a missing value, where nothing was counted.
double mean_of(const Means::Total& total) {
  if (total.count == 0 && total.sum != 0)
    throw ValueError(
        fmt::format("metric '{}': a sum of {}, and nothing was counted", total.name, total.sum));
  return total.count == 0 ? NAN : total.sum / total.count;
}

}  // namespace

double value_of(const Values& values, const std::string& name) {
  for (const auto& [key, value] : values)
    if (key == name) return value;
  throw Error("there is no value '" + name + "'");
}

// ---- The trainer --------------------------------------------------------------------------------

Trainer::Trainer(Task task, Options options)
    : task_(std::move(task)), options_(std::move(options)) {
  if (!task_.step) throw ValueError("Trainer: the task has no step");
  check_parts(task_.parts);
  const auto& [epochs, steps, interval, note] = options_;
  if (epochs < 0 || steps < 0 || interval < 0 || (interval > 0 && steps == 0))
    throw ValueError(fmt::format("Trainer: epochs {}, steps {}, interval {}{}", epochs, steps,
                                 interval, interval > 0 ? ": an interval is of steps" : ""));
}

double Trainer::seconds() const {
  return seconds_ + (started_ < 0 ? 0 : milliseconds() / 1000 - started_);
}

int64_t Trainer::epochs() const {
  if (options_.steps == 0) return options_.epochs;
  return options_.interval == 0 ? 1 : (options_.steps - 1) / options_.interval + 1;
}

int64_t Trainer::batches() const {
  if (options_.steps == 0) return std::max<int64_t>(training_.batches, 0);
  if (options_.interval == 0) return options_.steps;
  return std::min(options_.interval, options_.steps - epoch_ * options_.interval);
}

void Trainer::call(Callback::Hook Callback::*hook) {
  for (const Callback& callback : callbacks_)
    if (callback.*hook) (callback.*hook)(*this);
}

void Trainer::begin(data::Pipeline* training, data::Pipeline* test) {
  if (!training && options_.steps == 0)
    throw ValueError("fit: without training data, Options::steps says how long");
  if (test && !task_.measure) throw ValueError("fit: test data, and the task measures nothing");
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
  const Origin now = training ? checked("training", *training, training_) : Origin{};
  if (test) test_ = checked("test", *test, test_);
  if (training) training->set_state(at_);  // or an error
  training_ = now;
  for (const auto& [key, callback] : named(callbacks_)) {
    const StateDict state = io::with_prefix(loaded_states_, key);
    if (callback->load_state && !state.empty()) callback->load_state(state);
  }
  loaded_.clear();
  loaded_states_.clear();
  started_ = milliseconds() / 1000;
  stopped_ = false;
}

void Trainer::run(data::Pipeline* training, data::Pipeline* test) {
  begin(training, test);
  call(&Callback::on_begin);
  std::optional<data::Pipeline::Pass> pass;
  // The next batch of this epoch; false at its end.
  const auto next = [&](data::Sample& batch) {
    if (options_.steps > 0 && batch_ == batches()) return false;
    if (!training) return true;
    for (;;) {
      if (!pass) {
        training->set_state(at_);
        pass.emplace(*training);
      }
      if (pass->next(batch)) return true;
      pass.reset();
      at_ = {at_.epoch + 1, 0};
      if (options_.steps == 0) return false;
    }
  };
  while (!stopped_ && !finished()) {
    for (nn::Module* module : modules_of(task_.parts)) module->train();
    bool more = true;
    for (data::Sample batch; !stopped_ && (more = next(batch));) {
      take_step(batch);
      at_.position += training != nullptr;
      ++batch_;
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

void Trainer::take_step(const data::Sample& batch) {
  optim::DeferredSteps together;
  means_.add(task_.step(batch));
  together.finish();
  ++step_;
}

void Trainer::finish_epoch(data::Pipeline* test) {
  Epoch done{epoch_ + 1, step_, 0, learning_rates(task_.parts)};
  for (const Means::Total& total : means_.totals()) {
    const double value = mean_of(total);
    if (total.count != 0 && !std::isfinite(value))
      throw ValueError(
          fmt::format("training diverged: the {} of epoch {} is {}; a lower learning "
                      "rate may help",
                      total.name, done.epoch, value));
    done.values.emplace_back("train_" + total.name, value);
  }
  if (test)
    for (const auto& [name, value] : evaluate(*test))
      done.values.emplace_back("test_" + name, value);
  if (task_.evaluate) {
    const EvaluationMode evaluating(task_.parts);
    const NoGrad no_grad;
    const Values found = task_.evaluate();
    done.values.insert(done.values.end(), found.begin(), found.end());
  }
  check_names(done.values, history_);
  done.seconds = seconds();
  history_.push_back(std::move(done));
  means_ = {};
  ++epoch_;
  batch_ = 0;
}

Values Trainer::evaluate(data::Pipeline& samples) {
  if (!task_.measure) throw ValueError("evaluate: the task measures nothing");
  if (samples.size() == 0) throw ValueError("evaluate: the data hold nothing");
  const EvaluationMode evaluating(task_.parts);
  const NoGrad no_grad;
  Means means;
  samples.set_state({});
  auto pass = samples.pass();
  for (data::Sample batch; pass.next(batch);) {
    means.add(task_.measure(batch));
    eval_variables();
  }
  Values out;
  for (const Means::Total& total : means.totals()) out.emplace_back(total.name, mean_of(total));
  return out;
}

// ---- Checkpoints --------------------------------------------------------------------------------

// Of a run that was loaded and has not begun, as they were.
StateDict Trainer::callback_states() const {
  if (!loaded_states_.empty()) return loaded_states_;
  StateDict states;
  for (const auto& [key, callback] : named(callbacks_))
    if (callback->state) io::append(states, key, callback->state());
  return states;
}

void Trainer::save(const std::string& path) const {
  const RandomState random = random_state();
  Json history = Json::array(), parts = Json::array();
  for (const Epoch& e : history_) history.push_back(to_json(e));
  for (const Part& part : task_.parts) parts.push_back(part.name());
  const auto origin = [](const Origin& o) { return Json{o.batches, o.fingerprint}; };
  const Json facts = {{"epoch", epoch_},
                      {"batch", batch_},
                      {"step", step_},
                      {"seconds", seconds()},
                      {"random", {random.seed, random.calls}},
                      {"data",
                       {{"epoch", at_.epoch},
                        {"position", at_.position},
                        {"training", origin(training_)},
                        {"test", origin(test_)}}},
                      {"parts", parts},
                      {"history", history},
                      {"note", options_.note}};
  io::NamedTensors tensors;
  for (const Part& part : task_.parts) io::append(tensors, part.name() + ".", part.state_dict());
  for (const auto& [name, sum, count] : means_.entries_)
    tensors.emplace_back(kMetrics + "." + name,
                         tensor({sum.known, sum.of_tensors(), count.known, count.of_tensors()}));
  io::append(tensors, kCallbacks + ".", callback_states());
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
    for (const auto& [name, value] : io::with_prefix(tensors, kMetrics + ".")) {
      if (value.shape() != Shape{4} || value.dtype() != kF64)
        throw Error(kMetrics + "." + name + " is no sum and count");
      const auto v = value.to_vector<double>();
      means.entries_.push_back({name, {v[0], tensor(v[1])}, {v[2], tensor(v[3])}});
    }
    const RandomState random{facts.at("random").at(0), facts.at("random").at(1)};
    const Json& data = facts.at("data");
    const data::State at{count(data.at("epoch")), count(data.at("position"))};
    const int64_t epoch = count(facts.at("epoch")), batch = count(facts.at("batch")),
                  step = count(facts.at("step"));
    const double seconds = number(facts.at("seconds"));
    const auto origin = [&](const char* which) -> Origin {
      const Json& o = data.at(which);
      const bool unsized = o.at(0) == data::Source::kUnsized;
      return {unsized ? data::Source::kUnsized : count(o.at(0)), o.at(1)};
    };
    const Origin training = origin("training"), test = origin("test");
    if (training.batches > 0 && at.position > training.batches)
      throw Error("batch " + std::to_string(at.position) + " of " +
                  std::to_string(training.batches));
    const int64_t length = options_.interval > 0 ? options_.interval : options_.steps;
    const bool stands = options_.steps == 0
                            ? epoch == at.epoch && batch == at.position
                            : batch <= length && epoch <= epochs() &&
                                  step == std::min(epoch * length, options_.steps) + batch;
    if (!stands)
      throw Error(fmt::format("step {} is not step {} of epoch {}", step, batch, epoch + 1));
    load_parts(task_.parts, facts.at("parts").get<std::vector<std::string>>(), tensors);

    set_random_state(random);
    history_ = std::move(history);
    means_ = std::move(means);
    training_ = training;
    test_ = test;
    loaded_ = path;
    loaded_states_ = io::with_prefix(tensors, kCallbacks + ".");
    at_ = at;
    epoch_ = epoch;
    batch_ = batch;
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
