// What is the same from run to run, such as the scale that batch normalisation in evaluation makes
// of its statistics, or a mask: computed again only when something that it depends on has changed.
#include <algorithm>
#include <atomic>

#include "graph/plan.h"

namespace glia {
namespace {

constexpr int64_t kMostBytes = 1 << 12;  // of a step, since it is kept between runs
constexpr int64_t kMaxKept = 1 << 28;    // bytes of PlanKept of all plans
std::atomic<int64_t> bytes_kept{0};

using Place = PlanValue::Place;

bool is_steady(const PlanStep& step, const Plan& plan, const std::vector<uint8_t>& held) {
  if (step.run || step.many || step.epilogue) return false;
  int64_t bytes = 0;
  for (const PlanArray& a : step.outputs) {
    if (held[a.value]) return false;
    bytes += plan.values[a.value].bytes;
  }
  return bytes <= kMostBytes && std::ranges::all_of(step.inputs, [&](const PlanArray& a) {
           const Place place = plan.values[a.value].place;
           return place == Place::kLeaf || place == Place::kScalar || place == Place::kConstant ||
                  place == Place::kSteady;
         });
}

}  // namespace

Given::Given(const Node& node) : known_(true) {
  if (node.is_computed()) {
    node_ = &node;
    word_ = node.sequence;
    known_ = !node.memory->owner;
  } else {
    word_ = static_cast<uint64_t>(*node.first_word);
  }
}

bool PlanKept::get(const Given& given, MemoryRef* kept) {
  std::lock_guard hold(mutex_);
  if (!given.is_same(given_)) {
    given_ = given;
    room_.reset();
    set({});
    return false;
  }
  if (!room_) room_ = bytes_kept.load(std::memory_order_relaxed) < kMaxKept;
  *kept = memory_;
  return *room_;
}

void PlanKept::put(const Given& given, MemoryRef kept) {
  std::lock_guard hold(mutex_);
  if (!memory_ && given.is_same(given_)) set(std::move(kept));
}

void PlanKept::set(MemoryRef memory) {
  const auto bytes = [](const MemoryRef& m) { return m ? static_cast<int64_t>(m->bytes) : 0; };
  if (memory.get() != memory_.get())
    bytes_kept.fetch_add(bytes(memory) - bytes(memory_), std::memory_order_relaxed);
  memory_ = std::move(memory);
}

void find_steady(Plan* plan, const std::vector<uint8_t>& held) {
  PlanSteady& steady = plan->steady;
  std::vector<uint8_t> is_steady_step;
  for (const PlanStep& step : plan->steps) {
    is_steady_step.push_back(is_steady(step, *plan, held));
    if (!is_steady_step.back()) continue;
    ++steady.steps;
    for (const PlanArray& a : step.inputs) {
      const PlanValue& v = plan->values[a.value];
      if (v.source >= 0) steady.sources.push_back(v.source);
      if (a.move != 0) steady.moves.push_back(a.move);
    }
    for (const PlanArray& a : step.outputs) {
      PlanValue& v = plan->values[a.value];
      v.place = Place::kSteady;
      v.arena_offset = steady.bytes;
      steady.bytes += aligned(v.bytes);
    }
  }
  std::ranges::sort(steady.sources);
  steady.sources.erase(std::ranges::unique(steady.sources).begin(), steady.sources.end());
  // They need nothing of the other steps.
  std::vector<PlanStep> steps;
  for (const bool first : {true, false}) {
    for (size_t s = 0; s < is_steady_step.size(); ++s)
      if (is_steady_step[s] == first) steps.push_back(std::move(plan->steps[s]));
  }
  plan->steps = std::move(steps);
}

}  // namespace glia
