// Where samples come from, and the stages that a pipeline is made of.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
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

// ---- Stages -----------------------------------------------------------------------------------

// What stands behind the members of data sets.
using MapFunction = std::function<Sample(Sample)>;
using AugmentFunction = std::function<Sample(Random&, Sample)>;
SourcePtr shuffled(SourcePtr source, uint64_t seed);
SourcePtr batched(SourcePtr source, int64_t size, const BatchOptions& options = {});
SourcePtr mapped(SourcePtr source, MapFunction f);
SourcePtr augmented(SourcePtr source, uint64_t seed, AugmentFunction f);
SourcePtr part(SourcePtr source, int64_t start, int64_t count);
SourcePtr repeated(SourcePtr source, int64_t times);
// The fields under these names, one for each.
SourcePtr renamed(SourcePtr source, const std::vector<std::string>& names);
// Those fields alone, in that order.
SourcePtr selected(SourcePtr source, const std::vector<std::string>& names);
// The rows of tensors that agree in axis 0, and of lists of as many texts.
SourcePtr in_memory(const Sample& columns);
SourcePtr in_memory(std::vector<Sample> samples);

}  // namespace glia::data
