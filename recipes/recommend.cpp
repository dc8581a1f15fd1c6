// What users would like: ratings foretold, or items ranked.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "glia/glia.h"
#include "glia/recipes/run.h"
#include "recipes/src/recommendation.h"

namespace glia::recipes {
namespace {

using namespace recommend;

struct RecommendSettings : Settings {
  std::string data, model, split;
  InteractionColumns columns;
  ModelOptions options;
  int64_t folds = 0, top = 0;
  double test = 0, at_least = 0;

  void declare(Fields& f) override {
    f(data, "data", "ml-100k", "A data set, or a table of users, items, ratings and times.",
      data_sets("recommendation", "FILE.csv"));
    f(columns.user, "user", "", "The column of users; empty: by its name, else the first.");
    f(columns.item, "item", "", "The column of items; empty: by its name, else the next.");
    f(columns.rating, "rating", "", "The column of ratings; empty: by its name, if there is one.");
    f(columns.time, "time", "", "The column of times; empty: by its name, if there is one.");
    f(model, "model", "svd", "How it is learned.", {recommender_names()});
    f(at_least, "liked", 0, "Only rows with that rating at least count; 0: all.", {0, 1e9});
    const bool foretells = is_rating_model();
    f(split, "split", foretells ? "folds" : "random", "Which rows are tested on.",
      {{"folds", "random", "time", "leave-one-out"}});
    f(folds, "folds", 5, "Folds of the split \"folds\".", {2, 1000});
    f(test, "test", 0.2, "Share of the rows to test on, of \"random\" and \"time\".",
      {0.001, 0.999});
    f(top, "k", 10, "How many of the best items are judged.", {1, 10000});
    f(options.factors, "factors", 0, "Factors; 0: the model's own number.", {0, 10000});
    f(options.epochs, "epochs", 0, "Passes over the rows; 0: the model's own number.", {0, 100000});
    f(options.lr, "lr", -1, "Learning rate; -1: the model's own.", {-1, 100});
    f(options.reg, "reg", -1, "Regularisation; -1: the model's own.", {-1, 1e9});
    f(options.k, "neighbours", 0, "Neighbours; 0: the model's own number.", {0, 100000});
    Settings::declare(f);
    options.random_state = static_cast<uint64_t>(seed);
  }
  bool is_rating_model() const {
    return dynamic_cast<RatingModel*>(make_recommender(model).get()) != nullptr;
  }
  Interactions read(const std::string& from) const {
    const Interactions all =
        from == "ml-100k" ? movielens_100k() : read_interactions(from, columns);
    return at_least == 0 ? all : liked(all, at_least);
  }
  std::vector<Fold> splits(const Interactions& all) const {
    const auto drawn = static_cast<uint64_t>(seed);
    if (split == "folds") return k_fold(all, {.n_splits = folds, .random_state = drawn});
    if (split == "random") return {random_split(all, test, drawn)};
    return {split == "time" ? time_split(all, test) : leave_one_out(all)};
  }
};

void train(Run& run, const RecommendSettings& s) {
  const Interactions all = s.read(s.data);
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
    const auto* name = std::get_if<std::string>(&input);
    if (!name) throw ValueError("a user is named by a text");
    const auto at = std::ranges::find(known_.users, *name);
    if (at == known_.users.end())
      throw ValueError(fmt::format("'{}' is none of the {} users", *name, known_.n_users()));
    report::Table table{{{"item"}, {"score"}, {"because of"}}, {}};
    for (const Recommendation& r :
         model_->recommend(at - known_.users.begin(), top > 0 ? top : settings_.top)) {
      std::string why;
      for (const auto& [item, weight] : r.because)
        why += (why.empty() ? "" : ", ") + known_.title(item);
      table.rows.push_back({known_.title(r.item), r.score, why});
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
    return judged(*model_, renumbered(all.take(rows), known_), settings_.top, true);
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
    .evaluate_help = "Prints how well it foretells the rows that were not learned from.",
    .resumes = false,
    .ranks = true,
    .input_option = "user",
});

}  // namespace
}  // namespace glia::recipes
