// Memory of a plan: results get their own or a dying leaf's, everything else shares an arena.
#include <algorithm>
#include <numeric>

#include "graph/plan.h"

namespace glia {
namespace {

class MemoryPlanner {
 public:
  MemoryPlanner(Plan* plan, const std::vector<uint8_t>& held, const PendingGraph& graph)
      : plan_(*plan), graph_(graph), owner_(plan->values.size()) {
    std::iota(owner_.begin(), owner_.end(), 0);
    for (size_t v = 0; v < plan_.values.size(); ++v) {
      if (held[v] && plan_.values[v].place == PlanValue::Place::kArena)
        plan_.values[v].place = PlanValue::Place::kHeld;
    }
  }

  void run() {
    find_lifetimes();
    reuse_inputs();
    share_held();
    lay_out_arena();
    for (const PlanValue& v : plan_.values) {
      if (v.place == PlanValue::Place::kHeld && v.source < 0) plan_.held_bytes += v.bytes;
    }
  }

 private:
  void find_lifetimes() {
    for (int s = 0; s < static_cast<int>(plan_.steps.size()); ++s) {
      const PlanStep& step = plan_.steps[s];
      use(step, s);
      if (step.epilogue) use(*step.epilogue, s);
      if (graph_.nodes[step.node]->op->may_throw && step.run) last_throwing_ = s;
    }
    named_.assign(plan_.values.size(), 0);
    for (const PlanResult& r : plan_.results) named_[r.value] = 1;
  }

  void use(const PlanStep& step, int s) {
    for (const auto* arrays : {&step.inputs, &step.outputs}) {
      for (const PlanArray& a : *arrays) {
        if (a.value < 0) continue;
        PlanValue& v = plan_.values[a.value];
        if (v.first_step < 0) v.first_step = s;
        v.last_step = s;
      }
    }
  }

  // Whether the value that this input reads ends here, so that an output may lie over it.
  bool ends_here(const PlanArray& a, int64_t bytes, int s, bool to_result) const {
    const PlanValue& v = plan_.values[a.value];
    if (a.byte_offset != 0 || a.move != 0 || v.bytes != bytes || v.last_step != s ||
        taken_[a.value])
      return false;
    if (v.place == PlanValue::Place::kArena) return true;
    // A leaf's bytes may go once no step can fail any more: its node could be computed again.
    return v.place == PlanValue::Place::kLeaf && to_result && graph_.donatable[v.source] &&
           s > last_throwing_ && !named_[a.value];
  }
  void reuse_inputs() {
    taken_.assign(plan_.values.size(), 0);
    reads_.assign(plan_.values.size(), 0);
    for (int s = 0; s < static_cast<int>(plan_.steps.size()); ++s) {
      PlanStep& step = plan_.steps[s];
      const Node& node = *graph_.nodes[step.node];
      if (step.run && !node.op->overwrites && !step.epilogue) continue;
      const auto each_input = [&](auto&& f) {
        for (const PlanArray& a : step.inputs) {
          if (a.value >= 0) f(a.value);
        }
        if (!step.epilogue) return;
        for (const PlanArray& a : step.epilogue->inputs) f(a.value);
      };
      each_input([&](int value) { reads_[value] = taken_[value] = 0; });
      each_input([&](int value) { ++reads_[value]; });
      if (step.epilogue) reuse_inputs_of(step.epilogue.get(), s);
      if (step.run && node.op->overwrites) {
        for (int o = 0; o < static_cast<int>(step.outputs.size()); ++o) {
          const int in = node.op->overwrites(node, o);
          if (in >= 0 && step.inputs[in].value >= 0 && step.outputs[o].value >= 0 &&
              step.in_arrays[in].layout.is_contiguous())
            reuse(step.inputs[in], step.outputs[o], s);
        }
      }
      if (!step.run && step.program) reuse_inputs_of(&step, s);
    }
  }

  void reuse_inputs_of(PlanStep* step, int s) {
    const size_t problems = step->many ? step->many->counts.size() : 1;
    const size_t ins = step->inputs.size() / problems, outs = step->outputs.size() / problems;
    std::vector<uint8_t> slot_used(ins, 0);
    for (size_t o = 0; o < outs; ++o) {
      Program::Output& output = step->program->outputs[o];
      if (output.sink != Program::Sink::kStore ||
          step->program->values[output.value].extent != Program::Extent::kFull)
        continue;
      const size_t width = size_of(step->program->values[output.value].dtype);
      const auto lies_over = [&](const Program::Value& in, bool leaf) {
        if (in.action != Program::Action::kInput || in.extent != Program::Extent::kFull ||
            in.strided || size_of(in.dtype) != width || slot_used[in.slot] ||
            (plan_.values[step->inputs[in.slot].value].place == PlanValue::Place::kLeaf) != leaf)
          return false;
        bool any = false;
        for (size_t j = 0; j < problems; ++j)
          any |= reuse(step->inputs[j * ins + in.slot], step->outputs[j * outs + o], s);
        if (!any) return false;
        slot_used[in.slot] = 1;
        output.overwrites = in.slot;
        return true;
      };
      // A result over a temporary value would have that value keep memory of its own.
      for (const bool leaf : {true, false}) {
        if (std::ranges::any_of(step->program->values,
                                [&](const Program::Value& in) { return lies_over(in, leaf); }))
          break;
      }
    }
  }

  bool reuse(const PlanArray& in, const PlanArray& out, int s) {
    PlanValue& to = plan_.values[out.value];
    const bool result = to.place == PlanValue::Place::kHeld;
    if (!ends_here(in, to.bytes, s, result)) return false;
    if (reads_[in.value] != 1) return false;
    taken_[in.value] = 1;
    if (plan_.values[in.value].place == PlanValue::Place::kLeaf) {
      to.place = PlanValue::Place::kDonated;
      to.source = in.value;
    } else {
      owner_[out.value] = owner(in.value);
    }
    return true;
  }

  int owner(int v) const {
    while (owner_[v] != v) v = owner_[v];
    return v;
  }

  // Values that lie over each other live in one block; in held memory if any of them is held.
  void share_held() {
    const int n = static_cast<int>(plan_.values.size());
    std::vector<int> home(n, -1);  // of each block: the value that has a place outside the arena
    for (int v = 0; v < n; ++v) {
      const auto place = plan_.values[v].place;
      if (place == PlanValue::Place::kHeld || place == PlanValue::Place::kDonated)
        home[owner(v)] = v;
    }
    for (int v = 0; v < n; ++v) {
      PlanValue& value = plan_.values[v];
      const int root = owner(v), h = home[root];
      if (h >= 0 && h != v && value.place == PlanValue::Place::kArena) {
        const PlanValue& model = plan_.values[h];
        value.place = model.place;
        value.source = model.place == PlanValue::Place::kDonated ? model.source : -1;
        shared_.push_back({v, h});
      }
    }
    // The first of them in order allocates.
    for (auto [v, h] : shared_) {
      if (plan_.values[h].place != PlanValue::Place::kHeld) continue;
      const int root = owner(v);
      int first = h;
      for (auto [w, unused] : shared_) {
        if (owner(w) == root) first = std::min(first, w);
      }
      if (v != first) plan_.values[v].source = first;
      if (h != first) plan_.values[h].source = first;
    }
  }

  struct Block {
    int owner, first, last;  // steps
    int64_t bytes, offset = 0;
  };

  void find_fullest_step(const std::vector<Block>& blocks) {
    std::vector<int64_t> change(plan_.steps.size() + 1, 0);
    for (const Block& b : blocks) {
      change[b.first] += aligned(b.bytes);
      change[b.last + 1] -= aligned(b.bytes);
    }
    int64_t alive = 0;
    for (size_t s = 0; s < change.size(); ++s) {
      alive += change[s];
      if (alive <= plan_.least_arena_bytes) continue;
      plan_.least_arena_bytes = alive;
      plan_.fullest_step = static_cast<int>(s);
    }
  }

  void lay_out_arena() {
    std::vector<Block> blocks;
    std::vector<int> block_of(plan_.values.size(), -1);
    for (int v = 0; v < static_cast<int>(plan_.values.size()); ++v) {
      const PlanValue& value = plan_.values[v];
      if (value.place != PlanValue::Place::kArena || value.first_step < 0) continue;
      const int root = owner(v);
      if (block_of[root] < 0) {
        block_of[root] = static_cast<int>(blocks.size());
        blocks.push_back({root, value.first_step, value.last_step, value.bytes});
      }
      Block& b = blocks[block_of[root]];
      b.first = std::min(b.first, value.first_step);
      b.last = std::max(b.last, value.last_step);
    }
    // The largest first, each at the lowest offset that is free for its whole life.
    std::vector<int> by_size(blocks.size());
    std::iota(by_size.begin(), by_size.end(), 0);
    std::ranges::stable_sort(by_size,
                             [&](int a, int b) { return blocks[a].bytes > blocks[b].bytes; });
    find_fullest_step(blocks);
    std::vector<int> placed;  // by offset
    for (int i : by_size) {
      Block& b = blocks[i];
      const int64_t bytes = aligned(b.bytes);
      int64_t offset = 0;
      for (int j : placed) {
        const Block& other = blocks[j];
        if (other.last < b.first || other.first > b.last) continue;
        if (offset + bytes <= other.offset) break;
        offset = std::max(offset, other.offset + aligned(other.bytes));
      }
      b.offset = offset;
      plan_.arena_bytes = std::max(plan_.arena_bytes, offset + bytes);
      placed.insert(
          std::ranges::upper_bound(placed, offset, {}, [&](int j) { return blocks[j].offset; }), i);
    }
    for (int v = 0; v < static_cast<int>(plan_.values.size()); ++v) {
      const int b = block_of[owner(v)];
      if (b >= 0 && plan_.values[v].place == PlanValue::Place::kArena)
        plan_.values[v].arena_offset = blocks[b].offset;
    }
  }

  Plan& plan_;
  const PendingGraph& graph_;
  std::vector<int> owner_;  // the value in whose block this one lies
  std::vector<uint8_t> named_;
  std::vector<uint8_t> taken_;  // inputs of the current step that an output already lies over
  std::vector<int> reads_;      // how many of the current step's inputs read a value
  std::vector<std::pair<int, int>> shared_;
  int last_throwing_ = -1;
};

}  // namespace

void plan_memory(Plan* plan, const std::vector<uint8_t>& held, const PendingGraph& graph) {
  MemoryPlanner(plan, held, graph).run();
}

}  // namespace glia
