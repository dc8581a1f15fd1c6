// Where samples come from, and the stages that a pipeline is made of.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "glia/data/sample.h"

namespace glia::data {

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

// What of a source is not the same in every epoch.
enum class Changes { kNothing, kValues, kOrder };

// Where samples come from; derive from it to read your own. All functions may be called from any
// thread, and must give the same for the same arguments.
class Source {
 public:
  // The size where the end of an epoch is known only to who gets there: see Unsized.
  static constexpr int64_t kUnsized = -1;

  virtual ~Source() = default;
  virtual int64_t size() const = 0;  // samples of one epoch
  virtual Sample get(int64_t epoch, int64_t position) const = 0;
  // Nothing where there is no such sample. By default size() tells.
  virtual std::optional<Sample> find(int64_t epoch, int64_t position) const;
  // Several samples, stacked along a new first axis. By default it collates what get() gives.
  virtual Sample gather(int64_t epoch, std::span<const int64_t> positions) const;
  // Tells data apart, so that a run does not go on with others than it was begun with: of tensors
  // in memory it depends on their bytes. By default on size() alone.
  virtual uint64_t fingerprint() const;
  // What goes by positions (weights, labels, lengths) needs the same order in each epoch, and a
  // cache the same values.
  virtual Changes changes() const { return Changes::kNothing; }
};
using SourcePtr = std::shared_ptr<const Source>;

// A source without a size: derived classes say find(), which ends an epoch.
class Unsized : public Source {
 public:
  int64_t size() const override { return kUnsized; }
  Sample get(int64_t epoch, int64_t position) const override;
};

// Samples that are read one after the other, such as lines from a pipe.
class Stream {
 public:
  virtual ~Stream() = default;
  virtual std::optional<Sample> next() = 0;  // nothing behind the last
  // Goes on behind the next `count`. By default it reads them.
  virtual void skip(int64_t count);
};

// ---- Sources ----------------------------------------------------------------------------------

// The rows of tensors that agree in axis 0, and of lists of as many texts.
SourcePtr in_memory(const Sample& columns);
SourcePtr in_memory(std::vector<Sample> samples);
// f(epoch, position), nothing behind the last: unsized.
using GenerateFunction = std::function<std::optional<Sample>(int64_t epoch, int64_t position)>;
SourcePtr generated(GenerateFunction f);
// What open(epoch) gives from its beginning: unsized. It is read once for each pass, whatever the
// threads; a pass that is resumed skips what was given before.
using OpenFunction = std::function<std::unique_ptr<Stream>(int64_t epoch)>;
SourcePtr streamed(OpenFunction open);
// The lines of a text file, gzipped or not, as {{"line", text}} without their ends. Where each
// begins is found when the file is opened, so that they may be read in any order. Throws IoError.
SourcePtr lines(const std::string& path);

// ---- Stages -----------------------------------------------------------------------------------

// What stands behind the members of data sets, which say more. Those that need to know a size throw
// Error for an unsized source.
using MapFunction = std::function<Sample(Sample)>;
using AugmentFunction = std::function<Sample(Random&, Sample)>;
using FilterFunction = std::function<bool(const Sample&)>;

SourcePtr mapped(SourcePtr source, MapFunction f);
SourcePtr augmented(SourcePtr source, uint64_t seed, AugmentFunction f);
SourcePtr filtered(SourcePtr source, FilterFunction f, int64_t most_rejected);
SourcePtr part(SourcePtr source, int64_t start, int64_t count);
SourcePtr repeated(SourcePtr source, int64_t times);
// The fields under these names, one for each; and those fields alone, in that order.
SourcePtr renamed(SourcePtr source, const std::vector<std::string>& names);
SourcePtr selected(SourcePtr source, const std::vector<std::string>& names);
// Samples with the fields of all, which must have the same size or none; the shortest ends it.
SourcePtr zipped(std::vector<SourcePtr> sources);
// One after the other; only the last may be unsized.
SourcePtr concatenated(std::vector<SourcePtr> sources);
SourcePtr shuffled(SourcePtr source, uint64_t seed);
SourcePtr shuffled_within(SourcePtr source, uint64_t seed, int64_t buffer);
SourcePtr batched(SourcePtr source, int64_t size, const BatchOptions& options = {});

// Batches of samples that are about as long. Each epoch mixes samples of like length, and the order
// of the batches, anew; how many batches there are, and how long each is, stays.
struct BucketOptions {
  std::string field = {};  // whose length counts: the size of axis 0, or the bytes of a text
  std::vector<int64_t> lengths = {};  // instead: the length of each sample
  int64_t size = 0;                   // samples in a batch; or, if that is 0,
  int64_t tokens = 0;  // at most so many samples times the longest, filled up as it will be
  int64_t width = 8;   // how different "about as long" is: lengths are rounded up to multiples
  uint64_t seed = 0;
  BatchOptions batch = {};
};
// Throws ValueError where one sample alone has more than `tokens`. Without `lengths` the source is
// gone over once when its size is first asked for.
SourcePtr bucketed(SourcePtr source, const BucketOptions& options);

// PyTorch's WeightedRandomSampler: `count` samples an epoch, each drawn with a probability in
// proportion to its weight, with replacement or, in order of drawing, without.
struct WeightedOptions {
  int64_t count = 0;  // 0: as many as there are
  bool replacement = true;
  uint64_t seed = 0;
};
SourcePtr weighted(SourcePtr source, const std::vector<double>& weights,
                   const WeightedOptions& options = {});
// Any stretch of an epoch, and so any batch, has each class in about the proportion in which the
// whole has it. Without replacement an epoch holds each sample once.
struct StratifiedOptions {
  int64_t count = 0;  // with replacement: samples in an epoch; 0: as many as there are
  bool replacement = false;
  uint64_t seed = 0;
};
SourcePtr stratified(SourcePtr source, const std::vector<int64_t>& labels,
                     const StratifiedOptions& options = {});

// Keeps what the source gives in a file of `folder`, so that it is computed once, also by several
// processes. The name says what the stages do and in which version, which nothing else can tell:
// the file is known by it and by the source's fingerprint. A cache of other data under that name is
// removed; what is damaged, or was cut when a process was killed, is made anew. Throws IoError.
SourcePtr cached(SourcePtr source, const std::string& folder, const std::string& name);

}  // namespace glia::data
