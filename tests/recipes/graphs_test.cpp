// Recipes on graphs: the user's own files, resumption, predictions with reasons, and faults.
#include <cmath>
#include <fstream>

#include "glia/io.h"
#include "tests/recipes/support.h"

namespace glia::recipes {
namespace {

class GraphsTest : public RecipeTest {
 protected:
  static void write(const std::string& name, const std::string& text) {
    fs::create_directories(fs::path(name).parent_path());
    std::ofstream(name) << text;
  }
  // Two rings of friends with a few friends across; a feature tells a little.
  static void write_people() {
    std::string nodes = "id,label,warmth\n", edges = "source,target\n";
    for (int i = 0; i < 60; ++i) {
      const int side = i / 30;
      nodes += "p" + std::to_string(i) + "," + (side ? "north" : "south") + "," +
               std::to_string(std::sin(i) - side) + "\n";
      for (const int step : {1, 2, 5})
        edges +=
            "p" + std::to_string(i) + ",p" + std::to_string(30 * side + (i + step) % 30) + "\n";
      if (i % 10 == 0)
        edges += "p" + std::to_string(i) + ",p" + std::to_string((i + 30) % 60) + "\n";
    }
    write("people/nodes.csv", nodes);
    write("people/edges.csv", edges);
  }
  // Rings and stars in TU Dortmund's form.
  static void write_shapes() {
    std::string a, owner, labels, kinds;
    int node = 0;
    for (int g = 0; g < 40; ++g) {
      const int size = 5 + g % 4, first = node + 1;
      for (int i = 0; i < size; ++i, ++node) {
        const int other = g % 2 ? first + (i + 1) % size : first;
        if (g % 2 || i > 0)
          a += std::to_string(node + 1) + ", " + std::to_string(other) + "\n" +
               std::to_string(other) + ", " + std::to_string(node + 1) + "\n";
        owner += std::to_string(g + 1) + "\n";
        kinds += std::to_string(i % 2) + "\n";
      }
      labels += std::to_string(g % 2) + "\n";
    }
    write("shapes/S_A.txt", a);
    write("shapes/S_graph_indicator.txt", owner);
    write("shapes/S_graph_labels.txt", labels);
    write("shapes/S_node_labels.txt", kinds);
  }
  static TrainJob nodes(const std::string& out, const Values& more = {}) {
    Values given = {{"data", "people"}, {"epochs", 60}, {"hidden", 8}};
    given.insert(given.end(), more.begin(), more.end());
    return {.given = given, .out = out};
  }
  static TrainJob shapes(const std::string& out, const Values& more = {}) {
    Values given = {{"data", "shapes"}, {"epochs", 4}, {"steps", 10},     {"batch", 8},
                    {"hidden", 8},      {"folds", 2},  {"readout", "sum"}};
    given.insert(given.end(), more.begin(), more.end());
    return {.given = given, .out = out};
  }
};

TEST_F(GraphsTest, LearnsAndExplainsTheUsersNodes) {
  write_people();
  for (const char* model : {"gcn", "gat", "sage"}) {
    const Trained run =
        train("node-classification", nodes(std::string("run-") + model, {{"model", model}}));
    EXPECT_GE(value<double>(run.results, "accuracy"), 0.8) << model;
    const auto predictor = load(run.folder);
    const Results answer = predictor->predict("p7");
    EXPECT_EQ(value<std::string>(answer, "class"), "south") << model;
    const auto edges = value<report::Table>(answer, "edges");
    ASSERT_FALSE(edges.rows.empty());
    EXPECT_EQ(edges.columns[0].name, "from");
    EXPECT_EQ(value<int64_t>(predictor->evaluate(), "nodes"), 12);
    EXPECT_NE(fault([&] { predictor->predict("p99"); }).find("no node 'p99'"), std::string::npos);
  }
}

TEST_F(GraphsTest, GoesOnToTheSameBits) {
  write_people();
  train("node-classification", nodes("whole"));
  TrainJob cut = nodes("cut");
  int asked = 0;
  cut.interrupted = [&] { return ++asked >= 25; };
  EXPECT_THROW(train("node-classification", cut), Interrupted);
  train("node-classification", {.out = "cut", .resume = true});
  EXPECT_EQ(io::read_file("cut/model.safetensors"), io::read_file("whole/model.safetensors"));
}

TEST_F(GraphsTest, TellsShapesApart) {
  write_shapes();
  const Trained run = train("graph-classification", shapes("run"));
  EXPECT_GE(value<double>(run.results, "accuracy"), 0.8);
  EXPECT_EQ(value<int64_t>(run.results, "folds"), 2);
  const auto predictor = load(run.folder);
  EXPECT_EQ(value<int64_t>(predictor->predict("0"), "class"), 0);
  EXPECT_EQ(value<int64_t>(predictor->predict("1"), "class"), 1);
  EXPECT_EQ(value<int64_t>(predictor->evaluate(), "graphs"), 4);
  EXPECT_NE(fault([&] { predictor->predict("40"); }).find("no graph 40 among 40"),
            std::string::npos);
  TrainJob cut = shapes("cut");
  int asked = 0;
  cut.interrupted = [&] { return ++asked >= 13; };
  EXPECT_THROW(train("graph-classification", cut), Interrupted);
  train("graph-classification", {.out = "cut", .resume = true});
  EXPECT_EQ(io::read_file("cut/model.safetensors"), io::read_file("run/model.safetensors"));
}

TEST_F(GraphsTest, SaysWhatIsWrong) {
  write_people();
  write("people/edges.csv", "source,target\np1,p2\np1,p77\n");
  EXPECT_NE(fault_of("node-classification", nodes("x")).find("row 2: there is no node 'p77'"),
            std::string::npos);
  EXPECT_FALSE(fs::exists("x")) << "nothing is left behind";
  EXPECT_NE(fault_of("node-classification", nodes("x", {{"data", "nowhere"}})).find("nowhere"),
            std::string::npos);
  write("plain/edges.txt", "a b\nb c\n");
  EXPECT_NE(fault_of("node-classification", nodes("x", {{"data", "plain"}})).find("labels"),
            std::string::npos);
  EXPECT_NE(fault_of("graph-classification", shapes("x")).find("shapes"), std::string::npos);
  write_shapes();
  EXPECT_NE(fault_of("graph-classification", shapes("x", {{"batch", 64}})).find("--batch"),
            std::string::npos);
  EXPECT_FALSE(fs::exists("x"));
}

}  // namespace
}  // namespace glia::recipes
