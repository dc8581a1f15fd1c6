// The stages, and the thread that runs them ahead.
#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <map>
#include <mutex>
#include <numeric>
#include <thread>

#include "data/bytes.h"
#include "glia/data.h"
#include "glia/random.h"
#include "ops/autocast.h"

namespace glia::data {
namespace {

// Throws unless 0 <= position < size for each of them.
void check_positions(std::span<const int64_t> positions, int64_t size) {
  for (const int64_t p : positions)
    if (p < 0 || p >= size)
      throw Error("data: there is no sample " + std::to_string(p) + " among " +
                  std::to_string(size));
}

// `count` elements, or an Error that names the stage.
template <class T>
std::vector<T> room_for(const char* stage, int64_t count) {
  try {
    return std::vector<T>(static_cast<size_t>(count));
  } catch (const std::exception&) {
    throw Error(std::string(stage) + ": no room for " + std::to_string(count) + " samples");
  }
}

// Of a stage around another source.
enum class Stage : uint64_t { kShuffled = 1, kPart, kBatched, kAugmented, kRepeated };
uint64_t fingerprint_of(const SourcePtr& inner, Stage stage,
                        std::initializer_list<uint64_t> settings) {
  uint64_t hash = mixed(inner->fingerprint(), static_cast<uint64_t>(stage));
  for (const uint64_t value : settings) hash = mixed(hash, value);
  return hash;
}

uint64_t fingerprint_of(const Sample& sample) {
  uint64_t hash = sample.size();
  for (size_t i = 0; i < sample.size(); ++i) {
    const Value& value = sample.value(i);
    hash = mixed(hash, static_cast<uint64_t>(value.kind()));
    if (sample.names()) hash = mixed(hash, io::bytes_of((*sample.names())[i]));
    if (const int64_t* n = value.integer()) hash = mixed(hash, static_cast<uint64_t>(*n));
    if (const double* n = value.number()) hash = mixed(hash, std::bit_cast<uint64_t>(*n));
    if (const std::string* text = value.text()) hash = mixed(hash, io::bytes_of(*text));
    if (value.texts())
      for (const std::string& text : *value.texts()) hash = mixed(hash, io::bytes_of(text));
    if (const Tensor* t = value.tensor(); t && t->defined()) {
      hash = mixed(hash, static_cast<uint64_t>(t->dtype()));
      for (const int64_t size : t->shape()) hash = mixed(hash, size);
      hash = mixed(hash, io::Bytes(reinterpret_cast<const uint8_t*>(bytes_of(*t)),
                                   static_cast<size_t>(t->node()->bytes())));
    }
  }
  return hash;
}

uint64_t fingerprint_of(const BatchOptions& options) {
  uint64_t hash = options.ragged.size();
  for (const Pad& p : options.pad) {
    hash = mixed(mixed(hash, io::bytes_of(p.field)), io::bytes_of(p.value.str()));
    hash = mixed(hash, static_cast<uint64_t>(p.multiple));
    hash = mixed(mixed(hash, io::bytes_of(p.lengths)), io::bytes_of(p.mask));
  }
  for (const std::string& name : options.ragged) hash = mixed(hash, io::bytes_of(name));
  return hash;
}

// Rows of columns: tensors, and lists of texts.
class InMemory : public Source {
 public:
  explicit InMemory(Sample columns) : columns_(std::move(columns)) {
    for (size_t k = 0; k < columns_.size(); ++k) {
      const Value& column = columns_.value(k);
      const Tensor* t = column.tensor();
      const bool has_rows = column.texts() || (t && t->defined() && t->rank() > 0);
      const int64_t rows = !has_rows ? -1 : t ? t->size(0) : column.texts()->size();
      if (k == 0) rows_ = rows;
      if (!has_rows || rows != rows_)
        throw ShapeError("from_tensors: axis 0 differs: " + columns_.value(0).str() + " and " +
                         column.str());
      bytes_.push_back(t ? bytes_of(*t) : nullptr);
    }
  }
  int64_t size() const override { return rows_; }
  Sample get(int64_t, int64_t position) const override {
    return rows_at(
        {&position, 1},
        [](const Tensor& stacked) {
          return leaf(stacked.node()->memory, 0, without_first(stacked.shape()), stacked.dtype());
        },
        [](Texts texts) { return std::move(texts[0]); });
  }
  Sample gather(int64_t, std::span<const int64_t> positions) const override {
    return rows_at(
        positions, [](Tensor stacked) { return stacked; }, [](Texts texts) { return texts; });
  }
  uint64_t fingerprint() const override {
    uint64_t hash = columns_.size();
    for (size_t k = 0; k < columns_.size(); ++k) {
      if (const Texts* texts = columns_.value(k).texts()) {
        for (const std::string& text : *texts) hash = mixed(hash, io::bytes_of(text));
        continue;
      }
      const Tensor& t = *columns_.value(k).tensor();
      hash = mixed(hash, static_cast<uint64_t>(t.dtype()));
      for (const int64_t size : t.shape()) hash = mixed(hash, size);
      const auto bytes = static_cast<size_t>(t.shape().numel()) * size_of(t.dtype());
      hash = mixed(hash, io::Bytes(reinterpret_cast<const uint8_t*>(bytes_[k]), bytes));
    }
    return hash;
  }

 private:
  template <class OfTensor, class OfTexts>
  Sample rows_at(std::span<const int64_t> positions, OfTensor&& of_tensor,
                 OfTexts&& of_texts) const {
    check_positions(positions, rows_);
    std::vector<Value> out;
    for (size_t k = 0; k < columns_.size(); ++k) {
      if (const Texts* texts = columns_.value(k).texts()) {
        Texts some;
        for (const int64_t p : positions) some.push_back((*texts)[p]);
        out.emplace_back(of_texts(std::move(some)));
        continue;
      }
      const Tensor& t = *columns_.value(k).tensor();
      const Shape row = without_first(t.shape());
      const size_t bytes = static_cast<size_t>(row.numel()) * size_of(t.dtype());
      out.emplace_back(
          of_tensor(stack_rows(static_cast<int64_t>(positions.size()), row, t.dtype(),
                               [&](int64_t i) { return bytes_[k] + positions[i] * bytes; })));
    }
    return Sample(std::move(out), columns_.names());
  }

  Sample columns_;
  std::vector<const char*> bytes_;  // of the tensors
  int64_t rows_ = 0;
};

// Samples that need have nothing in common.
class Listed : public Source {
 public:
  explicit Listed(std::vector<Sample> samples) : samples_(std::move(samples)) {}
  int64_t size() const override { return static_cast<int64_t>(samples_.size()); }
  Sample get(int64_t, int64_t position) const override {
    check_positions({&position, 1}, size());
    return samples_[position];
  }
  uint64_t fingerprint() const override {
    uint64_t hash = samples_.size();
    for (const Sample& sample : samples_) hash = mixed(hash, fingerprint_of(sample));
    return hash;
  }

 private:
  const std::vector<Sample> samples_;
};

// The inner source's samples at other positions.
class Reindexed : public Source {
 public:
  explicit Reindexed(SourcePtr inner) : inner_(std::move(inner)) {}
  Sample get(int64_t epoch, int64_t position) const override {
    check_positions({&position, 1}, size());
    translate(epoch, {&position, 1});
    return inner_->get(epoch, position);
  }
  Sample gather(int64_t epoch, std::span<const int64_t> positions) const override {
    check_positions(positions, size());
    std::vector<int64_t> inner(positions.begin(), positions.end());
    translate(epoch, inner);
    return inner_->gather(epoch, inner);
  }

 protected:
  virtual void translate(int64_t epoch, std::span<int64_t> positions) const = 0;
  const SourcePtr inner_;
};

class Shuffled : public Reindexed {
 public:
  Shuffled(SourcePtr inner, uint64_t seed) : Reindexed(std::move(inner)), seed_(seed) {
    if (size() > UINT32_MAX)
      throw Error("shuffle: " + std::to_string(size()) + " samples are more than the " +
                  std::to_string(UINT32_MAX) + " that can be put in order");
  }
  int64_t size() const override { return inner_->size(); }
  uint64_t fingerprint() const override {
    return fingerprint_of(inner_, Stage::kShuffled, {seed_});
  }

 protected:
  void translate(int64_t epoch, std::span<int64_t> positions) const override {
    const auto order = order_of(epoch, static_cast<int64_t>(positions.size()));
    for (int64_t& p : positions) p = (*order)[p];
  }

 private:
  using Order = std::vector<uint32_t>;
  struct Kept {
    std::shared_ptr<const Order> order;
    int64_t left;  // how many of its positions nobody has asked for yet
  };
  // An order is kept until a whole epoch has been asked for, since a stage above may go through
  // many epochs at once; of all together at most kMostKept elements, the first epochs going first.
  static constexpr int64_t kMostKept = int64_t{1} << 24;

  std::shared_ptr<const Order> order_of(int64_t epoch, int64_t asked) const {
    std::lock_guard hold(mutex_);
    auto found = kept_.find(epoch);
    if (found == kept_.end()) {
      const int64_t n = size();
      while (!kept_.empty() && static_cast<int64_t>(kept_.size() + 1) * n > kMostKept)
        kept_.erase(kept_.begin());
      found = kept_.emplace(epoch, Kept{made(epoch, n), n}).first;
    }
    const auto order = found->second.order;
    if ((found->second.left -= asked) <= 0) kept_.erase(found);
    return order;
  }
  std::shared_ptr<const Order> made(int64_t epoch, int64_t n) const {
    auto order = std::make_shared<Order>(room_for<uint32_t>("shuffle", n));
    std::iota(order->begin(), order->end(), 0);
    Random random(seed_, epoch, UINT32_MAX);
    for (int64_t i = n - 1; i > 0; --i) std::swap((*order)[i], (*order)[random.below(i + 1)]);
    return order;
  }

  const uint64_t seed_;
  mutable std::mutex mutex_;
  mutable std::map<int64_t, Kept> kept_;  // by epoch
};

class Part : public Reindexed {
 public:
  Part(SourcePtr inner, int64_t start, int64_t count) : Reindexed(std::move(inner)) {
    if (start < 0 || count < 0) throw Error("data: a negative count of samples");
    start_ = std::min(start, inner_->size());
    count_ = std::min(count, inner_->size() - start_);
  }
  int64_t size() const override { return count_; }
  uint64_t fingerprint() const override {
    return fingerprint_of(inner_, Stage::kPart, {uint64_t(start_), uint64_t(count_)});
  }

 protected:
  void translate(int64_t, std::span<int64_t> positions) const override {
    for (int64_t& p : positions) p += start_;
  }

 private:
  int64_t start_, count_;
};

class Batched : public Source {
 public:
  Batched(SourcePtr inner, int64_t batch, BatchOptions options)
      : inner_(std::move(inner)), batch_(batch), options_(std::move(options)) {
    if (batch < 1) throw Error("batch: the size must be positive, not " + std::to_string(batch));
  }
  int64_t size() const override {
    const int64_t n = inner_->size();
    return n / batch_ + (!options_.drop_last && n % batch_ > 0);
  }
  Sample get(int64_t epoch, int64_t position) const override {
    check_positions({&position, 1}, size());
    const int64_t start = position * batch_;
    auto positions = room_for<int64_t>("batch", std::min(batch_, inner_->size() - start));
    std::iota(positions.begin(), positions.end(), start);
    if (plain()) return inner_->gather(epoch, positions);
    std::vector<Sample> samples;
    for (const int64_t p : positions) samples.push_back(inner_->get(epoch, p));
    return collate(samples, options_);
  }
  uint64_t fingerprint() const override {
    const uint64_t hash =
        fingerprint_of(inner_, Stage::kBatched, {uint64_t(batch_), options_.drop_last});
    return plain() ? hash : mixed(hash, fingerprint_of(options_));
  }

 private:
  bool plain() const { return options_.pad.empty() && options_.ragged.empty(); }

  const SourcePtr inner_;
  const int64_t batch_;
  const BatchOptions options_;
};

class Augmented : public Source {
 public:
  Augmented(SourcePtr inner, uint64_t seed, AugmentFunction f)
      : inner_(std::move(inner)), seed_(seed), f_(std::move(f)) {}
  int64_t size() const override { return inner_->size(); }
  Sample get(int64_t epoch, int64_t position) const override {
    Random random(seed_, epoch, position);
    return f_(random, inner_->get(epoch, position));
  }
  uint64_t fingerprint() const override {
    return fingerprint_of(inner_, Stage::kAugmented, {seed_});
  }

 private:
  const SourcePtr inner_;
  const uint64_t seed_;
  const AugmentFunction f_;
};

class Repeated : public Source {
 public:
  Repeated(SourcePtr inner, int64_t times) : inner_(std::move(inner)), times_(times) {
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
    return fingerprint_of(inner_, Stage::kRepeated, {uint64_t(times_)});
  }

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

// What the source gives there. Random tensors that its functions draw come from a stream of its
// own, whatever the thread; the thread's is left as it was.
Sample sample_at(const Source& source, uint64_t seed, State at) {
  const struct Stream {
    RandomState before = random_state();
    ~Stream() { set_random_state(before); }
  } kept;
  Random random(seed, at.epoch, at.position);
  const uint64_t high = random.bits();
  manual_seed(high << 32 | random.bits());
  return source.get(at.epoch, at.position);
}

}  // namespace

Sample Source::gather(int64_t epoch, std::span<const int64_t> positions) const {
  std::vector<Sample> samples;
  for (const int64_t p : positions) samples.push_back(get(epoch, p));
  return collate(samples);
}

uint64_t Source::fingerprint() const { return mixed(0, static_cast<uint64_t>(size())); }

SourcePtr in_memory(const Sample& columns) { return std::make_shared<InMemory>(columns); }
SourcePtr in_memory(std::vector<Sample> samples) {
  return std::make_shared<Listed>(std::move(samples));
}
SourcePtr shuffled(SourcePtr source, uint64_t seed) {
  return std::make_shared<Shuffled>(std::move(source), seed);
}
SourcePtr batched(SourcePtr source, int64_t size, const BatchOptions& options) {
  return std::make_shared<Batched>(std::move(source), size, options);
}
SourcePtr mapped(SourcePtr source, MapFunction f) {
  return augmented(std::move(source), 0,
                   [f = std::move(f)](Random&, Sample s) { return f(std::move(s)); });
}
SourcePtr augmented(SourcePtr source, uint64_t seed, AugmentFunction f) {
  return std::make_shared<Augmented>(std::move(source), seed, std::move(f));
}
SourcePtr renamed(SourcePtr source, const std::vector<std::string>& names) {
  const auto shared = std::make_shared<const std::vector<std::string>>(names);
  return mapped(std::move(source), [shared](const Sample& s) {
    std::vector<Value> values;
    for (size_t i = 0; i < s.size(); ++i) values.push_back(s.value(i));
    return Sample(std::move(values), shared);
  });
}
SourcePtr selected(SourcePtr source, const std::vector<std::string>& names) {
  const auto shared = std::make_shared<const std::vector<std::string>>(names);
  return mapped(std::move(source), [shared](const Sample& s) {
    std::vector<Value> values;
    for (const std::string& name : *shared) values.push_back(s.value(name));
    return Sample(std::move(values), shared);
  });
}
SourcePtr part(SourcePtr source, int64_t start, int64_t count) {
  return std::make_shared<Part>(std::move(source), start, count);
}
SourcePtr repeated(SourcePtr source, int64_t times) {
  return std::make_shared<Repeated>(std::move(source), times);
}

// Holds at most `limit` samples, the one being made included.
class Pipeline::Pass::Prefetcher {
 public:
  Prefetcher(SourcePtr source, uint64_t seed, State from, int64_t limit)
      : source_(std::move(source)),
        seed_(seed),
        limit_(limit),
        gradients_(grad_enabled()),
        precision_(autocast_on() ? kBF16 : kF32),
        thread_([this, from] { run(from); }) {}
  ~Prefetcher() {
    {
      std::lock_guard hold(mutex_);
      abandoned_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  Sample next() {
    std::unique_lock hold(mutex_);
    changed_.wait(hold, [&] { return !ready_.empty() || error_; });
    if (ready_.empty()) std::rethrow_exception(error_);
    Sample sample = std::move(ready_.front());
    ready_.pop_front();
    changed_.notify_all();
    return sample;
  }

 private:
  void run(State at) {
    try {
      // Functions of stages compute as they would on the thread that takes the samples.
      set_grad_enabled(gradients_);
      const Autocast precision(precision_);
      for (const int64_t end = source_->size(); at.position < end; ++at.position) {
        {
          std::unique_lock hold(mutex_);
          changed_.wait(hold,
                        [&] { return abandoned_ || static_cast<int64_t>(ready_.size()) < limit_; });
          if (abandoned_) return;
        }
        Sample sample = sample_at(*source_, seed_, at);
        std::lock_guard hold(mutex_);
        ready_.push_back(std::move(sample));
        changed_.notify_all();
      }
    } catch (...) {
      std::lock_guard hold(mutex_);
      error_ = std::current_exception();
      changed_.notify_all();
    }
  }

  const SourcePtr source_;
  const uint64_t seed_;
  const int64_t limit_;
  const bool gradients_;
  const DType precision_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Sample> ready_;
  std::exception_ptr error_;
  bool abandoned_ = false;
  std::thread thread_;  // last: it uses all of the above
};

Pipeline::Pipeline(SourcePtr source, int64_t prefetch)
    : source_(std::move(source)), prefetch_(prefetch) {
  if (!source_) throw Error("Pipeline: there is no source");
  if (prefetch < 0) throw Error("prefetch: a negative count");
}

void Pipeline::set_state(State state) {
  if (state.epoch < 0 || state.epoch == INT64_MAX || state.position < 0 || state.position > size())
    throw Error("set_state: epoch " + std::to_string(state.epoch) + ", position " +
                std::to_string(state.position) + " is none: an epoch has " +
                std::to_string(size()) + " samples or batches");
  state_ = state;
}

Pipeline::Pass::Pass(Pipeline& pipeline)
    : pipeline_(&pipeline), at_(pipeline.state_), seed_(random_state().seed) {
  if (pipeline.prefetch_ > 0)
    prefetcher_ = std::make_unique<Prefetcher>(pipeline.source_, seed_, at_, pipeline.prefetch_);
}
Pipeline::Pass::~Pass() = default;
Pipeline::Pass::Pass(Pass&& other) noexcept = default;

bool Pipeline::Pass::next(Sample& sample) {
  const bool more = at_.position < pipeline_->size();
  if (more) {
    sample = prefetcher_ ? prefetcher_->next() : sample_at(*pipeline_->source_, seed_, at_);
    ++at_.position;
  } else {
    at_ = {at_.epoch + 1, 0};
  }
  pipeline_->state_ = at_;
  return more;
}

}  // namespace glia::data
