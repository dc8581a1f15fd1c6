// Single operations to time: a table of names, inputs and functions, filled by one file for each
// family. The same names in PyTorch are in bench/ops_torch.py.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "glia/autodiff.h"
#include "glia/ops.h"
#include "glia/random.h"

namespace glia::bench {

inline constexpr int64_t kM = 4096;     // rows and columns of a large matrix
inline constexpr int64_t kE = kM * kM;  // 16 M elements

// What an input is filled with, anew in each process.
struct Input {
  Shape shape;
  DType dtype = kF32;
  std::function<Tensor(const Shape&, DType)> fill;
  bool fixed = false;  // no gradient is asked for, though it is a float

  Tensor make() const { return fill(shape, dtype); }
};
// Floats: normal; integers: 0 to 99; bool: each with probability 1/2.
Input numbers(const Shape& shape, DType dtype = kF32);
Input scaled(double factor, const Shape& shape, DType dtype = kF32);  // normal, times the factor
Input positive(const Shape& shape, DType dtype = kF32);  // |normal|; integers from 1 to 100
Input uniform01(const Shape& shape);
Input above(double threshold, const Shape& shape);        // bool: normal > threshold
Input indices(int64_t high, const Shape& shape);          // i64 in [0, high)
Input causal_mask(int64_t steps);                         // bool (steps, steps): key <= query
Input fixed(Input input);                                 // asked for no gradient
std::vector<Input> times(int64_t n, const Input& input);  // n of them

// As wide as fits with 4096 rows into about as many bytes as others have.
inline int64_t width_of(DType dtype) { return size_of(dtype) == 8 ? kM / 2 : kM; }
inline Input matrix(DType dtype = kF32) { return numbers({kM, width_of(dtype)}, dtype); }

// "what f32".
inline std::string with(const char* what, DType dtype) {
  return std::string(what) + " " + name(dtype);
}

enum class Kind {
  kValue,
  kLossGradient,  // value (one element) and gradient of all inputs that are floats and not fixed
  kGradient,      // the same for a value of any shape, with a given random cotangent
};

using In = const std::vector<Tensor>&;
using Function = std::function<Tensor(In)>;

struct Op {
  std::string name;
  Kind kind;
  std::vector<Input> inputs;
  Function function;
};

class Table {
 public:
  void value(std::string name, std::vector<Input> inputs, Function f) {
    add({std::move(name), Kind::kValue, std::move(inputs), std::move(f)});
  }
  void loss(std::string name, std::vector<Input> inputs, Function f) {
    add({std::move(name), Kind::kLossGradient, std::move(inputs), std::move(f)});
  }
  void grad(std::string name, std::vector<Input> inputs, Function f) {
    add({std::move(name), Kind::kGradient, std::move(inputs), std::move(f)});
  }

  const std::vector<Op>& ops() const { return ops_; }
  const Op& find(std::string_view name) const;  // throws Error if there is none

 private:
  void add(Op op);  // throws Error for a name that is there

  std::vector<Op> ops_;
};

void attention(Table& t);
void casts(Table& t);
void compositions(Table& t);
void convolution(Table& t);
void creation(Table& t);
void elementwise(Table& t);
void indexing(Table& t);
void losses(Table& t);
void movement(Table& t);
void normalisation(Table& t);
void pooling(Table& t);
void products(Table& t);
void recurrent(Table& t);
void reductions(Table& t);
void sorting(Table& t);
Table all_operations();

// ---- Running them -----------------------------------------------------------------------------

struct Timing {
  double ms = 0, least = 0;  // median and smallest of the calls
  int64_t calls = 0;
};

// An operation with two sets of inputs, used in turn so that no cache holds what is read.
class Bench {
 public:
  // gradients_only: the value that belongs to them is not asked for.
  explicit Bench(const Op& op, bool gradients_only = false, int sets = 2);
  // As many calls as take 250 ms, at least 7 and at most 400 or 3 s, after warming up; once: one.
  Timing time(bool once);

 private:
  double call(int64_t i);  // ms

  const Op& op_;
  bool gradients_only_;
  std::vector<std::vector<Tensor>> inputs_, wanted_;
  std::vector<Tensor> cotangents_;
};

// Computes the operation from the inputs "0", "1", ... and "cotangent" of the file `in` and writes
// "value" and each gradient, "grad0", ... by its input's number, to `out` (safetensors). Throws
// Error if the inputs are not those of the table.
void prove(const Op& op, const std::string& in, const std::string& out);

}  // namespace glia::bench
