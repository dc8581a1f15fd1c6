// What an operation is: its name, its kind, and the rules that every part of Glia asks it for.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "core/node.h"

namespace glia {

enum class Kind : uint8_t {
  kLeaf,         // computed from the start
  kScalar,       // a host number, passed when a plan runs
  kElementwise,  // fusible; inputs broadcast to the output
  kReduce,       // fusible; attributes: a bit mask of the reduced axes, which stay with size 1
  kView,         // other strides over the same bytes
  kKernel,       // computed by its own function
  kOutput,       // one result of a kernel with several; attribute: which
  kMacro,        // stands for what other operations compute, which a plan puts in its place
};

// How the elements of an array lie in memory; strides and offset in elements.
struct Layout {
  Shape shape;
  int64_t strides[kMaxRank];
  int64_t offset = 0;
  static Layout contiguous(const Shape& shape);
  bool is_contiguous() const;
};

// What a gradient rule sees and fills in.
class Vjp {
 public:
  Vjp(const Node& node, std::span<const Tensor> grads, std::span<const bool> needs,
      std::span<Tensor> results)
      : node_(node), grads_(grads), needs_(needs), results_(results) {}
  const Node& node() const { return node_; }
  Tensor in(int i) const { return handle(node_.inputs[i]); }
  Tensor out() const { return handle(const_cast<Node*>(&node_)); }
  // The gradient of the output; of output i where there are several (undefined: none reached it).
  const Tensor& g(int i = 0) const { return grads_[i]; }
  bool needs(int i) const { return needs_[i]; }
  int64_t attribute(int i) const { return node_.attributes[i]; }
  // The gradient of input i, of a shape that the input broadcasts to.
  void set(int i, Tensor grad) { results_[i] = std::move(grad); }

 private:
  const Node& node_;
  std::span<const Tensor> grads_;
  std::span<const bool> needs_;
  std::span<Tensor> results_;
};

// An array handed to a kernel.
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

// What is to be done to an output of rows x columns, its last axis, while it is in cache.
class Epilogue {
 public:
  // A rectangle of the output. It has all columns, or a multiple of 64 that starts at a multiple of
  // 64, or is the last of its rows. Parts with one index have no column in common, so that each
  // column has one sum for an index.
  struct Part {
    int64_t index = 0;
    int64_t row = 0, rows = 0, column = 0, columns = 0;
  };
  // Before all parts; their indices are below `parts`.
  virtual void begin(int64_t parts) = 0;
  // Once for each part, when it is final, by the thread that finished it.
  virtual void run(const Part& part) = 0;

  bool whole_rows = false;  // every part must have all columns

 protected:
  ~Epilogue() = default;
};

struct CompiledFormula;  // ops/foreach.h
struct KernelCall {
  std::span<const Array> in;
  std::span<const Array> out;
  std::span<const int64_t> attributes;
  const CompiledFormula* formula = nullptr;  // of an op that carries one
  Epilogue* epilogue = nullptr;              // for kernels that hand their output on
  // For what a kernel makes of input Op::keeps alone, such as weights in its own order: what an
  // earlier run of this step put there of the same value, or nothing yet. Null: the value was not
  // here when the step ran last, so that it may not come again.
  MemoryRef* kept = nullptr;
};

// What a kernel has to do at least: bytes to read and write, and operations on numbers.
struct Work {
  double read = 0, written = 0, flops = 0;
};
// Every element of every array once, and no arithmetic.
Work traffic(const KernelCall& call);

// vmap: this op on inputs that carry a new axis 0 where batched[i], giving an output with one.
using BatchRule = Tensor (*)(const Node& node, std::span<const Tensor> inputs,
                             std::span<const bool> batched, int64_t size);

struct Op {
  const char* name;
  Kind kind;
  // The gradient; null: asking for one is an error that names the op.
  void (*vjp)(Vjp&) = nullptr;
  // Of a kView: false when no strides can say it, and the input must be copied first.
  bool (*view)(const Node& node, const Layout& in, Layout* out) = nullptr;
  // Of a kKernel: the value. Outputs are contiguous; inputs too unless strided. Null: recorded only
  // where find_kernel() has one.
  void (*run)(const KernelCall&) = nullptr;
  bool strided = false;
  // Of a kKernel: output i may lie in the memory of input overwrites(node, i), -1: of none. The
  // kernel then finds both at one address.
  int (*overwrites)(const Node& node, int output) = nullptr;
  // Null: each example apart, then stacked.
  BatchRule batch = nullptr;
  // Of a kElementwise: its Code (ops/elementwise.h); of a kReduce: its ReduceCode.
  int code = 0;
  // Of a kKernel: the input of which it may use KernelCall::kept, -1: none.
  int keeps = -1;
  // Of a kKernel with several results.
  int outputs = 1;
  // Of a kMacro: the operations that it stands for. Inputs that were not given are undefined; the
  // node's first attribute has a bit for each that was.
  Tensor (*compose)(std::span<const Tensor> inputs, std::span<const int64_t> attributes,
                    const std::source_location& where) = nullptr;
  // The kernel checks values (indices) and may throw ValueError.
  bool may_throw = false;
  // Comes behind everything that does not need it: where nothing can fail any more, a parameter may
  // be updated in place.
  bool last = false;
  // Not computed when it is recorded, in eager mode neither: it may never be needed.
  bool deferred = false;
  // Of a kKernel, for profiles; null: traffic(). Layouts and dtypes are known, data are not.
  Work (*work)(const KernelCall&) = nullptr;
};

// Every op there is, for tests, tables and docs. `add_op` runs before main().
std::span<const Op* const> all_ops();
const Op* find_op(std::string_view name);
struct RegisterOp {
  explicit RegisterOp(const Op& op);
};

// The operations that a macro op's node stands for, on these inputs.
Tensor compose(const Node& macro, std::span<const Tensor> inputs);

// An Op::overwrites: output 0 may lie over input 0.
int first_over_first(const Node& node, int output);

extern const Op kLeafOp, kScalarOp, kOutputOp, kAliasOp;
// What stands for a value of one example of many while a function is recorded; has no value.
extern const Op kPlaceholderOp;

// Throws ShapeError "op: message at file:line".
[[noreturn]] void fail(const char* op, const std::string& message,
                       const std::source_location& where);
// Fails naming the op if the tensor names nothing.
inline void require_defined(const char* op, const Tensor& x, const std::source_location& where) {
  if (!x.defined()) fail(op, "the tensor is not defined", where);
}
// `axis` counted from the front; fails naming the op when there is none.
int checked_axis(const char* op, int64_t axis, int rank, const std::source_location& where);
// A bit for each of these axes, for all of them when there are none; fails for one given twice.
int64_t axis_mask(const char* op, std::span<const int64_t> axes, int rank,
                  const std::source_location& where);

}  // namespace glia
