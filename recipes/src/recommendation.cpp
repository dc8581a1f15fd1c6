#include "recommendation.h"

#include <fmt/format.h>

#include <unordered_map>

#include "glia/error.h"
#include "glia/io.h"

namespace glia::recipes {

using recommend::Interactions;

Results judged(const recommend::Recommender& model, const Interactions& test, int64_t k,
               bool ranks) {
  Results out;
  if (const auto* rating = dynamic_cast<const recommend::RatingModel*>(&model))
    out = {{"rmse", recommend::rmse(*rating, test)}, {"mae", recommend::mae(*rating, test)}};
  if (!ranks && !out.empty()) return out;
  const recommend::Ranking r = recommend::rank(model, test, {.k = k});
  const std::pair<const char*, double> all[] = {
      {"ndcg", r.ndcg},         {"hit", r.hit},        {"map", r.map},
      {"mrr", r.mrr},           {"recall", r.recall},  {"precision", r.precision},
      {"coverage", r.coverage}, {"novelty", r.novelty}};
  for (const auto& [name, value] : all) out.push_back({fmt::format("{}_at_{}", name, k), value});
  return out;
}

void append(StateDict& weights, const Interactions& known) {
  const Shape n = {known.size()};
  weights.emplace_back("train.user", from_vector(known.user, n));
  weights.emplace_back("train.item", from_vector(known.item, n));
  weights.emplace_back("train.rating", from_vector(known.rating, n));
  if (!known.time.empty()) weights.emplace_back("train.time", from_vector(known.time, n));
}

Facts facts_of(const Interactions& known) {
  return {{"users", known.users},
          {"items", known.items},
          {"titles", known.titles},
          {"scale", std::vector<double>{known.rating_scale.first, known.rating_scale.second}}};
}

Interactions known_of(const Saved& saved) {
  Interactions out{.users = saved.texts("users"),
                   .items = saved.texts("items"),
                   .titles = saved.texts("titles")};
  for (const auto& [name, value] : saved.weights) {
    if (name == "train.user") out.user = value.to_vector<int32_t>();
    if (name == "train.item") out.item = value.to_vector<int32_t>();
    if (name == "train.rating") out.rating = value.to_vector<double>();
    if (name == "train.time") out.time = value.to_vector<int64_t>();
  }
  const std::vector<double> scale = saved.numbers("scale");
  const size_t rows = out.user.size();
  if (scale.size() != 2 || out.item.size() != rows || out.rating.size() != rows ||
      (!out.time.empty() && out.time.size() != rows) ||
      (!out.titles.empty() && out.titles.size() != out.items.size()))
    throw IoError(saved.path + ": what it says of its rows does not fit together");
  out.rating_scale = {scale[0], scale[1]};
  return out;
}

Interactions renumbered(const Interactions& rows, const Interactions& known) {
  std::unordered_map<std::string, int32_t> users, items;
  for (size_t i = 0; i < known.users.size(); ++i) users[known.users[i]] = static_cast<int32_t>(i);
  for (size_t i = 0; i < known.items.size(); ++i) items[known.items[i]] = static_cast<int32_t>(i);
  Interactions out{.users = known.users, .items = known.items};
  for (size_t k = 0; k < rows.user.size(); ++k) {
    const auto u = users.find(rows.users[static_cast<size_t>(rows.user[k])]);
    const auto i = items.find(rows.items[static_cast<size_t>(rows.item[k])]);
    if (u == users.end() || i == items.end()) continue;
    out.user.push_back(u->second);
    out.item.push_back(i->second);
    out.rating.push_back(rows.rating[k]);
  }
  return out;
}

Interactions liked(const Interactions& all, double rating) {
  std::vector<int64_t> rows;
  for (int64_t k = 0; k < all.size(); ++k)
    if (all.rating[static_cast<size_t>(k)] >= rating) rows.push_back(k);
  return all.take(rows);
}

void RecommendSettings::declare(Fields& f) {
  f(data, "data", "ml-100k", "A data set, or a table of users, items, ratings and times.",
    data_sets("recommendation", "FILE.csv"));
  f(columns.user, "user", "", "The column of users; empty: by its name, else the first.");
  f(columns.item, "item", "", "The column of items; empty: by its name, else the next.");
  f(columns.rating, "rating", "", "The column of ratings; empty: by its name, if there is one.");
  f(columns.time, "time", "", "The column of times; empty: by its name, if there is one.");
  f(model, "model", "svd", "How it is learned.", {recommend::recommender_names()});
  f(at_least, "liked", 0, "Only rows with that rating at least count; 0: all.", {0, 1e9});
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

bool RecommendSettings::is_rating_model() const {
  return dynamic_cast<recommend::RatingModel*>(recommend::make_recommender(model).get()) != nullptr;
}

recommend::Interactions RecommendSettings::read(const std::string& from) const {
  Interactions all =
      from == "ml-100k" ? recommend::movielens_100k() : recommend::read_interactions(from, columns);
  if (at_least != 0) all = liked(all, at_least);
  if (all.size() == 0)
    throw IoError(fmt::format("{}: no rating is {} or more (--liked)", from, at_least));
  return all;
}

std::vector<recommend::Fold> RecommendSettings::splits(const Interactions& all) const {
  const auto drawn = static_cast<uint64_t>(seed);
  if (split == "folds" && folds > all.size())
    throw Error(fmt::format("--folds: {} are too many of {} rows", folds, all.size()));
  if (split == "time" && all.time.empty())
    throw Error("--split time: " + data + " has no column of times");
  if (split == "folds") return k_fold(all, {.n_splits = folds, .random_state = drawn});
  if (split == "random") return {random_split(all, test, drawn)};
  return {split == "time" ? time_split(all, test) : leave_one_out(all)};
}

}  // namespace glia::recipes
