// The base of all layers and models, and how it knows its parameters.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "glia/tensor.h"

namespace glia::nn {

class Module;

// What a module shows its fields to; see GLIA_FIELDS.
class FieldVisitor {
 public:
  virtual void parameter(std::string_view name, const Parameter& field) = 0;
  virtual void buffer(std::string_view name, const Buffer& field) = 0;
  virtual void module(std::string_view name, const Module& field) = 0;
  // Around the elements of a container.
  virtual void enter(std::string_view name) = 0;
  virtual void leave() = 0;

 protected:
  ~FieldVisitor() = default;
};

// A parameter or buffer under its name. Copies are handles on the same place.
struct NamedVariable {
  std::string name;
  Variable variable;

  NamedVariable(std::string its_name, const Variable& place)
      : name(std::move(its_name)), variable(place.alias()) {}
  NamedVariable(const NamedVariable& other) : NamedVariable(other.name, other.variable) {}
  NamedVariable(NamedVariable&&) noexcept = default;
  NamedVariable& operator=(const NamedVariable& other) { return *this = NamedVariable(other); }
  NamedVariable& operator=(NamedVariable&&) noexcept = default;
};

// The base of every layer and model: a value whose parameters, buffers and layers are the members
// that GLIA_FIELDS lists. Copies are independent, moves keep what an optimizer knows, assigning a
// copy sets the values. Fields that share a place (see Parameter::alias) share one in a copy too,
// but what stands behind a shared_ptr is shared with the copy. Orders and names are PyTorch's: a
// module's own parameters, its buffers, then what its layers have, as in "block1.conv.weight".
class Module {
 public:
  virtual ~Module() = default;

  // The trainable parameters, each place once: what gradients() and optimizers take.
  ParameterList parameters() const;
  // Frozen ones too, as PyTorch's parameters(): for optimizers of what is thawed later.
  ParameterList all_parameters() const;
  // Frozen ones too.
  std::vector<NamedVariable> named_parameters() const;
  std::vector<NamedVariable> named_buffers() const;
  // How many numbers the parameters have, frozen ones too.
  int64_t parameter_count() const;

  // The values of all parameters and buffers, in PyTorch's layouts.
  StateDict state_dict() const;
  struct LoadResult {
    std::vector<std::string> missing, unexpected;
  };
  // Sets the values, converted to each variable's dtype. Throws Error naming the keys that are
  // wrong in shape or, if strict, missing or unexpected; then nothing has changed.
  LoadResult load_state_dict(const StateDict& values, bool strict = true);

  // Training or evaluation mode, here and in all layers below. Modules start in training mode.
  void train(bool on = true);
  void eval() { train(false); }
  bool is_training() const { return training_; }

  // Frozen parameters get no gradient.
  void freeze() { set_trainable(false); }
  void unfreeze() { set_trainable(true); }

  // Converts the parameters and buffers that are floats to another float dtype. Make optimizers
  // afterwards: what they keep for a parameter has its dtype.
  void to(DType dtype);

  // Calls f for each module below, children first, and for this one last.
  void apply(const std::function<void(Module&)>& f);

  // A table of the layers that have parameters or buffers, and of their numbers.
  std::string summary() const;

  // Defined by GLIA_FIELDS, or by hand for fields that are known only at run time.
  virtual void visit_fields(FieldVisitor&) const {}

 protected:
  Module() = default;
  Module(const Module& other);
  Module(Module&&) noexcept = default;
  Module& operator=(const Module&) = default;
  Module& operator=(Module&&) noexcept = default;

  // The value of this module's field `name` as a state dict has it, and back: where PyTorch's
  // layout is another one.
  virtual Tensor to_state(std::string_view name, const Tensor& value) const;
  virtual Tensor from_state(std::string_view name, const Tensor& value) const;

 private:
  friend class FieldWalk;
  void set_trainable(bool on);

  bool training_ = true;
};

// Shows one field to the visitor; empty pointers and optionals have nothing to show.
template <class T>
void visit_field(FieldVisitor& visitor, std::string_view name, const T& field) {
  if constexpr (std::derived_from<T, Module>) {
    visitor.module(name, field);
  } else if constexpr (std::is_same_v<T, Parameter>) {
    visitor.parameter(name, field);
  } else if constexpr (std::is_same_v<T, Buffer>) {
    visitor.buffer(name, field);
  } else if constexpr (requires { field.begin(), field.end(); }) {
    visitor.enter(name);
    size_t index = 0;
    for (const auto& element : field) {
      if constexpr (requires { std::string_view(element.first), element.second; }) {
        visit_field(visitor, element.first, element.second);
      } else {
        visit_field(visitor, std::to_string(index++), element);
      }
    }
    visitor.leave();
  } else if constexpr (requires { field ? *field : *field; } && !std::is_pointer_v<T>) {
    if (field) visit_field(visitor, name, *field);
  } else {
    static_assert(sizeof(T) == 0,
                  "GLIA_FIELDS lists a member that is no Parameter, Buffer or module, and no "
                  "vector, optional, map or smart pointer of them");
  }
}

// `names` as the preprocessor gives them: "conv1, conv2, fc".
template <class... Fields>
void visit_each_field(FieldVisitor& visitor, std::string_view names, const Fields&... fields) {
  const auto next = [&names] {
    size_t end = 0;
    while (end < names.size() && names[end] != ',' && names[end] != ' ') ++end;
    const std::string_view name = names.substr(0, end);
    while (end < names.size() && (names[end] == ',' || names[end] == ' ')) ++end;
    names.remove_prefix(end);
    return name;
  };
  (visit_field(visitor, next(), fields), ...);
}

// Lists a module's members: parameters, buffers, modules, and vectors, arrays, optionals, maps from
// strings and smart pointers of them, nested as you like. They are visited when asked for, so
// nothing has to be registered. Members of a base class are listed again where they shall count.
// scripts/check_fields finds members that were forgotten.
#define GLIA_FIELDS(...)                                                \
  void visit_fields(::glia::nn::FieldVisitor& visitor) const override { \
    ::glia::nn::visit_each_field(visitor, #__VA_ARGS__, __VA_ARGS__);   \
  }

}  // namespace glia::nn
