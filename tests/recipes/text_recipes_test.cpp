// Classes of texts, tags of words and vectors of words, on small files; the full length is
// scripts/full's.
#include "glia/io.h"
#include "tests/recipes/support.h"

namespace glia::recipes {
namespace {

class TextRecipes : public RecipeTest {
 protected:
  // Opinions that one word of each decides.
  static std::string opinions() {
    std::string out = "text,label\n";
    const char* good[] = {"fine", "lovely", "great"};
    const char* bad[] = {"dull", "awful", "bad"};
    for (int i = 0; i < 90; ++i)
      out += "\"a " + std::string((i % 2 ? good : bad)[i / 2 % 3]) + " film, number " +
             std::to_string(i % 7) + "\"," + (i % 2 ? "pos" : "neg") + "\n";
    return out;
  }
};

TEST_F(TextRecipes, ClassesOfATable) {
  io::write_file_atomic("t.csv", opinions());
  for (const char* model : {"bag", "fasttext", "cnn", "lstm", "transformer"}) {
    const Trained run = train("text-classification", {.given = {{"data", "t.csv"},
                                                                {"model", model},
                                                                {"features", 16},
                                                                {"filters", 8},
                                                                {"hidden", 8},
                                                                {"layers", 1},
                                                                {"epochs", 12},
                                                                {"dropout", 0.0},
                                                                {"batch", 10},
                                                                {"lr", 0.02}},
                                                      .out = std::string("run-") + model});
    EXPECT_EQ(value<double>(run.results, "accuracy"), 1) << model;
    EXPECT_EQ(value<double>(run.results, "f1"), 1) << model;
    const auto predictor = load(run.folder);
    const Results answer = predictor->predict("a lovely film");
    EXPECT_EQ(value<std::string>(answer, "class"), "pos") << model;
    EXPECT_EQ(value<std::string>(predictor->predict("an awful film"), "class"), "neg") << model;
    EXPECT_EQ(value<double>(predictor->evaluate(), "accuracy"), 1) << model;
    EXPECT_NO_THROW(predictor->predict("")) << model;
  }
  io::write_file_atomic("one.csv", "text,label\na,b\nc,b\n");
  EXPECT_EQ(fault([&] {
              train("text-classification", {.given = {{"data", "one.csv"}}});
            }),
            "one.csv: holds texts of fewer than two classes");
}

TEST_F(TextRecipes, TagsOfAFile) {
  std::string text;
  for (int i = 0; i < 60; ++i) {
    text += "# sentence\n1\tThe\tthe\tDET\t_\t_\t_\t_\t_\t_\n2\t";
    text += i % 2 ? "dog\tdog\tNOUN" : "cat\tcat\tNOUN";
    text += "\t_\t_\t_\t_\t_\t_\n3-4\tcan't\t_\t_\t_\t_\t_\t_\t_\t_\n3\t";
    text += i % 3 ? "runs\trun\tVERB" : "sleeps\tsleep\tVERB";
    text += "\t_\t_\t_\t_\t_\t_\n\n";
  }
  io::write_file_atomic("t.conllu", text);
  const Trained run = train("tagging", {.given = {{"data", "t.conllu"},
                                                  {"word-features", 16},
                                                  {"filters", 8},
                                                  {"hidden", 8},
                                                  {"epochs", 8},
                                                  {"batch", 8},
                                                  {"lr", 0.03}}});
  EXPECT_EQ(run.folder, "runs/tagging-t");
  EXPECT_GT(value<double>(run.results, "accuracy"), 0.95);
  const auto predictor = load(run.folder);
  EXPECT_EQ(value<std::string>(predictor->predict("The dog sleeps"), "tags"),
            "The/DET dog/NOUN sleeps/VERB");
  EXPECT_EQ(fault([&] { predictor->predict(" "); }), "there is no sentence to tag");
  io::write_file_atomic("bad.conllu", "word\n");
  EXPECT_EQ(fault([&] {
              train("tagging", {.given = {{"data", "bad.conllu"}}});
            }),
            "bad.conllu: line 1: 'word' is no word and its tag");
}

TEST_F(TextRecipes, VectorsOfAText) {
  std::string text;
  for (int i = 0; i < 300; ++i)
    text += std::string("The ") + (i % 2 ? "cat" : "dog") + " eats meat.\nA " +
            (i % 2 ? "car" : "bus") + " needs fuel.\n";
  io::write_file_atomic("t.txt", text);
  for (const char* model : {"skipgram", "cbow", "glove"}) {
    const Trained run = train("word-vectors", {.given = {{"data", "t.txt"},
                                                         {"model", model},
                                                         {"size", 8},
                                                         {"epochs", 3},
                                                         {"sample", 0.0}},
                                               .out = std::string("run-") + model});
    EXPECT_EQ(value<int64_t>(run.results, "words"), 11) << model;
    const auto predictor = load(run.folder);
    EXPECT_EQ(value<report::Table>(predictor->predict("cat - dog + bus"), "neighbours").rows.size(),
              8u);
    EXPECT_EQ(fault([&] { predictor->predict("nobody"); }),
              "most_similar: there is no vector of 'nobody'");
  }
  EXPECT_EQ(fault([&] { train("word-vectors", {}); }), "--data: no text is named");
}

}  // namespace
}  // namespace glia::recipes
