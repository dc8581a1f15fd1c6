// Planning: simplify the graph, group what can run in one pass, and choose kernels.
#include "graph/plan.h"

#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "graph/group.h"
#include "runtime/profiler.h"

namespace glia {
namespace {

// A row that is reduced and used again stays in the cache up to this length.
constexpr int64_t kMaxResidentColumns = 8192;
constexpr int kMaxGroupNodes = 1024;
// Of an epilogue's parts: with fewer columns they are no faster than a pass of its own. Where it
// needs whole rows, a product cannot be cut along them.
constexpr int64_t kFewestPartColumns = 8, kMostWholeColumns = 512, kFewestWholeRows = 64;

uint64_t mix(uint64_t h, uint64_t w) {
  h = (h ^ w) * 0x9e3779b97f4a7c15u;
  return h ^ (h >> 29);
}

// The same number of rows with as few axes before as possible.
int stripped(const Shape& shape, int split) {
  while (split > 0 && shape[split - 1] == 1) --split;
  return split;
}

// Where rows end and columns begin if `row` holds one value for each row of `shape`, else -1.
int row_split(const Shape& row, const Shape& shape) {
  if (row.rank() != shape.rank()) return -1;
  int k = 0;
  while (k < shape.rank() && row[k] == shape[k]) ++k;
  for (int i = k; i < shape.rank(); ++i) {
    if (row[i] != 1) return -1;
  }
  return k == 0 ? -1 : stripped(shape, k);
}

int64_t product(const Shape& s, int from, int to) {
  int64_t n = 1;
  for (int i = from; i < to; ++i) n *= s[i];
  return n;
}

class Planner {
 public:
  explicit Planner(const PendingGraph& graph)
      : graph_(graph),
        plan_(new Plan),
        epilogue_of_(graph.nodes.size(), -1),
        repeated_in_(graph.nodes.size()) {}

  std::unique_ptr<Plan> make() {
    simplify();
    arrange();
    group();
    repeated_in_ =
        recompute({{graph_, inputs_, users_, needed_}, order_, position_, groups_, group_of_});
    choose_epilogues();
    emit();
    find_steady(plan_.get(), held_);
    plan_memory(plan_.get(), held_, graph_);
    for (PlanStep& step : plan_->steps) {
      compile_program(&step);
      if (step.epilogue) compile_program(step.epilogue.get());
    }
    return std::move(plan_);
  }

  static std::unique_ptr<Program> plan_formula(const Formula& f, CompiledFormula* out) {
    PendingGraph graph;
    std::unordered_map<const Node*, int> known;
    std::vector<std::pair<Node*, int>> stack;
    for (const Tensor& r : f.results) {
      stack.emplace_back(r.node(), 0);
      while (!stack.empty()) {
        auto& [n, next] = stack.back();
        if (!glia::is_leaf(*n) && next < n->input_count) {
          Node* in = n->inputs[next++];
          if (!known.contains(in)) stack.emplace_back(in, 0);
        } else {
          if (known.emplace(n, graph.nodes.size()).second) {
            n->index = static_cast<uint32_t>(graph.nodes.size());
            graph.nodes.push_back(n);
          }
          stack.pop_back();
        }
      }
    }
    graph.wanted.assign(graph.nodes.size(), 0);
    graph.donatable.assign(graph.nodes.size(), 0);
    for (const Tensor& r : f.results) graph.wanted[r.node()->index] = 1;
    Planner formula(graph);
    formula.simplify();
    formula.arrange();
    formula.group();
    formula.emit();
    Plan& inner = *formula.plan_;
    if (inner.steps.size() != 1 || !inner.steps[0].program)
      throw Error("foreach: the rule is not a single elementwise pass");
    PlanStep& model = inner.steps[0];
    const auto find = [](const std::vector<Tensor>& list, const Node* n) {
      const auto at = std::ranges::find(list, n, &Tensor::node);
      return at == list.end() ? -1 : static_cast<int>(at - list.begin());
    };
    for (const PlanArray& a : model.inputs) {
      const Node* source = graph.nodes[inner.values[a.value].source];
      CompiledFormula::Slot slot{.operand = find(f.operands, source),
                                 .scalar = find(f.scalars, source)};
      // A number written in the rule.
      if (slot.operand < 0 && slot.scalar < 0) slot.constant = source->first_word;
      out->inputs.push_back(slot);
    }
    out->outputs = static_cast<int>(model.outputs.size());
    for (const Tensor& r : f.results) {
      const PlanResult& result = *std::ranges::find_if(
          inner.results, [&](const PlanResult& x) { return graph.nodes[x.node] == r.node(); });
      const auto at = std::ranges::find(model.outputs, result.value, &PlanArray::value);
      out->results.push_back(static_cast<int>(at - model.outputs.begin()));
    }
    model.program->many = true;
    return std::move(model.program);
  }

 private:
  static void compile_program(PlanStep* step) {
    if (!step->program) return;
    step->work =
        profiler::work_of(*step->program, step->many ? step->many->counts : std::vector<int64_t>());
    step->fused = compile(*step->program);
    step->program.reset();
    if (step->formula) step->formula->kernel = step->fused.get();
  }

  const Node& node(int i) const { return *graph_.nodes[i]; }
  Kind kind(int i) const { return kind_of(node(i)); }
  bool is_leaf(int i) const { return kind(i) == Kind::kLeaf; }

  // Sees through aliases, lets elementwise operations broadcast instead of expanding, and merges
  // equal operations.
  void simplify() {
    const int n = static_cast<int>(graph_.nodes.size());
    same_.resize(n);
    inputs_.resize(n);
    needed_.assign(n, 0);
    std::unordered_multimap<uint64_t, int> known;
    for (int i = 0; i < n; ++i) {
      same_[i] = i;
      if (!is_leaf(i)) {
        const Node& me = node(i);
        for (const Node* in : me.input_span()) inputs_[i].push_back(same_[in->index]);
        if (me.op->identity) {
          same_[i] = inputs_[i][0];
        } else {
          if (me.op->kind == Kind::kElementwise) {
            for (int& in : inputs_[i]) {
              while (!is_leaf(in) && node(in).op->broadcasts) in = inputs_[in][0];
            }
          }
          same_[i] = find_equal(i, &known);
        }
      }
      if (graph_.wanted[i]) needed_[same_[i]] = 1;
    }
  }

  int find_equal(int i, std::unordered_multimap<uint64_t, int>* known) const {
    const Node& me = node(i);
    if (me.op->effect) return i;
    uint64_t h = mix(reinterpret_cast<uintptr_t>(me.op), static_cast<uint64_t>(me.dtype));
    for (int in : inputs_[i]) h = mix(h, in);
    for (int64_t word : me.words().span()) h = mix(h, word);
    const auto [begin, end] = known->equal_range(h);
    for (auto at = begin; at != end; ++at) {
      const Node& other = node(at->second);
      if (other.op == me.op && other.dtype == me.dtype && other.shape == me.shape &&
          inputs_[at->second] == inputs_[i] &&
          std::ranges::equal(other.words().span(), me.words().span()))
        return at->second;
    }
    known->emplace(h, i);
    return i;
  }

  // Who uses what, of all that is needed, and in which order it is computed.
  void arrange() {
    const int n = static_cast<int>(graph_.nodes.size());
    users_.resize(n);
    std::vector<uint8_t> live(n, 0);
    for (int i = n - 1; i >= 0; --i) {
      if (same_[i] != i) continue;
      live[i] |= needed_[i];
      if (!live[i]) continue;
      for (int in : inputs_[i]) live[in] = 1;
    }
    for (int i = 0; i < n; ++i) {
      if (same_[i] != i || !live[i]) continue;
      for (int in : inputs_[i]) {
        if (users_[in].empty() || users_[in].back() != i) users_[in].push_back(i);
      }
    }
    order_ = order_of_steps({graph_, inputs_, users_, needed_});
    position_.assign(n, -1);
    for (size_t at = 0; at < order_.size(); ++at) position_[order_[at]] = static_cast<int>(at);
  }

  // From the last node to the first, each joins the group of those that use it if it can. All
  // edges that leave a group lead to positions behind its root, so groups can run in the order
  // of their roots.
  void group() {
    group_of_.assign(graph_.nodes.size(), -1);
    for (int at = static_cast<int>(order_.size()) - 1; at >= 0; --at) {
      const int i = order_[at];
      const Kind k = kind(i);
      if (k != Kind::kElementwise && k != Kind::kReduce) continue;
      int g = group_of_users(i);
      if (g < 0 || !accepts(&groups_[g], i)) g = k == Kind::kReduce ? sibling(i) : -1;
      if (g < 0) g = new_group(i);
      group_of_[i] = g;
      groups_[g].members.push_back(i);
    }
  }

  bool may_join(const Group& g, int g_index, int i) const {
    for (int user : users_[i]) {
      if (group_of_[user] != g_index && position_[user] < position_[g.root]) return false;
    }
    return true;
  }

  int group_of_users(int i) const {
    int best = -1;
    for (int user : users_[i]) {
      const int g = group_of_[user];
      if (g >= 0 && (best < 0 || position_[groups_[g].root] < position_[groups_[best].root]))
        best = g;
    }
    return best >= 0 && may_join(groups_[best], best, i) ? best : -1;
  }

  // A group that reduces the same space in the same way and reads the same operand, but not what
  // this reduction gives.
  int sibling(int i) {
    for (int g = static_cast<int>(groups_.size()) - 1; g >= 0 && g + 4 >= (int)groups_.size();
         --g) {
      Group& other = groups_[g];
      if (kind(other.root) != Kind::kReduce || other.resident ||
          axes_of(other.root) != axes_of(i) || node(inputs_[i][0]).shape != other.space)
        continue;
      const auto reads = [&](int member) {
        return std::ranges::count(inputs_[member], inputs_[i][0]) > 0;
      };
      const auto is_mine = [&](int user) { return group_of_[user] == g; };
      if (std::ranges::none_of(other.members, reads) || std::ranges::any_of(users_[i], is_mine))
        continue;
      if (may_join(other, g, i)) return g;
    }
    return -1;
  }

  int64_t axes_of(int i) const { return node(i).attributes<ReduceAttributes>().axes; }

  struct Reduced {
    int64_t outer, reduced, inner;
    int first, last;  // reduced axes [first, last)
  };
  Reduced reduced_axes(int i) const {
    const Shape& in = node(inputs_[i][0]).shape;
    const int64_t mask = axes_of(i);
    int first = 0, last = in.rank();
    while (first < last && !(mask >> first & 1)) ++first;
    while (last > first && !(mask >> (last - 1) & 1)) --last;
    while (last < in.rank() && in[last] == 1) ++last;
    return {product(in, 0, first), product(in, first, last), product(in, last, in.rank()), first,
            last};
  }

  int new_group(int i) {
    Group g;
    g.root = i;
    if (kind(i) == Kind::kElementwise) {
      g.space = node(i).shape;
    } else {
      g.space = node(inputs_[i][0]).shape;
      const Reduced r = reduced_axes(i);
      if (r.inner == 1 && r.outer == 1) {
        g.sink = Program::Sink::kReduceAll;
      } else if (r.inner == 1 && r.reduced <= kMaxResidentColumns) {
        g.split = stripped(g.space, r.first);
        g.resident = true;
      } else if (r.inner == 1) {
        g.split = stripped(g.space, r.first);
        g.sink = Program::Sink::kReduceRows;
      } else {
        g.split = stripped(g.space, r.last);
        g.sink = Program::Sink::kReduceColumns;
        g.segments = r.outer;
      }
    }
    groups_.push_back(std::move(g));
    return static_cast<int>(groups_.size()) - 1;
  }

  // Whether a node whose users allow it fits the group's space; fixes what that decides.
  bool accepts(Group* g, int i) const {
    if (g->members.size() >= kMaxGroupNodes) return false;
    const Node& me = node(i);
    int split;
    if (kind(i) == Kind::kElementwise) {
      if (me.shape == g->space) return true;
      if (me.op->draws) return false;  // random numbers belong to positions of their own shape
      split = row_split(me.shape, g->space);
    } else {
      const Reduced r = reduced_axes(i);
      const Shape& in = node(inputs_[i][0]).shape;
      if (r.inner != 1 || r.reduced > kMaxResidentColumns) return false;
      if (in != g->space && !becomes_rows(*g, me.shape, in)) return false;
      g->space = in;
      split = stripped(in, r.first);
    }
    if (split < 0 || (g->split >= 0 && g->split != split)) return false;
    if (g->space.numel() == 0 || split == g->space.rank()) return false;
    g->split = split;
    if (kind(i) == Kind::kReduce) g->resident = true;
    return true;
  }

  // Whether a group over the results of a row reduction can become one over the rows themselves.
  bool becomes_rows(const Group& g, const Shape& result, const Shape& in) const {
    const auto draws = [&](int i) { return node(i).op->draws; };
    return g.space == result && g.split < 0 && g.sink == Program::Sink::kStore && in.numel() != 0 &&
           row_split(result, in) >= 0 && std::ranges::none_of(g.members, draws);
  }

  // ---- Epilogues ----

  // A group that goes over what a kernel makes, and needs nothing that comes later, does so part by
  // part while that is in cache.
  void choose_epilogues() {
    for (int i : order_) {
      if (kind(i) != Kind::kKernel || node(i).op->outputs != 1 || node(i).shape.rank() == 0 ||
          !runs_epilogue(node(i)))
        continue;
      int best = -1;
      for (int g : groups_reading(i)) {
        if ((best < 0 || start_of(g) < start_of(best)) && can_follow(g, i)) best = g;
      }
      if (best < 0) continue;
      Group& g = groups_[best];
      g.follows = i;
      g.split = split_for(g.space, node(i).shape[node(i).shape.rank() - 1]);
      epilogue_of_[i] = best;
    }
  }

  static bool runs_epilogue(const Node& node) {
    const Kernel* const kernel = find_kernel(*node.op, node.dtype);
    return kernel && kernel->runs_epilogue;
  }

  // Positions at which a group runs and a node is computed.
  int start_of(int g) const {
    return position_[groups_[g].follows >= 0 ? groups_[g].follows : groups_[g].root];
  }
  int ready_at(int i) const {
    if (is_leaf(i)) return -1;
    if (kind(i) == Kind::kView || kind(i) == Kind::kOutput) return ready_at(inputs_[i][0]);
    return group_of_[i] >= 0 ? start_of(group_of_[i]) : position_[i];
  }

  std::vector<int> groups_reading(int i) const {
    std::vector<int> found;
    for (int user : users_[i]) {
      if (group_of_[user] >= 0) found.push_back(group_of_[user]);
      std::ranges::copy(repeated_in_[user], std::back_inserter(found));
      if (kind(user) == Kind::kView)
        std::ranges::copy(groups_reading(user), std::back_inserter(found));
    }
    return found;
  }

  static int split_for(const Shape& space, int64_t columns) {
    for (int k = space.rank(); k >= 0; --k) {
      if (product(space, k, space.rank()) == columns) return stripped(space, k);
    }
    return -1;
  }

  bool can_follow(int group, int i) const {
    const Group& g = groups_[group];
    const Shape& out = node(i).shape;
    const int64_t columns = out[out.rank() - 1];
    if (g.follows >= 0 || position_[g.root] < position_[i] || columns < kFewestPartColumns ||
        out.numel() == 0 || g.space.numel() != out.numel())
      return false;
    const int split = split_for(g.space, columns);
    if (split < 0 || (g.split >= 0 && g.split != split)) return false;
    if (g.sink != Program::Sink::kStore &&
        (g.sink != Program::Sink::kReduceColumns || g.segments != 1))
      return false;
    if (g.resident && (columns > kMostWholeColumns || out.numel() / columns < kFewestWholeRows))
      return false;
    bool reads_all = false;
    for (int member : g.members) {
      for (int in : inputs_[member]) {
        if (computed_in(in, group)) continue;
        if (ready_at(in) > position_[i]) return false;
        if (ready_at(in) < position_[i]) continue;
        if (!is_whole(in, i)) return false;
        reads_all |= node(in).shape.numel() == g.space.numel();
      }
    }
    return reads_all;
  }

  // Whether a node is all elements of kernel i in their order.
  bool is_whole(int in, int i) const {
    Layout at;
    return layout_over(in, i, &at) && at.is_contiguous() && at.offset == 0 &&
           at.shape.numel() == node(i).shape.numel();
  }
  bool layout_over(int in, int i, Layout* at) const {
    if (in == i) {
      *at = Layout::contiguous(node(i).shape);
      return true;
    }
    Layout from;
    return kind(in) == Kind::kView && layout_over(inputs_[in][0], i, &from) &&
           node(in).op->view(node(in), from, at);
  }

  // ---- Steps ----

  int new_value(PlanValue::Place place, int64_t bytes, int node, int source = -1) {
    plan_->values.push_back({.place = place, .source = source, .bytes = bytes, .node = node});
    held_.push_back(0);
    return static_cast<int>(plan_->values.size()) - 1;
  }

  struct Located {
    int value = -1;
    Layout layout;  // offset in elements from the value's first byte
  };

  // Of a kOutput: which result of the kernel it is.
  static int64_t result_of(const Node& node) { return node.attributes<OutputAttributes>().which; }

  // Where the node's elements are, once the steps so far have run.
  const Located& locate(int i) {
    auto found = located_.find(i);
    if (found != located_.end()) return found->second;
    const Node& me = node(i);
    Located at;
    if (is_leaf(i)) {
      const bool scalar = !me.is_computed();
      at = {
          new_value(scalar ? PlanValue::Place::kScalar : PlanValue::Place::kLeaf, me.bytes(), i, i),
          Layout::contiguous(me.shape)};
    } else if (me.op->kind == Kind::kView) {
      Located from = locate(inputs_[i][0]);
      if (!me.op->view(me, from.layout, &at.layout)) {
        from = copy(from, me.dtype);
        me.op->view(me, from.layout, &at.layout);
      }
      at.value = from.value;
    } else if (me.op->kind == Kind::kOutput) {
      at = {tuple_outputs_.at(inputs_[i][0])[result_of(me)], Layout::contiguous(me.shape)};
    } else {
      at = {new_value(PlanValue::Place::kArena, me.bytes(), i), Layout::contiguous(me.shape)};
    }
    return located_.emplace(i, std::move(at)).first->second;
  }

  static PlanArray array(const Located& at, DType dtype) {
    return {at.value, at.layout.offset * static_cast<int64_t>(size_of(dtype))};
  }

  // A contiguous copy, by a fused step of its own.
  Located copy(const Located& from, DType dtype) {
    PlanStep step;
    step.program = std::make_unique<Program>();
    step.node = order_.empty() ? 0 : order_.front();
    Group space;
    space.space = from.layout.shape;
    start_program(space, {&from}, step.program.get());
    const int in = input(from, dtype, space.space, &step);
    const Located to{
        new_value(PlanValue::Place::kArena, space.space.numel() * (int64_t)size_of(dtype), -1),
        Layout::contiguous(space.space)};
    step.program->outputs.push_back({.value = in});
    step.outputs.push_back(array(to, dtype));
    plan_->steps.push_back(std::move(step));
    return to;
  }

  void emit() {
    for (int i : order_) {
      const Kind k = kind(i);
      if (k == Kind::kKernel) {
        if (node(i).op->formula && !node(i).op->run)
          emit_problems(i);
        else
          emit_kernel(i);
      } else if (group_of_[i] >= 0) {
        const Group& g = groups_[group_of_[i]];
        if (g.root == i && g.follows < 0) plan_->steps.push_back(group_step(g));
      }
    }
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      if (graph_.wanted[i]) add_result(static_cast<int>(i));
    }
  }

  void add_result(int i) {
    const DType dtype = node(i).dtype;
    Located at = locate(same_[i]);
    const PlanValue& value = plan_->values[at.value];
    const bool leaf = value.place == PlanValue::Place::kLeaf;
    const bool whole = at.layout.shape.numel() * (int64_t)size_of(dtype) == value.bytes;
    if (!at.layout.is_contiguous() || value.place == PlanValue::Place::kScalar || (!leaf && !whole))
      at = copy(at, dtype);
    if (!leaf || at.value != locate(same_[i]).value) held_[at.value] = 1;
    const PlanArray a = array(at, dtype);
    plan_->results.push_back({i, a.value, a.byte_offset});
  }

  void emit_kernel(int i) {
    const Node& me = node(i);
    PlanStep step;
    step.node = i;
    step.words.assign(me.words().span().begin(), me.words().span().end());
    const Kernel* const kernel = find_kernel(*me.op, me.dtype);
    step.run = kernel ? kernel->choose() : me.op->run;
    for (int in : inputs_[i]) {
      Located at = locate(in);
      if (!me.op->strided && !at.layout.is_contiguous()) at = copy(at, node(in).dtype);
      step.inputs.push_back(array(at, node(in).dtype));
      at.layout.offset = 0;
      step.in_arrays.push_back({nullptr, at.layout, node(in).dtype});
    }
    if (me.op->keeps >= 0) {
      const PlanValue& value = plan_->values[step.inputs[me.op->keeps].value];
      if (value.place == PlanValue::Place::kLeaf) step.kept = PlanKept{.leaf = value.source};
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
      for (int user : users_[i]) {
        const Node& out = node(user);
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
    if (epilogue_of_[i] >= 0)
      step.epilogue = std::make_unique<PlanStep>(group_step(groups_[epilogue_of_[i]]));
    plan_->steps.push_back(std::move(step));
  }

  // A formula on every problem.
  void emit_problems(int i) {
    const Node& me = node(i);
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
      const int64_t count = node(inputs_[i][first]).shape.numel();
      step.many->counts.push_back(count);
      for (const CompiledFormula::Slot& slot : formula.inputs) {
        if (slot.constant) {
          const int v = new_value(PlanValue::Place::kConstant, sizeof(int64_t), i);
          plan_->values[v].constant = slot.constant;
          step.inputs.push_back({v, 0});
          continue;
        }
        Located from = locate(inputs_[i][slot.operand >= 0 ? first + slot.operand : slot.scalar]);
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
    plan_->steps.push_back(std::move(step));
  }

  // ---- Programs ----

  // Strides of `at` over `space`, to which it broadcasts.
  static void stretch(const Layout& at, const Shape& space, int64_t* strides) {
    const int shift = space.rank() - at.shape.rank();
    for (int i = 0; i < space.rank(); ++i) {
      const bool repeated = i < shift || at.shape[i - shift] == 1;
      strides[i] = repeated ? 0 : at.strides[i - shift];
    }
  }

  // Whether axes [from, to) are laid out densely, or all repeat.
  static bool dense(const Shape& space, const int64_t* strides, int from, int to) {
    int64_t expected = 1;
    for (int i = to - 1; i >= from; --i) {
      if (space[i] == 1) continue;
      if (strides[i] != expected) return false;
      expected *= space[i];
    }
    return true;
  }
  static bool repeats(const Shape& space, const int64_t* strides, int from, int to) {
    for (int i = from; i < to; ++i) {
      if (space[i] != 1 && strides[i] != 0) return false;
    }
    return true;
  }

  // Rows and columns: as the group's reductions say, else so that most inputs are simple.
  static void start_program(const Group& g, const std::vector<const Located*>& inputs,
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

  static int split_of(const Program& p) {
    int k = 0;
    for (int64_t rows = 1; k < p.space.rank() && rows < p.rows; ++k) rows *= p.space[k];
    return k;
  }

  // The program's value for an array that broadcasts to `shape`: the space, or its rows.
  int input(const Located& at, DType dtype, const Shape& shape, PlanStep* step) {
    Program& p = *step->program;
    Program::Value v{.action = Program::Action::kInput, .dtype = dtype};
    stretch(at.layout, shape, v.strides);
    const int rank = shape.rank(), split = split_of(p);
    const bool rows_only = shape != p.space;
    if (repeats(shape, v.strides, 0, rank)) {
      v.extent = Program::Extent::kScalar;
    } else if (rows_only) {
      if (!dense(shape, v.strides, 0, rank)) {
        Located spread{at.value, {shape, {}, at.layout.offset}};
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

  static int add_input(Program::Value v, const PlanArray& a, PlanStep* step) {
    Program& p = *step->program;
    const int rank = p.space.rank();
    for (size_t k = 0; k < p.values.size(); ++k) {
      const Program::Value& other = p.values[k];
      if (other.action != Program::Action::kInput || other.dtype != v.dtype) continue;
      const PlanArray& b = step->inputs[other.slot];
      if (b.value == a.value && b.byte_offset == a.byte_offset && other.extent == v.extent &&
          other.strided == v.strided &&
          (!v.strided || std::equal(v.strides, v.strides + rank, other.strides)))
        return static_cast<int>(k);
    }
    v.slot = static_cast<int>(step->inputs.size());
    step->inputs.push_back(a);
    p.input_arrays = v.slot + 1;
    p.values.push_back(v);
    return static_cast<int>(p.values.size()) - 1;
  }

  PlanStep group_step(const Group& g) {
    PlanStep step;
    step.node = g.root;
    step.program = std::make_unique<Program>();
    Program& p = *step.program;
    const int mine = group_of_[g.root];
    std::vector<int> members(g.members.rbegin(), g.members.rend());
    step.members = members;
    std::vector<const Located*> outside;
    for (int i : members) {
      for (int in : inputs_[i]) {
        if (!computed_in(in, mine)) outside.push_back(&locate(in));
      }
    }
    start_program(g, outside, &p);
    p.by_parts = g.follows >= 0;

    std::unordered_map<int, int> value_of;
    for (int i : members) {
      const Node& me = node(i);
      const bool reduces = me.op->kind == Kind::kReduce;
      const bool row = !reduces && me.shape != g.space;
      const auto operand = [&](int k) {
        if (k >= static_cast<int>(inputs_[i].size())) return -1;
        const int in = inputs_[i][k];
        if (computed_in(in, mine)) return value_of.at(in);
        if (me.op->draws)
          return add_input({.action = Program::Action::kInput,
                            .extent = Program::Extent::kScalar,
                            .dtype = kI64},
                           array(locate(in), kI64), &step);
        const Shape& over = row ? me.shape : g.space;
        return input(locate(in), node(in).dtype, over, &step);
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
      value_of[i] = static_cast<int>(p.values.size());
      p.values.push_back(v);
      if (leaves_group(i, mine)) {
        p.outputs.push_back({.value = value_of[i]});
        step.outputs.push_back(array(locate(i), me.dtype));
      }
    }
    return step;
  }

  // In a group that ends in a reduction, the reductions of the root's kind.
  bool is_sink(const Group& g, int i) const {
    return i == g.root || (axes_of(i) == axes_of(g.root) && node(inputs_[i][0]).shape == g.space &&
                           !used_inside(i));
  }
  bool used_inside(int i) const {
    return std::ranges::any_of(users_[i],
                               [&](int user) { return group_of_[user] == group_of_[i]; });
  }
  bool computed_in(int i, int g) const {
    return group_of_[i] == g || std::ranges::count(repeated_in_[i], g) > 0;
  }
  // A value is stored by its own group, if anything reads it from memory.
  bool leaves_group(int i, int mine) const {
    if (group_of_[i] != mine) return false;
    return needed_[i] || std::ranges::any_of(users_[i], [&](int user) {
             return !computed_in(i, group_of_[user]) ||
                    std::ranges::any_of(repeated_in_[user],
                                        [&](int g) { return !computed_in(i, g); });
           });
  }

  const PendingGraph& graph_;
  std::unique_ptr<Plan> plan_;
  std::vector<int> same_;                 // the node that stands for this one
  std::vector<std::vector<int>> inputs_;  // after simplifying
  std::vector<std::vector<int>> users_;
  std::vector<uint8_t> needed_;  // its value outlives the plan
  std::vector<int> order_, position_;
  std::vector<int> group_of_;
  std::vector<int> epilogue_of_;  // of each kernel: a group
  std::vector<Group> groups_;
  std::vector<std::vector<int>> repeated_in_;  // of each node: groups that compute it again
  std::unordered_map<int, Located> located_;
  std::unordered_map<int, std::vector<int>> tuple_outputs_;
  std::vector<uint8_t> held_;  // of each value: a result names it
};

}  // namespace

std::unique_ptr<Program> plan_formula(const Formula& formula, CompiledFormula* out) {
  return Planner::plan_formula(formula, out);
}

std::unique_ptr<Plan> make_plain_plan(const PendingGraph& graph) { return Planner(graph).make(); }

}  // namespace glia
