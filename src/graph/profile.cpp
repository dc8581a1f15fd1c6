// What the profiler calls the steps of a plan.
#include <algorithm>
#include <ranges>
#include <unordered_set>

#include "graph/plan.h"
#include "runtime/profiler.h"

namespace glia {
namespace {

std::string joined(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& p : parts) out += (out.empty() ? "" : ", ") + p;
  return out;
}

// The operations of a fused group, and its largest shape: that of its space.
void describe_group(const PlanStep& step, const PendingGraph& graph, profiler::Site* site) {
  std::vector<std::string> ops;
  Shape space;
  const auto widen = [&](const Shape& s) {
    if (s.numel() > space.numel() || space.rank() == 0) space = s;
  };
  if (step.members.empty()) {
    site->ops = "copy";
    site->where = {};
    return;
  }
  for (int i : step.members) {
    const Node& node = *graph.nodes[i];
    ops.emplace_back(node.op->name);
    widen(node.shape);
    if (node.op->kind == Kind::kReduce) widen(node.inputs[0]->shape);
    if (profiler::in_library(site->where)) site->where = node.where;
  }
  if (profiler::in_library(site->where)) site->where = graph.nodes[step.node]->where;
  site->ops = joined(ops);
  site->shapes = space.str();
}

profiler::Site describe(const PlanStep& step, const PendingGraph& graph) {
  const Node& node = *graph.nodes[step.node];
  profiler::Site site{.where = node.where, .work = step.work};
  if (step.many) {
    site.ops = node.op->name;
    site.shapes = std::to_string(step.many->counts.size()) + " tensors";
  } else if (step.fused && !step.run) {
    describe_group(step, graph, &site);
  } else {
    const KernelCall call{
        .in = step.in_arrays, .out = step.out_arrays, .words = AttributeWords(step.words)};
    site.ops = node.op->name;
    site.attributes = call.words.str(*node.op);
    site.work = node.op->work ? node.op->work(call) : traffic(call);
    if (!step.in_arrays.empty()) site.dtype = step.in_arrays[0].dtype;
    std::vector<std::string> in, out;
    for (const Array& a : step.in_arrays) in.push_back(a.layout.shape.str());
    for (const Array& a : step.out_arrays) out.push_back(a.layout.shape.str());
    site.shapes = joined(in) + " -> " + joined(out);
    if (step.epilogue) {
      profiler::Site then;
      describe_group(*step.epilogue, graph, &then);
      site.ops += " + " + then.ops;
      site.work.flops += step.epilogue->work.flops;
      site.work.read += step.epilogue->work.read - site.work.written;
      site.work.written += step.epilogue->work.written;
    }
  }
  return site;
}

// What is alive at the fullest step: of values that lie over each other, the last one made.
profiler::PlanMemory memory_of(const Plan& plan, const PendingGraph& graph, int site) {
  using Place = PlanValue::Place;
  profiler::PlanMemory memory{.bytes = plan.arena_bytes + plan.held_bytes, .step = site};
  std::unordered_set<int64_t> offsets;
  for (const PlanValue& v : plan.values | std::views::reverse) {
    const bool held = v.place == Place::kHeld && v.source < 0;
    const bool alive = v.place == Place::kArena && v.first_step <= plan.fullest_step &&
                       v.last_step >= plan.fullest_step;
    if (!held && !(alive && offsets.insert(v.arena_offset).second)) continue;
    if (v.node < 0) {
      memory.alive.push_back({.op = "copy", .count = 1, .bytes = v.bytes});
      continue;
    }
    const Node& node = *graph.nodes[v.node];
    memory.alive.push_back({.op = node.op->name,
                            .shape = node.shape.str(),
                            .where = profiler::shown(node.where),
                            .count = 1,
                            .bytes = v.bytes});
  }
  return memory;
}

}  // namespace

namespace {

void add_sites(const Plan& plan, const PendingGraph& planned) {
  PlanSites& sites = plan.sites;
  for (const PlanStep& step : plan.steps)
    sites.of_step.push_back(profiler::add_site(describe(step, planned)));
  if (!plan.steps.empty())
    profiler::add_plan(memory_of(plan, planned, sites.of_step[plan.fullest_step]));
}

// What the plan was made for: a copy of the same structure, with the same values wanted.
ComposedGraph composed_again(const Plan& plan, PendingGraph graph) {
  graph.wanted.assign(graph.nodes.size(), 0);
  for (const PlanResult& result : plan.results) graph.wanted[result.node] = 1;
  return ComposedGraph(graph);
}

}  // namespace

const std::vector<int>& profile_sites(const Plan& plan, const PendingGraph& graph) {
  PlanSites& sites = plan.sites;
  if (sites.profile != profiler::profile_number()) {
    sites.profile = profiler::profile_number();
    sites.of_step.clear();
    if (plan.origin.empty())
      add_sites(plan, graph);
    else
      add_sites(plan, composed_again(plan, graph).graph);
  }
  return sites.of_step;
}

}  // namespace glia
