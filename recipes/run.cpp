#include "recipes/run.h"

#include <fmt/format.h>

#include <filesystem>

#include "glia/error.h"
#include "glia/ops.h"

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

std::string shown(const Settings& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

}  // namespace

Run::Run(const TrainJob& job, const std::string& recipe,
         const std::function<Settings(const Settings&)>& complete,
         const std::function<std::string(const Settings&)>& name)
    : job_(job), recipe_(recipe), folder_(job.out) {
  if (job.resume) {
    const Settings saved = Settings::parse(training::read_note(file(kCheckpoint)), nullptr, false);
    if (!saved.is_object() || saved.value("recipe", "") != recipe)
      throw IoError(file(kCheckpoint) + ": is no checkpoint of " + recipe);
    settings_ = saved.value("settings", Settings());
    for (const Setting& setting : named(recipe).settings)
      if (settings_.contains(setting.name) && !allows(setting, settings_[setting.name]))
        throw IoError(file(kCheckpoint) + ": --" + setting.name + " " +
                      shown(settings_[setting.name]) + " is " + refusal(setting));
    settings_ = complete(settings_);
    for (const auto& [key, value] : job.given.items())
      if (settings_.value(key, Settings()) != value)
        throw Error(fmt::format("--{} {}: the run in {} was started with {}, which cannot change",
                                key, shown(value), folder_, shown(settings_[key])));
    return;
  }
  settings_ = complete(job.given);
  if (folder_.empty()) folder_ = free_folder(name(settings_));
  if (holds_run(folder_)) {
    if (!job.overwrite)
      throw Error(folder_ +
                  ": already holds a run; --resume goes on with it, --overwrite replaces it");
    remove_run(folder_);
  }
  make_folder(folder_);
}

std::string Run::note() const {
  return Settings{{"recipe", recipe_}, {"settings", settings_}}.dump();
}

void Run::fit(training::Trainer& trainer, data::Pipeline& training, data::Pipeline& test,
              const std::string& unit) {
  if (job_.resume) trainer.load(file(kCheckpoint));
  trainer.add({.on_step = [this](training::Trainer& t) {
    if (job_.interrupted && job_.interrupted()) t.stop();
  }});
  const Settings every = settings_.value("checkpoint-steps", Settings(0));
  trainer.add(training::checkpoints(file(kCheckpoint), every.get<int64_t>()));
  trainer.add(training::csv(file(kMetrics)));
  trainer.add(training::tensorboard(folder_));
  trainer.add(training::progress(unit));
  const Autocast precision(settings_.value("bf16", false) ? kBF16 : kF32);
  trainer.fit(training, &test);
  if (!trainer.finished())
    throw Interrupted(
        fmt::format("stopped in epoch {} after {} steps; {} is saved. To go on: "
                    "glia train {} --resume {}",
                    trainer.epoch() + 1, trainer.step(), file(kCheckpoint), recipe_, folder_));
}

}  // namespace glia::recipes
