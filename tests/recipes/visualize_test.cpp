// Maps of tables and images: files, predictions, scores.
#include <algorithm>
#include <cmath>

#include "glia/io.h"
#include "glia/ops.h"
#include "tests/recipes/support.h"

namespace glia::recipes {
namespace {

class VisualizeTest : public RecipeTest {
 protected:
  // Three groups far apart, of 20 samples each.
  static std::string table() {
    std::string text = "height,kind,width,depth\n";
    for (int i = 0; i < 60; ++i) {
      const int k = i % 3;
      text += std::to_string(10 * k + 0.01 * i) + ",k" + std::to_string(k) + "," +
              std::to_string(100 * (k == 1) + 0.1 * (i % 7)) + "," + std::to_string(i % 5) + "\n";
    }
    return text;
  }
  static TrainJob job(const std::string& out, Values more = {}) {
    Values given = {{"data", "t.csv"}, {"label", "kind"}};
    for (auto& v : more) given.push_back(v);
    return {.given = given, .out = out};
  }
  const std::string kName = "visualize";
};

TEST_F(VisualizeTest, EachMethodDrawsATable) {
  io::write_file_atomic("t.csv", table());
  for (const std::string method :
       {"t-sne", "umap", "pca", "kernel-pca", "isomap", "lle", "mds", "spectral"}) {
    SCOPED_TRACE(method);
    Values more = {{"method", method}};
    if (method == "t-sne") more.push_back({"param", "perplexity=10,max_iter=300"});
    if (method == "umap") more.push_back({"param", "n_epochs=100"});
    const Trained run = train(kName, job("run-" + method, more));
    if (method != "lle" && method != "spectral") {  // whose parts are one point each
      EXPECT_GT(value<double>(run.results, "nearest_of_same_class"), 0.95);
    }
    EXPECT_GT(value<double>(run.results, "trustworthiness"), 0.5);
    EXPECT_EQ(value<int64_t>(run.results, "samples"), 60);
    EXPECT_NE(io::read_file(run.folder + "/report.html").find("k2"), std::string::npos);
    const std::string places = io::read_file(run.folder + "/places.csv");
    EXPECT_EQ(places.substr(0, places.find('\n')), "x,y,class");
    EXPECT_EQ(std::count(places.begin(), places.end(), '\n'), 61);
    const auto predictor = load(run.folder);
    if (method == "t-sne" || method == "mds" || method == "spectral") {
      EXPECT_NE(fault([&] { predictor->predict("1, 2, 3"); }).find(" has no transform"),
                std::string::npos);
    } else {
      EXPECT_TRUE(std::isfinite(value<double>(predictor->predict("1, 2, 3"), "x")));
      EXPECT_GT(value<double>(predictor->evaluate(), "trustworthiness"), 0.5);
    }
  }
}

TEST_F(VisualizeTest, SaysWhatIsWrong) {
  io::write_file_atomic("t.csv", table());
  EXPECT_NE(fault_of(kName, job("run", {{"param", "perplexity=70"}})).find("perplexity = 70"),
            std::string::npos);
  EXPECT_NE(fault_of(kName, job("run", {{"param", "neighbours=7"}}))
                .find("TSNE has no option neighbours, but n_components, perplexity"),
            std::string::npos);
  EXPECT_NE(fault_of(kName, job("run", {{"param", "n_components=3"}})).find("two dimensions"),
            std::string::npos);
}

}  // namespace
}  // namespace glia::recipes
