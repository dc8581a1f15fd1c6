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
  explicit Pipeline(SourcePtr source, int64_t prefetch = 0, int64_t workers = 1);

  // Samples or batches of one epoch; Source::kUnsized if that is not known.
  int64_t size() const { return source_->size(); }
  const SourcePtr& source() const { return source_; }

  // What the next pass starts from: a pass that was left goes on after the last sample it gave,
  // and one that was finished is followed by the next epoch.
  State state() const { return state_; }
  void set_state(State state);  // throws Error where no pass can stand

  // One pass. It prepares samples on threads of its own if the pipeline prefetches, which end with
  // it; what is thrown there is thrown here again, in its place, and says the epoch and position.
  // The pipeline must outlive it. Random tensors in functions of stages are a function of
  // manual_seed()'s number when the pass starts, the epoch and the position, and leave this
  // thread's stream as it is. A child process that fork() makes begins passes of its own.
  class Pass {
   public:
    explicit Pass(Pipeline& pipeline);
    ~Pass();
    Pass(Pass&& other) noexcept;
    // False after the last; then the pipeline stands at the start of the next epoch.
    bool next(Sample& sample);

   private:
    class Workers;  // private: src/data/pipeline.cpp
    Pipeline* pipeline_;
    State at_;
    uint64_t seed_;
    std::unique_ptr<Workers> workers_;
  };
  Pass pass() { return Pass(*this); }

 protected:
  SourcePtr source_;
  int64_t prefetch_ = 0, workers_ = 1;
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

  // In a new order each epoch; and in one that mixes each `buffer` samples that follow each other,
  // for a source that is unsized or slow to read out of order.
  Self shuffle(uint64_t seed) const { return with(shuffled(source_, seed)); }
  Self shuffle(uint64_t seed, int64_t buffer) const {
    return with(shuffled_within(source_, seed, buffer));
  }
  // Stacks `size` samples along a new first axis; the last batch may be smaller.
  Self batch(int64_t size, bool drop_last = false) const {
    return batch(size, BatchOptions{.drop_last = drop_last});
  }
  // The same with fields that are filled up or ragged.
  Self batch(int64_t size, const BatchOptions& options) const {
    return with(batched(source_, size, options));
  }
  // Shuffled batches of samples of like length.
  Self bucket(const BucketOptions& options) const { return with(bucketed(source_, options)); }
  // Drawn by weight; and with the classes spread evenly over each epoch.
  Self weighted(const std::vector<double>& weights, const WeightedOptions& options = {}) const {
    return with(data::weighted(source_, weights, options));
  }
  Self stratified(const std::vector<int64_t>& labels, const StratifiedOptions& options = {}) const {
    return with(data::stratified(source_, labels, options));
  }
  // Those for which f(sample) holds. The size is known after a first look at all of them, if the
  // source has one and the same samples in each epoch. An Error says that `most_rejected` in a row
  // were none.
  Self filter(FilterFunction f, int64_t most_rejected = 1'000'000) const {
    return with(filtered(source_, std::move(f), most_rejected));
  }
  // Without the first `count`, or those alone.
  Self skip(int64_t count) const { return with(part(source_, count, INT64_MAX)); }
  Self take(int64_t count) const { return with(part(source_, 0, count)); }
  // An epoch of `times` epochs.
  Self repeat(int64_t times) const { return with(repeated(source_, times)); }
  // Followed by the other's samples.
  Self concat(const Self& other) const { return with(concatenated({source_, other.source_})); }
  // Kept on disk: see cached().
  Self cache(const std::string& folder, const std::string& name) const {
    return with(cached(source_, folder, name));
  }
  // Prepares up to `count` samples or batches ahead on threads of their own, the same for any
  // number of these; 0: none.
  Self prefetch(int64_t count, int64_t workers = 1) const { return Self(source_, count, workers); }

  PassIterator<Self> begin() { return PassIterator<Self>(pass()); }
  PassEnd end() { return {}; }

 protected:
  Self with(SourcePtr source) const { return Self(std::move(source), prefetch_, workers_); }
};

// A pipeline whose samples have fields of any kind: `for (const Sample& s : samples)`.
class Samples : public Stages<Samples> {
 public:
  using Value = Sample;
  explicit Samples(SourcePtr source, int64_t prefetch = 0, int64_t workers = 1)
      : Stages(std::move(source), prefetch, workers) {}

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

namespace detail {
template <size_t M>
Sample unpack(std::array<Tensor, M> value) {
  return Sample(std::vector<Value>(std::make_move_iterator(value.begin()),
                                   std::make_move_iterator(value.end())));
}
}  // namespace detail

// A pipeline whose samples are N tensors: `for (auto [x, y] : dataset)`.
template <size_t N>
class Dataset : public Stages<Dataset<N>> {
 public:
  using Value = std::array<Tensor, N>;
  explicit Dataset(SourcePtr source, int64_t prefetch = 0, int64_t workers = 1)
      : Stages<Dataset<N>>(std::move(source), prefetch, workers) {}

  // The tensors of these fields.
  static Dataset of(const Samples& samples, const std::array<std::string, N>& names) {
    return Dataset(selected(samples.source(), {names.begin(), names.end()}));
  }
  // The same samples under names.
  Samples named(const std::array<std::string, N>& names) const {
    return Samples(renamed(this->source_, {names.begin(), names.end()}), this->prefetch_,
                   this->workers_);
  }

  // f(tensor, ...) -> std::array of tensors, for each sample, or each batch after batch().
  template <class F>
  auto map(F f) const {
    using Result = decltype(std::apply(f, std::declval<Value>()));
    return Dataset<std::tuple_size_v<Result>>(
        mapped(this->source_,
               [f](Sample s) { return detail::unpack(std::apply(f, pack(std::move(s)))); }),
        this->prefetch_, this->workers_);
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
                    return detail::unpack(std::apply(
                        f, std::tuple_cat(std::tuple<Random&>(random), pack(std::move(s)))));
                  }),
        this->prefetch_, this->workers_);
  }

  static Value pack(Sample sample) {
    if (sample.size() != N)
      throw Error("data: a sample has " + std::to_string(sample.size()) + " fields, not " +
                  std::to_string(N));
    Value value;
    for (size_t i = 0; i < N; ++i) value[i] = sample.at(i);
    return value;
  }
};

// ---- Making them ------------------------------------------------------------------------------

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
inline Samples from_lines(const std::string& path) { return Samples(lines(path)); }
inline Samples from_generator(GenerateFunction f) { return Samples(generated(std::move(f))); }
inline Samples from_stream(OpenFunction open) { return Samples(streamed(std::move(open))); }

// Samples with the fields of both: of data sets of one size, or that end with the shorter.
template <size_t N, size_t M>
Dataset<N + M> zip(const Dataset<N>& a, const Dataset<M>& b) {
  return Dataset<N + M>(zipped({a.source(), b.source()}));
}
inline Samples zip(const Samples& a, const Samples& b) {
  return Samples(zipped({a.source(), b.source()}));
}

}  // namespace glia::data
