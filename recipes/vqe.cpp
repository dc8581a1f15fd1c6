// A variational quantum eigensolver (Peruzzo et al. 2014): the energy of the hydrogen molecule.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "glia/glia.h"
#include "glia/quantum/chemistry.h"
#include "glia/quantum/circuit.h"
#include "glia/recipes/run.h"
#include "recipes/src/numbers.h"

namespace glia::recipes {
namespace {

struct VqeSettings : Settings {
  double distance = 0, lr = 0;
  int64_t steps = 0, shots = 0, points = 0;

  void declare(Fields& f) override {
    f(distance, "distance", 0.7414, "Between the nuclei, in Angstrom.", {0.1, 10});
    f(steps, "steps", 60, "Steps of gradient descent.", {1, 100000});
    f(lr, "lr", 1, "Learning rate.", {0, 1000});
    f(shots, "shots", 0, "Shots for an energy told by measurements besides; 0: none.", {0, 1e8});
    f(points, "points", 12, "Distances of the report's curve; 0: none.", {0, 1000});
    Settings::declare(f);
  }
};

// One determinant, and as much of the other one as the angle says.
quantum::Circuit ansatz(const Tensor& angle) {
  quantum::Circuit c(4);
  c.add({quantum::PauliX(0), quantum::PauliX(1), quantum::DoubleExcitation(angle, 0, 1, 2, 3)});
  return c;
}

struct Found {
  double angle = 0, energy = 0;
  std::vector<double> energies;  // of each step
};
// An angle from a descent that begins at 0.
Found minimum(const quantum::Observable& hamiltonian, int64_t steps, double lr) {
  Tensor angle = trainable(zeros({}, kF64));
  Found out;
  for (int64_t i = 0; i < steps; ++i) {
    const Tensor energy = ansatz(angle).expval(hamiltonian);
    const Tensor slope = gradients(energy, {angle})[0];
    out.energies.push_back(energy.item());
    angle = trainable(angle - lr * slope);
    eval(angle);
  }
  out.angle = angle.item();
  out.energy = ansatz(angle).expval(hamiltonian).item();
  return out;
}

void train(Run& run, const VqeSettings& s) {
  const quantum::Molecule molecule = quantum::hydrogen(s.distance);
  run.say(fmt::format("vqe: H2 at {} Angstrom, results in {}", s.distance, run.folder()));
  const Found found = minimum(molecule.hamiltonian, s.steps, s.lr);
  run.save({{"angle", tensor(found.angle)}});
  Results results = {{"energy", found.energy},
                     {"error", std::abs(found.energy - molecule.exact)},
                     {"exact", molecule.exact},
                     {"hartree_fock", molecule.hartree_fock},
                     {"angle", found.angle}};
  if (s.shots > 0)
    results.push_back({"energy_by_shots", ansatz(tensor(found.angle))
                                              .estimate(molecule.hamiltonian, s.shots,
                                                        static_cast<uint64_t>(s.seed))});
  std::vector<report::Section> sections{
      {"Energy by step", report::Curves{.series = {{"energy", found.energies}},
                                        .x = {"step"},
                                        .y = {"Hartree"},
                                        .references = {{"exact", molecule.exact}}}}};
  if (s.points > 1) {
    std::vector<double> at, ours, exact, determinant;
    for (int64_t i = 0; i < s.points; ++i) {
      at.push_back(0.4 + 2.1 * static_cast<double>(i) / static_cast<double>(s.points - 1));
      const quantum::Molecule m = quantum::hydrogen(at.back());
      ours.push_back(minimum(m.hamiltonian, s.steps, s.lr).energy);
      exact.push_back(m.exact);
      determinant.push_back(m.hartree_fock);
      if (run.interrupted()) throw Interrupted("stopped; the model is saved");
    }
    double apart = 0;
    for (size_t i = 0; i < at.size(); ++i) apart = std::max(apart, std::abs(ours[i] - exact[i]));
    results.push_back({"largest_error_of_curve", apart});
    sections.push_back(
        {"Energy by distance",
         report::Curves{
             .series = {{"VQE", ours, at}, {"exact", exact, at}, {"Hartree-Fock", determinant, at}},
             .x = {"Angstrom"},
             .y = {"Hartree"}}});
  }
  report::Table terms{{{"factor"}, {"product"}}, {}};
  for (const quantum::PauliTerm& t : molecule.hamiltonian.terms())
    terms.rows.push_back({t.factor, quantum::Observable({{1, t.word}}).str()});
  sections.push_back({"Hamiltonian", terms});
  sections.push_back(
      {"Circuit", report::Texts{{{"", {{ansatz(tensor(found.angle)).str()}}}}}, "", true});
  run.finish({.title = fmt::format("H2 at {} Angstrom", s.distance),
              .subtitle = fmt::format("A variational eigensolver by {}", version()),
              .sections = sections},
             results);
}

// Without gradients: the energy is a wave over the angle, of which three values tell the lowest
// (Ostaszewski et al. 2021).
double lowest(const quantum::Observable& hamiltonian) {
  const auto at = [&](double angle) { return ansatz(tensor(angle)).expval(hamiltonian).item(); };
  const double quarter = std::numbers::pi / 2, high = at(quarter), low = at(-quarter);
  const double middle = (high + low) / 2;
  return middle - std::hypot(at(0) - middle, (high - low) / 2);
}

class Solver : public Predictor {
 public:
  Solver(const Saved&, const VqeSettings& s) : settings_(s) {}

 protected:
  Results answer(const Input& input) const override {
    const double distance = numbers_of(input, 1, "a distance")[0];
    if (!(distance >= 0.1 && distance <= 10))
      throw ValueError("a distance is from 0.1 to 10 Angstrom");
    const quantum::Molecule m = quantum::hydrogen(distance);
    return {
        {"energy", lowest(m.hamiltonian)}, {"exact", m.exact}, {"hartree_fock", m.hartree_fock}};
  }
  Results score(const Evaluation& what) const override {
    what.require("a molecule of hydrogen");
    return answer(shown(Value(settings_.distance)));
  }

 private:
  const VqeSettings settings_;
};

const Register<VqeSettings> vqe({
    .name = "vqe",
    .task = "quantum",
    .description = "The energy of the hydrogen molecule by a variational quantum eigensolver.",
    .references = [](const VqeSettings& s) -> std::vector<Reference> {
      if (s.distance != 0.7414) return {};
      return {{"energy", -1.1373, "full configuration interaction in STO-3G"}};
    },
    .train = train,
    .load = make_predictor<Solver, VqeSettings>,
    .input = "DISTANCE",
    .input_help = "A distance in Angstrom.",
    .predict_help = "Prints the energy there, in Hartree.",
    .evaluate_help = "Prints the energy at the distance of the run.",
    .resumes = false,
});

}  // namespace
}  // namespace glia::recipes
