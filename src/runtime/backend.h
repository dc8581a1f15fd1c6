// What a backend offers: compiled fused groups, and fast kernels for single ops.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "core/op.h"
#include "ops/elementwise.h"

namespace glia {

// A fused group: elementwise operations and reductions over one iteration space of rows x cols
// elements, in one pass over its inputs. A tile interpreter or a code generator runs it.
struct Program {
  // How a value lies in the space: a value for each element, for each row, for each column (an
  // input that repeats down the rows), or one for all.
  enum class Extent : uint8_t { kFull, kRow, kColumn, kScalar };
  enum class Action : uint8_t {
    kInput,      // reads array `slot`
    kCompute,    // code(a, b, c); dtype is the result's
    kReduceRow,  // a full value reduced over each row (reduce): gives a row value
  };
  struct Value {
    Action action = Action::kInput;
    Extent extent = Extent::kFull;
    DType dtype = kF32;
    Code code = Code::kAdd;
    ReduceCode reduce = ReduceCode::kSum;
    int a = -1, b = -1, c = -1;  // earlier values
    int slot = -1;               // of an input: which array
    // Of a full input that is not contiguous: strides over `space`, in elements.
    bool strided = false;
    int64_t strides[kMaxRank] = {};
    int64_t offset = 0;  // of an input's first element, in elements
  };
  // What leaves the group. kStore writes a full or row value; the others reduce a full value.
  enum class Sink : uint8_t {
    kStore,
    kReduceAll,      // to one element
    kReduceRows,     // over the columns: rows results (rows too long for kReduceRow)
    kReduceColumns,  // over the rows of each of `segments` equal parts: segments x cols results
  };
  struct Output {
    Sink sink = Sink::kStore;
    int value = -1;
    ReduceCode reduce = ReduceCode::kSum;
    int64_t segments = 1;
    int overwrites = -1;  // the slot of a full input whose memory this output takes over
  };

  Shape space;  // sizes whose product is rows * cols, for strided inputs
  int64_t rows = 1, cols = 1;
  std::vector<Value> values;    // in order of computation
  std::vector<Output> outputs;  // output i writes array inputs + i
  int input_arrays = 0;         // slots
  bool many = false;            // for run_many: the space only stands for flat ones of any size
  bool row_resident = false;    // has row values computed from whole rows: a tile holds whole rows
  bool by_parts = false;        // for run_part: its only sinks are kStore and kReduceColumns
};

class FusedKernel {
 public:
  virtual ~FusedKernel() = default;
  // inputs[slot], outputs[i]: first bytes of the arrays. An output may be an input's memory when
  // that input is full, contiguous and of the same element size.
  virtual void run(void* const* inputs, void* const* outputs) const = 0;
  // The same over a batch of flat spaces: problem j has counts[j] elements and its own arrays.
  // Only for programs of full, contiguous and scalar values that store (optimizer steps).
  virtual void run_many(int64_t problems, const int64_t* counts, void* const* const* inputs,
                        void* const* const* outputs) const = 0;

  // The same in parts, as another kernel finishes what it reads: begin_parts, then run_part for
  // parts that make up the space, by any threads, then end_parts. Only where runs_by_parts().
  struct PartsRun {
    void* const* inputs = nullptr;
    void* const* outputs = nullptr;
    int64_t parts = 0;
    MemoryRef sums;  // of each part, where columns are reduced
  };
  virtual bool runs_by_parts() const { return false; }
  virtual bool needs_whole_rows() const { return false; }
  virtual void begin_parts(PartsRun*) const {}
  virtual void run_part(const PartsRun&, const Epilogue::Part&) const {}
  virtual void end_parts(const PartsRun&) const {}
};

std::unique_ptr<FusedKernel> compile(const Program& program);

// The kernel for this node, or for any on outputs of this dtype; null: Op::run, or the operations
// that a macro op stands for.
const Kernel* find_kernel(const Op& op, DType dtype, const Node* node = nullptr);
inline const Kernel* find_kernel(const Node& node) {
  return find_kernel(*node.op, node.dtype, &node);
}
// out = a b, all (n, n) of f32 or bf16, as fast as it can: what profiles compare with.
void multiply_squares(DType dtype, int64_t n, const void* a, const void* b, void* out);
// Whether products in bf16 are faster here than in f32.
bool has_fast_bf16();
// Forgets what fast kernels keep from one call to the next.
void trim_kernel_caches();

}  // namespace glia
