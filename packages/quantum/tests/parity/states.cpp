// Glia's side of states.py and speed.py. Each line of the input is a job:
//   state WIRES MIXED COUNT gate...    prints the state, or the density matrix
//   slope WIRES MIXED COUNT gate...    prints <Z(0) X(1)> and its derivatives by all angles
//   qasm WIRES FILE                    prints the state of a file
//   time WIRES METHOD COUNT gate...    seconds of a state or a gradient: wall, then processor
// and a gate is NAME WIRES wire... ANGLES angle...
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include "glia/autodiff.h"
#include "glia/ops.h"
#include "glia/quantum/qasm.h"
#include "glia/quantum/templates.h"

namespace {

using namespace glia;
using namespace glia::quantum;

std::string word() {
  std::string text;
  std::cin >> text;
  return text;
}
double number() { return std::strtod(word().c_str(), nullptr); }
int64_t whole() { return static_cast<int64_t>(number()); }

Operation made(const std::string& name, const Wires& w, const std::vector<Angle>& a) {
  if (name == "Rot") return Rot(a[0], a[1], a[2], w[0]);
  if (name == "U2") return U2(a[0], a[1], w[0]);
  if (name == "U3") return U3(a[0], a[1], a[2], w[0]);
  if (name == "CRot") return CRot(a[0], a[1], a[2], w[0], w[1]);
  if (name == "MultiRZ") return MultiRZ(a[0], w);
  if (name == "QFT") return QFT(w);
  if (name == "PauliRot") return PauliRot(a[0], std::string("XYZZYX").substr(0, w.size()), w);
  if (name == "MultiControlledX") return MultiControlledX({w.begin(), w.end() - 1}, w.back());
  if (name == "ResetError") return ResetError(a[0].number(), a[1].number(), w[0]);
  if (name == "GeneralizedAmplitudeDamping")
    return GeneralizedAmplitudeDamping(a[0].number(), a[1].number(), w[0]);
  return {.name = name, .wires = w, .angles = a};
}

// Gates of the input; angles as numbers, or as elements of one tensor, whose values are added.
std::vector<Operation> gates(std::vector<double>* values) {
  struct Gate {
    std::string name;
    Wires wires;
    std::vector<double> angles;
  };
  std::vector<Gate> read(static_cast<size_t>(whole()));
  for (Gate& g : read) {
    g.name = word();
    g.wires.resize(static_cast<size_t>(whole()));
    for (int64_t& w : g.wires) w = whole();
    g.angles.resize(static_cast<size_t>(whole()));
    for (double& a : g.angles) a = number();
  }
  std::vector<Operation> out;
  Tensor all;
  if (values) {
    for (const Gate& g : read) values->insert(values->end(), g.angles.begin(), g.angles.end());
    all = trainable(from_vector(*values, {static_cast<int64_t>(values->size())}));
  }
  int64_t at = 0;
  for (const Gate& g : read) {
    const bool inverse = g.name.starts_with("~");
    std::vector<Angle> angles;
    for (double a : g.angles) angles.push_back(values ? Angle(all, at++) : Angle(a));
    Operation o = made(inverse ? g.name.substr(1) : g.name, g.wires, angles);
    out.push_back(inverse ? adjoint(o) : o);
  }
  return out;
}
Tensor angles_of(const std::vector<Operation>& operations) {
  for (const Operation& o : operations)
    if (!o.angles.empty()) return o.angles[0].tensor();
  return {};
}

void print(const Complex& c) {
  const auto re = c.re.to_vector<double>(), im = c.im.to_vector<double>();
  for (size_t i = 0; i < re.size(); ++i) std::printf("%a %a ", re[i], im[i]);
  std::printf("\n");
}

double processor() {
  rusage u;
  getrusage(RUSAGE_SELF, &u);
  const auto of = [](const timeval& t) { return double(t.tv_sec) + double(t.tv_usec) * 1e-6; };
  return of(u.ru_utime) + of(u.ru_stime);
}

void run(const std::string& job) {
  const int64_t wires = whole();
  if (job == "state") {
    Circuit c(wires, {.mixed = whole() != 0});
    c.add(gates(nullptr));
    print(c.options().mixed ? c.density_matrix() : c.state());
  } else if (job == "slope") {
    Circuit c(wires, {.mixed = whole() != 0});
    std::vector<double> values;
    const auto all = gates(&values);
    c.add(all);
    const Tensor e = c.expval(Z(0) * X(1));
    const Tensor slope = gradients(sum(e), {angles_of(all)})[0];
    std::printf("%a ", sum(e).item());
    for (double x : slope.to_vector<double>()) std::printf("%a ", x);
    std::printf("\n");
  } else if (job == "qasm") {
    print(read_qasm(word()).state());
  } else if (job == "time") {
    const std::string method = word();
    std::vector<double> values;
    const auto all = gates(method == "gradient" ? &values : nullptr);
    const auto wall = std::chrono::steady_clock::now();
    const double cpu = processor();
    Circuit c(wires, {.dtype = method == "f32" ? kF32 : kF64});
    c.add(all);
    const Tensor e = c.expval(Z(0));
    const double value =
        method == "gradient" ? gradients(e, {angles_of(all)})[0].to_vector<double>()[0] : e.item();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - wall;
    std::printf("%.6f %.6f %a\n", seconds.count(), processor() - cpu, value);
  }
  std::fflush(stdout);
}

}  // namespace

int main() {
  try {
    std::string job;
    while (std::cin >> job) run(job);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
