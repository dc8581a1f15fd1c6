// What users would like: ratings foretold, or items ranked.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "glia/glia.h"
#include "glia/recipes/run.h"
#include "glia/recommend/metrics.h"

namespace glia::recipes {
namespace {

using namespace recommend;

struct RecommendSettings : Settings {
  std::string data, model, split;
  InteractionColumns columns;
  ModelOptions options;
  int64_t folds = 0, top = 0;
  double test = 0, liked = 0;

  void declare(Fields& f) override {
    f(data, "data", "ml-100k", "A data set, or a table of users, items, ratings and times.",
      data_sets("recommendation", "FILE.csv"));
    f(columns.user, "user", "", "The column of users; empty: by its name, else the first.");
    f(columns.item, "item", "", "The column of items; empty: by its name, else the next.");
    f(columns.rating, "rating", "", "The column of ratings; empty: by its name, if there is one.");
    f(columns.time, "time", "", "The column of times; empty: by its name, if there is one.");
    f(model, "model", "svd", "How it is learned.", {recommender_names()});
    f(liked, "liked", 0, "Only rows with that rating at least count; 0: all.", {0, 1e9});
    const bool foretells = is_rating_model();
    f(split, "split", foretells ? "folds" : "random", "Which rows are tested on.",
      {{"folds", "random", "time", "leave-one-out"}});
    f(folds, "folds", 5, "Folds of the split \"folds\".", {2, 1000});
    f(test, "test", 0.2, "Share of the rows to test on, of \"random\" and \"time\".", {0.001, 0.999});
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
    Interactions all = from == "ml-100k" ? movielens_100k() : read_interactions(from, columns);
    if (liked == 0) return all;
    std::vector<int64_t> rows;
    for (int64_t k = 0; k < all.size(); ++k)
      if (all.rating[static_cast<size_t>(k)] >= liked) rows.push_back(k);
    return all.take(rows);
  }
  std::vector<Fold> splits(const Interactions& all) const {
    const auto drawn = static_cast<uint64_t>(seed);
    if (split == "folds") return k_fold(all, {.n_splits = folds, .random_state = drawn});
    if (split == "random") return {random_split(all, test, drawn)};
    return {split == "time" ? time_split(all, test) : leave_one_out(all)};
  }
};

// Errors of ratings first, if it foretells them, and the order of items, but of folds of ratings.
Results judged(const Recommender& model, const Interactions& test, const RecommendSettings& s) {
  Results out;
  const int64_t k = s.top;
  const auto* rating = dynamic_cast<const RatingModel*>(&model);
  if (rating) out = {{"rmse", rmse(*rating, test)}, {"mae", mae(*rating, test)}};
  if (rating && s.split == "folds") return out;
  const Ranking r = rank(model, test, {.k = k});
  for (const auto& [name, value] : {std::pair{"ndcg", r.ndcg}, {"hit", r.hit}, {"map", r.map},
                                    {"mrr", r.mrr}, {"recall", r.recall},
                                    {"precision", r.precision}, {"coverage", r.coverage},
                                    {"novelty", r.novelty}})
    out.push_back({fmt::format("{}_at_{}", name, k), value});
  return out;
}

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
    const Results found = judged(*model, all.take(folds[i].test), s);
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
  const Shape n = {known.size()};
  weights.emplace_back("train.user", from_vector(known.user, n));
  weights.emplace_back("train.item", from_vector(known.item, n));
  weights.emplace_back("train.rating", from_vector(known.rating, n));
  if (!known.time.empty()) weights.emplace_back("train.time", from_vector(known.time, n));
  run.save(weights, {{"users", all.users},
                     {"items", all.items},
                     {"titles", all.titles},
                     {"scale", std::vector<double>{all.rating_scale.first, all.rating_scale.second}}});

  means.push_back({"users", all.n_users()});
  means.push_back({"items", all.n_items()});
  report::Report page{.title = fmt::format("{} on {}", s.model,
                                           std::filesystem::path(s.data).filename().string()),
                      .subtitle = fmt::format("{} rows, split: {}; by {}",
                                              report::shown(static_cast<double>(all.size())), s.split,
                                              version()),
                      .sections = {{"Scores", table, "Of the rows that were not learned from.", true}}};
  if (!curves.series.empty()) page.sections.push_back({"Loss", curves});
  std::vector<double> often;
  for (int64_t i = 0; i < all.n_items(); ++i)
    often.push_back(static_cast<double>(model->ratings().of_item(i).size()));
  page.sections.push_back(
      {"Rows of an item",
       report::Histogram{{{"items", from_vector(often, {all.n_items()})}}, 30, false, {"rows"}}});
  run.finish(page, means);
}

class Use : public Predictor {
 public:
  Use(const Saved& saved, const RecommendSettings& s)
      : settings_(s), model_(make_recommender(s.model, s.options)) {
    known_.users = saved.texts("users");
    known_.items = saved.texts("items");
    known_.titles = saved.texts("titles");
    const std::vector<double> scale = saved.numbers("scale");
    const StateDict train = io::with_prefix(saved.weights, "train.");
    for (const auto& [name, value] : train) {
      if (name == "user") known_.user = value.to_vector<int32_t>();
      if (name == "item") known_.item = value.to_vector<int32_t>();
      if (name == "rating") known_.rating = value.to_vector<double>();
      if (name == "time") known_.time = value.to_vector<int64_t>();
    }
    const size_t rows = known_.user.size();
    if (scale.size() != 2 || known_.item.size() != rows || known_.rating.size() != rows ||
        (!known_.time.empty() && known_.time.size() != rows) ||
        (!known_.titles.empty() && known_.titles.size() != known_.items.size()))
      throw IoError(saved.path + ": what it says of its rows does not fit together");
    known_.rating_scale = {scale[0], scale[1]};
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
    return judged(*model_, renumbered(all.take(rows)), settings_);
  }

 private:
  // With this model's numbers; rows of users or items that it does not know are left out.
  Interactions renumbered(const Interactions& rows) const {
    Interactions out{.users = known_.users, .items = known_.items};
    for (size_t k = 0; k < rows.user.size(); ++k) {
      const auto u = std::ranges::find(known_.users, rows.users[static_cast<size_t>(rows.user[k])]);
      const auto i = std::ranges::find(known_.items, rows.items[static_cast<size_t>(rows.item[k])]);
      if (u == known_.users.end() || i == known_.items.end()) continue;
      out.user.push_back(static_cast<int32_t>(u - known_.users.begin()));
      out.item.push_back(static_cast<int32_t>(i - known_.items.begin()));
      out.rating.push_back(rows.rating[k]);
    }
    return out;
  }

  const RecommendSettings settings_;
  Interactions known_;
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
          {"svd", 0.934}, {"svdpp", 0.919}, {"nmf", 0.963}, {"slope-one", 0.946},
          {"knn-basic", 0.98}, {"knn-means", 0.951}, {"knn-baseline", 0.931}, {"baseline", 0.944},
          {"co-clustering", 0.963}};
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
