#include "tree_grower.h"

#include <algorithm>
#include <bit>
#include <numeric>

#include "glia/parallel.h"
#include "tree_criteria.h"

namespace glia::classic {

TreeSamples tree_samples(const Tensor& x) {
  TreeSamples out;
  out.n = x.size(0);
  out.d = x.size(1);
  const auto n = static_cast<size_t>(out.n), d = static_cast<size_t>(out.d);
  const float* values = x.data<float>().data();
  out.ranks.resize(n * d);
  out.distinct.resize(d);
  out.missing.resize(d);
  parallel_for(out.d, [&](int64_t f) {
    std::vector<std::pair<float, uint32_t>> column;
    column.reserve(n);
    uint32_t* ranks = out.ranks.data() + static_cast<size_t>(f) * n;
    for (size_t i = 0; i < n; ++i) {
      const float value = values[i * d + static_cast<size_t>(f)];
      ranks[i] = kMissingRank;
      if (!std::isnan(value)) column.emplace_back(value, static_cast<uint32_t>(i));
    }
    std::sort(column.begin(), column.end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<float>& distinct = out.distinct[static_cast<size_t>(f)];
    for (const auto& [value, i] : column) {
      if (distinct.empty() || value != distinct.back()) distinct.push_back(value);
      ranks[i] = static_cast<uint32_t>(distinct.size() - 1);
    }
    out.missing[static_cast<size_t>(f)] = column.size() < n;
  });
  return out;
}

namespace {

constexpr float kSame = 1e-7F;  // values that are no farther apart are not told apart
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// The generator of scikit-learn's trees (Marsaglia's xorshift, 2003).
class Xorshift {
 public:
  explicit Xorshift(uint32_t seed) : state_(seed) {}
  int64_t between(int64_t low, int64_t high) { return low + next() % (high - low); }
  double uniform(double low, double high) {
    return (high - low) * static_cast<double>(next()) / 2147483647.0 + low;
  }

 private:
  uint32_t next() {
    if (state_ == 0) state_ = 1;
    state_ ^= state_ << 13;
    state_ ^= state_ >> 17;
    state_ ^= state_ << 5;
    return state_ % 2147483648U;
  }
  uint32_t state_;
};

// Keys (rank above, sample below) in ascending order of their ranks, which span `range`; of equal
// ranks as they are.
void sort_keys(std::vector<uint64_t>& keys, std::vector<uint64_t>& room, uint32_t range) {
  const size_t n = keys.size();
  const int bits = std::bit_width(range);
  if (n < 64) {
    for (size_t i = 1; i < n; ++i) {
      const uint64_t key = keys[i];
      size_t at = i;
      for (; at > 0 && keys[at - 1] > key; --at) keys[at] = keys[at - 1];
      keys[at] = key;
    }
    return;
  }
  if (n < 256 && bits > 16) {
    std::sort(keys.begin(), keys.end());
    return;
  }
  room.resize(n);
  for (int shift = 0; shift < bits; shift += 8) {
    uint32_t count[257] = {};
    for (const uint64_t key : keys) ++count[((key >> (32 + shift)) & 255) + 1];
    for (int b = 0; b < 256; ++b) count[b + 1] += count[b];
    for (const uint64_t key : keys) room[count[(key >> (32 + shift)) & 255]++] = key;
    keys.swap(room);
  }
}

struct Split {
  int32_t feature = -1;  // none
  uint32_t cut = 0;      // ranks below it are left
  int64_t left = 0;      // samples
  double threshold = 0;
  bool missing_left = false;
  Sides impurity;
  double improvement = -kInfinity;
  double middle = 0;
};

struct Pending {  // a node that is not in the tree yet
  int64_t start = 0, end = 0, depth = 0, parent = -1;
  bool is_left = false;
  double impurity = kInfinity;
  int64_t known_constants = 0;
  double low = -kInfinity, high = kInfinity;  // what it may say
};

template <class Criterion>
class Grower {
 public:
  Grower(const TreeSamples& s, const TreeGrowth& growth, const std::vector<double>& weight,
         uint32_t seed)
      : s_(s), growth_(growth), criterion_(s, weight), random_(seed) {
    for (int64_t i = 0; i < s.n; ++i) {
      const double w = weight.empty() ? 1 : weight[static_cast<size_t>(i)];
      if (w != 0) order_.push_back(static_cast<int32_t>(i));
      all_weight_ += w;
    }
    room_.resize(order_.size());
    ranks_.resize(order_.size());
    features_.resize(static_cast<size_t>(s.d));
    std::iota(features_.begin(), features_.end(), 0);
    constants_ = features_;
    out_.n_features = s.d;
    out_.width = s.width();
    keys_.reserve(order_.size());
  }

  Grove grow() {
    if (growth_.max_leaf_nodes < 0)
      depth_first();
    else
      best_first();
    out_.begin.push_back(static_cast<int64_t>(out_.nodes.size()));
    return std::move(out_);
  }

 private:
  std::span<const int32_t> node_samples(int64_t start, int64_t end) const {
    return std::span(order_).subspan(static_cast<size_t>(start), static_cast<size_t>(end - start));
  }

  // Adds the node and says how it is split, if at all.
  Split add(Pending& at, int32_t& place) {
    const auto samples = node_samples(at.start, at.end);
    criterion_.begin(samples);
    const auto n = static_cast<int64_t>(samples.size());
    if (at.parent < 0) at.impurity = criterion_.impurity(samples);
    Split split;
    if (at.depth < growth_.max_depth && n >= growth_.min_samples_split &&
        n >= 2 * growth_.min_samples_leaf && criterion_.weight() >= 2 * growth_.min_weight_leaf &&
        at.impurity > kTreeEpsilon) {
      split = find(at);
      if (split.improvement + kTreeEpsilon < growth_.min_impurity_decrease) split.feature = -1;
    }
    place = static_cast<int32_t>(out_.nodes.size());
    if (at.parent >= 0) {
      Grove::Node& parent = out_.nodes[static_cast<size_t>(at.parent)];
      (at.is_left ? parent.left : parent.right) = place;
    }
    out_.nodes.emplace_back();
    out_.impurity.push_back(at.impurity);
    out_.weight.push_back(criterion_.weight());
    out_.samples.push_back(n);
    out_.values.resize(out_.values.size() + static_cast<size_t>(out_.width));
    double* value = out_.values.data() + out_.values.size() - out_.width;
    criterion_.values(value);
    if (!growth_.monotonic.empty()) Criterion::clip(value, at.low, at.high);
    return split;
  }

  // Makes a node with a split of its own out of a leaf, and its children.
  std::pair<Pending, Pending> branch(const Pending& at, int32_t place, const Split& split) {
    Grove::Node& node = out_.nodes[static_cast<size_t>(place)];
    node.feature = split.feature;
    node.threshold = split.threshold;
    node.missing_left = split.missing_left;
    Pending left{.start = at.start,
                 .end = at.start + split.left,
                 .depth = at.depth + 1,
                 .parent = place,
                 .is_left = true,
                 .impurity = split.impurity.left,
                 .known_constants = at.known_constants,
                 .low = at.low,
                 .high = at.high};
    Pending right = left;
    right.start = left.end;
    right.end = at.end;
    right.is_left = false;
    right.impurity = split.impurity.right;
    const int8_t sign = monotonic(split.feature);
    if (sign > 0) left.high = right.low = split.middle;
    if (sign < 0) left.low = right.high = split.middle;
    return {left, right};
  }

  void depth_first() {
    std::vector<Pending> pending{{.start = 0, .end = static_cast<int64_t>(order_.size())}};
    while (!pending.empty()) {
      Pending at = pending.back();
      pending.pop_back();
      int32_t place = 0;
      const Split split = add(at, place);
      if (split.feature < 0) continue;
      const auto [left, right] = branch(at, place, split);
      pending.push_back(right);
      pending.push_back(left);
    }
  }

  struct Candidate {
    Pending at;
    int32_t place = 0;
    Split split;
    double gain() const { return split.feature < 0 ? 0 : split.improvement; }
    bool operator<(const Candidate& other) const { return gain() < other.gain(); }
  };

  void best_first() {
    std::vector<Candidate> frontier;
    const auto push = [&](Pending at) {
      at.known_constants = 0;
      Candidate c{.at = at, .place = 0, .split = {}};
      c.split = add(c.at, c.place);
      frontier.push_back(c);
    };
    push({.start = 0, .end = static_cast<int64_t>(order_.size())});
    std::push_heap(frontier.begin(), frontier.end());
    int64_t splits = growth_.max_leaf_nodes - 1;
    while (!frontier.empty() && splits > 0) {
      std::pop_heap(frontier.begin(), frontier.end());
      const Candidate best = frontier.back();
      frontier.pop_back();
      if (best.split.feature < 0) continue;
      --splits;
      const auto [left, right] = branch(best.at, best.place, best.split);
      push(left);
      const Candidate left_one = frontier.back();
      frontier.pop_back();
      push(right);
      const Candidate right_one = frontier.back();
      frontier.back() = left_one;
      std::push_heap(frontier.begin(), frontier.end());
      frontier.push_back(right_one);
      std::push_heap(frontier.begin(), frontier.end());
    }
  }

  int8_t monotonic(int32_t feature) const {
    return growth_.monotonic.empty() ? int8_t{0} : growth_.monotonic[static_cast<size_t>(feature)];
  }

  // Draws features without putting them back, until there are max_features of them and one that is
  // not constant, and takes the best split. features_ has, in this order: constants that were
  // known and drawn, those that were not drawn, constants found here, features that are left, and
  // those that were looked at.
  Split find(Pending& at) {
    start_ = at.start;
    end_ = at.end;
    low_ = at.low;
    high_ = at.high;
    best_ = {};
    best_proxy_ = -kInfinity;
    const int64_t known = at.known_constants;
    int64_t left = s_.d, visited = 0, found = 0, drawn = 0;
    while (left > known + found && (visited < growth_.max_features || visited <= found + drawn)) {
      ++visited;
      int64_t j = random_.between(drawn, left - found);
      if (j < known) {
        std::swap(features_[drawn++], features_[j]);
        continue;
      }
      j += found;
      if (!look_at(features_[j])) {
        std::swap(features_[j], features_[known + found]);
        ++found;
        continue;
      }
      --left;
      std::swap(features_[left], features_[j]);
      if (growth_.random)
        try_random();
      else
        try_all();
    }
    // The known constants stay in their order for the children and siblings.
    std::copy_n(constants_.begin(), known, features_.begin());
    std::copy_n(features_.begin() + known, found, constants_.begin() + known);
    at.known_constants = known + found;
    if (best_.feature >= 0) settle(at.impurity);
    return best_;
  }

  // Reads a feature's ranks; false where it is constant.
  bool look_at(int32_t feature) {
    feature_ = feature;
    const uint32_t* ranks = s_.ranks.data() + static_cast<size_t>(feature) * s_.n;
    const auto samples = node_samples(start_, end_);
    uint32_t least = kMissingRank, most = 0;
    missing_ = 0;
    for (size_t p = 0; p < samples.size(); ++p) {
      const uint32_t rank = ranks[samples[p]];
      ranks_[p] = rank;
      least = std::min(least, rank);
      most = std::max(most, rank);
    }
    if (most == kMissingRank) {
      most = 0;
      for (size_t p = 0; p < samples.size(); ++p) {
        if (ranks_[p] == kMissingRank)
          ++missing_;
        else
          most = std::max(most, ranks_[p]);
      }
      if (missing_ == static_cast<int64_t>(samples.size())) return false;
    }
    least_ = least;
    most_ = most;
    values_ = s_.distinct[static_cast<size_t>(feature)].data();
    return missing_ > 0 || values_[most] > values_[least] + kSame;
  }

  // Takes the split if it is allowed and the best so far; what is left has been added.
  void judge(int64_t left, double threshold, uint32_t cut, bool missing_left) {
    const int8_t sign = monotonic(feature_);
    if (sign != 0) {
      const Sides says = criterion_.side_values();
      if (!(says.left >= low_ && says.right >= low_ && says.left <= high_ && says.right <= high_ &&
            (says.left - says.right) * sign <= 0))
        return;
    }
    if (criterion_.left_weight() < growth_.min_weight_leaf ||
        criterion_.right_weight() < growth_.min_weight_leaf)
      return;
    const double proxy = criterion_.proxy();
    if (!(proxy > best_proxy_)) return;
    best_proxy_ = proxy;
    best_.feature = feature_;
    best_.cut = cut;
    best_.left = left;
    best_.threshold = threshold;
    // Where nothing was missing, it goes where most go.
    best_.missing_left = missing_ > 0 ? missing_left : left > (end_ - start_) - left;
  }
  bool is_allowed(int64_t left) const {
    return left >= growth_.min_samples_leaf && end_ - start_ - left >= growth_.min_samples_leaf;
  }

  // Goes through groups of samples in ascending order; next(rank, count, add) gives one.
  template <class Next>
  void scan(bool missing_left, Next&& next) {
    int64_t left = missing_left ? missing_ : 0;
    uint32_t before = kMissingRank;
    next([&](uint32_t rank, int64_t count, auto&& add) {
      if (before != kMissingRank && rank != before && is_allowed(left) &&
          values_[rank] > values_[before] + kSame)
        judge(left, values_[before] / 2.0 + values_[rank] / 2.0, rank, missing_left);
      add();
      before = rank;
      left += count;
    });
    if (missing_ > 0 && !missing_left && is_allowed(left))
      judge(left, kInfinity, kMissingRank, false);
  }

  void try_all() {
    const auto count = static_cast<int64_t>(node_samples(start_, end_).size());
    const int64_t range = int64_t{most_} - least_ + 1;
    if (Criterion::kSums && range * criterion_.width() <= 4 * count)
      try_groups(range);
    else
      try_sorted();
  }

  // Few values: what falls on each is summed first.
  void try_groups(int64_t range) {
    const auto samples = node_samples(start_, end_);
    const auto width = static_cast<size_t>(criterion_.width());
    sums_.assign(static_cast<size_t>(range + 1) * width, 0);
    counts_.assign(static_cast<size_t>(range), 0);
    double* missing = sums_.data() + static_cast<size_t>(range) * width;
    for (size_t p = 0; p < samples.size(); ++p) {
      if (ranks_[p] == kMissingRank) {
        criterion_.collect(missing, samples[p]);
        continue;
      }
      const size_t group = ranks_[p] - least_;
      ++counts_[group];
      criterion_.collect(sums_.data() + group * width, samples[p]);
    }
    for (int pass = 0; pass < (missing_ > 0 ? 2 : 1); ++pass) {
      criterion_.reset();
      if (pass == 1) criterion_.add_group(missing);
      scan(pass == 1, [&](auto&& group) {
        for (size_t g = 0; g < counts_.size(); ++g)
          if (counts_[g] > 0)
            group(least_ + static_cast<uint32_t>(g), counts_[g],
                  [&] { criterion_.add_group(sums_.data() + g * width); });
      });
    }
  }

  void try_sorted() {
    const auto samples = node_samples(start_, end_);
    keys_.clear();
    missing_samples_.clear();
    for (size_t p = 0; p < samples.size(); ++p) {
      if (ranks_[p] == kMissingRank)
        missing_samples_.push_back(samples[p]);
      else
        keys_.push_back(uint64_t{ranks_[p] - least_} << 32 | static_cast<uint32_t>(samples[p]));
    }
    sort_keys(keys_, key_room_, most_ - least_);
    for (int pass = 0; pass < (missing_ > 0 ? 2 : 1); ++pass) {
      if constexpr (!Criterion::kSums) {
        sorted_.clear();
        if (pass == 1) sorted_ = missing_samples_;
        for (const uint64_t key : keys_) sorted_.push_back(static_cast<int32_t>(key));
        if (pass == 0)
          sorted_.insert(sorted_.end(), missing_samples_.begin(), missing_samples_.end());
        criterion_.order(sorted_);
      }
      criterion_.reset();
      if (pass == 1)
        for (const int32_t i : missing_samples_) criterion_.add(i);
      scan(pass == 1, [&](auto&& group) {
        for (const uint64_t key : keys_)
          group(least_ + static_cast<uint32_t>(key >> 32), 1,
                [&] { criterion_.add(static_cast<int32_t>(key)); });
      });
    }
  }

  void try_random() {
    const auto samples = node_samples(start_, end_);
    const float least = values_[least_], most = values_[most_];
    double threshold = random_.uniform(least, most);
    const bool missing_left = missing_ > 0 && random_.between(0, 2) == 1;
    if (threshold == most) threshold = least;
    const auto cut = static_cast<uint32_t>(
        std::upper_bound(values_ + least_, values_ + most_ + 1, threshold) - values_);
    // Those that go left first, without branches; the others behind where their order matters.
    sorted_.resize(samples.size());
    int64_t left = 0;
    const auto gather = [&](bool side) {
      for (size_t p = 0; p < samples.size() && left < end_ - start_; ++p) {
        sorted_[static_cast<size_t>(left)] = samples[p];
        left += goes_left(ranks_[p], cut, missing_left) == side;
      }
    };
    gather(true);
    const int64_t count = left;
    if (!is_allowed(count)) return;
    if constexpr (!Criterion::kSums) {
      gather(false);
      criterion_.order(sorted_);
    }
    criterion_.reset();
    for (int64_t p = 0; p < count; ++p) criterion_.add(sorted_[static_cast<size_t>(p)]);
    judge(count, threshold, cut, missing_left);
  }
  static bool goes_left(uint32_t rank, uint32_t cut, bool missing_left) {
    return (rank < cut) | (missing_left & (rank == kMissingRank));
  }

  // Brings the best split's left samples to the front, and knows its sides.
  void settle(double impurity) {
    const uint32_t* ranks = s_.ranks.data() + static_cast<size_t>(best_.feature) * s_.n;
    int32_t* samples = order_.data() + start_;
    const int64_t n = end_ - start_;
    int64_t left = 0, right = 0;
    for (int64_t p = 0; p < n; ++p) {
      const int32_t i = samples[p];
      const bool goes = goes_left(ranks[i], best_.cut, best_.missing_left);
      samples[left] = i;
      room_[static_cast<size_t>(right)] = i;
      left += goes;
      right += !goes;
    }
    std::copy_n(room_.begin(), right, samples + left);
    const auto all = node_samples(start_, end_);
    if constexpr (!Criterion::kSums) criterion_.order(all);
    criterion_.reset();
    for (int64_t p = 0; p < left; ++p) criterion_.add(samples[p]);
    best_.left = left;
    best_.impurity = criterion_.impurities(all, left);
    best_.improvement = criterion_.improvement(impurity, best_.impurity, all_weight_);
    best_.middle = criterion_.middle();
  }

  const TreeSamples& s_;
  const TreeGrowth& growth_;
  Criterion criterion_;
  Xorshift random_;
  Grove out_;
  double all_weight_ = 0;
  std::vector<int32_t> order_, room_;  // samples, those of a node side by side
  std::vector<int32_t> features_, constants_;
  // The node and feature that are looked at.
  int64_t start_ = 0, end_ = 0, missing_ = 0;
  double low_ = 0, high_ = 0, best_proxy_ = 0;
  int32_t feature_ = 0;
  uint32_t least_ = 0, most_ = 0;
  const float* values_ = nullptr;
  Split best_;
  std::vector<uint32_t> ranks_;
  std::vector<uint64_t> keys_, key_room_;
  std::vector<int32_t> missing_samples_, sorted_;
  std::vector<double> sums_;
  std::vector<int64_t> counts_;
};

}  // namespace

Grove grow_tree(const TreeSamples& samples, const TreeGrowth& growth,
                const std::vector<double>& weight, uint32_t seed) {
  const auto grown = [&]<class Criterion>() {
    return Grower<Criterion>(samples, growth, weight, seed).grow();
  };
  const auto by_impurity = [&] {
    switch (growth.impurity) {
      case Impurity::kGini:
        return grown.template operator()<ClassImpurity<true>>();
      case Impurity::kEntropy:
        return grown.template operator()<ClassImpurity<false>>();
      case Impurity::kSquaredError:
        return grown.template operator()<MeanImpurity<true>>();
      case Impurity::kAbsoluteError:
        return grown.template operator()<MedianImpurity>();
      case Impurity::kPoisson:
        break;
    }
    return grown.template operator()<MeanImpurity<false>>();
  };
  Grove tree = by_impurity();
  return growth.ccp_alpha > 0 ? pruned(tree, growth.ccp_alpha) : tree;
}

}  // namespace glia::classic
