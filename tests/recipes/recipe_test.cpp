// The form of recipes, on one that is a line: settings, runs, models, predictors, and that it needs
// no process.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "glia/io.h"
#include "glia/ops.h"
#include "glia/random.h"
#include "glia/recipes/run.h"
#include "tests/recipes/support.h"

namespace glia::recipes {
namespace {

struct Line : TrainingSettings {
  std::string model, data;
  int64_t epochs = 0;
  double slope = 0;
  bool noisy = false;

  void declare(Fields& f) override {
    f(model, "model", "thin", "Its kind.", {{"thin", "wide"}});
    f(epochs, "epochs", model == "wide" ? 5 : 3, "Passes.", {1, 100});
    f(slope, "slope", 2, "Of the line.", {-10, 10});
    f(noisy, "noisy", model == "wide", "With noise.");
    f(data, "data", "", "Any text.");
    TrainingSettings::declare(f);
  }
};

class Use : public Predictor {
 public:
  Use(const Saved& saved, const Line& s) : weight_(saved.weights.at(0).second), settings(s) {
    if (saved.texts("names") != std::vector<std::string>{"a \"b\"", "ü"} ||
        saved.texts("latin") != std::vector<std::string>{"K\xf6ln", "a", "ö"} ||
        saved.numbers("scale") != std::vector<double>{0.1, 3} || saved.text("kind") != "x")
      throw IoError(saved.path + ": other facts");
  }

 protected:
  Results answer(const Input& input) const override {
    const Tensor y = weight_ * std::get<Tensor>(input);
    if (y.requires_grad()) throw Error("with gradients");
    return {{"y", y}, {"n", int64_t{3}}, {"bad", NAN}, {"note", "as it is"}};
  }
  Results score(const Evaluation& what) const override { return {{"split", what.split}}; }

 private:
  Parameter weight_;
  const Line settings;
};

void train_line(Run& run, const Line& s, double lr) {
  const Tensor x = uniform({64, 1}, -1, 1), y = s.slope * x;
  auto training = data::from_tensors(x, y).shuffle(s.seed).batch(16);
  auto test = data::from_tensors(x, y).batch(64);
  nn::Linear net(1, 1);
  optim::Adam optimizer(net.parameters(), {.lr = lr});
  training::Trainer trainer(
      training::supervised(
          net, optimizer,
          [&](const data::Sample& b) { return training::Outcome{mse_loss(net(b[0]), b[1])}; }),
      {.epochs = s.epochs, .note = run.note()});
  run.fit(trainer, training, &test, "points");
  run.save({{"w", net.weight}}, {{"names", std::vector<std::string>{"a \"b\"", "ü"}},
                                 {"latin", std::vector<std::string>{"K\xf6ln", "a", "ö"}},
                                 {"scale", std::vector<double>{0.1, 3}},
                                 {"kind", "x"}});
  run.finish({.title = "Line", .sections = {curves(trainer, "Loss", "loss")}},
             {{"test_loss", training::value_of(trainer.history().back().values, "test_loss")}});
}

const Register<Line> line({
    .name = "test-line",
    .task = "test",
    .description = "A line.",
    .run_name = [](const Line& s) { return "line-" + s.model; },
    .references = [](const Line& s) -> std::vector<Reference> {
      if (s.model == "wide") return {{"test_loss", 0.5, "nobody 2001"}};
      return {};
    },
    .train = [](Run& run, const Line& s) { train_line(run, s, s.slope == 9 ? 1e30 : 0.05); },
    .load = [](const Saved& saved, const Line& s) -> std::unique_ptr<Predictor> {
      return std::make_unique<Use>(saved, s);
    },
});
struct RateLine : Line {
  double lr = 0;
  void declare(Fields& f) override {
    f(lr, "lr", 0.05, "Learning rate.", {0, 1000});
    Line::declare(f);
  }
};
const Register<RateLine> rate_line({
    .name = "test-rate",
    .task = "test",
    .description = "A line, at a rate.",
    .run_name = [](const RateLine& s) { return "rate-" + s.model; },
    .train = [](Run& run, const RateLine& s) { train_line(run, s, s.lr); },
    .load = [](const Saved& saved, const RateLine& s) -> std::unique_ptr<Predictor> {
      return std::make_unique<Use>(saved, s);
    },
});
const Shorthand wide("test-wide", "A wide line.", "test-line", {{"model", "wide"}});

class Form : public RecipeTest {
 protected:
  static Trained train(const TrainJob& job, const std::string& recipe = "test-line") {
    return RecipeTest::train(recipe, job);
  }
  static std::string fault_of(const TrainJob& job, const std::string& recipe = "test-line") {
    return RecipeTest::fault_of(recipe, job);
  }
};

const Setting& setting(const std::vector<Setting>& all, const std::string& name) {
  for (const Setting& s : all)
    if (s.name == name) return s;
  throw Error("no setting " + name);
}

TEST_F(Form, SettingsAreDeclaredOnce) {
  const auto all = named("test-line").settings();
  std::vector<std::string> names;
  for (const Setting& s : all) names.push_back(s.name);
  EXPECT_EQ(names, (std::vector<std::string>{"model", "epochs", "slope", "noisy", "data", "seed",
                                             "bf16", "checkpoint-steps"}));
  EXPECT_EQ(setting(all, "epochs").fallback, Value(int64_t{3}));
  EXPECT_EQ(setting(all, "epochs").fallback_text, "3; 5 for wide");
  EXPECT_EQ(setting(all, "noisy").fallback_text, "false; true for wide");
  EXPECT_EQ(setting(all, "slope").fallback_text, "2");
  // Of a shorthand: without what it fixes, and with the defaults that go with that.
  const auto few = named("test-wide").settings();
  EXPECT_EQ(few.size(), all.size() - 1);
  EXPECT_EQ(setting(few, "epochs").fallback_text, "5");
}

TEST_F(Form, ValuesAreWhatWasGivenOrTheDefaults) {
  Line s;
  assign(s, {});
  EXPECT_EQ(s.model, "thin");
  EXPECT_EQ(s.epochs, 3);
  EXPECT_FALSE(s.noisy);
  assign(s, {{"slope", 3}, {"model", "wide"}, {"bf16", true}});  // in any order; 3 for a number
  EXPECT_EQ(s.epochs, 5);
  EXPECT_EQ(s.slope, 3.0);
  EXPECT_TRUE(s.noisy && s.bf16);
  Line again;
  assign(again, values_of(s));
  EXPECT_EQ(values_of(again), values_of(s));

  const auto refused = [&](const Values& given) { return fault([&] { assign(s, given); }); };
  EXPECT_EQ(refused({{"epoch", 3}}), "there is no setting --epoch");
  EXPECT_EQ(refused({{"epochs", 0}}), "--epochs 0 is no whole number from 1 to 100");
  EXPECT_EQ(refused({{"epochs", 2.0}}), "--epochs 2 is no whole number from 1 to 100");
  EXPECT_EQ(refused({{"epochs", "3"}}), "--epochs 3 is no whole number from 1 to 100");
  EXPECT_EQ(refused({{"slope", NAN}}), "--slope nan is no number from -10 to 10");
  EXPECT_EQ(refused({{"slope", true}}), "--slope true is no number from -10 to 10");
  EXPECT_EQ(refused({{"noisy", 1}}), "--noisy 1 is neither true nor false");
  EXPECT_EQ(refused({{"model", "Wide"}}), "--model Wide is none of thin, wide");
  EXPECT_EQ(refused({{"data", 3}}), "--data 3 is no text");
}

TEST_F(Form, TextsBecomeValues) {
  const auto all = named("test-line").settings();
  EXPECT_EQ(parse(setting(all, "epochs"), "7"), Value(int64_t{7}));
  EXPECT_EQ(parse(setting(all, "slope"), "7"), Value(7.0));
  EXPECT_EQ(parse(setting(all, "slope"), "-1e-2"), Value(-0.01));
  EXPECT_EQ(parse(setting(all, "noisy"), "false"), Value(false));
  EXPECT_EQ(parse(setting(all, "data"), "a b"), Value("a b"));
  for (const auto& [name, text] :
       std::initializer_list<std::pair<const char*, const char*>>{{"epochs", "7x"},
                                                                  {"epochs", " 7"},
                                                                  {"epochs", "1e1"},
                                                                  {"epochs", ""},
                                                                  {"slope", "nan"},
                                                                  {"slope", "inf"},
                                                                  {"slope", "0x1"},
                                                                  {"noisy", "yes"},
                                                                  {"model", ""}})
    EXPECT_THROW(parse(setting(all, name), text), Error) << name << " " << text;
  // What is written of a value is read as that value.
  for (const Value& v : {Value(0.1), Value(1e-300), Value(int64_t{3}), Value(true)})
    EXPECT_EQ(shown(v), shown(Value(v)));
}

TEST_F(Form, ARunLeavesItsFilesAndAModelThatKnowsItsSettings) {
  const Trained run = train({.given = {{"slope", 3}, {"model", "wide"}}, .out = "run"});
  EXPECT_EQ(run.folder, "run");
  ASSERT_EQ(run.results.size(), 2u);  // and seconds
  const auto summary = nlohmann::json::parse(io::read_file("run/summary.json"));
  EXPECT_EQ(summary.at("slope"), 3.0);
  EXPECT_EQ(summary.at("epochs"), 5);
  EXPECT_EQ(summary.at("test_loss"), std::get<double>(run.results[0].value));
  EXPECT_EQ(summary.at("references")[0].at("source"), "nobody 2001");
  const std::string report = io::read_file("run/report.html");
  for (const char* part : {"nobody 2001", "slope", "training time", "<svg"})
    EXPECT_NE(report.find(part), std::string::npos) << part;

  const auto predictor = load("run");
  const Results y = predictor->predict(tensor({1.0f, 2.0f}));
  const auto json = nlohmann::json::parse(to_json(y));
  EXPECT_EQ(json.at("y").at(0).size(), 2u);  // (1, 1) x (2)
  EXPECT_TRUE(json.at("bad").is_null());
  EXPECT_EQ(json.at("n"), 3);
  EXPECT_EQ(std::get<std::string>(predictor->evaluate({.split = "train"})[0].value), "train");
  EXPECT_EQ(fault([&] { predictor->evaluate({.split = "both"}); }),
            "--split: 'both' is none of train, test");
  EXPECT_NO_THROW(named("test-wide").load("run"));
  train({.out = "thin"});
  EXPECT_EQ(fault([] { named("test-wide").load("thin"); }),
            "thin/model.safetensors: is no model of test-wide");
  EXPECT_EQ(fault([] { named("test-line").load("nowhere"); }),
            "nowhere: No such file or directory");
}

TEST_F(Form, FoldersAreNamedAndKept) {
  EXPECT_EQ(train({}).folder, "runs/line-thin");
  EXPECT_EQ(train({}).folder, "runs/line-thin-2");
  EXPECT_EQ(train({}, "test-wide").folder, "runs/line-wide");
  EXPECT_NE(fault_of({.out = "runs/line-thin"}).find("already holds a run"), std::string::npos);
  EXPECT_NO_THROW(train({.out = "runs/line-thin", .overwrite = true}));
  EXPECT_EQ(fault_of({.given = {{"model", "thin"}}}, "test-wide"),
            "--model: is not to be chosen for test-wide");
  EXPECT_EQ(fault_of({.given = {{"slope", 11}}, .out = "new"}),
            "--slope 11 is no number from -10 to 10");
  EXPECT_FALSE(fs::exists("new"));
  EXPECT_NE(fault_of({.given = {{"slope", 9}}, .out = "far"}).find("training diverged"),
            std::string::npos);
  EXPECT_FALSE(fs::exists("far/model.safetensors"));
}

TEST_F(Form, InterruptedAndGoneOnWithToTheSameBits) {
  const Values given = {{"epochs", 6}};
  train({.given = given, .out = "whole"});
  int64_t left = 7;
  const auto tired = [&] { return --left == 0; };
  const std::string said = fault_of({.given = given, .out = "cut", .interrupted = tired});
  EXPECT_NE(said.find("glia train test-line --resume cut"), std::string::npos) << said;
  EXPECT_FALSE(fs::exists("cut/model.safetensors"));

  const auto go_on = [&](const Values& changed, const std::string& recipe = "test-line") {
    return fault_of({.given = changed, .out = "cut", .resume = true}, recipe);
  };
  EXPECT_EQ(go_on({{"epochs", 5}}),
            "--epochs 5: the run in cut was started with 6, which cannot shrink");
  EXPECT_EQ(go_on({{"model", "wide"}}),
            "--model wide: the run in cut was started with thin, which cannot change");
  EXPECT_EQ(go_on({{"epoch", 5}}), "there is no setting --epoch");
  EXPECT_EQ(go_on({}, "test-wide"),
            "--model wide: the run in cut was started with thin, which cannot change");
  train({.given = {{"epochs", 6}, {"slope", 2}}, .out = "cut", .resume = true});
  EXPECT_EQ(io::read_file("cut/model.safetensors"), io::read_file("whole/model.safetensors"));
}

TEST_F(Form, AFinishedRunGoesOnForMoreEpochs) {
  train({.given = {{"epochs", 6}}, .out = "whole"});
  train({.given = {{"epochs", 2}}, .out = "run"});
  train({.given = {{"epochs", 6}}, .out = "run", .resume = true});
  EXPECT_EQ(io::read_file("run/model.safetensors"), io::read_file("whole/model.safetensors"));
  const auto summary = nlohmann::json::parse(io::read_file("run/summary.json"));
  EXPECT_EQ(summary.at("epochs"), 6);
  // It has these settings from now on.
  EXPECT_EQ(fault_of({.given = {{"epochs", 2}}, .out = "run", .resume = true}),
            "--epochs 2: the run in run was started with 6, which cannot shrink");
  EXPECT_NO_THROW(train({.out = "run", .resume = true}));
  EXPECT_EQ(io::read_file("run/model.safetensors"), io::read_file("whole/model.safetensors"));
}

TEST_F(Form, ARangeTestFindsTheRate) {
  EXPECT_EQ(fault_of({.find_lr = true}), "--find-lr: test-line has no learning rate");
  const Trained found = train({.out = "found", .find_lr = true}, "test-rate");
  const auto summary = nlohmann::json::parse(io::read_file("found/summary.json"));
  const double rate = summary.at("lr");
  EXPECT_GT(rate, 1e-6);
  EXPECT_LT(rate, 10);
  EXPECT_NE(io::read_file("found/report.html").find("range test"), std::string::npos);
  // The same run as with that rate.
  train({.given = {{"lr", rate}}, .out = "given"}, "test-rate");
  EXPECT_EQ(io::read_file("found/model.safetensors"), io::read_file("given/model.safetensors"));
  EXPECT_EQ(io::read_file("given/report.html").find("range test"), std::string::npos);
  EXPECT_EQ(fault_of({.given = {{"lr", 0.1}}, .find_lr = true}, "test-rate"),
            "--find-lr: the learning rate is that of --lr, or of the run that goes on");
  EXPECT_NE(fault_of({.out = "found", .resume = true, .find_lr = true}, "test-rate"), "");
  EXPECT_NO_THROW(train({.out = "found", .resume = true}, "test-rate"));
}

TEST_F(Form, ThereIsOneOfEachName) {
  EXPECT_NE(fault([] { named("bogus"); }).find("unknown recipe 'bogus' (known: "),
            std::string::npos);
  std::vector<std::string> names;
  for (const Recipe* recipe : all()) names.push_back(recipe->name);
  EXPECT_TRUE(std::ranges::is_sorted(names));
  EXPECT_EQ(std::ranges::count(names, "test-wide"), 1);
}

}  // namespace
}  // namespace glia::recipes
