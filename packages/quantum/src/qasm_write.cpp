#include <algorithm>
#include <charconv>
#include <cmath>
#include <numbers>

#include "glia/error.h"
#include "glia/io.h"
#include "glia/ops.h"
#include "glia/quantum/qasm.h"
#include "lowering.h"

namespace glia::quantum {
namespace {

constexpr double kPi = std::numbers::pi;

// The shortest text that is that number.
std::string shortest(double x) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof(text), x).ptr;
  return std::string(text, end);
}

class Writer {
 public:
  Writer(const Circuit& circuit, Where where) : where_(where) {
    out_ = "OPENQASM 2.0;\ninclude \"qelib1.inc\";\nqreg q[" + std::to_string(circuit.wires()) +
           "];\n";
    for (const Operation& o : circuit.operations()) operation(o);
  }
  const std::string& text() const { return out_; }

 private:
  void line(const std::string& name, const std::vector<double>& angles,
            const std::vector<int>& wires) {
    out_ += name;
    for (size_t i = 0; i < angles.size(); ++i) out_ += (i ? "," : "(") + shortest(angles[i]);
    if (!angles.empty()) out_ += ")";
    for (size_t i = 0; i < wires.size(); ++i)
      out_ += (i ? ",q[" : " q[") + std::to_string(wires[i]) + "]";
    out_ += ";\n";
  }
  double value(const Angle& a) const {
    if (a.is_number()) return a.number();
    const Tensor t = a.at() < 0 ? a.tensor() : slice(a.tensor(), -1, Slice{a.at(), a.at() + 1});
    if (t.numel() != 1) throw ValueError("to_qasm: a circuit with a batch", where_);
    return stop_gradient(t).item();
  }

  void operation(const Operation& o) {
    if (is_channel(o)) throw ValueError("to_qasm: " + o.name + " is a channel", where_);
    if ((o.name == "U2" || o.name == "U3") && o.controls.empty() && !o.inverse) {
      std::vector<double> angles;
      for (const Angle& a : o.angles) angles.push_back(value(a));
      return line(o.name == "U2" ? "u2" : "u3", angles, {static_cast<int>(o.wires[0])});
    }
    Program program;
    program.wires = 28;
    std::vector<Angle> angles;
    lower(o, false, program, angles, Numbers::kKeep);
    for (const Instruction& i : program.instructions) {
      // Controls that must be 0 are turned around.
      std::vector<int> flipped;
      for (size_t c = 0; c < i.controls.size(); ++c)
        if (!(i.values >> c & 1)) flipped.push_back(i.controls[c]);
      for (int wire : flipped) line("x", {}, {wire});
      const double angle = i.angle < 0 ? 0 : value(angles[static_cast<size_t>(i.angle)]);
      if (!instruction(i, i.inverse ? -angle : angle))
        throw ValueError(
            "to_qasm: " + o.name +
                (i.controls.empty() ? ""
                                    : " with " + std::to_string(i.controls.size()) + " controls") +
                " is no gate of OpenQASM 2",
            where_);
      for (int wire : flipped) line("x", {}, {wire});
    }
  }

  // False: there is no such gate.
  bool instruction(const Instruction& i, double angle) {
    std::vector<int> wires = i.controls;
    wires.insert(wires.end(), i.targets.begin(), i.targets.end());
    const size_t controls = i.controls.size();
    const int target = wires.back();
    const char* dagger = i.inverse ? "dg" : "";
    if (controls == 0) {
      switch (i.form) {
        case Form::kX:
          return line("x", {}, wires), true;
        case Form::kY:
          return line("y", {}, wires), true;
        case Form::kZ:
          return line("z", {}, wires), true;
        case Form::kH:
          return line("h", {}, wires), true;
        case Form::kS:
          return line(std::string("s") + dagger, {}, wires), true;
        case Form::kT:
          return line(std::string("t") + dagger, {}, wires), true;
        case Form::kSX:
          return line(std::string("sx") + dagger, {}, wires), true;
        case Form::kRX:
          return line("rx", {angle}, wires), true;
        case Form::kRY:
          return line("ry", {angle}, wires), true;
        case Form::kRZ:
          return line("rz", {angle}, wires), true;
        case Form::kPhase:
          return line("u1", {angle}, wires), true;
        case Form::kGlobalPhase:
          return true;
        case Form::kSwap:
          return line("swap", {}, wires), true;
        case Form::kISwap:
          return !i.inverse && iswap(wires);
        case Form::kIsingXX:
          return ising('X', angle, wires);
        case Form::kIsingYY:
          return ising('Y', angle, wires);
        case Form::kIsingZZ:
          return ising('Z', angle, wires);
        case Form::kIsingXY:
          return ising('X', -angle / 2, wires) && ising('Y', -angle / 2, wires);
        case Form::kMatrix:
          return i.targets.size() == 1 && any(i.value(0), target);
        default:
          return false;
      }
    }
    if (controls == 1) {
      switch (i.form) {
        case Form::kX:
          return line("cx", {}, wires), true;
        case Form::kY:
          return line("cy", {}, wires), true;
        case Form::kZ:
          return line("cz", {}, wires), true;
        case Form::kH:
          return line("ch", {}, wires), true;
        case Form::kS:
          return line("cu1", {i.inverse ? -kPi / 2 : kPi / 2}, wires), true;
        case Form::kT:
          return line("cu1", {i.inverse ? -kPi / 4 : kPi / 4}, wires), true;
        case Form::kRX:
          return line("crx", {angle}, wires), true;
        case Form::kRY:
          return line("cry", {angle}, wires), true;
        case Form::kRZ:
          return line("crz", {angle}, wires), true;
        case Form::kPhase:
          return line("cu1", {angle}, wires), true;
        case Form::kSwap:
          return line("cswap", {}, wires), true;
        default:
          return false;
      }
    }
    const char* const toffoli = controls == 2 ? "ccx" : controls == 3 ? "c3x" : "c4x";
    if (controls > 4 || (i.form != Form::kX && i.form != Form::kZ)) return false;
    if (i.form == Form::kZ) line("h", {}, {target});
    line(toffoli, {}, wires);
    if (i.form == Form::kZ) line("h", {}, {target});
    return true;
  }

  bool iswap(const std::vector<int>& w) {
    line("s", {}, {w[0]});
    line("s", {}, {w[1]});
    line("h", {}, {w[0]});
    line("cx", {}, w);
    line("cx", {}, {w[1], w[0]});
    line("h", {}, {w[1]});
    return true;
  }
  // exp(-i angle/2 P P).
  bool ising(char letter, double angle, const std::vector<int>& w) {
    const auto turn = [&](double sign) {
      for (int wire : w)
        if (letter == 'X')
          line("h", {}, {wire});
        else if (letter == 'Y')
          line("rx", {sign * kPi / 2}, {wire});
    };
    turn(1);
    line("cx", {}, w);
    line("rz", {angle}, {w[1]});
    line("cx", {}, w);
    turn(-1);
    return true;
  }
  // Any matrix of one wire, but for its phase.
  bool any(const Matrix& m, int wire) {
    const auto phase = [](Cx x) { return std::atan2(x.im, x.re); };
    const double c = std::hypot(m(0, 0).re, m(0, 0).im), s = std::hypot(m(1, 0).re, m(1, 0).im);
    const double theta = 2 * std::atan2(s, c);
    // Of a phase that the first entry has; of an entry that is 0 the other tells the angle.
    double phi = 0, lambda = 0;
    if (c < 1e-12) {
      phi = phase(m(1, 0));
      lambda = phase({-m(0, 1).re, -m(0, 1).im});
    } else if (s < 1e-12) {
      lambda = phase(m(1, 1)) - phase(m(0, 0));
    } else {
      phi = phase(m(1, 0)) - phase(m(0, 0));
      lambda = phase(m(1, 1)) - phase(m(0, 0)) - phi;
    }
    line("u3", {theta, phi, lambda}, {wire});
    return true;
  }

  const Where where_;
  std::string out_;
};

}  // namespace

std::string to_qasm(const Circuit& circuit, Where where) { return Writer(circuit, where).text(); }

void write_qasm(const std::string& path, const Circuit& circuit, Where where) {
  io::write_file_atomic(path, to_qasm(circuit, where));
}

}  // namespace glia::quantum
