#include "graph/run.h"

#include <new>
#include <utility>

#include "runtime/profiler.h"
#include "runtime/threads.h"

namespace glia {
namespace {

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

}  // namespace

MemoryRef allocate_for(const Node* node, int64_t bytes) {
  try {
    return MemoryRef(allocate_memory(bytes));
  } catch (const Error& error) {
    if (!node) throw;
    fail_for_memory(*node, error.what());
  }
}

void fail_for_memory(const Node& node, const std::string& what) {
  const std::string attributes = node.op->kind == Kind::kMacro ? "" : node.words().str(*node.op);
  throw Error(std::string(node.op->name) + " " + node.shape.str() +
                  (attributes.empty() ? "" : " with " + attributes) + ": " + what,
              node.where);
}

std::unique_ptr<PlanRoom> Run::take_room(Plan* plan) {
  if (!plan->rooms.empty()) {
    std::unique_ptr<PlanRoom> room = std::move(plan->rooms.back());
    plan->rooms.pop_back();
    return room;
  }
  auto room = std::make_unique<PlanRoom>();
  for (const PlanStep& step : plan->steps) {
    room->arrays.emplace_back();
    if (step.run) room->arrays.back() = {step.in_arrays, step.out_arrays};
  }
  return room;
}

Run::Run(const Plan& plan, const PendingGraph& graph, PlanRoom* room, std::vector<int> sites)
    : plan_(plan), graph_(graph), room_(*room), sites_(std::move(sites)) {
  try {
    place();
  } catch (...) {
    room_.held.clear();
    throw;
  }
}

Run::~Run() { room_.held.clear(); }

void Run::place() {
  room_.moved.assign(plan_.moves.size(), 0);
  for (size_t i = 1; i < plan_.moves.size(); ++i) {
    const PlanMove& move = plan_.moves[i];
    room_.moved[i] = room_.moved[move.before] + *graph_.nodes[move.node]->first_word * move.bytes;
  }
  if (plan_.arena_bytes) arena_ = allocate(plan_.arena_bytes, plan_.steps[plan_.fullest_step].node);
  MemoryRef& steady = room_.steady.memory;
  if (plan_.steady.bytes && !steady) steady = allocate(plan_.steady.bytes, plan_.steps[0].node);
  std::vector<void*>& base = room_.base;
  std::vector<MemoryRef>& held = room_.held;
  base.resize(plan_.values.size());
  held.resize(plan_.values.size());
  for (size_t v = 0; v < plan_.values.size(); ++v) {
    const PlanValue& value = plan_.values[v];
    switch (value.place) {
      case PlanValue::Place::kLeaf:
        base[v] = graph_.nodes[value.source]->data();
        break;
      case PlanValue::Place::kScalar:
        base[v] = graph_.nodes[value.source]->first_word;
        break;
      case PlanValue::Place::kConstant:
        base[v] = const_cast<void*>(value.constant);
        break;
      case PlanValue::Place::kArena:
        if (arena_) base[v] = static_cast<char*>(arena_->data) + value.arena_offset;
        break;
      case PlanValue::Place::kSteady:
        base[v] = static_cast<char*>(steady->data) + value.arena_offset;
        break;
      case PlanValue::Place::kHeld:
        held[v] = value.source < 0 ? allocate(value.bytes, value.node) : held[value.source];
        base[v] = held[v]->data;
        break;
      case PlanValue::Place::kDonated:
        held[v] = graph_.nodes[plan_.values[value.source].source]->memory;
        base[v] = held[v]->data;
        break;
    }
  }
}

int64_t Run::compute() {
  const Core core;
  const Teamwork::Turn turn(&room_.teamwork);
  const size_t first = steady_steps();
  for (size_t s = first; s < plan_.steps.size(); ++s) {
    try {
      const profiler::KernelSpan span(sites_.empty() ? -1 : sites_[s]);
      compute(s);
    } catch (const ValueError& error) {
      throw ValueError(error.what(), origin(plan_.steps[s].node).where);
    } catch (const std::bad_alloc&) {
      fail_for_memory(origin(plan_.steps[s].node), "out of memory");
    }
  }
  PlanRoom::Steady& steady = room_.steady;
  steady.valid = std::exchange(steady.runs_again, true);
  if (!steady.valid) steady.memory = MemoryRef();  // a plan that runs once keeps nothing
  return static_cast<int64_t>(plan_.steps.size() - first);
}

void Run::hand_out(const PlanResult& result) {
  Node* node = graph_.nodes[result.node];
  const PlanValue& value = plan_.values[result.value];
  if (value.place == PlanValue::Place::kLeaf) {
    const Node* source = graph_.nodes[value.source];
    node->memory = source->memory;
    node->offset = source->offset + result.byte_offset + room_.moved[result.move];
  } else {
    node->memory = room_.held[result.value];
    node->offset = result.byte_offset;
  }
  node->set_computed();
}

// The node of the program's graph that stands for one which the plan was made for.
const Node& Run::origin(int node) const {
  return *graph_.nodes[plan_.origin.empty() ? node : plan_.origin[node]];
}

MemoryRef Run::allocate(int64_t bytes, int node) const {
  return allocate_for(node < 0 ? nullptr : &origin(node), bytes);
}

void Run::compute(size_t s) {
  const PlanStep& step = plan_.steps[s];
  if (step.many) return run_many(step);
  if (!step.run) return run_fused(step);
  auto& [in, out] = room_.arrays[s];
  for (size_t i = 0; i < in.size(); ++i) in[i].data = address_or_null(step.inputs[i]);
  for (size_t i = 0; i < out.size(); ++i) out[i].data = address_or_null(step.outputs[i]);
  KernelCall call{.in = in, .out = out, .words = words(step), .formula = step.formula.get()};
  if (!step.kept) return run_kernel(step, &call);
  const Given given(*graph_.nodes[step.kept->leaf]);
  MemoryRef kept;
  if (step.kept->get(given, &kept)) call.kept = &kept;
  run_kernel(step, &call);
  if (call.kept) step.kept->put(given, std::move(kept));
}

void Run::run_kernel(const PlanStep& step, KernelCall* call) {
  const PlanStep* const then = step.epilogue.get();
  if (!then) return step.run(*call);
  if (!then->fused->runs_by_parts()) {
    step.run(*call);
    return then->many ? run_many(*then) : run_fused(*then);
  }
  find_pointers(*then);
  void* const* const pointers = room_.pointers.data();
  PartByPart epilogue(*then->fused, pointers, pointers + then->inputs.size());
  call->epilogue = &epilogue;
  step.run(*call);
  epilogue.end();
}

void Run::run_fused(const PlanStep& step) {
  find_pointers(step);
  step.fused->run(room_.pointers.data(), room_.pointers.data() + step.inputs.size());
}

// Inputs are laid out problem by problem, as are outputs.
void Run::run_many(const PlanStep& step) {
  const auto& many = *step.many;
  const size_t problems = many.counts.size();
  const size_t ins = step.inputs.size() / problems, outs = step.outputs.size() / problems;
  find_pointers(step);
  std::vector<void* const*>& rows = room_.rows;
  void* const* const pointers = room_.pointers.data();
  rows.clear();
  for (size_t j = 0; j < problems; ++j) rows.push_back(pointers + j * ins);
  for (size_t j = 0; j < problems; ++j) rows.push_back(pointers + step.inputs.size() + j * outs);
  step.fused->run_many(static_cast<int64_t>(problems), many.counts.data(), rows.data(),
                       rows.data() + problems);
}

void Run::find_pointers(const PlanStep& step) {
  std::vector<void*>& pointers = room_.pointers;
  pointers.clear();
  for (const PlanArray& a : step.inputs) pointers.push_back(address(a));
  for (const PlanArray& a : step.outputs) pointers.push_back(address(a));
}

// How many steps have nothing to do, because all that they depend on is as in the last run.
size_t Run::steady_steps() {
  PlanRoom::Steady& steady = room_.steady;
  bool same = std::exchange(steady.valid, false);
  const std::vector<int>& sources = plan_.steady.sources;
  steady.given.resize(sources.size());
  for (size_t i = 0; i < sources.size(); ++i) {
    const Given given(*graph_.nodes[sources[i]]);
    same &= given.is_same(steady.given[i]);
    steady.given[i] = given;
  }
  steady.moved.resize(plan_.steady.moves.size());
  for (size_t i = 0; i < steady.moved.size(); ++i) {
    const int64_t moved = room_.moved[plan_.steady.moves[i]];
    same &= std::exchange(steady.moved[i], moved) == moved;
  }
  return same ? plan_.steady.steps : 0;
}

}  // namespace glia
