// Stages that keep samples as they are: parts, epochs, several sources, orders.
#include <algorithm>
#include <numeric>

#include "data/bytes.h"
#include "data/stage.h"

namespace glia::data {
namespace {

class Part : public Reindexed {
 public:
  Part(SourcePtr inner, int64_t start, int64_t count) : Reindexed(std::move(inner)) {
    start_ = std::min(start, inner_->size());
    count_ = std::min(count, inner_->size() - start_);
  }
  int64_t size() const override { return count_; }
  uint64_t fingerprint() const override {
    return fingerprint_of(inner_, StageId::kPart, {uint64_t(start_), uint64_t(count_)});
  }

 protected:
  void translate(int64_t, std::span<int64_t> positions) const override {
    for (int64_t& p : positions) p += start_;
  }

 private:
  int64_t start_, count_;
};

// The same of a source without a size.
class PartOfUnsized : public Unsized {
 public:
  PartOfUnsized(SourcePtr inner, int64_t start, int64_t count)
      : inner_(std::move(inner)), start_(start), count_(count) {}
  std::optional<Sample> find(int64_t epoch, int64_t position) const override {
    if (position < 0 || position >= count_ || position > INT64_MAX - start_) return std::nullopt;
    return inner_->find(epoch, start_ + position);
  }
  uint64_t fingerprint() const override {
    return fingerprint_of(inner_, StageId::kPart, {uint64_t(start_), uint64_t(count_)});
  }
  Changes changes() const override { return inner_->changes(); }

 private:
  const SourcePtr inner_;
  const int64_t start_, count_;
};

class Repeated : public Source {
 public:
  Repeated(SourcePtr inner, int64_t times)
      : inner_(sized(std::move(inner), "repeat")), times_(times) {
    if (times < 0) throw Error("repeat: a negative count");
    size();  // or an error
  }
  int64_t size() const override {
    int64_t all;
    if (__builtin_mul_overflow(inner_->size(), times_, &all))
      throw Error("repeat: " + std::to_string(times_) + " times " + std::to_string(inner_->size()) +
                  " samples are more than can be counted");
    return all;
  }
  Sample get(int64_t epoch, int64_t position) const override {
    check_positions({&position, 1}, size());
    return inner_->get(inner_epoch(epoch, position), position % inner_->size());
  }
  Sample gather(int64_t epoch, std::span<const int64_t> positions) const override {
    const int64_t n = inner_->size();
    check_positions(positions, size());
    const bool one_epoch = !positions.empty() && std::ranges::all_of(positions, [&](int64_t p) {
      return p / n == positions[0] / n;
    });
    if (!one_epoch) return Source::gather(epoch, positions);
    std::vector<int64_t> inner(positions.begin(), positions.end());
    for (int64_t& p : inner) p %= n;
    return inner_->gather(inner_epoch(epoch, positions[0]), inner);
  }
  uint64_t fingerprint() const override {
    return fingerprint_of(inner_, StageId::kRepeated, {uint64_t(times_)});
  }
  Changes changes() const override { return inner_->changes(); }

 private:
  int64_t inner_epoch(int64_t epoch, int64_t position) const {
    int64_t first, at;
    if (__builtin_mul_overflow(epoch, times_, &first) ||
        __builtin_add_overflow(first, position / inner_->size(), &at))
      throw Error("repeat: epoch " + std::to_string(epoch) + " of " + std::to_string(times_) +
                  " each is more than can be counted");
    return at;
  }

  const SourcePtr inner_;
  const int64_t times_;
};

// ---- Several sources --------------------------------------------------------------------------

// Of several sources under one stage.
uint64_t fingerprint_of_all(const std::vector<SourcePtr>& sources, StageId stage) {
  uint64_t hash = fingerprint_of(sources[0], stage, {sources.size()});
  for (size_t i = 1; i < sources.size(); ++i) hash = mixed(hash, sources[i]->fingerprint());
  return hash;
}

Changes changes_of_all(const std::vector<SourcePtr>& sources) {
  Changes most = Changes::kNothing;
  for (const SourcePtr& source : sources) most = std::max(most, source->changes());
  return most;
}

class Zipped : public Source {
 public:
  explicit Zipped(std::vector<SourcePtr> sources) : sources_(std::move(sources)) {
    for (const SourcePtr& source : sources_) {
      const int64_t n = source->size();
      unsized_ |= n == kUnsized;
      if (n == kUnsized) continue;
      if (size_ != kUnsized && n != size_)
        throw Error("zip: one has " + std::to_string(size_) + " samples and another " +
                    std::to_string(n));
      size_ = n;
    }
  }
  int64_t size() const override { return unsized_ ? kUnsized : size_; }
  Sample get(int64_t epoch, int64_t position) const override {
    return join([&](const Source& source) { return source.get(epoch, position); });
  }
  std::optional<Sample> find(int64_t epoch, int64_t position) const override {
    std::optional<Sample> all;
    for (const SourcePtr& source : sources_) {
      std::optional<Sample> one = source->find(epoch, position);
      if (!one) return std::nullopt;
      if (all)
        all->append(*one);
      else
        all = std::move(one);
    }
    return all;
  }
  Sample gather(int64_t epoch, std::span<const int64_t> positions) const override {
    return join([&](const Source& source) { return source.gather(epoch, positions); });
  }
  uint64_t fingerprint() const override { return fingerprint_of_all(sources_, StageId::kZipped); }
  Changes changes() const override { return changes_of_all(sources_); }

 private:
  template <class F>
  Sample join(F&& sample_of) const {
    Sample all = sample_of(*sources_[0]);
    for (size_t i = 1; i < sources_.size(); ++i) all.append(sample_of(*sources_[i]));
    return all;
  }

  const std::vector<SourcePtr> sources_;
  int64_t size_ = kUnsized;
  bool unsized_ = false;
};

class Concatenated : public Source {
 public:
  explicit Concatenated(std::vector<SourcePtr> sources) : sources_(std::move(sources)) {
    for (size_t i = 0; i < sources_.size(); ++i) {
      if (i + 1 < sources_.size()) sized(sources_[i], "concat");
      starts_.push_back(size_);
      const int64_t n = sources_[i]->size();
      if (n == kUnsized)
        size_ = kUnsized;
      else if (__builtin_add_overflow(size_, n, &size_))
        throw Error("concat: more samples than can be counted");
    }
  }
  int64_t size() const override { return size_; }
  Sample get(int64_t epoch, int64_t position) const override {
    const size_t i = place(position);
    return sources_[i]->get(epoch, position - starts_[i]);
  }
  std::optional<Sample> find(int64_t epoch, int64_t position) const override {
    if (position < 0) return std::nullopt;
    const size_t i = place_of(position);
    return sources_[i]->find(epoch, position - starts_[i]);
  }
  Sample gather(int64_t epoch, std::span<const int64_t> positions) const override {
    std::vector<int64_t> inner(positions.begin(), positions.end());
    size_t first = 0;
    for (size_t k = 0; k < inner.size(); ++k) {
      const size_t i = place(inner[k]);
      if (k == 0) first = i;
      if (i != first) return Source::gather(epoch, positions);
      inner[k] -= starts_[i];
    }
    return inner.empty() ? Sample() : sources_[first]->gather(epoch, inner);
  }
  uint64_t fingerprint() const override {
    return fingerprint_of_all(sources_, StageId::kConcatenated);
  }
  Changes changes() const override { return changes_of_all(sources_); }

 private:
  size_t place_of(int64_t position) const {
    return std::ranges::upper_bound(starts_, position) - starts_.begin() - 1;
  }
  size_t place(int64_t position) const {
    if (size_ == kUnsized)
      check_positions({&position, 1}, INT64_MAX);
    else
      check_positions({&position, 1}, size_);
    return place_of(position);
  }

  const std::vector<SourcePtr> sources_;
  std::vector<int64_t> starts_;  // the position of each source's first sample
  int64_t size_ = 0;
};

// ---- Orders -----------------------------------------------------------------------------------

class Shuffled : public Reindexed {
 public:
  Shuffled(SourcePtr inner, uint64_t seed)
      : Reindexed(sized(std::move(inner), "shuffle")), seed_(seed) {
    check_order("shuffle", size());
  }
  int64_t size() const override { return inner_->size(); }
  uint64_t fingerprint() const override {
    return fingerprint_of(inner_, StageId::kShuffled, {seed_});
  }
  Changes changes() const override { return Changes::kOrder; }

 protected:
  void translate(int64_t epoch, std::span<int64_t> positions) const override {
    const int64_t n = size();
    const auto order = orders_.of(epoch, static_cast<int64_t>(positions.size()), n, [&] {
      auto made = room_for<uint32_t>("shuffle", n);
      std::iota(made.begin(), made.end(), 0);
      Random random(seed_, epoch, UINT32_MAX);
      shuffle_range(&random, made);
      return made;
    });
    for (int64_t& p : positions) p = (*order)[p];
  }

 private:
  const uint64_t seed_;
  Orders orders_;
};

// The order of one window of samples.
std::vector<uint32_t> order_of_window(uint64_t seed, int64_t epoch, int64_t window, int64_t count) {
  auto order = room_for<uint32_t>("shuffle", count);
  std::iota(order.begin(), order.end(), 0);
  Random random(seed, epoch, window);
  shuffle_range(&random, order);
  return order;
}

int64_t checked_buffer(int64_t buffer) {
  if (buffer < 1) throw Error("shuffle: a buffer of " + std::to_string(buffer) + " samples");
  check_order("shuffle", buffer);
  return buffer;
}

class ShuffledWithin : public Reindexed {
 public:
  ShuffledWithin(SourcePtr inner, uint64_t seed, int64_t buffer)
      : Reindexed(std::move(inner)), seed_(seed), buffer_(checked_buffer(buffer)) {}
  int64_t size() const override { return inner_->size(); }
  uint64_t fingerprint() const override {
    return fingerprint_of(inner_, StageId::kShuffledWithin, {seed_, uint64_t(buffer_)});
  }
  Changes changes() const override { return Changes::kOrder; }

 protected:
  void translate(int64_t epoch, std::span<int64_t> positions) const override {
    for (int64_t& p : positions) {
      const int64_t window = p / buffer_, start = window * buffer_;
      const int64_t count = std::min(buffer_, size() - start);
      const auto order = orders_.of(window_of(epoch, window), 1, count,
                                    [&] { return order_of_window(seed_, epoch, window, count); });
      p = start + (*order)[p - start];
    }
  }

 private:
  // One number for both: windows of one epoch follow each other.
  int64_t window_of(int64_t epoch, int64_t window) const {
    const int64_t windows = size() / buffer_ + 1;
    return static_cast<int64_t>(static_cast<uint64_t>(epoch) * windows + window);
  }

  const uint64_t seed_;
  const int64_t buffer_;
  Orders orders_;
};

// The same of a source without a size: the samples of a window are held until they are asked for.
class ShuffledStream : public Unsized {
 public:
  ShuffledStream(SourcePtr inner, uint64_t seed, int64_t buffer)
      : inner_(std::move(inner)), seed_(seed), buffer_(checked_buffer(buffer)) {}
  std::optional<Sample> find(int64_t epoch, int64_t position) const override {
    if (position < 0) return std::nullopt;
    const int64_t window = position / buffer_;
    std::lock_guard hold(mutex_);
    if (const auto end = ends_.find(epoch); end != ends_.end() && position >= end->second)
      return std::nullopt;
    auto found = held_.find({epoch, window});
    if (found == held_.end() || taken(found->second, position)) {
      while (held_.size() >= kMostWindows) held_.erase(held_.begin());
      found = held_.insert_or_assign({epoch, window}, read(epoch, window)).first;
    }
    Window& w = found->second;
    const int64_t k = position - window * buffer_;
    if (k >= static_cast<int64_t>(w.samples.size())) return std::nullopt;
    std::optional<Sample> sample = std::move(std::exchange(w.samples[w.order[k]], std::nullopt));
    if (--w.left == 0) held_.erase(found);
    return sample;
  }
  uint64_t fingerprint() const override {
    return fingerprint_of(inner_, StageId::kShuffledWithin, {seed_, uint64_t(buffer_)});
  }
  Changes changes() const override { return Changes::kOrder; }

 private:
  struct Window {
    std::vector<std::optional<Sample>> samples;
    std::vector<uint32_t> order;
    int64_t left;
  };
  static constexpr size_t kMostWindows = 4;

  bool taken(const Window& w, int64_t position) const {
    const int64_t k = position % buffer_;
    return k < static_cast<int64_t>(w.samples.size()) && !w.samples[w.order[k]];
  }
  // Under the mutex.
  Window read(int64_t epoch, int64_t window) const {
    Window w;
    for (int64_t k = 0; k < buffer_; ++k) {
      std::optional<Sample> sample = inner_->find(epoch, window * buffer_ + k);
      if (!sample) break;
      w.samples.push_back(std::move(sample));
    }
    w.left = static_cast<int64_t>(w.samples.size());
    if (w.left < buffer_) {
      if (ends_.size() >= kMostWindows) ends_.erase(ends_.begin());
      ends_[epoch] = window * buffer_ + w.left;
    }
    w.order = order_of_window(seed_, epoch, window, w.left);
    return w;
  }

  const SourcePtr inner_;
  const uint64_t seed_;
  const int64_t buffer_;
  mutable std::mutex mutex_;
  mutable std::map<std::pair<int64_t, int64_t>, Window> held_;  // by epoch and window
  mutable std::map<int64_t, int64_t> ends_;                     // of epochs, once found
};

}  // namespace

SourcePtr shuffled(SourcePtr source, uint64_t seed) {
  return std::make_shared<Shuffled>(std::move(source), seed);
}
SourcePtr shuffled_within(SourcePtr source, uint64_t seed, int64_t buffer) {
  if (source->size() == Source::kUnsized)
    return std::make_shared<ShuffledStream>(std::move(source), seed, buffer);
  return std::make_shared<ShuffledWithin>(std::move(source), seed, buffer);
}
SourcePtr part(SourcePtr source, int64_t start, int64_t count) {
  if (start < 0 || count < 0) throw Error("data: a negative count of samples");
  if (source->size() == Source::kUnsized)
    return std::make_shared<PartOfUnsized>(std::move(source), start, count);
  return std::make_shared<Part>(std::move(source), start, count);
}
SourcePtr repeated(SourcePtr source, int64_t times) {
  return std::make_shared<Repeated>(std::move(source), times);
}
SourcePtr zipped(std::vector<SourcePtr> sources) {
  if (sources.empty()) throw Error("zip: of nothing");
  return std::make_shared<Zipped>(std::move(sources));
}
SourcePtr concatenated(std::vector<SourcePtr> sources) {
  if (sources.empty()) throw Error("concat: of nothing");
  return std::make_shared<Concatenated>(std::move(sources));
}

}  // namespace glia::data
