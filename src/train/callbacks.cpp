// What is called as a run goes on.
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>

#include "glia/io.h"
#include "glia/ops.h"
#include "glia/train.h"
#include "runtime/clock.h"

namespace glia::training {
namespace {

// "loss 0.2310": shares of a whole as percentages, losses with four digits, rates in full.
std::string shown(const std::string& name, double value) {
  if (name.ends_with("lr")) return fmt::format("{:.3g}", value);
  if (name.ends_with("accuracy")) return fmt::format("{:.2f} %", 100 * value);
  return fmt::format("{:.4f}", value);
}

std::string with_spaces(std::string name) {
  std::replace(name.begin(), name.end(), '_', ' ');
  return name;
}

std::string duration(double seconds) {
  const auto s = static_cast<int64_t>(std::ceil(seconds));
  if (s >= 3600) return fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
  return fmt::format("{}:{:02}", s / 60, s % 60);
}

int terminal_width() {
  winsize size = {};
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

// Speed and time left are judged by the steps of this process.
class Progress {
 public:
  explicit Progress(std::string unit) : unit_(std::move(unit)), bar_(isatty(STDOUT_FILENO)) {}

  void begin(const Trainer& t) {
    steps_at_start_ = t.step();
    last_ = start_ = milliseconds();
  }

  void step(const Trainer& t) {
    const double now = milliseconds();
    if (now - last_ < (bar_ ? 100 : 10000)) return;
    last_ = now;
    const double per_step = (now - start_) / 1000 / static_cast<double>(t.step() - steps_at_start_);
    const int64_t steps = t.options().steps, all = steps > 0 ? steps : t.epochs() * t.batches();
    std::string text;
    for (const auto& [name, value] : t.means().values())
      text += fmt::format("{} {}  ", name, shown(name, value));
    const std::vector<Means::Total> totals = t.means().totals();
    const bool counts = !unit_.empty() && !totals.empty();
    const double of_step = counts ? totals[0].count / static_cast<double>(t.batch()) : 1;
    text += fmt::format("{:.0f} {}/s", of_step / per_step, counts ? unit_ : "steps");
    std::string epoch = place(t, t.epoch() + 1);
    const bool unsized = t.batches() == 0;  // nobody knows how far it is
    if (!unsized)
      text += fmt::format("  {} left", duration(per_step * static_cast<double>(all - t.step())));
    else
      epoch += fmt::format("  step {}", t.batch());
    const double part =
        unsized ? 0 : static_cast<double>(t.batch()) / static_cast<double>(t.batches());
    if (!bar_ && unsized) {
      fmt::print("{}  {}\n", epoch, text);
    } else if (!bar_) {
      fmt::print("{}  {:3.0f} %  {}\n", epoch, 100 * part, text);
    } else {
      const int room = terminal_width() - static_cast<int>(epoch.size() + text.size()) - 5;
      fmt::print("\r\x1b[K{}  {}{}", epoch, unsized ? "" : bar(part, std::min(room, 30)), text);
    }
    std::fflush(stdout);
  }

  void epoch(const Trainer& t) {
    const Epoch& done = t.history().back();
    std::string text = place(t, done.epoch);
    for (const auto& [name, value] : done.values)
      if (!name.ends_with("lr") && !std::isnan(value))
        text += fmt::format("  {} {}", with_spaces(name), shown(name, value));
    fmt::print("{}{}  {}\n", bar_ ? "\r\x1b[K" : "", text, duration(done.seconds));
    std::fflush(stdout);
  }

  void end() const {
    if (bar_) fmt::print("\r\x1b[K");
  }

 private:
  // "epoch  3/12", or "step  500/20000" of a run that is so many steps.
  static std::string place(const Trainer& t, int64_t epoch) {
    const bool steps = t.options().steps > 0;
    const std::string all = std::to_string(steps ? t.options().steps : t.epochs());
    return fmt::format("{} {:>{}}/{}", steps ? "step" : "epoch", steps ? t.step() : epoch,
                       all.size(), all);
  }
  static std::string bar(double part, int width) {
    if (width < 8) return "";
    std::string out;
    for (int i = 0; i < width; ++i) out += i < part * width ? "━" : "─";
    return out + "  ";
  }

  const std::string unit_;
  const bool bar_;
  int64_t steps_at_start_ = 0;
  double start_ = 0, last_ = 0;
};

}  // namespace

Callback progress(const std::string& unit) {
  auto p = std::make_shared<Progress>(unit);
  return {.on_begin = [p](Trainer& t) { p->begin(t); },
          .on_step = [p](Trainer& t) { p->step(t); },
          .on_epoch = [p](Trainer& t) { p->epoch(t); },
          .on_end = [p](Trainer&) { p->end(); }};
}

Callback csv(const std::string& path) {
  const auto write = [path](Trainer& t) {
    if (t.history().empty()) return;
    std::string text = "epoch,step,seconds";
    for (const auto& [name, value] : t.history()[0].values) text += "," + name;
    for (const Epoch& e : t.history()) {
      text += fmt::format("\n{},{},{:.3f}", e.epoch, e.step, e.seconds);
      for (const auto& [name, value] : e.values)
        text += std::isnan(value) ? "," : fmt::format(",{}", value);
    }
    io::write_file_atomic(path, text + "\n");
  };
  return {.on_begin = write, .on_epoch = write};
}

namespace {

// What has been written is told by what a checkpoint keeps, whichever callback came first when it
// was saved: a run that goes on writes what is missing.
class TensorBoard {
 public:
  explicit TensorBoard(const std::string& folder) : events_(folder) {}

  void write(const Trainer& t) {
    const auto& history = t.history();
    for (; epochs_ < static_cast<int64_t>(history.size()); ++epochs_) {
      for (const auto& [name, value] : history[epochs_].values) {
        if (std::isnan(value)) continue;
        // "test_loss" is shown as "loss/test", beside "loss/train".
        const size_t cut = name.find('_');
        const std::string tag =
            cut == std::string::npos ? name : name.substr(cut + 1) + "/" + name.substr(0, cut);
        events_.scalar(tag, history[epochs_].step, value);
      }
      events_.flush();
      last_.clear();
    }
    if (t.step() % kEvery) return;
    for (const auto& [name, sum, count] : t.means().totals()) {
      auto& [last_sum, last_count] = last_[name];
      if (count > last_count) {
        events_.scalar(name + "/step", t.step(), (sum - last_sum) / (count - last_count));
        last_sum = sum;
        last_count = count;
      }
    }
  }
  void flush() { events_.flush(); }

  StateDict state() {
    flush();
    StateDict out{{kEpochs, tensor(epochs_)}};
    for (const auto& [name, last] : last_)
      out.emplace_back(kLast + name, tensor({last.first, last.second}));
    return out;
  }
  void load_state(const StateDict& state) {
    for (const auto& [name, value] : state) {
      if (name == kEpochs) epochs_ = value.item<int64_t>();
      if (!name.starts_with(kLast)) continue;
      const auto last = value.to_vector<double>();
      if (last.size() != 2) throw Error("tensorboard: " + name + " is no sum and count");
      last_[name.substr(kLast.size())] = {last[0], last[1]};
    }
    if (epochs_ < 0) throw Error("tensorboard: " + std::to_string(epochs_) + " epochs");
  }

 private:
  static constexpr int64_t kEvery = 50;
  inline static const std::string kEpochs = "epochs", kLast = "last.";

  io::EventWriter events_;
  int64_t epochs_ = 0;  // written
  // Sum and count of each metric of the running epoch, up to its last event.
  std::map<std::string, std::pair<double, double>> last_;
};

}  // namespace

Callback tensorboard(const std::string& folder) {
  auto board = std::make_shared<TensorBoard>(folder);
  const auto write = [board](Trainer& t) { board->write(t); };
  return {.on_begin = write,
          .on_step = write,
          .on_epoch = write,
          .on_end = [board](Trainer&) { board->flush(); },
          .name = "tensorboard",
          .state = [board] { return board->state(); },
          .load_state = [board](const StateDict& state) { board->load_state(state); }};
}

Callback checkpoints(const std::string& path, int64_t steps) {
  auto saved = std::make_shared<std::pair<int64_t, int64_t>>(-1, -1);  // epoch and step
  const auto save = [path, saved](Trainer& t) {
    const std::pair now{t.epoch(), t.step()};
    if (*saved == now) return;
    t.save(path);
    *saved = now;
  };
  return {.on_begin = save,
          .on_step =
              [save, steps](Trainer& t) {
                if (steps > 0 && t.step() % steps == 0) save(t);
              },
          .on_epoch = save,
          .on_end = save};
}

namespace {

// How one value of the epochs compares with another. A number is better than none.
struct Judge {
  std::string name;
  Better better = Better::kLower;
  double min_delta = 0;

  bool is_better(double now, double then) const {
    if (std::isnan(then)) return !std::isnan(now);
    return better == Better::kLower ? now < then - min_delta : now > then + min_delta;
  }
  // Epochs since the best. A function of the history alone, so that a resumed run does what the
  // whole one does.
  int64_t since_best(const Trainer& t) const {
    const auto& history = t.history();
    size_t best = 0;
    for (size_t i = 1; i < history.size(); ++i)
      if (is_better(value_of(history[i].values, name), value_of(history[best].values, name)))
        best = i;
    return static_cast<int64_t>(history.size() - 1 - best);
  }
  // The last epoch is the best so far, and nothing has been trained since.
  bool is_at_best(const Trainer& t) const {
    return !t.history().empty() && t.batch() == 0 && since_best(t) == 0;
  }
};

// The states of all models, as "PART.NAME", and back.
StateDict states_of_models(const Trainer& t) {
  StateDict out;
  for (const Part& part : t.parts())
    if (part.module()) io::append(out, part.name() + ".", part.state_dict());
  for (const auto& [name, value] : out) eval(value);
  return out;
}
void load_models(const Trainer& t, const StateDict& states) {
  for (const Part& part : t.parts())
    if (part.module()) part.load_state_dict(io::with_prefix(states, part.name() + "."));
}

}  // namespace

Callback best_checkpoint(const std::string& path, const std::string& name, Better better) {
  const auto save = [path, judge = Judge{name, better}](Trainer& t) {
    if (judge.is_at_best(t)) t.save(path);
  };
  return {.on_begin = save, .on_epoch = save};
}

Callback early_stopping(const std::string& name, int patience, Better better,
                        const EarlyStoppingOptions& options) {
  if (patience < 0 || !(options.min_delta >= 0))
    throw Error(fmt::format("early_stopping: patience {} or min_delta {} is negative", patience,
                            options.min_delta));
  const Judge judge{name, better, options.min_delta};
  auto best = std::make_shared<StateDict>();  // the models of the best epoch, if restored
  const auto check = [=](Trainer& t) {
    if (t.history().empty()) return;
    if (options.restore_best && judge.is_at_best(t)) *best = states_of_models(t);
    if (options.restore_best && best->empty())
      throw Error("early_stopping: the best epoch was before this run, and its weights are lost");
    if (judge.since_best(t) >= std::max(patience, 1)) t.stop();
  };
  const auto restore = [=](Trainer& t) {
    if (t.history().empty() || best->empty()) return;
    if (t.finished() || judge.since_best(t) >= std::max(patience, 1)) load_models(t, *best);
  };
  return {.on_begin = check,
          .on_epoch = check,
          .on_end = restore,
          .name = "early_stopping." + name,
          .state = [best] { return *best; },
          .load_state = [best](const StateDict& state) { *best = state; }};
}

Callback reduce_lr_on_plateau(optim::Optimizer& optimizer, const std::string& name,
                              const optim::ReduceLROnPlateauOptions& options) {
  const auto plateau = std::make_shared<optim::ReduceLROnPlateau>(optimizer, options);
  // Epochs that it has not seen: the last, and those before a checkpoint that was saved between an
  // epoch's end and this.
  const auto follow = [plateau, name](Trainer& t) {
    const auto& history = t.history();
    while (plateau->steps() < static_cast<int64_t>(history.size()))
      plateau->step(value_of(history[plateau->steps()].values, name));
  };
  return {.on_begin = follow,
          .on_epoch = follow,
          .name = "reduce_lr_on_plateau." + name,
          .state = [plateau] { return plateau->state_dict(); },
          .load_state = [plateau](const StateDict& state) { plateau->load_state_dict(state); }};
}

}  // namespace glia::training
