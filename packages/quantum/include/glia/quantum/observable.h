// What is measured: sums of products of Pauli matrices, 0.5 * Z(0) * Z(1) - X(2).
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "glia/complex.h"

namespace glia::quantum {

// One product: a letter X, Y or Z for each wire that it is not 1 on, by wire.
struct PauliTerm {
  double factor = 1;
  std::vector<std::pair<int64_t, char>> word;
};

// A Hermitian observable. Terms with equal words are one.
class Observable {
 public:
  Observable() = default;  // 0
  explicit Observable(const std::vector<PauliTerm>& terms);
  // Factors and words: Observable({0.5, -1}, {"ZZI", "IIX"}), a letter for each wire from 0 on.
  // Throws ValueError for other letters, or if they are not as many.
  Observable(const std::vector<double>& factors, const std::vector<std::string>& words,
             Where where = Where::current());

  const std::vector<PauliTerm>& terms() const { return terms_; }
  int64_t wires() const;    // one more than the highest that it has
  std::string str() const;  // "0.5 * Z(0) Z(1) - X(2)"
  // (2^wires, 2^wires) f64.
  Complex matrix(int64_t wires, Where where = Where::current()) const;

  friend Observable operator+(const Observable& a, const Observable& b);
  friend Observable operator-(const Observable& a, const Observable& b);
  // Throws ValueError for a product that is not Hermitian, as X(0) * Y(0).
  friend Observable operator*(const Observable& a, const Observable& b);
  friend Observable operator*(double factor, const Observable& a);
  friend Observable operator-(const Observable& a);

 private:
  std::vector<PauliTerm> terms_;
};

Observable X(int64_t wire);
Observable Y(int64_t wire);
Observable Z(int64_t wire);
// A number, on no wire.
Observable I(double factor = 1);

}  // namespace glia::quantum
