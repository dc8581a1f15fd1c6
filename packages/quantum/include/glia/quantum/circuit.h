// A circuit: operations on wires that begin as 0, and what is measured of them.
//
//   const Tensor angle = trainable(tensor(0.4));
//   quantum::Circuit c(2);
//   c.add(quantum::Hadamard(0));
//   c.add(quantum::CRY(angle, 0, 1));
//   const Tensor z = c.expval(quantum::Z(1));
//   const Tensor slope = gradients(z, {angle})[0];
//
// Measurements are tensors like any others: what they are made of is recorded, computed when it is
// needed, part of any model and loss, and has derivatives of any order.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "glia/quantum/observable.h"
#include "glia/quantum/operation.h"

namespace glia::quantum {

// How gradients of expectation values are found. All give the same numbers.
enum class DiffMethod {
  kAdjoint,         // backwards through the inverse of each gate (Jones & Gacon 2020): fastest
  kParameterShift,  // from expectation values at shifted angles, as on a quantum computer
  kBackprop,        // each gate is a product of matrices that is differentiated in reverse
};

struct CircuitOptions {
  // A density matrix instead of a state vector: circuits with noise, of up to 13 wires.
  bool mixed = false;
  DType dtype = kF64;  // or f32
  DiffMethod diff_method = DiffMethod::kAdjoint;
};

// Bits of shots, and how often each word of them came.
struct Samples {
  Tensor bits;                                                  // i64 (shots, wires)
  std::vector<std::pair<std::string, int64_t>> counts() const;  // {"01", 7}, by word
};

class Circuit {
 public:
  // Of 1 to 28 wires. Throws ValueError for another number, or a dtype that is neither.
  explicit Circuit(int64_t wires, const CircuitOptions& options = {},
                   Where where = Where::current());

  int64_t wires() const { return wires_; }
  const CircuitOptions& options() const { return options_; }
  const std::vector<Operation>& operations() const { return operations_; }

  // Throws ValueError for wires that are not there or are named twice, for angles that do not fit
  // the gate, and for a channel in a circuit that is not mixed; ShapeError for a batch of another
  // size than others'.
  Circuit& add(const Operation& operation, Where where = Where::current());
  Circuit& add(const std::vector<Operation>& operations, Where where = Where::current());

  // Begins with amplitudes (2^wires) or (B, 2^wires) instead of 0, which should have norm 1; their
  // gradients are found too. Before all operations.
  Circuit& set_state(const Complex& amplitudes, Where where = Where::current());

  // ---- Measurements. Of a circuit with a batch they have its axis in front. ----

  // (2^wires); of a mixed circuit an error.
  Complex state(Where where = Where::current()) const;
  // Of some wires, the first as the most significant: (2^k, 2^k). Empty: all of them.
  Complex density_matrix(const Wires& wires = {}, Where where = Where::current()) const;
  // (2^k), of these wires; empty: all.
  Tensor probs(const Wires& wires = {}, Where where = Where::current()) const;
  // A number, or of several observables (count).
  Tensor expval(const Observable& observable, Where where = Where::current()) const;
  Tensor expval(const std::vector<Observable>& observables, Where where = Where::current()) const;
  Tensor var(const Observable& observable, Where where = Where::current()) const;
  Tensor purity(const Wires& wires = {}, Where where = Where::current()) const;
  // |<a|b>|^2 of the states of two circuits.
  static Tensor fidelity(const Circuit& a, const Circuit& b, Where where = Where::current());

  // Shots, equal for equal seeds; without a batch and without gradients. Throws ValueError unless
  // there is at least one.
  Samples sample(int64_t shots, uint64_t seed = 0, Where where = Where::current()) const;
  // An expectation value as shots tell it: so many for each group of terms that can be measured
  // together.
  double estimate(const Observable& observable, int64_t shots, uint64_t seed = 0,
                  Where where = Where::current()) const;

  // ---- As it is ----

  // Moments: how many operations follow each other on one wire at most; and their number.
  int64_t depth() const;
  std::string str() const;  // a drawing in text
  std::string svg() const;  // a picture

 private:
  void check(const Operation& operation, Where where);
  void check_wires(const std::string& of, const Wires& wires, Where where) const;
  void join_batch(int64_t size, const std::string& of, Where where);
  Tensor vector(Where where) const;  // (1 or B, 2, 2^wires or 4^wires)
  Tensor without_batch(const Tensor& x) const;
  Tensor marginal(const Tensor& p, const Wires& wires) const;
  Tensor recorded_expval(const std::vector<Observable>& observables, Where where) const;

  int64_t wires_ = 0;
  CircuitOptions options_;
  std::vector<Operation> operations_;
  Complex initial_;
  int64_t batch_ = 0;      // 0: none
  mutable Tensor vector_;  // what vector() gave, until something is added
};

// The overlaps |<a_i|b_j>|^2 (N, M) of states (N, 2^n) and (M, 2^n): a kernel matrix (Schuld &
// Killoran 2019), for a support vector machine with a kernel that is given.
Tensor kernel_matrix(const Complex& a, const Complex& b, Where where = Where::current());

}  // namespace glia::quantum
