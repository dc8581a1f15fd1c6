// Trained models of recipes as ONNX files: what is read again computes the same.
#include "glia/io.h"
#include "glia/onnx/export.h"
#include "glia/onnx/model.h"
#include "glia/ops.h"
#include "glia/ops/special.h"
#include "glia/random.h"
#include "tests/recipes/support.h"

namespace glia::recipes {
namespace {

class OnnxExport : public RecipeTest {
 protected:
  // Of batches of one and of three.
  static void expect_same(const std::string& run) {
    const auto predictor = load(run);
    const Computation c = predictor->computation();
    onnx::write("m.onnx", *c.module, c.function, c.examples,
                {.input_names = c.inputs, .output_names = c.outputs});
    onnx::Model model("m.onnx");
    model.eval();
    ASSERT_EQ(model.inputs().size(), c.inputs.size());
    EXPECT_EQ(model.inputs()[0].name, c.inputs[0]);
    const NoGrad no_grad;
    for (const int64_t batch : {1, 3}) {
      std::vector<Tensor> x;
      for (const Tensor& example : c.examples) {
        Shape shape = example.shape();
        shape[0] = batch;
        x.push_back(is_float(example.dtype()) ? randn(shape) : randint(0, 5, shape));
      }
      const auto want = c.function(x), got = model(x);
      ASSERT_EQ(want.size(), got.size());
      for (size_t i = 0; i < want.size(); ++i) {
        ASSERT_EQ(want[i].shape(), got[i].shape());
        EXPECT_TRUE(allclose(got[i], want[i], {.rtol = 1e-4, .atol = 1e-4})) << run << " " << batch;
      }
    }
  }
};

TEST_F(OnnxExport, Networks) {
  train("gan", {.given = {{"data", "ring-8"}, {"steps", 2}, {"width", 8}}, .out = "gan"});
  expect_same("gan");
  train("sequence-task",
        {.given = {{"steps", 2}, {"hidden", 8}, {"length", 10}, {"batch", 4}, {"model", "lstm"}},
         .out = "sequence"});
  expect_same("sequence");
  io::write_file_atomic("text.txt", std::string(3000, 'a') + "bcdefg\n" + std::string(3000, 'b'));
  train("language-model", {.given = {{"data", "text.txt"},
                                     {"steps", 2},
                                     {"block", 16},
                                     {"width", 16},
                                     {"heads", 2},
                                     {"layers", 1}},
                           .out = "text"});
  expect_same("text");
}

TEST_F(OnnxExport, OthersSayThatTheyAreNone) {
  io::write_file_atomic("t.csv", "a,b\n1,2\n3,4\n5,7\n9,1\n");
  train("k-means", {.given = {{"data", "t.csv"}, {"clusters", 2}}, .out = "k"});
  try {
    load("k")->computation();
    ADD_FAILURE();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("no network"), std::string::npos);
  }
}

}  // namespace
}  // namespace glia::recipes
