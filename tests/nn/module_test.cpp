// Modules whose fields share a place, and what a Sequential takes.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <map>

#include "glia/glia.h"

using namespace glia;
using namespace std;

// What a program calls its own: none of Glia's namespaces or functions may stand in the way.
double train(double epochs) { return epochs + 1; }
double step(double x) { return x; }
double test(double x) { return x; }
double evaluate(double x) { return x; }
double forward(double x) { return x; }
double loss(double x) { return x; }
double accuracy(double x) { return x; }

namespace {

using Numbers = vector<double>;
Numbers numbers(const Tensor& t) { return t.to_vector<double>(); }

TEST(Names, OfAProgramsOwnFunctionsAreFree) {
  EXPECT_EQ(train(1) + step(1) + test(1) + evaluate(1) + forward(1) + loss(1) + accuracy(1), 8);
}

// ---- Tied weights -------------------------------------------------------------------------------

struct Model : nn::Module {
  nn::Embedding in{5, 3};
  nn::Sequential body{nn::Linear(3, 3), tanh, nn::Linear(3, 3)};
  nn::Linear out{3, 5, {.bias = false}};
  Buffer scale{ones({1})}, same_scale;

  Model() {
    out.weight = in.weight.alias();
    body.get<nn::Linear>(2).weight = body.get<nn::Linear>(0).weight.alias();
    same_scale = scale.alias();
  }
  Tensor operator()(const Tensor& x) const { return out(body(in(x))) * scale * same_scale; }
  GLIA_FIELDS(in, body, out, scale, same_scale)
};
const nn::Linear& linear(const nn::Sequential& s, size_t i) {
  return dynamic_cast<const nn::Linear&>(s[i]);
}
bool tied(const Model& m) {
  return m.in.weight.same_place(m.out.weight) && m.scale.same_place(m.same_scale) &&
         linear(m.body, 0).weight.same_place(linear(m.body, 2).weight) &&
         !linear(m.body, 0).bias.same_place(linear(m.body, 2).bias);
}
Tensor loss_of(const Model& m) { return sum(square(m(tensor<int64_t>({0, 1, 4})))); }

TEST(Ties, AnAliasIsTheSamePlaceUntilItIsAnother) {
  const Model m;
  EXPECT_TRUE(tied(m));
  m.in.weight.set(zeros({5, 3}));
  EXPECT_EQ(numbers(m.out.weight), Numbers(15, 0));
}

TEST(Ties, ACopyHasTiesOfItsOwn) {
  manual_seed(3);
  Model a;
  const Model b = a, c = b;
  const vector<Model> many(3, c);
  for (const Model* m : initializer_list<const Model*>{&a, &b, &c, &many[0], &many[1], &many[2]}) {
    EXPECT_TRUE(tied(*m));
    EXPECT_EQ(m->parameters().size(), 4u);
    EXPECT_EQ(m->parameter_count(), 15 + 9 + 3 + 3);
    EXPECT_TRUE(m == &a || !m->in.weight.same_place(a.in.weight));
    EXPECT_TRUE(m == &many[1] || !m->in.weight.same_place(many[1].in.weight));
    EXPECT_EQ(numbers(m->in.weight), numbers(a.in.weight));
  }
  nn::init::zeros_(b.out.weight);
  EXPECT_EQ(numbers(b.in.weight), Numbers(15, 0));
  EXPECT_NE(numbers(c.in.weight), Numbers(15, 0));
  // Moves keep them, and a model within another copies its own.
  Model moved = std::move(a);
  EXPECT_TRUE(tied(moved));
  struct Pair : nn::Module {
    Model first, second;
    Pair() { second.in.weight = first.in.weight.alias(); }
    GLIA_FIELDS(first, second)
  };
  const Pair p, q = p;
  EXPECT_TRUE(tied(q.first));
  EXPECT_TRUE(q.second.in.weight.same_place(q.first.in.weight));
  EXPECT_FALSE(q.second.out.weight.same_place(q.first.out.weight));
  EXPECT_FALSE(q.first.in.weight.same_place(p.first.in.weight));
}

TEST(Ties, CopiesOfVariablesAloneAreIndependent) {
  const Model m;
  const Parameter a = m.in.weight, b = m.out.weight;
  EXPECT_FALSE(a.same_place(b) || a.same_place(m.in.weight));
  const Model n = m;
  const Parameter c = m.in.weight, d = m.out.weight;
  EXPECT_FALSE(c.same_place(d) || c.same_place(n.in.weight));
}

TEST(Ties, ACopyThatThrowsLeavesNothingBehind) {
  struct Throws : nn::Module {
    Throws() = default;
    Throws(const Throws& other) : nn::Module(other), armed(other.armed) {
      if (armed) throw runtime_error("armed");
    }
    bool armed = true;
  };
  struct Net : nn::Module {
    Parameter a{ones({2})};
    Throws middle;
    Parameter b{ones({2})}, c{ones({2})};
    Net() { b = a.alias(), c = a.alias(); }
    GLIA_FIELDS(a, middle, b, c)
  } net;
  EXPECT_THROW(Net{net}, runtime_error);
  const Parameter b = net.b, c = net.c;
  EXPECT_FALSE(b.same_place(c));
  EXPECT_THROW(Net{net}, runtime_error);
  net.middle.armed = false;
  const Net copy = net;
  EXPECT_TRUE(copy.a.same_place(copy.b) && copy.b.same_place(copy.c));
  EXPECT_FALSE(copy.a.same_place(net.a));
}

TEST(Ties, TrainSaveAndLoadAsOne) {
  manual_seed(4);
  const Model source;
  const Model m = source;
  map<string, Tensor> state;
  for (const auto& [name, value] : m.state_dict()) state[name] = value;
  EXPECT_EQ(numbers(state.at("in.weight")), numbers(state.at("out.weight")));
  // One step counts once: by the sum of both gradients.
  const Tensor w = m.in.weight.tensor();
  const Tensor g = gradients(loss_of(m), {w})[0];
  const Numbers expected = numbers(w - 0.1 * g);
  optim::SGD sgd(m.parameters(), {.lr = 0.1});
  sgd.step(gradients(loss_of(m), m.parameters()));
  EXPECT_TRUE(tied(m));
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(numbers(m.in.weight)[i], expected[i], 1e-6);
    EXPECT_EQ(numbers(m.in.weight)[i], numbers(m.out.weight)[i]);
  }
  const string path = testing::TempDir() + "ties.safetensors";
  io::write_safetensors(path, m.state_dict());
  Model loaded;
  loaded.load_state_dict(io::read_safetensors(path));
  EXPECT_TRUE(tied(loaded));
  EXPECT_EQ(numbers(loaded.in.weight), numbers(m.in.weight));
  EXPECT_NE(numbers(source.in.weight), numbers(m.in.weight));
  filesystem::remove(path);
}

// ---- What a Sequential takes --------------------------------------------------------------------

TEST(Sequential, TakesFunctionsThatCmathHasToo) {
  const Tensor x = tensor({{0.25, 0.5}});
  const auto value = [&](const nn::Sequential& s) { return numbers(s(x)); };
  EXPECT_EQ(value(nn::Sequential(nn::Identity(), tanh, nn::Identity())), numbers(glia::tanh(x)));
  EXPECT_EQ(value(nn::Sequential(tanh)), numbers(glia::tanh(x)));
  EXPECT_EQ(value(nn::Sequential(
                exp, sqrt, [](const Tensor& t) { return t * 2; }, relu)),
            numbers(glia::sqrt(glia::exp(x)) * 2));
  EXPECT_EQ(value(nn::Sequential(abs, sin, cos, log1p, expm1, erf, ceil, exp, log, sqrt, round,
                                 floor, nn::Identity(), sigmoid, tanh, relu)),
            value(nn::Sequential(
                nn::Sequential(abs, sin, cos, log1p, expm1, erf, ceil, exp),
                nn::Sequential(log, sqrt, round, floor, nn::Identity(), sigmoid, tanh, relu))));
  nn::Sequential s(nn::Linear(2, 2), tanh);
  s.push_back(exp);
  s.push_back(nn::Linear(2, 1));
  EXPECT_EQ(s.size(), 4u);
  const nn::Sequential copy(s);
  EXPECT_EQ(numbers(copy(ones({1, 2}))), numbers(s(ones({1, 2}))));
  EXPECT_EQ(s.state_dict()[2].first, "3.weight");
  const nn::Linear layer(2, 2);
  EXPECT_FALSE(nn::Sequential(layer, tanh).get<nn::Linear>(0).weight.same_place(layer.weight));
}

TEST(Activations, EachIsItsFunction) {
  const Tensor x = tensor({-1.5, 0.0, 2.0});
  const vector<pair<nn::Sequential, Tensor>> all{
      {nn::Sequential(nn::ReLU()), relu(x)},
      {nn::Sequential(nn::GELU()), gelu(x)},
      {nn::Sequential(nn::SiLU()), silu(x)},
      {nn::Sequential(nn::Tanh()), glia::tanh(x)},
      {nn::Sequential(nn::Sigmoid()), sigmoid(x)},
      {nn::Sequential(nn::LogSigmoid()), log_sigmoid(x)},
      {nn::Sequential(nn::Softplus()), softplus(x)},
  };
  for (const auto& [layer, expected] : all) EXPECT_EQ(numbers(layer(x)), numbers(expected));
  EXPECT_NE(nn::Softplus().summary().find("Softplus: 0 parameters"), string::npos);
}

}  // namespace
