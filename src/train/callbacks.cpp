#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "glia/io.h"
#include "glia/ops.h"
#include "glia/train.h"
#include "runtime/clock.h"

namespace glia::training {
namespace {

// "loss 0.2310": shares of a whole as percentages, losses with four digits, rates in full.
std::string shown(const std::string& name, double value) {
  if (name == "lr") return fmt::format("{:.3g}", value);
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
    const int64_t left = t.options().epochs * t.batches() - t.step();
    std::string text;
    for (const auto& [name, value] : t.means().values())
      text += fmt::format("{} {}  ", name, shown(name, value));
    text += fmt::format(
        "{:.0f} {}/s  {} left",
        static_cast<double>(t.means().samples()) / static_cast<double>(t.batch()) / per_step, unit_,
        duration(per_step * static_cast<double>(left)));
    const std::string epoch = epoch_of(t, t.epoch() + 1);
    const double part = static_cast<double>(t.batch()) / static_cast<double>(t.batches());
    if (!bar_) {
      fmt::print("{}  {:3.0f} %  {}\n", epoch, 100 * part, text);
    } else {
      const int room = terminal_width() - static_cast<int>(epoch.size() + text.size()) - 5;
      fmt::print("\r\x1b[K{}  {}{}", epoch, bar(part, std::min(room, 30)), text);
    }
    std::fflush(stdout);
  }

  void epoch(const Trainer& t) {
    const Epoch& done = t.history().back();
    std::string text = epoch_of(t, done.epoch);
    for (const auto& [name, value] : done.values)
      if (name != "lr") text += fmt::format("  {} {}", with_spaces(name), shown(name, value));
    fmt::print("{}{}  {}\n", bar_ ? "\r\x1b[K" : "", text, duration(done.seconds));
    std::fflush(stdout);
  }

  void end() const {
    if (bar_) fmt::print("\r\x1b[K");
  }

 private:
  static std::string epoch_of(const Trainer& t, int64_t epoch) {
    const std::string all = std::to_string(t.options().epochs);
    return fmt::format("epoch {:>{}}/{}", epoch, all.size(), all);
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
      for (const auto& [name, value] : e.values) text += fmt::format(",{}", value);
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
        // "test_loss" is shown as "loss/test", beside "loss/train".
        const size_t cut = name.find('_');
        const std::string tag =
            cut == std::string::npos ? name : name.substr(cut + 1) + "/" + name.substr(0, cut);
        events_.scalar(tag, history[epochs_].step, value);
      }
      events_.flush();
      samples_ = 0;
      loss_ = 0;
    }
    if (t.step() % kEvery || t.means().samples() <= samples_) return;
    const auto samples = static_cast<double>(t.means().samples());
    const double loss = value_of(t.means().values(), "loss") * samples;
    const double since = samples - static_cast<double>(samples_);
    events_.scalar("loss/step", t.step(), (loss - loss_) / since);
    samples_ = t.means().samples();
    loss_ = loss;
  }
  void flush() { events_.flush(); }

  StateDict state() {
    flush();
    return {{"epochs", tensor(epochs_)}, {"samples", tensor(samples_)}, {"loss", tensor(loss_)}};
  }
  void load_state(const StateDict& state) {
    for (const auto& [name, value] : state) {
      if (name == "epochs") epochs_ = value.item<int64_t>();
      if (name == "samples") samples_ = value.item<int64_t>();
      if (name == "loss") loss_ = value.item();
    }
    if (epochs_ < 0) throw Error("tensorboard: " + std::to_string(epochs_) + " epochs");
  }

 private:
  static constexpr int64_t kEvery = 50;

  io::EventWriter events_;
  int64_t epochs_ = 0;   // written
  int64_t samples_ = 0;  // of the running epoch up to the last event, and their sum of losses
  double loss_ = 0;
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

Callback early_stopping(const std::string& name, int patience, Better better,
                        const EarlyStoppingOptions& options) {
  if (patience < 0 || !(options.min_delta >= 0))
    throw Error(fmt::format("early_stopping: patience {} or min_delta {} is negative", patience,
                            options.min_delta));
  // A number is better than none.
  const auto is_better = [=](double now, double then) {
    if (std::isnan(then)) return !std::isnan(now);
    return better == Better::kLower ? now < then - options.min_delta
                                    : now > then + options.min_delta;
  };
  auto weights = std::make_shared<StateDict>();  // of the best epoch, if they are to be restored
  // Epochs since the best. A function of the history alone, so that a resumed run stops where the
  // whole one does.
  const auto since_best = [=](const Trainer& t) {
    const auto& history = t.history();
    size_t best = 0;
    for (size_t i = 1; i < history.size(); ++i)
      if (is_better(value_of(history[i].values, name), value_of(history[best].values, name)))
        best = i;
    return static_cast<int64_t>(history.size() - 1 - best);
  };
  const auto check = [=](Trainer& t) {
    if (t.history().empty()) return;
    const int64_t since = since_best(t);
    if (options.restore_best && since == 0 && t.batch() == 0) {
      *weights = t.model().state_dict();
      for (const auto& [key, value] : *weights) eval(value);
    }
    if (options.restore_best && weights->empty())
      throw Error("early_stopping: the best epoch was before this run, and its weights are lost");
    if (since >= std::max(patience, 1)) t.stop();
  };
  const auto restore = [=](Trainer& t) {
    if (t.history().empty() || weights->empty()) return;
    if (t.finished() || since_best(t) >= std::max(patience, 1)) t.model().load_state_dict(*weights);
  };
  return {.on_begin = check,
          .on_epoch = check,
          .on_end = restore,
          .name = "early_stopping." + name,
          .state = [weights] { return *weights; },
          .load_state = [weights](const StateDict& state) { *weights = state; }};
}

}  // namespace glia::training
