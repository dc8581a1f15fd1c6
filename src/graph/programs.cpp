// Lowering, second part: what a backend compiles for a group.
#include <algorithm>

#include "graph/lower.h"

namespace glia {
namespace {

// Strides of `at` over `space`, to which it broadcasts.
void stretch(const Layout& at, const Shape& space, int64_t* strides) {
  const int shift = space.rank() - at.shape.rank();
  for (int i = 0; i < space.rank(); ++i) {
    const bool repeated = i < shift || at.shape[i - shift] == 1;
    strides[i] = repeated ? 0 : at.strides[i - shift];
  }
}

// Whether axes [from, to) are laid out densely, or all repeat.
bool dense(const Shape& space, const int64_t* strides, int from, int to) {
  int64_t expected = 1;
  for (int i = to - 1; i >= from; --i) {
    if (space[i] == 1) continue;
    if (strides[i] != expected) return false;
    expected *= space[i];
  }
  return true;
}
bool repeats(const Shape& space, const int64_t* strides, int from, int to) {
  for (int i = from; i < to; ++i) {
    if (space[i] != 1 && strides[i] != 0) return false;
  }
  return true;
}

int split_of(const Program& p) {
  int k = 0;
  for (int64_t rows = 1; k < p.space.rank() && rows < p.rows; ++k) rows *= p.space[k];
  return k;
}

int add_input(Program::Value v, const PlanArray& a, PlanStep* step) {
  Program& p = *step->program;
  const int rank = p.space.rank();
  for (size_t k = 0; k < p.values.size(); ++k) {
    const Program::Value& other = p.values[k];
    if (other.action != Program::Action::kInput || other.dtype != v.dtype) continue;
    const PlanArray& b = step->inputs[other.slot];
    if (b.value == a.value && b.byte_offset == a.byte_offset && b.move == a.move &&
        other.extent == v.extent && other.strided == v.strided &&
        (!v.strided || std::equal(v.strides, v.strides + rank, other.strides)))
      return static_cast<int>(k);
  }
  v.slot = static_cast<int>(step->inputs.size());
  step->inputs.push_back(a);
  p.input_arrays = v.slot + 1;
  p.values.push_back(v);
  return static_cast<int>(p.values.size()) - 1;
}

}  // namespace

void Lowering::start_program(const Group& g, const std::vector<const Located*>& inputs,
                             Program* program) {
  const Shape& space = g.space;
  program->space = space;
  program->row_resident = g.resident;
  int split = g.split < 0 ? 0 : g.split;
  if (g.split < 0) {
    int64_t strides[kMaxRank];
    for (const Located* at : inputs) {
      stretch(at->layout, space, strides);
      const int rank = space.rank();
      if (repeats(space, strides, 0, rank) || dense(space, strides, 0, rank)) continue;
      for (int k = 1; k < rank && split == 0; ++k) {
        const bool column = repeats(space, strides, 0, k) && dense(space, strides, k, rank);
        const bool row = dense(space, strides, 0, k) && repeats(space, strides, k, rank);
        if (column || row) split = k;
      }
      if (split) break;
    }
  }
  program->rows = product(space, 0, split);
  program->cols = product(space, split, space.rank());
}

int Lowering::input(const Located& at, DType dtype, const Shape& shape, PlanStep* step) {
  Program& p = *step->program;
  Program::Value v{.action = Program::Action::kInput, .dtype = dtype};
  stretch(at.layout, shape, v.strides);
  const int rank = shape.rank(), split = split_of(p);
  const bool rows_only = shape != p.space;
  if (repeats(shape, v.strides, 0, rank)) {
    v.extent = Program::Extent::kScalar;
  } else if (rows_only) {
    if (!dense(shape, v.strides, 0, rank)) {
      Located spread{at.value, {shape, {}, at.layout.offset}, at.move};
      std::copy_n(v.strides, kMaxRank, spread.layout.strides);
      return input(copy(spread, dtype), dtype, shape, step);
    }
    v.extent = Program::Extent::kRow;
  } else if (dense(shape, v.strides, 0, rank)) {
    v.extent = Program::Extent::kFull;
  } else if (repeats(shape, v.strides, 0, split) && dense(shape, v.strides, split, rank)) {
    v.extent = Program::Extent::kColumn;
  } else if (dense(shape, v.strides, 0, split) && repeats(shape, v.strides, split, rank)) {
    v.extent = Program::Extent::kRow;
  } else {
    v.strided = true;
  }
  return add_input(v, array(at, dtype), step);
}

PlanStep Lowering::group_step(const Group& g) {
  PlanStep step;
  step.node = g.root;
  step.program = std::make_unique<Program>();
  Program& p = *step.program;
  const int mine = d_.group_of[g.root];
  std::vector<int> members(g.members.rbegin(), g.members.rend());
  step.members = members;
  std::vector<const Located*> outside;
  for (int i : members) {
    for (int in : d_.inputs[i]) {
      if (!d_.computed_in(in, mine)) outside.push_back(&locate(in));
    }
  }
  start_program(g, outside, &p);
  p.by_parts = g.follows >= 0;

  p.values.reserve(members.size() + outside.size());
  for (int i : members) {
    const Node& me = d_.node(i);
    const bool reduces = me.op->kind == Kind::kReduce;
    const bool row = !reduces && me.shape != g.space;
    const auto operand = [&](int k) {
      if (k >= static_cast<int>(d_.inputs[i].size())) return -1;
      const int in = d_.inputs[i][k];
      if (d_.computed_in(in, mine)) return value_of_[in];
      if (me.op->draws)
        return add_input(
            {.action = Program::Action::kInput, .extent = Program::Extent::kScalar, .dtype = kI64},
            array(locate(in), kI64), &step);
      const Shape& over = row ? me.shape : g.space;
      return input(locate(in), d_.node(in).dtype, over, &step);
    };
    const int a = operand(0);
    const bool sink = reduces && g.sink != Program::Sink::kStore && is_sink(g, i);
    if (sink) {
      p.outputs.push_back({.sink = g.sink,
                           .value = a,
                           .reduce = static_cast<ReduceCode>(me.op->code),
                           .segments = g.segments});
      step.outputs.push_back(array(locate(i), me.dtype));
      continue;
    }
    Program::Value v{.action = reduces ? Program::Action::kReduceRow : Program::Action::kCompute,
                     .extent = reduces || row ? Program::Extent::kRow : Program::Extent::kFull,
                     .dtype = me.dtype};
    if (reduces)
      v.reduce = static_cast<ReduceCode>(me.op->code);
    else
      v.code = static_cast<Code>(me.op->code);
    v.a = a;
    v.b = operand(1);
    v.c = operand(2);
    value_of_[i] = static_cast<int>(p.values.size());
    p.values.push_back(v);
    if (leaves_group(i, mine)) {
      p.outputs.push_back({.value = value_of_[i]});
      step.outputs.push_back(array(locate(i), me.dtype));
    }
  }
  return step;
}

bool Lowering::is_sink(const Group& g, int i) const {
  return i == g.root || (d_.axes_of(i) == d_.axes_of(g.root) &&
                         d_.node(d_.inputs[i][0]).shape == g.space && !used_inside(i));
}

bool Lowering::used_inside(int i) const {
  return std::ranges::any_of(d_.users[i],
                             [&](int user) { return d_.group_of[user] == d_.group_of[i]; });
}

bool Lowering::leaves_group(int i, int mine) const {
  if (d_.group_of[i] != mine) return false;
  return d_.needed[i] || std::ranges::any_of(d_.users[i], [&](int user) {
           return !d_.computed_in(i, d_.group_of[user]) ||
                  std::ranges::any_of(d_.repeated_in[user],
                                      [&](int g) { return !d_.computed_in(i, g); });
         });
}

}  // namespace glia
