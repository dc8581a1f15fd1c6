// The stages, and the thread that runs them ahead.
#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <exception>
#include <mutex>
#include <numeric>
#include <thread>

#include "core/node.h"
#include "glia/data.h"
#include "runtime/threads.h"

namespace glia::data {
namespace {

const char* bytes_of(const Tensor& t) {
  eval(t);
  return static_cast<const char*>(t.node()->data());
}

// A tensor of `rows` pieces of shape `row`; piece i is copied from row_data(i).
template <class F>
Tensor stack_rows(int64_t rows, const Shape& row, DType dtype, F&& row_data) {
  Shape shape = row;
  shape.insert(0, rows);
  const size_t bytes = static_cast<size_t>(row.numel()) * size_of(dtype);
  MemoryRef memory(allocate_memory(static_cast<size_t>(rows) * bytes));
  auto* out = static_cast<char*>(memory->data);
  constexpr int64_t kTogether = 1 << 16;  // bytes, for rows anywhere in memory
  const int64_t step = std::max<int64_t>(1, kTogether / std::max<int64_t>(bytes, 1));
  parallel_for((rows + step - 1) / step, [&](int64_t piece) {
    for (int64_t i = piece * step; i < std::min(rows, (piece + 1) * step); ++i)
      std::memcpy(out + i * bytes, row_data(i), bytes);
  });
  return leaf(std::move(memory), 0, shape, dtype);
}

Shape without_first(const Shape& shape) {
  Shape row = shape;
  row.erase(0);
  return row;
}

class InMemory : public Source {
 public:
  explicit InMemory(Sample tensors) : tensors_(std::move(tensors)) {
    for (const Tensor& t : tensors_) {
      if (t.rank() == 0 || t.size(0) != tensors_[0].shape()[0])
        throw ShapeError("from_tensors: axis 0 differs: " + tensors_[0].shape().str() + " and " +
                         t.shape().str());
      rows_.push_back(bytes_of(t));
    }
  }
  int64_t size() const override { return tensors_.empty() ? 0 : tensors_[0].shape()[0]; }
  Sample get(int64_t, int64_t position) const override {
    return rows_at({&position, 1}, [](const Tensor& stacked) {
      return leaf(stacked.node()->memory, 0, without_first(stacked.shape()), stacked.dtype());
    });
  }
  Sample gather(int64_t, std::span<const int64_t> positions) const override {
    return rows_at(positions, [](Tensor stacked) { return stacked; });
  }

 private:
  template <class F>
  Sample rows_at(std::span<const int64_t> positions, F&& finish) const {
    Sample out;
    for (size_t k = 0; k < tensors_.size(); ++k) {
      const Shape row = without_first(tensors_[k].shape());
      const DType dtype = tensors_[k].dtype();
      const size_t bytes = static_cast<size_t>(row.numel()) * size_of(dtype);
      out.push_back(finish(stack_rows(static_cast<int64_t>(positions.size()), row, dtype,
                                      [&](int64_t i) { return rows_[k] + positions[i] * bytes; })));
    }
    return out;
  }

  Sample tensors_;
  std::vector<const char*> rows_;  // their bytes
};

// The inner source's samples at other positions.
class Reindexed : public Source {
 public:
  explicit Reindexed(SourcePtr inner) : inner_(std::move(inner)) {}
  Sample get(int64_t epoch, int64_t position) const override {
    translate(epoch, {&position, 1});
    return inner_->get(epoch, position);
  }
  Sample gather(int64_t epoch, std::span<const int64_t> positions) const override {
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
  Shuffled(SourcePtr inner, uint64_t seed) : Reindexed(std::move(inner)), seed_(seed) {}
  int64_t size() const override { return inner_->size(); }

 protected:
  void translate(int64_t epoch, std::span<int64_t> positions) const override {
    const auto order = order_of(epoch);
    for (int64_t& p : positions) p = (*order)[p];
  }

 private:
  using Order = std::vector<int64_t>;
  std::shared_ptr<const Order> order_of(int64_t epoch) const {
    std::lock_guard hold(mutex_);
    if (!order_ || epoch_ != epoch) {
      auto order = std::make_shared<Order>(size());
      std::iota(order->begin(), order->end(), 0);
      Random random(seed_, static_cast<uint32_t>(epoch), UINT32_MAX);
      for (int64_t i = size() - 1; i > 0; --i)
        std::swap((*order)[i], (*order)[random.below(i + 1)]);
      order_ = std::move(order);
      epoch_ = epoch;
    }
    return order_;
  }

  const uint64_t seed_;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<const Order> order_;  // of epoch_
  mutable int64_t epoch_ = -1;
};

class Part : public Reindexed {
 public:
  Part(SourcePtr inner, int64_t start, int64_t count) : Reindexed(std::move(inner)) {
    if (start < 0 || count < 0) throw Error("data: a negative count of samples");
    start_ = std::min(start, inner_->size());
    count_ = std::min(count, inner_->size() - start_);
  }
  int64_t size() const override { return count_; }

 protected:
  void translate(int64_t, std::span<int64_t> positions) const override {
    for (int64_t& p : positions) p += start_;
  }

 private:
  int64_t start_, count_;
};

class Batched : public Source {
 public:
  Batched(SourcePtr inner, int64_t batch, bool drop_last)
      : inner_(std::move(inner)), batch_(batch), drop_last_(drop_last) {
    if (batch < 1) throw Error("batch: the size must be positive, not " + std::to_string(batch));
  }
  int64_t size() const override {
    return (inner_->size() + (drop_last_ ? 0 : batch_ - 1)) / batch_;
  }
  Sample get(int64_t epoch, int64_t position) const override {
    const int64_t start = position * batch_;
    std::vector<int64_t> positions(std::min(batch_, inner_->size() - start));
    std::iota(positions.begin(), positions.end(), start);
    return inner_->gather(epoch, positions);
  }

 private:
  const SourcePtr inner_;
  const int64_t batch_;
  const bool drop_last_;
};

class Augmented : public Source {
 public:
  Augmented(SourcePtr inner, uint64_t seed, AugmentFunction f)
      : inner_(std::move(inner)), seed_(seed), f_(std::move(f)) {}
  int64_t size() const override { return inner_->size(); }
  Sample get(int64_t epoch, int64_t position) const override {
    Random random(seed_, static_cast<uint32_t>(epoch), static_cast<uint32_t>(position));
    return f_(random, inner_->get(epoch, position));
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
  }
  int64_t size() const override { return inner_->size() * times_; }
  Sample get(int64_t epoch, int64_t position) const override {
    const int64_t n = inner_->size();
    return inner_->get(epoch * times_ + position / n, position % n);
  }

 private:
  const SourcePtr inner_;
  const int64_t times_;
};

}  // namespace

Sample Source::gather(int64_t epoch, std::span<const int64_t> positions) const {
  std::vector<Sample> samples;
  for (int64_t p : positions) samples.push_back(get(epoch, p));
  Sample out;
  for (size_t k = 0; !samples.empty() && k < samples[0].size(); ++k) {
    const Tensor& first = samples[0][k];
    for (const Sample& s : samples) {
      if (s.size() != samples[0].size())
        throw ShapeError("batch: samples of different numbers of tensors");
      if (s[k].shape() != first.shape() || s[k].dtype() != first.dtype())
        throw ShapeError(std::string("batch: samples differ: ") + name(first.dtype()) + " " +
                         first.shape().str() + " and " + name(s[k].dtype()) + " " +
                         s[k].shape().str());
    }
    out.push_back(stack_rows(static_cast<int64_t>(samples.size()), first.shape(), first.dtype(),
                             [&](int64_t i) { return bytes_of(samples[i][k]); }));
  }
  return out;
}

SourcePtr in_memory(Sample tensors) { return std::make_shared<InMemory>(std::move(tensors)); }
SourcePtr shuffled(SourcePtr source, uint64_t seed) {
  return std::make_shared<Shuffled>(std::move(source), seed);
}
SourcePtr batched(SourcePtr source, int64_t size, bool drop_last) {
  return std::make_shared<Batched>(std::move(source), size, drop_last);
}
SourcePtr mapped(SourcePtr source, MapFunction f) {
  return augmented(std::move(source), 0,
                   [f = std::move(f)](Random&, Sample s) { return f(std::move(s)); });
}
SourcePtr augmented(SourcePtr source, uint64_t seed, AugmentFunction f) {
  return std::make_shared<Augmented>(std::move(source), seed, std::move(f));
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
  Prefetcher(SourcePtr source, State from, int limit)
      : source_(std::move(source)), limit_(limit), thread_([this, from] { run(from); }) {}
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
      for (const int64_t end = source_->size(); at.position < end; ++at.position) {
        {
          std::unique_lock hold(mutex_);
          changed_.wait(hold, [&] { return abandoned_ || ready_.size() < limit_; });
          if (abandoned_) return;
        }
        Sample sample = source_->get(at.epoch, at.position);
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
  const size_t limit_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Sample> ready_;
  std::exception_ptr error_;
  bool abandoned_ = false;
  std::thread thread_;  // last: it uses all of the above
};

Pipeline::Pass::Pass(Pipeline& pipeline) : pipeline_(&pipeline), at_(pipeline.state_) {
  if (pipeline.prefetch_ > 0)
    prefetcher_ = std::make_unique<Prefetcher>(pipeline.source_, at_, pipeline.prefetch_);
}
Pipeline::Pass::~Pass() = default;
Pipeline::Pass::Pass(Pass&& other) noexcept = default;

bool Pipeline::Pass::next(Sample& sample) {
  const bool more = at_.position < pipeline_->size();
  if (more) {
    sample = prefetcher_ ? prefetcher_->next() : pipeline_->source_->get(at_.epoch, at_.position);
    ++at_.position;
  } else {
    at_ = {at_.epoch + 1, 0};
  }
  pipeline_->state_ = at_;
  return more;
}

}  // namespace glia::data
