// Circuits: their states beside products of matrices, derivatives by three methods, mixed states,
// measurements, shots, and what is refused.
#include "glia/quantum/circuit.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <numbers>

#include "glia/autodiff.h"
#include "glia/data/source.h"
#include "glia/ops.h"
#include "glia/quantum/templates.h"
#include "glia/random.h"
#include "glia/runtime.h"
#include "kernels.h"
#include "tests/support/instructions.h"
#include "tests/support/values.h"

namespace glia::quantum {
namespace {

using glia::test::expect_same;
using glia::test::expect_values;
using glia::test::message_of;
using glia::test::numbers;

constexpr double kPi = std::numbers::pi;

// A circuit of gates of all kinds on random wires; angles are those of one tensor (P) or (B, P).
std::vector<Operation> random_gates(int64_t wires, int64_t count, uint64_t seed,
                                    const Tensor& angles) {
  data::Random random(seed);
  std::vector<Operation> out;
  int64_t angle = 0;
  for (int64_t i = 0; i < count; ++i) {
    Wires w = range(wires);
    for (size_t k = 0; k < w.size(); ++k)
      std::swap(w[k], w[k + static_cast<size_t>(random.below(static_cast<int64_t>(w.size() - k)))]);
    const auto next = [&] { return Angle(angles, angle++ % angles.size(-1)); };
    switch (random.below(wires > 3 ? 18 : 15)) {
      case 0:
        out.push_back(Hadamard(w[0]));
        break;
      case 1:
        out.push_back(Rot(next(), next(), next(), w[0]));
        break;
      case 2:
        out.push_back(CNOT(w[0], w[1]));
        break;
      case 3:
        out.push_back(CRX(next(), w[0], w[1]));
        break;
      case 4:
        out.push_back(adjoint(U3(next(), next(), next(), w[0])));
        break;
      case 5:
        out.push_back(IsingXX(next(), w[0], w[1]));
        break;
      case 6:
        out.push_back(IsingZZ(next(), w[0], w[1]));
        break;
      case 7:
        out.push_back(SingleExcitation(next(), w[0], w[1]));
        break;
      case 8:
        out.push_back(ctrl(RY(next(), w[0]), {w[1], w[2]}, {true, false}));
        break;
      case 9:
        out.push_back(ControlledPhaseShift(next(), w[0], w[1]));
        break;
      case 10:
        out.push_back(adjoint(T(w[0])));
        break;
      case 11:
        out.push_back(CSWAP(w[0], w[1], w[2]));
        break;
      case 12:
        out.push_back(MultiRZ(next(), {w[0], w[1], w[2]}));
        break;
      case 13:
        out.push_back(ctrl(GlobalPhase(next()), {w[0]}, {false}));
        break;
      case 14:
        out.push_back(ECR(w[0], w[1]));
        break;
      case 15:
        out.push_back(DoubleExcitation(next(), w[0], w[1], w[2], w[3]));
        break;
      case 16:
        out.push_back(PSWAP(next(), w[0], w[1]));
        break;
      default:
        out.push_back(PauliRot(next(), "XYZ", {w[0], w[1], w[2]}));
    }
  }
  return out;
}

Circuit circuit_of(int64_t wires, const std::vector<Operation>& gates, CircuitOptions options) {
  Circuit c(wires, options);
  c.add(gates);
  return c;
}

// From single numbers to blocks of a vector.
TEST(Circuit, StatesAreProductsOfMatrices) {
  for (const int64_t wires : {3, 4, 5, 7, 15})
    for (const uint64_t seed : {1, 2}) {
      const Tensor angles = numbers({60}, static_cast<double>(seed)) * 3;
      const auto gates = random_gates(wires, 40, seed, angles);
      const Complex own = circuit_of(wires, gates, {}).state(),
                    other =
                        circuit_of(wires, gates, {.diff_method = DiffMethod::kBackprop}).state();
      expect_same(own.re, other.re, 1e-12);
      expect_same(own.im, other.im, 1e-12);
      const Complex narrow = circuit_of(wires, gates, {.dtype = kF32}).state();
      EXPECT_EQ(narrow.re.dtype(), kF32);
      EXPECT_LT(max(abs(narrow.re - own.re)).item(), 2e-6);
      EXPECT_NEAR(sum(square(own.re) + square(own.im)).item(), 1, 1e-12);
    }
}

TEST(Circuit, DerivativesAgreeByAllMethods) {
  for (const int64_t wires : {4, 6}) {
    const Tensor angles = trainable(numbers({3, 40}) * 2);
    const auto gates = random_gates(wires, 30, 5, angles);
    const Observable h = 0.7 * X(0) * Z(1) - 1.3 * Y(2) + Z(3) * Z(0) + I(0.25);
    std::vector<Tensor> grads;
    for (const DiffMethod method :
         {DiffMethod::kAdjoint, DiffMethod::kParameterShift, DiffMethod::kBackprop}) {
      const Tensor e = circuit_of(wires, gates, {.diff_method = method}).expval({h, Z(1)});
      EXPECT_EQ(e.shape(), (Shape{3, 2}));
      grads.push_back(gradients(sum(e * numbers({3, 2})), {angles})[0]);
    }
    expect_same(grads[0], grads[2], 1e-10);
    expect_same(grads[1], grads[2], 1e-10);
    EXPECT_GT(max(abs(grads[0])).item(), 0.1);
  }
}

TEST(Circuit, DerivativesInBlocks) {
  const Tensor angles = trainable(numbers({40}) * 2);
  const auto gates = random_gates(15, 40, 7, angles);
  const auto slope = [&](const CircuitOptions& options) {
    return gradients(sum(circuit_of(15, gates, options).expval(X(0) * Z(14) + Y(7))), {angles})[0];
  };
  const Tensor own = slope({}), other = slope({.diff_method = DiffMethod::kBackprop});
  expect_same(own, other, 1e-10);
  EXPECT_LT(max(abs(slope({.dtype = kF32}) - other)).item(), 1e-4);
  const int threads = num_threads();
  set_num_threads(1);
  expect_same(slope({}), own);
  set_num_threads(threads);
}

TEST(Circuit, DerivativesOfAnyOrder) {
  const auto f = [](const std::vector<Tensor>& in) {
    Circuit c(3);
    c.set_state({in[1], in[2]});
    c.add(random_gates(3, 14, 3, in[0]));
    const Complex s = c.state();
    return stack({c.expval(X(0) * Y(1)), sum(s.re * numbers({8})) + sum(s.im * numbers({8}, 2)),
                  c.purity({1})});
  };
  const std::vector<Tensor> in{numbers({9}), numbers({8}, 3), numbers({8}, 4)};
  EXPECT_EQ(gradcheck(f, in), "");
  EXPECT_EQ(gradgradcheck(f, in), "");
  const Tensor t = numbers({9}, 8);
  const auto [value, slope] = jvp(
      [&](const std::vector<Tensor>& x) {
        return f({x[0], in[1], in[2]});
      },
      {in[0]}, {t});
  const double h = 1e-5;
  expect_same(
      slope, (f({in[0] + h * t, in[1], in[2]}) - f({in[0] - h * t, in[1], in[2]})) / (2 * h), 1e-8);
}

TEST(Circuit, InsideVmap) {
  const TensorFunction f = [](const std::vector<Tensor>& in) {
    Circuit c(3);
    c.add(random_gates(3, 14, 3, in[0]));
    const Tensor e = c.expval({X(0), Z(1) * Y(2)});
    return concat({e, gradients(sum(e), {in[0]})[0]});
  };
  const Tensor x = trainable(numbers({4, 9}));
  const Tensor rows = vmap(f)({x});
  for (int64_t i = 0; i < 4; ++i) expect_same(index(rows, {i}), f({index(x, {i})}), 1e-12);
  const TensorFunction g = [](const std::vector<Tensor>& in) {
    Circuit c(3);
    c.add(random_gates(3, 14, 3, in[0]));
    return c.expval({X(0), Z(1) * Y(2)});
  };
  const Tensor at = numbers({9});
  const Tensor whole = jacobian(g, {at})[0];
  EXPECT_EQ(whole.shape(), (Shape{2, 9}));
  expect_same(sum(whole, {0}), slice(f({trainable(at)}), 0, Slice{2, 11}), 1e-10);
}

TEST(Circuit, ShiftsHaveDerivatives) {
  const auto f = [](DiffMethod method) {
    return [method](const std::vector<Tensor>& in) {
      Circuit c(3, {.diff_method = method});
      c.add(random_gates(3, 10, 4, in[0]));
      return c.expval(Z(0) * X(2));
    };
  };
  const Tensor at = numbers({7});
  const auto hessian = [&](DiffMethod method) {
    const Tensor x = trainable(at);
    const Tensor g = gradients(f(method)({x}), {x})[0];
    return gradients(sum(g * numbers({7}, 5)), {x})[0];
  };
  expect_same(hessian(DiffMethod::kAdjoint), hessian(DiffMethod::kBackprop), 1e-10);
  expect_same(hessian(DiffMethod::kParameterShift), hessian(DiffMethod::kBackprop), 1e-10);
}

TEST(Circuit, MixedStatesWithoutNoiseAreThoseOfVectors) {
  const Tensor angles = trainable(numbers({2, 30}) * 2);
  const auto gates = random_gates(4, 25, 9, angles);
  const Circuit pure = circuit_of(4, gates, {}), mixed = circuit_of(4, gates, {.mixed = true});
  for (const Wires& wires : {Wires{}, Wires{2}, Wires{3, 0}}) {
    const Complex a = pure.density_matrix(wires), b = mixed.density_matrix(wires);
    expect_same(a.re, b.re, 1e-12);
    expect_same(a.im, b.im, 1e-12);
    expect_same(pure.probs(wires), mixed.probs(wires), 1e-12);
    expect_same(pure.purity(wires), mixed.purity(wires), 1e-12);
  }
  const Observable h = X(0) * Y(2) + 0.3 * Z(1);
  expect_same(pure.expval(h), mixed.expval(h), 1e-12);
  expect_same(pure.var(h), mixed.var(h), 1e-12);
  expect_same(gradients(sum(mixed.expval(h)), {angles})[0],
              gradients(sum(pure.expval(h)), {angles})[0], 1e-10);
  const Circuit shifts =
      circuit_of(4, gates, {.mixed = true, .diff_method = DiffMethod::kParameterShift});
  expect_same(gradients(sum(shifts.expval(h)), {angles})[0],
              gradients(sum(pure.expval(h)), {angles})[0], 1e-10);
}

TEST(Circuit, NoiseIsWhatItsMatricesSay) {
  // |+> under damping by 0.3: <X> falls by sqrt(0.7), <Z> becomes 0.3.
  const auto of = [](const Operation& noise) {
    Circuit c(2, {.mixed = true});
    c.add(Hadamard(1)).add(noise);
    return c.expval({X(1), Y(1), Z(1)}).to_vector<double>();
  };
  const auto near = [](const std::vector<double>& a, const std::vector<double>& b) {
    for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-12);
  };
  near(of(AmplitudeDamping(0.3, 1)), {std::sqrt(0.7), 0, 0.3});
  near(of(PhaseDamping(0.3, 1)), {std::sqrt(0.7), 0, 0});
  near(of(PhaseFlip(0.1, 1)), {0.8, 0, 0});
  near(of(BitFlip(0.1, 1)), {1, 0, 0});
  near(of(DepolarizingChannel(0.3, 1)), {1 - 4 * 0.3 / 3, 0, 0});
  near(of(ResetError(0.2, 0.1, 1)), {0.7, 0, 0.1});
  near(of(GeneralizedAmplitudeDamping(0.3, 0.5, 1)), {std::sqrt(0.7), 0, 0});
}

TEST(Circuit, NoiseHasDerivatives) {
  const auto f = [](DiffMethod method) {
    return [method](const std::vector<Tensor>& in) {
      Circuit c(3, {.mixed = true, .diff_method = method});
      c.add(random_gates(3, 6, 4, in[0]));
      c.add(AmplitudeDamping(squeeze(slice(in[1], 0, Slice{0, 1}), 0), 0));
      c.add(CRY(squeeze(slice(in[1], 0, Slice{1, 2}), 0), 0, 1));
      c.add(DepolarizingChannel(squeeze(slice(in[1], 0, Slice{2, 3}), 0), 1));
      c.add(QubitChannel({{std::sqrt(0.5) * eye(4, kF64), zeros({4, 4}, kF64)},
                          {zeros({4, 4}, kF64), std::sqrt(0.5) * eye(4, kF64)}},
                         {0, 2}));
      c.add(RX(0.4, 2));
      return c.expval({Z(0) * X(1), Y(2)});
    };
  };
  const std::vector<Tensor> in{numbers({5}), tensor({0.2, 0.7, 0.1})};
  EXPECT_EQ(gradcheck(f(DiffMethod::kAdjoint), in), "");
  expect_same(f(DiffMethod::kAdjoint)(in), f(DiffMethod::kBackprop)(in), 1e-12);
}

TEST(Circuit, ShotsApproachExpectations) {
  Circuit c(3);
  c.add(RY(0.8, 0)).add(CNOT(0, 1)).add(RX(0.5, 2)).add(CRZ(1.1, 2, 0)).add(RY(0.3, 1));
  const Observable h = 0.5 * Z(0) * Z(1) + X(1) - 0.7 * Y(2) + Z(2) + I(2);
  EXPECT_NEAR(c.estimate(h, 40000, 3), c.expval(h).item(), 0.03);
  const Samples samples = c.sample(5000, 1);
  EXPECT_EQ(samples.bits.shape(), (Shape{5000, 3}));
  const auto p = c.probs().to_vector<double>();
  int64_t all = 0;
  for (const auto& [word, count] : samples.counts()) {
    all += count;
    EXPECT_NEAR(static_cast<double>(count) / 5000,
                p[static_cast<size_t>(std::stoi(word, nullptr, 2))], 0.03);
  }
  EXPECT_EQ(all, 5000);
  EXPECT_EQ(c.sample(100, 7).counts(), c.sample(100, 7).counts());
  EXPECT_NE(c.sample(100, 7).counts(), c.sample(100, 8).counts());
}

// What is kept of a state is not used again once anything has changed.
TEST(Circuit, AddingChangesWhatIsMeasured) {
  Circuit c(2);
  const Tensor angle = trainable(tensor(0.3));
  c.add(RY(angle, 0));
  const double before = c.expval(Z(0)).item();
  c.add(RY(0.2, 0));
  EXPECT_NEAR(c.expval(Z(0)).item(), std::cos(0.5), 1e-12);
  EXPECT_NEAR(before, std::cos(0.3), 1e-12);
  const double h = std::sqrt(0.5);
  c.set_state({tensor({h, 0., 0., h}), zeros({4}, kF64)});
  EXPECT_NEAR(c.expval(Z(0)).item(), 0, 1e-12);
  {
    const NoGrad off;
    EXPECT_FALSE(c.expval(X(1)).requires_grad());
  }
  EXPECT_NEAR(gradients(c.expval(X(0) * X(1)), {angle})[0].item(), -std::sin(0.5), 1e-12);
  Circuit copy = c;
  copy.add(PauliX(1));
  EXPECT_NEAR(copy.expval(Z(0) * Z(1)).item(), -c.expval(Z(0) * Z(1)).item(), 1e-12);
}

TEST(Circuit, ManyWiresAndOne) {
  Circuit one(1);
  one.add(Hadamard(0));
  expect_values(one.probs(), {2}, {0.5, 0.5}, 1e-15);
  Circuit ring(20, {.dtype = kF32});
  ring.add(Hadamard(0));
  for (int64_t i = 0; i < 19; ++i) ring.add(CNOT(i, i + 1));
  EXPECT_NEAR(ring.expval(X(0) * Observable({1}, {"I" + std::string(19, 'X')})).item(), 1, 1e-5);
  expect_values(ring.probs({19, 0}), {4}, {0.5, 0, 0, 0.5}, 1e-6);
}

TEST(Circuit, WhatDoesNotFitIsRefused) {
  const auto fault = [](const std::function<void(Circuit&)>& f, CircuitOptions options = {}) {
    return message_of([&] {
      Circuit c(2, options);
      f(c);
    });
  };
  using C = Circuit&;
  EXPECT_EQ(fault([](C c) { c.add(RX(0.1, 2)); }).find("RX: there is no wire 2 among 2"), 0u);
  EXPECT_EQ(fault([](C c) { c.add(CNOT(1, 1)); }).find("CNOT names wire 1 twice"), 0u);
  EXPECT_EQ(fault([](C c) { c.add(ctrl(PauliX(0), {0})); }).find("PauliX names wire 0 twice"), 0u);
  EXPECT_EQ(fault([](C c) {
              c.add(MultiRZ(1, {0, -1}));
            }).find("MultiRZ: there is no wire -1"),
            0u);
  EXPECT_EQ(fault([](C c) { c.add(BitFlip(0.1, 0)); }).find("BitFlip: a channel needs"), 0u);
  EXPECT_EQ(fault([](C c) { c.add(Operation{"Warp", {0}}); }).find("there is no gate Warp"), 0u);
  EXPECT_EQ(fault([](C c) { c.add(Operation{"RX", {0}}); }).find("RX is a gate on 1 wires"), 0u);
  EXPECT_EQ(fault([](C c) {
              c.add(RX(zeros({2, 2}), 0));
            }).find("RX: an angle is a number or (B)"),
            0u);
  EXPECT_EQ(fault([](C c) {
              c.add(RX(zeros({2}), 0)).add(RY(zeros({3}), 0));
            }).find("RY: a batch of 3 in a circuit with one of 2"),
            0u);
  EXPECT_EQ(fault([](C c) { c.add(RX(tensor(1), 0)); }).find("RX: an angle is i32"), 0u);
  EXPECT_EQ(fault([](C c) { c.expval(Z(2)); }).find("expval: there is no wire 2 among 2"), 0u);
  EXPECT_EQ(fault([](C c) { c.probs({0, 0}); }).find("probs names wire 0 twice"), 0u);
  EXPECT_EQ(fault([](C c) { c.sample(0); }).find("sample: 0 shots"), 0u);
  EXPECT_EQ(fault([](C c) {
              c.set_state({zeros({3}), zeros({3})});
            }).find("set_state: the amplitudes of 2"),
            0u);
  EXPECT_EQ(fault([](C c) { c.state(); }, {.mixed = true}).find("state: a mixed circuit"), 0u);
  EXPECT_EQ(message_of([] { Circuit(29); }).find("Circuit: 29 wires"), 0u);
  EXPECT_EQ(message_of([] { Circuit(0); }).find("Circuit: 0 wires"), 0u);
  EXPECT_EQ(message_of([] { Circuit(2, {.dtype = kF16}); }).find("Circuit: numbers are f32"), 0u);
  EXPECT_EQ(message_of([] { BitFlip(1.5, 0); }).find("BitFlip: 1.5"), 0u);
  EXPECT_EQ(message_of([] { adjoint(BitFlip(0.5, 0)); }), "BitFlip: a channel has no inverse");
  EXPECT_EQ(message_of([] {
              QubitUnitary({ones({2, 2}), zeros({2, 2})}, {0});
            }).find("QubitUnitary: the matrix is not unitary"),
            0u);
  EXPECT_EQ(message_of([] { PauliRot(1, "XQ", {0, 1}); }).find("PauliRot: 'XQ'"), 0u);
  EXPECT_NE(message_of([] { X(0) * Y(0); }).find("is not Hermitian"), std::string::npos);
}

// A matrix on each bit of a vector of 2^8 numbers, the lowest of which lie within a vector of
// lanes.
template <class T>
void check_vector_loops() {
  constexpr int kBits = 8, kSize = 1 << kBits;
  Matrix m(2);
  m(0, 0) = {0.6, 0.1}, m(0, 1) = {-0.2, 0.5}, m(1, 0) = {0.3, -0.7}, m(1, 1) = {0.9, 0.4};
  for (const int bit : {0, 2, 7}) {
    std::vector<T> re(kSize), im(kSize), sums(2 * kSize);
    for (int i = 0; i < kSize; ++i) {
      re[i] = static_cast<T>(std::sin(0.3 * i));
      im[i] = static_cast<T>(std::cos(0.7 * i));
    }
    const std::vector<T> a_re = re, a_im = im;
    const Site site{{bit}};
    Coefficients<T> how;
    prepare(how, site, m, kBits);
    apply(how, site, m, re.data(), im.data(), kBits);
    std::vector<Cx> products(4), expected(4);
    cross(how, site, a_re.data(), a_im.data(), re.data(), im.data(), kBits, std::span(products));
    for (int i = 0; i < kSize; ++i) {
      const int row = i >> bit & 1, zero = i & ~(1 << bit), one = zero | 1 << bit;
      const Cx y = m(row, 0) * Cx{a_re[zero], a_im[zero]} + m(row, 1) * Cx{a_re[one], a_im[one]};
      EXPECT_NEAR(re[i], y.re, 1e-6);
      EXPECT_NEAR(im[i], y.im, 1e-6);
      for (int j = 0; j < 2; ++j) {
        const int other = j ? one : zero;
        expected[2 * row + j] =
            expected[2 * row + j] + conj({a_re[i], a_im[i]}) * Cx{re[other], im[other]};
      }
    }
    for (int i = 0; i < 4; ++i) {
      EXPECT_NEAR(products[i].re, expected[i].re, 1e-4);
      EXPECT_NEAR(products[i].im, expected[i].im, 1e-4);
    }
    // Z of the highest bit, twice.
    add_pauli<T>({0, kSize / 2, 2}, a_re.data(), a_im.data(), sums.data(), sums.data() + kSize, 0,
                 kSize);
    for (int i = 0; i < kSize; ++i) EXPECT_EQ(sums[i], (i < kSize / 2 ? 2 : -2) * a_re[i]);
  }
}
TEST(VectorLoopsDeathTest, AreThoseOfTheLevelInUse) {
  const auto check = [] {
    check_vector_loops<float>();
    check_vector_loops<double>();
  };
  Matrix m(2);
  m(0, 1) = {0.5, 0.5};
  std::vector<double> re(64), im(64), to(64);
  std::vector<Cx> sums(4);
  const Site site{{4}};
  Coefficients<double> how;
  prepare(how, site, m, 6);
  test::expect_each_level("libglia_quantum", check, [&] {
    apply(how, site, m, re.data(), im.data(), 6);
    cross(how, site, re.data(), im.data(), re.data(), im.data(), 6, std::span(sums));
    add_pauli<double>({0, 32, 2}, re.data(), im.data(), to.data(), to.data(), 0, 64);
  });
}

TEST(Observable, AlgebraIsThatOfMatrices) {
  const Observable a = 0.5 * X(0) * Z(2) - Y(1) + I(0.25),
                   b = 2 * ((Z(0) * Z(1)) * (X(0) * X(1))) - Y(2);
  const Observable c = a * a + b;
  const Complex m = matmul(a.matrix(3), a.matrix(3)) + b.matrix(3), n = c.matrix(3);
  expect_same(m.re, n.re, 1e-14);
  expect_same(m.im, n.im, 1e-14);
  EXPECT_EQ(a.str(), "0.5 * X(0) Z(2) - Y(1) + 0.25");
  EXPECT_EQ(Observable({0.5, -1}, {"XIZ", "IYI"}).str(), "0.5 * X(0) Z(2) - Y(1)");
  EXPECT_EQ((a - b).wires(), 3);
  EXPECT_EQ((Y(0) * Y(1)).str(), (-1 * ((Z(0) * Z(1)) * (X(0) * X(1)))).str());
  const Tensor angles = numbers({30});
  Circuit circuit(3);
  circuit.add(random_gates(3, 20, 2, angles));
  const Complex s = circuit.state(), h = c.matrix(3);
  const Complex hs = matmul(h, Complex{unsqueeze(s.re, 1), unsqueeze(s.im, 1)});
  EXPECT_NEAR(circuit.expval(c).item(),
              (sum(s.re * squeeze(hs.re, 1)) + sum(s.im * squeeze(hs.im, 1))).item(), 1e-12);
  const Observable square = a * a;
  EXPECT_NEAR(circuit.var(a).item(),
              circuit.expval(square).item() - std::pow(circuit.expval(a).item(), 2), 1e-12);
}

TEST(Operation, Matrices) {
  const double h = std::sqrt(0.5);
  expect_values(Hadamard(3).matrix().re, {2, 2}, {h, h, h, -h}, 1e-15);
  expect_values(CNOT(5, 2).matrix().re, {4, 4}, {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0});
  expect_values(adjoint(S(0)).matrix().im, {2, 2}, {0, 0, 0, -1}, 1e-15);
  expect_values(ctrl(PauliX(0), {1}, {false}).matrix().re, {4, 4},
                {0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1});
  // A Fourier transform of |1> is a wave.
  const Complex qft = QFT({0, 1, 2}).matrix();
  for (int k = 0; k < 8; ++k) {
    EXPECT_NEAR(index(qft.re, {k, 1}).item(), std::cos(kPi * k / 4) / std::sqrt(8), 1e-14);
    EXPECT_NEAR(index(qft.im, {k, 1}).item(), std::sin(kPi * k / 4) / std::sqrt(8), 1e-14);
  }
}

}  // namespace
}  // namespace glia::quantum
