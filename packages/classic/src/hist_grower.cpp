#include "hist_grower.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "boosting_loss.h"
#include "glia/parallel.h"
#include "hist_splits.h"

namespace glia::classic {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int64_t kSmall = 1 << 15;  // bins to add up, below which threads do not pay
constexpr int64_t kChunk = 1 << 13;  // samples that a thread parts at a time
constexpr int64_t kAhead = 24;       // samples whose bins are fetched before they are added

using Pair = double __attribute__((vector_size(16)));

}  // namespace

struct HistGrower::Work {
  const HistBins& bins;
  HistGrowth growth;
  data::Random random;
  SplitFinder finder;
  const std::vector<size_t>& offset;  // the first bin of each feature in histograms
  std::vector<uint32_t> order, left_room, right_room;
  std::vector<float> room;  // gradients and hessians of a node's samples, side by side
  std::vector<HistNode> nodes;
  std::vector<std::unique_ptr<Histogram>> spare;
  const float *gradients = nullptr, *hessians = nullptr;

  Work(const HistBins& b, HistGrowth g, uint64_t seed)
      : bins(b), growth(std::move(g)), random(seed), finder(b, growth), offset(finder.offsets()) {
    order.resize(static_cast<size_t>(b.n));
    left_room.resize(order.size());
    right_room.resize(order.size());
    room.resize(2 * order.size());
  }

  // ---- Histograms -----------------------------------------------------------------------------

  std::unique_ptr<Histogram> fresh() {
    auto out = std::make_unique<Histogram>();
    if (!spare.empty()) {
      out = std::move(spare.back());
      spare.pop_back();
    }
    out->sums.resize(2 * offset.back());
    out->counts.resize(offset.back());
    return out;
  }

  // Adds up four features' bins of a node's samples, in their order.
  template <bool kRows, bool kHessians>
  void add(Histogram& to, int64_t group, const HistNode& node) const {
    const uint32_t* packed = bins.packed.data() + group * bins.n;
    const uint32_t* rows = order.data() + node.start;
    const float* pairs = room.data();
    double* sums[4];
    uint32_t* counts[4];
    for (int64_t k = 0; k < 4; ++k) {  // what is beyond the last feature has bin 0 of none
      const auto f = static_cast<size_t>(std::min(group * 4 + k, bins.d - 1));
      sums[k] = to.sums.data() + 2 * offset[f];
      counts[k] = to.counts.data() + offset[f];
    }
    const auto features = std::min<int64_t>(4, bins.d - group * 4);
    const int64_t n = node.count();
    const auto walk = [&]<int64_t kFeatures>() {
      for (int64_t i = 0; i < n; ++i) {
        const uint32_t four = packed[kRows ? rows[i] : i];
        if constexpr (kRows) {
          if (i + kAhead < n) __builtin_prefetch(packed + rows[i + kAhead]);
        }
        if constexpr (kHessians) {
          const Pair pair = {pairs[2 * i], pairs[2 * i + 1]};
          for (int64_t k = 0; k < kFeatures; ++k) {
            const uint32_t bin = four >> (8 * k) & 255;
            double* sum = sums[k] + 2 * bin;
            Pair now;
            std::memcpy(&now, sum, sizeof now);
            now += pair;
            std::memcpy(sum, &now, sizeof now);
            ++counts[k][bin];
          }
        } else {
          const double gradient = pairs[i];
          for (int64_t k = 0; k < kFeatures; ++k) {
            const uint32_t bin = four >> (8 * k) & 255;
            sums[k][2 * bin] += gradient;
            ++counts[k][bin];
          }
        }
      }
    };
    switch (features) {
      case 1:
        return walk.template operator()<1>();
      case 2:
        return walk.template operator()<2>();
      case 3:
        return walk.template operator()<3>();
      default:
        return walk.template operator()<4>();
    }
  }

  void build(Histogram& to, int64_t group, const HistNode& node, bool all) const {
    const auto first = static_cast<size_t>(group * 4);
    const size_t last = std::min(first + 4, static_cast<size_t>(bins.d));
    std::fill(to.sums.begin() + 2 * offset[first], to.sums.begin() + 2 * offset[last], 0.0);
    std::fill(to.counts.begin() + offset[first], to.counts.begin() + offset[last], 0U);
    if (hessians)
      all ? add<false, true>(to, group, node) : add<true, true>(to, group, node);
    else
      all ? add<false, false>(to, group, node) : add<true, false>(to, group, node);
    if (hessians) return;
    for (size_t b = offset[first]; b < offset[last]; ++b) to.sums[2 * b + 1] = to.counts[b];
  }

  // The gradients of a node's samples side by side.
  void gather(const HistNode& node, bool all) {
    const int64_t n = node.count();
    const uint32_t* rows = order.data() + node.start;
    const auto body = [&](int64_t from, int64_t to) {
      for (int64_t i = from; i < to; ++i) {
        const auto row = all ? static_cast<uint32_t>(i) : rows[i];
        if (hessians) {
          room[2 * i] = gradients[row];
          room[2 * i + 1] = hessians[row];
        } else {
          room[i] = gradients[row];
        }
      }
    };
    if (n < 2 * kChunk) return body(0, n);
    parallel_for((n + kChunk - 1) / kChunk,
                 [&](int64_t c) { body(c * kChunk, std::min(n, (c + 1) * kChunk)); });
  }

  // body(group) for each four features; by threads where there is enough to do.
  template <class F>
  void for_groups(int64_t samples, F&& body) const {
    if (samples * bins.d < kSmall)
      for (int64_t g = 0; g < bins.groups(); ++g) body(g);
    else
      parallel_for(bins.groups(), body);
  }

  static void choose(HistNode& node, const std::vector<HistSplit>& of_groups) {
    node.split = of_groups[0];
    for (const HistSplit& s : of_groups)
      if (s.gain > node.split.gain) node.split = s;
  }
  // Which features are looked at (features); none: all.
  std::vector<char> draw_features() {
    if (growth.feature_share >= 1) return {};
    const auto some = std::max<int64_t>(
        1, static_cast<int64_t>(std::ceil(growth.feature_share * static_cast<double>(bins.d))));
    std::vector<char> allowed(static_cast<size_t>(bins.d), 0);
    std::fill_n(allowed.begin(), some, 1);
    for (int64_t i = bins.d - 1; i > 0; --i)
      std::swap(allowed[static_cast<size_t>(i)], allowed[static_cast<size_t>(random.below(i + 1))]);
    return allowed;
  }

  // ---- Nodes ----------------------------------------------------------------------------------

  // Brings the samples that go left to the front, in their order.
  void part(const HistNode& node) {
    const HistSplit& s = node.split;
    const auto f = static_cast<size_t>(s.feature);
    const uint32_t* packed = bins.packed.data() + s.feature / 4 * bins.n;
    const int shift = 8 * (s.feature % 4);
    bool goes_left[256];
    for (int64_t b = 0; b < 256; ++b) {
      const bool in_set = s.set[static_cast<size_t>(b) / 64] >> (b % 64) & 1;
      goes_left[b] = s.categories ? in_set : b == bins.count[f] ? s.missing_left : b <= s.bin;
    }
    uint32_t* rows = order.data() + node.start;
    const int64_t n = node.count(), chunks = (n + kChunk - 1) / kChunk;
    std::vector<int64_t> lefts(static_cast<size_t>(chunks));
    const auto each = [&](auto&& body) {
      if (chunks > 2)
        parallel_for(chunks, body);
      else
        for (int64_t c = 0; c < chunks; ++c) body(c);
    };
    each([&](int64_t c) {
      uint32_t *left = left_room.data() + c * kChunk, *right = right_room.data() + c * kChunk;
      int64_t l = 0, r = 0;
      for (int64_t i = c * kChunk; i < std::min(n, (c + 1) * kChunk); ++i) {
        const uint32_t row = rows[i];
        const bool to_left = goes_left[packed[row] >> shift & 255];
        left[l] = row;
        right[r] = row;
        l += to_left;
        r += !to_left;
      }
      lefts[static_cast<size_t>(c)] = l;
    });
    std::vector<int64_t> before(static_cast<size_t>(chunks));
    int64_t all = 0;
    for (int64_t c = 0; c < chunks; ++c) {
      before[static_cast<size_t>(c)] = all;
      all += lefts[static_cast<size_t>(c)];
    }
    each([&](int64_t c) {
      const int64_t begin = c * kChunk, size = std::min(n, begin + kChunk) - begin;
      const int64_t l = lefts[static_cast<size_t>(c)], to = before[static_cast<size_t>(c)];
      std::copy_n(left_room.data() + begin, l, rows + to);
      std::copy_n(right_room.data() + begin, size - l, rows + all + (begin - to));
    });
  }

  bool may_split(const HistNode& node) const {
    return node.count() >= 2 * growth.min_samples_leaf && node.depth < growth.max_depth;
  }

  void plant() {
    nodes.clear();
    HistNode& root = nodes.emplace_back();
    root.end = bins.n;
    root.histogram = fresh();
    gather(root, true);
    for_groups(bins.n, [&](int64_t g) { build(*root.histogram, g, root, true); });
    // As scikit-learn sums a feature's bins, the missing ones last.
    std::vector<double> g(static_cast<size_t>(bins.max_bins) + 1), h(g.size());
    for (size_t b = 0; b <= static_cast<size_t>(bins.count[0]); ++b) {
      const size_t at = b == static_cast<size_t>(bins.count[0]) ? g.size() - 1 : b;
      g[at] = root.histogram->sums[2 * b];
      h[at] = root.histogram->sums[2 * b + 1];
    }
    root.gradient = pairwise_sum(g);
    root.hessian = hessians ? pairwise_sum(h) : static_cast<double>(bins.n);
    if (!std::isfinite(root.gradient) || !std::isfinite(root.hessian))
      throw ValueError("histogram boosting: gradients are beyond f32; y or weights are too large");
    if (!may_split(root) || root.hessian < kMinHessian) return;
    const std::vector<char> allowed = draw_features();
    std::vector<HistSplit> of_groups(static_cast<size_t>(bins.groups()));
    for_groups(kSmall, [&](int64_t i) {
      of_groups[static_cast<size_t>(i)] = finder.best_of(root, *root.histogram, allowed, i);
    });
    choose(root, of_groups);
  }

  // Splits a node, and finds how its children are split.
  void split(int64_t at) {
    if (nodes.capacity() < nodes.size() + 2) nodes.reserve(2 * nodes.size() + 2);
    HistNode& node = nodes[static_cast<size_t>(at)];
    const HistSplit& s = node.split;
    part(node);
    const int64_t middle = node.start + s.left_count;
    node.left = static_cast<int64_t>(nodes.size());
    node.right = node.left + 1;
    HistNode& left = nodes.emplace_back();
    HistNode& right = nodes.emplace_back();
    left.start = node.start;
    left.end = right.start = middle;
    right.end = node.end;
    left.depth = right.depth = node.depth + 1;
    left.gradient = s.left_gradient;
    left.hessian = s.left_hessian;
    left.value = s.left_value;
    right.gradient = s.right_gradient;
    right.hessian = s.right_hessian;
    right.value = s.right_value;
    left.low = right.low = node.low;
    left.high = right.high = node.high;
    const int8_t sign = s.categories ? int8_t{0} : finder.monotonic(static_cast<size_t>(s.feature));
    const double between = (left.value + right.value) / 2;
    if (sign > 0) left.high = right.low = between;
    if (sign < 0) left.low = right.high = between;
    if (!bins.has_missing[static_cast<size_t>(s.feature)])
      node.split.missing_left = left.count() > right.count();
  }

  void look_at_children(int64_t at) {
    HistNode& node = nodes[static_cast<size_t>(at)];
    HistNode& left = nodes[static_cast<size_t>(node.left)];
    HistNode& right = nodes[static_cast<size_t>(node.right)];
    if (may_split(left) || may_split(right)) {
      HistNode& small = left.count() < right.count() ? left : right;
      HistNode& large = left.count() < right.count() ? right : left;
      small.histogram = fresh();
      large.histogram = std::move(node.histogram);
      gather(small, false);
      const auto groups = static_cast<size_t>(bins.groups());
      std::vector<HistSplit> of_left(groups), of_right(groups);
      const std::vector<char> for_left = draw_features(), for_right = draw_features();
      const auto body = [&](int64_t g) {
        build(*small.histogram, g, small, false);
        const auto from = static_cast<size_t>(g * 4);
        const size_t to = std::min(from + 4, static_cast<size_t>(bins.d));
        for (size_t b = 2 * offset[from]; b < 2 * offset[to]; ++b)
          large.histogram->sums[b] -= small.histogram->sums[b];
        for (size_t b = offset[from]; b < offset[to]; ++b)
          large.histogram->counts[b] -= small.histogram->counts[b];
        const auto at_group = static_cast<size_t>(g);
        if (may_split(left)) of_left[at_group] = finder.best_of(left, *left.histogram, for_left, g);
        if (may_split(right))
          of_right[at_group] = finder.best_of(right, *right.histogram, for_right, g);
      };
      for_groups(small.count() + 512, body);
      if (may_split(left)) choose(left, of_left);
      if (may_split(right)) choose(right, of_right);
    }
    for (HistNode* one : {&node, &left, &right})
      if (one->histogram && (one == &node || one->split.gain <= 0))
        spare.push_back(std::move(one->histogram));
  }
};

HistGrower::HistGrower(const HistBins& bins, HistGrowth growth, uint64_t seed)
    : work_(std::make_unique<Work>(bins, std::move(growth), seed)) {}
HistGrower::~HistGrower() = default;

Grove HistGrower::grow(const float* gradients, const float* hessians) {
  Work& w = *work_;
  w.gradients = gradients;
  w.hessians = hessians;
  for (size_t i = 0; i < w.order.size(); ++i) w.order[i] = static_cast<uint32_t>(i);
  w.plant();
  const auto less = [&](int64_t a, int64_t b) {
    return w.nodes[static_cast<size_t>(a)].split.gain < w.nodes[static_cast<size_t>(b)].split.gain;
  };
  std::vector<int64_t> open;
  const auto push = [&](int64_t at) {
    if (w.nodes[static_cast<size_t>(at)].split.gain <= 0) return;
    open.push_back(at);
    std::push_heap(open.begin(), open.end(), less);
  };
  push(0);
  int64_t leaves = 1;
  while (!open.empty() && leaves < w.growth.max_leaf_nodes) {
    std::pop_heap(open.begin(), open.end(), less);
    const int64_t at = open.back();
    open.pop_back();
    w.split(at);
    ++leaves;
    if (leaves == w.growth.max_leaf_nodes) break;
    w.look_at_children(at);
    push(w.nodes[static_cast<size_t>(at)].left);
    push(w.nodes[static_cast<size_t>(at)].right);
  }
  for (HistNode& node : w.nodes)
    if (node.histogram) w.spare.push_back(std::move(node.histogram));

  // Nodes in the order of a walk, left before right.
  Grove out;
  out.n_features = w.bins.d;
  struct Next {
    int64_t node;
    int32_t parent;
    bool left;
  };
  std::vector<Next> next{{0, -1, false}};
  while (!next.empty()) {
    const Next at = next.back();
    next.pop_back();
    HistNode& from = w.nodes[static_cast<size_t>(at.node)];
    const auto place = static_cast<int32_t>(out.nodes.size());
    if (at.parent >= 0)
      (at.left ? out.nodes[static_cast<size_t>(at.parent)].left
               : out.nodes[static_cast<size_t>(at.parent)].right) = place;
    Grove::Node node;
    if (from.left >= 0) {
      const HistSplit& s = from.split;
      const auto f = static_cast<size_t>(s.feature);
      node.feature = s.feature;
      node.missing_left = s.missing_left;
      node.categories = s.categories;
      if (s.categories) {
        node.threshold = static_cast<double>(out.category_sets.size());
        out.category_sets.push_back(s.set);
      } else {
        node.threshold = s.bin == w.bins.count[f] - 1
                             ? kInfinity
                             : w.bins.thresholds[f][static_cast<size_t>(s.bin)];
      }
      next.push_back({from.right, place, false});
      next.push_back({from.left, place, true});
    }
    out.nodes.push_back(node);
    out.impurity.push_back(from.left >= 0 ? from.split.gain : 0);
    out.weight.push_back(from.hessian);
    out.samples.push_back(from.count());
    out.values.push_back(from.left >= 0 ? from.value : from.value * w.growth.shrinkage);
    from.depth = place;  // where it is in the tree, from now on
  }
  out.begin.push_back(static_cast<int64_t>(out.nodes.size()));
  return out;
}

std::vector<HistGrower::Leaf> HistGrower::leaves() const {
  std::vector<Leaf> out;
  for (const HistNode& node : work_->nodes)
    if (node.left < 0)
      out.push_back({node.depth, work_->order.data() + node.start, work_->order.data() + node.end});
  return out;
}

}  // namespace glia::classic
