// What every module can do: walk its fields, save and load them, print them.
#include <cxxabi.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <tuple>
#include <typeinfo>
#include <unordered_map>
#include <unordered_set>

#include "core/variable.h"
#include "glia/nn.h"

namespace glia::nn {

// Walks a module and all below it: its own parameters, its own buffers, then its layers and
// containers in order, as PyTorch does.
class FieldWalk final : FieldVisitor {
 public:
  struct Found {
    const Module& owner;
    std::string_view path;  // "block1.conv.weight"
    std::string_view name;  // "weight"
    const Variable& variable;
    bool is_buffer;
  };
  using OnVariable = std::function<void(const Found&)>;
  // Called before the module's fields are, or after; the path of the outermost is empty.
  using OnModule = std::function<void(const Module&, std::string_view path)>;

  static void variables(const Module& root, OnVariable f) {
    FieldWalk walk;
    walk.on_variable_ = std::move(f);
    walk.visit(root);
  }
  static void modules(const Module& root, OnModule before, OnModule after = {}) {
    FieldWalk walk;
    walk.before_ = std::move(before);
    walk.after_ = std::move(after);
    walk.visit(root);
  }
  // The fields of this module alone.
  static void own_variables(const Module& module, OnVariable f) {
    FieldWalk walk;
    walk.on_variable_ = std::move(f);
    walk.deep_ = false;
    walk.visit(module);
  }

 private:
  enum class Pass { kParameters, kBuffers, kRest };

  void visit(const Module& module) {
    const auto outer = std::tuple(owner_, pass_, containers_);
    owner_ = &module;
    containers_ = 0;
    if (before_) before_(module, path());
    for (Pass pass : {Pass::kParameters, Pass::kBuffers, Pass::kRest}) {
      pass_ = pass;
      module.visit_fields(*this);
    }
    if (after_) after_(module, path());
    std::tie(owner_, pass_, containers_) = outer;
  }

  void parameter(std::string_view name, const Parameter& field) override {
    variable(name, field, Pass::kParameters);
  }
  void buffer(std::string_view name, const Buffer& field) override {
    variable(name, field, Pass::kBuffers);
  }
  void variable(std::string_view name, const Variable& field, Pass its) {
    if (!on_variable_ || !field.defined() || pass_ != (containers_ ? Pass::kRest : its)) return;
    push(name);
    on_variable_({*owner_, path(), name, field, its == Pass::kBuffers});
    pop();
  }
  void module(std::string_view name, const Module& field) override {
    if (pass_ != Pass::kRest || !deep_) return;
    push(name);
    visit(field);
    pop();
  }
  void enter(std::string_view name) override {
    push(name);
    ++containers_;
  }
  void leave() override {
    --containers_;
    pop();
  }

  std::string_view path() const { return std::string_view(path_).substr(path_.empty() ? 0 : 1); }
  void push(std::string_view name) {
    lengths_.push_back(path_.size());
    path_ += '.';
    path_ += name;
  }
  void pop() {
    path_.resize(lengths_.back());
    lengths_.pop_back();
  }

  OnVariable on_variable_;
  OnModule before_, after_;
  bool deep_ = true;
  const Module* owner_ = nullptr;
  Pass pass_ = Pass::kRest;
  int containers_ = 0;  // around the field, within its module
  std::string path_;    // ".block1.conv"
  std::vector<size_t> lengths_;
};

namespace {

using Found = FieldWalk::Found;

// Calls f for each parameter, once where several names lead to one place.
template <class F>
void each_parameter(const Module& module, F&& f) {
  std::unordered_set<const Variable::Cell*> seen;
  FieldWalk::variables(module, [&](const Found& found) {
    if (!found.is_buffer && seen.insert(found.variable.cell()).second) f(found);
  });
}

// "Conv2d": the class without its namespaces.
std::string type_name(const Module& module) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> full(
      abi::__cxa_demangle(typeid(module).name(), nullptr, nullptr, &status), std::free);
  const std::string_view text = status == 0 ? full.get() : typeid(module).name();
  const size_t end = std::min(text.find('<'), text.size());
  const size_t colon = text.rfind(':', end);
  return std::string(text.substr(colon == text.npos ? 0 : colon + 1));
}

std::string grouped(int64_t n) {
  std::string digits = std::to_string(n);
  for (int at = static_cast<int>(digits.size()) - 3; at > 0; at -= 3) digits.insert(at, 1, ',');
  return digits;
}

}  // namespace

Module::Module(const Module& other) : training_(other.training_) {
  std::vector<const Variable*> fields;
  FieldWalk::variables(other, [&](const Found& found) { fields.push_back(&found.variable); });
  keep_ties(fields);
}

ParameterList Module::parameters() const {
  ParameterList out;
  each_parameter(*this, [&](const Found& found) {
    if (found.variable.trainable()) out.push_back(found.variable);
  });
  return out;
}

ParameterList Module::all_parameters() const {
  ParameterList out;
  each_parameter(*this, [&](const Found& found) { out.push_back(found.variable); });
  return out;
}

std::vector<NamedVariable> Module::named_parameters() const {
  std::vector<NamedVariable> out;
  each_parameter(*this, [&](const Found& found) {
    out.emplace_back(std::string(found.path), found.variable);
  });
  return out;
}

std::vector<NamedVariable> Module::named_buffers() const {
  std::vector<NamedVariable> out;
  FieldWalk::variables(*this, [&](const Found& found) {
    if (found.is_buffer) out.emplace_back(std::string(found.path), found.variable);
  });
  return out;
}

int64_t Module::parameter_count() const {
  int64_t count = 0;
  each_parameter(*this, [&](const Found& found) { count += found.variable.shape().numel(); });
  return count;
}

Tensor Module::to_state(std::string_view, const Tensor& value) const { return value; }
Tensor Module::from_state(std::string_view, const Tensor& value) const { return value; }

StateDict Module::state_dict() const {
  StateDict out;
  FieldWalk::variables(*this, [&](const Found& found) {
    const Tensor value = stop_gradient(found.variable.tensor());
    out.emplace_back(found.path, found.owner.to_state(found.name, value));
  });
  return out;
}

Module::LoadResult Module::load_state_dict(const StateDict& values, bool strict) {
  std::unordered_map<std::string_view, const Tensor*> given;
  for (const auto& [name, value] : values) {
    if (!value.defined()) throw Error("load_state_dict: " + name + " has no value");
    if (!given.emplace(name, &value).second)
      throw Error("load_state_dict: " + name + " is given twice");
  }

  LoadResult result;
  std::vector<std::string> faults;
  std::vector<std::pair<Variable, Tensor>> changes;
  std::unordered_set<std::string> known;
  FieldWalk::variables(*this, [&](const Found& found) {
    const std::string& key = *known.emplace(found.path).first;
    const auto at = given.find(key);
    if (at == given.end()) return result.missing.push_back(key);
    const Variable& variable = found.variable;
    const Shape expected = found.owner.to_state(found.name, variable.tensor()).shape();
    const Tensor& value = *at->second;
    if (value.shape() != expected) {
      faults.push_back(fmt::format("{} is {}, not {}", key, value.shape().str(), expected.str()));
      return;
    }
    changes.emplace_back(variable.alias(),
                         found.owner.from_state(found.name, cast(value, variable.dtype())));
  });
  for (const auto& [name, value] : values) {
    if (!known.contains(name)) result.unexpected.push_back(name);
  }
  if (strict && !result.missing.empty())
    faults.push_back(fmt::format("missing: {}", fmt::join(result.missing, ", ")));
  if (strict && !result.unexpected.empty())
    faults.push_back(fmt::format("unexpected: {}", fmt::join(result.unexpected, ", ")));
  if (!faults.empty())
    throw Error(fmt::format("load_state_dict: {}: {}", type_name(*this), fmt::join(faults, "; ")));

  for (const auto& [variable, value] : changes) variable.set(value);
  return result;
}

void Module::train(bool on) {
  apply([on](Module& module) { module.training_ = on; });
}

void Module::set_trainable(bool on) {
  each_parameter(*this, [on](const Found& found) { found.variable.alias().set_trainable(on); });
}

void Module::to(DType dtype) {
  if (!is_float(dtype)) throw Error(fmt::format("Module::to: {} is not a float", name(dtype)));
  FieldWalk::variables(*this, [dtype](const Found& found) {
    const Variable& v = found.variable;
    if (is_float(v.dtype()) && v.dtype() != dtype)
      v.replace(cast(stop_gradient(v.tensor()), dtype));
  });
}

void Module::apply(const std::function<void(Module&)>& f) {
  // The walk is const for the sake of const models; this one is not, so neither are its layers.
  FieldWalk::modules(
      *this, {}, [&f](const Module& module, std::string_view) { f(const_cast<Module&>(module)); });
}

std::string Module::summary() const {
  using Row = std::array<std::string, 4>;
  std::vector<Row> rows{{"layer", "type", "parameters", "count"}};
  int64_t buffers = 0;
  FieldWalk::modules(*this, [&](const Module& module, std::string_view path) {
    std::vector<std::string> shapes;
    int64_t count = 0, fields = 0;
    FieldWalk::own_variables(module, [&](const Found& found) {
      ++fields;
      if (found.is_buffer) {
        ++buffers;
        return;
      }
      const Shape& shape = found.variable.shape();
      shapes.push_back(fmt::format("{} {}{}", found.path, shape.str(),
                                   found.variable.trainable() ? "" : " frozen"));
      count += shape.numel();
    });
    if (fields == 0) return;
    rows.push_back({path.empty() ? "(self)" : std::string(path), type_name(module),
                    fmt::format("{}", fmt::join(shapes, ", ")), grouped(count)});
  });
  std::array<size_t, 4> widths{};
  for (const Row& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }

  std::string out;
  for (const Row& row : rows)
    out += fmt::format("{:<{}}  {:<{}}  {:<{}}  {:>{}}\n", row[0], widths[0], row[1], widths[1],
                       row[2], widths[2], row[3], widths[3]);
  int64_t trainable = 0;
  for (const Variable& v : parameters()) trainable += v.shape().numel();
  out += fmt::format("{}: {} parameters, {} trainable, {} buffers\n", type_name(*this),
                     grouped(parameter_count()), grouped(trainable), buffers);
  return out;
}

}  // namespace glia::nn
