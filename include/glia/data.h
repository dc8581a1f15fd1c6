// Data sets: samples, and the pipeline that shuffles, batches, changes and prefetches them.
//
//   for (auto [x, y] : data::fashion_mnist(data::Train).shuffle(seed).batch(128).prefetch(2))
//
// Every stage is a pure function of (epoch, position), so a pass can be resumed anywhere at no
// cost and gives the same batches whatever the threads.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "glia/tensor.h"

namespace glia::data {

// The tensors that make up one sample, or one batch of them: {image, label}, for instance.
using Sample = std::vector<Tensor>;

// Numbers on the host for shuffling and augmentation: Philox (see random.h), keyed by a seed and
// up to two counters, apart from the streams of tensors.
class Random {
 public:
  explicit Random(uint64_t seed, uint64_t epoch = 0, uint64_t position = 0);
  uint32_t bits();
  int64_t below(int64_t n);  // uniform in [0, n); throws Error unless 0 < n
  double uniform();          // in [0, 1), 32 bits

 private:
  std::array<uint32_t, 2> key_;
  std::array<uint32_t, 4> counter_, block_;
  int left_ = 0;
};

// Where samples come from; derive from it to read your own. Both functions may be called from any
// thread, and must give the same for the same arguments.
class Source {
 public:
  virtual ~Source() = default;
  virtual int64_t size() const = 0;  // samples of one epoch
  virtual Sample get(int64_t epoch, int64_t position) const = 0;
  // Several samples, stacked along a new first axis. By default it stacks what get() gives.
  virtual Sample gather(int64_t epoch, std::span<const int64_t> positions) const;
  // Tells data apart, so that a run does not go on with others than it was begun with: of tensors
  // in memory it depends on their bytes. By default on size() alone.
  virtual uint64_t fingerprint() const;
};
using SourcePtr = std::shared_ptr<const Source>;

// Where a pass stands: `position` samples or batches of that epoch have been given.
struct State {
  int64_t epoch = 0, position = 0;
  bool operator==(const State&) const = default;
};

// What a pipeline is without the number of its tensors: a value; each copy has its own state.
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

// The stages behind Dataset's members.
using MapFunction = std::function<Sample(Sample)>;
using AugmentFunction = std::function<Sample(Random&, Sample)>;
SourcePtr shuffled(SourcePtr source, uint64_t seed);
SourcePtr batched(SourcePtr source, int64_t size, bool drop_last);
SourcePtr mapped(SourcePtr source, MapFunction f);
SourcePtr augmented(SourcePtr source, uint64_t seed, AugmentFunction f);
SourcePtr part(SourcePtr source, int64_t start, int64_t count);
SourcePtr repeated(SourcePtr source, int64_t times);
SourcePtr in_memory(Sample tensors);

// A pipeline whose samples are N tensors: `for (auto [x, y] : dataset)` goes over one epoch. Each
// member gives a new pipeline, at the start of epoch 0.
template <size_t N>
class Dataset : public Pipeline {
 public:
  using Value = std::array<Tensor, N>;
  using Pipeline::Pipeline;

  // In a new order each epoch.
  Dataset shuffle(uint64_t seed) const { return with(shuffled(source_, seed)); }
  // Stacks `size` samples along a new first axis; the last batch may be smaller.
  Dataset batch(int64_t size, bool drop_last = false) const {
    return with(batched(source_, size, drop_last));
  }
  // f(tensor, ...) -> std::array of tensors, for each sample, or each batch after batch().
  template <class F>
  auto map(F f) const {
    using Result = decltype(std::apply(f, std::declval<Value>()));
    return Dataset<std::tuple_size_v<Result>>(
        mapped(source_, [f](Sample s) { return unpack(std::apply(f, pack(std::move(s)))); }),
        prefetch_);
  }
  // The same for f(random, tensor, ...) with numbers that depend on the seed, the epoch and the
  // position alone.
  template <class F>
  auto augment(uint64_t seed, F f) const {
    using Arguments = decltype(std::tuple_cat(std::declval<std::tuple<Random&>>(), Value{}));
    using Result = decltype(std::apply(f, std::declval<Arguments>()));
    return Dataset<std::tuple_size_v<Result>>(
        augmented(source_, seed,
                  [f](Random& random, Sample s) {
                    return unpack(std::apply(
                        f, std::tuple_cat(std::tuple<Random&>(random), pack(std::move(s)))));
                  }),
        prefetch_);
  }
  // Without the first `count`, or those alone.
  Dataset skip(int64_t count) const { return with(part(source_, count, INT64_MAX)); }
  Dataset take(int64_t count) const { return with(part(source_, 0, count)); }
  // An epoch of `times` epochs.
  Dataset repeat(int64_t times) const { return with(repeated(source_, times)); }
  // Prepares up to `count` samples or batches ahead on a thread of its own; 0: none.
  Dataset prefetch(int64_t count) const { return Dataset(source_, count); }

  struct End {};
  class Iterator {
   public:
    explicit Iterator(Pass pass) : pass_(std::move(pass)) { ++*this; }
    Iterator& operator++() {
      more_ = pass_.next(sample_);
      return *this;
    }
    Value operator*() const { return pack(sample_); }
    bool operator!=(End) const { return more_; }

   private:
    Pass pass_;
    Sample sample_;
    bool more_ = false;
  };
  // state() tells from where.
  Iterator begin() { return Iterator(pass()); }
  End end() { return {}; }

 private:
  template <size_t>
  friend class Dataset;
  Dataset with(SourcePtr source) const { return Dataset(std::move(source), prefetch_); }

  static Value pack(Sample sample) {
    if (sample.size() != N)
      throw Error("data: a sample has " + std::to_string(sample.size()) + " tensors, not " +
                  std::to_string(N));
    Value value;
    for (size_t i = 0; i < N; ++i) value[i] = std::move(sample[i]);
    return value;
  }
  template <size_t M>
  static Sample unpack(std::array<Tensor, M> value) {
    return Sample(std::make_move_iterator(value.begin()), std::make_move_iterator(value.end()));
  }
};

// Samples are the slices of the tensors along axis 0, which must agree in its size.
template <class... Tensors>
Dataset<sizeof...(Tensors)> from_tensors(const Tensors&... tensors) {
  return Dataset<sizeof...(Tensors)>(in_memory({tensors...}));
}

// ---- Images -----------------------------------------------------------------------------------

struct ImageOptions {
  int64_t padding = 0;            // a random crop of the image's size after so many zeros around it
  bool flip = false;              // a mirror image with probability 1/2
  std::vector<double> mean, std;  // of each channel, for values in [0, 1]; empty: 0 and 1
};
// Images (N, H, W, C) u8 -> f32, each with a crop and flip of its own, then (x / 255 - mean) / std.
// For augment() behind batch(). Throws ShapeError for other images.
Tensor augment_images(Random& random, const Tensor& images, const ImageOptions& options);

// ---- Data sets --------------------------------------------------------------------------------

enum Split { Train, Test };

// Fashion-MNIST (Xiao et al. 2017): images (28, 28, 1) u8 and labels () i64, 60,000 or 10,000 of
// them. The idx files, gzipped or not, are looked for in `folder`, or if that is empty in
// $GLIA_DATA/fashion-mnist and /usr/share/datasets/fashion-mnist, where Debian's package
// dataset-fashion-mnist puts them: all in the first folder that has any. Throws IoError.
Dataset<2> fashion_mnist(Split split, const std::string& folder = "");
inline constexpr std::array<const char*, 10> kFashionClasses = {
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};

}  // namespace glia::data
