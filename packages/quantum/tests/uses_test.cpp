// What circuits are for: layers and embeddings, OpenQASM, drawings, molecules, cuts, autoencoders,
// barren plateaus.
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "glia/autodiff.h"
#include "glia/data/source.h"
#include "glia/io.h"
#include "glia/ops.h"
#include "glia/ops/arrange.h"
#include "glia/optim.h"
#include "glia/quantum/chemistry.h"
#include "glia/quantum/datasets.h"
#include "glia/quantum/qasm.h"
#include "glia/quantum/templates.h"
#include "glia/random.h"
#include "tests/support/scratch.h"
#include "tests/support/values.h"

namespace glia::quantum {
namespace {

using glia::test::expect_same;
using glia::test::expect_values;
using glia::test::message_of;
using glia::test::numbers;

constexpr double kPi = std::numbers::pi;

TEST(Templates, BatchesAreSamplesOneByOne) {
  const Tensor x = numbers({3, 4}), w = numbers({2, 4, 3}, 1);
  const auto values = [&](const Tensor& sample, int which) {
    Circuit c(4);
    if (which == 0) c.add(AngleEmbedding(sample, range(4)));
    if (which == 1) c.add(IQPEmbedding(sample, range(4), 2));
    if (which == 2) c.add(ZZFeatureMap(sample, range(4)));
    if (which == 3) c.set_state(AmplitudeEmbedding(sample, 4));
    c.add(StronglyEntanglingLayers(w, range(4)));
    c.add(BasicEntanglerLayers(index(w, {Slice{}, Slice{}, 0}), range(4), 'Y'));
    c.add(SimplifiedTwoDesign(numbers({4}, 2), numbers({2, 3, 2}, 3), range(4)));
    return c.expval({Z(0), X(3)});
  };
  for (int which = 0; which < 4; ++which) {
    const Tensor all = values(x, which);
    EXPECT_EQ(all.shape(), (Shape{3, 2}));
    for (int64_t i = 0; i < 3; ++i) {
      expect_same(values(index(x, {i}), which), index(all, {i}), 1e-12);
      expect_same(values(slice(x, 0, Slice{i, i + 1}), which), slice(all, 0, Slice{i, i + 1}),
                  1e-12);
    }
  }
  EXPECT_NE(message_of([&] { AngleEmbedding(x, range(3)); }).find("4 features for 3 wires"),
            std::string::npos);
  EXPECT_NE(message_of([&] { StronglyEntanglingLayers(x, range(4)); }).find("not (3, 4)"),
            std::string::npos);
  EXPECT_NE(message_of([&] { AngleEmbedding(x, range(4), 'Q'); }).find("'Q'"), std::string::npos);
}

TEST(QNode, IsALayerAmongOthers) {
  manual_seed(1);
  struct Net : nn::Module {
    nn::Linear in{3, 2};
    QNode circuit{2, {2, 2, 3}, [](Circuit& c, const Tensor& x, const Tensor& w) {
                    c.add(AngleEmbedding(x, range(2)));
                    c.add(StronglyEntanglingLayers(w, range(2)));
                    return c.expval({Z(0), Z(1)});
                  }};
    nn::Linear out{2, 1};
    Tensor operator()(const Tensor& x) const { return out(circuit(tanh(in(x)))); }
    GLIA_FIELDS(in, circuit, out)
  } net;
  EXPECT_EQ(net.named_parameters().size(), 5u);
  EXPECT_EQ(net.named_parameters()[2].name, "circuit.weights");
  const Tensor x = cast(numbers({16, 3}), kF32), y = sum(square(x), {1}, true);
  EXPECT_EQ(net(x).shape(), (Shape{16, 1}));
  EXPECT_EQ(net(x).dtype(), kF32);
  optim::Adam optimizer(net.parameters(), {.lr = 0.05});
  const double before = mse_loss(net(x), y).item();
  for (int i = 0; i < 60; ++i) optimizer.step([&] { return mse_loss(net(x), y); });
  EXPECT_LT(mse_loss(net(x), y).item(), before / 4);
}

class Qasm : public glia::test::Scratch {};

TEST_F(Qasm, GoesOutAndBack) {
  Circuit c(5);
  c.add({Hadamard(0), PauliX(1), PauliY(2), PauliZ(3), S(4), adjoint(S(0)), T(1), adjoint(T(2)),
         SX(3), adjoint(SX(4))});
  c.add({RX(0.3, 0), RY(-1.2, 1), adjoint(RZ(0.7, 2)), PhaseShift(0.2, 3), Rot(0.1, 0.2, 0.3, 4),
         U2(0.4, 0.5, 0), U3(0.6, 0.7, 0.8, 1), adjoint(U3(0.6, -0.7, 0.8, 2))});
  c.add({CNOT(0, 3), CY(3, 1), CZ(1, 4), CH(4, 2), SWAP(0, 4), ISWAP(1, 3), CRX(0.4, 2, 0),
         CRY(0.5, 0, 1), CRZ(0.6, 1, 2), ControlledPhaseShift(0.7, 2, 3), Toffoli(0, 1, 2),
         CSWAP(3, 0, 1), CCZ(2, 3, 4), CRot(0.3, 0.2, 0.1, 1, 0)});
  c.add({IsingXX(0.3, 0, 1), IsingYY(0.4, 1, 2), IsingZZ(0.5, 2, 3), IsingXY(0.6, 3, 4),
         MultiRZ(0.7, {0, 2, 4}), PauliRot(0.8, "XYZ", {4, 2, 0}), QFT({0, 1, 2}),
         ctrl(PauliX(4), {0, 1, 2, 3}, {true, false, true, false}),
         QubitUnitary(U3(1.1, 0.4, -0.3, 0).matrix(), {3}), ctrl(S(1), {0}), GlobalPhase(0.4)});
  const std::string text = to_qasm(c);
  const Circuit again = from_qasm(text);
  EXPECT_NEAR(Circuit::fidelity(c, again).item(), 1, 1e-12);
  EXPECT_EQ(to_qasm(from_qasm(to_qasm(again))), to_qasm(again));
  EXPECT_NE(message_of([] {
              Circuit d(4);
              to_qasm(d.add(DoubleExcitation(0.1, 0, 1, 2, 3)));
            }).find("DoubleExcitation is no gate of OpenQASM 2"),
            std::string::npos);
  write_qasm(file("c.qasm"), c);
  EXPECT_NEAR(Circuit::fidelity(c, read_qasm(file("c.qasm"))).item(), 1, 1e-12);
}

TEST_F(Qasm, KnowsTheLanguage) {
  const Circuit c = from_qasm(R"(// a comment
OPENQASM 2.0;
include "qelib1.inc";
gate twist(a, b) x, y { rx(-a/2 + b^2) x; cx x,y; barrier x; u1(sin(pi/a)*2e-1) y; }
gate both(a) p, q { twist(a, 3) p, q; h p; }
qreg q[2];
qreg r[2];
creg c[2];
h q;
both(-(1+0.5)) q, r[1];
cx q, r;
barrier q, r;
measure q -> c;
)");
  Circuit d(4);
  d.add({Hadamard(0), Hadamard(1)});
  for (int64_t i = 0; i < 2; ++i)
    d.add({RX(0.75 + 9, i), CNOT(i, 3), PhaseShift(std::sin(kPi / -1.5) * 0.2, 3), Hadamard(i)});
  d.add({CNOT(0, 2), CNOT(1, 3)});
  EXPECT_NEAR(Circuit::fidelity(c, d).item(), 1, 1e-12);
}

TEST_F(Qasm, HostileTextsAreToldByLine) {
  const auto fault = [](const std::string& body) {
    const std::string text = message_of<IoError>(
        [&] { from_qasm("OPENQASM 2.0;\ninclude \"qelib1.inc\";\nqreg q[3];\n" + body); });
    EXPECT_EQ(text.find('\n'), std::string::npos);
    return text;
  };
  EXPECT_EQ(fault("warp q[0];"), "QASM: line 4: there is no gate 'warp'");
  EXPECT_EQ(fault("h q[3];"), "QASM: line 4: q[3] is beyond q[3]");
  EXPECT_EQ(fault("h q[99999999999999999999];").find("QASM: line 4: '99999999999"), 0u);
  EXPECT_EQ(fault("cx q[0],q[0];"), "QASM: line 4: the gate 'cx' names a qubit twice");
  EXPECT_EQ(fault("cx q[0];"), "QASM: line 4: the gate 'cx' has 0 angles and 2 qubits");
  EXPECT_EQ(fault("rx(1/0) q[0];"), "QASM: line 4: an angle of 'rx' is no number");
  EXPECT_EQ(fault("h q[0]"), "QASM: line 4: ';' is missing before the end");
  EXPECT_EQ(fault("\nreset q[0];"),
            "QASM: line 5: reset is not supported: a circuit is a list of gates");
  EXPECT_EQ(fault("qreg big[1000];"), "QASM: line 4: 1003 qubits; there may be 28");
  EXPECT_EQ(fault("qreg q[1];"), "QASM: line 4: the register 'q' is there already");
  EXPECT_EQ(fault("creg c[3]; measure q -> c;\nh q[1];"),
            "QASM: line 5: a gate on a qubit that is measured before");
  EXPECT_EQ(fault("gate g a { warp a; }"), "QASM: line 4: there is no gate 'warp'");
  EXPECT_EQ(fault("gate g a { h b; }"), "QASM: line 4: there is no qubit 'b'");
  EXPECT_EQ(fault("gate g a { h a;"), "QASM: line 4: the gate 'g' does not end");
  EXPECT_EQ(fault("h \x01;"), "QASM: line 4: a character that means nothing: '?'");
  EXPECT_EQ(fault("include \"/etc/passwd\";"),
            "QASM: line 4: only qelib1.inc is included, which is known");
  EXPECT_EQ(fault("rx(" + std::string(100000, '(') + "1) q[0];"),
            "QASM: line 4: an expression that is too deep");
  EXPECT_EQ(fault("rx(" + std::string(100000, '-') + "1) q[0];"),
            "QASM: line 4: an expression that is too deep");
  std::string bomb = "gate g0 a { h a; h a; }\n";
  for (int i = 1; i < 40; ++i) {
    const std::string before = "g" + std::to_string(i - 1);
    bomb += "gate g" + std::to_string(i) + " a { " + before + " a; " + before + " a; }\n";
  }
  EXPECT_NE(fault(bomb + "g39 q[0];").find("more than a million gates"), std::string::npos);
  EXPECT_NE(fault("gate h a { h a; }\nh q[0];").find("too deep"), std::string::npos);
  EXPECT_EQ(message_of<IoError>([] { from_qasm(""); }),
            "QASM: line 1: a text begins with OPENQASM 2.0;");
  EXPECT_EQ(message_of<IoError>([] { from_qasm("OPENQASM 3.0;"); }),
            "QASM: line 1: the version is not 2.0");
  EXPECT_EQ(message_of<IoError>([] { from_qasm("OPENQASM 2.0;"); }),
            "QASM: line 1: there is no qreg");
  // Cut anywhere, a text is read or told what is wrong with it.
  const std::string whole =
      "OPENQASM 2.0;\nqreg q[2];\ngate g(a) x{u3(a,-a/2,pi) x;}\ng(0.5) q;CX q[0],q[1];";
  for (size_t n = 0; n < whole.size(); ++n) {
    try {
      from_qasm(whole.substr(0, n));
    } catch (const IoError& e) {
      EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos);
    }
  }
}

TEST(Drawing, TextAndPicture) {
  Circuit c(3);
  c.add({Hadamard(0), CNOT(0, 2), ctrl(RX(0.5, 0), {1}, {false}), Rot(0.1, 0.2, 0.3, 2)});
  EXPECT_EQ(c.str(),
            "0: ──H─╭●─╭RX(0.50)────────────\n"
            "1: ────│──╰○───────────────────\n"
            "2: ────╰X─Rot(0.10,0.20,0.30)──\n");
  EXPECT_EQ(c.depth(), 3);
  const std::string svg = c.svg();
  EXPECT_EQ(svg.find("<svg xmlns"), 0u);
  EXPECT_NE(svg.find("RX(0.50)</text>"), std::string::npos);
}

TEST(Chemistry, HydrogenAcrossDistances) {
  EXPECT_NEAR(hydrogen(0.7414).exact, -1.1373, 5e-5);
  EXPECT_NEAR(hydrogen(0.7414).hartree_fock, -1.1167, 5e-5);
  for (const double distance : {0.3, 0.7414, 2.5}) {
    const Molecule m = hydrogen(distance);
    Tensor angle = trainable(tensor(0.0));
    double energy = 0;
    for (int step = 0; step < 80; ++step) {
      Circuit c(4);
      c.add({PauliX(0), PauliX(1), DoubleExcitation(angle, 0, 1, 2, 3)});
      const Tensor e = c.expval(m.hamiltonian);
      energy = e.item();
      if (step == 0) EXPECT_NEAR(energy, m.hartree_fock, 1e-12);
      angle = trainable(angle - gradients(e, {angle})[0]);
      eval(angle);
    }
    EXPECT_NEAR(energy, m.exact, 1e-6) << distance;
  }
  EXPECT_NE(message_of([] { hydrogen(0); }).find("hydrogen: a distance of 0"), std::string::npos);
}

// A 5-cycle, of which 4 edges can be cut.
TEST(Qaoa, CutsARing) {
  const Observable cost = maxcut({{0, 1}, {1, 2}, {2, 3}, {3, 4}, {4, 0}});
  const auto m = cost.matrix(5).re;
  EXPECT_EQ(min(m).item(), -4);
  Parameter angles(0.4 + 0.1 * numbers({6}));
  ParameterList list;
  list.push_back(angles);
  optim::Adam optimizer(list, {.lr = 0.05});
  const auto value = [&] {
    Circuit c(5);
    for (int64_t i = 0; i < 5; ++i) c.add(Hadamard(i));
    for (int64_t layer = 0; layer < 3; ++layer)
      c.add(QAOALayer(Angle(angles.tensor(), 2 * layer), Angle(angles.tensor(), 2 * layer + 1),
                      cost, range(5)));
    return c.expval(cost);
  };
  for (int i = 0; i < 150; ++i) optimizer.step(value);
  EXPECT_LT(value().item(), -3.6);
  EXPECT_NE(message_of([] { maxcut({{1, 1}}); }).find("from 1 to itself"), std::string::npos);
}

// Romero, Olson & Aspuru-Guzik 2017: states of a family that one wire can hold come through
// another, and the rest of the wires is 0; of random states some is lost.
TEST(Autoencoder, CompressesWhatCanBe) {
  const auto fidelity = [](const Complex& states) {
    manual_seed(3);
    Parameter weights(uniform({4, 3, 3}, 0, 2 * kPi, kF64));
    ParameterList list;
    list.push_back(weights);
    optim::Adam optimizer(list, {.lr = 0.1});
    const auto trash = [&] {  // the probability that two of three wires are 0
      Circuit c(3);
      c.set_state(states);
      c.add(StronglyEntanglingLayers(weights.tensor(), range(3)));
      return mean(slice(c.probs({0, 1}), -1, Slice{0, 1}));
    };
    for (int i = 0; i < 250; ++i) optimizer.step([&] { return 1 - trash(); });
    return trash().item();
  };
  // cos(t)|000> + sin(t)|111>.
  const Tensor t = numbers({12, 1}) * 2;
  const Tensor gap = zeros({12, 6}, kF64);
  EXPECT_GT(fidelity({concat({cos(t), gap, sin(t)}, 1), zeros({12, 8}, kF64)}), 0.999);
  manual_seed(4);
  const Tensor re = randn({12, 8}, kF64), im = randn({12, 8}, kF64);
  const Tensor norm = sqrt(sum(square(re) + square(im), {1}, true));
  EXPECT_LT(fidelity({re / norm, im / norm}), 0.8);
}

// McClean et al. 2018: the variance of a derivative over random circuits falls by about 2^n.
TEST(BarrenPlateaus, VarianceFallsWithWires) {
  std::vector<double> variances;
  for (const int64_t n : {2, 4, 6, 8}) {
    constexpr int64_t kSamples = 200;
    data::Random random(static_cast<uint64_t>(n));
    std::vector<double> values;
    const int64_t layers = 6 * n;
    for (int64_t i = 0; i < kSamples * layers * n; ++i)
      values.push_back(2 * kPi * random.uniform());
    const Tensor angles = trainable(from_vector(values, {kSamples, layers * n}));
    Circuit c(n);
    for (int64_t i = 0; i < n; ++i) c.add(RY(kPi / 4, i));
    int64_t at = 0;
    for (int64_t layer = 0; layer < layers; ++layer) {
      for (int64_t i = 0; i < n; ++i, ++at) {
        const Angle angle(angles, at);
        const int64_t letter = random.below(3);
        c.add(letter == 0 ? RX(angle, i) : letter == 1 ? RY(angle, i) : RZ(angle, i));
      }
      for (int64_t i = 0; i + 1 < n; ++i) c.add(CZ(i, i + 1));
    }
    const Tensor slopes = gradients(sum(c.expval(Z(0) * Z(1))), {angles})[0];
    const Tensor middle = slice(slopes, 1, Slice{(layers / 2) * n, (layers / 2 + 1) * n});
    variances.push_back(mean(square(middle)).item());
  }
  for (size_t i = 1; i < variances.size(); ++i) EXPECT_LT(variances[i], variances[i - 1] / 2);
  EXPECT_GT(variances[3], variances[0] / 1e4);
}

TEST(Datasets, AreAsDescribed) {
  const Labelled a = ad_hoc(40, 0.3, 2), m = moons(40), p = parity(3);
  EXPECT_EQ(sum(a.y).item<int64_t>(), 20);
  EXPECT_EQ(sum(m.y).item<int64_t>(), 20);
  expect_values(p.y, {8}, {0, 1, 1, 0, 1, 0, 0, 1});
  Circuit c(2);
  c.add(ZZFeatureMap(a.x, range(2)));
  const Tensor k = kernel_matrix(c.state(), c.state());
  expect_same(diagonal(k), ones({40}, kF64), 1e-12);
  EXPECT_NE(message_of([] { moons(3); }).find("moons: 3 samples"), std::string::npos);
}

}  // namespace
}  // namespace glia::quantum
