// Explanations of what recipes trained, on data where one place, one word and one column decide.
#include "glia/recipes/explain.h"

#include <algorithm>

#include "glia/io.h"
#include "glia/ops.h"
#include "tests/recipes/support.h"

namespace glia::recipes {
namespace {

class Explain : public RecipeTest {
 protected:
  static report::Report explain(const std::string& folder, const Input& input,
                                const ExplainOptions& options = {}) {
    const auto predictor = load(folder);
    const auto* explains = dynamic_cast<const Explains*>(predictor.get());
    if (!explains) throw Error("no Explains");
    return explains->explain(input, options);
  }
  template <class Body>
  static const Body& section(const report::Report& page, const std::string& title) {
    for (const auto& s : page.sections)
      if (s.title == title) return std::get<Body>(s.body);
    throw Error("no section " + title);
  }
};

TEST_F(Explain, Pictures) {
  // A bright square in the upper left or the lower right corner.
  const auto picture = [](bool upper, int64_t noise) {
    std::vector<uint8_t> pixels;
    for (int64_t y = 0; y < 16; ++y)
      for (int64_t x = 0; x < 16; ++x) {
        const bool bright = upper ? x < 5 && y < 5 : x > 10 && y > 10;
        pixels.push_back(static_cast<uint8_t>(bright ? 220 : 40 + (x * 7 + y * 3 + noise) % 20));
      }
    return from_vector(pixels, {16, 16, 1});
  };
  for (int64_t i = 0; i < 20; ++i)
    for (const bool upper : {false, true}) {
      const std::string folder = upper ? "set/upper" : "set/lower";
      fs::create_directories(folder);
      io::write_png(folder + "/" + std::to_string(i) + ".png", picture(upper, i));
    }
  train("image-classification", {.given = {{"data", "set"},
                                           {"model", "cnn"},
                                           {"size", 16},
                                           {"epochs", 8},
                                           {"batch", 8},
                                           {"mirror", false},
                                           {"shift", 0}},
                                 .out = "run"});
  const report::Report page = explain("run", picture(true, 3));
  EXPECT_EQ(page.title, "Why upper");
  const auto& images = section<report::Images>(page, "Where it looks");
  ASSERT_EQ(images.groups[0].pictures.size(), 5u);  // the input, Grad-CAM and three more
  EXPECT_EQ(images.groups[0].pictures[1].caption, "Grad-CAM");
  const auto& trust = section<report::Table>(page, "Whether the maps can be trusted");
  EXPECT_EQ(trust.rows.size(), 3u);
  EXPECT_NE(report::to_html(page).find("integrated gradients"), std::string::npos);
  EXPECT_EQ(explain("run", picture(true, 3), {"lower"}).title, "Why lower");
  EXPECT_NE(fault([&] { explain("run", picture(true, 3), {"middle"}); }).find("lower, upper"),
            std::string::npos);
  EXPECT_NE(fault([&] { explain("run", std::string("none.png")); }).find("none.png"),
            std::string::npos);
}

TEST_F(Explain, Words) {
  std::string table = "text,label\n";
  for (int i = 0; i < 80; ++i)
    table += "\"the " + std::string(i % 2 ? "lovely" : "awful") + " film number " +
             std::to_string(i % 5) + "\"," + (i % 2 ? "pos" : "neg") + "\n";
  io::write_file_atomic("t.csv", table);
  for (const char* model : {"cnn", "bag"}) {
    train("text-classification", {.given = {{"data", "t.csv"},
                                            {"model", model},
                                            {"features", 16},
                                            {"filters", 8},
                                            {"epochs", 10},
                                            {"dropout", 0.0},
                                            {"batch", 10},
                                            {"lr", 0.02}},
                                  .out = std::string("run-") + model});
    const report::Report page = explain(std::string("run-") + model, "what a lovely film");
    EXPECT_EQ(page.title, "Why pos");
    for (const char* title : {"Without each word", "Integrated gradients"}) {
      const auto& spans = section<report::Texts>(page, title).texts.at(0).spans;
      std::string whole;
      for (const auto& s : spans) whole += s.text;
      EXPECT_EQ(whole, "what a lovely film");
      const auto most = std::ranges::max_element(
          spans, {}, [](const report::Texts::Span& s) { return s.weight; });
      EXPECT_EQ(most->text, "lovely") << model << ", " << title;
    }
  }
  EXPECT_NO_THROW(explain("run-cnn", std::string("")));
}

TEST_F(Explain, Rows) {
  std::string table = "age,town,buys,spent\n";
  for (int i = 0; i < 200; ++i) {
    const int age = 20 + (i * 37) % 50;
    table += std::to_string(age) + "," + (i % 3 ? "Ulm" : "Bonn") + "," +
             (age > 40 ? "yes" : "no") + "," + std::to_string(2 * age) + "\n";
  }
  io::write_file_atomic("t.csv", table);
  train("tabular", {.given = {{"data", "t.csv"},
                              {"target", "buys"},
                              {"drop", "spent"},
                              {"model", "RandomForestClassifier"},
                              {"param", "n_estimators=20"}},
                    .out = "run"});
  const report::Report page = explain("run", std::string("{\"age\": 60, \"town\": \"Bonn\"}"));
  EXPECT_EQ(page.title, "Why: probability of yes");
  const auto& bars = section<report::Bars>(page, "What each column adds").bars;
  EXPECT_EQ(bars.at(0).name, "age = 60");
  EXPECT_GT(bars.at(0).value, 0.2);
  EXPECT_LT(std::abs(bars.at(1).value), 0.1);
  EXPECT_EQ(section<report::Curves>(page, "age").series.size(), 2u);
  const auto& towns = section<report::Table>(page, "town").rows;  // by name, not by code
  ASSERT_EQ(towns.size(), 2u);
  EXPECT_EQ(std::get<std::string>(towns[1][0].value()), "Ulm");
  // A table's first row, and a regressor.
  EXPECT_EQ(explain("run", std::string("t.csv"), {"no"}).title, "Why: probability of no");
  train("tabular", {.given = {{"data", "t.csv"},
                              {"target", "spent"},
                              {"drop", "buys"},
                              {"model", "LinearRegression"}},
                    .out = "line"});
  const report::Report line = explain("line", std::string("{\"age\": 60, \"town\": \"Bonn\"}"));
  EXPECT_EQ(section<report::Bars>(line, "What each column adds").bars.at(0).name, "age = 60");
  EXPECT_NE(fault([&] { explain("line", std::string("t.csv"), {"yes"}); }).find("no class"),
            std::string::npos);
  EXPECT_NE(fault([&] { explain("run", std::string("{\"age\": 60}")); }).find("town"),
            std::string::npos);
}

}  // namespace
}  // namespace glia::recipes
