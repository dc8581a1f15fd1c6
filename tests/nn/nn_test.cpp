// Modules: names, values, copies, modes, state dicts, and layers one after another.
#include "glia/nn.h"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <numeric>

#include "glia/autodiff.h"
#include "glia/optim.h"
#include "glia/random.h"
#include "tests/support/modules.h"

namespace glia {
namespace {

using namespace modules;

// ---- Names and nesting --------------------------------------------------------------------------

struct Block : nn::Module {
  nn::Conv2d conv{2, 4, {.kernel = 3, .bias = false}};
  nn::BatchNorm2d norm{4};
  GLIA_FIELDS(conv, norm)
};

struct Everything : nn::Module {
  Block block;
  Parameter scale{ones({2})};
  Buffer seen{zeros({}, kI64)};
  std::vector<nn::Linear> layers;
  std::optional<nn::Linear> extra, none;
  std::map<std::string, std::vector<nn::LayerNorm>> heads;
  std::unique_ptr<Block> owned = std::make_unique<Block>();
  std::shared_ptr<nn::Linear> shared = std::make_shared<nn::Linear>(1, 2), nothing;
  std::array<Parameter, 2> pair{Parameter(zeros({3})), Parameter(zeros({4}))};
  nn::Sequential net{nn::Linear(2, 3), relu, nn::Sequential(nn::Linear(3, 1, {.bias = false}))};
  Parameter undefined;

  Everything() {
    layers.emplace_back(2, 2);
    layers.emplace_back(2, 3);
    extra.emplace(3, 3);
    heads["b"].emplace_back(5);
    heads["a"].emplace_back(6, nn::LayerNormOptions{.bias = false});
  }
  GLIA_FIELDS(block, scale, seen, layers, extra, none, heads, owned, shared, nothing, pair, net,
              undefined)
};

TEST(Module, NamesAreThoseOfPyTorch) {
  const Everything m;
  EXPECT_EQ(keys(m.state_dict()), (Names{"scale",
                                         "seen",
                                         "block.conv.weight",
                                         "block.norm.weight",
                                         "block.norm.bias",
                                         "block.norm.running_mean",
                                         "block.norm.running_var",
                                         "block.norm.num_batches_tracked",
                                         "layers.0.weight",
                                         "layers.0.bias",
                                         "layers.1.weight",
                                         "layers.1.bias",
                                         "extra.weight",
                                         "extra.bias",
                                         "heads.a.0.weight",
                                         "heads.b.0.weight",
                                         "heads.b.0.bias",
                                         "owned.conv.weight",
                                         "owned.norm.weight",
                                         "owned.norm.bias",
                                         "owned.norm.running_mean",
                                         "owned.norm.running_var",
                                         "owned.norm.num_batches_tracked",
                                         "shared.weight",
                                         "shared.bias",
                                         "pair.0",
                                         "pair.1",
                                         "net.0.weight",
                                         "net.0.bias",
                                         "net.2.0.weight"}));
  std::vector<std::string> parameters, buffers;
  for (const auto& [name, place] : m.named_parameters()) parameters.push_back(name);
  for (const auto& [name, place] : m.named_buffers()) buffers.push_back(name);
  EXPECT_EQ(parameters.size(), 23u);
  EXPECT_EQ(parameters[1], "block.conv.weight");
  EXPECT_EQ(buffers, (Names{"seen", "block.norm.running_mean", "block.norm.running_var",
                            "block.norm.num_batches_tracked", "owned.norm.running_mean",
                            "owned.norm.running_var", "owned.norm.num_batches_tracked"}));
}

TEST(Module, ASharedLayerCountsOnceAndIsSavedUnderBothNames) {
  struct Tied : nn::Module {
    std::shared_ptr<nn::Linear> in = std::make_shared<nn::Linear>(3, 3), out = in;
    GLIA_FIELDS(in, out)
  } m;
  EXPECT_EQ(m.parameters().size(), 2u);
  EXPECT_EQ(m.parameter_count(), 12);
  EXPECT_EQ(keys(m.state_dict()), (Names{"in.weight", "in.bias", "out.weight", "out.bias"}));
}

TEST(Module, NamedParametersAreThePlacesThemselves) {
  Net net;
  for (auto [name, place] : net.named_parameters()) {
    if (name == "fc2.bias") nn::init::constant_(place, 7);
  }
  EXPECT_EQ(numbers(net.fc2.bias), (Numbers{7, 7, 7}));
}

TEST(Module, FieldsOfABaseAreListedAgain) {
  struct Wider : Net {
    nn::Linear fc3{3, 2};
    GLIA_FIELDS(fc1, fc2, fc3)
  } m;
  EXPECT_EQ(m.parameters().size(), 6u);
}

// ---- Copies, moves, assignments -----------------------------------------------------------------

TEST(Module, ACopyIsIndependent) {
  manual_seed(1);
  Net a;
  Net b = a;
  EXPECT_EQ(numbers(a.fc1.weight), numbers(b.fc1.weight));
  EXPECT_FALSE(a.fc1.weight.same_place(b.fc1.weight));
  nn::init::zeros_(b.fc1.weight);
  EXPECT_NE(numbers(a.fc1.weight), numbers(b.fc1.weight));
}

TEST(Module, AMoveKeepsWhatTheOptimizerKnows) {
  Net a;
  optim::SGD sgd(a.parameters(), {.lr = 0.1});
  Net b = std::move(a);
  const auto before = numbers(b.fc2.bias);
  sgd.step(gradients(sum(b(ones({1, 4}))), b.parameters()));
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(numbers(b.fc2.bias)[i], before[i] - 0.1, 1e-6);
}

TEST(Module, AssigningACopySetsTheValues) {
  Net net;
  optim::SGD sgd(net.parameters(), {.lr = 0.5});
  const Net best = net;
  const Tensor x = ones({2, 4});
  sgd.step(gradients(sum(net(x)), net.parameters()));
  EXPECT_NE(numbers(net(x)), numbers(best(x)));
  net = best;
  EXPECT_EQ(numbers(net(x)), numbers(best(x)));
  sgd.step(gradients(sum(net(x)), net.parameters()));  // still the same places
  EXPECT_NE(numbers(net(x)), numbers(best(x)));
}

TEST(Module, SelfAssignmentAndVectorsOfLayers) {
  Net net;
  const auto before = numbers(net.fc1.weight);
  Net& same = net;
  net = same;
  EXPECT_EQ(numbers(net.fc1.weight), before);

  std::vector<nn::Linear> layers;
  layers.emplace_back(2, 2);
  const Variable place = layers[0].weight.alias();
  for (int i = 0; i < 20; ++i) layers.emplace_back(2, 2);  // growing moves
  EXPECT_TRUE(layers[0].weight.same_place(place));
}

TEST(Module, HandlesOutliveTheModule) {
  ParameterList list;
  StateDict values;
  std::vector<double> before;
  {
    const Net net;
    list = net.parameters();
    values = net.state_dict();
    before = numbers(net.fc1.weight);
  }
  EXPECT_EQ(numbers(list[0]), before);
  EXPECT_EQ(numbers(values[0].second), before);
}

TEST(Module, AStateDictIsASnapshot) {
  Net net;
  const StateDict saved = net.state_dict();
  const auto before = numbers(net.fc1.bias);
  nn::init::ones_(net.fc1.bias);
  EXPECT_EQ(numbers(saved[1].second), before);
  for (const auto& [name, value] : saved) EXPECT_FALSE(value.requires_grad()) << name;
}

// ---- Loading ------------------------------------------------------------------------------------

TEST(StateDicts, RoundTrip) {
  manual_seed(2);
  const Everything a;
  Everything b;
  EXPECT_NE(numbers(a.block.conv.weight), numbers(b.block.conv.weight));
  const auto result = b.load_state_dict(a.state_dict());
  EXPECT_TRUE(result.missing.empty() && result.unexpected.empty());
  const StateDict from = a.state_dict(), to = b.state_dict();
  ASSERT_EQ(keys(from), keys(to));
  for (size_t i = 0; i < from.size(); ++i) {
    EXPECT_EQ(from[i].second.dtype(), to[i].second.dtype());
    EXPECT_EQ(numbers(from[i].second), numbers(to[i].second)) << from[i].first;
  }
}

TEST(StateDicts, ConvolutionWeightsHaveTheLayoutOfPyTorch) {
  nn::Conv2d conv(2, 3, {.kernel = {2, 1}});
  std::vector<float> values(12);
  std::iota(values.begin(), values.end(), 0.0f);
  conv.load_state_dict({{"weight", from_vector(values, {3, 2, 2, 1})}, {"bias", zeros({3})}});
  EXPECT_EQ(conv.weight.shape(), (Shape{3, 2, 1, 2}));
  // Row 0 of output 0 has the first number of both input channels.
  EXPECT_EQ(numbers(index(conv.weight, {0})), (Numbers{0, 2, 1, 3}));
  const Tensor back = conv.state_dict()[0].second;
  EXPECT_EQ(back.shape(), (Shape{3, 2, 2, 1}));
  EXPECT_EQ(back.to_vector<float>(), values);
}

TEST(StateDicts, FaultsAreNamedAndChangeNothing) {
  Net net;
  const auto before = numbers(net.fc1.weight);
  StateDict values = net.state_dict();
  values[0].second = zeros({8, 4});
  values[1].second = zeros({9});    // fc1.bias
  values[2].first = "fc2.weights";  // fc2.weight
  const std::string what = message_of<Error>([&] { net.load_state_dict(values); });
  EXPECT_EQ(what,
            "load_state_dict: Net: fc1.bias is (9,), not (8,); missing: fc2.weight; unexpected: "
            "fc2.weights");
  EXPECT_EQ(numbers(net.fc1.weight), before);
  EXPECT_THROW(net.load_state_dict(values, false), Error);  // the shape still does not fit
  EXPECT_EQ(numbers(net.fc1.weight), before);

  values[1].second = ones({8});
  const auto result = net.load_state_dict(values, false);
  EXPECT_EQ(result.missing, (Names{"fc2.weight"}));
  EXPECT_EQ(result.unexpected, (Names{"fc2.weights"}));
  EXPECT_EQ(numbers(net.fc1.bias), (Numbers{1, 1, 1, 1, 1, 1, 1, 1}));

  values.push_back(values[0]);
  expect_text(message_of<Error>([&] { net.load_state_dict(values, false); }),
              "fc1.weight is given twice");
  expect_text(message_of<Error>([&] {
                net.load_state_dict({{"fc1.bias", Tensor()}}, false);
              }),
              "fc1.bias has no value");
}

TEST(StateDicts, ValuesAreConverted) {
  nn::Linear layer(2, 1);
  layer.load_state_dict({{"weight", tensor({{0.5, -2.0}})}, {"bias", cast(ones({1}), kBF16)}});
  EXPECT_EQ(layer.weight.dtype(), kF32);
  EXPECT_EQ(numbers(layer.weight), (Numbers{0.5, -2}));
  EXPECT_EQ(numbers(layer.bias), (Numbers{1}));
}

TEST(Module, ToConvertsFloatsInPlace) {
  nn::BatchNorm2d layer(2);
  const ParameterList before = layer.parameters();
  layer.to(kF64);
  EXPECT_EQ(layer.weight.dtype(), kF64);
  EXPECT_EQ(layer.running_var.dtype(), kF64);
  EXPECT_EQ(layer.num_batches_tracked.dtype(), kI64);
  EXPECT_TRUE(before[0].same_place(layer.weight));
  EXPECT_TRUE(layer.weight.trainable());
  EXPECT_EQ(layer(uniform({3, 2}, 0, 1, kF64)).dtype(), kF64);
  EXPECT_THROW(layer.to(kI32), Error);
}

// ---- Modes, freezing, walking -------------------------------------------------------------------

TEST(Module, ModesReachEveryLayer) {
  Everything m;
  m.eval();
  EXPECT_FALSE(m.is_training());
  EXPECT_FALSE(m.owned->norm.is_training());
  EXPECT_FALSE(m.heads["b"][0].is_training());
  EXPECT_FALSE(m.net[0].is_training());
  EXPECT_FALSE(m.net.get<nn::Sequential>(2)[0].is_training());
  const Everything* fixed = &m;
  EXPECT_FALSE(fixed->shared->is_training());
  m.train();
  EXPECT_TRUE(m.layers[1].is_training());
}

TEST(Module, FrozenParametersGetNoGradient) {
  Net net;
  net.fc1.freeze();
  EXPECT_EQ(net.parameters().size(), 2u);
  EXPECT_EQ(net.all_parameters().size(), 4u);
  EXPECT_EQ(net.named_parameters().size(), 4u);
  const auto g = gradients(sum(net(ones({2, 4}))), net.parameters());
  EXPECT_EQ(numbers(g[1]), (Numbers{2, 2, 2}));
  EXPECT_THROW(gradients(sum(net(ones({2, 4}))), {net.fc1.weight.tensor()}), Error);
  net.unfreeze();
  EXPECT_EQ(net.parameters().size(), 4u);
  EXPECT_EQ(gradients(sum(net(ones({2, 4}))), net.parameters())[0].shape(), (Shape{8, 4}));
}

TEST(Module, ApplyVisitsChildrenFirst) {
  Block block;
  std::vector<nn::Module*> visited;
  block.apply([&](nn::Module& m) {
    visited.push_back(&m);
    if (auto* norm = dynamic_cast<nn::BatchNorm2d*>(&m)) nn::init::constant_(norm->weight, 3);
  });
  EXPECT_EQ(visited, (std::vector<nn::Module*>{&block.conv, &block.norm, &block}));
  EXPECT_EQ(numbers(block.norm.weight), (Numbers{3, 3, 3, 3}));
}

TEST(Module, SummaryListsLayersAndTotals) {
  struct Model : nn::Module {
    Block block;
    nn::Dropout drop;
    std::vector<nn::Linear> heads;
    GLIA_FIELDS(block, drop, heads)
  } m;
  m.heads.emplace_back(100, 20);
  m.block.norm.freeze();
  EXPECT_EQ(m.summary(),
            "layer       type         parameters                            count\n"
            "block.conv  Conv2d       weight (4, 3, 3, 2)                      72\n"
            "block.norm  BatchNorm2d  weight (4,) frozen, bias (4,) frozen      8\n"
            "heads.0     Linear       weight (20, 100), bias (20,)          2,020\n"
            "Model: 2,100 parameters, 2,092 trainable, 3 buffers\n");
  EXPECT_EQ(m.parameter_count(), 2100);
  expect_text(nn::Linear(2, 1).summary(), "(self)  Linear");
  expect_text(nn::ReLU().summary(), "ReLU: 0 parameters, 0 trainable, 0 buffers");
}

// ---- Sequential ---------------------------------------------------------------------------------

TEST(Sequential, RunsAnyCallable) {
  nn::Sequential net(nn::Linear(2, 2), relu, [](const Tensor& x) { return x * 10; });
  auto& first = net.get<nn::Linear>(0);
  first.weight = tensor({{1.f, 0.f}, {0.f, -1.f}});
  first.bias = zeros({2});
  EXPECT_EQ(numbers(net(tensor({{3.f, 4.f}}))), (Numbers{30, 0}));
  net.push_back(nn::Flatten(0));
  EXPECT_EQ(net.size(), 4u);
  EXPECT_EQ(net(ones({5, 2})).shape(), (Shape{10}));
  EXPECT_EQ(&net[0], &first);
}

TEST(Sequential, SaysWhatIsNoModule) {
  nn::Sequential net(nn::Linear(2, 2), relu);
  EXPECT_EQ(message_of<Error>([&] { net[1]; }), "Sequential: layer 1 is a function, not a module");
  EXPECT_EQ(message_of<Error>([&] { net[2]; }), "Sequential: no layer 2 among 2");
  EXPECT_EQ(message_of<Error>([&] { net.get<nn::Conv2d>(0); }),
            "Sequential: layer 0 is of another type");
}

TEST(Sequential, IsAValue) {
  nn::Sequential a(nn::Linear(2, 2), nn::Dropout(0.5), nn::Sequential(nn::Linear(2, 1)));
  a.eval();
  nn::Sequential b = a;
  EXPECT_FALSE(b[1].is_training());
  EXPECT_EQ(keys(a.state_dict()), keys(b.state_dict()));
  EXPECT_FALSE(a.parameters()[2].same_place(b.parameters()[2]));

  const Variable place = a.parameters()[2].alias();
  nn::init::constant_(b.parameters()[2], 4);
  a = b;  // the same kinds of layers: values are set, places stay
  EXPECT_TRUE(a.parameters()[2].same_place(place));
  EXPECT_EQ(numbers(a.parameters()[2]), (Numbers{4, 4}));

  a = nn::Sequential(nn::Linear(3, 3));
  EXPECT_EQ(keys(a.state_dict()), (Names{"0.weight", "0.bias"}));
  b = a;  // other layers
  EXPECT_EQ(b.size(), 1u);
  const nn::Sequential c = std::move(b);
  EXPECT_EQ(c(ones({1, 3})).shape(), (Shape{1, 3}));
}

TEST(Sequential, ErrorsNameTheLineOfTheCaller) {
  const nn::Sequential net(nn::Linear(4, 2), relu);
  expect_text(message_of<ShapeError>([&] { net(ones({2, 5})); }), "nn_test.cpp:");
  expect_text(message_of<ShapeError>([&] {
                nn::Conv2d(1, 1, {.kernel = 3})(ones({2, 5}));
              }),
              "nn_test.cpp:");
}

}  // namespace
}  // namespace glia
