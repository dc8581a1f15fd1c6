// Models written and read again, what a file may do to the reader, folding, training.
#include "glia/onnx/model.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "glia/autodiff.h"
#include "glia/error.h"
#include "glia/io.h"
#include "glia/nn.h"
#include "glia/onnx/export.h"
#include "glia/ops/arrange.h"
#include "glia/ops/special.h"
#include "glia/optim.h"
#include "glia/random.h"
#include "glia/runtime.h"
#include "messages.h"
#include "small_floats.h"
#include "tests/support/scratch.h"
#include "wire.h"

namespace glia::onnx {
namespace {

class Onnx : public test::ScratchWorkingFolder {};

// ---- A file by hand ----

struct Attr {
  std::string name;
  std::vector<int64_t> ints;
};
WireWriter node(const std::string& op, const std::vector<std::string>& in,
                const std::vector<std::string>& out, const std::vector<Attr>& attributes = {},
                const WireWriter* then_branch = nullptr) {
  WireWriter n;
  for (const auto& i : in) n.bytes(1, i);
  for (const auto& o : out) n.bytes(2, o);
  n.bytes(3, "n");
  n.bytes(4, op);
  for (const Attr& a : attributes) {
    WireWriter w;
    w.bytes(1, a.name);
    for (int64_t i : a.ints) w.integer(8, i);
    w.integer(20, 7);
    n.message(5, w);
  }
  if (then_branch) {
    for (const char* name : {"then_branch", "else_branch"}) {
      WireWriter w;
      w.bytes(1, name);
      w.message(6, *then_branch);
      w.integer(20, 5);
      n.message(5, w);
    }
  }
  return n;
}
WireWriter tensor_message(const std::string& name, const std::vector<int64_t>& dims, int type,
                          const std::string& raw) {
  WireWriter t;
  for (int64_t d : dims) t.integer(1, d);
  t.integer(2, type);
  t.bytes(8, name);
  t.bytes(9, raw);
  return t;
}
WireWriter ends(const std::string& name) {
  WireWriter info;
  info.bytes(1, name);
  return info;
}
std::string model_of(const std::vector<WireWriter>& nodes,
                     const std::vector<WireWriter>& tensors = {}, int opset_version = 17) {
  WireWriter graph, model, opset;
  for (const auto& n : nodes) graph.message(1, n);
  for (const auto& t : tensors) graph.message(5, t);
  graph.message(11, ends("x"));
  graph.message(12, ends("y"));
  opset.bytes(1, "");
  opset.integer(2, opset_version);
  model.message(7, graph);
  model.message(8, opset);
  return model.str();
}
std::string raw(std::initializer_list<float> v) {
  return {reinterpret_cast<const char*>(v.begin()), v.size() * sizeof(float)};
}
std::string raw(std::initializer_list<int64_t> v) {
  return {reinterpret_cast<const char*>(v.begin()), v.size() * sizeof(int64_t)};
}
std::string fault_of(const std::string& bytes, const std::string& folder = "") {
  try {
    Model::from_bytes(bytes, "m.onnx", folder);
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

TEST_F(Onnx, OneOperator) {
  const Model m =
      Model::from_bytes(model_of({node("Mul", {"x", "w"}, {"h"}), node("Relu", {"h"}, {"y"})},
                                 {tensor_message("w", {2}, 1, raw({2.0f, -3.0f}))}));
  EXPECT_EQ(m(tensor({1.0f, 1.0f})).to_vector<float>(), (std::vector<float>{2, 0}));
  ASSERT_EQ(m.named_parameters().size(), 1u);
  EXPECT_EQ(m.named_parameters()[0].name, "w");
  EXPECT_EQ(m.opset(), 17);
}

TEST_F(Onnx, TrainsAndCopies) {
  Model m = Model::from_bytes(model_of({node("MatMul", {"x", "w"}, {"y"})},
                                       {tensor_message("w", {2, 1}, 1, raw({0.0f, 0.0f}))}));
  const Model before = m;
  const Tensor x = randn({64, 2}), y = matmul(x, tensor({{1.0f}, {-2.0f}}));
  optim::Adam optimizer(m.parameters(), {.lr = 0.1});
  for (int i = 0; i < 100; ++i) optimizer.step(gradients(mse_loss(m(x), y), m.parameters()));
  const auto w = m.state_dict()[0].second.to_vector<float>();
  EXPECT_NEAR(w[0], 1, 0.05);
  EXPECT_NEAR(w[1], -2, 0.05);
  EXPECT_EQ(before.state_dict()[0].second.to_vector<float>(), (std::vector<float>{0, 0}));
}

// What follows from shapes is kept for each combination: other shapes, a scalar that says what to
// do, and another dtype of the parameters are other combinations.
TEST_F(Onnx, FoldsByShape) {
  // y = reshape(x, (shape(x)[1], -1)) * w
  Model m = [&] {
    WireWriter axis, concat;
    for (const char* i : {"rows", "minus"}) concat.bytes(1, i);
    concat.bytes(2, "to");
    concat.bytes(4, "Concat");
    axis.bytes(1, "axis");
    axis.integer(3, 0);
    axis.integer(20, 2);
    concat.message(5, axis);
    return Model::from_bytes(
        model_of({node("Shape", {"x"}, {"s"}), node("Gather", {"s", "one"}, {"rows"}), concat,
                  node("Reshape", {"x", "to"}, {"r"}), node("Mul", {"r", "w"}, {"y"})},
                 {tensor_message("one", {1}, 7, raw({int64_t{1}})),
                  tensor_message("minus", {1}, 7, raw({int64_t{-1}})),
                  tensor_message("w", {1}, 1, raw({2.0f}))}));
  }();
  for (int time = 0; time < 2; ++time) {
    EXPECT_EQ(m(ones({2, 3})).shape(), Shape({3, 2}));
    EXPECT_EQ(m(ones({4, 5})).shape(), Shape({5, 4}));
    EXPECT_EQ(m(ones({2, 3, 2})).shape(), Shape({3, 4}));
  }
  // A parameter that is set, or loaded, counts at once.
  m.load_state_dict({{"w", tensor({5.0f})}});
  EXPECT_EQ(m(ones({2, 3})).to_vector<float>()[0], 5);
  m.to(kF64);
  EXPECT_EQ(m(ones({2, 3}, kF64)).dtype(), kF64);
}

TEST_F(Onnx, NoNewPlanForEachRun) {
  nn::Sequential net(
      nn::Linear(8, 16), [](const Tensor& x) { return relu(x); }, nn::Linear(16, 3));
  net.eval();
  write("net.onnx", net, zeros({2, 8}));
  const Model m("net.onnx");
  const NoGrad no_grad;
  for (int i = 0; i < 2; ++i) eval(m(randn({4, 8})));
  const int64_t before = graph_stats().plans_built;
  for (int i = 0; i < 5; ++i) eval(m(randn({4, 8})));
  EXPECT_EQ(graph_stats().plans_built, before);
}

// ---- Written and read again ----

void expect_round_trip(const nn::Module& module,
                       const std::function<std::vector<Tensor>(const std::vector<Tensor>&)>& f,
                       const std::vector<Tensor>& x, double tolerance = 2e-5) {
  write("m.onnx", module, f, x);
  Model m("m.onnx");
  m.eval();
  const std::vector<Tensor> want = f(x), got = m(x);
  ASSERT_EQ(want.size(), got.size());
  for (size_t i = 0; i < want.size(); ++i) {
    ASSERT_EQ(want[i].shape(), got[i].shape());
    EXPECT_LE(max(abs(cast(want[i], kF64) - cast(got[i], kF64))).item(), tolerance) << i;
  }
  // And once more, from what was read.
  write(
      "again.onnx", m, [&](const std::vector<Tensor>& in) { return m(in); }, x);
  Model again("again.onnx");
  again.eval();
  const std::vector<Tensor> once_more = again(x);
  for (size_t i = 0; i < want.size(); ++i)
    EXPECT_LE(max(abs(cast(want[i], kF64) - cast(once_more[i], kF64))).item(), tolerance) << i;
}
template <class M>
void expect_round_trip(M& module, const Tensor& x, double tolerance = 2e-5) {
  module.eval();
  expect_round_trip(
      module, [&](const std::vector<Tensor>& in) { return std::vector<Tensor>{module(in[0])}; },
      {x}, tolerance);
}

struct Pictures : nn::Module {
  nn::Conv2d conv{3, 8, {.kernel = 3, .stride = 2, .padding = 1}};
  nn::BatchNorm2d norm{8};
  nn::Conv2d deep{8, 8, {.kernel = 3, .padding = 1, .groups = 8}};
  nn::ConvTranspose2d up{8, 4, {.kernel = 2, .stride = 2}};
  nn::Linear fc{4, 5};
  Tensor operator()(const Tensor& x) const {
    Tensor h = relu(norm(conv(x)));
    h = h + silu(deep(h));
    h = max_pool2d(up(h), 2);
    return softmax(fc(mean(h, {1, 2})));
  }
  GLIA_FIELDS(conv, norm, deep, up, fc)
};
TEST_F(Onnx, PicturesGoRound) {
  manual_seed(1);
  Pictures net;
  net.norm.running_mean = randn({8});
  expect_round_trip(net, randn({2, 16, 16, 3}));
}

struct Texts : nn::Module {
  nn::Embedding embedding{20, 16};
  nn::TransformerEncoderLayer layer{16, 4, {.dim_feedforward = 32, .dropout = 0}};
  nn::LSTM lstm{16, 8};
  Tensor operator()(const Tensor& x) const { return lstm(layer(embedding(x))).out; }
  GLIA_FIELDS(embedding, layer, lstm)
};
TEST_F(Onnx, TextsGoRound) {
  manual_seed(2);
  Texts net;
  expect_round_trip(net, randint(0, 20, {2, 6}));
}

TEST_F(Onnx, WritingSaysWhatItCannot) {
  nn::Linear net(3, 2);
  EXPECT_THROW(write("a.onnx", net, zeros({1, 3})), Error);  // in training
  net.eval();
  const auto refuses = [&](auto f, const std::string& with) {
    try {
      write("a.onnx", net,
            [&](const std::vector<Tensor>& x) { return std::vector<Tensor>{f(x[0])}; },
            {zeros({1, 3})});
      ADD_FAILURE() << "was written";
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find(with), std::string::npos) << e.what();
    }
  };
  refuses([](const Tensor& x) { return x * sum(x).item(); }, "depends on an input");
  refuses([](const Tensor& x) { return x + randn({3}); }, "random");
  refuses([](const Tensor& x) { return x.size(0) > 4 ? relu(x) : tanh(x); }, "another operation");
  refuses([](const Tensor& x) { return copysign(x, x); }, "no counterpart");
  EXPECT_THROW(write("no/folder/a.onnx", net, zeros({1, 3})), IoError);
}

TEST_F(Onnx, ExternalData) {
  nn::Linear net(64, 64);
  net.eval();
  write("e.onnx", net, zeros({1, 64}), {.external_data = true});
  const Tensor x = randn({2, 64});
  EXPECT_LE(max(abs(Model("e.onnx")(x) - net(x))).item(), 1e-5);
  const std::string bytes = io::read_file("e.onnx");
  EXPECT_NE(fault_of(bytes).find("has no folder"), std::string::npos);
  std::ofstream("e.onnx.data") << "short";
  EXPECT_THROW(Model("e.onnx"), IoError);
  // Outside the folder, by name or through a link.
  std::ofstream("secret") << std::string(64 * 64 * 4, 'x');
  for (const std::string place : {"../secret", "/etc/hostname", "folder/link"}) {
    std::filesystem::create_directories("sub/folder");
    std::filesystem::remove("sub/folder/link");
    std::filesystem::create_symlink("../../secret", "sub/folder/link");
    WireWriter t, says;
    t.integer(1, 4096);
    t.integer(2, 1);
    t.bytes(8, "w");
    says.bytes(1, "location");
    says.bytes(2, place);
    t.message(13, says);
    t.integer(14, 1);
    const std::string fault = fault_of(model_of({node("Relu", {"x"}, {"y"})}, {t}), "sub");
    EXPECT_NE(fault.find("its folder"), std::string::npos) << place << ": " << fault;
  }
}

// ---- What a file may do ----

TEST_F(Onnx, HostileFiles) {
  const auto has = [](const std::string& bytes, const std::string& part) {
    const std::string fault = fault_of(bytes);
    EXPECT_NE(fault.find(part), std::string::npos) << part << ": " << fault;
    EXPECT_EQ(fault.find('\n'), std::string::npos);
    EXPECT_TRUE(fault.starts_with("m.onnx: ")) << fault;
  };
  has("", "no graph");
  has("hello", "m.onnx");
  has(model_of(
          {node("Relu", {"b"}, {"a"}), node("Relu", {"a"}, {"b"}), node("Relu", {"x"}, {"y"})}),
      "a circle");
  has(model_of({node("Nothing", {"x"}, {"y"})}), "Nothing is not known");
  has(model_of({node("Relu", {"x"}, {"z"})}), "nothing makes the output");
  has(model_of({node("Relu", {"x"}, {"y"}), node("Relu", {"x"}, {"y"})}), "made twice");
  has(model_of({node("Relu", {"x"}, {"y"})}, {}, 1000), "newest known");
  const auto with = [](const std::vector<int64_t>& dims, int type, const std::string& data) {
    return model_of({node("Add", {"x", "w"}, {"y"})}, {tensor_message("w", dims, type, data)});
  };
  has(with({1 << 30, 1 << 30}, 1, "abcd"), "impossible shape");
  has(with({1 << 30}, 1, "abcd"), "has 4 bytes, not 4294967296");
  has(with({-1}, 1, "abcd"), "impossible shape");
  has(with({1, 1, 1, 1, 1, 1, 1, 1, 1}, 1, "abcd"), "9 axes");
  has(with({1}, 99, "abcd"), "unknown type 99");
  has(with({2}, 8, ""), "0 texts");
  WireWriter inside;
  inside.message(12, ends("x"));
  for (int depth = 0; depth < 100; ++depth) {
    WireWriter outer;
    outer.message(1, node("If", {"x"}, {"x"}, {}, &inside));
    outer.message(12, ends("x"));
    inside = outer;
    if (inside.str().size() > 1 << 20) break;
  }
  has(model_of({node("If", {"x"}, {"y"}, {}, &inside)}), "m.onnx");
}

// Whatever is in a file, it is read, or one line says why not; and it runs, or one line says why
// not.
TEST_F(Onnx, DamagedFiles) {
  manual_seed(3);
  Pictures net;
  net.eval();
  write("p.onnx", net, zeros({1, 8, 8, 3}));
  const std::string whole = io::read_file("p.onnx");
  const auto tries = [&](const std::string& bytes) {
    try {
      const Model m = Model::from_bytes(bytes, "m.onnx");
      if (m.inputs().size() == 1) eval(m(zeros({1, 8, 8, 3})));
    } catch (const Error& e) {
      EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos) << e.what();
    }
  };
  for (size_t size = 0; size < whole.size(); size += 97) tries(whole.substr(0, size));
  uint64_t state = 1;
  const auto random = [&](uint64_t n) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (state >> 33) % n;
  };
  // Only where the structure is: weights may be anything.
  const size_t structure = std::min<size_t>(whole.size(), 6000);
  for (int i = 0; i < 400; ++i) {
    std::string bytes = whole;
    for (uint64_t k = 0; k <= random(3); ++k) {
      const size_t at = random(2) ? random(structure) : whole.size() - 1 - random(structure);
      bytes[at] = static_cast<char>(random(256));
    }
    tries(bytes);
  }
}

TEST_F(Onnx, WrongInputs) {
  nn::Linear net(3, 2);
  net.eval();
  write("l.onnx", net, zeros({1, 3}));
  const Model m("l.onnx");
  EXPECT_THROW(m({zeros({1, 3}), zeros({1})}), ShapeError);
  EXPECT_THROW(m(zeros({1, 4})), ShapeError);
  EXPECT_THROW(m(zeros({3})), ShapeError);
  EXPECT_THROW(m(zeros({1, 3}, kI64)), ShapeError);
  EXPECT_THROW(m.run({{"other", zeros({1, 3})}}), Error);
  EXPECT_EQ(m(zeros({0, 3})).shape(), Shape({0, 2}));
  EXPECT_THROW(Model("missing.onnx"), IoError);
}

TEST_F(Onnx, SmallFloats) {
  for (int t = 0; t < kElementTypes; ++t) {
    const auto type = static_cast<ElementType>(t);
    if (!is_small_float(type)) continue;
    const int codes = type == ElementType::kFloat4E2M1 ? 16 : 256;
    for (int code = 0; code < codes; ++code) {
      const float x = from_code(type, static_cast<uint8_t>(code));
      if (std::isnan(x) || std::isinf(x)) continue;
      EXPECT_EQ(rounded(type, x, true), x) << name(type) << " " << code;
      if (x != 0) {
        EXPECT_EQ(rounded(type, std::nextafter(x, 0.0f), true), x) << name(type) << code;
      }
    }
  }
  EXPECT_EQ(rounded(ElementType::kFloat8E4M3FN, 1e6f, true), 448);
  EXPECT_TRUE(std::isnan(rounded(ElementType::kFloat8E4M3FN, 1e6f, false)));
  EXPECT_TRUE(std::isinf(rounded(ElementType::kFloat8E5M2, 1e6f, false)));
}

}  // namespace
}  // namespace glia::onnx
