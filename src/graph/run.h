// One run of a plan.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "graph/plan.h"

namespace glia {

// The addresses of a plan's values for one run, and the memory that its results keep. It is made
// and computes without graph_lock(); the leaves of its graph have their values as long as that
// lives.
class Run {
 public:
  // `sites`: what the profiler calls the steps; empty: it is off.
  Run(const Plan& plan, const PendingGraph& graph, PlanRoom* room, std::vector<int> sites);
  ~Run();
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  // Returns how many steps there were to compute.
  int64_t compute();
  // Gives the result's node its value. Under graph_lock().
  void hand_out(const PlanResult& result);

  // Of a plan, for one run and then back. Under graph_lock().
  static std::unique_ptr<PlanRoom> take_room(Plan* plan);

 private:
  void place();
  const Node& origin(int node) const;
  MemoryRef allocate(int64_t bytes, int node) const;
  void* address(const PlanArray& a) const {
    return static_cast<char*>(room_.base[a.value]) + a.byte_offset + room_.moved[a.move];
  }
  AttributeWords words(const PlanStep& step) const {
    if (step.positioned >= 0) return graph_.nodes[step.positioned]->words();
    return AttributeWords(step.words);
  }
  // Null: an input that was not given, or an output that nobody asked for.
  void* address_or_null(const PlanArray& a) const { return a.value < 0 ? nullptr : address(a); }
  void compute(size_t s);
  void run_kernel(const PlanStep& step, KernelCall* call);
  void run_fused(const PlanStep& step);
  void run_many(const PlanStep& step);
  void find_pointers(const PlanStep& step);
  size_t steady_steps();

  const Plan& plan_;
  const PendingGraph& graph_;
  PlanRoom& room_;
  const std::vector<int> sites_;
  MemoryRef arena_;
};

}  // namespace glia
