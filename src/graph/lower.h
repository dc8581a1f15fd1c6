// From groups to the steps of a plan.
#pragma once

#include <deque>
#include <unordered_map>
#include <vector>

#include "graph/draft.h"

namespace glia {

class Lowering {
 public:
  Lowering(const Draft& draft, Plan* plan, std::vector<uint8_t>* held)
      : d_(draft), plan_(*plan), held_(*held) {}
  void run();

 private:
  struct Located {
    int value = -1;
    Layout layout;  // offset in elements from the value's first byte
    int move = 0;   // and what is added to it when the plan runs
  };

  // ---- Steps: lower.cpp ----

  int new_value(PlanValue::Place place, int64_t bytes, int node, int source = -1);
  // Where the node's elements are, once the steps so far have run.
  const Located& locate(int i);
  static PlanArray array(const Located& at, DType dtype) {
    return {at.value, at.layout.offset * static_cast<int64_t>(size_of(dtype)), at.move};
  }
  // A contiguous copy, by a fused step of its own.
  Located copy(const Located& from, DType dtype);
  void emit_kernel(int i);
  // A formula on every problem.
  void emit_problems(int i);
  void add_result(int i);

  // ---- Fused programs: programs.cpp ----

  PlanStep group_step(const Group& g);
  // Rows and columns: as the group's reductions say, else so that most inputs are simple.
  static void start_program(const Group& g, const std::vector<const Located*>& inputs,
                            Program* program);
  // The program's value for an array that broadcasts to `shape`: the space, or its rows.
  int input(const Located& at, DType dtype, const Shape& shape, PlanStep* step);
  // In a group that ends in a reduction, the reductions of the root's kind.
  bool is_sink(const Group& g, int i) const;
  bool used_inside(int i) const;
  // A value is stored by its own group, if anything reads it from memory.
  bool leaves_group(int i, int mine) const;

  const Draft& d_;
  Plan& plan_;
  std::vector<uint8_t>& held_;
  std::deque<Located> located_;
  std::vector<int> located_at_ = std::vector<int>(d_.graph.nodes.size(), -1);  // of each node
  std::vector<int> value_of_ = std::vector<int>(d_.graph.nodes.size());  // in the group's program
  std::unordered_map<int, std::vector<int>> tuple_outputs_;
};

}  // namespace glia
