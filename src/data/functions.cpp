// Stages that call a user's function.
#include <algorithm>

#include "data/stage.h"

namespace glia::data {
namespace {

// With `seed`, what f gives depends on the epoch.
class Changed : public Source {
 public:
  Changed(SourcePtr inner, std::optional<uint64_t> seed, AugmentFunction f)
      : inner_(std::move(inner)), seed_(seed), f_(std::move(f)) {}
  int64_t size() const override { return inner_->size(); }
  Sample get(int64_t epoch, int64_t position) const override {
    Random random(seed_.value_or(0), epoch, position);
    return f_(random, inner_->get(epoch, position));
  }
  std::optional<Sample> find(int64_t epoch, int64_t position) const override {
    std::optional<Sample> sample = inner_->find(epoch, position);
    if (!sample) return sample;
    Random random(seed_.value_or(0), epoch, position);
    return f_(random, std::move(*sample));
  }
  uint64_t fingerprint() const override {
    return fingerprint_of(inner_, StageId::kAugmented, {seed_.value_or(0)});
  }
  Changes changes() const override {
    return std::max(inner_->changes(), seed_ ? Changes::kValues : Changes::kNothing);
  }

 private:
  const SourcePtr inner_;
  const std::optional<uint64_t> seed_;
  const AugmentFunction f_;
};

// Goes through the source in order as far as is asked for, and keeps where the samples lie that are
// taken.
class Filtered : public Source {
 public:
  Filtered(SourcePtr inner, FilterFunction f, int64_t most_rejected)
      : inner_(std::move(inner)), f_(std::move(f)), most_rejected_(most_rejected) {
    if (most_rejected < 1)
      throw Error("filter: at most " + std::to_string(most_rejected) + " rejected in a row");
  }
  int64_t size() const override {
    if (inner_->size() == kUnsized || inner_->changes() != Changes::kNothing) return kUnsized;
    std::lock_guard hold(mutex_);
    Scan& s = scan(0);
    while (go_on(&s, 0, false)) {
    }
    return static_cast<int64_t>(s.taken.size());
  }
  Sample get(int64_t epoch, int64_t position) const override {
    std::optional<Sample> sample = find(epoch, position);
    if (!sample) throw Error("data: there is no sample " + std::to_string(position));
    return std::move(*sample);
  }
  std::optional<Sample> find(int64_t epoch, int64_t position) const override {
    if (position < 0) return std::nullopt;
    int64_t inner;
    {
      std::lock_guard hold(mutex_);
      Scan& s = scan(epoch);
      while (static_cast<int64_t>(s.taken.size()) <= position)
        if (!go_on(&s, epoch, true)) return std::nullopt;
      if (const auto found = s.ready.find(position); found != s.ready.end()) {
        std::optional<Sample> sample = std::move(found->second);
        s.ready.erase(found);
        return sample;
      }
      inner = s.taken[position];
    }
    return inner_->find(epoch, inner);
  }
  uint64_t fingerprint() const override { return fingerprint_of(inner_, StageId::kFiltered, {}); }
  Changes changes() const override {
    return inner_->changes() == Changes::kNothing ? Changes::kNothing : Changes::kOrder;
  }

 private:
  struct Scan {
    std::vector<int64_t> taken;      // positions in the source
    int64_t next = 0, rejected = 0;  // where it goes on, and how many were rejected before that
    bool ended = false;
    std::map<int64_t, Sample> ready;  // that were looked at and not yet asked for
  };
  static constexpr size_t kMostScans = 4, kMostReady = 1024;

  Scan& scan(int64_t epoch) const {
    if (inner_->changes() == Changes::kNothing) epoch = 0;
    while (scans_.size() >= kMostScans && !scans_.contains(epoch)) scans_.erase(scans_.begin());
    return scans_[epoch];
  }
  // Up to the next that is taken; false at the end.
  bool go_on(Scan* s, int64_t epoch, bool keep) const {
    while (!s->ended) {
      std::optional<Sample> sample = inner_->find(epoch, s->next);
      if (!sample) {
        s->ended = true;
        break;
      }
      if (f_(*sample)) {
        s->rejected = 0;
        if (keep) {
          while (s->ready.size() >= kMostReady) s->ready.erase(s->ready.begin());
          s->ready.emplace(s->taken.size(), std::move(*sample));
        }
        s->taken.push_back(s->next++);
        return true;
      }
      ++s->next;
      if (++s->rejected >= most_rejected_)
        throw Error("filter: rejects " + std::to_string(s->rejected) + " samples in a row");
    }
    return false;
  }

  const SourcePtr inner_;
  const FilterFunction f_;
  const int64_t most_rejected_;
  mutable std::mutex mutex_;
  mutable std::map<int64_t, Scan> scans_;  // by epoch
};

}  // namespace

SourcePtr mapped(SourcePtr source, MapFunction f) {
  return std::make_shared<Changed>(
      std::move(source), std::nullopt,
      [f = std::move(f)](Random&, Sample s) { return f(std::move(s)); });
}
SourcePtr augmented(SourcePtr source, uint64_t seed, AugmentFunction f) {
  return std::make_shared<Changed>(std::move(source), seed, std::move(f));
}
SourcePtr filtered(SourcePtr source, FilterFunction f, int64_t most_rejected) {
  return std::make_shared<Filtered>(std::move(source), std::move(f), most_rejected);
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

}  // namespace glia::data
