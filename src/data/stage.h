// What stages share: other positions, orders of epochs, fingerprints.
#pragma once

#include <initializer_list>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "glia/data/source.h"

namespace glia::data {

// Throws unless 0 <= position < size for each of them.
void check_positions(std::span<const int64_t> positions, int64_t size);

// `count` elements, or an Error that names the stage.
template <class T>
std::vector<T> room_for(const char* stage, int64_t count) {
  try {
    return std::vector<T>(static_cast<size_t>(count));
  } catch (const std::exception&) {
    throw Error(std::string(stage) + ": no room for " + std::to_string(count) + " samples");
  }
}

// The source, which must have a size; and one whose positions mean the same in each epoch.
SourcePtr sized(SourcePtr source, const char* stage);
SourcePtr ordered(SourcePtr source, const char* stage);

// Fingerprints: of a stage around another source, and of what it holds.
enum class StageId : uint64_t {
  kShuffled = 1,
  kPart,
  kBatched,
  kAugmented,
  kRepeated,
  kShuffledWithin,
  kFiltered,
  kZipped,
  kConcatenated,
  kBucketed,
  kWeighted,
  kStratified,
};
uint64_t fingerprint_of(const SourcePtr& inner, StageId stage,
                        std::initializer_list<uint64_t> settings);
uint64_t fingerprint_of(const Sample& sample);
uint64_t fingerprint_of(const BatchOptions& options);

// The inner source's samples at other positions.
class Reindexed : public Source {
 public:
  explicit Reindexed(SourcePtr inner) : inner_(std::move(inner)) {}
  Sample get(int64_t epoch, int64_t position) const override;
  Sample gather(int64_t epoch, std::span<const int64_t> positions) const override;
  Changes changes() const override { return inner_->changes(); }

 protected:
  virtual void translate(int64_t epoch, std::span<int64_t> positions) const = 0;
  const SourcePtr inner_;
};

// Orders of epochs, each kept until a whole epoch has been asked for, since a stage above may go
// through many epochs at once; of all together at most kMostKept elements, the first epochs going
// first.
class Orders {
 public:
  using Order = std::vector<uint32_t>;
  // make() gives the order, of which `asked` of `all` parts are needed now.
  template <class F>
  std::shared_ptr<const Order> of(int64_t epoch, int64_t asked, int64_t all, F&& make) const {
    std::lock_guard hold(mutex_);
    auto found = kept_.find(epoch);
    if (found == kept_.end()) {
      auto order = std::make_shared<const Order>(make());
      const auto n = static_cast<int64_t>(order->size());
      while (!kept_.empty() && static_cast<int64_t>(kept_.size() + 1) * n > kMostKept)
        kept_.erase(kept_.begin());
      found = kept_.emplace(epoch, Kept{std::move(order), all}).first;
    }
    const auto order = found->second.order;
    if ((found->second.left -= asked) <= 0) kept_.erase(found);
    return order;
  }

 private:
  struct Kept {
    std::shared_ptr<const Order> order;
    int64_t left;  // how many of its parts nobody has asked for yet
  };
  static constexpr int64_t kMostKept = int64_t{1} << 24;

  mutable std::mutex mutex_;
  mutable std::map<int64_t, Kept> kept_;  // by epoch
};

// Throws Error for more samples than Orders can number.
void check_order(const char* stage, int64_t size);
// Puts [first, last) in a random order (Fisher & Yates 1938).
void shuffle_range(Random* random, std::span<uint32_t> range);

}  // namespace glia::data
