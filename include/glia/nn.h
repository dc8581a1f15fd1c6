// Layers: PyTorch's names, defaults and initial distributions; images are (N, H, W, C).
//
//   struct Net : nn::Module {
//     nn::Linear hidden{784, 128}, out{128, 10};
//     Tensor operator()(const Tensor& x) const { return out(relu(hidden(x))); }
//     GLIA_FIELDS(hidden, out)
//   };
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "glia/ops.h"
#include "glia/sparse.h"
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

// relu, tanh and their like.
using UnaryFunction = Tensor (*)(const Operand&);

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

// ---- Layers -------------------------------------------------------------------------------------
// Constructors throw ShapeError for arguments out of range, calls for inputs that do not fit.

// A height and a width; one number stands for both.
struct Size2d : std::pair<int64_t, int64_t> {
  Size2d(std::integral auto both) : pair(both, both) {}
  Size2d(int64_t height, int64_t width) : pair(height, width) {}
  Size2d(const std::pair<int64_t, int64_t>& size) : pair(size) {}
};

struct LinearOptions {
  bool bias = true;
};
// x W^T + b: (..., in) -> (..., out).
struct Linear : Module {
  Linear(int64_t in_features, int64_t out_features, const LinearOptions& options = {});
  Tensor operator()(const Tensor& x, Where where = Where::current()) const;

  Parameter weight, bias;  // (out, in); (out) or undefined
  GLIA_FIELDS(weight, bias)
};

struct ConvOptions {
  Size2d kernel;
  Size2d stride = 1, padding = 0, dilation = 1;
  int64_t groups = 1;
  bool bias = true;
};
// Cross-correlation: (N, H, W, in) -> (N, H', W', out). State dicts have PyTorch's weight,
// (out, in / groups, kH, kW).
struct Conv2d : Module {
  Conv2d(int64_t in_channels, int64_t out_channels, const ConvOptions& options);
  Tensor operator()(const Tensor& x, Where where = Where::current()) const;

  ConvOptions options;
  Parameter weight, bias;  // (out, kH, kW, in / groups); (out) or undefined
  GLIA_FIELDS(weight, bias)

 protected:
  Tensor to_state(std::string_view name, const Tensor& value) const override;
  Tensor from_state(std::string_view name, const Tensor& value) const override;
};

struct BatchNormOptions {
  double eps = 1e-5;
  // Weight of the newest batch in the running statistics; unset: all batches count the same.
  std::optional<double> momentum = 0.1;
  bool affine = true;
  bool track_running_stats = true;
};
// Normalises each channel of (..., C) over all other axes: by the batch's statistics in training
// mode, by the running ones in evaluation mode (Ioffe & Szegedy 2015).
struct BatchNorm2d : Module {
  explicit BatchNorm2d(int64_t features, const BatchNormOptions& options = {});
  Tensor operator()(const Tensor& x, Where where = Where::current()) const;

  BatchNormOptions options;
  Parameter weight, bias;            // (C), or undefined if not affine
  Buffer running_mean, running_var;  // (C); the variance is the unbiased one
  Buffer num_batches_tracked;        // i64 ()
  GLIA_FIELDS(weight, bias, running_mean, running_var, num_batches_tracked)

 private:
  void track(const BatchNormResult& batch, int64_t count) const;
  int64_t features_;
};
using BatchNorm1d = BatchNorm2d;  // (N, C) or (N, L, C)

struct LayerNormOptions {
  double eps = 1e-5;
  bool elementwise_affine = true, bias = true;
};
// Normalises over the last axes, which have this shape (Ba et al. 2016).
struct LayerNorm : Module {
  explicit LayerNorm(const Shape& normalized_shape, const LayerNormOptions& options = {});
  explicit LayerNorm(int64_t features, const LayerNormOptions& options = {})
      : LayerNorm(Shape{features}, options) {}
  Tensor operator()(const Tensor& x, Where where = Where::current()) const;

  Shape normalized_shape;
  double eps;
  Parameter weight, bias;  // of that shape, or undefined
  GLIA_FIELDS(weight, bias)
};

// In training mode zeroes each value with probability p and scales the rest by 1 / (1 - p).
struct Dropout : Module {
  explicit Dropout(double p = 0.5);
  Tensor operator()(const Tensor& x, Where where = Where::current()) const;
  double p;
};

// padding_idx: its row starts as zeros and gets no gradient. sparse: see glia/sparse.h.
using EmbeddingOptions = LookupOptions;
// Rows of the weight: indices (...), i32 or i64 -> (..., features).
struct Embedding : Module {
  Embedding(int64_t count, int64_t features, const EmbeddingOptions& options = {});
  Tensor operator()(const Tensor& indices, Where where = Where::current()) const {
    return embedding(indices, weight, options, where);
  }

  EmbeddingOptions options;
  Parameter weight;  // (count, features)
  GLIA_FIELDS(weight)
};

using EmbeddingBagOptions = BagOptions;
// The mean, sum or largest value of the rows of each bag: see embedding_bag.
struct EmbeddingBag : Module {
  EmbeddingBag(int64_t count, int64_t features, const EmbeddingBagOptions& options = {});
  Tensor operator()(const Tensor& indices, Where where = Where::current()) const {
    return embedding_bag(indices, weight, {}, {}, options, where);
  }
  Tensor operator()(const Tensor& indices, const Tensor& offsets,
                    const Tensor& per_sample_weights = {}, Where where = Where::current()) const {
    return embedding_bag(indices, weight, offsets, per_sample_weights, options, where);
  }

  EmbeddingBagOptions options;
  Parameter weight;  // (count, features)
  GLIA_FIELDS(weight)
};

struct RecurrentOptions {
  int64_t num_layers = 1;
  bool bias = true, batch_first = false;
  double dropout = 0;  // on the states of every layer but the last, in training mode
  bool bidirectional = false;
};
// What LSTM, GRU and RNN share: layers, directions and their weights, which state dicts name as
// PyTorch does: weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, weight_ih_l0_reverse, ...
//
// x (T, N, in), or (N, T, in) if batch_first, or (T, in) without a batch -> out, the same with D H
// features; states (L D, N, H) or (L D, H), zero where undefined. D is 2 if bidirectional, else 1.
class Recurrent : public Module {
 public:
  // One layer in one direction.
  struct Weights {
    Parameter weight_ih, weight_hh;  // (G H, in), (G H, H)
    Parameter bias_ih, bias_hh;      // (G H), or undefined
  };

  void visit_fields(FieldVisitor& visitor) const override;

  int64_t input_size, hidden_size;
  RecurrentOptions options;
  std::vector<Weights> weights;  // layer after layer, of each both directions

 protected:
  Recurrent(const char* name, int64_t gates, int64_t input_size, int64_t hidden_size,
            const RecurrentOptions& options);
  // Runs one layer in one direction.
  using Step = std::function<LSTMResult(const Tensor& x, const Weights& weights, const Tensor& h0,
                                        const Tensor& c0)>;
  LSTMResult run(const Tensor& x, const Tensor& h0, const Tensor& c0, const Where& where,
                 const Step& step) const;

 private:
  const char* name_;
};

struct LSTM : Recurrent {
  LSTM(int64_t input_size, int64_t hidden_size, const RecurrentOptions& options = {})
      : Recurrent("LSTM", 4, input_size, hidden_size, options) {}
  LSTMResult operator()(const Tensor& x, const Tensor& h0 = {}, const Tensor& c0 = {},
                        Where where = Where::current()) const;
};
struct GRU : Recurrent {
  GRU(int64_t input_size, int64_t hidden_size, const RecurrentOptions& options = {})
      : Recurrent("GRU", 3, input_size, hidden_size, options) {}
  RNNResult operator()(const Tensor& x, const Tensor& h0 = {},
                       Where where = Where::current()) const;
};
struct RNN : Recurrent {
  RNN(int64_t input_size, int64_t hidden_size, const RecurrentOptions& options = {},
      RNNNonlinearity nonlinearity = RNNNonlinearity::kTanh)
      : Recurrent("RNN", 1, input_size, hidden_size, options), nonlinearity(nonlinearity) {}
  RNNResult operator()(const Tensor& x, const Tensor& h0 = {},
                       Where where = Where::current()) const;
  RNNNonlinearity nonlinearity;
};

struct Pool2dOptions {
  Size2d stride = 0;  // 0: the window
  Size2d padding = 0;
};
// The largest value of each window: (N, H, W, C) -> (N, H', W', C).
struct MaxPool2d : Module {
  explicit MaxPool2d(Size2d window, const Pool2dOptions& options = {});
  Tensor operator()(const Tensor& x, Where where = Where::current()) const;
  Size2d window;
  PoolOptions options;
};
// The mean of each window, padding counted as zeros.
struct AvgPool2d : Module {
  explicit AvgPool2d(Size2d window, const Pool2dOptions& options = {});
  Tensor operator()(const Tensor& x, Where where = Where::current()) const;
  Size2d window;
  PoolOptions options;
};
// Means over as many windows as the output has: (N, H, W, C) -> (N, *size, C). Row i averages input
// rows floor(i H / h) to ceil((i + 1) H / h); AdaptiveAvgPool2d(1) is global pooling.
struct AdaptiveAvgPool2d : Module {
  explicit AdaptiveAvgPool2d(Size2d output_size);
  Tensor operator()(const Tensor& x, Where where = Where::current()) const;
  Size2d output_size;
};

// (N, ...) -> (N, rest). Images flatten in the order (h, w, c), PyTorch's in (c, h, w).
struct Flatten : Module {
  explicit Flatten(int start_dim = 1, int end_dim = -1) : start_dim(start_dim), end_dim(end_dim) {}
  Tensor operator()(const Tensor& x, Where where = Where::current()) const {
    return flatten(x, start_dim, end_dim, where);
  }
  int start_dim, end_dim;
};
struct Identity : Module {
  Tensor operator()(const Tensor& x) const { return x; }
};

// ---- Activations ----------------------------------------------------------------------------

// A function of one tensor as a module.
template <UnaryFunction function>
struct Activation : Module {
  Tensor operator()(const Tensor& x, Where where = Where::current()) const {
    return function({x, where});
  }
};
struct ReLU : Activation<relu> {};
struct GELU : Activation<gelu> {};
struct SiLU : Activation<silu> {};
struct Tanh : Activation<tanh> {};
struct Sigmoid : Activation<sigmoid> {};
struct LogSigmoid : Activation<log_sigmoid> {};
struct Softplus : Activation<softplus> {};
struct LeakyReLU : Module {
  explicit LeakyReLU(double negative_slope = 0.01) : negative_slope(negative_slope) {}
  Tensor operator()(const Tensor& x, Where where = Where::current()) const {
    return leaky_relu({x, where}, negative_slope);
  }
  double negative_slope;
};
struct ELU : Module {
  explicit ELU(double alpha = 1) : alpha(alpha) {}
  Tensor operator()(const Tensor& x, Where where = Where::current()) const {
    return elu({x, where}, alpha);
  }
  double alpha;
};
struct Softmax : Module {
  explicit Softmax(int dim = -1) : dim(dim) {}
  Tensor operator()(const Tensor& x, Where where = Where::current()) const {
    return softmax(x, dim, where);
  }
  int dim;
};
struct LogSoftmax : Module {
  explicit LogSoftmax(int dim = -1) : dim(dim) {}
  Tensor operator()(const Tensor& x, Where where = Where::current()) const {
    return log_softmax(x, dim, where);
  }
  int dim;
};

// ---- Losses -----------------------------------------------------------------------------------
// Called with what a model gave and the target; the functions of glia/ops.h with fixed options.

struct CrossEntropyLoss : Module {
  explicit CrossEntropyLoss(const CrossEntropyOptions& options = {}) : options(options) {}
  Tensor operator()(const Tensor& logits, const Tensor& target,
                    Where where = Where::current()) const {
    return cross_entropy(logits, target, options, where);
  }
  CrossEntropyOptions options;
};

struct LossOptions {
  Reduction reduction = Reduction::kMean;
};
struct NLLLoss : Module {
  explicit NLLLoss(const NLLLossOptions& options = {}) : options(options) {}
  Tensor operator()(const Tensor& log_probabilities, const Tensor& target,
                    Where where = Where::current()) const {
    return nll_loss(log_probabilities, target, options, where);
  }
  NLLLossOptions options;
};
struct MSELoss : Module {
  explicit MSELoss(const LossOptions& options = {}) : options(options) {}
  Tensor operator()(const Tensor& x, const Tensor& target, Where where = Where::current()) const {
    return mse_loss(x, target, options.reduction, where);
  }
  LossOptions options;
};
struct L1Loss : Module {
  explicit L1Loss(const LossOptions& options = {}) : options(options) {}
  Tensor operator()(const Tensor& x, const Tensor& target, Where where = Where::current()) const {
    return l1_loss(x, target, options.reduction, where);
  }
  LossOptions options;
};
struct SmoothL1Options {
  double beta = 1;
  Reduction reduction = Reduction::kMean;
};
struct SmoothL1Loss : Module {
  explicit SmoothL1Loss(const SmoothL1Options& options = {}) : options(options) {}
  Tensor operator()(const Tensor& x, const Tensor& target, Where where = Where::current()) const {
    return smooth_l1_loss(x, target, options.beta, options.reduction, where);
  }
  SmoothL1Options options;
};
struct BCEWithLogitsLoss : Module {
  explicit BCEWithLogitsLoss(const BinaryCrossEntropyOptions& options = {}) : options(options) {}
  Tensor operator()(const Tensor& x, const Tensor& target, Where where = Where::current()) const {
    return binary_cross_entropy_with_logits(x, target, options, where);
  }
  BinaryCrossEntropyOptions options;
};

// ---- Initialisers -----------------------------------------------------------------------------
// Each sets a variable's value from this thread's random stream. Those that need a fan-in or
// fan-out take weights as Glia stores them, (out, ..., in), and throw ShapeError below rank 2.

namespace init {

void uniform_(const Variable& v, double low = 0, double high = 1);
void normal_(const Variable& v, double mean = 0, double std = 1);
void constant_(const Variable& v, double value);
void zeros_(const Variable& v);
void ones_(const Variable& v);
// Normal, drawn again wherever outside [low, high].
void trunc_normal_(const Variable& v, double mean = 0, double std = 1, double low = -2,
                   double high = 2);

// Glorot & Bengio 2010.
void xavier_uniform_(const Variable& v, double gain = 1);
void xavier_normal_(const Variable& v, double gain = 1);

enum class Fan { kIn, kOut };
enum class Nonlinearity { kLinear, kSigmoid, kTanh, kReLU, kLeakyReLU, kSELU };
// What keeps the variance through a nonlinearity; the slope is the leaky ReLU's.
double calculate_gain(Nonlinearity nonlinearity, double negative_slope = 0.01);
struct KaimingOptions {
  double a = 0;  // slope of the leaky ReLU that follows
  Fan mode = Fan::kIn;
  Nonlinearity nonlinearity = Nonlinearity::kLeakyReLU;
};
// He et al. 2015.
void kaiming_uniform_(const Variable& v, const KaimingOptions& options = {});
void kaiming_normal_(const Variable& v, const KaimingOptions& options = {});

// Orthonormal rows, or columns if there are fewer, times gain (Saxe et al. 2013).
void orthogonal_(const Variable& v, double gain = 1);

}  // namespace init
}  // namespace glia::nn
