// k-means on tables and images: files, predictions, scores; the full length is scripts/full's.
#include <nlohmann/json.hpp>

#include "glia/io.h"
#include "glia/ops.h"
#include "tests/recipes/support.h"

namespace glia::recipes {
namespace {

class KMeansTest : public RecipeTest {
 protected:
  // Three groups far apart, of 20 samples each.
  static std::string table(bool label) {
    std::string text = label ? "height,kind,\"width, in m\"\n" : "";
    for (int i = 0; i < 60; ++i) {
      const int k = i % 3;
      text += std::to_string(10 * k + 0.01 * i) + (label ? ",k" + std::to_string(k) : "") + "," +
              std::to_string(100 * (k == 1) + 0.1 * (i % 7)) + "\n";
    }
    return text;
  }
  static TrainJob job(const std::string& out, Values more = {}) {
    Values given = {{"data", "t.csv"}, {"clusters", 3}};
    for (auto& v : more) given.push_back(v);
    return {.given = given, .out = out};
  }
  const std::string kName = "k-means";
};

TEST_F(KMeansTest, ATableWithLabels) {
  io::write_file_atomic("t.csv", table(true));
  const Trained run = train(kName, job("", {{"label", "kind"}}));
  EXPECT_EQ(run.folder, "runs/k-means-t");
  for (const char* name :
       {"homogeneity", "completeness", "v_measure", "adjusted_rand", "adjusted_mutual_info"})
    EXPECT_NEAR(value<double>(run.results, name), 1, 1e-12) << name;
  const std::string report = io::read_file(run.folder + "/report.html");
  for (const char* part :
       {"width, in m", "cluster 2", "Two principal axes", "Classes and clusters"})
    EXPECT_NE(report.find(part), std::string::npos) << part;

  const auto predictor = load(run.folder);
  const auto of = [&](const std::string& text) {
    return value<int64_t>(predictor->predict(text), "cluster");
  };
  EXPECT_NE(of("0, 0"), of("10, 100"));
  EXPECT_NE(of("0 0"), of("20 0"));
  EXPECT_EQ(of("0.1,0.2"), value<int64_t>(predictor->predict(tensor({0.1, 0.2})), "cluster"));
  EXPECT_EQ(value<report::Table>(predictor->predict("1 1"), "distances").rows.size(), 3u);
  EXPECT_EQ(fault([&] { of("1, 2, 3"); }), "'1, 2, 3' has 3 numbers and not 2");
  EXPECT_EQ(fault([&] { of("1, x"); }), "'x' is no number");
  EXPECT_EQ(fault([&] { of("1, nan"); }), "'nan' is no number");
  EXPECT_NEAR(value<double>(predictor->evaluate(), "inertia"),
              value<double>(run.results, "inertia"), 1e-9);
  io::write_file_atomic("rows.csv", "0,0\n10,100\n");
  EXPECT_EQ(predictor->inputs("rows.csv").size(), 2u);
}

TEST_F(KMeansTest, ATableWithoutHeader) {
  io::write_file_atomic("t.csv", table(false));
  const Trained run = train(kName, job("run"));
  EXPECT_EQ(run.results.size(), 3u);  // inertia, iterations, seconds
  train(kName, job("again"));
  EXPECT_EQ(io::read_file("run/model.safetensors"), io::read_file("again/model.safetensors"));
  EXPECT_EQ(fault_of(kName, {.out = "run", .resume = true}),
            "k-means: keeps no checkpoints to go on from");
}

TEST_F(KMeansTest, BadTablesAreNamedWithTheLine) {
  const auto says = [&](const std::string& text, const std::string& want, const Values& more = {}) {
    io::write_file_atomic("t.csv", text);
    EXPECT_EQ(fault_of(kName, job("run", more)), want);
  };
  says("", "t.csv: holds no rows");
  says("\n\n", "t.csv: holds no rows");
  says("a,b\n", "t.csv: holds no rows below its header");
  says("a,b\n1,2\n3\n", "t.csv: line 3, column 2: has 1 values and not 2");
  says("a,b\n\n1,2\n3,x\n", "t.csv: line 4, column 3: 'x' of column 'b' is no number");
  says("a,b\n1,2\n3,\n", "t.csv: line 3, column 3: '' of column 'b' is no number");
  says("a,b\n1,inf\n", "t.csv: row 1: 'inf' of column 'b' is no number");
  says("a,b\n1,\"2\n", "t.csv: line 2, column 3: a quote is not closed");
  says("a,b\n1,\"2\"3\n", "t.csv: line 2, column 6: text behind a quote");
  says("a,b\n1,2\n", "t.csv: has no column 'c', but a, b", {{"label", "c"}});
  says("a\n1\n", "t.csv: has no column of numbers", {{"label", "a"}});
  says("a,b\n1,2\n3,4\n", "--clusters 3: there are 2 samples");
  EXPECT_FALSE(fs::exists("run"));
}

TEST_F(KMeansTest, ModelsThatDoNotFitAreNamed) {
  io::write_file_atomic("t.csv", table(false));
  train(kName, job("run"));
  io::Metadata metadata;
  const auto tensors = io::read_safetensors("run/model.safetensors", &metadata);
  const auto says = [&](auto&& change) {
    io::NamedTensors t = tensors;
    io::Metadata m = metadata;
    change(t, m);
    io::write_safetensors("other.safetensors", t, m);
    EXPECT_EQ(fault([] { load("other.safetensors"); }).find("other.safetensors: "), 0u);
  };
  says([](auto& t, auto&) { t.pop_back(); });
  says([](auto& t, auto&) { t[0].second = zeros({3, 7}, kF64); });
  const auto set = [](io::Metadata& m, const std::string& key, const std::string& text) {
    for (auto& [k, v] : m)
      if (k == key) v = text;
  };
  says([&](auto&, auto& m) { set(m, "clusters", "4"); });
  says([&](auto&, auto& m) { set(m, "clusters", "many"); });
  says([&](auto&, auto& m) { set(m, "features", "[\"a\"]"); });
  says([&](auto&, auto& m) { set(m, "features", "[]"); });
  says([&](auto&, auto& m) { set(m, "recipe", "image-classification"); });
  says([&](auto&, auto& m) { set(m, "recipe", "bogus"); });
}

TEST_F(KMeansTest, TheImagesOfADataSet) {
  // Digits of two kinds, 0 dark on the left and 1 on the right, as rows of 64 values to 16.
  fs::create_directories("data/digits");
  std::string text;
  for (int i = 0; i < 40; ++i) {
    for (int p = 0; p < 64; ++p)
      text += std::to_string((p % 8 < 4) == (i % 2 == 0) ? 16 - (i + p) % 3 : (i * p) % 2) + ",";
    text += std::to_string(i % 2) + "\n";
  }
  io::write_file_atomic("data/digits/digits.csv", text);
  setenv("GLIA_DATA", (folder_ + "/data").c_str(), 1);
  const Trained run = train(kName, {.given = {{"clusters", 2}, {"elbow", true}}, .out = "run"});
  EXPECT_NEAR(value<double>(run.results, "adjusted_rand"), 1, 1e-12);
  const auto predictor = load("run");
  const Tensor left = concat({full({8, 4, 1}, 240, kU8), zeros({8, 4, 1}, kU8)}, 1);
  io::write_png("left.png", left);
  const auto cluster = value<int64_t>(predictor->predict("left.png"), "cluster");
  EXPECT_EQ(value<int64_t>(predictor->predict(left), "cluster"), cluster);
  EXPECT_NE(value<int64_t>(predictor->predict(flip(left, {1})), "cluster"), cluster);
  EXPECT_EQ(value<int64_t>(predictor->evaluate(), "samples"), 40);
  EXPECT_NE(io::read_file("run/report.html").find("Centres"), std::string::npos);
  EXPECT_NE(io::read_file("run/report.html").find("Elbow"), std::string::npos);
}

}  // namespace
}  // namespace glia::recipes
