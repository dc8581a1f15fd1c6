// A plan: how one structure of graph is computed. Made once, run for every graph that equals it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/node.h"
#include "core/op.h"
#include "ops/foreach.h"
#include "runtime/backend.h"

namespace glia {

// The pending graph below some roots: every node in an order in which inputs come first, leaves
// included. Node::index is the position. Made under graph_lock() and valid while it is held.
struct PendingGraph {
  std::vector<Node*> nodes;
  std::vector<uint8_t> wanted;     // held from outside: its value must be kept
  std::vector<uint8_t> donatable;  // a leaf that nothing else holds: its bytes may be reused
  bool history_lives = false;      // gradients may be asked through a wanted node later
};

// Memory that steps read and write. What a value is made of is known when the plan is made, where
// it lies when the plan runs.
struct PlanValue {
  enum class Place : uint8_t {
    kLeaf,      // a computed node's memory
    kScalar,    // the bits of a host number
    kConstant,  // bytes that belong to the plan's ops
    kArena,     // temporary, at an offset of the plan's arena
    kHeld,      // memory of its own, because a node that outlives the plan names it
    kDonated    // the memory of a leaf that dies with the plan
  };
  Place place = Place::kArena;
  // kLeaf, kScalar: position of the node; kDonated: the leaf's value; kHeld: an earlier value
  // whose memory it shares, or -1.
  int source = -1;
  int64_t bytes = 0;
  int64_t arena_offset = 0;
  const void* constant = nullptr;
  int first_step = -1, last_step = -1;  // of use
};

struct PlanArray {
  int value = -1;
  int64_t byte_offset = 0;
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

  int node = -1;             // position of a node it computes, for error messages
  std::vector<int> members;  // positions of all it computes, for profiles
  Work work;                 // of `fused`, for profiles
  std::vector<PlanArray> inputs, outputs;
  // Of a kernel: ready but for the addresses.
  std::vector<Array> in_arrays, out_arrays;
};

// What the profiler calls the steps, and in which profile.
struct PlanSites {
  uint64_t profile = 0;
  std::vector<int> of_step;
};

struct PlanResult {
  int node = -1;   // position
  int value = -1;  // where its bytes are
  int64_t byte_offset = 0;
};

struct Plan {
  std::vector<PlanValue> values;
  std::vector<PlanStep> steps;
  std::vector<PlanResult> results;
  int64_t arena_bytes = 0;
  int64_t held_bytes = 0;         // of results that have memory of their own
  int64_t least_arena_bytes = 0;  // the most of the arena that is alive at one step
  mutable PlanSites sites;
};

// Simplifies, groups, chooses kernels and lays out memory.
std::unique_ptr<Plan> make_plan(const PendingGraph& graph);
// The last part: decides where every value lies.
void plan_memory(Plan* plan, const std::vector<uint8_t>& held, const PendingGraph& graph);

// The one fused step of a formula, and what its kernel reads and writes.
std::unique_ptr<Program> plan_formula(const ForeachFormula& formula, CompiledFormula* out);

// For the running profile: what it calls each step, in order.
const std::vector<int>& profile_sites(const Plan& plan, const PendingGraph& graph);

// Makes every structure hash alike, so that tests can see that plans are compared in full.
void force_hash_collisions(bool on);

}  // namespace glia
