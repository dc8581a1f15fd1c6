#include "glia/quantum/operation.h"

#include <cmath>
#include <numbers>

#include "glia/error.h"
#include "lowering.h"

namespace glia::quantum {
namespace {

Operation gate(const char* name, Wires wires, std::vector<Angle> angles = {}) {
  return {.name = name, .wires = std::move(wires), .angles = std::move(angles)};
}
Operation of_parts(const char* name, Wires wires, std::vector<Angle> angles,
                   std::vector<Operation> parts) {
  Operation o = gate(name, std::move(wires), std::move(angles));
  o.parts = std::move(parts);
  return o;
}

// Largest difference of a matrix from 1.
double apart_from_one(const Matrix& m) {
  double most = 0;
  for (int i = 0; i < m.size(); ++i)
    for (int j = 0; j < m.size(); ++j) {
      const Cx x = m(i, j);
      most = std::max(most, std::hypot(x.re - (i == j), x.im));
      if (!std::isfinite(x.re) || !std::isfinite(x.im)) return INFINITY;
    }
  return most;
}

void check_matrix(const std::string& name, const Complex& m, const Wires& wires, size_t most,
                  Where where) {
  if (!m.re.defined() || !m.im.defined())
    throw ShapeError(name + ": a matrix is not defined", where);
  const int64_t size = int64_t{1} << std::min<size_t>(wires.size(), 20);
  if (wires.empty() || wires.size() > most)
    throw ShapeError(name + " works on 1 to " + std::to_string(most) + " wires, not " +
                         std::to_string(wires.size()),
                     where);
  if (m.re.shape() != Shape{size, size} || m.im.shape() != Shape{size, size})
    throw ShapeError(name + ": a matrix on " + std::to_string(wires.size()) + " wires is (" +
                         std::to_string(size) + ", " + std::to_string(size) + "), not " +
                         m.re.shape().str(),
                     where);
}

std::vector<double> numbers_of(const Matrix& m) {
  std::vector<double> out;
  for (int i = 0; i < m.size() * m.size(); ++i) {
    out.push_back(m.data()[i].re);
    out.push_back(m.data()[i].im);
  }
  return out;
}

// On (rows, columns): the sum of kron(K, conj K).
Operation channel(const char* name, const std::vector<Matrix>& kraus, const Wires& wires,
                  Where where) {
  const int size = 1 << wires.size();
  Matrix whole(size), both(size * size);
  for (const Matrix& k : kraus) {
    const Matrix k2 = product(dagger(k), k), kk = kron(k, conjugate(k));
    for (int i = 0; i < size * size; ++i) whole.data()[i] = whole.data()[i] + k2.data()[i];
    for (int i = 0; i < size * size * size * size; ++i)
      both.data()[i] = both.data()[i] + kk.data()[i];
  }
  if (!(apart_from_one(whole) < 1e-6))
    throw ValueError(std::string(name) + ": the sum of K'K is not 1", where);
  Operation o = gate(name, wires);
  o.numbers = numbers_of(both);
  return o;
}
Matrix real(double a, double b, double c, double d) {
  Matrix m(2);
  m(0, 0).re = a;
  m(0, 1).re = b;
  m(1, 0).re = c;
  m(1, 1).re = d;
  return m;
}
double share(const char* name, double p) {
  if (!(p >= 0 && p <= 1))
    throw ValueError(std::string(name) + ": " + std::to_string(p) + " is no probability");
  return p;
}
Operation noise(const char* name, const Angle& p, int64_t wire) {
  if (p.is_number()) share(name, p.number());
  return gate(name, {wire}, {p});
}

}  // namespace

Operation adjoint(Operation operation) {
  if (is_channel(operation)) throw ValueError(operation.name + ": a channel has no inverse");
  operation.inverse = !operation.inverse;
  return operation;
}

Operation ctrl(Operation operation, const Wires& controls, const std::vector<bool>& values,
               Where where) {
  if (is_channel(operation))
    throw ValueError("ctrl: " + operation.name + " is a channel, which has no controls", where);
  if (!values.empty() && values.size() != controls.size())
    throw ValueError("ctrl: " + std::to_string(values.size()) + " values for " +
                         std::to_string(controls.size()) + " controls",
                     where);
  if (operation.control_values.empty())
    operation.control_values.assign(operation.controls.size(), true);
  // The new ones come first.
  operation.controls.insert(operation.controls.begin(), controls.begin(), controls.end());
  for (size_t i = controls.size(); i-- > 0;)
    operation.control_values.insert(operation.control_values.begin(), values.empty() || values[i]);
  return operation;
}

Operation Identity(int64_t wire) { return gate("Identity", {wire}); }
Operation PauliX(int64_t wire) { return gate("PauliX", {wire}); }
Operation PauliY(int64_t wire) { return gate("PauliY", {wire}); }
Operation PauliZ(int64_t wire) { return gate("PauliZ", {wire}); }
Operation Hadamard(int64_t wire) { return gate("Hadamard", {wire}); }
Operation S(int64_t wire) { return gate("S", {wire}); }
Operation T(int64_t wire) { return gate("T", {wire}); }
Operation SX(int64_t wire) { return gate("SX", {wire}); }
Operation RX(const Angle& phi, int64_t wire) { return gate("RX", {wire}, {phi}); }
Operation RY(const Angle& phi, int64_t wire) { return gate("RY", {wire}, {phi}); }
Operation RZ(const Angle& phi, int64_t wire) { return gate("RZ", {wire}, {phi}); }
Operation PhaseShift(const Angle& phi, int64_t wire) { return gate("PhaseShift", {wire}, {phi}); }
Operation Rot(const Angle& phi, const Angle& theta, const Angle& omega, int64_t wire) {
  return of_parts("Rot", {wire}, {phi, theta, omega},
                  {RZ(phi, wire), RY(theta, wire), RZ(omega, wire)});
}
Operation U2(const Angle& phi, const Angle& delta, int64_t wire) {
  return of_parts("U2", {wire}, {phi, delta},
                  {PhaseShift(delta, wire), RY(std::numbers::pi / 2, wire), PhaseShift(phi, wire)});
}
Operation U3(const Angle& theta, const Angle& phi, const Angle& delta, int64_t wire) {
  return of_parts("U3", {wire}, {theta, phi, delta},
                  {PhaseShift(delta, wire), RY(theta, wire), PhaseShift(phi, wire)});
}
Operation GlobalPhase(const Angle& phi) { return gate("GlobalPhase", {}, {phi}); }

Operation CNOT(int64_t control, int64_t target) { return gate("CNOT", {control, target}); }
Operation CY(int64_t control, int64_t target) { return gate("CY", {control, target}); }
Operation CZ(int64_t control, int64_t target) { return gate("CZ", {control, target}); }
Operation CH(int64_t control, int64_t target) { return gate("CH", {control, target}); }
Operation SWAP(int64_t a, int64_t b) { return gate("SWAP", {a, b}); }
Operation ISWAP(int64_t a, int64_t b) { return gate("ISWAP", {a, b}); }
Operation SISWAP(int64_t a, int64_t b) { return gate("SISWAP", {a, b}); }
Operation ECR(int64_t a, int64_t b) { return gate("ECR", {a, b}); }
Operation Toffoli(int64_t control0, int64_t control1, int64_t target) {
  return gate("Toffoli", {control0, control1, target});
}
Operation CCZ(int64_t a, int64_t b, int64_t c) { return gate("CCZ", {a, b, c}); }
Operation CSWAP(int64_t control, int64_t a, int64_t b) { return gate("CSWAP", {control, a, b}); }
Operation MultiControlledX(const Wires& controls, int64_t target, const std::vector<bool>& values) {
  Wires all = controls;
  all.push_back(target);
  Operation o = of_parts("MultiControlledX", all, {}, {ctrl(PauliX(target), controls, values)});
  return o;
}
Operation CRX(const Angle& phi, int64_t control, int64_t target) {
  return gate("CRX", {control, target}, {phi});
}
Operation CRY(const Angle& phi, int64_t control, int64_t target) {
  return gate("CRY", {control, target}, {phi});
}
Operation CRZ(const Angle& phi, int64_t control, int64_t target) {
  return gate("CRZ", {control, target}, {phi});
}
Operation CRot(const Angle& phi, const Angle& theta, const Angle& omega, int64_t control,
               int64_t target) {
  return of_parts(
      "CRot", {control, target}, {phi, theta, omega},
      {CRZ(phi, control, target), CRY(theta, control, target), CRZ(omega, control, target)});
}
Operation ControlledPhaseShift(const Angle& phi, int64_t control, int64_t target) {
  return gate("ControlledPhaseShift", {control, target}, {phi});
}
Operation IsingXX(const Angle& phi, int64_t a, int64_t b) { return gate("IsingXX", {a, b}, {phi}); }
Operation IsingYY(const Angle& phi, int64_t a, int64_t b) { return gate("IsingYY", {a, b}, {phi}); }
Operation IsingZZ(const Angle& phi, int64_t a, int64_t b) { return gate("IsingZZ", {a, b}, {phi}); }
Operation IsingXY(const Angle& phi, int64_t a, int64_t b) { return gate("IsingXY", {a, b}, {phi}); }
Operation PSWAP(const Angle& phi, int64_t a, int64_t b) { return gate("PSWAP", {a, b}, {phi}); }

// Parities go to the last wire and back.
Operation MultiRZ(const Angle& theta, const Wires& wires) {
  if (wires.empty()) throw ValueError("MultiRZ: no wires");
  std::vector<Operation> parts;
  for (size_t i = 0; i + 1 < wires.size(); ++i) parts.push_back(CNOT(wires[i], wires[i + 1]));
  parts.push_back(RZ(theta, wires.back()));
  for (size_t i = wires.size() - 1; i-- > 0;) parts.push_back(CNOT(wires[i], wires[i + 1]));
  return of_parts("MultiRZ", wires, {theta}, std::move(parts));
}
Operation PauliRot(const Angle& theta, const std::string& word, const Wires& wires, Where where) {
  if (word.size() != wires.size())
    throw ValueError(
        "PauliRot: the word '" + word + "' for " + std::to_string(wires.size()) + " wires", where);
  Wires turned;
  std::vector<Operation> before, after;
  for (size_t i = 0; i < word.size(); ++i) {
    const int64_t wire = wires[i];
    if (word[i] == 'I') continue;
    turned.push_back(wire);
    if (word[i] == 'X') {
      before.push_back(Hadamard(wire));
      after.push_back(Hadamard(wire));
    } else if (word[i] == 'Y') {
      before.push_back(RX(std::numbers::pi / 2, wire));
      after.push_back(RX(-std::numbers::pi / 2, wire));
    } else if (word[i] != 'Z') {
      throw ValueError("PauliRot: '" + word + "' is no word of I, X, Y and Z", where);
    }
  }
  if (turned.empty()) {  // of ones alone it is a phase
    if (!theta.is_number())
      throw ValueError("PauliRot: a word of I takes a number as angle", where);
    return of_parts("PauliRot", wires, {theta}, {GlobalPhase(theta.number() / 2)});
  }
  before.push_back(MultiRZ(theta, turned));
  before.insert(before.end(), after.begin(), after.end());
  return of_parts("PauliRot", wires, {theta}, std::move(before));
}
Operation SingleExcitation(const Angle& phi, int64_t a, int64_t b) {
  return gate("SingleExcitation", {a, b}, {phi});
}
Operation SingleExcitationMinus(const Angle& phi, int64_t a, int64_t b) {
  return gate("SingleExcitationMinus", {a, b}, {phi});
}
Operation SingleExcitationPlus(const Angle& phi, int64_t a, int64_t b) {
  return gate("SingleExcitationPlus", {a, b}, {phi});
}
Operation DoubleExcitation(const Angle& phi, int64_t a, int64_t b, int64_t c, int64_t d) {
  return gate("DoubleExcitation", {a, b, c, d}, {phi});
}
Operation QubitUnitary(const Complex& matrix, const Wires& wires, Where where) {
  check_matrix("QubitUnitary", matrix, wires, 8, where);
  const Matrix m = matrix_of(matrix);
  if (!(apart_from_one(product(dagger(m), m)) < 1e-6))
    throw ValueError("QubitUnitary: the matrix is not unitary", where);
  Operation o = gate("QubitUnitary", wires);
  o.numbers = numbers_of(m);
  return o;
}
Operation QFT(const Wires& wires) {
  std::vector<Operation> parts;
  const size_t n = wires.size();
  for (size_t i = 0; i < n; ++i) {
    parts.push_back(Hadamard(wires[i]));
    for (size_t j = i + 1; j < n; ++j)
      parts.push_back(ControlledPhaseShift(
          std::numbers::pi / std::ldexp(1, static_cast<int>(j - i)), wires[j], wires[i]));
  }
  for (size_t i = 0; i < n / 2; ++i) parts.push_back(SWAP(wires[i], wires[n - 1 - i]));
  return of_parts("QFT", wires, {}, std::move(parts));
}

Operation BitFlip(const Angle& p, int64_t wire) { return noise("BitFlip", p, wire); }
Operation PhaseFlip(const Angle& p, int64_t wire) { return noise("PhaseFlip", p, wire); }
Operation DepolarizingChannel(const Angle& p, int64_t wire) {
  return noise("DepolarizingChannel", p, wire);
}
Operation AmplitudeDamping(const Angle& gamma, int64_t wire) {
  return noise("AmplitudeDamping", gamma, wire);
}
Operation PhaseDamping(const Angle& gamma, int64_t wire) {
  return noise("PhaseDamping", gamma, wire);
}
Operation GeneralizedAmplitudeDamping(double gamma, double p, int64_t wire) {
  share("GeneralizedAmplitudeDamping", gamma);
  share("GeneralizedAmplitudeDamping", p);
  const double s = std::sqrt(1 - p), q = std::sqrt(p), k = std::sqrt(1 - gamma),
               g = std::sqrt(gamma);
  return channel(
      "GeneralizedAmplitudeDamping",
      {real(s, 0, 0, s * k), real(0, s * g, 0, 0), real(q * k, 0, 0, q), real(0, 0, q * g, 0)},
      {wire}, {});
}
Operation ResetError(double p0, double p1, int64_t wire) {
  share("ResetError", p0);
  share("ResetError", p1);
  const double rest = std::sqrt(share("ResetError", 1 - p0 - p1)), a = std::sqrt(p0),
               b = std::sqrt(p1);
  return channel("ResetError",
                 {real(rest, 0, 0, rest), real(a, 0, 0, 0), real(0, a, 0, 0), real(0, 0, b, 0),
                  real(0, 0, 0, b)},
                 {wire}, {});
}
Operation QubitChannel(const std::vector<Complex>& kraus, const Wires& wires, Where where) {
  std::vector<Matrix> matrices;
  for (const Complex& k : kraus) {
    check_matrix("QubitChannel", k, wires, 2, where);
    matrices.push_back(matrix_of(k));
  }
  if (kraus.empty()) throw ValueError("QubitChannel: no matrices", where);
  return channel("QubitChannel", matrices, wires, where);
}

}  // namespace glia::quantum
