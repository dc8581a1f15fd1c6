// Layers and functions one after another.
#pragma once

#include <concepts>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "glia/autodiff.h"
#include "glia/nn/activations.h"
#include "glia/nn/module.h"

namespace glia::nn {

// Callables one after another: modules, functions such as relu or tanh, lambdas. Wrap functions
// with further arguments in a lambda. Names are positions: "0.weight", "2.weight".
class Sequential : public Module {
  template <class... Args>
  static constexpr bool kCopies = sizeof...(Args) == 1 &&
                                  (std::derived_from<std::remove_cvref_t<Args>, Sequential> && ...);
  template <class L>
  static constexpr bool kIsLayer =
      std::is_invocable_r_v<Tensor, const std::decay_t<L>&, const Tensor&>;
  struct Step;

 public:
  // One argument of a constructor, or none.
  class Layer {
   public:
    Layer() = default;
    Layer(UnaryFunction function) : step_(step_of(function)) {}
    template <class L>
    requires(kIsLayer<L>) Layer(L&& layer) : step_(step_of(std::forward<L>(layer))) {}

   private:
    friend class Sequential;
    std::unique_ptr<Step> step_;
  };

  Sequential() = default;
  template <class... Layers>
  requires(!kCopies<Layers...> &&
           (kIsLayer<Layers> && ...)) explicit Sequential(Layers&&... layers) {
    steps_.reserve(sizeof...(layers));
    (push_back(std::forward<Layers>(layers)), ...);
  }
  // The same for up to 16 layers of which some are functions that <cmath> has too: only an argument
  // of a known type tells which tanh is meant.
  explicit Sequential(Layer a, Layer b = {}, Layer c = {}, Layer d = {}, Layer e = {}, Layer f = {},
                      Layer g = {}, Layer h = {}, Layer i = {}, Layer j = {}, Layer k = {},
                      Layer l = {}, Layer m = {}, Layer n = {}, Layer o = {}, Layer p = {});
  Sequential(const Sequential& other) : Module(other) { *this = other; }
  Sequential(Sequential&&) noexcept = default;
  Sequential& operator=(const Sequential& other);
  Sequential& operator=(Sequential&&) noexcept = default;

  template <class L = UnaryFunction>
  void push_back(L&& layer) {
    steps_.push_back(step_of(std::forward<L>(layer)));
  }
  size_t size() const { return steps_.size(); }
  // The module at a position; throws Error if there is none or it is a plain function.
  Module& operator[](size_t i) { return module_at(i); }
  const Module& operator[](size_t i) const { return module_at(i); }
  // The same as what it really is: net.get<nn::Linear>(0).weight.
  template <std::derived_from<Module> Layer>
  Layer& get(size_t i) {
    if (auto* layer = dynamic_cast<Layer*>(&module_at(i))) return *layer;
    throw Error("Sequential: layer " + std::to_string(i) + " is of another type");
  }

  Tensor operator()(const Tensor& x, Where where = Where::current()) const;
  // The steps as functions of one tensor, for checkpoint_sequential(); they refer to this object.
  std::vector<TensorFunction> functions() const;
  void visit_fields(FieldVisitor& visitor) const override;

 private:
  struct Step {
    virtual ~Step() = default;
    virtual Tensor call(const Tensor& x, const Where& where) const = 0;
    virtual std::unique_ptr<Step> copy() const = 0;
    // Takes over the other's values in place; false if that is another kind of step.
    virtual bool assign(const Step& other) = 0;
    virtual Module* module() = 0;
  };
  template <class Layer>
  struct StepOf final : Step {
    template <class L>
    explicit StepOf(L&& l) : layer(std::forward<L>(l)) {}
    Tensor call(const Tensor& x, const Where& where) const override {
      if constexpr (std::is_invocable_v<const Layer&, const Tensor&, Where>) {
        return layer(x, where);
      } else if constexpr (std::is_same_v<Layer, UnaryFunction>) {
        return layer(Operand(x, where));
      } else {
        return layer(x);
      }
    }
    std::unique_ptr<Step> copy() const override {
      if constexpr (std::is_copy_constructible_v<Layer>) {
        return std::make_unique<StepOf>(layer);
      } else {
        throw Error("Sequential: a layer cannot be copied");
      }
    }
    bool assign(const Step& other) override {
      const auto* same = dynamic_cast<const StepOf*>(&other);
      if constexpr (std::is_copy_assignable_v<Layer>) {
        if (same) layer = same->layer;
        return same != nullptr;
      }
      return false;
    }
    Module* module() override {
      if constexpr (std::derived_from<Layer, Module>) return &layer;
      return nullptr;
    }
    Layer layer;
  };

  template <class L>
  static std::unique_ptr<Step> step_of(L&& layer) {
    using Layer = std::decay_t<L>;
    static_assert(kIsLayer<L>, "a layer of a Sequential is called with one Tensor and returns one");
    return std::make_unique<StepOf<Layer>>(std::forward<L>(layer));
  }
  Module& module_at(size_t i) const;

  std::vector<std::unique_ptr<Step>> steps_;
};

}  // namespace glia::nn
