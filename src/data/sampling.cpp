// Samples drawn by weight, and by class.
#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "data/bytes.h"
#include "data/stage.h"

namespace glia::data {
namespace {

// In [0, 1) with 53 bits.
double uniform53(Random* random) {
  const uint64_t high = random->bits();
  return static_cast<double>((high << 32 | random->bits()) >> 11) * 0x1p-53;
}

void require_count(const char* stage, int64_t count) {
  if (count < 0) throw Error(std::string(stage) + ": a negative count");
}

class Weighted : public Reindexed {
 public:
  Weighted(SourcePtr inner, const std::vector<double>& weights, const WeightedOptions& options)
      : Reindexed(ordered(std::move(inner), "weighted")),
        weights_(weights),
        options_(options),
        count_(options.count == 0 ? inner_->size() : options.count) {
    require_count("weighted", options.count);
    const int64_t n = inner_->size();
    if (static_cast<int64_t>(weights.size()) != n)
      throw Error("weighted: " + std::to_string(weights.size()) + " weights for " +
                  std::to_string(n) + " samples");
    check_order("weighted", n);
    double sum = 0;
    int64_t possible = 0;
    for (const double w : weights) {
      if (!(w >= 0) || !std::isfinite(w))
        throw ValueError("weighted: a weight of " + Number(w).str());
      sum += w;
      possible += w > 0;
      sums_.push_back(sum);
    }
    if (!std::isfinite(sum)) throw ValueError("weighted: the sum of the weights is not finite");
    if (count_ > 0 && possible < (options.replacement ? 1 : count_))
      throw ValueError("weighted: of " + std::to_string(possible) + " samples with a weight " +
                       std::to_string(count_) + " cannot be drawn");
  }
  int64_t size() const override { return count_; }
  uint64_t fingerprint() const override {
    uint64_t hash = fingerprint_of(inner_, StageId::kWeighted,
                                   {uint64_t(count_), options_.replacement, options_.seed});
    for (const double w : weights_) hash = mixed(hash, std::bit_cast<uint64_t>(w));
    return hash;
  }
  Changes changes() const override { return Changes::kOrder; }

 protected:
  void translate(int64_t epoch, std::span<int64_t> positions) const override {
    if (options_.replacement) {
      for (int64_t& p : positions) p = drawn(epoch, p);
      return;
    }
    const auto order = orders_.of(epoch, static_cast<int64_t>(positions.size()), count_,
                                  [&] { return order_of(epoch); });
    for (int64_t& p : positions) p = (*order)[p];
  }

 private:
  int64_t drawn(int64_t epoch, int64_t position) const {
    Random random(options_.seed, epoch, position);
    // The first sum above it: never that of a weight of 0. A product may round up to the last sum.
    const double at = std::min(uniform53(&random) * sums_.back(), std::nextafter(sums_.back(), 0));
    return std::ranges::upper_bound(sums_, at) - sums_.begin();
  }
  // By exponential waiting times (Efraimidis & Spirakis 2006).
  std::vector<uint32_t> order_of(int64_t epoch) const {
    Random random(options_.seed, epoch, UINT32_MAX);
    auto times = room_for<double>("weighted", inner_->size());
    for (size_t i = 0; i < times.size(); ++i) {
      const double time = -std::log1p(-uniform53(&random));
      times[i] = weights_[i] > 0 ? time / weights_[i] : INFINITY;
    }
    auto order = room_for<uint32_t>("weighted", inner_->size());
    std::iota(order.begin(), order.end(), 0);
    // What has no weight comes last, also behind a time that overflowed.
    std::ranges::stable_sort(
        order, {}, [&](uint32_t i) { return std::pair(weights_[i] > 0 ? 0 : 1, times[i]); });
    order.resize(count_);
    return order;
  }

  const std::vector<double> weights_;
  const WeightedOptions options_;
  const int64_t count_;
  std::vector<double> sums_;  // of the weights up to here
  Orders orders_;
};

class Stratified : public Reindexed {
 public:
  Stratified(SourcePtr inner, const std::vector<int64_t>& labels, const StratifiedOptions& options)
      : Reindexed(ordered(std::move(inner), "stratified")),
        labels_(labels),
        options_(options),
        count_(options.count == 0 ? inner_->size() : options.count) {
    require_count("stratified", options.count);
    const int64_t n = inner_->size();
    check_order("stratified", std::max(n, count_));
    if (static_cast<int64_t>(labels.size()) != n)
      throw Error("stratified: " + std::to_string(labels.size()) + " labels for " +
                  std::to_string(n) + " samples");
    if (options.count != 0 && options.count != n && !options.replacement)
      throw Error("stratified: " + std::to_string(options.count) + " of " + std::to_string(n) +
                  " samples; without replacement an epoch has each of them once");
    if (count_ > 0 && n == 0) throw Error("stratified: there are no samples");
    for (int64_t i = 0; i < n; ++i) classes_[labels[i]].push_back(static_cast<uint32_t>(i));
  }
  int64_t size() const override { return count_; }
  uint64_t fingerprint() const override {
    uint64_t hash = fingerprint_of(inner_, StageId::kStratified,
                                   {uint64_t(count_), options_.replacement, options_.seed});
    for (const int64_t label : labels_) hash = mixed(hash, static_cast<uint64_t>(label));
    return hash;
  }
  Changes changes() const override { return Changes::kOrder; }

 protected:
  void translate(int64_t epoch, std::span<int64_t> positions) const override {
    const auto order = orders_.of(epoch, static_cast<int64_t>(positions.size()), count_,
                                  [&] { return order_of(epoch); });
    for (int64_t& p : positions) p = (*order)[p];
  }

 private:
  // The k-th of a class's m samples stands somewhere in the k-th of m equal parts of the epoch.
  std::vector<uint32_t> order_of(int64_t epoch) const {
    Random random(options_.seed, epoch, UINT32_MAX);
    std::vector<std::pair<double, uint32_t>> placed;
    int64_t before = 0, seen = 0;
    for (const auto& [label, members] : classes_) {
      std::vector<uint32_t> mine = members;
      shuffle_range(&random, mine);
      // So many of `count_` that all classes together have exactly that.
      seen += static_cast<int64_t>(members.size());
      const auto upto = static_cast<int64_t>(static_cast<__int128>(seen) * count_ / inner_->size());
      const int64_t m = upto - before;
      before = upto;
      for (int64_t k = 0; k < m; ++k) {
        const uint32_t one = options_.replacement
                                 ? members[random.below(static_cast<int64_t>(members.size()))]
                                 : mine[k];
        placed.emplace_back((static_cast<double>(k) + uniform53(&random)) / static_cast<double>(m),
                            one);
      }
    }
    std::ranges::stable_sort(placed, {}, [](const auto& p) { return p.first; });
    std::vector<uint32_t> order;
    for (const auto& [at, one] : placed) order.push_back(one);
    return order;
  }

  const std::vector<int64_t> labels_;
  const StratifiedOptions options_;
  const int64_t count_;
  std::map<int64_t, std::vector<uint32_t>> classes_;
  Orders orders_;
};

}  // namespace

SourcePtr weighted(SourcePtr source, const std::vector<double>& weights,
                   const WeightedOptions& options) {
  return std::make_shared<Weighted>(std::move(source), weights, options);
}
SourcePtr stratified(SourcePtr source, const std::vector<int64_t>& labels,
                     const StratifiedOptions& options) {
  return std::make_shared<Stratified>(std::move(source), labels, options);
}

}  // namespace glia::data
