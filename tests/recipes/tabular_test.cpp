// The recipe "tabular" on tables of its own.
#include <cmath>

#include "glia/classic/estimator.h"
#include "glia/io.h"
#include "glia/tables/read.h"
#include "support.h"

namespace glia::recipes {
namespace {

const char* kName = "tabular";

class TabularTest : public RecipeTest {
 protected:
  // Who is older than 40 buys, unless they live in Bonn.
  static std::string table(bool missing) {
    std::string text = "age,town,joined,buys,spent\n";
    for (int i = 0; i < 200; ++i) {
      const int age = 20 + (i * 37) % 50;
      const bool bonn = i % 3 == 0, buys = age > 40 && !bonn;
      text += (missing && i % 11 == 0 ? "?" : std::to_string(age)) + "," +
              (missing && i % 13 == 0 ? ""
               : bonn                 ? "Bonn"
                                      : "\"Ulm, Donau\"") +
              ",2024-01-" + std::to_string(10 + i % 20) + "," +
              (missing && i == 7 ? ""
               : buys            ? "yes"
                                 : "no") +
              "," + std::to_string(2 * age + (bonn ? 10 : 0)) + "\n";
    }
    return text;
  }
  TrainJob job(const std::string& out, const std::string& model, Values more = {}) {
    Values given = {{"data", "t.csv"}, {"target", "buys"}, {"model", model}, {"drop", "spent"}};
    for (auto& [name, value] : more) {
      std::erase_if(given, [&, &n = name](const auto& g) { return g.first == n; });
      given.emplace_back(name, value);
    }
    return {.given = given, .out = out};
  }
};

TEST_F(TabularTest, FitsPredictsAndFills) {
  io::write_file_atomic("t.csv", table(true));
  const Trained run = train(kName, job("run", "DummyClassifier"));
  EXPECT_EQ(run.results[0].name, "accuracy");
  EXPECT_NEAR(value<double>(run.results, "cv_accuracy"), value<double>(run.results, "accuracy"),
              0.1);
  const std::string report = io::read_file("run/report.html");
  for (const char* text :
       {"Confusion", "Cross-validation", "ROC curve", "Calibration", "Reliability"})
    EXPECT_NE(report.find(text), std::string::npos) << text;

  const auto predictor = load("run");
  EXPECT_EQ(value<double>(predictor->evaluate(), "accuracy"),
            value<double>(run.results, "accuracy"));
  const Results one = predictor->predict("{\"age\": 50, \"town\": \"Rome\", \"joined\": null}");
  EXPECT_EQ(std::get<std::string>(one[0].value), "no");
  EXPECT_EQ(predictor->inputs("t.csv").size(), 200u);
  EXPECT_EQ(std::get<std::string>(predictor->predict(predictor->inputs("t.csv")[3])[0].value),
            "no");
  EXPECT_EQ(predictor->fill("t.csv", "filled.csv"), 200);
  const tables::Table filled = tables::read_csv("filled.csv");
  EXPECT_EQ(filled.columns().size(), 8u);
  EXPECT_EQ(filled.column("buys_predicted").text(5), "no");
  EXPECT_NEAR(
      filled.column("probability_no").floats()[0] + filled.column("probability_yes").floats()[0], 1,
      1e-12);
  for (const char* row :
       {"{\"age\": 50}", "no json", "{\"age\": \"old\", \"town\": 1, \"joined\": null}",
        "{\"age\": 1, \"town\": [], \"joined\": null}",
        "{\"age\": 1, \"town\": \"Ulm\", \"joined\": \"soon\"}"})
    EXPECT_NE(fault([&] { predictor->predict(row); }), "") << row;
}

TEST_F(TabularTest, NumbersAndSearch) {
  io::write_file_atomic("t.csv", table(false));
  const Trained run = train(
      kName, job("run", "DummyRegressor",
                 {{"target", "spent"}, {"drop", "buys"}, {"search", "strategy=median|mean"}}));
  EXPECT_LT(std::abs(value<double>(run.results, "r2")), 0.2);
  EXPECT_NE(io::read_file("run/report.html").find("Residuals"), std::string::npos);
  const auto predictor = load("run");
  EXPECT_TRUE(std::holds_alternative<double>(
      predictor->predict("{\"age\": 50, \"town\": \"Bonn\", \"joined\": \"2024-01-02\"}")[0]
          .value));
  EXPECT_EQ(predictor->fill("t.csv", "filled.csv"), 200);
}

TEST_F(TabularTest, DrawsCurvesAndBorders) {
  std::string text = "a,b,y\n";
  for (int i = 0; i < 80; ++i)
    text += std::to_string(i % 9) + "," + std::to_string(i % 7) + "," +
            (i % 9 + i % 7 > 7 ? "up" : "down") + "\n";
  io::write_file_atomic("t.csv", text);
  train(kName, job("run", "GaussianNB",
                   {{"target", "y"},
                    {"drop", ""},
                    {"search", "var_smoothing=0.001|0.1|1"},
                    {"learning-curve", true}}));
  const std::string report = io::read_file("run/report.html");
  for (const char* section : {"Decision boundary", "Validation curve", "Learning curve"})
    EXPECT_NE(report.find(section), std::string::npos) << section;
}

TEST_F(TabularTest, SaysWhatIsWrong) {
  io::write_file_atomic("t.csv", table(false));
  const auto says = [&](const std::string& want, const std::string& model, const Values& more) {
    EXPECT_NE(fault_of(kName, job("run", model, more)).find(want), std::string::npos) << want;
  };
  says("--target: no column is named", "DummyClassifier", {{"target", ""}});
  says("there is no column 'sells', but age, town", "DummyClassifier", {{"target", "sells"}});
  says("a regressor predicts numbers", "DummyRegressor", {});
  says("has no option depth, but strategy", "DummyClassifier", {{"param", "depth=3"}});
  says("strategy is one of", "DummyClassifier", {{"param", "strategy=best"}});
  says("is no option", "DummyClassifier", {{"param", "strategy"}});
  says("--search chooses by cross-validation", "DummyClassifier",
       {{"search", "strategy=prior|uniform"}, {"cv", 0}});
  says("is no NAME=A|B|C", "DummyClassifier", {{"search", "strategy"}});
  says("there is no column 'x'", "DummyClassifier", {{"drop", "x"}});
  io::write_file_atomic("t.csv", "a,b\n1,x\n2,x\n");
  says("has one value alone", "DummyClassifier", {{"target", "b"}, {"drop", ""}});
  io::write_file_atomic("t.csv", "a,b\n1,x\n2\"\n\"");
  says("t.csv: line 4", "DummyClassifier", {{"target", "b"}, {"drop", ""}});
  EXPECT_FALSE(fs::exists("run"));
}

}  // namespace
}  // namespace glia::recipes
