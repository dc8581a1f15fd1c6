#include "run.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <filesystem>

#include "facts.h"
#include "glia/error.h"
#include "glia/ops.h"
#include "glia/runtime.h"
#include "json.h"

namespace glia::recipes {
namespace {

namespace fs = std::filesystem;

bool holds_run(const std::string& folder) {
  return fs::exists(folder + "/" + kCheckpoint) || fs::exists(folder + "/" + kModel);
}

std::string free_folder(const std::string& name) {
  std::string folder = "runs/" + name;
  for (int i = 2; holds_run(folder); ++i) folder = fmt::format("runs/{}-{}", name, i);
  return folder;
}

void make_folder(const std::string& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw IoError(folder + ": " + error.message());
}

void remove_run(const std::string& folder) {
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename();
    if (name == kCheckpoint || name == kModel || name == kMetrics || name == kSummary ||
        name == kReport || name.starts_with("events.out.tfevents."))
      fs::remove(entry.path());
  }
}

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

const Value* find(const Values& values, const std::string& name) {
  for (const auto& [key, value] : values)
    if (key == name) return &value;
  return nullptr;
}

// The settings of a checkpoint, which must be one of this recipe.
Values saved_values(const Recipe& recipe, const std::string& path) {
  const Json saved = Json::parse(training::read_note(path), nullptr, false);
  const std::string name = recipe.shorthand_for.empty() ? recipe.name : recipe.shorthand_for;
  const Json settings = saved.is_object() ? saved.value("settings", Json()) : Json();
  if (!settings.is_object() || saved.value("recipe", Json()) != name)
    throw IoError(path + ": is no checkpoint of " + recipe.name);
  Values values;
  for (const auto& [key, value] : settings.items()) values.emplace_back(key, value_of(value));
  return values;
}

std::string with_spaces(std::string name) {
  std::replace(name.begin(), name.end(), '_', ' ');
  return name;
}

const Result* find(const Results& results, const std::string& name) {
  for (const Result& result : results)
    if (result.name == name) return &result;
  return nullptr;
}

}  // namespace

Run::State::State(const Recipe& recipe, const TrainJob& job, Settings& settings)
    : recipe(recipe), job(job), folder(job.out), started(now()) {
  Values given = recipe.preset;
  for (const auto& [name, value] : job.given) {
    if (find(recipe.preset, name))
      throw Error(fmt::format("--{}: is not to be chosen for {}", name, recipe.name));
    given.emplace_back(name, value);
  }
  if (job.find_lr && (job.resume || find(given, "lr")))
    throw Error("--find-lr: the learning rate is that of --lr, or of the run that goes on");
  if (job.resume) {
    if (!recipe.resumes) throw Error(recipe.name + ": keeps no checkpoints to go on from");
    if (folder.empty()) throw Error(recipe.name + ": no folder is named to go on with");
    const std::string path = folder + "/" + kCheckpoint;
    try {
      assign(settings, saved_values(recipe, path));
    } catch (const IoError&) {
      throw;
    } catch (const Error& e) {
      throw IoError(path + ": " + e.what());
    }
    // What was given must be what was saved, once it is of the setting's type; but a run may get
    // more epochs.
    const Values saved = values_of(settings);
    Values both = saved;
    for (const auto& [name, value] : given)
      for (auto& [key, now] : both)
        if (key == name) now = value;
    auto wanted = recipe.functions->make();
    assign(*wanted, given);  // a name that is none
    assign(*wanted, both);
    for (const auto& [name, value] : values_of(*wanted)) {
      const Value& then = *find(saved, name);
      if (then == value) continue;
      const bool longer = name == "epochs";
      if (longer && std::get<int64_t>(value) > std::get<int64_t>(then)) continue;
      throw Error(fmt::format("--{} {}: the run in {} was started with {}, which cannot {}", name,
                              shown(value), folder, shown(then), longer ? "shrink" : "change"));
    }
    assign(settings, both);
  } else {
    assign(settings, given);
    if (job.find_lr && !find(values_of(settings), "lr"))
      throw Error("--find-lr: " + recipe.name + " has no learning rate");
    if (folder.empty()) folder = free_folder(recipe.functions->run_name(settings));
    if (holds_run(folder) && !job.overwrite)
      throw Error(folder + ": already holds a run; " +
                  (recipe.resumes ? "--resume goes on with it, " : "") + "--overwrite replaces it");
  }
  values = values_of(settings);
  for (const auto& [name, value] : values)
    if (const auto* text = std::get_if<std::string>(&value); text && !is_utf8(*text))
      throw Error("--" + name + ": is no UTF-8, which a model file keeps");
  references = recipe.functions->references(settings);
}

void Run::begin() {
  if (std::exchange(state_.begun, true) || state_.job.resume) return;
  if (holds_run(state_.folder)) remove_run(state_.folder);
  make_folder(state_.folder);
}

const std::string& Run::folder() const { return state_.folder; }
std::string Run::file(const std::string& name) const { return state_.folder + "/" + name; }
bool Run::interrupted() const { return state_.job.interrupted && state_.job.interrupted(); }
void Run::say(const std::string& line) const {
  if (!state_.job.quiet) fmt::print("{}\n", line);
}

std::string Run::note() const {
  const Recipe& recipe = state_.recipe;
  return Json{{"recipe", recipe.shorthand_for.empty() ? recipe.name : recipe.shorthand_for},
              {"settings", as_json(state_.values)}}
      .dump();
}

void Run::fit(training::Trainer& trainer, data::Pipeline& training, data::Pipeline* test,
              const std::string& unit) {
  fit(trainer, &training, test, unit);
}
void Run::fit(training::Trainer& trainer, const std::string& unit) {
  fit(trainer, nullptr, nullptr, unit);
}

void Run::fit(training::Trainer& trainer, data::Pipeline* training, data::Pipeline* test,
              const std::string& unit) {
  const Value* bf16 = find(state_.values, "bf16");
  const Autocast precision(bf16 && std::get<bool>(*bf16) ? kBF16 : kF32);
  if (state_.job.find_lr) {
    const training::Task& task = trainer.task();
    throw FoundRate{training ? training::lr_range_test(task, *training)
                             : training::lr_range_test(task)};
  }
  begin();
  if (state_.job.resume) trainer.load(file(kCheckpoint));
  bool asked = false;
  trainer.add({.on_step = [&](training::Trainer& t) {
    if (asked = interrupted(); asked) t.stop();
  }});
  const Value* every = find(state_.values, "checkpoint-steps");
  trainer.add(training::checkpoints(file(kCheckpoint), every ? std::get<int64_t>(*every) : 0));
  trainer.add(training::csv(file(kMetrics)));
  trainer.add(training::tensorboard(folder()));
  if (!state_.job.quiet) trainer.add(training::progress(unit));
  if (training)
    trainer.fit(*training, test);
  else
    trainer.fit(test);
  if (!trainer.finished() && asked)
    throw Interrupted(fmt::format(
        "stopped in epoch {} after {} steps; {} is saved. To go on: "
        "glia train {} --resume {}",
        trainer.epoch() + 1, trainer.step(), file(kCheckpoint), state_.recipe.name, folder()));
  state_.seconds = trainer.seconds();
}

void Run::save(const StateDict& weights, const Facts& facts) {
  begin();
  const Recipe& recipe = state_.recipe;
  io::Metadata metadata = {
      {"format", "pt"},
      {"recipe", recipe.shorthand_for.empty() ? recipe.name : recipe.shorthand_for}};
  for (const auto& [name, value] : state_.values) metadata.emplace_back(name, shown(value));
  for (const auto& [name, fact] : facts) metadata.emplace_back(name, to_text(fact));
  io::write_safetensors(file(kModel), weights, metadata);
}

void Run::finish(report::Report page, Results results) {
  begin();
  for (const Result& result : results)
    if (const auto* number = std::get_if<double>(&result.value); number && !std::isfinite(*number))
      throw ValueError(with_spaces(result.name) + " is " + std::to_string(*number));
  if (state_.seconds < 0) state_.seconds = now() - state_.started;
  results.push_back({"seconds", state_.seconds});

  Json summary = {{"recipe", state_.recipe.name}};
  for (const auto& [name, value] : state_.recipe.preset) summary[name] = as_json(value);
  summary.update(as_json(state_.values));
  summary.update(
      Json{{"version", version()}, {"threads", num_threads()}, {"processor", cpu_level()}});
  for (const auto& [key, value] : summary.items())
    page.settings.emplace_back(key, value.is_string() ? value.get<std::string>() : value.dump());
  summary.update(as_json(results));
  report::Facts highlights;
  for (const Result& result : results) {
    if (result.name == "seconds")
      highlights.emplace_back("training time", duration(state_.seconds));
    else if (const auto* number = std::get_if<double>(&result.value))
      highlights.emplace_back(with_spaces(result.name), report::shown(*number, result.percent));
    else if (const auto* whole = std::get_if<int64_t>(&result.value))
      highlights.emplace_back(with_spaces(result.name), report::shown(static_cast<double>(*whole)));
  }
  page.highlights.insert(page.highlights.begin(), highlights.begin(), highlights.end());
  if (state_.range) page.sections.push_back(section_of(*state_.range));

  std::string said;
  for (const Reference& reference : state_.references) {
    const Result* reached = find(results, reference.result);
    if (!reached) throw Error("there is no result '" + reference.result + "' to compare");
    const Result wanted{reference.result, reference.value, reached->percent};
    summary["references"].push_back(
        {{"result", reference.result}, {"value", reference.value}, {"source", reference.source}});
    page.highlights.emplace_back(
        fmt::format("{} to reach ({})", with_spaces(reference.result), reference.source),
        shown(wanted));
    said += fmt::format("\nto reach: {} {} ({})", with_spaces(reference.result), shown(wanted),
                        reference.source);
  }
  io::write_file_atomic(file(kSummary),
                        summary.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
  io::write_file_atomic(file(kReport), report::to_html(page));
  say(fmt::format("{} {} after {} of training; see {}{}", with_spaces(results[0].name),
                  shown(results[0]), duration(state_.seconds), file(kReport), said));
  state_.results = std::move(results);
}

std::vector<double> over_epochs(const training::Trainer& trainer, const std::string& name) {
  std::vector<double> out;
  for (const training::Epoch& e : trainer.history())
    out.push_back(training::value_of(e.values, name));
  return out;
}

report::Section section_of(const training::LrRange& range) {
  return {"Learning rate: loss in a range test",
          report::Curves{.series = {{"loss", range.losses, range.lrs}},
                         .x = {.name = "learning rate", .log = true}},
          fmt::format("Smoothed losses of steps at rising rates, before the training; {:.2g} was "
                      "suggested.",
                      range.suggestion)};
}

report::Section curve(const training::Trainer& trainer, const std::string& title,
                      const std::string& name, const report::Axis& x, const report::Axis& y,
                      const std::vector<double>& at) {
  return {title, report::Curves{.series = {{"", over_epochs(trainer, name), at}}, .x = x, .y = y}};
}

report::Section curves(const training::Trainer& trainer, const std::string& title,
                       const std::string& name, bool percent) {
  return {title, report::Curves{.series = {{"training", over_epochs(trainer, "train_" + name)},
                                           {"test", over_epochs(trainer, "test_" + name)}},
                                .x = {"epoch"},
                                .y = {.percent = percent}}};
}

std::string duration(double seconds) {
  const auto s = static_cast<int64_t>(std::lround(seconds));
  return s < 60 ? fmt::format("{:.1f} s", seconds) : fmt::format("{} min {} s", s / 60, s % 60);
}

}  // namespace glia::recipes
