// Splits of samples, and how good an estimator is on samples that it has not seen: scikit-learn's
// names, defaults and, where nothing is drawn, its very splits.
//
//   const Tensor scores = cross_val_score(KMeans({.n_clusters = 3}), x, y, {.cv = 10});
//   for (const auto& [train, test] : StratifiedKFold({.shuffle = true}).split(x, y)) ...
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "glia/classic/estimator.h"
#include "glia/classic/scorers.h"

namespace glia::classic {

// ---- Splits ------------------------------------------------------------------------------------

// Positions of samples, i64. Those of a test ascend unless they were drawn.
struct TrainTest {
  Tensor train, test;
};

// The splits of one set of samples, each made when it is asked for.
class Splits {
 public:
  Splits(int64_t count, std::function<TrainTest(int64_t)> make);

  int64_t size() const { return count_; }
  // Throws ValueError unless 0 <= i < size().
  TrainTest operator[](int64_t i) const;

  class Iterator {
   public:
    Iterator(const Splits* splits, int64_t at) : splits_(splits), at_(at) {}
    TrainTest operator*() const { return (*splits_)[at_]; }
    Iterator& operator++();
    bool operator!=(const Iterator& other) const { return at_ != other.at_; }

   private:
    const Splits* splits_;
    int64_t at_;
  };
  Iterator begin() const { return {this, 0}; }
  Iterator end() const { return {this, count_}; }

 private:
  int64_t count_;
  std::function<TrainTest(int64_t)> make_;
};

// A way to split samples. What is drawn depends on the seed alone.
class CrossValidator {
 public:
  virtual ~CrossValidator() = default;
  virtual std::string_view name() const = 0;  // "KFold"
  virtual std::unique_ptr<CrossValidator> clone() const = 0;
  // Of x (samples, ...). Stratified ones need y (samples), which are classes, and those by groups
  // integers `groups` (samples); others do not look at them. Throws ValueError where there are too
  // few samples, classes or groups.
  virtual Splits split(const Tensor& x, const Tensor& y = {}, const Tensor& groups = {},
                       Where where = Where::current()) const = 0;
  int64_t get_n_splits(const Tensor& x, const Tensor& y = {}, const Tensor& groups = {},
                       Where where = Where::current()) const;

 protected:
  CrossValidator() = default;
  CrossValidator(const CrossValidator&) = default;
  CrossValidator(CrossValidator&&) noexcept = default;
  CrossValidator& operator=(const CrossValidator&) = default;
  CrossValidator& operator=(CrossValidator&&) noexcept = default;
};

struct KFoldOptions {
  int64_t n_splits = 5;  // at least 2
  bool shuffle = false;
  uint64_t random_state = 0;  // of shuffle
};

// What the k-folds have in common.
class KFoldBase : public CrossValidator {
 public:
  const KFoldOptions& options() const { return options_; }

 protected:
  KFoldBase(std::string_view name, const KFoldOptions& options, Where where);

  KFoldOptions options_;
};

// Each sample is in one test: runs of neighbours, the first of them one larger (Stone 1974).
class KFold : public KFoldBase {
 public:
  explicit KFold(const KFoldOptions& options = {}, Where where = Where::current())
      : KFoldBase("KFold", options, where) {}
  std::string_view name() const override { return "KFold"; }
  std::unique_ptr<CrossValidator> clone() const override { return std::make_unique<KFold>(*this); }
  Splits split(const Tensor& x, const Tensor& y = {}, const Tensor& groups = {},
               Where where = Where::current()) const override;
};

// The same with each class's share in every test, as nearly as it goes (Kohavi 1995).
class StratifiedKFold : public KFoldBase {
 public:
  explicit StratifiedKFold(const KFoldOptions& options = {}, Where where = Where::current())
      : KFoldBase("StratifiedKFold", options, where) {}
  std::string_view name() const override { return "StratifiedKFold"; }
  std::unique_ptr<CrossValidator> clone() const override {
    return std::make_unique<StratifiedKFold>(*this);
  }
  Splits split(const Tensor& x, const Tensor& y = {}, const Tensor& groups = {},
               Where where = Where::current()) const override;
};

// A group's samples are in one test together; the largest group goes to the smallest test first.
// Shuffled, each test has as many groups instead.
class GroupKFold : public KFoldBase {
 public:
  explicit GroupKFold(const KFoldOptions& options = {}, Where where = Where::current())
      : KFoldBase("GroupKFold", options, where) {}
  std::string_view name() const override { return "GroupKFold"; }
  std::unique_ptr<CrossValidator> clone() const override {
    return std::make_unique<GroupKFold>(*this);
  }
  Splits split(const Tensor& x, const Tensor& y = {}, const Tensor& groups = {},
               Where where = Where::current()) const override;
};

// Groups stay together, and each goes where the shares of the classes differ least then.
class StratifiedGroupKFold : public KFoldBase {
 public:
  explicit StratifiedGroupKFold(const KFoldOptions& options = {}, Where where = Where::current())
      : KFoldBase("StratifiedGroupKFold", options, where) {}
  std::string_view name() const override { return "StratifiedGroupKFold"; }
  std::unique_ptr<CrossValidator> clone() const override {
    return std::make_unique<StratifiedGroupKFold>(*this);
  }
  Splits split(const Tensor& x, const Tensor& y = {}, const Tensor& groups = {},
               Where where = Where::current()) const override;
};

struct RepeatedKFoldOptions {
  int64_t n_splits = 5;
  int64_t n_repeats = 10;
  uint64_t random_state = 0;
};
// Shuffled k-folds, several times.
class RepeatedKFold : public CrossValidator {
 public:
  explicit RepeatedKFold(const RepeatedKFoldOptions& options = {}, Where where = Where::current());
  std::string_view name() const override { return "RepeatedKFold"; }
  std::unique_ptr<CrossValidator> clone() const override {
    return std::make_unique<RepeatedKFold>(*this);
  }
  Splits split(const Tensor& x, const Tensor& y = {}, const Tensor& groups = {},
               Where where = Where::current()) const override;

 private:
  RepeatedKFoldOptions options_;
};
class RepeatedStratifiedKFold : public CrossValidator {
 public:
  explicit RepeatedStratifiedKFold(const RepeatedKFoldOptions& options = {},
                                   Where where = Where::current());
  std::string_view name() const override { return "RepeatedStratifiedKFold"; }
  std::unique_ptr<CrossValidator> clone() const override {
    return std::make_unique<RepeatedStratifiedKFold>(*this);
  }
  Splits split(const Tensor& x, const Tensor& y = {}, const Tensor& groups = {},
               Where where = Where::current()) const override;

 private:
  RepeatedKFoldOptions options_;
};

// How many samples: an integer, or a share between 0 and 1; nothing: what the other side leaves.
using SplitSize = std::variant<std::monostate, int64_t, double>;

struct ShuffleSplitOptions {
  int64_t n_splits = 10;
  SplitSize test_size = {};  // of a share it is rounded up; unset along with train_size: 0.1
  SplitSize train_size = {};
  uint64_t random_state = 0;
};
// Tests and trainings drawn anew each time; test_size of GroupShuffleSplit counts groups, and is
// 0.2 if it is unset.
class ShuffleSplit : public CrossValidator {
 public:
  explicit ShuffleSplit(const ShuffleSplitOptions& options = {}, Where where = Where::current());
  std::string_view name() const override { return "ShuffleSplit"; }
  std::unique_ptr<CrossValidator> clone() const override {
    return std::make_unique<ShuffleSplit>(*this);
  }
  Splits split(const Tensor& x, const Tensor& y = {}, const Tensor& groups = {},
               Where where = Where::current()) const override;

 private:
  ShuffleSplitOptions options_;
};
class StratifiedShuffleSplit : public CrossValidator {
 public:
  explicit StratifiedShuffleSplit(const ShuffleSplitOptions& options = {},
                                  Where where = Where::current());
  std::string_view name() const override { return "StratifiedShuffleSplit"; }
  std::unique_ptr<CrossValidator> clone() const override {
    return std::make_unique<StratifiedShuffleSplit>(*this);
  }
  Splits split(const Tensor& x, const Tensor& y = {}, const Tensor& groups = {},
               Where where = Where::current()) const override;

 private:
  ShuffleSplitOptions options_;
};
class GroupShuffleSplit : public CrossValidator {
 public:
  explicit GroupShuffleSplit(const ShuffleSplitOptions& options = {.n_splits = 5},
                             Where where = Where::current());
  std::string_view name() const override { return "GroupShuffleSplit"; }
  std::unique_ptr<CrossValidator> clone() const override {
    return std::make_unique<GroupShuffleSplit>(*this);
  }
  Splits split(const Tensor& x, const Tensor& y = {}, const Tensor& groups = {},
               Where where = Where::current()) const override;

 private:
  ShuffleSplitOptions options_;
};

struct TimeSeriesSplitOptions {
  int64_t n_splits = 5;
  std::optional<int64_t> max_train_size{};  // of the latest samples
  std::optional<int64_t> test_size{};       // unset: samples / (n_splits + 1)
  int64_t gap = 0;                          // samples left out before each test
};
// Of samples in order of time: tests follow each other up to the end, trained on what was before.
class TimeSeriesSplit : public CrossValidator {
 public:
  explicit TimeSeriesSplit(const TimeSeriesSplitOptions& options = {},
                           Where where = Where::current());
  std::string_view name() const override { return "TimeSeriesSplit"; }
  std::unique_ptr<CrossValidator> clone() const override {
    return std::make_unique<TimeSeriesSplit>(*this);
  }
  Splits split(const Tensor& x, const Tensor& y = {}, const Tensor& groups = {},
               Where where = Where::current()) const override;

 private:
  TimeSeriesSplitOptions options_;
};

// Every set of p samples is a test, in lexicographic order.
class LeavePOut : public CrossValidator {
 public:
  explicit LeavePOut(int64_t p, Where where = Where::current());
  std::string_view name() const override { return "LeavePOut"; }
  std::unique_ptr<CrossValidator> clone() const override {
    return std::make_unique<LeavePOut>(*this);
  }
  Splits split(const Tensor& x, const Tensor& y = {}, const Tensor& groups = {},
               Where where = Where::current()) const override;

 private:
  int64_t p_;
};
class LeaveOneOut : public LeavePOut {
 public:
  LeaveOneOut() : LeavePOut(1) {}
  std::string_view name() const override { return "LeaveOneOut"; }
  std::unique_ptr<CrossValidator> clone() const override {
    return std::make_unique<LeaveOneOut>(*this);
  }
};

// Every set of p groups is a test.
class LeavePGroupsOut : public CrossValidator {
 public:
  explicit LeavePGroupsOut(int64_t n_groups, Where where = Where::current());
  std::string_view name() const override { return "LeavePGroupsOut"; }
  std::unique_ptr<CrossValidator> clone() const override {
    return std::make_unique<LeavePGroupsOut>(*this);
  }
  Splits split(const Tensor& x, const Tensor& y = {}, const Tensor& groups = {},
               Where where = Where::current()) const override;

 private:
  int64_t p_;
};
class LeaveOneGroupOut : public LeavePGroupsOut {
 public:
  LeaveOneGroupOut() : LeavePGroupsOut(1) {}
  std::string_view name() const override { return "LeaveOneGroupOut"; }
  std::unique_ptr<CrossValidator> clone() const override {
    return std::make_unique<LeaveOneGroupOut>(*this);
  }
};

// The test that each sample is in, integers (samples); a sample of -1 is in none.
class PredefinedSplit : public CrossValidator {
 public:
  explicit PredefinedSplit(const Tensor& test_fold, Where where = Where::current());
  std::string_view name() const override { return "PredefinedSplit"; }
  std::unique_ptr<CrossValidator> clone() const override {
    return std::make_unique<PredefinedSplit>(*this);
  }
  Splits split(const Tensor& x, const Tensor& y = {}, const Tensor& groups = {},
               Where where = Where::current()) const override;

 private:
  std::vector<int64_t> test_fold_;
};

struct TrainTestSplitOptions {
  SplitSize test_size = {};  // unset along with train_size: 0.25
  SplitSize train_size = {};
  uint64_t random_state = 0;
  bool shuffle = true;   // unset: the test is behind the training
  Tensor stratify = {};  // classes (samples) whose shares both sides have
};
// One split of so many samples: their positions.
TrainTest train_test_split(int64_t n_samples, const TrainTestSplitOptions& options = {},
                           Where where = Where::current());
// Of each array (samples, ...) its training and its test samples: x_train, x_test, y_train, ...
std::vector<Tensor> train_test_split(const std::vector<Tensor>& arrays,
                                     const TrainTestSplitOptions& options = {},
                                     Where where = Where::current());

// What functions below take for splits: a number of folds, a splitter, or the splits themselves.
class CV {
 public:
  CV(int64_t n_splits = 5);
  CV(const CrossValidator& splitter);
  CV(std::vector<TrainTest> splits);

  // Folds of a classifier are stratified by y.
  Splits split(const Tensor& x, const Tensor& y, const Tensor& groups, bool classifier,
               Where where = Where::current()) const;
  // The number of folds, if that was given.
  std::optional<int64_t> n_splits() const;

 private:
  std::variant<int64_t, std::shared_ptr<const CrossValidator>, std::vector<TrainTest>> given_;
};

// ---- Validation --------------------------------------------------------------------------------
// A copy of the estimator is fitted for each split; the estimator itself stays as it is. Options
// that all of these have:
//   cv             how to split
//   groups         integers (samples), for splitters that need them
//   sample_weight  (samples), for fit()
//   scoring        a scorer's name; empty: score() of the estimator
//   scorer         one of your own, instead of a name
//   error_score    the score where fit() or the scorer throws an Error; unset: it is thrown. If all
//                  fits fail, the first fault is
//   n_jobs         fits that run at once: 1, or so many; -1: as many as there are threads. Results
//                  are the same

inline constexpr double kNanScore = std::numeric_limits<double>::quiet_NaN();

struct CrossValScoreOptions {
  CV cv = {};
  std::string scoring = {};
  Scorer scorer = {};
  Tensor groups = {}, sample_weight = {};
  std::optional<double> error_score = kNanScore;
  int64_t n_jobs = 1;
};
// The score of each split, (splits).
Tensor cross_val_score(const Estimator& estimator, const Tensor& x, const Tensor& y = {},
                       const CrossValScoreOptions& options = {}, Where where = Where::current());

struct CrossValidateOptions {
  CV cv = {};
  std::vector<std::string> scoring = {};  // several names; none, and no scorers: score()
  std::vector<NamedScorer> scorers = {};  // besides
  Tensor groups = {}, sample_weight = {};
  bool return_train_score = false;
  bool return_estimator = false;
  bool return_indices = false;
  std::optional<double> error_score = kNanScore;
  int64_t n_jobs = 1;
};
// Scores (splits) by their scorers' names, which is "score" where none was named.
struct CrossValidation {
  Tensor fit_time, score_time;  // seconds, (splits)
  std::vector<std::pair<std::string, Tensor>> test_scores, train_scores;
  std::vector<std::shared_ptr<const Estimator>> estimators;  // of each split, if asked for
  std::vector<TrainTest> indices;                            // if asked for
  std::vector<std::string> errors;  // why there is no score, of each split; empty if there is one

  // Throws Error where there is none of that name.
  const Tensor& test(std::string_view name = "score", Where where = Where::current()) const;
  const Tensor& train(std::string_view name = "score", Where where = Where::current()) const;
};
CrossValidation cross_validate(const Estimator& estimator, const Tensor& x, const Tensor& y = {},
                               const CrossValidateOptions& options = {},
                               Where where = Where::current());

enum class PredictMethod { kPredict, kPredictProba, kDecisionFunction, kTransform };
struct CrossValPredictOptions {
  CV cv = {};
  PredictMethod method = PredictMethod::kPredict;
  Tensor groups = {}, sample_weight = {};
  int64_t n_jobs = 1;
};
// What is said of each sample by the estimator that was fitted without it, (samples, ...). Each
// sample must be in one test. A class that a training has not gets probability 0, or the lowest
// number as its decision.
Tensor cross_val_predict(const Estimator& estimator, const Tensor& x, const Tensor& y = {},
                         const CrossValPredictOptions& options = {},
                         Where where = Where::current());

struct LearningCurveOptions {
  std::vector<double> train_sizes = {0.1, 0.325, 0.55, 0.775, 1};  // shares of the training
  std::vector<int64_t> train_counts = {};                          // or how many samples, instead
  CV cv = {};
  std::string scoring = {};
  Scorer scorer = {};
  Tensor groups = {}, sample_weight = {};
  bool shuffle = false;  // draws which samples of a training come first
  uint64_t random_state = 0;
  std::optional<double> error_score = kNanScore;
  int64_t n_jobs = 1;
};
struct LearningCurve {
  Tensor train_sizes;                // i64 (sizes), ascending, each once
  Tensor train_scores, test_scores;  // (sizes, splits)
  Tensor fit_times, score_times;     // seconds, (sizes, splits)
};
// Scores after training on the first so many samples of each training.
LearningCurve learning_curve(const Estimator& estimator, const Tensor& x, const Tensor& y = {},
                             const LearningCurveOptions& options = {},
                             Where where = Where::current());

struct ValidationCurve {
  Tensor train_scores, test_scores;  // (values, splits)
};
// Scores for each value of one option.
ValidationCurve validation_curve(const Estimator& estimator, const Tensor& x, const Tensor& y,
                                 const std::string& param_name,
                                 const std::vector<ParamValue>& param_range,
                                 const CrossValScoreOptions& options = {},
                                 Where where = Where::current());

struct PermutationTestOptions {
  CV cv = {};
  int64_t n_permutations = 100;
  std::string scoring = {};
  Scorer scorer = {};
  Tensor groups = {};  // y is permuted within each, if given
  Tensor sample_weight = {};
  uint64_t random_state = 0;
  int64_t n_jobs = 1;
};
struct PermutationTest {
  double score = 0;           // the mean over splits
  Tensor permutation_scores;  // (n_permutations), with y permuted
  double pvalue = 0;          // the share of permutations, and of y itself, that are as good
};
// Whether the score is better than chance: test 1 of Ojala & Garriga 2010. Faults are thrown.
PermutationTest permutation_test_score(const Estimator& estimator, const Tensor& x, const Tensor& y,
                                       const PermutationTestOptions& options = {},
                                       Where where = Where::current());

}  // namespace glia::classic
