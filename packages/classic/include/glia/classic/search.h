// Searches for the options of an estimator by cross-validation. A search is an estimator itself, so
// that it can be validated (nested cross-validation), be a part of others, and be kept in a file.
//
//   GridSearchCV search(KMeans(), {categorical("n_clusters", {2, 3, 4})});
//   search.fit(x).best_params;
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "glia/classic/meta.h"
#include "glia/classic/model_selection.h"
#include "glia/classic/search_space.h"

namespace glia::classic {

struct SearchOptions {
  std::vector<std::string> scoring = {};  // scorers' names; none, and no scorers: score()
  std::vector<NamedScorer> scorers = {};  // besides
  std::string refit_metric = {};          // the scorer that decides; empty: the first
  bool refit = true;                      // the best options are fitted to all samples at the end
  CV cv = {};
  Tensor groups = {};  // integers (samples), for splitters that need them
  std::optional<double> error_score = kNanScore;
  bool return_train_score = false;
  int64_t n_jobs = 1;
};

// What came out for each candidate, in the order in which they were tried.
struct SearchScores {
  std::string name;                // of the scorer
  Tensor split_test, split_train;  // (candidates, splits); train if asked for
  Tensor mean_test, std_test;      // (candidates)
  Tensor mean_train, std_train;
  Tensor rank_test;  // i64 (candidates), 1 for the best; equal ones share the least
};
struct SearchResults {
  std::vector<ParamValues> params;
  Tensor mean_fit_time, std_fit_time, mean_score_time, std_score_time;  // seconds, (candidates)
  std::vector<SearchScores> scores;
  std::vector<int64_t> iter, n_resources;  // of halving: the iteration, and what it gave each
  std::vector<std::string> errors;         // the first of each candidate's splits, or empty

  // Throws Error where there is no scorer of that name; "": the only or first one.
  const SearchScores& of(std::string_view scorer = "", Where where = Where::current()) const;
};

// What all searches have in common. Predictions, transforms and scores are those of the best
// estimator; without refit there is none, and they throw Error. A state dict keeps it along with
// the candidates, their means, deviations and ranks.
class SearchCV : public MetaEstimator<Estimator> {
 public:
  SearchResults cv_results;
  int64_t best_index = -1;
  double best_score = 0;  // the mean over the splits
  ParamValues best_params;
  int64_t n_splits = 0;
  double refit_time = 0;  // seconds

  EstimatorKind kind() const override { return estimator_->kind(); }
  std::vector<Param> params() override;
  SearchCV& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                Where where = Where::current()) override;
  Tensor predict(const Tensor& x, Where where = Where::current()) const override;
  Tensor predict_proba(const Tensor& x, Where where = Where::current()) const override;
  Tensor decision_function(const Tensor& x, Where where = Where::current()) const override;
  Tensor transform(const Tensor& x, Where where = Where::current()) const override;
  Tensor inverse_transform(const Tensor& x, Where where = Where::current()) const override;
  // By the scorer that decides.
  double score(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
               Where where = Where::current()) const override;
  StateDict state_dict(Where where = Where::current()) const override;
  void load_state_dict(const StateDict& state, Where where = Where::current()) override;

  // Throws Error before fit(), and without refit.
  const Estimator& best_estimator(Where where = Where::current()) const;
  const SearchSpace& space() const { return space_; }
  const SearchOptions& options() const { return search_; }

 protected:
  // Candidates are judged in rounds, each on splits and samples of its own.
  struct Round {
    std::vector<ParamValues> candidates;
    int64_t iter = 0, n_resources = 0;  // of halving
    double share = 1;                   // of each split's samples, drawn by the search's seed
  };
  // The mean score that decides of each candidate of a round.
  using Judge = std::function<std::vector<double>(const Round&)>;
  struct Data {
    int64_t samples = 0, splits = 0, classes = 1;
  };

  SearchCV(const Estimator& estimator, SearchSpace space, const SearchOptions& options,
           Where where);

  std::vector<Param> own_params() override = 0;
  virtual void run(const Data& data, const Judge& judge, Where where) = 0;
  virtual void keep() {}  // what run() found: nothing can fail any more
  virtual uint64_t seed() const { return 0; }
  virtual bool last_iter_decides() const { return false; }

  SearchSpace space_;
  SearchOptions search_;

 private:
  std::vector<NamedScorer> scorers(Where where) const;  // the one that decides first

  std::shared_ptr<const Estimator> best_estimator_;
};

// Every combination of the space's values.
class GridSearchCV : public SearchCV {
 public:
  // Of k-means as it is, until another estimator is given: see set_parts().
  GridSearchCV();
  GridSearchCV(const Estimator& estimator, const SearchSpace& param_grid,
               const SearchOptions& options = {}, Where where = Where::current());
  std::string_view name() const override { return "GridSearchCV"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<GridSearchCV>(*this);
  }

 protected:
  std::vector<Param> own_params() override { return {}; }
  void run(const Data& data, const Judge& judge, Where where) override;
};

struct RandomizedSearchOptions {
  int64_t n_iter = 10;
  uint64_t random_state = 0;
};
// Draws from the space: the baseline to beat (Bergstra & Bengio 2012).
class RandomizedSearchCV : public SearchCV {
 public:
  RandomizedSearchCV();
  RandomizedSearchCV(const Estimator& estimator, const SearchSpace& param_distributions,
                     const RandomizedSearchOptions& random = {}, const SearchOptions& options = {},
                     Where where = Where::current());
  std::string_view name() const override { return "RandomizedSearchCV"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<RandomizedSearchCV>(*this);
  }

 protected:
  std::vector<Param> own_params() override;
  void run(const Data& data, const Judge& judge, Where where) override;

 private:
  RandomizedSearchOptions random_;
};

// Trials one after the other, each where those before were good: see TPESampler.
struct TPESearchOptions {
  int64_t n_iter = 50;
  TPEOptions sampler = {};
};
class TPESearchCV : public SearchCV {
 public:
  TPESearchCV();
  TPESearchCV(const Estimator& estimator, const SearchSpace& space,
              const TPESearchOptions& tpe = {}, const SearchOptions& options = {},
              Where where = Where::current());
  std::string_view name() const override { return "TPESearchCV"; }
  std::unique_ptr<Estimator> clone() const override { return std::make_unique<TPESearchCV>(*this); }

 protected:
  std::vector<Param> own_params() override;
  void run(const Data& data, const Judge& judge, Where where) override;

 private:
  TPESearchOptions tpe_;
};

enum class MinResources {
  kExhaust,   // so much that the last iteration has all there is
  kSmallest,  // twice as many samples as splits times classes; 1 of another resource
};
struct HalvingOptions {
  double factor = 3;                       // one of so many candidates is kept
  std::string resource = "n_samples";      // or an option of the estimator, an integer
  std::optional<int64_t> max_resources{};  // unset: all samples
  std::optional<int64_t> min_resources{};  // unset: see `minimum`
  // HalvingGridSearchCV has kExhaust, HalvingRandomSearchCV kSmallest if it is unset.
  std::optional<MinResources> minimum{};
  bool aggressive_elimination = false;  // repeats the first iteration until few are left
  uint64_t random_state = 0;            // of samples and candidates that are drawn
  // Of HalvingRandomSearchCV: how many are drawn; unset: as many as the resources allow.
  std::optional<int64_t> n_candidates{};
};
// Successive halving (Karnin et al. 2013; Jamieson & Talwalkar 2016): all candidates get little of
// a resource, the best of them more. The best of the last iteration is the best of all.
class HalvingSearchCV : public SearchCV {
 public:
  struct Course {
    std::vector<int64_t> n_resources, n_candidates;  // of each iteration
    int64_t n_remaining_candidates = 0, n_iterations = 0;
    int64_t n_possible_iterations = 0, n_required_iterations = 0;
    int64_t min_resources = 0, max_resources = 0;
  };
  Course course;  // of the last fit()

 protected:
  HalvingSearchCV(const Estimator& estimator, const SearchSpace& space,
                  const HalvingOptions& halving, const SearchOptions& options, Where where);
  std::vector<Param> own_params() override;
  void run(const Data& data, const Judge& judge, Where where) override;
  void keep() override { course = running_; }
  uint64_t seed() const override { return halving_.random_state; }
  bool last_iter_decides() const override { return true; }
  // `most`: as many as the resources allow.
  virtual std::vector<ParamValues> candidates(int64_t most, Where where) const = 0;

  HalvingOptions halving_;

 private:
  void settle_resources(const Data& data, Where where);

  Course running_;
};

class HalvingGridSearchCV : public HalvingSearchCV {
 public:
  HalvingGridSearchCV();
  HalvingGridSearchCV(const Estimator& estimator, const SearchSpace& param_grid,
                      const HalvingOptions& halving = {}, const SearchOptions& options = {},
                      Where where = Where::current());
  std::string_view name() const override { return "HalvingGridSearchCV"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<HalvingGridSearchCV>(*this);
  }

 protected:
  std::vector<ParamValues> candidates(int64_t most, Where where) const override;
};

class HalvingRandomSearchCV : public HalvingSearchCV {
 public:
  HalvingRandomSearchCV();
  HalvingRandomSearchCV(const Estimator& estimator, const SearchSpace& param_distributions,
                        const HalvingOptions& halving = {}, const SearchOptions& options = {},
                        Where where = Where::current());
  std::string_view name() const override { return "HalvingRandomSearchCV"; }
  std::unique_ptr<Estimator> clone() const override {
    return std::make_unique<HalvingRandomSearchCV>(*this);
  }

 protected:
  std::vector<ParamValues> candidates(int64_t most, Where where) const override;
};

}  // namespace glia::classic
