// What gates and channels are made of: matrices U(t) = a + u(t) b + v(t) c of one angle.
#pragma once

#include "matrix.h"

namespace glia::quantum {

enum class Form : int {
  kX,
  kY,
  kZ,
  kH,
  kS,
  kT,
  kSX,
  kRX,
  kRY,
  kRZ,
  kPhase,
  kGlobalPhase,
  kSwap,
  kISwap,
  kSISwap,
  kECR,
  kIsingXX,
  kIsingYY,
  kIsingZZ,
  kIsingXY,
  kPSwap,
  kSingleExcitation,
  kSingleExcitationMinus,
  kSingleExcitationPlus,
  kDoubleExcitation,
  // Of a mixed state, as a matrix on (row, column) of one wire.
  kBitFlip,
  kPhaseFlip,
  kDepolarizing,
  kAmplitudeDamping,
  kPhaseDamping,
  kMatrix,         // a constant that the program has
  kChannelMatrix,  // the same of a channel
};
inline constexpr int kForms = static_cast<int>(Form::kChannelMatrix) + 1;

// What u and v are.
enum class Basis {
  kConstant,  // nothing
  kHalf,      // cos(t / 2), sin(t / 2)
  kWhole,     // cos(t), sin(t)
  kDamping,   // t, sqrt(1 - t)
};
struct FormFacts {
  int targets = 1;
  Basis basis = Basis::kConstant;
  Matrix a, b, c;
};
// Of all but those that the program has.
const FormFacts& facts_of(Form form);
inline bool is_channel(Form form) { return form >= Form::kBitFlip && form != Form::kMatrix; }

// (u, v) and their derivatives.
struct BasisValues {
  double u = 0, v = 0, du = 0, dv = 0;
};
BasisValues basis_values(Basis basis, double t);

}  // namespace glia::quantum
