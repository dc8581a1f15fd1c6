// Pipelines: sources with stages, gone over pass by pass.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "glia/data/source.h"

namespace glia::data {

// Where a pass stands: `position` samples or batches of that epoch have been given.
struct State {
  int64_t epoch = 0, position = 0;
  bool operator==(const State&) const = default;
};

// What a pipeline is whatever its samples hold: a value; each copy has its own state.
class Pipeline {
 public:
  explicit Pipeline(SourcePtr source, int64_t prefetch = 0);

  int64_t size() const { return source_->size(); }  // samples or batches of one epoch
  const SourcePtr& source() const { return source_; }

  // What the next pass starts from: a pass that was left goes on after the last sample it gave,
  // and one that was finished is followed by the next epoch.
  State state() const { return state_; }
  void set_state(State state);  // throws Error where no pass can stand

  // One pass. It prepares samples on a thread of its own if the pipeline prefetches, which ends
  // with it; what is thrown there is thrown here again. The pipeline must outlive it. Random
  // tensors in functions of stages are a function of manual_seed()'s number when the pass starts,
  // the epoch and the position, and leave this thread's stream as it is.
  class Pass {
   public:
    explicit Pass(Pipeline& pipeline);
    ~Pass();
    Pass(Pass&& other) noexcept;
    // False after the last; then the pipeline stands at the start of the next epoch.
    bool next(Sample& sample);

   private:
    class Prefetcher;  // private: src/data/pipeline.cpp
    Pipeline* pipeline_;
    State at_;
    uint64_t seed_;
    std::unique_ptr<Prefetcher> prefetcher_;
  };
  Pass pass() { return Pass(*this); }

 protected:
  SourcePtr source_;
  int64_t prefetch_ = 0;
  State state_;
};

// What `for` goes over: one epoch, from where state() tells.
struct PassEnd {};
template <class Set>
class PassIterator {
 public:
  explicit PassIterator(Pipeline::Pass pass) : pass_(std::move(pass)) { ++*this; }
  PassIterator& operator++() {
    more_ = pass_.next(sample_);
    return *this;
  }
  typename Set::Value operator*() const { return Set::pack(sample_); }
  bool operator!=(PassEnd) const { return more_; }

 private:
  Pipeline::Pass pass_;
  Sample sample_;
  bool more_ = false;
};

// The stages that any pipeline may get. Each member gives a new pipeline, at the start of epoch 0.
template <class Self>
class Stages : public Pipeline {
 public:
  using Pipeline::Pipeline;

  // In a new order each epoch.
  Self shuffle(uint64_t seed) const { return with(shuffled(source_, seed)); }
  // Stacks `size` samples along a new first axis; the last batch may be smaller.
  Self batch(int64_t size, bool drop_last = false) const {
    return batch(size, BatchOptions{.drop_last = drop_last});
  }
  // The same with fields that are filled up or ragged.
  Self batch(int64_t size, const BatchOptions& options) const {
    return with(batched(source_, size, options));
  }
  // Without the first `count`, or those alone.
  Self skip(int64_t count) const { return with(part(source_, count, INT64_MAX)); }
  Self take(int64_t count) const { return with(part(source_, 0, count)); }
  // An epoch of `times` epochs.
  Self repeat(int64_t times) const { return with(repeated(source_, times)); }
  // Prepares up to `count` samples or batches ahead on a thread of its own; 0: none.
  Self prefetch(int64_t count) const { return Self(source_, count); }

  PassIterator<Self> begin() { return PassIterator<Self>(pass()); }
  PassEnd end() { return {}; }

 protected:
  Self with(SourcePtr source) const { return Self(std::move(source), prefetch_); }
};

// A pipeline whose samples have fields of any kind: `for (const Sample& s : samples)`.
class Samples : public Stages<Samples> {
 public:
  using Value = Sample;
  explicit Samples(SourcePtr source, int64_t prefetch = 0) : Stages(std::move(source), prefetch) {}

  // f(sample) -> sample, for each, or each batch after batch(); and with numbers that depend on the
  // seed, the epoch and the position alone.
  Samples map(MapFunction f) const { return with(mapped(source_, std::move(f))); }
  Samples augment(uint64_t seed, AugmentFunction f) const {
    return with(augmented(source_, seed, std::move(f)));
  }
  // Those fields alone, in that order.
  Samples select(const std::vector<std::string>& names) const {
    return with(selected(source_, names));
  }

  static Sample pack(Sample sample) { return sample; }
};

// A pipeline whose samples are N tensors: `for (auto [x, y] : dataset)`.
template <size_t N>
class Dataset : public Stages<Dataset<N>> {
 public:
  using Value = std::array<Tensor, N>;
  explicit Dataset(SourcePtr source, int64_t prefetch = 0)
      : Stages<Dataset<N>>(std::move(source), prefetch) {}

  // The tensors of these fields.
  static Dataset of(const Samples& samples, const std::array<std::string, N>& names) {
    return Dataset(selected(samples.source(), {names.begin(), names.end()}));
  }
  // The same samples under names.
  Samples named(const std::array<std::string, N>& names) const {
    return Samples(renamed(this->source_, {names.begin(), names.end()}), this->prefetch_);
  }

  // f(tensor, ...) -> std::array of tensors, for each sample, or each batch after batch().
  template <class F>
  auto map(F f) const {
    using Result = decltype(std::apply(f, std::declval<Value>()));
    return Dataset<std::tuple_size_v<Result>>(
        mapped(this->source_, [f](Sample s) { return unpack(std::apply(f, pack(std::move(s)))); }),
        this->prefetch_);
  }
  // The same for f(random, tensor, ...) with numbers that depend on the seed, the epoch and the
  // position alone.
  template <class F>
  auto augment(uint64_t seed, F f) const {
    using Arguments = decltype(std::tuple_cat(std::declval<std::tuple<Random&>>(), Value{}));
    using Result = decltype(std::apply(f, std::declval<Arguments>()));
    return Dataset<std::tuple_size_v<Result>>(
        augmented(this->source_, seed,
                  [f](Random& random, Sample s) {
                    return unpack(std::apply(
                        f, std::tuple_cat(std::tuple<Random&>(random), pack(std::move(s)))));
                  }),
        this->prefetch_);
  }

  static Value pack(Sample sample) {
    if (sample.size() != N)
      throw Error("data: a sample has " + std::to_string(sample.size()) + " fields, not " +
                  std::to_string(N));
    Value value;
    for (size_t i = 0; i < N; ++i) value[i] = sample.at(i);
    return value;
  }

 private:
  template <size_t M>
  static Sample unpack(std::array<Tensor, M> value) {
    return Sample(std::vector<data::Value>(std::make_move_iterator(value.begin()),
                                           std::make_move_iterator(value.end())));
  }
};

// Samples are the slices of the tensors along axis 0, which must agree in its size.
template <class... Tensors>
Dataset<sizeof...(Tensors)> from_tensors(const Tensors&... tensors) {
  return Dataset<sizeof...(Tensors)>(in_memory(Sample({tensors...})));
}
// The same with names and texts: {{"image", images}, {"caption", texts}}.
inline Samples from_columns(const Sample& columns) { return Samples(in_memory(columns)); }
inline Samples from_samples(std::vector<Sample> samples) {
  return Samples(in_memory(std::move(samples)));
}

}  // namespace glia::data
