// Gates and channels, with PennyLane's names, and what is made of them: ctrl() and adjoint().
//
// A gate on several wires has the first one as the most significant in its matrix; controls come
// before targets. An angle is a number, or a tensor: of rank 0, or (B) for circuits of B samples at
// once; gradients reach it. Angles are in radians.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "glia/complex.h"

namespace glia::quantum {

using Wires = std::vector<int64_t>;

// An angle of a gate, or a channel's probability.
class Angle {
 public:
  template <class T, class = std::enable_if_t<std::is_arithmetic_v<T>>>
  Angle(T value) : number_(static_cast<double>(value)) {}
  Angle(const Tensor& tensor) : tensor_(tensor) {}
  Angle(const Parameter& parameter) : tensor_(parameter.tensor()) {}
  // Element `at` of the last axis of (K) or (B, K): for layers that hold many angles in one tensor.
  Angle(const Tensor& tensor, int64_t at) : tensor_(tensor), at_(at) {}

  bool is_number() const { return !tensor_.defined(); }
  double number() const { return number_; }
  const Tensor& tensor() const { return tensor_; }
  int64_t at() const { return at_; }  // -1: all of the tensor

 private:
  double number_ = 0;
  Tensor tensor_;
  int64_t at_ = -1;
};

// A gate or channel on wires, to be added to a circuit.
struct Operation {
  std::string name;  // "RX"
  Wires wires;       // without `controls`
  std::vector<Angle> angles = {};
  Wires controls = {};  // added by ctrl()
  std::vector<bool> control_values = {};
  bool inverse = false;               // adjoint() was taken
  std::vector<double> numbers = {};   // of a matrix: real and imaginary parts, row after row
  std::vector<Operation> parts = {};  // of what is several gates, in order

  // The gate's matrix on controls and wires, (2^k, 2^k) f64; of what has one and angles without a
  // batch. Throws ValueError for a channel.
  Complex matrix(Where where = Where::current()) const;
};

// The inverse: of several gates, the inverses in reverse.
Operation adjoint(Operation operation);
// The operation where each control is 1, or what `values` says. Throws ValueError for channels and
// for values that are not as many.
Operation ctrl(Operation operation, const Wires& controls, const std::vector<bool>& values = {},
               Where where = Where::current());

// ---- Gates on one wire ------------------------------------------------------------------------

Operation Identity(int64_t wire);
Operation PauliX(int64_t wire);
Operation PauliY(int64_t wire);
Operation PauliZ(int64_t wire);
Operation Hadamard(int64_t wire);
Operation S(int64_t wire);                             // diag(1, i)
Operation T(int64_t wire);                             // diag(1, e^(i pi/4))
Operation SX(int64_t wire);                            // the square root of X
Operation RX(const Angle& phi, int64_t wire);          // exp(-i phi/2 X)
Operation RY(const Angle& phi, int64_t wire);          // exp(-i phi/2 Y)
Operation RZ(const Angle& phi, int64_t wire);          // exp(-i phi/2 Z)
Operation PhaseShift(const Angle& phi, int64_t wire);  // diag(1, e^(i phi)); U1
// RZ(omega) RY(theta) RZ(phi), of which RZ(phi) comes first.
Operation Rot(const Angle& phi, const Angle& theta, const Angle& omega, int64_t wire);
// OpenQASM's u2(phi, delta) and u3(theta, phi, delta), with PennyLane's phase.
Operation U2(const Angle& phi, const Angle& delta, int64_t wire);
Operation U3(const Angle& theta, const Angle& phi, const Angle& delta, int64_t wire);
// e^(-i phi) times everything: on no wire, until it is controlled.
Operation GlobalPhase(const Angle& phi);

// ---- Gates on several wires -------------------------------------------------------------------

Operation CNOT(int64_t control, int64_t target);
Operation CY(int64_t control, int64_t target);
Operation CZ(int64_t control, int64_t target);
Operation CH(int64_t control, int64_t target);
Operation SWAP(int64_t a, int64_t b);
Operation ISWAP(int64_t a, int64_t b);
Operation SISWAP(int64_t a, int64_t b);  // the square root of ISWAP
Operation ECR(int64_t a, int64_t b);     // 1/sqrt 2 (IX - XY)
Operation Toffoli(int64_t control0, int64_t control1, int64_t target);
Operation CCZ(int64_t a, int64_t b, int64_t c);
Operation CSWAP(int64_t control, int64_t a, int64_t b);
Operation MultiControlledX(const Wires& controls, int64_t target,
                           const std::vector<bool>& values = {});
Operation CRX(const Angle& phi, int64_t control, int64_t target);
Operation CRY(const Angle& phi, int64_t control, int64_t target);
Operation CRZ(const Angle& phi, int64_t control, int64_t target);
Operation CRot(const Angle& phi, const Angle& theta, const Angle& omega, int64_t control,
               int64_t target);
Operation ControlledPhaseShift(const Angle& phi, int64_t control, int64_t target);
Operation IsingXX(const Angle& phi, int64_t a, int64_t b);  // exp(-i phi/2 X X)
Operation IsingYY(const Angle& phi, int64_t a, int64_t b);
Operation IsingZZ(const Angle& phi, int64_t a, int64_t b);
Operation IsingXY(const Angle& phi, int64_t a, int64_t b);  // exp(i phi/4 (XX + YY))
Operation PSWAP(const Angle& phi, int64_t a, int64_t b);    // SWAP with e^(i phi) where it swaps
Operation MultiRZ(const Angle& theta, const Wires& wires);  // exp(-i theta/2 Z Z ... Z)
// exp(-i theta/2 P), P a word of I, X, Y and Z: "XIY". Throws ValueError for another one.
Operation PauliRot(const Angle& theta, const std::string& word, const Wires& wires,
                   Where where = Where::current());
// Rotations between 01 and 10 by phi/2 (Givens), and with phases of the others e^(-+i phi/2).
Operation SingleExcitation(const Angle& phi, int64_t a, int64_t b);
Operation SingleExcitationMinus(const Angle& phi, int64_t a, int64_t b);
Operation SingleExcitationPlus(const Angle& phi, int64_t a, int64_t b);
// Between 0011 and 1100.
Operation DoubleExcitation(const Angle& phi, int64_t a, int64_t b, int64_t c, int64_t d);
// A matrix (2^k, 2^k) of numbers on k wires, 1 to 8. Throws ShapeError for another shape,
// ValueError unless it is unitary within 1e-6.
Operation QubitUnitary(const Complex& matrix, const Wires& wires, Where where = Where::current());
// The quantum Fourier transform (Coppersmith 1994).
Operation QFT(const Wires& wires);

// ---- Channels: of circuits with {.mixed = true} -----------------------------------------------

Operation BitFlip(const Angle& p, int64_t wire);
Operation PhaseFlip(const Angle& p, int64_t wire);
Operation DepolarizingChannel(const Angle& p, int64_t wire);  // X, Y, Z with p/3 each
Operation AmplitudeDamping(const Angle& gamma, int64_t wire);
Operation PhaseDamping(const Angle& gamma, int64_t wire);
// Towards a mixture in which 1 has the share p.
Operation GeneralizedAmplitudeDamping(double gamma, double p, int64_t wire);
Operation ResetError(double p0, double p1, int64_t wire);
// By Kraus matrices (2^k, 2^k) on k wires, 1 or 2. Throws ShapeError for other shapes, ValueError
// unless the sum of K'K is 1 within 1e-6.
Operation QubitChannel(const std::vector<Complex>& kraus, const Wires& wires,
                       Where where = Where::current());

}  // namespace glia::quantum
