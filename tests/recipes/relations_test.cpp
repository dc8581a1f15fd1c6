// The recipes "recommend" and "knowledge-graph" on data of their own.
#include "glia/io.h"
#include "support.h"

namespace glia::recipes {
namespace {

using RelationsTest = RecipeTest;

// Two kinds of users and of items; who likes what is by kind.
std::string ratings() {
  std::string text = "user,item,rating,time\n";
  for (int u = 0; u < 40; ++u)
    for (int i = 0; i < 20; ++i)
      if ((u * 7 + i * 3) % 5 != 0)
        text += "ann" + std::to_string(u) + ",film" + std::to_string(i) + "," +
                (u % 2 == i % 2 ? "5" : "2") + "," + std::to_string(u + 3 * i) + "\n";
  return text;
}

TEST_F(RelationsTest, RecommendsWhatLikeUsersLike) {
  io::write_file_atomic("r.csv", ratings());
  const Trained run =
      train("recommend",
            {.given = {{"data", "r.csv"}, {"model", "knn-means"}, {"folds", 4}}, .out = "run"});
  EXPECT_EQ(run.results[0].name, "rmse");
  EXPECT_LT(value<double>(run.results, "rmse"), 1);
  const auto predictor = load("run");
  predictor->top = 2;
  const Results said = predictor->predict("ann4");
  const auto& table = std::get<report::Table>(said[1].value);
  ASSERT_EQ(table.rows.size(), 2u);
  for (const auto& row : table.rows) {
    const auto& film = std::get<std::string>(row[0].value());
    EXPECT_EQ((film.back() - '0') % 2, 0) << film;
  }
  EXPECT_EQ(table.columns.size(), 2u);  // what users like is no reason that can be shown
  const Results seen = predictor->evaluate();
  EXPECT_LT(value<double>(seen, "rmse"), 1);
  EXPECT_EQ(seen.back().name, "note");
  EXPECT_NE(fault([&] { predictor->predict("eve"); }).find("'eve'"), std::string::npos);

  const Trained ranked = train("recommend", {.given = {{"data", "r.csv"},
                                                       {"model", "ease"},
                                                       {"liked", 4.0},
                                                       {"split", "random"},
                                                       {"reg", 5.0},
                                                       {"k", 5}},
                                             .out = "ranked"});
  EXPECT_EQ(ranked.results[0].name, "ndcg_at_5");
  EXPECT_GT(value<double>(ranked.results, "hit_at_5"), 0.5);
  const auto reasons = std::get<report::Table>(load("ranked")->predict("ann4")[1].value);
  EXPECT_NE(std::get<std::string>(reasons.rows[0][2].value()), "");
}

TEST_F(RelationsTest, NamesWhatIsWrongWithRatings) {
  io::write_file_atomic("r.csv", "user,item,rating\na,b,3\na,,4\n");
  EXPECT_NE(fault_of("recommend", {.given = {{"data", "r.csv"}}, .out = "run"}).find("row 2"),
            std::string::npos);
  io::write_file_atomic("r.csv", "user,item,rating\na,b,3\nc,b,4\n");
  fault_of("recommend", {.given = {{"data", "r.csv"}, {"split", "time"}}, .out = "run"});
  fault_of("recommend", {.given = {{"data", "none.csv"}}, .out = "run"});
  const auto says = [&](const char* rows, const Values& given, const char* want) {
    io::write_file_atomic("r.csv", std::string("user,item,rating\n") + rows);
    Values all = {{"data", "r.csv"}};
    all.insert(all.end(), given.begin(), given.end());
    const std::string said = fault_of("recommend", {.given = all, .out = "run"});
    EXPECT_NE(said.find(want), std::string::npos) << said;
    EXPECT_EQ(said.find(".cpp"), std::string::npos) << said;
  };
  const char* alike = "a,b,3\na,c,3\nb,b,3\nb,c,3\nc,b,3\nc,d,3\n";
  const char* huge = "a,b,-1e308\na,c,1e308\nb,b,3\nb,c,3\nc,b,3\nc,d,3\n";
  says(alike, {}, "no ratings that differ");
  says(alike, {{"user", "who"}}, "there is no column 'who', but user, item");
  says(huge, {{"folds", 7}}, "--folds: 7 are too many of 6 rows");
  says(huge, {}, "svd diverged: rmse is");
  says(alike, {{"liked", 9.0}}, "no rating is 9 or more (--liked)");
  EXPECT_FALSE(fs::exists("run"));
}

TEST_F(RelationsTest, AnswersQuestionsOfAGraph) {
  fs::create_directory("g");
  std::string text;
  for (int i = 0; i < 16; ++i) {
    const auto place = [](int k) { return "place" + std::to_string(100 + k % 16); };
    text +=
        place(i) + "\tnext\t" + place(i + 1) + "\n" + place(i + 1) + "\tbefore\t" + place(i) + "\n";
  }
  io::write_file_atomic("g/train.tsv", text);
  const Trained run = train("knowledge-graph", {.given = {{"data", "g"},
                                                          {"training", "kvsall"},
                                                          {"dim", 24},
                                                          {"epochs", 60},
                                                          {"lr", 0.03},
                                                          {"batch", 16}},
                                                .out = "run"});
  EXPECT_EQ(run.results[0].name, "mrr");
  const auto predictor = load("run");
  predictor->top = 2;
  const Results said = predictor->predict("(place104, next, ?)");
  EXPECT_EQ(std::get<report::Table>(said[1].value).rows.size(), 2u);
  EXPECT_EQ(
      std::get<std::string>(predictor->predict("? , next, place103")[0].value).rfind("place", 0),
      0u);
  EXPECT_GT(value<double>(predictor->evaluate({.split = "train"}), "mrr"), 0.6);
  for (const char* wrong :
       {"place104, next", "(?, next, ?)", "(place104, near, ?)", "(plac, next, ?)", ""})
    fault([&] { predictor->predict(wrong); });
  fault_of("knowledge-graph", {.given = {{"data", "nowhere"}}, .out = "other"});
  fault_of("knowledge-graph",
           {.given = {{"data", "g"}, {"model", "conve"}, {"dim", 24}}, .out = "other"});
  EXPECT_FALSE(fs::exists("other"));
}

}  // namespace
}  // namespace glia::recipes
