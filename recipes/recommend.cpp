// What users would like: ratings foretold, or items ranked.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "glia/glia.h"
#include "glia/recipes/run.h"
#include "recipes/src/predictors.h"
#include "recipes/src/recommendation.h"

namespace glia::recipes {
namespace {

using namespace recommend;

void train(Run& run, const RecommendSettings& s) {
  const Interactions all = s.read(s.data);
  const auto [least, most] = std::ranges::minmax_element(all.rating);
  if (s.is_rating_model() && *least == *most)
    throw IoError(
        fmt::format("{}: has no ratings that differ, which {} would foretell; als, ease or bpr "
                    "rank items without",
                    s.data, s.model));
  const std::vector<Fold> folds = s.splits(all);
  run.say(fmt::format("{}: {} rows of {} users and {} items, {}, results in {}", s.data, all.size(),
                      all.n_users(), all.n_items(), s.model, run.folder()));
  report::Curves curves{{}, {"pass"}, {"loss"}};
  report::Table table{{{"fold"}}, {}};
  Results means;
  std::unique_ptr<Recommender> model;
  const auto fitted = [&](const std::vector<int64_t>& rows, const std::string& name) {
    auto one = make_recommender(s.model, s.options);
    std::vector<double> losses;
    one->on_epoch = [&](int64_t, double loss) {
      losses.push_back(loss);
      return !run.interrupted();
    };
    one->fit(all.take(rows));
    one->on_epoch = {};
    if (run.interrupted()) throw Interrupted("stopped; nothing is saved");
    if (!losses.empty()) curves.series.push_back({name, losses});
    return one;
  };
  for (size_t i = 0; i < folds.size(); ++i) {
    const std::string name = fmt::format("{}", i + 1);
    model = fitted(folds[i].train, name);
    const Results found = judged(*model, all.take(folds[i].test), s.top, s.split != "folds");
    if (i == 0) {
      means = found;
      for (const Result& r : found) table.columns.push_back({r.name});
    }
    table.rows.push_back({name});
    for (size_t m = 0; m < found.size(); ++m) {
      const double value = std::get<double>(found[m].value);
      if (!std::isfinite(value))
        throw Error(fmt::format("{} diverged: {} is {}; a lower --lr may help", s.model,
                                found[m].name, value));
      table.rows.back().emplace_back(value);
      auto& mean = std::get<double>(means[m].value);
      mean = i == 0 ? value / static_cast<double>(folds.size())
                    : mean + value / static_cast<double>(folds.size());
    }
    run.say(fmt::format("{}: {} {:.4f}", name, found[0].name, std::get<double>(found[0].value)));
  }
  std::vector<int64_t> rows = folds[0].train;
  if (s.split == "folds") {  // what users get has seen everything
    rows.insert(rows.end(), folds[0].test.begin(), folds[0].test.end());
    std::ranges::sort(rows);
    model = fitted(rows, "all");
  }
  const Interactions known = all.take(rows);
  StateDict weights;
  io::append(weights, "model.", model->state_dict());
  append(weights, known);
  run.save(weights, facts_of(known));

  means.push_back({"users", all.n_users()});
  means.push_back({"items", all.n_items()});
  report::Report page{
      .title = fmt::format("{} on {}", s.model, std::filesystem::path(s.data).filename().string()),
      .subtitle = fmt::format("{} rows, split: {}; by {}",
                              report::shown(static_cast<double>(all.size())), s.split, version()),
      .sections = {{"Scores", table, "Of the rows that were not learned from.", true}}};
  if (!curves.series.empty()) page.sections.push_back({"Loss", curves});
  run.finish(page, means);
}

class Use : public Predictor {
 public:
  Use(const Saved& saved, const RecommendSettings& s)
      : settings_(s), known_(known_of(saved)), model_(make_recommender(s.model, s.options)) {
    model_->initialise(known_);
    model_->load_state_dict(io::with_prefix(saved.weights, "model."));
    model_->eval();
  }

 protected:
  Results answer(const Input& input) const override {
    const std::string& name = text_of(input, "a user is named by a text");
    const auto at = std::ranges::find(known_.users, name);
    if (at == known_.users.end())
      throw ValueError(fmt::format("'{}' is none of the {} users", name, known_.n_users()));
    report::Table table{{{"item"}, {"score"}}, {}};
    const std::vector<Recommendation> found =
        model_->recommend(at - known_.users.begin(), top > 0 ? top : settings_.top);
    const bool reasons =
        std::ranges::any_of(found, [](const Recommendation& r) { return !r.because.empty(); });
    if (reasons) table.columns.push_back({"because of"});
    for (const Recommendation& r : found) {
      std::string why;
      for (const auto& [item, weight] : r.because)
        why += (why.empty() ? "" : ", ") + known_.title(item);
      table.rows.push_back({known_.title(r.item), r.score});
      if (reasons) table.rows.back().emplace_back(why);
    }
    const std::string best =
        table.rows.empty() ? "" : std::get<std::string>(table.rows[0][0].value());
    return {{"item", best}, {"items", table}};
  }
  Results score(const Evaluation& what) const override {
    const bool other = !what.data.empty() && what.data != settings_.data;
    const Interactions all = settings_.read(other ? what.data : settings_.data);
    std::vector<int64_t> rows(static_cast<size_t>(all.size()));
    for (size_t k = 0; k < rows.size(); ++k) rows[k] = static_cast<int64_t>(k);
    if (!other) {
      const Fold fold = settings_.splits(all)[0];
      rows = what.split == "train" ? fold.train : fold.test;
    }
    const Interactions test = renumbered(all.take(rows), known_);
    if (test.size() == 0)
      throw ValueError((other ? what.data : settings_.data) +
                       ": no row has a user and an item that the model knows");
    const bool seen = !other && settings_.split == "folds";
    Results out = judged(*model_, test, settings_.top, !seen);
    if (seen)
      out.push_back({"note", "these rows were learned from; the report has the folds' scores"});
    return out;
  }

 private:
  const RecommendSettings settings_;
  const Interactions known_;
  const std::unique_ptr<Recommender> model_;
};

const Register<RecommendSettings> recommend_recipe({
    .name = "recommend",
    .task = "recommendation",
    .description = "What users would like, of what they and others have rated, bought or seen.",
    .run_name =
        [](const RecommendSettings& s) {
          return fmt::format("recommend-{}-{}", std::filesystem::path(s.data).stem().string(),
                             s.model);
        },
    .references = [](const RecommendSettings& s) -> std::vector<Reference> {
      const std::pair<const char*, double> known[] = {
          {"svd", 0.934},          {"svdpp", 0.919},    {"nmf", 0.963},
          {"slope-one", 0.946},    {"knn-basic", 0.98}, {"knn-means", 0.951},
          {"knn-baseline", 0.931}, {"baseline", 0.944}, {"co-clustering", 0.963}};
      for (const auto& [name, value] : known)
        if (s.model == name && s.data == "ml-100k" && s.split == "folds" && s.folds == 5)
          return {{"rmse", value, "Surprise 1.1, five folds"}};
      return {};
    },
    .train = train,
    .load = make_predictor<Use, RecommendSettings>,
    .input = "USER",
    .input_help = "A user, as the data call them.",
    .predict_help = "Prints the items that the user has not and would like the most.",
    .evaluate_help =
        "Prints how well it foretells the rows that were not learned from, or, after folds, whose\n"
        "model has learned from all, those of the first. --data names other rows.",
    .resumes = false,
    .ranks = true,
    .input_option = "user",
});

}  // namespace
}  // namespace glia::recipes
