// Evaluation: walk what is pending, look its structure up, run the plan, hand out the results.
#include <algorithm>
#include <cstring>
#include <list>
#include <mutex>
#include <unordered_map>
#include <unordered_set>

#include "core/node.h"
#include "core/op.h"
#include "core/positioned.h"
#include "glia/runtime.h"
#include "graph/run.h"
#include "runtime/clock.h"
#include "runtime/profiler.h"

namespace glia {
namespace {

constexpr size_t kMaxPlans = 2048;
constexpr size_t kMaxPlanNodes = 1 << 20;  // over all cached plans

bool hashes_collide = false;

struct Entry {
  uint32_t id = 0;
  uint64_t hash = 0;
  std::vector<uint64_t> structure;
  std::shared_ptr<Plan> plan;  // runs hold it too
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
  graph->reachable.clear();
  bool tuple_survives = false;
  for (Node* root : graph->roots) keep(root);
  for (Node* node : graph->nodes) {
    if (is_leaf(*node)) {
      leaves.push_back(node);
      continue;
    }
    const bool is_reachable = node->references() > node->uses;
    if (is_reachable) graph->reachable.push_back(node);
    if (node->op->effect) {
      keep(node);  // whoever needs it later finds it done
    } else if (is_reachable && node->op->outputs > 1) {
      tuple_survives = true;
    } else if (is_reachable) {
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

// The graph's structure as words: equal words, equal plans. Numbers of host scalars, contents of
// leaves and positions are not part of it. They are written to `room`, which grows as needed.
std::span<const uint64_t> describe(const PendingGraph& graph, std::vector<uint64_t>* room) {
  size_t used = 0;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = *graph.nodes[i];
    const bool computed = node.is_computed();
    const bool leaf = is_leaf(node);
    const Op* op = computed ? &kLeafOp : node.op;
    const uint64_t inputs = leaf ? 0 : node.input_count;
    const uint64_t words = leaf && op != &kConstantOp ? 0 : node.word_count;
    const uint64_t first_word = leaf ? 0 : position_words(node);
    const size_t most = used + 2 + kMaxRank + inputs + words;
    if (room->size() < most) room->resize(2 * most);
    uint64_t* word = room->data() + used;
    *word++ = reinterpret_cast<uintptr_t>(op);
    *word++ = static_cast<uint64_t>(node.dtype) | uint64_t(node.shape.rank()) << 8 |
              uint64_t{first_word != 0} << 15 | uint64_t{graph.wanted[i]} << 16 |
              uint64_t{graph.donatable[i]} << 17 | inputs << 18 | words << 44 |
              (leaf ? 0 : uint64_t{node.absent}) << 54;
    for (int64_t size : node.shape) *word++ = size;
    for (uint64_t k = 0; k < inputs; ++k) *word++ = node.inputs[k]->index;
    for (uint64_t k = first_word; k < words; ++k) *word++ = node.first_word[k];
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
    made.nodes += made.plan->origin.size();
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
  node->set_computed();
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
// after the other.
class Compositions {
 public:
  explicit Compositions(const PendingGraph& graph) {
    std::unordered_map<const Node*, size_t> known;
    for (Node* node : graph.nodes) {
      if (is_composed(*node)) {
        known.emplace(node, all_.size());
        const auto inputs = node->input_span();
        all_.push_back({hold(node), {inputs.begin(), inputs.end()}, {}});
        std::ranges::for_each(inputs, [&](Node* in) { hold(in); });
        if (node->op->outputs == 1) all_.back().results.emplace_back(hold(node), 0);
      } else if (!is_leaf(*node) && node->op->kind == Kind::kOutput) {
        if (const auto at = known.find(node->inputs[0]); at != known.end())
          all_[at->second].results.emplace_back(hold(node),
                                                node->attributes<OutputAttributes>().which);
      }
    }
  }
  bool empty() const { return all_.empty(); }

  // Without graph_lock().
  void compute(History history) const {
    const NoGrad off;
    for (const Composition& c : all_) {
      const std::vector<Tensor> values = composed(c);
      for (const auto& [node, which] : c.results) {
        const Tensor& value = values[which];
        eval({value});
        std::lock_guard hold(graph_lock());
        if (node->is_computed()) continue;  // by another thread
        node->memory = value.node()->memory;
        node->offset = value.node()->offset;
        node->set_computed();
        settle(node, history);
      }
    }
  }

 private:
  struct Composition {
    Node* macro;
    std::vector<Node*> inputs;                   // others may drop them meanwhile
    std::vector<std::pair<Node*, int>> results;  // and which of them
  };

  static std::vector<Tensor> composed(const Composition& c) {
    std::vector<Tensor> given;
    for (Node* in : c.inputs) given.push_back(handle(in));
    return compose(*c.macro, by_slot(*c.macro, given));
  }
  Node* hold(Node* node) {
    node->retain();
    held_.nodes.push_back(node);
    return node;
  }

  Retained held_;
  std::vector<Composition> all_;
};

// One after the other. Without graph_lock(); the nodes are retained.
void compute_pieces(const std::vector<std::vector<Node*>>& pieces, History history) {
  for (const auto& piece : pieces) evaluate(piece, history);
}

// Lists what is below these nodes, and the effects that are there. Returns a node that is in
// flight, if there is one.
Node* visit(PendingGraph* graph, std::span<Node* const> roots, std::vector<Node*>* effects) {
  Node* flying = nullptr;
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
        if (node->in_flight()) [[unlikely]]
          flying = node;
        list(node);
        if (node->op->effect) [[unlikely]]
          effects->push_back(node);
        stack.pop_back();
      }
    }
  }
  return flying;
}

}  // namespace

// Without recursion. Effects come in the order of recording, and with it stand in a plan's key.
Node* walk(PendingGraph* graph) {
  std::vector<Node*> first;
  graph->nodes.clear();
  if (Node* flying = visit(graph, graph->roots, &first)) return flying;
  if (std::ranges::is_sorted(first, {}, &Node::sequence)) return nullptr;
  std::ranges::sort(first, {}, &Node::sequence);
  first.insert(first.end(), graph->roots.begin(), graph->roots.end());
  graph->nodes.clear();
  std::vector<Node*> again;
  return visit(graph, first, &again);
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

namespace {

// The roots that are not computed; host numbers are.
void find_roots(std::span<Node* const> asked, PendingGraph* graph) {
  graph->roots.clear();
  for (Node* node : asked) {
    if (node->is_computed()) continue;
    if (node->op->kind == Kind::kScalar)
      materialize_scalar(node);
    else
      graph->roots.push_back(node);
  }
}

// Computes with the lock let go of, unless a caller has it too.
template <class F>
void unlocked(std::unique_lock<GraphLock>* hold, F&& compute) {
  hold->unlock();
  compute();
  hold->lock();
}

// Walks what is below the nodes, until nothing is in flight there. False: they are all computed.
bool find_pending(std::span<Node* const> asked, History history, PendingGraph* graph,
                  std::unique_lock<GraphLock>* hold) {
  bool composed = !eager(), cut = false;
  for (;;) {
    let_fork_pass();
    find_roots(asked, graph);
    if (graph->roots.empty()) return false;
    if (Node* const flying = walk(graph)) {
      wait_for(flying);
      continue;
    }
    if (!std::exchange(composed, true)) {
      const Compositions compositions(*graph);
      if (!compositions.empty()) {
        unlocked(hold, [&] { compositions.compute(history); });
        continue;
      }
    }
    if (cut) return true;
    const auto pieces = pieces_of(*graph);
    if (pieces.empty()) return true;
    Retained held;
    for (const auto& piece : pieces) {
      for (Node* node : piece) {
        node->retain();
        held.nodes.push_back(node);
      }
    }
    unlocked(hold, [&] { compute_pieces(pieces, history); });
    cut = true;
  }
}

// Runs the plan and hands its results out. Returns how many steps that took.
int64_t run(Plan* plan, const PendingGraph& graph, std::unique_lock<GraphLock>* hold) {
  std::vector<int> sites;
  if (profiler::on()) sites = profile_sites(*plan, graph);
  std::unique_ptr<PlanRoom> room = Run::take_room(plan);
  const Flight flight(graph.reachable);
  hold->unlock();
  int64_t steps = 0;
  try {
    Run run(*plan, graph, room.get(), std::move(sites));
    steps = run.compute();
    hold->lock();
    for (const PlanResult& result : plan->results) run.hand_out(result);
  } catch (...) {
    hold->lock();
    plan->rooms.push_back(std::move(room));
    throw;
  }
  plan->rooms.push_back(std::move(room));
  return steps;
}

}  // namespace

void evaluate(std::span<Node* const> asked, History history) {
  reset_pending();
  std::unique_lock hold(graph_lock());
  Evaluator& e = evaluator();
  PendingGraph graph;
  if (!e.spare.empty()) {
    graph = std::move(e.spare.back());
    e.spare.pop_back();
  }
  find_roots(asked, &graph);
  if (graph.roots.empty()) return e.spare.push_back(std::move(graph));

  profiler::Boundary boundary;
  if (!find_pending(asked, history, &graph, &hold)) return e.spare.push_back(std::move(graph));
  boundary.nodes = graph.nodes.size();
  find_borders(&graph, history);
  const Entry& entry = *entry_for(&graph);
  const std::shared_ptr<Plan> plan = entry.plan;
  const uint32_t plan_id = entry.id;
  Retained results;
  for (const PlanResult& result : plan->results) {
    results.nodes.push_back(graph.nodes[result.node]);
    results.nodes.back()->retain();
  }
  const int64_t steps = run(plan.get(), graph, &hold);
  e.stats.kernels_run += steps;
  ++e.stats.plans_run;
  e.stats.plan_bytes = plan->arena_bytes + plan->held_bytes;
  e.stats.plan_bytes_least = plan->least_arena_bytes + plan->held_bytes;

  bool kept = false;
  for (Node* node : results.nodes) {
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
      node->plan_id = plan_id;
      node->plan_index = static_cast<uint32_t>(i);
    }
  }
  graph.nodes.clear();
  e.spare.push_back(std::move(graph));
  for (Node* node : results.nodes) {
    if (node->in_history) continue;
    if (node->needs_grad && !node->trainable) node->history_ended = true;
    drop_inputs(node);
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
