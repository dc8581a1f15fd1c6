// Evaluation: walk what is pending, look its structure up, run the plan, hand out the results.
#include <algorithm>
#include <cstring>
#include <list>
#include <unordered_map>
#include <unordered_set>

#include "core/node.h"
#include "core/op.h"
#include "glia/runtime.h"
#include "graph/plan.h"
#include "runtime/clock.h"
#include "runtime/profiler.h"

namespace glia {
namespace {

constexpr size_t kMaxPlans = 512;
constexpr size_t kMaxPlanNodes = 1 << 20;  // over all cached plans
constexpr size_t kMaxKept = 1 << 28;       // bytes of PlanKept of all plans

bool hashes_collide = false;

struct Entry {
  uint32_t id = 0;
  uint64_t hash = 0;
  std::vector<uint64_t> structure;
  std::unique_ptr<Plan> plan;
  size_t nodes = 0;
  // Positions whose values gradients asked for afterwards: kept from the next time on.
  std::unordered_set<uint32_t> wanted;
  bool stale = false;  // `wanted` has grown since the plan was made
};

// Plans by structure, the least recently used forgotten first.
class Cache {
 public:
  Entry* find(uint64_t hash, std::span<const uint64_t> structure) {
    auto [at, end] = by_hash_.equal_range(hash);
    for (; at != end; ++at) {
      if (std::ranges::equal(at->second->structure, structure)) {
        recent_.splice(recent_.begin(), recent_, at->second);
        return &*at->second;
      }
    }
    return nullptr;
  }
  Entry* add(Entry entry) {
    static uint32_t ids = 0;
    entry.id = ++ids;
    nodes_ += entry.nodes;
    recent_.push_front(std::move(entry));
    by_hash_.emplace(recent_.front().hash, recent_.begin());
    by_id_.emplace(recent_.front().id, &recent_.front());
    while (recent_.size() > 1 && (recent_.size() > kMaxPlans || nodes_ > kMaxPlanNodes))
      forget_oldest();
    return &recent_.front();
  }
  Entry* by_id(uint32_t id) {
    const auto found = by_id_.find(id);
    return found == by_id_.end() ? nullptr : found->second;
  }
  void clear() {
    while (!recent_.empty()) forget_oldest();
  }
  size_t size() const { return recent_.size(); }
  size_t bytes_kept() const {
    size_t sum = 0;
    for (const Entry& entry : recent_) {
      for (const PlanStep& step : entry.plan->steps)
        if (step.kept && step.kept->memory) sum += step.kept->memory->bytes;
    }
    return sum;
  }

 private:
  void forget_oldest() {
    const auto last = std::prev(recent_.end());
    auto [at, end] = by_hash_.equal_range(last->hash);
    while (at != end && at->second != last) ++at;
    by_hash_.erase(at);
    by_id_.erase(last->id);
    nodes_ -= last->nodes;
    recent_.erase(last);
  }

  std::list<Entry> recent_;
  std::unordered_multimap<uint64_t, std::list<Entry>::iterator> by_hash_;
  std::unordered_map<uint32_t, Entry*> by_id_;
  size_t nodes_ = 0;
};

// All state of evaluation, guarded by graph_lock().
struct Evaluator {
  Cache cache;
  GraphStats stats;
  std::vector<uint64_t> words;  // room for a structure
  std::vector<std::pair<Node*, int32_t>> stack;
  std::vector<const Node*> leaves;
  std::vector<PendingGraph> spare;  // for reuse
};
Evaluator& evaluator() {
  static auto* e = new Evaluator;
  return *e;
}

// What must be kept for a node that is held. A view is free to make again and may be far larger
// than what it shows, so that is kept instead.
Node* to_keep(Node* node) {
  while (!is_leaf(*node) && node->op->kind == Kind::kView && !node->needs_grad)
    node = node->inputs[0];
  return node;
}

// Leaves that something needs which is not computed now: another output of an operation with
// several, which somebody holds. There is no way from the operation to it.
std::vector<uint8_t> needed_later(const PendingGraph& graph) {
  std::vector<uint8_t> needed(graph.nodes.size());
  for (size_t i = needed.size(); i-- > 0;) {
    const Node* node = graph.nodes[i];
    if (is_leaf(*node) || graph.wanted[i]) continue;
    if (!needed[i] && (node->op->outputs == 1 || node->references() == node->uses)) continue;
    for (const Node* in : node->input_span()) needed[in->index] = 1;
  }
  return needed;
}

// Which values outlive the plan, and which leaves die with it.
void find_borders(PendingGraph* graph, History history) {
  const size_t n = graph->nodes.size();
  graph->wanted.assign(n, 0);
  graph->donatable.assign(n, 0);
  std::vector<Node*> differentiable;
  const auto keep = [&](Node* node) {
    if (std::exchange(graph->wanted[node->index], 1)) return;
    if (node->needs_grad && !node->trainable) differentiable.push_back(node);
  };
  auto& leaves = evaluator().leaves;
  leaves.clear();
  bool tuple_survives = false;
  for (Node* root : graph->roots) keep(root);
  for (Node* node : graph->nodes) {
    if (is_leaf(*node)) {
      leaves.push_back(node);
    } else if (node->op->effect) {
      keep(node);  // whoever needs it later finds it done
    } else if (node->references() > node->uses && node->op->outputs > 1) {
      tuple_survives = true;
    } else if (node->references() > node->uses) {
      Node* kept = to_keep(node);
      if (is_leaf(*kept))
        --kept->uses;  // the view still reads it: not to be given away
      else
        keep(kept);
    }
  }
  graph->history_lives = history_source(differentiable, history) != nullptr;
  if (graph->history_lives) return;  // gradients may read the leaves again
  const std::vector<uint8_t> later = tuple_survives ? needed_later(*graph) : std::vector<uint8_t>();
  for (const Node* node : leaves) {
    if (tuple_survives && later[node->index]) continue;
    graph->donatable[node->index] = node->is_computed() && node->references() == node->uses &&
                                    !node->memory->owner && node->offset == 0 &&
                                    node->memory->references.load() == 1;
  }
}

// The graph's structure as words: equal words, equal plans. Numbers of host scalars and contents
// of leaves are not part of it. They are written to `room`, which grows as needed.
std::span<const uint64_t> describe(const PendingGraph& graph, std::vector<uint64_t>* room) {
  size_t used = 0;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = *graph.nodes[i];
    const bool computed = node.is_computed();
    const bool leaf = is_leaf(node);
    const Op* op = computed ? &kLeafOp : node.op;
    const uint64_t inputs = leaf ? 0 : node.input_count;
    const uint64_t words = leaf && op != &kConstantOp ? 0 : node.word_count;
    const size_t most = used + 2 + kMaxRank + inputs + words;
    if (room->size() < most) room->resize(2 * most);
    uint64_t* word = room->data() + used;
    *word++ = reinterpret_cast<uintptr_t>(op);
    *word++ = static_cast<uint64_t>(node.dtype) | uint64_t(node.shape.rank()) << 8 |
              uint64_t{graph.wanted[i]} << 16 | uint64_t{graph.donatable[i]} << 17 | inputs << 18 |
              words << 44 | (leaf ? 0 : uint64_t{node.absent}) << 54;
    for (int64_t size : node.shape) *word++ = size;
    for (uint64_t k = 0; k < inputs; ++k) *word++ = node.inputs[k]->index;
    for (uint64_t k = 0; k < words; ++k) *word++ = node.first_word[k];
    used = word - room->data();
  }
  return {room->data(), used};
}

// Each word is mixed with its place alone, so that no multiplication waits for the one before.
uint64_t hash_of(std::span<const uint64_t> words) {
  if (hashes_collide) return 0;
  uint64_t h = 0, place = 0;
  for (uint64_t word : words) {
    place += 0x9e3779b97f4a7c15u;
    const auto product = static_cast<unsigned __int128>(word ^ place) * 0xd6e8feb86659fd93u;
    h += static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  }
  return h;
}

// A fused kernel as the epilogue of another one.
class PartByPart final : public Epilogue {
 public:
  PartByPart(const FusedKernel& kernel, void* const* inputs, void* const* outputs)
      : kernel_(kernel), run_{inputs, outputs} {
    whole_rows = kernel.needs_whole_rows();
  }
  void begin(int64_t parts) override {
    run_.parts = parts;
    kernel_.begin_parts(&run_);
  }
  void run(const Part& part) override { kernel_.run_part(run_, part); }
  void end() { kernel_.end_parts(run_); }

 private:
  const FusedKernel& kernel_;
  FusedKernel::PartsRun run_;
};

// The addresses of a plan's values for one run, and the memory that its results keep.
class Run {
 public:
  Run(Plan& plan, const PendingGraph& graph) : plan_(plan), graph_(graph) {
    if (plan.arena_bytes) arena_ = allocate(plan.arena_bytes, plan.steps[plan.fullest_step].node);
    if (plan.steady.bytes && !plan.steady.memory)
      plan.steady.memory = allocate(plan.steady.bytes, plan.steps[0].node);
    base_.resize(plan.values.size());
    held_.resize(plan.values.size());
    for (size_t v = 0; v < plan.values.size(); ++v) {
      const PlanValue& value = plan.values[v];
      switch (value.place) {
        case PlanValue::Place::kLeaf:
          base_[v] = leaf_data(value.source);
          break;
        case PlanValue::Place::kScalar:
          base_[v] = graph.nodes[value.source]->first_word;
          break;
        case PlanValue::Place::kConstant:
          base_[v] = const_cast<void*>(value.constant);
          break;
        case PlanValue::Place::kArena:
          if (arena_) base_[v] = static_cast<char*>(arena_->data) + value.arena_offset;
          break;
        case PlanValue::Place::kSteady:
          base_[v] = static_cast<char*>(plan.steady.memory->data) + value.arena_offset;
          break;
        case PlanValue::Place::kHeld:
          held_[v] = value.source < 0 ? allocate(value.bytes, value.node) : held_[value.source];
          base_[v] = held_[v]->data;
          break;
        case PlanValue::Place::kDonated:
          held_[v] = graph.nodes[plan.values[value.source].source]->memory;
          base_[v] = held_[v]->data;
          break;
      }
    }
  }

  // Returns how many steps there were to compute.
  int64_t compute() {
    const Teamwork::Turn turn(&plan_.teamwork);
    const int* sites = profiler::on() ? profile_sites(plan_, graph_).data() : nullptr;
    const size_t first = steady_steps();
    for (size_t s = first; s < plan_.steps.size(); ++s) {
      PlanStep& step = plan_.steps[s];
      try {
        const profiler::KernelSpan span(sites ? sites[s] : -1);
        compute(step);
      } catch (const ValueError& error) {
        throw ValueError(error.what(), origin(step.node).where);
      } catch (const std::bad_alloc&) {
        fail_for_memory(step.node, "out of memory");
      }
    }
    PlanSteady& steady = plan_.steady;
    steady.valid = std::exchange(steady.runs_again, true);
    if (!steady.valid) steady.memory = MemoryRef();  // a plan that runs once keeps nothing
    return static_cast<int64_t>(plan_.steps.size() - first);
  }

  // Gives the result's node its value.
  void hand_out(const PlanResult& result) {
    Node* node = graph_.nodes[result.node];
    const PlanValue& value = plan_.values[result.value];
    if (value.place == PlanValue::Place::kLeaf) {
      const Node* source = graph_.nodes[value.source];
      node->memory = source->memory;
      node->offset = source->offset + result.byte_offset;
    } else {
      node->memory = held_[result.value];
      node->offset = result.byte_offset;
    }
    node->computed.store(true, std::memory_order_release);
  }

 private:
  // The node of the program's graph that stands for one which the plan was made for.
  const Node& origin(int node) const {
    return *graph_.nodes[plan_.composed ? plan_.composed->origin[node] : node];
  }
  // For a value of this node.
  MemoryRef allocate(int64_t bytes, int node) const {
    try {
      return MemoryRef(allocate_memory(bytes));
    } catch (const Error& error) {
      if (node < 0) throw;
      fail_for_memory(node, error.what());
    }
  }
  [[noreturn]] void fail_for_memory(int node, const std::string& what) const {
    const Node& n = origin(node);
    const std::string attributes = n.op->kind == Kind::kMacro ? "" : n.words().str(*n.op);
    throw Error(std::string(n.op->name) + " " + n.shape.str() +
                    (attributes.empty() ? "" : " with " + attributes) + ": " + what,
                n.where);
  }
  void* leaf_data(int position) const { return graph_.nodes[position]->data(); }
  void* address(const PlanArray& a) const {
    return static_cast<char*>(base_[a.value]) + a.byte_offset;
  }
  // Null: an input that was not given, or an output that nobody asked for.
  void* address_or_null(const PlanArray& a) const { return a.value < 0 ? nullptr : address(a); }

  void compute(PlanStep& step) {
    if (step.many) return compute_many(step);
    if (!step.run) {
      find_pointers(step);
      return step.fused->run(pointers_.data(), pointers_.data() + step.inputs.size());
    }
    for (size_t i = 0; i < step.inputs.size(); ++i)
      step.in_arrays[i].data = address_or_null(step.inputs[i]);
    for (size_t i = 0; i < step.outputs.size(); ++i)
      step.out_arrays[i].data = address_or_null(step.outputs[i]);
    KernelCall call{.in = step.in_arrays,
                    .out = step.out_arrays,
                    .words = AttributeWords(step.words),
                    .formula = step.formula.get(),
                    .kept = step.kept ? kept(*step.kept) : nullptr};
    PlanStep* const then = step.epilogue.get();
    if (!then) return step.run(call);
    if (!then->fused->runs_by_parts()) {
      step.run(call);
      return compute(*then);
    }
    find_pointers(*then);
    PartByPart epilogue(*then->fused, pointers_.data(), pointers_.data() + then->inputs.size());
    call.epilogue = &epilogue;
    step.run(call);
    epilogue.end();
  }

  // What was kept of the leaf, if it is the one of the last run.
  MemoryRef* kept(PlanKept& kept) const {
    const Given given(*graph_.nodes[kept.leaf]);
    if (given.is_same(kept.given)) {
      if (!kept.room) kept.room = evaluator().cache.bytes_kept() < kMaxKept;
      return *kept.room ? &kept.memory : nullptr;
    }
    kept = {kept.leaf, given};
    return nullptr;
  }

  // How many steps have nothing to do, because all that they depend on is as in the last run.
  size_t steady_steps() {
    PlanSteady& steady = plan_.steady;
    bool same = std::exchange(steady.valid, false);
    steady.given.resize(steady.sources.size());
    for (size_t i = 0; i < steady.sources.size(); ++i) {
      const Given given(*graph_.nodes[steady.sources[i]]);
      same &= given.is_same(steady.given[i]);
      steady.given[i] = given;
    }
    return same ? steady.steps : 0;
  }

  void find_pointers(const PlanStep& step) {
    pointers_.clear();
    for (const PlanArray& a : step.inputs) pointers_.push_back(address(a));
    for (const PlanArray& a : step.outputs) pointers_.push_back(address(a));
  }

  // Inputs are laid out problem by problem, as are outputs.
  void compute_many(const PlanStep& step) {
    const auto& many = *step.many;
    const size_t problems = many.counts.size();
    const size_t ins = step.inputs.size() / problems, outs = step.outputs.size() / problems;
    find_pointers(step);
    rows_.clear();
    for (size_t j = 0; j < problems; ++j) rows_.push_back(pointers_.data() + j * ins);
    for (size_t j = 0; j < problems; ++j)
      rows_.push_back(pointers_.data() + step.inputs.size() + j * outs);
    step.fused->run_many(static_cast<int64_t>(problems), many.counts.data(), rows_.data(),
                         rows_.data() + problems);
  }

  Plan& plan_;  // the addresses of its arrays are those of this run
  const PendingGraph& graph_;
  MemoryRef arena_;
  std::vector<void*> base_;
  std::vector<MemoryRef> held_;
  std::vector<void*> pointers_;
  std::vector<void* const*> rows_;
};

Entry* entry_for(PendingGraph* graph) {
  Evaluator& e = evaluator();
  const std::span<const uint64_t> structure = describe(*graph, &e.words);
  const uint64_t hash = hash_of(structure);
  Entry* entry = e.cache.find(hash, structure);
  if (entry && !entry->stale) return entry;
  const double start = milliseconds();
  if (entry) {
    for (uint32_t position : entry->wanted) graph->wanted[position] = 1;
    entry->plan = make_plan(*graph);
    entry->stale = false;
  } else {
    Entry made;
    made.hash = hash;
    made.structure.assign(structure.begin(), structure.end());
    made.plan = make_plan(*graph);
    made.nodes = graph->nodes.size();
    if (made.plan->composed) made.nodes += made.plan->composed->graph.nodes.size();
    entry = e.cache.add(std::move(made));
  }
  ++e.stats.plans_built;
  e.stats.planning_ms += milliseconds() - start;
  if (profiler::on()) profiler::planned(start);
  return entry;
}

// A host number asked for as a tensor.
void materialize_scalar(Node* node) {
  MemoryRef memory(allocate_memory(sizeof(int64_t)));
  std::memcpy(memory->data, node->first_word, sizeof(int64_t));
  node->memory = std::move(memory);
  node->computed.store(true, std::memory_order_release);
}

// The node has its value. Its inputs go, unless somebody may ask for gradients through them.
void settle(Node* node, History history) {
  if (node->holds_large) leave_pending(node);
  if (node->needs_grad && !node->trainable) {
    if (Node* source = history_source({&node, 1}, history)) return keep_history(node, source);
    node->history_ended = true;
  }
  drop_inputs(node);
}

// In eager mode a macro op without a kernel is computed by the operations that it stands for, one
// after the other. False: there is none.
bool compute_compositions(const PendingGraph& graph, History history) {
  Retained held;
  for (Node* node : graph.nodes) {
    if (!is_composed(*node)) continue;
    node->retain();
    held.nodes.push_back(node);
  }
  const size_t count = held.nodes.size();
  std::unordered_map<const Node*, std::vector<Node*>> results;
  for (Node* node : graph.nodes) {
    if (is_leaf(*node)) continue;
    const bool one = node->op->kind == Kind::kOutput && is_composed(*node->inputs[0]);
    if (!one && !(is_composed(*node) && node->op->outputs == 1)) continue;
    results[one ? node->inputs[0] : node].push_back(node);
    if (!one) continue;
    node->retain();
    held.nodes.push_back(node);
  }
  const NoGrad off;
  for (size_t i = 0; i < count; ++i) {
    const std::vector<Tensor> values = compose(*held.nodes[i], inputs_by_slot(*held.nodes[i]));
    for (Node* node : results[held.nodes[i]]) {
      const Tensor& value =
          values[node->op->kind == Kind::kOutput ? node->attributes<OutputAttributes>().which : 0];
      eval({value});
      node->memory = value.node()->memory;
      node->offset = value.node()->offset;
      node->computed.store(true, std::memory_order_release);
      settle(node, history);
    }
  }
  return count > 0;
}

// One after the other.
void compute_pieces(const std::vector<std::vector<Node*>>& pieces, History history) {
  Retained held;
  for (const auto& piece : pieces) {
    for (Node* node : piece) {
      node->retain();
      held.nodes.push_back(node);
    }
  }
  for (const auto& piece : pieces) evaluate(piece, history);
}

}  // namespace

namespace {

// Lists what is below these nodes; returns the effects that are there.
std::vector<Node*> visit(PendingGraph* graph, std::span<Node* const> roots) {
  std::vector<Node*> effects;
  const uint64_t mark = next_mark();
  auto& stack = evaluator().stack;
  stack.clear();
  const auto list = [&](Node* node) {
    node->index = static_cast<uint32_t>(graph->nodes.size());
    graph->nodes.push_back(node);
  };
  const auto enter = [&](Node* node) {
    node->mark = mark;
    node->uses = 0;
    if (is_leaf(*node))
      list(node);
    else
      stack.emplace_back(node, 0);
  };
  for (Node* root : roots) {
    if (root->mark != mark) enter(root);
    while (!stack.empty()) {
      auto& [node, next] = stack.back();
      if (next < node->input_count) {
        Node* in = node->inputs[next++];
        if (in->mark != mark) enter(in);
        ++in->uses;
      } else {
        list(node);
        if (node->op->effect) [[unlikely]]
          effects.push_back(node);
        stack.pop_back();
      }
    }
  }
  return effects;
}

}  // namespace

// Without recursion. Effects come in the order of recording, and with it stand in a plan's key.
void walk(PendingGraph* graph) {
  std::vector<Node*> first = visit(graph, graph->roots);
  if (std::ranges::is_sorted(first, {}, &Node::sequence)) return;
  std::ranges::sort(first, {}, &Node::sequence);
  first.insert(first.end(), graph->roots.begin(), graph->roots.end());
  graph->nodes.clear();
  visit(graph, first);
}

void force_hash_collisions(bool on) {
  std::lock_guard hold(graph_lock());
  evaluator().cache.clear();
  hashes_collide = on;
}

void note_wanted(const Node& node) {
  if (node.op->outputs > 1) return;  // it has no value of its own
  std::lock_guard hold(graph_lock());
  Entry* entry = evaluator().cache.by_id(node.plan_id);
  if (entry && entry->wanted.insert(node.plan_index).second) entry->stale = true;
}

void evaluate(std::span<Node* const> asked, History history) {
  reset_pending();
  std::lock_guard hold(graph_lock());
  Evaluator& e = evaluator();
  PendingGraph graph;
  if (!e.spare.empty()) {
    graph = std::move(e.spare.back());
    e.spare.pop_back();
    graph.nodes.clear();
    graph.roots.clear();
  }
  for (Node* node : asked) {
    if (node->is_computed()) continue;
    if (node->op->kind == Kind::kScalar)
      materialize_scalar(node);
    else
      graph.roots.push_back(node);
  }
  if (graph.roots.empty()) return e.spare.push_back(std::move(graph));

  profiler::Boundary boundary;
  walk(&graph);
  if (eager() && compute_compositions(graph, history)) {
    graph.nodes.clear();
    std::erase_if(graph.roots, [](const Node* root) { return root->is_computed(); });
    walk(&graph);
    if (graph.roots.empty()) return e.spare.push_back(std::move(graph));
  }
  if (const auto pieces = pieces_of(graph); !pieces.empty()) {
    compute_pieces(pieces, history);
    graph.nodes.clear();
    walk(&graph);
  }
  boundary.nodes = graph.nodes.size();
  find_borders(&graph, history);
  Entry* entry = entry_for(&graph);
  Plan& plan = *entry->plan;
  {
    Run run(plan, graph);
    e.stats.kernels_run += run.compute();
    for (const PlanResult& result : plan.results) {
      graph.nodes[result.node]->retain();
      run.hand_out(result);
    }
  }
  ++e.stats.plans_run;
  e.stats.plan_bytes = plan.arena_bytes + plan.held_bytes;
  e.stats.plan_bytes_least = plan.least_arena_bytes + plan.held_bytes;

  bool kept = false;
  for (const PlanResult& result : plan.results) {
    Node* node = graph.nodes[result.node];
    if (node->holds_large) leave_pending(node);
    if (!graph.history_lives || !node->needs_grad || node->trainable) continue;
    if (Node* source = history_source({&node, 1}, history)) {
      keep_history(node, source);
      kept = true;
    }
  }
  if (kept) {
    for (size_t i = 0; i < graph.nodes.size(); ++i) {
      Node* node = graph.nodes[i];
      if (is_leaf(*node)) continue;
      node->plan_id = entry->id;
      node->plan_index = static_cast<uint32_t>(i);
    }
  }
  std::vector<Node*> results;
  for (const PlanResult& result : plan.results) results.push_back(graph.nodes[result.node]);
  graph.nodes.clear();
  e.spare.push_back(std::move(graph));
  for (Node* node : results) {
    if (!node->in_history) {
      if (node->needs_grad && !node->trainable) node->history_ended = true;
      drop_inputs(node);
    }
    release(node);
  }
}

GraphStats graph_stats() {
  std::lock_guard hold(graph_lock());
  GraphStats stats = evaluator().stats;
  stats.nodes_live = live_nodes();
  stats.plans_cached = static_cast<int64_t>(evaluator().cache.size());
  return stats;
}

void forget_plans() {
  std::lock_guard hold(graph_lock());
  Evaluator& e = evaluator();
  e.cache.clear();
  e.words = {};
  e.stack = {};
  e.leaves = {};
  e.spare = {};
}

}  // namespace glia
