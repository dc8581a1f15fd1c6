// Pictures of models: what they are made of, and that a page holds them.
#include "glia/classic/plots.h"

#include <gtest/gtest.h>

#include "classic_data.h"
#include "glia/classic/hierarchy.h"
#include "glia/classic/naive_bayes.h"
#include "glia/ops.h"

namespace glia::classic {
namespace {

using test::blobs;

const report::Curves& curves_of(const report::Section& s) {
  return std::get<report::Curves>(s.body);
}

TEST(Plots, OfClasses) {
  const auto b = blobs(200, 2, 3, 2);
  const Tensor y = from_vector(b.of, {200});
  GaussianNB model;
  model.fit(b.x, y);
  const Tensor p = model.predict_proba(b.x);
  const std::vector<std::string> names = {"a", "b", "c & d"};
  std::vector<report::Section> sections = {
      roc_section(y, p, names), precision_recall_section(y, p, names),
      calibration_section(y, p, names), reliability_section(y, p)};
  EXPECT_EQ(curves_of(sections[0]).series.size(), 4);  // and by chance
  EXPECT_EQ(curves_of(sections[0]).series[2].name, "c & d");
  EXPECT_EQ(curves_of(sections[0]).series[0].y.front(), 0);
  EXPECT_EQ(curves_of(sections[0]).series[0].y.back(), 1);
  EXPECT_NE(sections[3].note.find("expected calibration error"), std::string::npos);
  // Of two classes the second alone; a class that no sample is of is not drawn.
  const Tensor two = cast(y > 0, kI64),
               q = stack({index(p, {Slice{}, 0}), 1 - index(p, {Slice{}, 0})}, 1);
  EXPECT_EQ(curves_of(roc_section(two, q, {"no", "yes"})).series[0].name, "yes");
  EXPECT_EQ(curves_of(roc_section(two * 0, q, {"no", "yes"})).series.size(), 1);
  EXPECT_THROW(roc_section(y, q, names), ShapeError);

  sections.push_back(decision_boundary_section(model, b.x, y, names));
  const auto& picture = std::get<report::Images>(sections.back().body).groups[0].pictures[0];
  EXPECT_EQ(picture.image.shape(), (Shape{240, 240, 3}));
  EXPECT_EQ(picture.caption, "a blue, b orange, c & d green");
  EXPECT_THROW(decision_boundary_section(model, p, y, names), ShapeError);
  const std::string page = report::to_html({.title = "Classes", .sections = sections});
  EXPECT_NE(page.find("c &amp; d"), std::string::npos);
}

TEST(Plots, OfClustersAndComponents) {
  const auto elbow = elbow_section({1, 2, 3}, {9, 4, 3});
  EXPECT_EQ(curves_of(elbow).series[0].x, (std::vector<double>{1, 2, 3}));
  EXPECT_THROW(elbow_section({1, 2}, {1}), ShapeError);
  const auto scree = scree_section(tensor({0.5, 0.25, 0.125}));
  EXPECT_EQ(curves_of(scree).series[1].y, (std::vector<double>{0.5, 0.75, 0.875}));
  // Three samples: 0 and 1 are near, 2 is far. Two merges of four corners and a gap each.
  const Tensor tree = linkage(tensor({{0.}, {1.}, {5.}}));
  const auto dendrogram = dendrogram_section(tree);
  const auto& lines = curves_of(dendrogram).series[0];
  ASSERT_EQ(lines.x.size(), 10);
  EXPECT_EQ(lines.y[1], 1);  // the first merge
  EXPECT_EQ(lines.y[6], 4);  // and the second
  const auto few = dendrogram_section(linkage(blobs(300, 2, 3, 3).x), 10);
  EXPECT_EQ(curves_of(few).series[0].x.size(), 45);
  EXPECT_EQ(few.note, "The last 9 merges of 300 samples.");
  EXPECT_THROW(dendrogram_section(ones({3, 4})), ValueError);  // no tree
  EXPECT_THROW(dendrogram_section(ones({3, 3})), ShapeError);
  EXPECT_FALSE(report::to_html({.title = "t", .sections = {elbow, scree, few}}).empty());
}

TEST(Plots, OfSamplesAndOptions) {
  const auto b = blobs(120, 2, 2, 1);
  const Tensor y = from_vector(b.of, {120});
  const LearningCurve curve = learning_curve(GaussianNB(), b.x, y);
  const auto drawn = learning_curve_section(curve, "accuracy");
  const auto& learned = curves_of(drawn);
  EXPECT_EQ(learned.series.size(), 2);
  EXPECT_EQ(learned.series[0].deviation.size(), 5);
  const ValidationCurve by =
      validation_curve(GaussianNB(), b.x, y, "var_smoothing", {1e-9, 1e-3, 1.0});
  const auto section =
      validation_curve_section("var_smoothing", {1e-9, 1e-3, 1}, by, "accuracy", true);
  EXPECT_TRUE(curves_of(section).x.log);
  EXPECT_EQ(curves_of(validation_curve_section("v", {1, 2, 3}, {{}, by.test_scores})).series.size(),
            1);
  EXPECT_THROW(validation_curve_section("v", {1, 2}, by), ShapeError);
}

}  // namespace
}  // namespace glia::classic
