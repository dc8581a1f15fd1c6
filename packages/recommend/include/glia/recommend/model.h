// What all recommenders are: they learn from interactions, score items for users, and recommend.
//
//   recommend::SVD model;
//   model.fit(recommend::movielens_100k());
//   for (const recommend::Recommendation& r : model.recommend(0)) ...
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "glia/nn/module.h"
#include "glia/recommend/interactions.h"

namespace glia::recommend {

struct Recommendation {
  int64_t item = 0;
  double score = 0;
  // Items that the user has, and how much each speaks for it, the most first: the reasons.
  std::vector<std::pair<int64_t, double>> because = {};
};

// The base. What is learned are a module's fields; what else a model needs it takes from the
// training data, so that a model is loaded by initialise() with these and load_state_dict().
class Recommender : public nn::Module {
 public:
  // Learns from scratch. Throws ValueError for options out of range and for data without rows.
  void fit(const Interactions& train);
  // The same in two steps: takes the data and draws first values (by Options::random_state); and
  // goes on from the values that there are, which may have been set in between.
  void initialise(const Interactions& train);
  void learn();
  // Called after each pass over the data with its number from 1 and the loss, NaN where a model
  // knows none; stops where it returns false.
  std::function<bool(int64_t epoch, double loss)> on_epoch = {};

  // Scores of all items, f32 (users, I): the higher the better. Throws ValueError for a user that
  // is none, and before initialise().
  Tensor scores(const std::vector<int32_t>& users) const;
  // The best items for a user that it does not have, or of all. Ties go to the smaller number.
  std::vector<Recommendation> recommend(int64_t user, int64_t n = 10,
                                        bool filter_already_liked_items = true) const;

  const RatingMatrix& ratings() const;  // of the training data

 protected:
  Recommender() = default;
  virtual void begin() = 0;  // what initialise() does, with ratings() and scale() there
  virtual void run() = 0;    // what learn() does
  virtual Tensor score(const std::vector<int32_t>& users) const = 0;
  // How much the item `had` of the user speaks for another one: NaN where nothing is known.
  virtual double reason(int64_t item, int64_t had, double rating) const;
  std::pair<double, double> scale() const { return scale_; }
  const Interactions& interactions() const { return *interactions_; }
  bool told(int64_t epoch, double loss) const { return !on_epoch || on_epoch(epoch, loss); }

 private:
  std::shared_ptr<const RatingMatrix> ratings_;
  std::shared_ptr<const Interactions> interactions_;
  std::pair<double, double> scale_{0, 0};
};

// Models of what a user would give to an item: Surprise's names and defaults.
class RatingModel : public Recommender {
 public:
  // Within the scale of ratings. Of what the training data lack it is what the model's formula
  // leaves, or the mean of all ratings.
  double predict(int64_t user, int64_t item) const;
  // Of each row.
  std::vector<double> predict(const Interactions& pairs) const;

 protected:
  // What a model defines: one of the two, each of which is made of the other. A function of user
  // and item that reads what was learned; and the values of many pairs. Not cut to the scale.
  using Estimate = std::function<double(int64_t user, int64_t item)>;
  virtual Estimate estimate() const;
  virtual std::vector<double> estimates(const std::vector<int32_t>& users,
                                        const std::vector<int32_t>& items) const;
  Tensor score(const std::vector<int32_t>& users) const override;
};

// ---- By name ----------------------------------------------------------------------------------

// What is common to most models; 0 or less: the model's own default.
struct ModelOptions {
  int64_t factors = 0, epochs = 0;
  double lr = -1, reg = -1;
  int64_t k = 0;  // of neighbours
  uint64_t random_state = 0;
};
// "svd", "als", ...: what make_recommender() takes.
std::vector<std::string> recommender_names();
std::unique_ptr<Recommender> make_recommender(const std::string& name,
                                              const ModelOptions& options = {});

}  // namespace glia::recommend
