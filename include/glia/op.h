// What an operation is, for those who add one with a kernel of its own: in the library, in a
// package or in a program that uses Glia (docs/adding-an-op.md). Not part of glia.h.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <initializer_list>
#include <source_location>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "glia/parallel.h"
#include "glia/tensor.h"

namespace glia {

struct Op;
class Epilogue;          // private: src/core/op.h
class MemoryRef;         // private: src/core/node.h
struct Formula;          // private: src/core/formula.h
struct CompiledFormula;  // private: src/core/formula.h

enum class Kind : uint8_t {
  kLeaf,         // computed from the start
  kScalar,       // a host number, passed when a plan runs, or a constant
  kElementwise,  // fusible; inputs broadcast to the output
  kReduce,       // fusible; attributes: ReduceAttributes
  kView,         // other strides over the same bytes
  kKernel,       // computed by its own function
  kOutput,       // one result of a kernel with several; attributes: OutputAttributes
  kMacro,        // defined by other operations, which a plan puts in its place or has a kernel for
};

// ---- Attributes -------------------------------------------------------------------------------
// What an operation must know besides its inputs: a plain struct of bools, integers, enums, doubles
// and Shapes that lists its members,
//
//   struct LeakyAttributes {
//     double slope = 0.01;
//     GLIA_ATTRIBUTES(slope)
//   };
//
// They are part of a plan's key: a number that changes from step to step is an input made by
// host_scalar() instead. Several Shapes in one struct have the same rank.

enum class AttributeType : uint8_t { kBool, kInteger, kReal, kShape };
struct AttributeField {
  std::string_view name;
  AttributeType type;
};

#define GLIA_ATTRIBUTES(...)                                   \
  static constexpr const char* kAttributeNames = #__VA_ARGS__; \
  template <class F>                                           \
  decltype(auto) with_attributes(F&& f) {                      \
    return f(__VA_ARGS__);                                     \
  }                                                            \
  template <class F>                                           \
  decltype(auto) with_attributes(F&& f) const {                \
    return f(__VA_ARGS__);                                     \
  }

template <class A>
concept Attributes = requires {
  A::kAttributeNames;
};

namespace detail {

template <class T>
constexpr AttributeType attribute_type() {
  if constexpr (std::is_same_v<T, bool>) {
    return AttributeType::kBool;
  } else if constexpr (std::is_integral_v<T> || std::is_enum_v<T>) {
    return AttributeType::kInteger;
  } else if constexpr (std::is_floating_point_v<T>) {
    return AttributeType::kReal;
  } else {
    static_assert(
        std::is_same_v<T, Shape>,
        "an attribute is a bool, an integer, an enum, a floating-point number or a Shape");
    return AttributeType::kShape;
  }
}

template <class... T>
struct AttributeTypes {
  static constexpr size_t kCount = sizeof...(T);
  static constexpr size_t kShapes = (size_t{0} + ... + std::is_same_v<T, Shape>);
  static constexpr size_t kScalars = kCount - kShapes, kMostWords = kScalars + kShapes * kMaxRank;
  static constexpr std::array<AttributeType, kCount> kTypes{attribute_type<T>()...};
};
struct ListTypes {
  template <class... T>
  AttributeTypes<std::remove_cvref_t<T>...> operator()(T&&...) const {
    return {};
  }
};
template <class A>
using AttributesOf = decltype(std::declval<const A&>().with_attributes(ListTypes()));

// "axis, eps" by their commas.
template <size_t N>
constexpr std::array<AttributeField, N> attribute_fields(
    std::string_view names, const std::array<AttributeType, N>& types) {
  std::array<AttributeField, N> fields{};
  for (size_t i = 0; i < N; ++i) {
    while (names.front() == ' ') names.remove_prefix(1);
    const size_t end = std::min(names.find(','), names.size());
    fields[i] = {names.substr(0, end), types[i]};
    names.remove_prefix(std::min(end + 1, names.size()));
  }
  return fields;
}

[[noreturn]] void fail_for_attributes(std::span<const AttributeField> asked, size_t words);
void require_declared(const Op& op, std::span<const AttributeField> given);

}  // namespace detail

// Names and types of the members of an attribute struct, for Op::attributes.
template <Attributes A>
inline constexpr std::array<AttributeField, detail::AttributesOf<A>::kCount> kAttributeFields =
    detail::attribute_fields(A::kAttributeNames, detail::AttributesOf<A>::kTypes);

// Attributes as a node, a plan and its key hold them: a word for each number, in order, then the
// sizes of the shapes.
class AttributeWords {
 public:
  AttributeWords() = default;
  explicit AttributeWords(std::span<const int64_t> words) : words_(words) {}
  std::span<const int64_t> span() const { return words_; }

  // The struct that was recorded. Throws Error if it was of another type, as far as that shows.
  template <Attributes A>
  A as() const {
    using Types = detail::AttributesOf<A>;
    const size_t sizes = words_.size() - Types::kScalars;  // wraps around if there are too few
    if (Types::kShapes == 0 ? sizes != 0
                            : words_.size() > Types::kMostWords || sizes > Types::kMostWords ||
                                  sizes % std::max<size_t>(Types::kShapes, 1) != 0) [[unlikely]]
      detail::fail_for_attributes(kAttributeFields<A>, words_.size());
    const size_t rank = Types::kShapes == 0 ? 0 : sizes / std::max<size_t>(Types::kShapes, 1);
    const int64_t* number = words_.data();
    const int64_t* size = number + Types::kScalars;
    const auto take = [&]<class T>(T& field) {
      if constexpr (std::is_same_v<T, Shape>) {
        field = Shape(std::span(size, rank));
        size += rank;
      } else if constexpr (std::is_floating_point_v<T>) {
        field = static_cast<T>(std::bit_cast<double>(*number++));
      } else {
        field = static_cast<T>(*number++);
      }
    };
    A attributes{};
    attributes.with_attributes([&](auto&... fields) { (take(fields), ...); });
    return attributes;
  }

  // "axis=1, eps=1e-05", by the names that the op declares.
  std::string str(const Op& op) const;

 private:
  std::span<const int64_t> words_;
};

namespace detail {

// The words of a struct.
template <Attributes A>
class WordsOf {
 public:
  explicit WordsOf(const A& attributes) {
    const auto put = [this]<class T>(const T& field) {
      if constexpr (std::is_floating_point_v<T>)
        words_[count_++] = std::bit_cast<int64_t>(static_cast<double>(field));
      else if constexpr (!std::is_same_v<T, Shape>)
        words_[count_++] = static_cast<int64_t>(field);
    };
    const auto put_sizes = [this]<class T>(const T& field) {
      if constexpr (std::is_same_v<T, Shape>) {
        for (int64_t size : field) words_[count_++] = size;
      }
    };
    attributes.with_attributes([&](const auto&... fields) {
      (put(fields), ...);
      (put_sizes(fields), ...);
    });
  }
  AttributeWords words() const { return AttributeWords({words_.data(), count_}); }

 private:
  std::array<int64_t, AttributesOf<A>::kMostWords> words_;
  size_t count_ = 0;
};

}  // namespace detail

// Of a kReduce: a bit for each axis that is reduced, which stays with size 1.
struct ReduceAttributes {
  int64_t axes = 0;
  GLIA_ATTRIBUTES(axes)
};
// Of a kOutput.
struct OutputAttributes {
  int64_t which = 0;
  GLIA_ATTRIBUTES(which)
};
// Of operations along one axis.
struct AxisAttributes {
  int64_t axis = 0;
  GLIA_ATTRIBUTES(axis)
};

// ---- What the rules of an operation see -------------------------------------------------------

// An operation as it was recorded.
class Recorded {
 public:
  const Op& op() const;
  const Shape& shape() const;  // of its value
  DType dtype() const;
  const Where& where() const;  // the line of the user's program
  int inputs() const;
  Tensor in(int i) const;  // undefined if a macro op was recorded without it
  const Shape& in_shape(int i) const;
  AttributeWords words() const;
  template <Attributes A>
  A attributes() const {
    return words().as<A>();
  }

  // Private to the library: the node behind it.
  Recorded(const Node& node) : node_(&node) {}
  const Node& node() const { return *node_; }

 protected:
  int place_of(int i) const;  // among those that were given; -1

 private:
  const Node* node_;
};

// What a gradient rule sees and fills in.
class Vjp : public Recorded {
 public:
  Tensor out() const;
  // One result of several, if a gradient reached it or one that keeps it: see output().
  const Tensor& out(int i) const { return outs_[i]; }
  // The gradient of the output; of output i where there are several (undefined: none reached it).
  const Tensor& g(int i = 0) const { return grads_[i]; }
  bool needs(int i) const;
  // The gradient of input i, of a shape that the input broadcasts to.
  void set(int i, Tensor grad);
  // Of a macro op: sets the gradients of the operations that it stands for.
  void set_composed();

  // Private to the library: what a rule is called with.
  Vjp(const Node& node, std::span<const Tensor> grads, std::span<const bool> needs,
      std::span<Tensor> results, std::span<const Tensor> outs = {})
      : Recorded(node), grads_(grads), needs_(needs), results_(results), outs_(outs) {}

 private:
  std::span<const Tensor> grads_;
  std::span<const bool> needs_;
  std::span<Tensor> results_;
  std::span<const Tensor> outs_;
};

// How the elements of an array lie in memory; strides and offset in elements.
struct Layout {
  Shape shape;
  int64_t strides[kMaxRank];
  int64_t offset = 0;
  static Layout contiguous(const Shape& shape);
  bool is_contiguous() const;
};

// An array handed to a kernel. An input that a macro op was recorded without is empty and null.
struct Array {
  void* data = nullptr;  // of the first element, any offset applied
  Layout layout;
  DType dtype = kF32;
  int64_t numel() const { return layout.shape.numel(); }
  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }
};

struct KernelCall {
  std::span<const Array> in;
  std::span<const Array> out;
  AttributeWords words;
  const CompiledFormula* formula = nullptr;  // of an op that carries one
  Epilogue* epilogue = nullptr;              // for kernels that hand their output on
  // For what a kernel makes of input Op::keeps alone, such as weights in its own order: what an
  // earlier run of this step put there of the same value, or nothing yet. Null: the value was not
  // here when the step ran last, so that it may not come again.
  MemoryRef* kept = nullptr;

  template <Attributes A>
  A attributes() const {
    return words.as<A>();
  }
};

// What a kernel has to do at least: bytes to read and write, and operations on numbers.
struct Work {
  double read = 0, written = 0, flops = 0;
};
// Every element of every array once, and no arithmetic.
Work traffic(const KernelCall& call);

// vmap: this op on inputs that carry a new axis 0, of `size`, where batched[i], giving an output
// with one. Undefined: it cannot be said for these; examples are then computed one by one, a macro
// op by the operations that it stands for.
using BatchRule = Tensor (*)(const Recorded& one, std::span<const Tensor> inputs,
                             std::span<const bool> batched, int64_t size);

// ---- An operation -----------------------------------------------------------------------------

// The gradient rule of an op.
using VjpRule = void (*)(Vjp&);
// The layout of a view, from that of its input: false when no strides can say it.
using ViewRule = bool (*)(const Recorded& view, const Layout& in, Layout* out);
using RunFunction = void (*)(const KernelCall&);
// In which input's memory an output may lie, -1: in none.
using OverwriteRule = int (*)(const Recorded& node, int output);
using WorkFunction = Work (*)(const KernelCall&);
// The results of a macro op by other operations, one for each output. They depend on the inputs
// (undefined: not given) and on the attributes, dtype and shape of what was recorded alone.
using ComposeFunction = std::vector<Tensor> (*)(const Recorded& macro,
                                                std::span<const Tensor> inputs);
using FormulaOf = const Formula& (*)(const Recorded& node);

struct Op {
  const char* name;
  Kind kind;
  // Names and types of the attributes: kAttributeFields of their struct. Empty: it has none.
  std::span<const AttributeField> attributes = {};
  // The gradient, written with Glia's operations, so that it has a derivative, and with it jvp();
  // null: of a kMacro that of the operations that it stands for, else an error that names the op.
  VjpRule vjp = nullptr;
  // Of a kView; where it says false, the input is copied first.
  ViewRule view = nullptr;
  // Of a kKernel: the value. Outputs are contiguous; inputs too unless strided. Null: recorded only
  // where find_kernel() has one.
  RunFunction run = nullptr;
  bool strided = false;
  // Of a kKernel or kMacro: it may then find that output and that input at one address.
  OverwriteRule overwrites = nullptr;
  // Null: elementwise operations and reductions as they are, anything else each example apart,
  // then stacked.
  BatchRule batch = nullptr;
  // Of a kElementwise: its Code (src/ops/elementwise.h); of a kReduce: its ReduceCode.
  int code = 0;
  // Of a kElementwise: about as many instructions as an element takes.
  double cost = 1;
  // Of a kKernel: the input of which it may use KernelCall::kept, -1: none.
  int keeps = -1;
  // Of a kKernel or kMacro with several results.
  int outputs = 1;
  ComposeFunction compose = nullptr;  // of a kMacro
  // Of a kKernel that applies an elementwise rule, which a plan compiles: that rule. Without a
  // kernel, inputs are the rule's scalars, then the operands of one problem after the other.
  FormulaOf formula = nullptr;
  // Of a kView: its value is the input's.
  bool identity = false;
  // Of a kView: it repeats its input as broadcasting does, so that elementwise operations may read
  // the input instead.
  bool broadcasts = false;
  // Draws random numbers of a key, which is its only input: (2,) i64. Inside vmap each example
  // draws for itself: it is recorded again for a shape with the examples' axis in front. A
  // kElementwise makes each element from the key and the element's position.
  bool draws = false;
  // Of a kKernel with one result: it does something besides, such as to print or to send. That is
  // done once for each recorded node whose value is needed, however many are equal, and in the
  // order of recording among those that one evaluation needs.
  bool effect = false;
  // The kernel checks values (indices) and may throw ValueError.
  bool may_throw = false;
  // Comes behind everything that does not need it: where nothing can fail any more, a parameter may
  // be updated in place.
  bool last = false;
  // Not computed when it is recorded, in eager mode neither: it may never be needed.
  bool deferred = false;
  // Of a kKernel, for profiles; null: traffic(). Layouts and dtypes are known, data are not.
  WorkFunction work = nullptr;
};

// Every op there is, for tests, tables and docs, and one of them by its name, or null.
std::vector<const Op*> all_ops();
const Op* find_op(std::string_view name);

// Makes an op known, as a static object beside it. What was recorded and planned refers to the op
// for as long as the process lives: a shared library that registers one stays loaded when it is
// closed.
struct RegisterOp {
  explicit RegisterOp(const Op& op);
};

// A faster kernel for an op on outputs of some dtypes, where `fits` agrees (null: always), which
// may look at shapes, dtypes and attributes. Chosen when a plan is made: `choose` gives the one for
// the instruction set in use, which cpu_level() names. A macro op that has none is computed by the
// operations that it stands for.
using ChooseFunction = RunFunction (*)();
using FitsFunction = bool (*)(const Recorded& node);
struct Kernel {
  const char* op;
  std::vector<DType> dtypes;
  ChooseFunction choose;
  bool runs_epilogue = false;
  FitsFunction fits = nullptr;
};
// Makes it known, as a static object beside it.
struct RegisterKernel {
  RegisterKernel(Kernel kernel);
};

// An Op::overwrites: output 0 may lie over input 0.
int first_over_first(const Recorded& node, int output);

// ---- Recording --------------------------------------------------------------------------------

// Records one operation whose shape rule has been applied. May compute it at once: in eager mode,
// or when too much is pending. An input that a macro op does not get is null; one with several
// results has the dtype of the first, and what users get of it is an output().
Tensor record(const Op& op, std::span<Node* const> inputs, const Shape& shape, DType dtype,
              AttributeWords attributes, const Where& where);
inline Tensor record(const Op& op, std::initializer_list<Node*> inputs, const Shape& shape,
                     DType dtype, AttributeWords attributes, const Where& where) {
  return record(op, std::span(inputs.begin(), inputs.size()), shape, dtype, attributes, where);
}
template <Attributes A>
Tensor record(const Op& op, std::span<Node* const> inputs, const Shape& shape, DType dtype,
              const A& attributes, const Where& where) {
  if (op.attributes.data() != kAttributeFields<A>.data()) [[unlikely]]
    detail::require_declared(op, kAttributeFields<A>);
  return record(op, inputs, shape, dtype, detail::WordsOf<A>(attributes).words(), where);
}
template <Attributes A>
Tensor record(const Op& op, std::initializer_list<Node*> inputs, const Shape& shape, DType dtype,
              const A& attributes, const Where& where) {
  return record(op, std::span(inputs.begin(), inputs.size()), shape, dtype, attributes, where);
}

// Result `which` of a recorded op that has several. `kept`: others, up to four, that its gradient
// rule needs, or that users get too and that are computed with this one.
Tensor output(const Tensor& tuple, int which, const Shape& shape, DType dtype,
              std::initializer_list<Tensor> kept = {});

// A rank-0 leaf whose value is an argument of plans, not part of their key.
Tensor host_scalar(double value, DType dtype);
Tensor host_scalar_i64(int64_t value, DType dtype = kI64);

// An input of a batch rule: with the batch axis that it has, or repeated along a new one.
Tensor with_batch_axis(const Tensor& x, bool batched, int64_t size);

// Throws ShapeError "op: message at file:line".
[[noreturn]] void fail(const char* op, const std::string& message, const Where& where);
// Fails naming the op if the tensor names nothing.
inline void require_defined(const char* op, const Tensor& x, const Where& where) {
  if (!x.defined()) fail(op, "the tensor is not defined", where);
}
// `axis` counted from the front; fails naming the op when there is none.
int checked_axis(const char* op, int64_t axis, int rank, const Where& where);

}  // namespace glia
