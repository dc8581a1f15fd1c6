// A plan: how one structure of graph is computed. Made once, run for every graph that equals it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/formula.h"
#include "core/node.h"
#include "core/op.h"
#include "runtime/backend.h"
#include "runtime/teamwork.h"

namespace glia {

// The pending graph below some roots: every node in an order in which inputs come first, leaves
// included. Node::index is the position while graph_lock() is held, under which it is made.
struct PendingGraph {
  std::vector<Node*> roots;
  std::vector<Node*> nodes;
  std::vector<uint8_t> wanted;     // held from outside: its value must be kept
  std::vector<uint8_t> donatable;  // a leaf that nothing else holds: its bytes may be reused
  std::vector<Node*> reachable;    // not from the roots alone: what is in flight while it runs
  bool history_lives = false;      // gradients may be asked through a wanted node later
};

inline bool is_leaf(const Node& node) {
  return node.is_computed() || node.op->kind == Kind::kScalar;
}
// Fills in the nodes: everything uncomputed below the roots, and the leaves there. Null, or a node
// that is in flight: then they are not complete.
Node* walk(PendingGraph* graph);

// For a very large graph: what to compute before it, list after list, so that each plan is small.
std::vector<std::vector<Node*>> pieces_of(const PendingGraph& graph);

// Whether this is a macro op for which no kernel fits: others are computed in its place.
bool is_composed(const Node& node);
// Makes all macro ops so, so that tests can hold kernels against compositions.
void force_compositions(bool on);

// A copy of a pending graph in which the operations that such ops stand for are in their places.
struct ComposedGraph {
  PendingGraph graph;
  std::vector<int> origin;     // of each node: the position of that which it is a copy or a part of
  std::vector<Tensor> copies;  // of each node of the original
  explicit ComposedGraph(const PendingGraph& original);
  class Copier;
};
// What was recorded, with such operations in the places of all that are composed.
std::vector<Tensor> without_compositions(const std::vector<Tensor>& recorded);

// Memory that steps read and write. What a value is made of is known when the plan is made, where
// it lies when the plan runs.
struct PlanValue {
  enum class Place : uint8_t {
    kLeaf,      // a computed node's memory
    kScalar,    // the bits of a host number
    kConstant,  // bytes that belong to the plan's ops
    kArena,     // temporary, at an offset of the plan's arena
    kSteady,    // at an offset of the memory that the plan keeps from run to run
    kHeld,      // memory of its own, because a node that outlives the plan names it
    kDonated    // the memory of a leaf that dies with the plan
  };
  Place place = Place::kArena;
  // kLeaf, kScalar: position of the node; kDonated: the leaf's value; kHeld: an earlier value
  // whose memory it shares, or -1.
  int source = -1;
  int64_t bytes = 0;
  int64_t arena_offset = 0;  // or of kSteady
  const void* constant = nullptr;
  int first_step = -1, last_step = -1;  // of use
  int node = -1;                        // position of the node it was made for, for profiles
};

// Whole cache lines, and one at least, so that empty arrays have an address.
inline int64_t aligned(int64_t bytes) { return std::max<int64_t>((bytes + 63) / 64, 1) * 64; }

// What a position adds to an offset when the plan runs: the bytes by which a view's first element
// lies behind that of its input, besides those of `before`.
struct PlanMove {
  int before = 0;     // an earlier one; 0: none
  int node = -1;      // position of the view
  int64_t bytes = 0;  // for each element of its first attribute
};

struct PlanArray {
  int value = -1;
  int64_t byte_offset = 0;
  int move = 0;  // among Plan::moves
};

// A leaf or number that a run was given. Values are never changed, only replaced; but whoever owns
// external memory may write to it.
class Given {
 public:
  Given() = default;
  explicit Given(const Node& node);
  bool is_same(const Given& o) const { return known_ && node_ == o.node_ && word_ == o.word_; }

 private:
  const Node* node_ = nullptr;  // of a leaf
  uint64_t word_ = 0;           // its Node::sequence, or a number's bits
  bool known_ = false;
};

// What a kernel keeps of a leaf, as long as that is the same from run to run; of all runs together.
class PlanKept {
 public:
  explicit PlanKept(int leaf) : leaf(leaf) {}
  ~PlanKept() { set({}); }
  // Whether the kernel may keep something of this leaf; then what it kept, if it has.
  bool get(const Given& given, MemoryRef* kept);
  void put(const Given& given, MemoryRef kept);

  int leaf;  // position

 private:
  void set(MemoryRef memory);

  std::mutex mutex_;
  Given given_;
  std::optional<bool> room_;  // whether there was any for what is kept of it
  MemoryRef memory_;
};

// The first steps, whose results stay as long as what they were made of.
struct PlanSteady {
  size_t steps = 0;
  int64_t bytes = 0;
  std::vector<int> sources;  // positions of the leaves and numbers
  std::vector<int> moves;    // among Plan::moves
};

struct PlanStep {
  // Exactly one of these three kinds.
  std::shared_ptr<const FusedKernel> fused;
  std::unique_ptr<Program> program;  // of `fused`, until it is compiled
  RunFunction run = nullptr;
  std::unique_ptr<CompiledFormula> formula;  // that `run` applies: then `fused` is its kernel
  struct Many {  // `fused` over many problems: see FusedKernel::run_many
    std::vector<int64_t> counts;
  };
  std::unique_ptr<Many> many;
  // A fused step over the output of `run`, part by part as it is finished.
  std::unique_ptr<PlanStep> epilogue;

  int node = -1;               // position of a node it computes, for error messages
  std::vector<int64_t> words;  // its attributes
  int positioned = -1;         // if these have a position: that of the node that has them
  std::vector<int> members;    // positions of all it computes, for profiles
  Work work;                   // of `fused`, for profiles
  std::vector<PlanArray> inputs, outputs;
  std::unique_ptr<PlanKept> kept;
  // Of a kernel: all but the addresses.
  std::vector<Array> in_arrays, out_arrays;
};

// What the profiler calls the steps, and in which profile.
struct PlanSites {
  uint64_t profile = 0;
  std::vector<int> of_step;
};

// What a run writes, but for results: one at a time has it.
struct PlanRoom {
  struct Arrays {
    std::vector<Array> in, out;
  };
  std::vector<Arrays> arrays;  // of each step's kernel, ready but for the addresses
  struct Steady {
    bool runs_again = false;
    // Of the last run, if that came to its end.
    bool valid = false;
    std::vector<Given> given;
    std::vector<int64_t> moved;
    MemoryRef memory;
  } steady;
  Teamwork teamwork;
  // Of one run.
  std::vector<void*> base;      // of each value
  std::vector<int64_t> moved;   // bytes, of each of the plan's moves
  std::vector<MemoryRef> held;  // by results, and for the run
  std::vector<void*> pointers;
  std::vector<void* const*> rows;
};

struct PlanResult {
  int node = -1;   // position
  int value = -1;  // where its bytes are
  int64_t byte_offset = 0;
  int move = 0;
};

struct Plan {
  // Of a graph with macro ops: ComposedGraph::origin of that for which the plan is made. Nodes of
  // steps and values, and members of steps, are positions in it; all else is one in the original.
  std::vector<int> origin;
  std::vector<Tensor> constants;  // leaves of it that values refer to
  std::vector<PlanValue> values;
  std::vector<PlanMove> moves{{}};  // the first: by nothing
  std::vector<PlanStep> steps;
  std::vector<PlanResult> results;
  PlanSteady steady;
  int64_t arena_bytes = 0;
  int64_t held_bytes = 0;         // of results that have memory of their own
  int64_t least_arena_bytes = 0;  // the most of the arena that is alive at one step,
  int fullest_step = 0;           // this one
  // Under graph_lock().
  mutable PlanSites sites;
  std::vector<std::unique_ptr<PlanRoom>> rooms;  // that no run has
};

// Simplifies, groups, chooses kernels and lays out memory.
std::unique_ptr<Plan> make_plan(const PendingGraph& graph);
// The same for a graph without ops that are composed.
std::unique_ptr<Plan> make_plain_plan(const PendingGraph& graph);
// Finds what is the same from run to run, and moves it to the front.
void find_steady(Plan* plan, const std::vector<uint8_t>& held);
// The last part: decides where every value lies.
void plan_memory(Plan* plan, const std::vector<uint8_t>& held, const PendingGraph& graph);

// Memory for a value of this node, or of none that is known; throws an Error that names it.
MemoryRef allocate_for(const Node* node, int64_t bytes);
[[noreturn]] void fail_for_memory(const Node& node, const std::string& what);

// The one fused step of a formula, and what its kernel reads and writes.
std::unique_ptr<Program> plan_formula(const Formula& formula, CompiledFormula* out);

// For the running profile, of a graph that the plan computes: what it calls each step, in order.
const std::vector<int>& profile_sites(const Plan& plan, const PendingGraph& graph);

void forget_plans();
// Makes every structure hash alike, so that tests can see that plans are compared in full.
void force_hash_collisions(bool on);

}  // namespace glia
