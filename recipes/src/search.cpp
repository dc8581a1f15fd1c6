// The runs of a search: what is tried, in which folders, and going on with it.
#include "glia/recipes/search.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <limits>

#include "glia/classic/search_space.h"
#include "glia/error.h"
#include "json.h"
#include "run.h"
#include "search_plan.h"

namespace glia::recipes {
namespace {

namespace fs = std::filesystem;

std::string trial_name(size_t number) { return fmt::format("trial-{:03}", number + 1); }

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string fresh_folder(const std::string& recipe) {
  std::string folder = "runs/search-" + recipe;
  for (int i = 2; fs::exists(folder + "/" + kSearch); ++i)
    folder = fmt::format("runs/search-{}-{}", recipe, i);
  return folder;
}

void remove_search(const std::string& folder) {
  std::vector<fs::path> old;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename();
    if (name == kSearch || name == kTrials || name == kSummary || name == kReport ||
        (name.starts_with("trial-") && entry.is_directory()))
      old.push_back(entry.path());
  }
  for (const fs::path& path : old) fs::remove_all(path);
}

// All the numbers of results; a count is one too.
std::vector<std::pair<std::string, double>> numbers_of(const Results& results) {
  std::vector<std::pair<std::string, double>> numbers;
  for (const Result& r : results) {
    if (const auto* number = std::get_if<double>(&r.value)) numbers.emplace_back(r.name, *number);
    if (const auto* whole = std::get_if<int64_t>(&r.value))
      numbers.emplace_back(r.name, static_cast<double>(*whole));
  }
  return numbers;
}

// ---- Trials that are over -----------------------------------------------------------------------

Json as_json(const SearchTrial& trial) {
  Json results = Json::object();
  for (const auto& [name, value] : trial.results) results[name] = value;
  Json json = {{"folder", trial.folder},
               {"settings", recipes::as_json(trial.settings)},
               {"value", std::isnan(trial.value) ? Json() : Json(trial.value)},
               {"results", results},
               {"seconds", trial.seconds}};
  if (!trial.error.empty()) json["error"] = trial.error;
  return json;
}

std::vector<SearchTrial> read_trials(const std::string& path, const SearchPlan& plan) {
  std::vector<SearchTrial> trials;
  if (!fs::exists(path)) return trials;
  const std::string text = io::read_file(path);
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    try {
      const Json json = Json::parse(text.substr(at, end - at));
      SearchTrial trial;
      trial.folder = json.at("folder").get<std::string>();
      for (const auto& [name, value] : json.at("settings").items())
        trial.settings.emplace_back(name, plan.converted(name, value_of(value)));
      const Json& value = json.at("value");
      trial.value =
          value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
      for (const auto& [name, number] : json.at("results").items())
        trial.results.emplace_back(name, number.get<double>());
      trial.seconds = json.at("seconds").get<double>();
      trial.error = json.value("error", "");
      trials.push_back(std::move(trial));
    } catch (const Json::exception&) {
      throw IoError(fmt::format("{}: line {} is no trial", path, trials.size() + 1));
    }
    at = end + 1;
  }
  return trials;
}

// ---- The search ---------------------------------------------------------------------------------

class Search {
 public:
  Search(const Recipe& recipe, const SearchJob& job, const std::string& folder, SearchPlan plan)
      : recipe_(recipe), job_(job), plan_(std::move(plan)) {
    out_.folder = folder;
    known_ = read_trials(path(kTrials), plan_);
  }

  Searched run() {
    const double begun = seconds_now();
    if (plan_.job().method == SearchMethod::kHalving) {
      halve();
    } else if (plan_.job().method == SearchMethod::kTPE) {
      const classic::TPESampler sampler(plan_.space(),
                                        {.random_state = static_cast<uint64_t>(plan_.job().seed)});
      total_ = static_cast<size_t>(plan_.job().trials);
      while (out_.trials.size() < total_) {
        std::vector<classic::Trial> over;
        for (const SearchTrial& t : out_.trials)
          over.push_back({plan_.params(t.settings), merit(t)});
        trial(plan_.settings(sampler.suggest(over)));
      }
    } else {
      const auto candidates = plan_.candidates();
      total_ = candidates.size();
      for (const Values& settings : candidates) trial(settings);
    }
    finish(seconds_now() - begun);
    return std::move(out_);
  }

 private:
  std::string path(const std::string& name) const { return out_.folder + "/" + name; }
  // The more, the better; NaN of a trial that failed.
  double merit(const SearchTrial& t) const { return out_.highest ? t.value : -t.value; }

  void say(const std::string& line) const {
    if (!job_.quiet) fmt::print("{}\n", line);
  }

  void halve() {
    std::vector<Values> left = plan_.candidates();
    const std::vector<int64_t> budgets = plan_.budgets(static_cast<int64_t>(left.size()));
    size_t count = left.size();
    for (size_t i = 0; i < budgets.size(); ++i, count = plan_.kept(count)) total_ += count;
    for (const int64_t budget : budgets) {
      const size_t first = out_.trials.size();
      for (const Values& settings : left) {
        Values all = settings;
        all.emplace_back(plan_.job().budget, budget);
        trial(all);
      }
      first_of_last_ = static_cast<int64_t>(first);
      std::vector<size_t> order;
      for (size_t c = 0; c < left.size(); ++c)
        if (!std::isnan(out_.trials[first + c].value)) order.push_back(c);
      std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
        return merit(out_.trials[first + a]) > merit(out_.trials[first + b]);
      });
      order.resize(std::min(order.size(), plan_.kept(left.size())));
      std::vector<Values> kept;
      for (const size_t c : order) kept.push_back(left[c]);
      left = std::move(kept);
      if (left.empty()) break;
    }
  }

  // Runs the next trial, or takes what is known of it.
  void trial(const Values& settings) {
    const size_t number = out_.trials.size();
    if (number < known_.size()) {
      if (known_[number].settings != settings)
        throw IoError(
            fmt::format("{}: trial {} is not what this search tries", path(kTrials), number + 1));
      settle_metric(known_[number]);
      out_.trials.push_back(known_[number]);
      return;
    }
    SearchTrial t;
    t.folder = trial_name(number);
    t.settings = settings;
    const double begun = seconds_now();
    try {
      const int64_t folds = plan_.job().folds;
      std::vector<std::vector<std::pair<std::string, double>>> each;
      for (int64_t fold = 0; fold < std::max<int64_t>(folds, 1); ++fold)
        each.push_back(train(number, settings,
                             folds > 0 ? fmt::format("{}/fold-{}", t.folder, fold) : t.folder,
                             fold));
      t.results = std::move(each[0]);
      for (auto& [name, value] : t.results) {
        for (size_t fold = 1; fold < each.size(); ++fold)
          for (const auto& [key, other] : each[fold])
            if (key == name) value += other;
        value /= static_cast<double>(each.size());
      }
    } catch (const IoError&) {
      throw;  // of data or folders: the next trial would not do better
    } catch (const Error& fault) {
      t.error = fault.what();
    }
    t.seconds = seconds_now() - begun;
    t.value = std::numeric_limits<double>::quiet_NaN();
    if (t.error.empty()) {
      settle_metric(t);
      for (const auto& [name, value] : t.results)
        if (name == out_.metric) t.value = value;
    }
    out_.trials.push_back(std::move(t));
    write_trials();
    report_line();
  }

  std::vector<std::pair<std::string, double>> train(size_t number, const Values& settings,
                                                    const std::string& folder, int64_t fold) {
    TrainJob run{.given = plan_.job().given, .out = path(folder), .quiet = true};
    for (const auto& [name, value] : settings) {
      std::erase_if(run.given, [&name = name](const auto& g) { return g.first == name; });
      run.given.emplace_back(name, value);
    }
    if (plan_.job().folds > 0) {
      run.given.emplace_back("folds", plan_.job().folds);
      run.given.emplace_back("fold", fold);
    }
    run.resume = recipe_.resumes && fs::exists(run.out + "/" + kCheckpoint);
    run.overwrite = !run.resume;
    run.interrupted = job_.interrupted;
    const auto stopped = [&](const std::string& how) {
      return Interrupted(fmt::format("{} trial {} of {}. To go on: glia search {} --resume {}", how,
                                     number + 1, total_, recipe_.name, out_.folder));
    };
    if (job_.interrupted && job_.interrupted()) throw stopped("stopped before");
    try {
      return numbers_of(recipe_.train(run).results);
    } catch (const Interrupted&) {
      throw stopped("stopped in");
    }
  }

  // Which result counts, as soon as there is one, and whether high or low is good.
  void settle_metric(const SearchTrial& t) {
    if (!out_.metric.empty() || t.results.empty()) return;
    std::vector<std::string> names;
    for (const auto& [name, value] : t.results) names.push_back(name);
    const std::string& asked = plan_.job().metric;
    if (!asked.empty() && std::ranges::count(names, asked) == 0)
      throw Error(fmt::format("--metric {}: {} results in {}", asked, recipe_.name,
                              fmt::join(names, ", ")));
    const std::string metric = asked.empty() ? names[0] : asked;
    out_.highest = is_highest(metric, plan_.job().goal);
    out_.metric = metric;
  }

  void write_trials() const {
    std::string lines;
    for (const SearchTrial& t : out_.trials)
      lines += as_json(t).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
    io::write_file_atomic(path(kTrials), lines);
  }

  // The best of the trials from `first` on; -1 if all failed.
  int64_t best_from(int64_t first) const {
    int64_t best = -1;
    for (size_t i = static_cast<size_t>(first); i < out_.trials.size(); ++i)
      if (!std::isnan(out_.trials[i].value) &&
          (best < 0 || merit(out_.trials[i]) > merit(out_.trials[best])))
        best = static_cast<int64_t>(i);
    return best;
  }

  void report_line() const {
    const SearchTrial& t = out_.trials.back();
    const int64_t best = best_from(0);
    std::string text =
        fmt::format("trial {} of {}: {}: ", out_.trials.size(), total_, settings_text(t.settings));
    if (t.error.empty())
      text += fmt::format("{} {:.6g} (best {:.6g}) in {}", out_.metric, t.value,
                          out_.trials[best].value, duration(t.seconds));
    else
      text += "failed: " + t.error;
    say(text);
  }

  void finish(double seconds) {
    out_.best = best_from(first_of_last_);
    if (out_.best < 0) out_.best = best_from(0);
    if (out_.best < 0)
      throw Error("all trials failed: " +
                  (out_.trials.empty() ? "there are none" : out_.trials[0].error));
    const SearchTrial& best = out_.trials[out_.best];
    const auto failed = std::ranges::count_if(
        out_.trials, [](const SearchTrial& t) { return std::isnan(t.value); });
    const Json summary = {{"recipe", recipe_.name},
                          {"method", name_of(plan_.job().method)},
                          {"metric", out_.metric},
                          {"goal", out_.highest ? "highest" : "lowest"},
                          {"value", best.value},
                          {"best", best.folder},
                          {"settings", recipes::as_json(best.settings)},
                          {"trials", out_.trials.size()},
                          {"failed", failed},
                          {"seconds", seconds}};
    io::write_file_atomic(path(kSummary),
                          summary.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
    io::write_file_atomic(path(kReport), report::to_html(report_of(recipe_, plan_, out_, seconds)));
    say(to_text({{"trials", to_table(out_, 10)}}));
    say(fmt::format("best: {} {:.6g} with {}, in {}; see {}", out_.metric, best.value,
                    settings_text(best.settings), path(best.folder), path(kReport)));
  }

  const Recipe& recipe_;
  const SearchJob& job_;
  const SearchPlan plan_;
  std::vector<SearchTrial> known_;
  Searched out_;
  size_t total_ = 0;
  int64_t first_of_last_ = 0;
};

}  // namespace

Searched search(const Recipe& recipe, const SearchJob& job) {
  std::string folder = job.out;
  if (job.resume) {
    if (folder.empty()) throw Error("search: no folder is named to go on with");
    return Search(recipe, job, folder, SearchPlan::read(recipe, folder + "/" + kSearch)).run();
  }
  SearchPlan plan(recipe, job);
  if (folder.empty()) folder = fresh_folder(recipe.name);
  if (fs::exists(folder + "/" + kSearch)) {
    if (!job.overwrite)
      throw Error(folder +
                  ": already holds a search; --resume goes on with it, --overwrite replaces it");
    remove_search(folder);
  }
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw IoError(folder + ": " + error.message());
  plan.write(folder + "/" + kSearch);
  if (!job.quiet) fmt::print("{}: results in {}\n", plan.description(), folder);
  return Search(recipe, job, folder, std::move(plan)).run();
}

}  // namespace glia::recipes
