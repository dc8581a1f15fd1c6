// Splits whose tests are drawn anew each time.
#include <algorithm>
#include <cmath>
#include <string>

#include "checks.h"
#include "glia/ops.h"
#include "splits.h"

namespace glia::classic {
namespace {

struct Sizes {
  int64_t train = 0, test = 0;
};

std::string text_of(const SplitSize& size) {
  if (const auto* count = std::get_if<int64_t>(&size)) return std::to_string(*count);
  const auto* share = std::get_if<double>(&size);
  return share ? std::to_string(*share) : "unset";
}

// `share_by_default` is of the test, where neither size is set.
Sizes sizes_of(std::string_view op, int64_t n, SplitSize test, const SplitSize& train,
               double share_by_default, Where where) {
  const std::string all =
      std::to_string(n) + " samples, test_size " + text_of(test) + ", train_size " + text_of(train);
  const auto refuse = [&](const char* fault) {
    throw ValueError(std::string(op) + ": " + fault + ": " + all, where);
  };
  const auto is_set = [](const SplitSize& s) { return !std::holds_alternative<std::monostate>(s); };
  if (!is_set(test) && !is_set(train)) test = share_by_default;
  for (const SplitSize& size : {test, train}) {
    const auto* count = std::get_if<int64_t>(&size);
    const auto* share = std::get_if<double>(&size);
    if (count && (*count <= 0 || *count >= n))
      refuse("a number of samples is from 1 to one less than there are");
    if (share && !(*share > 0 && *share < 1)) refuse("a share is between 0 and 1");
  }
  const auto all_samples = static_cast<double>(n);
  const auto* test_share = std::get_if<double>(&test);
  const auto* train_share = std::get_if<double>(&train);
  if (test_share && train_share && *test_share + *train_share > 1)
    refuse("the shares are more than 1 together");
  Sizes sizes;
  if (is_set(test))
    sizes.test = test_share ? static_cast<int64_t>(std::ceil(*test_share * all_samples))
                            : std::get<int64_t>(test);
  if (is_set(train))
    sizes.train = train_share ? static_cast<int64_t>(std::floor(*train_share * all_samples))
                              : std::get<int64_t>(train);
  if (!is_set(train)) sizes.train = n - sizes.test;
  if (!is_set(test)) sizes.test = n - sizes.train;
  if (sizes.train + sizes.test > n) refuse("there are not as many samples");
  if (sizes.train <= 0) refuse("none is left to train on");
  return sizes;
}

std::vector<int64_t> part(const std::vector<int64_t>& values, int64_t begin, int64_t count) {
  return {values.begin() + begin, values.begin() + begin + count};
}

// How many of each class, of which there are `counts`, stand for so many draws of all: whole parts,
// and what is left by the largest remainders, of equal ones by chance.
std::vector<int64_t> approximate_mode(const std::vector<int64_t>& counts, int64_t draws,
                                      data::Random& random) {
  double total = 0;
  for (const int64_t count : counts) total += static_cast<double>(count);
  std::vector<int64_t> taken, order = permutation(static_cast<int64_t>(counts.size()), random);
  std::vector<double> rest;
  int64_t left = draws;
  for (const int64_t count : counts) {
    const double share = static_cast<double>(count) / total * static_cast<double>(draws);
    taken.push_back(static_cast<int64_t>(std::floor(share)));
    rest.push_back(share - std::floor(share));
    left -= taken.back();
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return rest[a] > rest[b]; });
  for (size_t i = 0; i < order.size() && left > 0; ++i, --left) ++taken[order[i]];
  return taken;
}

// One split that has each class's share on both sides.
TrainTest stratified(const std::vector<std::vector<int64_t>>& members, Sizes sizes,
                     data::Random& random) {
  std::vector<int64_t> counts, rest, train, test;
  for (const auto& of_class : members) counts.push_back(static_cast<int64_t>(of_class.size()));
  const std::vector<int64_t> trained = approximate_mode(counts, sizes.train, random);
  for (size_t c = 0; c < counts.size(); ++c) rest.push_back(counts[c] - trained[c]);
  const std::vector<int64_t> tested = approximate_mode(rest, sizes.test, random);
  for (size_t c = 0; c < counts.size(); ++c) {
    std::vector<int64_t> drawn = members[c];
    shuffle(drawn, random);
    train.insert(train.end(), drawn.begin(), drawn.begin() + trained[c]);
    test.insert(test.end(), drawn.begin() + trained[c], drawn.begin() + trained[c] + tested[c]);
  }
  shuffle(train, random);
  shuffle(test, random);
  return {positions(train), positions(test)};
}

// The samples of each class. Throws ValueError where a side would be without one.
std::vector<std::vector<int64_t>> members_of(std::string_view op, const Tensor& y, int64_t n,
                                             Sizes sizes, Where where) {
  const ClassTargets targets = check_classes(op, y, n, where);
  const std::vector<int64_t> codes = targets.codes.to_vector<int64_t>();
  std::vector<std::vector<int64_t>> members(static_cast<size_t>(targets.classes.size(0)));
  for (int64_t i = 0; i < n; ++i) members[codes[i]].push_back(i);
  const auto classes = static_cast<int64_t>(members.size());
  const auto refuse = [&](const std::string& fault) {
    throw ValueError(std::string(op) + ": " + fault, where);
  };
  for (int64_t c = 0; c < classes; ++c)
    if (members[c].size() < 2)
      refuse("class " + std::to_string(targets.classes.to_vector<int64_t>()[c]) +
             " has one sample, too few for both sides");
  for (const auto& [side, size] : {std::pair("training", sizes.train), {"test", sizes.test}})
    if (size < classes)
      refuse(std::to_string(size) + " samples in a " + side + " for " + std::to_string(classes) +
             " classes");
  return members;
}

void check_options(std::string_view op, const ShuffleSplitOptions& options, Where where) {
  if (options.n_splits < 1)
    throw ValueError(std::string(op) + ": n_splits = " + std::to_string(options.n_splits), where);
}

data::Random random_of(const ShuffleSplitOptions& options, int64_t split) {
  return data::Random(options.random_state, static_cast<uint64_t>(split));
}

}  // namespace

ShuffleSplit::ShuffleSplit(const ShuffleSplitOptions& options, Where where) : options_(options) {
  check_options("ShuffleSplit", options, where);
}
Splits ShuffleSplit::split(const Tensor& x, const Tensor&, const Tensor&, Where where) const {
  const char* op = "ShuffleSplit.split";
  const int64_t n = sample_count(op, x, where);
  const Sizes sizes = sizes_of(op, n, options_.test_size, options_.train_size, 0.1, where);
  return {options_.n_splits, [=, options = options_](int64_t i) {
            data::Random random = random_of(options, i);
            const std::vector<int64_t> order = permutation(n, random);
            return TrainTest{positions(part(order, sizes.test, sizes.train)),
                             positions(part(order, 0, sizes.test))};
          }};
}

StratifiedShuffleSplit::StratifiedShuffleSplit(const ShuffleSplitOptions& options, Where where)
    : options_(options) {
  check_options("StratifiedShuffleSplit", options, where);
}
Splits StratifiedShuffleSplit::split(const Tensor& x, const Tensor& y, const Tensor&,
                                     Where where) const {
  const char* op = "StratifiedShuffleSplit.split";
  const int64_t n = sample_count(op, x, where);
  const Sizes sizes = sizes_of(op, n, options_.test_size, options_.train_size, 0.1, where);
  return {options_.n_splits,
          [sizes, options = options_, members = members_of(op, y, n, sizes, where)](int64_t i) {
            data::Random random = random_of(options, i);
            return stratified(members, sizes, random);
          }};
}

GroupShuffleSplit::GroupShuffleSplit(const ShuffleSplitOptions& options, Where where)
    : options_(options) {
  check_options("GroupShuffleSplit", options, where);
}
Splits GroupShuffleSplit::split(const Tensor& x, const Tensor&, const Tensor& groups,
                                Where where) const {
  const char* op = "GroupShuffleSplit.split";
  const Groups g = group_codes(op, groups, sample_count(op, x, where), where);
  const Sizes sizes = sizes_of(op, g.count, options_.test_size, options_.train_size, 0.2, where);
  return {options_.n_splits, [=, options = options_](int64_t i) {
            data::Random random = random_of(options, i);
            const std::vector<int64_t> order = permutation(g.count, random);
            std::vector<int64_t> side(order.size(), 2), train, test;
            for (int64_t at = 0; at < sizes.test + sizes.train; ++at)
              side[order[at]] = at < sizes.test ? 0 : 1;
            for (size_t s = 0; s < g.of.size(); ++s)
              if (side[g.of[s]] < 2)
                (side[g.of[s]] == 0 ? test : train).push_back(static_cast<int64_t>(s));
            return TrainTest{positions(train), positions(test)};
          }};
}

TrainTest train_test_split(int64_t n_samples, const TrainTestSplitOptions& options, Where where) {
  const char* op = "train_test_split";
  if (n_samples < 1)
    throw ValueError(std::string(op) + ": n_samples = " + std::to_string(n_samples), where);
  const Sizes sizes = sizes_of(op, n_samples, options.test_size, options.train_size, 0.25, where);
  if (!options.shuffle) {
    if (options.stratify.defined())
      throw ValueError(std::string(op) + ": what is not shuffled cannot be stratified", where);
    return {arange(0, sizes.train, 1, kI64),
            arange(sizes.train, sizes.train + sizes.test, 1, kI64)};
  }
  data::Random random(options.random_state);
  if (options.stratify.defined())
    return stratified(members_of(op, options.stratify, n_samples, sizes, where), sizes, random);
  const std::vector<int64_t> order = permutation(n_samples, random);
  return {positions(part(order, sizes.test, sizes.train)), positions(part(order, 0, sizes.test))};
}

std::vector<Tensor> train_test_split(const std::vector<Tensor>& arrays,
                                     const TrainTestSplitOptions& options, Where where) {
  const char* op = "train_test_split";
  if (arrays.empty()) throw ValueError(std::string(op) + ": there are no arrays", where);
  const int64_t n = sample_count(op, arrays[0], where);
  for (const Tensor& array : arrays)
    if (sample_count(op, array, where) != n)
      throw ShapeError(std::string(op) + ": " + arrays[0].shape().str() + " and " +
                           array.shape().str() + " have not as many samples",
                       where);
  const auto [train, test] = train_test_split(n, options, where);
  std::vector<Tensor> sides;
  for (const Tensor& array : arrays) {
    sides.push_back(take(array, train));
    sides.push_back(take(array, test));
  }
  return sides;
}

}  // namespace glia::classic
