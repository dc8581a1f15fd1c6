// Lowering: a step for each kernel and each group, and where its arrays lie.
#include "graph/lower.h"

#include <algorithm>

#include "core/positioned.h"

namespace glia {
namespace {

// Of a kOutput: which result of the kernel it is.
int64_t result_of(const Node& node) { return node.attributes<OutputAttributes>().which; }

}  // namespace

int Lowering::new_value(PlanValue::Place place, int64_t bytes, int node, int source) {
  plan_.values.push_back({.place = place, .source = source, .bytes = bytes, .node = node});
  held_.push_back(0);
  return static_cast<int>(plan_.values.size()) - 1;
}

const Lowering::Located& Lowering::locate(int i) {
  if (located_at_[i] >= 0) return located_[located_at_[i]];
  const Node& me = d_.node(i);
  Located at;
  if (d_.is_leaf(i)) {
    const bool scalar = !me.is_computed();
    at = {new_value(scalar ? PlanValue::Place::kScalar : PlanValue::Place::kLeaf, me.bytes(), i, i),
          Layout::contiguous(me.shape)};
  } else if (me.op->kind == Kind::kView) {
    Located from = locate(d_.inputs[i][0]);
    if (!me.op->view(me, from.layout, &at.layout)) {
      from = copy(from, me.dtype);
      me.op->view(me, from.layout, &at.layout);
    }
    at.value = from.value;
    at.move = from.move;
    const Positioned* const positioned = find_positioned(me.op);
    if (positioned && me.shape.numel() > 0) {
      const int64_t stride = from.layout.strides[positioned->axis(me)];
      at.layout.offset -= *me.first_word * stride;
      at.move = static_cast<int>(plan_.moves.size());
      plan_.moves.push_back({from.move, i, stride * static_cast<int64_t>(size_of(me.dtype))});
    }
  } else if (me.op->kind == Kind::kOutput) {
    at = {tuple_outputs_.at(d_.inputs[i][0])[result_of(me)], Layout::contiguous(me.shape)};
  } else {
    at = {new_value(PlanValue::Place::kArena, me.bytes(), i), Layout::contiguous(me.shape)};
  }
  located_at_[i] = static_cast<int>(located_.size());
  return located_.emplace_back(at);
}

Lowering::Located Lowering::copy(const Located& from, DType dtype) {
  PlanStep step;
  step.program = std::make_unique<Program>();
  step.node = d_.order.empty() ? 0 : d_.order.front();
  Group space;
  space.space = from.layout.shape;
  start_program(space, {&from}, step.program.get());
  const int in = input(from, dtype, space.space, &step);
  const Located to{
      new_value(PlanValue::Place::kArena, space.space.numel() * (int64_t)size_of(dtype), -1),
      Layout::contiguous(space.space)};
  step.program->outputs.push_back({.value = in});
  step.outputs.push_back(array(to, dtype));
  plan_.steps.push_back(std::move(step));
  return to;
}

void Lowering::run() {
  for (int i : d_.order) {
    const Kind k = d_.kind(i);
    if (k == Kind::kKernel) {
      if (d_.node(i).op->formula && !d_.node(i).op->run)
        emit_problems(i);
      else
        emit_kernel(i);
    } else if (d_.group_of[i] >= 0) {
      const Group& g = d_.groups[d_.group_of[i]];
      if (g.root == i && g.follows < 0) plan_.steps.push_back(group_step(g));
    }
  }
  for (size_t i = 0; i < d_.graph.nodes.size(); ++i) {
    if (d_.graph.wanted[i]) add_result(static_cast<int>(i));
  }
}

void Lowering::add_result(int i) {
  const DType dtype = d_.node(i).dtype;
  Located at = locate(d_.same[i]);
  const PlanValue& value = plan_.values[at.value];
  const bool leaf = value.place == PlanValue::Place::kLeaf;
  const bool whole = at.layout.shape.numel() * (int64_t)size_of(dtype) == value.bytes;
  if (!at.layout.is_contiguous() || value.place == PlanValue::Place::kScalar || (!leaf && !whole))
    at = copy(at, dtype);
  if (!leaf || at.value != locate(d_.same[i]).value) held_[at.value] = 1;
  const PlanArray a = array(at, dtype);
  plan_.results.push_back({i, a.value, a.byte_offset, a.move});
}

void Lowering::emit_kernel(int i) {
  const Node& me = d_.node(i);
  PlanStep step;
  step.node = i;
  step.words.assign(me.words().span().begin(), me.words().span().end());
  if (find_positioned(me.op)) step.positioned = i;
  const Kernel* const kernel = find_kernel(me);
  step.run = kernel ? kernel->choose() : me.op->run;
  if (!step.run)
    throw Error(std::string(me.op->name) + ": no kernel for " + name(me.dtype), me.where);
  for (int slot = 0; slot < me.slots(); ++slot) {
    if (me.place_of(slot) < 0) {
      step.inputs.emplace_back();
      step.in_arrays.push_back({nullptr, Layout::contiguous({0})});
      continue;
    }
    const int in = d_.inputs[i][me.place_of(slot)];
    Located at = locate(in);
    if (!me.op->strided && !at.layout.is_contiguous()) at = copy(at, d_.node(in).dtype);
    step.inputs.push_back(array(at, d_.node(in).dtype));
    at.layout.offset = 0;
    step.in_arrays.push_back({nullptr, at.layout, d_.node(in).dtype});
  }
  if (me.op->keeps >= 0) {
    const PlanValue& value = plan_.values[step.inputs[me.op->keeps].value];
    if (value.place == PlanValue::Place::kLeaf && step.inputs[me.op->keeps].move == 0)
      step.kept = std::make_unique<PlanKept>(value.source);
  }
  if (me.op->outputs == 1) {
    const Located& to = locate(i);
    step.outputs.push_back(array(to, me.dtype));
    step.out_arrays.push_back({nullptr, to.layout, me.dtype});
  } else {
    // Results that nobody asked for have no array.
    step.outputs.resize(me.op->outputs);
    step.out_arrays.resize(me.op->outputs);
    std::vector<int> values(me.op->outputs, -1);
    for (int user : d_.users[i]) {
      const Node& out = d_.node(user);
      const int64_t which = result_of(out);
      values[which] = new_value(PlanValue::Place::kArena, out.bytes(), user);
      step.outputs[which] = {values[which], 0};
      step.out_arrays[which] = {nullptr, Layout::contiguous(out.shape), out.dtype};
    }
    tuple_outputs_[i] = std::move(values);
  }
  if (me.op->formula) {
    step.formula = std::make_unique<CompiledFormula>();
    step.program = plan_formula(me.op->formula(me), step.formula.get());
  }
  if (d_.epilogue_of[i] >= 0)
    step.epilogue = std::make_unique<PlanStep>(group_step(d_.groups[d_.epilogue_of[i]]));
  plan_.steps.push_back(std::move(step));
}

void Lowering::emit_problems(int i) {
  const Node& me = d_.node(i);
  const Formula& f = me.op->formula(me);
  CompiledFormula formula;
  PlanStep step;
  step.node = i;
  step.program = plan_formula(f, &formula);
  step.many = std::make_unique<PlanStep::Many>();
  const int scalars = static_cast<int>(f.scalars.size());
  const int operands = static_cast<int>(f.operands.size());
  const int problems = (me.input_count - scalars) / operands;
  std::vector<int> made;
  for (int j = 0; j < problems; ++j) {
    const int first = scalars + j * operands;
    const int64_t count = d_.node(d_.inputs[i][first]).shape.numel();
    step.many->counts.push_back(count);
    for (const CompiledFormula::Slot& slot : formula.inputs) {
      if (slot.constant) {
        const int v = new_value(PlanValue::Place::kConstant, sizeof(int64_t), i);
        plan_.values[v].constant = slot.constant;
        step.inputs.push_back({v, 0});
        continue;
      }
      Located from = locate(d_.inputs[i][slot.operand >= 0 ? first + slot.operand : slot.scalar]);
      if (slot.operand >= 0 && !from.layout.is_contiguous()) from = copy(from, me.dtype);
      step.inputs.push_back(array(from, me.dtype));
    }
    const int output = static_cast<int>(step.outputs.size());
    for (int o = 0; o < formula.outputs; ++o)
      step.outputs.push_back(
          {new_value(PlanValue::Place::kArena, count * (int64_t)size_of(me.dtype), i), 0});
    for (int result : formula.results) made.push_back(step.outputs[output + result].value);
  }
  tuple_outputs_[i] = std::move(made);
  plan_.steps.push_back(std::move(step));
}

void lower(const Draft& draft, Plan* plan, std::vector<uint8_t>* held) {
  Lowering(draft, plan, held).run();
}

}  // namespace glia
