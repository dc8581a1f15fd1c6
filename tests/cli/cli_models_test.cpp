// What is done with trained models: `glia generate`, `export`, `run` and `explain`.
#include "tests/cli/support.h"

#include "glia/ops.h"

namespace glia {
namespace {

TEST_F(Cli, DrawsPictures) {
  if (glia("train vae --help").status != 0) GTEST_SKIP() << "built without glia_generative";
  const Output trained =
      glia("train vae --data fashion-mnist --epochs 1 --hidden 16 --latent 2 --judged 10 --out v");
  ASSERT_EQ(trained.status, 0) << trained.err;
  EXPECT_EQ(glia("generate --model v --count 6 --out a.png").out, "a.png: 6 pictures\n");
  const Tensor pictures = io::read_png("a.png");
  EXPECT_EQ(pictures.shape(), (Shape{2 * 30 - 2, 3 * 30 - 2, 1}));
  EXPECT_EQ(glia("generate vae --model v --count 6 --out b.png").status, 0);
  EXPECT_EQ(glia("generate --model v --count 6 --seed 1 --out c.png").status, 0);
  EXPECT_EQ(io::read_file("a.png"), io::read_file("b.png"));
  EXPECT_NE(io::read_file("a.png"), io::read_file("c.png"));
  expect_error("generate", "generate: no recipe is named, and no --model");
  expect_error("generate bogus", "unknown recipe 'bogus'");
  expect_error("generate fashion-mnist --model v", "generate: fashion-mnist has no such command");
  expect_error("generate gan --model v", "v/model.safetensors: is no model of gan");
  expect_error("generate --model nowhere", "nowhere: ");
  expect_error("generate --model v --count 0", "--count: '0'");
  expect_error("generate --model v --guidance nan", "--guidance: 'nan'");
  expect_error("generate --model v --class 3", "--class: the model was trained without classes");
  expect_error("generate --model v --out nowhere/a.png", "nowhere/a.png: ");
  expect_error("evaluate vae --model v --data mnist", "");
}

TEST_F(Cli, ExportsAndRuns) {
  if (glia("run --help").status != 0) GTEST_SKIP() << "built without glia_onnx";
  ASSERT_EQ(glia(kQuick + "--out r").status, 0);
  const Output written = glia("export --model r m.onnx");
  ASSERT_EQ(written.status, 0) << written.err;
  EXPECT_NE(written.out.find("input       pictures float32 (batch, 28, 28, 1)\n"),
            std::string::npos)
      << written.out;
  EXPECT_EQ(glia("run m.onnx").out, written.out);
  io::write_npy("x.npy", zeros({2, 28, 28, 1}));
  const Output said = glia("run m.onnx --input x.npy --out results");
  EXPECT_TRUE(said.out.starts_with("logits float32 (2, 10)\n")) << said.out << said.err;
  EXPECT_EQ(io::read_npy("results/logits.npy").shape(), (Shape{2, 10}));
  EXPECT_EQ(glia("run m.onnx --input pictures=x.npy").out, said.out);
  EXPECT_EQ(glia("export --model r --external-data e.onnx").status, 0);
  EXPECT_EQ(glia("run e.onnx --input x.npy").out, said.out);
  fs::remove("e.onnx.data");
  expect_error("run e.onnx --input x.npy", "\"e.onnx.data\", which is not there");
  io::write_npy("d.npy", zeros({2, 28, 28, 1}, kF64));
  const Output wrong = glia("run m.onnx --input d.npy");
  EXPECT_EQ(wrong.err, "glia: onnx: input \"pictures\" takes float32, not float64\n");
  expect_error("run", "model is required");
  expect_error("run nowhere.onnx", "nowhere.onnx: ");
  expect_error("run x.npy", "x.npy: ");
  expect_error("run m.onnx --input nowhere.npy", "nowhere.npy: ");
  expect_error("run m.onnx --input shoes=x.npy", "the model has no input \"shoes\"");
  expect_error("run m.onnx --input x.npy --input x.npy",
               "there are 2 files for the model's 1 input");
  expect_error("run m.onnx --input pictures=x.npy --input pictures=x.npy",
               "there are two files for the input \"pictures\"");
  expect_error("run m.onnx --input x.npy --out x.npy", "x.npy: ");
  expect_error("export --model r", "file is required");
  expect_error("export --model nowhere n.onnx", "nowhere: ");
  expect_error("export --model r nowhere/n.onnx", "nowhere/n.onnx: ");
  fs::resize_file("m.onnx", fs::file_size("m.onnx") / 2);
  expect_error("run m.onnx", "m.onnx: ends after ");
}

TEST_F(Cli, Explains) {
  if (glia("explain --help").status != 0) GTEST_SKIP() << "built without glia_explain";
  ASSERT_EQ(glia(kQuick + "--out r").status, 0);
  io::write_png("shoe.png", full({28, 28, 1}, 90, kU8));
  const std::string explain = "explain fashion-mnist --model r ";
  EXPECT_EQ(glia(explain + "shoe.png").out, "explanation.html\n");
  EXPECT_EQ(glia(explain + "shoe.png --class Sneaker --out why.html").out, "why.html\n");
  const std::string page = io::read_file("why.html");
  EXPECT_NE(page.find("Why Sneaker"), std::string::npos);
  EXPECT_NE(page.find("Where it looks"), std::string::npos);
  EXPECT_EQ(page.find("Grad-CAM"), std::string::npos);  // a perceptron has no maps
  expect_error("explain", "explain: no recipe is named (known: ");
  expect_error("explain k-means --model r x", "explain: k-means has no such command");
  expect_error(explain + "nowhere.png", "nowhere.png: ");
  expect_error(explain + "shoe.png --class Boat", "'Boat' is no class of the model: T-shirt/top");
  expect_error(explain + "shoe.png --out nowhere/why.html", "nowhere/why.html: ");
  expect_error("explain fashion-mnist --model nowhere shoe.png", "nowhere: ");
  expect_error("explain fashion-mnist shoe.png", "--model is required");
  expect_error(explain + "shoe.png --bogus 3", "not expected: --bogus 3 (see --help)");
}

}  // namespace
}  // namespace glia
