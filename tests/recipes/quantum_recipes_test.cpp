// Recipes of quantum circuits: what they reach, going on, the user's tables, and what is refused.
#include <cmath>

#include "glia/io.h"
#include "glia/ops.h"
#include "glia/quantum/circuit.h"  // left out without the package
#include "tests/recipes/support.h"

namespace glia::recipes {
namespace {

class QuantumRecipesTest : public RecipeTest {};

TEST_F(QuantumRecipesTest, HydrogenHasItsEnergy) {
  const Trained run = train("vqe", {.given = {{"points", 3}, {"shots", 20000}}});
  EXPECT_EQ(run.folder, "runs/vqe");
  EXPECT_NEAR(value<double>(run.results, "energy"), -1.1373, 5e-5);
  EXPECT_LT(value<double>(run.results, "error"), 1e-8);
  EXPECT_LT(value<double>(run.results, "largest_error_of_curve"), 1e-5);
  EXPECT_NEAR(value<double>(run.results, "energy_by_shots"), -1.137, 0.02);
  const auto predictor = load(run.folder);
  const Results far = predictor->predict("2.0");
  EXPECT_NEAR(value<double>(far, "energy"), value<double>(far, "exact"), 1e-9);
  EXPECT_EQ(fault([&] { predictor->predict("0.01"); }), "a distance is from 0.1 to 10 Angstrom");
  fault([&] { predictor->predict("far"); });
}

TEST_F(QuantumRecipesTest, ALearnedCircuitTellsClassesApart) {
  const Trained run = train("variational-classifier", {.given = {{"epochs", 12}}});
  EXPECT_GT(value<double>(run.results, "accuracy"), 0.85);
  const auto predictor = load(run.folder);
  EXPECT_EQ(value<double>(predictor->evaluate({}), "accuracy"),
            value<double>(run.results, "accuracy"));
  EXPECT_EQ(value<std::string>(predictor->predict("0, 1.1"), "class"), "0");
  EXPECT_EQ(value<std::string>(predictor->predict("1, -0.6"), "class"), "1");
  fault([&] { predictor->predict("1 2 3"); });
  EXPECT_EQ(fault([&] { predictor->predict(zeros({3})); }), "a sample has 2 numbers");
}

TEST_F(QuantumRecipesTest, GoesOnToTheSameBits) {
  const auto job = [](const std::string& out) {
    return TrainJob{.given = {{"data", "parity"}, {"bits", 3}, {"epochs", 4}, {"layers", 2}},
                    .out = out};
  };
  train("variational-classifier", job("whole"));
  TrainJob cut = job("cut");
  int asked = 0;
  cut.interrupted = [&] { return ++asked >= 2; };
  EXPECT_THROW(train("variational-classifier", cut), Interrupted);
  train("variational-classifier", {.out = "cut", .resume = true});
  EXPECT_EQ(io::read_file("cut/model.safetensors"), io::read_file("whole/model.safetensors"));
}

// Havlicek et al. 2019: no sample to test on is told wrong.
TEST_F(QuantumRecipesTest, AKernelOfStates) {
  const Trained run = train("variational-classifier", {.given = {{"data", "ad-hoc"}}});
  EXPECT_EQ(value<double>(run.results, "accuracy"), 1);
  EXPECT_EQ(value<double>(load(run.folder)->evaluate({}), "accuracy"), 1);
}

TEST_F(QuantumRecipesTest, ATableOfTheUsers) {
  std::string rows = "a,b,c,kind\n";
  for (int i = 0; i < 60; ++i) {
    const double t = 0.1 * i;
    rows += std::to_string(0.4 * std::sin(t) + (i % 3)) + "," +
            std::to_string(0.4 * std::cos(t) - 2 * (i % 3)) + "," +
            std::to_string(0.3 * std::sin(5 * t)) + "," + "xyz"[i % 3] + "\n";
  }
  io::write_file_atomic("table.csv", rows);
  const Trained run = train("variational-classifier", {.given = {{"data", "table.csv"},
                                                                 {"target", "kind"},
                                                                 {"wires", 2},
                                                                 {"layers", 2},
                                                                 {"epochs", 40}}});
  EXPECT_GT(value<double>(run.results, "accuracy"), 0.8);
  EXPECT_EQ(value<std::string>(load(run.folder)->predict("0, 0.2, 0"), "class"), "x");
  const auto wrong = [&](Values given) {
    return fault_of("variational-classifier", {.given = std::move(given)});
  };
  EXPECT_EQ(wrong({{"data", "table.csv"}}), "--target: no column is named");
  EXPECT_NE(wrong({{"data", "table.csv"}, {"target", "none"}}).find("none"), std::string::npos);
  io::write_file_atomic("texts.csv", "a,kind\nq,x\nr,y\nq,x\nr,y\n");
  EXPECT_EQ(wrong({{"data", "texts.csv"}, {"target", "kind"}}),
            "texts.csv: the column a does not hold numbers");
}

}  // namespace
}  // namespace glia::recipes
