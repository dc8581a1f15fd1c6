#include "program.h"

#include <algorithm>
#include <set>
#include <unordered_map>

#include "call.h"
#include "glia/error.h"

namespace glia::onnx {
namespace {

constexpr int kNewestOpset = 28;
constexpr int kMaxFunctions = 64;  // within each other

std::map<std::string, Operator>& registry() {
  static auto* all = new std::map<std::string, Operator>;
  return *all;
}

// A function's body in place of an operator.
void call_function(Call& call) {
  std::vector<Held> inputs;
  for (int i = 0; i < call.inputs(); ++i) inputs.push_back(call.has(i) ? call.in(i) : Held());
  const std::vector<Held> results = call.run("body", std::move(inputs));
  for (size_t o = 0; o < results.size(); ++o) call.set(static_cast<int>(o), results[o]);
}
const Operator kFunction{"function", call_function};

// ---- Compiling ----

// How initializers are used.
struct Use {
  bool read = false, other = false, weights = false, no_weights = false, buffer = false;
};
using Uses = std::unordered_map<std::string, Use>;

std::string full_name(const NodeMessage& node) {
  return node.domain.empty() ? node.op : node.domain + "." + node.op;
}

void note_uses(const std::vector<NodeMessage>& nodes, Uses* uses) {
  for (const NodeMessage& node : nodes) {
    const Operator* op = find_operator(full_name(node));
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      Use& use = (*uses)[node.inputs[i]];
      const auto is = [&](uint32_t mask) { return op && i < 32 && (mask >> i & 1) != 0; };
      (is(op ? op->traits.read : 0) ? use.read : use.other) = true;
      (is(op ? op->traits.weights : 0) ? use.weights : use.no_weights) = true;
      use.buffer |= is(op ? op->traits.buffers : 0);
    }
    for (const Attribute& a : node.attributes) {
      if (a.graph) note_uses(a.graph->nodes, uses);
    }
  }
}

class Compiler {
 public:
  Compiler(const ModelMessage& model, const std::string& file, Program* program)
      : model_(model), file_(file), program_(program) {
    note_uses(model.graph.nodes, &uses_);
  }

  [[noreturn]] void fail(const std::string& fault) const { throw IoError(file_ + ": " + fault); }

  struct Scope {
    const Scope* outer = nullptr;
    Graph* graph = nullptr;
    std::unordered_map<std::string, int> places = {};
    // A function's attributes, as it was called.
    const std::vector<Attribute>* arguments = nullptr;
    const Opsets* opsets = nullptr;
    Scope* writable_outer = nullptr;
  };

  Graph graph(const GraphMessage& message, Scope* outer, const std::vector<Attribute>* arguments,
              const Opsets& opsets) {
    Graph out;
    Scope scope{.outer = outer,
                .graph = &out,
                .arguments = arguments,
                .opsets = &opsets,
                .writable_outer = outer};
    std::set<std::string> initialized;
    for (const auto& [name, value] : message.initializers) {
      initializer(name, value, &scope, false);
      initialized.insert(name);
    }
    for (const ValueInfo& input : message.inputs) {
      if (initialized.contains(input.name)) continue;
      out.inputs.push_back(define(input.name, &scope));
      out.input_names.push_back(input.name);
    }
    nodes(message.nodes, &scope);
    for (const ValueInfo& output : message.outputs) {
      const int place = find(output.name, &scope);
      if (place < 0) fail("nothing makes the output \"" + output.name + "\"");
      out.outputs.push_back(place);
      out.output_names.push_back(output.name);
    }
    find_last(&out);
    return out;
  }

 private:
  int define(const std::string& name, Scope* scope) const {
    if (name.empty()) return -1;
    if (!scope->places.emplace(name, scope->graph->places).second)
      fail("\"" + name + "\" is made twice");
    return scope->graph->places++;
  }

  // Here, or captured from outside; -1: there is none.
  int find(const std::string& name, Scope* scope) const {
    if (const auto at = scope->places.find(name); at != scope->places.end()) return at->second;
    if (!scope->writable_outer) return -1;
    const int outside = find(name, scope->writable_outer);
    if (outside < 0) return -1;
    const int here = define(name, scope);
    scope->graph->captures.emplace_back(outside, here);
    return here;
  }

  void initializer(const std::string& name, const Value& value, Scope* scope, bool is_node) {
    const int place = define(name, scope);
    if (place < 0) fail("an initializer without a name");
    const Tensor& t = value.tensor;
    const auto at = uses_.find(name);
    const Use use = at == uses_.end() ? Use{} : at->second;
    const bool is_float = value.kind == Value::Kind::kTensor && glia::is_float(t.dtype()) &&
                          element_type(t.dtype()) == value.type;
    if (!is_float || !use.other || t.rank() == 0 || (is_node && t.numel() == 1) ||
        (use.read && is_node)) {
      Held held(value);
      held.fixed = true;
      scope->graph->constants.emplace_back(place, std::move(held));
      return;
    }
    ParameterInfo info{.name = name, .value = t, .type = value.type, .buffer = use.buffer};
    info.channels_last = use.weights && !use.no_weights && t.rank() >= 3;
    if (info.channels_last) {
      info.value = to_channels_last(t) + 0;
      eval(info.value);
    }
    auto& list = use.buffer ? program_->buffers : program_->parameters;
    // Graphs within the graph may use a name again.
    for (int i = 1; !names_.insert(info.name).second; ++i)
      info.name = name + "." + std::to_string(i);
    scope->graph->variables.push_back({place, static_cast<int>(list.size()), use.buffer});
    list.push_back(std::move(info));
  }

  // What a Constant node holds.
  bool constant(const NodeMessage& message, Value* value) const {
    if (message.op != "Constant" || !message.domain.empty() || message.outputs.size() != 1)
      return false;
    for (const Attribute& a : message.attributes) {
      if (!a.reference.empty()) return false;
      const auto count = [](const auto& list) { return Shape{static_cast<int64_t>(list.size())}; };
      if (a.name == "value" || a.name == "sparse_value") {
        *value = a.value;
      } else if (a.name == "value_float") {
        *value = full({}, a.real);
      } else if (a.name == "value_int") {
        *value = full({}, a.integer, kI64);
      } else if (a.name == "value_string") {
        *value = Value(Strings{{a.text}, {}});
      } else if (a.name == "value_floats") {
        *value = from_vector(std::vector<float>(a.reals.begin(), a.reals.end()), count(a.reals));
      } else if (a.name == "value_ints") {
        *value = from_vector(a.integers, count(a.integers));
      } else if (a.name == "value_strings") {
        *value = Value(Strings{a.texts, count(a.texts)});
      } else {
        continue;
      }
      return value->kind != Value::Kind::kNone;
    }
    return false;
  }

  void nodes(const std::vector<NodeMessage>& messages, Scope* scope) {
    for (const NodeMessage& message : messages) {
      if (Value value; constant(message, &value)) {
        initializer(message.outputs[0], value, scope, true);
        continue;
      }
      Node node;
      node.label = full_name(message);
      if (!message.name.empty()) node.label += " \"" + message.name + "\"";
      node.opset = opset(message.domain, *scope->opsets);
      for (const std::string& name : message.inputs) {
        node.inputs.push_back(name.empty() ? -1 : find(name, scope));
        if (!name.empty() && node.inputs.back() < 0)
          fail(node.label + " reads \"" + name +
               "\", which nothing makes before it: a circle, or a graph out of order");
      }
      std::vector<Attribute> given;
      for (const Attribute& a : message.attributes) {
        if (a.reference.empty()) {
          given.push_back(a);
        } else if (scope->arguments) {
          for (const Attribute& argument : *scope->arguments) {
            if (argument.name != a.reference) continue;
            given.push_back(argument);
            given.back().name = a.name;
          }
        }
      }
      const FunctionMessage* function = function_named(message);
      if (function) {
        node.op = &kFunction;
        node.graphs.emplace_back("body", body(*function, given));
      } else {
        node.op = find_operator(full_name(message));
        if (!node.op) fail(node.label + ": the operator " + full_name(message) + " is not known");
        program_->op_types.push_back(full_name(message));
      }
      for (Attribute& a : given) {
        if (a.kind == Attribute::Kind::kGraph && a.graph && !function)
          node.graphs.emplace_back(a.name, std::make_shared<const Graph>(graph(
                                               *a.graph, scope, scope->arguments, *scope->opsets)));
        else
          node.attributes.push_back(std::move(a));
      }
      for (const std::string& name : message.outputs) node.outputs.push_back(define(name, scope));
      scope->graph->nodes.push_back(std::move(node));
    }
  }

  int opset(const std::string& domain, const Opsets& opsets) const {
    for (const auto& [name, version] : opsets) {
      if (name != domain) continue;
      if (domain.empty() && version > kNewestOpset)
        fail("has operators of opset " + std::to_string(version) + "; the newest known is " +
             std::to_string(kNewestOpset));
      return version;
    }
    return 1;
  }

  const FunctionMessage* function_named(const NodeMessage& node) const {
    for (const FunctionMessage& f : model_.functions) {
      if (f.name == node.op &&
          (f.domain == node.domain || (f.domain == "ai.onnx" && node.domain.empty())))
        return &f;
    }
    return nullptr;
  }

  std::shared_ptr<const Graph> body(const FunctionMessage& f, std::vector<Attribute> arguments) {
    if (++depth_ > kMaxFunctions) fail("function " + f.name + " calls itself");
    for (const Attribute& fallback : f.defaults) {
      const auto same = [&](const Attribute& a) { return a.name == fallback.name; };
      if (std::ranges::none_of(arguments, same)) arguments.push_back(fallback);
    }
    note_uses(f.nodes, &uses_);
    GraphMessage as_graph;
    as_graph.nodes = f.nodes;
    for (const std::string& name : f.inputs) as_graph.inputs.push_back({.name = name});
    for (const std::string& name : f.outputs) as_graph.outputs.push_back({.name = name});
    auto out = std::make_shared<const Graph>(
        graph(as_graph, nullptr, &arguments, f.opsets.empty() ? model_.opsets : f.opsets));
    --depth_;
    return out;
  }

  static void find_last(Graph* graph) {
    std::vector<int> last(graph->places, -1);
    for (size_t n = 0; n < graph->nodes.size(); ++n) {
      const Node& node = graph->nodes[n];
      const auto used = [&](int place) {
        if (place >= 0) last[place] = static_cast<int>(n);
      };
      std::ranges::for_each(node.inputs, used);
      std::ranges::for_each(node.outputs, used);
      for (const auto& [name, inner] : node.graphs) {
        for (const auto& [outside, here] : inner->captures) used(outside);
      }
    }
    for (int place : graph->outputs) last[place] = -1;
    for (int place = 0; place < graph->places; ++place) {
      if (last[place] >= 0) graph->nodes[last[place]].last.push_back(place);
    }
  }

  const ModelMessage& model_;
  const std::string& file_;
  Program* program_;
  Uses uses_;
  std::set<std::string> names_;
  int depth_ = 0;
};

// ---- Running ----

void run_node(Frame& frame, int index) {
  const Node& node = frame.graph.nodes[index];
  try {
    Call call(frame, node, index);
    node.op->run(call);
    call.finish();
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& e) {
    throw Error(node.label + ": " + e.what());
  }
}

void release(Frame& frame, const Node& node) {
  for (int place : node.last) frame.places[place] = Held();
}

// Which nodes' values are to be kept, and what is left to do in a run.
void complete(const Frame& frame, Folded* folded) {
  const Graph& graph = frame.graph;
  std::vector<bool> needed(graph.places);
  const auto need = [&](int place) {
    if (place >= 0) needed[place] = true;
  };
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    if (!folded->outputs[n].empty()) continue;
    std::ranges::for_each(graph.nodes[n].inputs, need);
    for (const auto& [name, inner] : graph.nodes[n].graphs) {
      for (const auto& [outside, here] : inner->captures) need(outside);
    }
  }
  std::ranges::for_each(graph.outputs, need);
  std::vector<Tensor> values;
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    const bool is_folded = !folded->outputs[n].empty();
    bool used = !is_folded;
    for (int place : graph.nodes[n].outputs) used |= place >= 0 && needed[place];
    if (!used) folded->outputs[n].clear();
    if (!used) continue;
    folded->steps.push_back({static_cast<int>(n), is_folded});
    for (const Held& held : folded->outputs[n]) {
      if (held.is_tensor()) values.push_back(held.tensor);
    }
  }
  eval(values);
  folded->complete = true;
}

}  // namespace

Operators::Operators(std::initializer_list<Operator> list) {
  for (const Operator& op : list) registry().emplace(op.name, op);
}
const Operator* find_operator(const std::string& name) {
  const auto at = registry().find(name);
  return at == registry().end() ? nullptr : &at->second;
}
std::vector<std::string> operator_names() {
  std::vector<std::string> out;
  for (const auto& [name, op] : registry()) out.push_back(name);
  return out;
}

Program compile(const ModelMessage& model, const std::string& file) {
  Program program;
  program.file = file;
  Compiler compiler(model, file, &program);
  for (const auto& [domain, version] : model.opsets) {
    if (domain.empty()) program.opset = version;
  }
  program.graph = compiler.graph(model.graph, nullptr, nullptr, model.opsets);
  for (const std::string& name : program.graph.input_names) {
    for (const ValueInfo& info : model.graph.inputs) {
      if (info.name == name) program.inputs.push_back(info);
    }
  }
  program.outputs = model.graph.outputs;
  std::ranges::sort(program.op_types);
  program.op_types.erase(std::ranges::unique(program.op_types).begin(), program.op_types.end());
  return program;
}

std::shared_ptr<Folded> Plans::find(const std::string& key) {
  std::lock_guard hold(lock_);
  for (auto at = kept_.begin(); at != kept_.end(); ++at) {
    if (at->first != key) continue;
    std::rotate(at, at + 1, kept_.end());
    return kept_.back().second;
  }
  return nullptr;
}
void Plans::keep(const std::string& key, std::shared_ptr<Folded> folded) {
  std::lock_guard hold(lock_);
  if (kept_.size() == kMost) kept_.erase(kept_.begin());
  kept_.emplace_back(key, std::move(folded));
}

std::vector<Held> execute(const Graph& graph, std::vector<Held> inputs, const Frame* outer,
                          Folded& folded, Run& run) {
  if (inputs.size() != graph.inputs.size())
    throw Error("a graph of " + std::to_string(graph.inputs.size()) + " inputs gets " +
                std::to_string(inputs.size()));
  Frame frame{graph, run, std::vector<Held>(graph.places), folded};
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (graph.inputs[i] >= 0) frame.places[graph.inputs[i]] = std::move(inputs[i]);
  }
  for (const auto& [place, held] : graph.constants) frame.places[place] = held;
  for (const Variables& v : graph.variables) {
    const ParameterInfo& info = (v.buffer ? run.program.buffers : run.program.parameters)[v.index];
    Held held((v.buffer ? run.buffers : run.parameters)[v.index]);
    held.channels_last = info.channels_last;
    frame.places[v.place] = std::move(held);
  }
  for (const auto& [outside, here] : graph.captures) frame.places[here] = outer->places[outside];

  if (folded.complete) {
    for (const auto& [index, is_folded] : folded.steps) {
      const Node& node = graph.nodes[index];
      if (is_folded) {
        for (size_t o = 0; o < node.outputs.size(); ++o) {
          if (node.outputs[o] >= 0) frame.places[node.outputs[o]] = folded.outputs[index][o];
        }
      } else {
        run_node(frame, index);
      }
      release(frame, node);
    }
  } else {
    folded.outputs.resize(graph.nodes.size());
    for (size_t n = 0; n < graph.nodes.size(); ++n) {
      const Node& node = graph.nodes[n];
      run_node(frame, static_cast<int>(n));
      std::vector<Held> made;
      for (int place : node.outputs) {
        if (place >= 0 && !frame.places[place].fixed) break;
        made.push_back(place >= 0 ? frame.places[place] : Held());
      }
      if (!node.outputs.empty() && made.size() == node.outputs.size())
        folded.outputs[n] = std::move(made);
      release(frame, node);
    }
    complete(frame, &folded);
  }
  std::vector<Held> out;
  for (int place : graph.outputs) out.push_back(frame.places[place]);
  return out;
}

}  // namespace glia::onnx
