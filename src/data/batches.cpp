// Batches: of samples that follow each other, and of samples of like length.
#include <algorithm>
#include <numeric>

#include "data/bytes.h"
#include "data/stage.h"

namespace glia::data {
namespace {

Sample collated(const Source& source, int64_t epoch, std::span<const int64_t> positions,
                const BatchOptions& options) {
  std::vector<Sample> samples;
  for (const int64_t p : positions) samples.push_back(source.get(epoch, p));
  return collate(samples, options);
}

class Batched : public Source {
 public:
  Batched(SourcePtr inner, int64_t batch, BatchOptions options)
      : inner_(std::move(inner)), batch_(batch), options_(std::move(options)) {
    if (batch < 1) throw Error("batch: the size must be positive, not " + std::to_string(batch));
  }
  int64_t size() const override {
    const int64_t n = inner_->size();
    if (n == kUnsized) return n;
    return n / batch_ + (!options_.drop_last && n % batch_ > 0);
  }
  Sample get(int64_t epoch, int64_t position) const override {
    if (inner_->size() == kUnsized) {
      std::optional<Sample> batch = find(epoch, position);
      if (!batch) throw Error("data: there is no batch " + std::to_string(position));
      return std::move(*batch);
    }
    check_positions({&position, 1}, size());
    const int64_t start = position * batch_;
    auto positions = room_for<int64_t>("batch", std::min(batch_, inner_->size() - start));
    std::iota(positions.begin(), positions.end(), start);
    if (plain()) return inner_->gather(epoch, positions);
    return collated(*inner_, epoch, positions, options_);
  }
  std::optional<Sample> find(int64_t epoch, int64_t position) const override {
    if (inner_->size() != kUnsized) return Source::find(epoch, position);
    if (position < 0 || position > INT64_MAX / batch_ - 1) return std::nullopt;
    std::vector<Sample> samples;
    for (int64_t k = 0; k < batch_; ++k) {
      std::optional<Sample> sample = inner_->find(epoch, position * batch_ + k);
      if (!sample) break;
      samples.push_back(std::move(*sample));
    }
    const bool whole = static_cast<int64_t>(samples.size()) == batch_;
    if (samples.empty() || (options_.drop_last && !whole)) return std::nullopt;
    return collate(samples, options_);
  }
  Changes changes() const override { return inner_->changes(); }
  uint64_t fingerprint() const override {
    const uint64_t hash =
        fingerprint_of(inner_, StageId::kBatched, {uint64_t(batch_), options_.drop_last});
    return plain() ? hash : mixed(hash, fingerprint_of(options_));
  }

 private:
  bool plain() const { return options_.pad.empty() && options_.ragged.empty(); }

  const SourcePtr inner_;
  const int64_t batch_;
  const BatchOptions options_;
};

int64_t length_of(const Sample& sample, const std::string& field) {
  const Value& value = sample.value(field);
  if (const std::string* text = value.text()) return static_cast<int64_t>(text->size());
  if (const Tensor* t = value.tensor(); t && t->defined() && t->rank() > 0) return t->size(0);
  throw Error("bucket: " + field + " is " + value.str() + ", which has no length");
}

// The next multiple; lengths are at most kMostLength, so that nothing overflows.
constexpr int64_t kMostLength = int64_t{1} << 40;
int64_t rounded_up(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

class Bucketed : public Source {
 public:
  Bucketed(SourcePtr inner, BucketOptions options)
      : inner_(ordered(std::move(inner), "bucket")), options_(std::move(options)) {
    const BucketOptions& o = options_;
    if ((o.size > 0) == (o.tokens > 0) || o.size < 0 || o.tokens < 0)
      throw Error("bucket: needs either a size or a number of tokens above 0");
    if (o.width < 1 || o.width > kMostLength)
      throw Error("bucket: a width of " + std::to_string(o.width));
    if (o.field.empty() == o.lengths.empty() && inner_->size() > 0)
      throw Error("bucket: needs either a field or the lengths");
    check_order("bucket", inner_->size());
    if (!o.lengths.empty() && static_cast<int64_t>(o.lengths.size()) != inner_->size())
      throw Error("bucket: " + std::to_string(o.lengths.size()) + " lengths for " +
                  std::to_string(inner_->size()) + " samples");
  }
  int64_t size() const override { return static_cast<int64_t>(layout().starts.size()) - 1; }
  Sample get(int64_t epoch, int64_t position) const override {
    check_positions({&position, 1}, size());
    const Layout& l = layout();
    const auto order = orders_.of(epoch, 1, size(), [&] { return order_of(l, epoch); });
    const int64_t batch = (*order)[inner_->size() + position];
    const std::vector<int64_t> positions(order->begin() + l.starts[batch],
                                         order->begin() + l.starts[batch + 1]);
    return collated(*inner_, epoch, positions, options_.batch);
  }
  uint64_t fingerprint() const override {
    const BucketOptions& o = options_;
    uint64_t hash = fingerprint_of(inner_, StageId::kBucketed,
                                   {uint64_t(o.size), uint64_t(o.tokens), uint64_t(o.width), o.seed,
                                    o.batch.drop_last, fingerprint_of(o.batch), o.lengths.size()});
    for (const int64_t n : o.lengths) hash = mixed(hash, static_cast<uint64_t>(n));
    return mixed(hash, io::bytes_of(o.field));
  }
  Changes changes() const override { return Changes::kOrder; }

 private:
  // The same for every epoch: samples by rounded length, and where batches begin among them.
  struct Layout {
    std::vector<uint32_t> sorted;
    std::vector<int64_t> lengths;  // rounded, of `sorted`
    std::vector<int64_t> starts;   // and the end of the last batch
  };

  const Layout& layout() const {
    std::lock_guard hold(mutex_);
    if (!layout_) layout_ = std::make_unique<const Layout>(made());
    return *layout_;
  }
  Layout made() const {
    const int64_t n = inner_->size();
    int64_t multiple = 1;
    for (const Pad& pad : options_.batch.pad)
      if (pad.field == options_.field) multiple = std::max<int64_t>(1, pad.multiple);
    auto lengths = room_for<int64_t>("bucket", n);
    for (int64_t i = 0; i < n; ++i) {
      const int64_t length = options_.field.empty() ? options_.lengths[i]
                                                    : length_of(inner_->get(0, i), options_.field);
      if (length < 0 || length > kMostLength || multiple > kMostLength)
        throw ValueError("bucket: sample " + std::to_string(i) + " has a length of " +
                         std::to_string(length));
      lengths[i] = rounded_up(rounded_up(length, options_.width), multiple);
    }
    Layout l;
    l.sorted = room_for<uint32_t>("bucket", n);
    std::iota(l.sorted.begin(), l.sorted.end(), 0);
    std::ranges::stable_sort(l.sorted, {}, [&](uint32_t i) { return lengths[i]; });
    l.starts.push_back(0);
    for (int64_t i = 0; i < n; ++i) {
      const int64_t length = lengths[l.sorted[i]], count = i - l.starts.back();
      l.lengths.push_back(length);
      // Also of samples without tokens a batch holds at most so many.
      const int64_t each = std::max<int64_t>(1, length);
      if (options_.tokens > 0 && each > options_.tokens)
        throw ValueError("bucket: sample " + std::to_string(l.sorted[i]) + ", filled up to " +
                         std::to_string(length) + ", is more than " +
                         std::to_string(options_.tokens) + " tokens");
      const bool full =
          options_.size > 0 ? count == options_.size : (count + 1) > options_.tokens / each;
      if (count > 0 && full) l.starts.push_back(i);
    }
    const bool partial = options_.size > 0 && n - l.starts.back() < options_.size;
    if (n > l.starts.back() && !(partial && options_.batch.drop_last)) l.starts.push_back(n);
    return l;
  }
  // The samples batch by batch, and then the order of the batches.
  std::vector<uint32_t> order_of(const Layout& l, int64_t epoch) const {
    Random random(options_.seed, epoch, UINT32_MAX);
    std::vector<uint32_t> order = l.sorted;
    const auto n = static_cast<int64_t>(order.size());
    for (int64_t first = 0, last; first < n; first = last) {
      for (last = first + 1; last < n && l.lengths[last] == l.lengths[first];) ++last;
      shuffle_range(&random, std::span(order).subspan(first, last - first));
    }
    order.resize(n + l.starts.size() - 1);
    const std::span<uint32_t> batches = std::span(order).subspan(n);
    std::iota(batches.begin(), batches.end(), 0);
    shuffle_range(&random, batches);
    return order;
  }

  const SourcePtr inner_;
  const BucketOptions options_;
  Orders orders_;
  mutable std::mutex mutex_;
  mutable std::unique_ptr<const Layout> layout_;
};

}  // namespace

SourcePtr batched(SourcePtr source, int64_t size, const BatchOptions& options) {
  return std::make_shared<Batched>(std::move(source), size, options);
}
SourcePtr bucketed(SourcePtr source, const BucketOptions& options) {
  return std::make_shared<Bucketed>(std::move(source), options);
}

}  // namespace glia::data
