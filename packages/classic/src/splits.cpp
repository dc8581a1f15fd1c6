#include "splits.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "checks.h"
#include "glia/ops.h"

namespace glia::classic {

// ---- What is drawn, and positions ---------------------------------------------------------------

void shuffle(std::vector<int64_t>& values, data::Random& random) {
  for (size_t i = values.size(); i > 1; --i)
    std::swap(values[i - 1], values[static_cast<size_t>(random.below(static_cast<int64_t>(i)))]);
}

std::vector<int64_t> permutation(int64_t n, data::Random& random) {
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  shuffle(order, random);
  return order;
}

Tensor positions(const std::vector<int64_t>& values) {
  return from_vector(values, {static_cast<int64_t>(values.size())});
}

int64_t sample_count(std::string_view op, const Tensor& x, Where where) {
  if (!x.defined() || x.rank() == 0 || x.size(0) == 0)
    throw ShapeError(std::string(op) + ": X is (samples, ...), not " +
                         (x.defined() ? x.shape().str() : "undefined"),
                     where);
  return x.size(0);
}

Groups group_codes(std::string_view op, const Tensor& groups, int64_t samples, Where where) {
  if (!groups.defined()) throw Error(std::string(op) + ": it needs groups", where);
  if (groups.shape() != Shape{samples})
    throw ShapeError(
        std::string(op) + ": groups are " + Shape{samples}.str() + ", not " + groups.shape().str(),
        where);
  if (is_float(groups.dtype()))
    throw ValueError(std::string(op) + ": groups are integers, not " + glia::name(groups.dtype()),
                     where);
  const ClassTargets codes = check_classes(op, groups, samples, where);
  return {codes.codes.to_vector<int64_t>(), codes.classes.size(0)};
}

namespace {

[[noreturn]] void refuse(std::string_view op, const std::string& fault, Where where) {
  throw ValueError(std::string(op) + ": " + fault, where);
}

std::string count_of(const char* name, int64_t value) {
  return std::string(name) + " = " + std::to_string(value);
}

void require_at_least(std::string_view op, const char* name, int64_t value, int64_t least,
                      Where where) {
  if (value < least)
    refuse(op, count_of(name, value) + ", which is below " + std::to_string(least), where);
}

// The test of each sample; one of -1 is always trained on.
Splits by_fold(std::vector<int64_t> fold, int64_t count) {
  return {count, [fold = std::move(fold)](int64_t i) {
            std::vector<int64_t> train, test;
            for (size_t s = 0; s < fold.size(); ++s)
              (fold[s] == i ? test : train).push_back(static_cast<int64_t>(s));
            return TrainTest{positions(train), positions(test)};
          }};
}

// How many of n things each of `parts` has that follow each other: the first ones one more.
int64_t part_size(int64_t n, int64_t parts, int64_t i) { return n / parts + (i < n % parts); }

int64_t checked_samples(std::string_view op, const Tensor& x, int64_t n_splits, Where where) {
  const int64_t n = sample_count(op, x, where);
  if (n_splits > n)
    refuse(op, count_of("n_splits", n_splits) + " for " + std::to_string(n) + " samples", where);
  return n;
}

Groups checked_groups(std::string_view op, const Tensor& groups, int64_t samples, int64_t n_splits,
                      Where where) {
  Groups g = group_codes(op, groups, samples, where);
  if (n_splits > g.count)
    refuse(op, count_of("n_splits", n_splits) + " for " + std::to_string(g.count) + " groups",
           where);
  return g;
}

// 0, 1, ..., in an order that is drawn if the options say so.
std::vector<int64_t> order_of(int64_t n, const KFoldOptions& options) {
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  if (options.shuffle) {
    data::Random random(options.random_state);
    shuffle(order, random);
  }
  return order;
}

// Which class each sample has, and how many samples each class.
struct Strata {
  std::vector<int64_t> of, counts;
};
Strata strata_of(std::string_view op, const Tensor& y, int64_t samples, int64_t n_splits,
                 Where where) {
  const ClassTargets targets = check_classes(op, y, samples, where);
  Strata s{targets.codes.to_vector<int64_t>(),
           std::vector<int64_t>(static_cast<size_t>(targets.classes.size(0)))};
  for (const int64_t c : s.of) ++s.counts[c];
  const int64_t largest = *std::max_element(s.counts.begin(), s.counts.end());
  if (n_splits > largest)
    refuse(op,
           count_of("n_splits", n_splits) + ", but no class has more than " +
               std::to_string(largest) + " samples",
           where);
  return s;
}

}  // namespace

Splits::Splits(int64_t count, std::function<TrainTest(int64_t)> make)
    : count_(count), make_(std::move(make)) {}

TrainTest Splits::operator[](int64_t i) const {
  if (i < 0 || i >= count_)
    throw ValueError("Splits: there is no split " + std::to_string(i) + " of " +
                     std::to_string(count_));
  return make_(i);
}

Splits::Iterator& Splits::Iterator::operator++() {
  ++at_;
  return *this;
}

int64_t CrossValidator::get_n_splits(const Tensor& x, const Tensor& y, const Tensor& groups,
                                     Where where) const {
  return split(x, y, groups, where).size();
}

// ---- k folds ------------------------------------------------------------------------------------

KFoldBase::KFoldBase(std::string_view name, const KFoldOptions& options, Where where)
    : options_(options) {
  require_at_least(name, "n_splits", options.n_splits, 2, where);
}

Splits KFold::split(const Tensor& x, const Tensor&, const Tensor&, Where where) const {
  const int64_t k = options_.n_splits, n = checked_samples("KFold.split", x, k, where);
  const std::vector<int64_t> order = order_of(n, options_);
  std::vector<int64_t> fold(static_cast<size_t>(n));
  auto at = order.begin();
  for (int64_t i = 0; i < k; ++i)
    for (int64_t left = part_size(n, k, i); left > 0; --left) fold[*at++] = i;
  return by_fold(std::move(fold), k);
}

Splits StratifiedKFold::split(const Tensor& x, const Tensor& y, const Tensor&, Where where) const {
  const char* op = "StratifiedKFold.split";
  const int64_t k = options_.n_splits, n = checked_samples(op, x, k, where);
  const Strata s = strata_of(op, y, n, k, where);
  // Classes in the order of their first samples; sorted like that, each k-th sample is a fold's.
  std::vector<int64_t> place(s.counts.size(), -1), ordered;
  for (const int64_t c : s.of)
    if (place[c] < 0) {
      place[c] = static_cast<int64_t>(ordered.size());
      ordered.push_back(c);
    }
  data::Random random(options_.random_state);
  std::vector<std::vector<int64_t>> folds;  // of each class's samples
  int64_t before = 0;
  for (const int64_t c : ordered) {
    std::vector<int64_t> counts(static_cast<size_t>(k)), of;
    for (int64_t i = 0; i < s.counts[c]; ++i) ++counts[(before + i) % k];
    before += s.counts[c];
    for (int64_t i = 0; i < k; ++i) of.insert(of.end(), counts[i], i);
    if (options_.shuffle) shuffle(of, random);
    folds.push_back(std::move(of));
  }
  std::vector<int64_t> fold, next(s.counts.size());
  for (const int64_t c : s.of) fold.push_back(folds[place[c]][next[c]++]);
  return by_fold(std::move(fold), k);
}

Splits GroupKFold::split(const Tensor& x, const Tensor&, const Tensor& groups, Where where) const {
  const char* op = "GroupKFold.split";
  const int64_t k = options_.n_splits, n = checked_samples(op, x, k, where);
  const Groups g = checked_groups(op, groups, n, k, where);
  std::vector<int64_t> order = order_of(g.count, options_), fold_of(order.size());
  if (options_.shuffle) {
    auto at = order.begin();
    for (int64_t i = 0; i < k; ++i)
      for (int64_t left = part_size(g.count, k, i); left > 0; --left) fold_of[*at++] = i;
  } else {
    std::vector<int64_t> sizes(fold_of.size()), load(static_cast<size_t>(k));
    for (const int64_t group : g.of) ++sizes[group];
    // The largest first; of equal ones the last.
    std::stable_sort(order.begin(), order.end(),
                     [&](int64_t a, int64_t b) { return sizes[a] < sizes[b]; });
    std::reverse(order.begin(), order.end());
    for (const int64_t group : order) {
      const auto lightest = std::min_element(load.begin(), load.end());
      *lightest += sizes[group];
      fold_of[group] = lightest - load.begin();
    }
  }
  std::vector<int64_t> fold;
  for (const int64_t group : g.of) fold.push_back(fold_of[group]);
  return by_fold(std::move(fold), k);
}

namespace {

// Sums in NumPy's order, so that what is equal there is equal here.
double pairwise_sum(const double* x, int64_t n) {
  if (n < 8) return std::accumulate(x, x + n, 0.0);
  if (n > 128) {
    const int64_t half = n / 2 - n / 2 % 8;
    return pairwise_sum(x, half) + pairwise_sum(x + half, n - half);
  }
  double part[8];
  std::copy(x, x + 8, part);
  int64_t i = 8;
  for (; i < n - n % 8; i += 8)
    for (int64_t j = 0; j < 8; ++j) part[j] += x[i + j];
  const double sum =
      ((part[0] + part[1]) + (part[2] + part[3])) + ((part[4] + part[5]) + (part[6] + part[7]));
  return std::accumulate(x + i, x + n, sum);
}

double deviation(std::vector<double> x) {
  const auto n = static_cast<double>(x.size());
  const double mean = pairwise_sum(x.data(), static_cast<int64_t>(x.size())) / n;
  for (double& value : x) value = (value - mean) * (value - mean);
  return std::sqrt(pairwise_sum(x.data(), static_cast<int64_t>(x.size())) / n);
}

// Folds that groups are given to one by one, each with its number of samples of each class.
class Balance {
 public:
  Balance(int64_t folds, const std::vector<int64_t>& totals)
      : totals_(totals), counts_(static_cast<size_t>(folds), std::vector<double>(totals.size())) {}

  // Gives a group to the fold with which the folds' shares of classes differ least.
  int64_t add(const std::vector<double>& group) {
    int64_t best = 0;
    double least = std::numeric_limits<double>::infinity(), fewest = least;
    for (size_t i = 0; i < counts_.size(); ++i) {
      const double spread = spread_with(i, group);
      const double samples = std::accumulate(counts_[i].begin(), counts_[i].end(), 0.0);
      const bool close = std::isfinite(least) && std::abs(spread - least) <= 1e-8 + 1e-5 * least;
      if (spread < least || (close && samples < fewest)) {
        least = spread;
        fewest = samples;
        best = static_cast<int64_t>(i);
      }
    }
    for (size_t c = 0; c < group.size(); ++c) counts_[best][c] += group[c];
    return best;
  }

 private:
  double spread_with(size_t fold, const std::vector<double>& group) const {
    const auto k = static_cast<double>(counts_.size());
    std::vector<double> spreads;
    for (size_t c = 0; c < group.size(); ++c) {
      const auto share = [&](size_t i) {
        return (counts_[i][c] + (i == fold ? group[c] : 0)) / static_cast<double>(totals_[c]);
      };
      double sum = 0, squares = 0;
      for (size_t i = 0; i < counts_.size(); ++i) sum += share(i);
      for (size_t i = 0; i < counts_.size(); ++i)
        squares += (share(i) - sum / k) * (share(i) - sum / k);
      spreads.push_back(std::sqrt(squares / k));
    }
    return pairwise_sum(spreads.data(), static_cast<int64_t>(spreads.size())) /
           static_cast<double>(spreads.size());
  }

  const std::vector<int64_t>& totals_;       // of each class
  std::vector<std::vector<double>> counts_;  // of each fold, of each class
};

}  // namespace

Splits StratifiedGroupKFold::split(const Tensor& x, const Tensor& y, const Tensor& groups,
                                   Where where) const {
  const char* op = "StratifiedGroupKFold.split";
  const int64_t k = options_.n_splits, n = checked_samples(op, x, k, where);
  const Strata s = strata_of(op, y, n, k, where);
  const Groups g = checked_groups(op, groups, n, k, where);
  std::vector<int64_t> order = order_of(g.count, options_), fold_of(order.size());
  std::vector<std::vector<double>> counts(order.size(), std::vector<double>(s.counts.size()));
  for (int64_t i = 0; i < n; ++i) ++counts[g.of[i]][s.of[i]];
  std::vector<double> spread;
  for (const auto& of_group : counts) spread.push_back(deviation(of_group));
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return spread[a] > spread[b]; });
  Balance balance(k, s.counts);
  for (const int64_t group : order) fold_of[group] = balance.add(counts[group]);
  std::vector<int64_t> fold;
  for (const int64_t group : g.of) fold.push_back(fold_of[group]);
  return by_fold(std::move(fold), k);
}

namespace {

// Shuffled folds of F, each time of another seed, one after the other.
template <class F>
Splits repeated(const RepeatedKFoldOptions& options, const Tensor& x, const Tensor& y,
                Where where) {
  const auto folds = [options, x, y, where](int64_t repeat) {
    data::Random seed(options.random_state, static_cast<uint64_t>(repeat));
    return F(KFoldOptions{
                 .n_splits = options.n_splits, .shuffle = true, .random_state = seed.bits()})
        .split(x, y, {}, where);
  };
  const int64_t k = folds(0).size();
  return {k * options.n_repeats, [folds, k](int64_t i) { return folds(i / k)[i % k]; }};
}

void check_repeated(std::string_view op, const RepeatedKFoldOptions& options, Where where) {
  require_at_least(op, "n_splits", options.n_splits, 2, where);
  require_at_least(op, "n_repeats", options.n_repeats, 1, where);
  if (options.n_repeats > std::numeric_limits<int64_t>::max() / options.n_splits)
    refuse(op, count_of("n_repeats", options.n_repeats), where);
}

}  // namespace

RepeatedKFold::RepeatedKFold(const RepeatedKFoldOptions& options, Where where) : options_(options) {
  check_repeated("RepeatedKFold", options, where);
}
Splits RepeatedKFold::split(const Tensor& x, const Tensor& y, const Tensor&, Where where) const {
  return repeated<KFold>(options_, x, y, where);
}

RepeatedStratifiedKFold::RepeatedStratifiedKFold(const RepeatedKFoldOptions& options, Where where)
    : options_(options) {
  check_repeated("RepeatedStratifiedKFold", options, where);
}
Splits RepeatedStratifiedKFold::split(const Tensor& x, const Tensor& y, const Tensor&,
                                      Where where) const {
  return repeated<StratifiedKFold>(options_, x, y, where);
}

// ---- In order, all but a few, as told -----------------------------------------------------------

TimeSeriesSplit::TimeSeriesSplit(const TimeSeriesSplitOptions& options, Where where)
    : options_(options) {
  require_at_least("TimeSeriesSplit", "n_splits", options.n_splits, 2, where);
  require_at_least("TimeSeriesSplit", "gap", options.gap, 0, where);
  require_at_least("TimeSeriesSplit", "max_train_size", options.max_train_size.value_or(1), 1,
                   where);
  require_at_least("TimeSeriesSplit", "test_size", options.test_size.value_or(1), 1, where);
}

Splits TimeSeriesSplit::split(const Tensor& x, const Tensor&, const Tensor&, Where where) const {
  const char* op = "TimeSeriesSplit.split";
  const int64_t n = sample_count(op, x, where), k = options_.n_splits;
  const int64_t size = options_.test_size.value_or(k < n ? n / (k + 1) : 0);
  // Without products and sums that could be too large.
  if (k >= n || size > n / k || options_.gap >= n - size * k)
    refuse(op,
           std::to_string(n) + " samples are too few for " + count_of("n_splits", k) + ", " +
               count_of("test_size", size) + ", " + count_of("gap", options_.gap),
           where);
  const int64_t most = options_.max_train_size.value_or(n), gap = options_.gap;
  return {k, [=](int64_t i) {
            const int64_t begin = n - (k - i) * size, end = begin - gap;
            return TrainTest{arange(std::max<int64_t>(0, end - most), end, 1, kI64),
                             arange(begin, begin + size, 1, kI64)};
          }};
}

namespace {

// The number of sets of p among n; -1 if i64 does not hold it.
int64_t binomial(int64_t n, int64_t p) {
  p = std::min(p, n - p);
  __int128 count = 1;
  for (int64_t i = 1; i <= p; ++i) {
    count = count * (n - p + i) / i;
    if (count > std::numeric_limits<int64_t>::max()) return -1;
  }
  return static_cast<int64_t>(count);
}

// The i-th set of p among n, in lexicographic order.
std::vector<bool> combination(int64_t n, int64_t p, int64_t i) {
  std::vector<bool> in(static_cast<size_t>(n));
  for (int64_t at = 0; p > 0; ++at) {
    const int64_t with = binomial(n - at - 1, p - 1);  // sets that have `at` and p - 1 behind it
    if (i < with) {
      in[at] = true;
      --p;
    } else {
      i -= with;
    }
  }
  return in;
}

// Each set of p of the groups as a test.
Splits leave_out(std::string_view op, std::vector<int64_t> group, int64_t groups, int64_t p,
                 Where where) {
  const int64_t count = binomial(groups, p);
  if (count < 0)
    refuse(op, "there are too many sets of " + std::to_string(p) + " of " + std::to_string(groups),
           where);
  return {count, [group = std::move(group), groups, p](int64_t i) {
            const std::vector<bool> out = combination(groups, p, i);
            std::vector<int64_t> train, test;
            for (size_t s = 0; s < group.size(); ++s)
              (out[group[s]] ? test : train).push_back(static_cast<int64_t>(s));
            return TrainTest{positions(train), positions(test)};
          }};
}

}  // namespace

LeavePOut::LeavePOut(int64_t p, Where where) : p_(p) {
  require_at_least("LeavePOut", "p", p, 1, where);
}
Splits LeavePOut::split(const Tensor& x, const Tensor&, const Tensor&, Where where) const {
  const std::string op = std::string(name()) + ".split";
  const int64_t n = sample_count(op, x, where);
  if (p_ >= n) refuse(op, count_of("p", p_) + " of " + std::to_string(n) + " samples", where);
  std::vector<int64_t> own(static_cast<size_t>(n));
  std::iota(own.begin(), own.end(), 0);
  return leave_out(op, std::move(own), n, p_, where);
}

LeavePGroupsOut::LeavePGroupsOut(int64_t n_groups, Where where) : p_(n_groups) {
  require_at_least("LeavePGroupsOut", "n_groups", n_groups, 1, where);
}
Splits LeavePGroupsOut::split(const Tensor& x, const Tensor&, const Tensor& groups,
                              Where where) const {
  const std::string op = std::string(name()) + ".split";
  Groups g = group_codes(op, groups, sample_count(op, x, where), where);
  if (p_ >= g.count)
    refuse(op, count_of("n_groups", p_) + " of " + std::to_string(g.count) + " groups", where);
  return leave_out(op, std::move(g.of), g.count, p_, where);
}

PredefinedSplit::PredefinedSplit(const Tensor& test_fold, Where where) {
  const char* op = "PredefinedSplit";
  if (!test_fold.defined() || test_fold.rank() != 1 || is_float(test_fold.dtype()))
    throw ShapeError(std::string(op) + ": test_fold are integers (samples)", where);
  test_fold_ = cast(test_fold, kI64).to_vector<int64_t>();
  if (std::all_of(test_fold_.begin(), test_fold_.end(), [](int64_t f) { return f == -1; }))
    refuse(op, "no sample is in a test", where);
}
Splits PredefinedSplit::split(const Tensor& x, const Tensor&, const Tensor&, Where where) const {
  const int64_t n = sample_count("PredefinedSplit.split", x, where);
  if (n != static_cast<int64_t>(test_fold_.size()))
    refuse("PredefinedSplit.split",
           std::to_string(n) + " samples for test_fold of " + std::to_string(test_fold_.size()),
           where);
  std::vector<int64_t> names = test_fold_, fold;
  std::erase(names, -1);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  for (const int64_t f : test_fold_)
    fold.push_back(f == -1 ? -1 : std::lower_bound(names.begin(), names.end(), f) - names.begin());
  return by_fold(std::move(fold), static_cast<int64_t>(names.size()));
}

// ---- What is given for splits -------------------------------------------------------------------

CV::CV(int64_t n_splits) : given_(n_splits) {}
CV::CV(const CrossValidator& splitter)
    : given_(std::shared_ptr<const CrossValidator>(splitter.clone())) {}
CV::CV(std::vector<TrainTest> splits) : given_(std::move(splits)) {}

std::optional<int64_t> CV::n_splits() const {
  const auto* folds = std::get_if<int64_t>(&given_);
  return folds ? std::optional(*folds) : std::nullopt;
}

Splits CV::split(const Tensor& x, const Tensor& y, const Tensor& groups, bool classifier,
                 Where where) const {
  if (const auto* splitter = std::get_if<std::shared_ptr<const CrossValidator>>(&given_))
    return (*splitter)->split(x, y, groups, where);
  if (const auto* splits = std::get_if<std::vector<TrainTest>>(&given_)) {
    if (splits->empty()) refuse("CV", "there are no splits", where);
    return {static_cast<int64_t>(splits->size()),
            [all = *splits](int64_t i) { return all[static_cast<size_t>(i)]; }};
  }
  const KFoldOptions options{.n_splits = std::get<int64_t>(given_)};
  if (classifier && y.defined()) return StratifiedKFold(options, where).split(x, y, {}, where);
  return KFold(options, where).split(x, y, {}, where);
}

}  // namespace glia::classic
