// Functions made from functions at their edges: what is undefined, wrong or random, and what they
// leave behind.
#include <gtest/gtest.h>

#include <set>

#include "glia/autodiff.h"
#include "glia/nn.h"
#include "glia/ops.h"
#include "glia/optim.h"
#include "glia/random.h"
#include "tests/support/values.h"

namespace glia::test {
namespace {

using Tensors = std::vector<Tensor>;

void expect_text(const std::string& message, const std::string& part) {
  EXPECT_NE(message.find(part), std::string::npos) << message;
}

// ---- Undefined tensors, empty functions, wrong counts ------------------------------------------

const TensorFunction kNothing = [](const Tensors&) { return Tensor(); };
const TensorFunction kSame = [](const Tensors& in) { return in[0]; };
const CustomBackward kPass = [](const Tensors&, const Tensor&, const Tensor& g) {
  return Tensors{g};
};

struct Transform {
  const char* name;
  std::function<void(const TensorFunction& f, const Tensors& in)> apply;
};
const std::vector<Transform>& transforms() {
  static const std::vector<Transform> all{
      {"vjp", [](const auto& f, const Tensors& in) { vjp(f, in, ones({2}, kF64)); }},
      {"jvp", [](const auto& f, const Tensors& in) { jvp(f, in, {ones({2}, kF64)}); }},
      {"jacobian", [](const auto& f, const Tensors& in) { jacobian(f, in); }},
      {"vmap", [](const auto& f, const Tensors& in) { vmap(f)(in); }},
      {"checkpoint", [](const auto& f, const Tensors& in) { checkpoint(f, in); }},
      {"custom_function", [](const auto& f, const Tensors& in) { custom_function(f, kPass)(in); }},
      {"gradcheck", [](const auto& f, const Tensors& in) { gradcheck(f, in); }},
  };
  return all;
}

TEST(Functions, OfUndefinedTensorsAreErrorsThatNameTheTransform) {
  const Tensor x = tensor({1.0, 2.0});
  for (const Transform& t : transforms()) {
    SCOPED_TRACE(t.name);
    const auto fails = [&](const TensorFunction& f, const Tensors& in, const std::string& text) {
      const std::string message = message_of<Error>([&] { t.apply(f, in); });
      expect_text(message, std::string(t.name) + ": " + text);
      expect_text(message, "function_test.cpp");
    };
    fails(kNothing, {x}, "the function gave an undefined tensor");
    fails(kNothing, {trainable(x)}, "the function gave an undefined tensor");
    fails(kSame, {Tensor()}, "input 0 is not defined");
    fails(TensorFunction(), {x}, "the function is empty");
    // A function that throws leaves everything as it was.
    const TensorFunction throws = [](const Tensors&) -> Tensor { throw std::runtime_error("own"); };
    EXPECT_THROW(t.apply(throws, {x}), std::runtime_error);
    EXPECT_TRUE((trainable(x) * 2).requires_grad());
    EXPECT_EQ((x * 2).to_vector<double>(), (std::vector<double>{2, 4}));
    {
      const NoGrad off;
      EXPECT_THROW(t.apply(throws, {x}), std::runtime_error);
      EXPECT_FALSE((trainable(x) * 2).requires_grad());
    }
  }
  expect_text(message_of<Error>([&] { jvp(kSame, {x}, {Tensor()}); }), "jvp: tangent 0");
  expect_text(message_of<Error>([&] { vjp(kSame, {x}, Tensor()); }), "vjp: the cotangent");
  expect_text(message_of<Error>([] { custom_function(kSame, {}); }), "backward function is empty");
}

TEST(CustomFunction, AGradientOfAnotherShapeOrDtypeIsAnError) {
  const Tensor x = trainable(tensor({1.0, 2.0})), w = trainable(tensor({{1.0}, {2.0}}));
  const auto message = [&](const CustomBackward& backward) {
    const auto f = custom_function([](const Tensors& in) { return in[0] * in[1]; }, backward);
    return message_of<Error>([&] { gradients(sum(f({x, w})), {x, w}); });
  };
  // (2, 2), and a number for all.
  expect_text(message([](const Tensors& in, const Tensor&, const Tensor& g) {
                return Tensors{g * in[1], Tensor()};
              }),
              "custom_function: the gradient of input 0 is f64 (2, 2), the input f64 (2,)");
  expect_text(message([](const Tensors&, const Tensor&, const Tensor& g) {
                return Tensors{Tensor(), sum(g)};
              }),
              "custom_function: the gradient of input 1 is f64 (), the input f64 (2, 1)");
  expect_text(message([](const Tensors& in, const Tensor&, const Tensor&) {
                return Tensors{cast(in[0], kF32), Tensor()};
              }),
              "is f32 (2,), the input f64 (2,)");
  expect_text(message([](const Tensors& in, const Tensor&, const Tensor&) {
                return Tensors{in[0], in[1], in[0]};
              }),
              "custom_function: 3 gradients for 2 inputs");
  // Nobody asks for the gradient of an index.
  const auto picks =
      custom_function([](const Tensors& in) { return take(in[0], in[1]); },
                      [](const Tensors& in, const Tensor&, const Tensor& g) {
                        return Tensors{index_add(zeros_like(in[0]), in[1], g), zeros({7})};
                      });
  const Tensor at = tensor<int64_t>({1, 1});
  EXPECT_EQ(gradients(sum(picks({x, at})), {x})[0].to_vector<double>(),
            (std::vector<double>{0, 2}));
}

// ---- vmap: random numbers and variables ---------------------------------------------------------

TEST(Vmap, EachExampleDrawsItsOwnRandomNumbers) {
  constexpr int64_t kExamples = 64;
  const Tensor x = ones({kExamples, 8});
  const std::vector<std::pair<const char*, TensorFunction>> drawing{
      {"rand", [](const Tensors& in) { return in[0] + rand({8}); }},
      {"randn", [](const Tensors& in) { return in[0] * randn({8}); }},
      {"dropout", [](const Tensors& in) { return dropout(in[0], 0.5); }},
      {"nothing of the input", [](const Tensors&) { return rand({8}); }},
      {"inside a checkpoint",
       [](const Tensors& in) {
         return checkpoint([](const Tensors& at) { return dropout(at[0], 0.5); }, in);
       }},
      {"attention",
       [](const Tensors& in) {
         const Tensor q = reshape(in[0], {8, 1});
         return flatten(scaled_dot_product_attention(q, q, q, {.dropout_p = 0.5}));
       }},
      {"randperm", [](const Tensors& in) { return in[0] + randperm(8); }},
  };
  for (const auto& [what, f] : drawing) {
    manual_seed(5);
    const Tensor all = vmap(f)({x});
    std::set<std::vector<float>> rows;
    for (int64_t i = 0; i < kExamples; ++i) rows.insert(index(all, {i}).to_vector<float>());
    EXPECT_GT(rows.size(), 40u) << what << ": " << rows.size() << " different examples";
    // The first is what the function alone gives, and the same seed gives the same again.
    manual_seed(5);
    EXPECT_EQ(f({index(x, {0})}).to_vector<float>(), index(all, {0}).to_vector<float>()) << what;
    manual_seed(5);
    EXPECT_EQ(vmap(f)({x}).to_vector<float>(), all.to_vector<float>()) << what;
  }
  // The backward pass has the mask of the forward pass; what was drawn outside is shared.
  const Tensor w = trainable(x);
  const Tensor y = vmap([](const Tensors& in) { return dropout(in[0], 0.5); })({w});
  EXPECT_EQ(gradients(sum(y), {w})[0].to_vector<float>(), y.to_vector<float>());
  const Tensor outside = rand({8});
  const Tensor shared = vmap([&](const Tensors& in) { return in[0] * outside; })({x});
  EXPECT_EQ(index(shared, {0}).to_vector<float>(), index(shared, {63}).to_vector<float>());
  // Two maps, one in the other.
  const auto inner = [](const Tensors& in) { return vmap(kSame)({in[0] + rand({4})}); };
  const std::vector<float> nested = vmap(inner)({zeros({6, 4})}).to_vector<float>();
  EXPECT_EQ(std::set<float>(nested.begin(), nested.end()).size(), 24u);
  EXPECT_EQ(vmap([](const Tensors&) { return rand({3}); })({zeros({0, 2})}).shape(), (Shape{0, 3}));
}

TEST(Vmap, ATrainingBatchNormIsAnErrorThatChangesNothing) {
  nn::BatchNorm2d norm(3);
  const Tensor x = randn({4, 5, 3});
  norm(index(x, {0}));
  const auto state = [&] {
    std::vector<std::vector<double>> out;
    for (const auto& [name, value] : norm.state_dict()) out.push_back(value.to_vector<double>());
    return out;
  };
  const auto before = state();
  const auto f = [&](const Tensors& in) { return norm(in[0]); };
  expect_text(message_of<Error>([&] { vmap(f)({x}); }), "vmap: a variable (3,) from outside");
  EXPECT_EQ(state(), before);
  EXPECT_EQ(norm(index(x, {0})).shape(), (Shape{5, 3}));
  // Without running statistics, or in evaluation mode, it is the loop.
  const nn::BatchNorm2d untracked(3, {.track_running_stats = false});
  const auto plain = [&](const Tensors& in) { return untracked(in[0]); };
  expect_same(vmap(plain)({x}),
              stack({plain({index(x, {0})}), plain({index(x, {1})}), plain({index(x, {2})}),
                     plain({index(x, {3})})}),
              1e-5);
  norm.eval();
  EXPECT_EQ(vmap(f)({x}).shape(), x.shape());
}

TEST(Vmap, VariablesThatDoNotDifferByExampleMayBeSet) {
  Buffer calls(zeros({})), kept(zeros({2}));
  const auto f = [&](const Tensors& in) {
    calls = calls + 1;
    Buffer own(in[0]);  // one that the function makes
    own = own * 2;
    return own + calls;
  };
  expect_values(vmap(f)({ones({3, 2})}), {3, 2}, {3, 3, 3, 3, 3, 3});
  EXPECT_EQ(calls.tensor().item(), 1);
  EXPECT_THROW(vmap([&](const Tensors& in) { return kept = in[0], in[0]; })({ones({3, 2})}), Error);
  EXPECT_EQ(kept.tensor().to_vector<float>(), (std::vector<float>{0, 0}));
  // An optimizer's step on the gradients of one example is no step.
  Parameter w(ones({2}));
  ParameterList list;
  list.push_back(w);
  optim::SGD sgd(list, {.lr = 0.1});
  EXPECT_THROW(vmap([&](const Tensors& in) {
                 sgd.step(gradients(sum(w * in[0]), {w.tensor()}));
                 return in[0];
               })({ones({3, 2})}),
               Error);
  EXPECT_EQ(w.tensor().to_vector<float>(), (std::vector<float>{1, 1}));
}

// ---- Long chains
// ----------------------------------------------------------------------------------

// When each link was searched down to the first, 20,000 took more than a quarter of an hour.
TEST(Checkpoint, OfLongChainsIsLinear) {
  constexpr int kLinks = 20000;
  const Tensor x = trainable(tensor({1.0, -1.0}));
  const TensorFunction link = [](const Tensors& in) { return sin(in[0] * 1.0001); };
  Tensor saved = x, plain = x;
  for (int i = 0; i < kLinks; ++i) {
    saved = checkpoint(link, {saved});
    plain = link({plain});
  }
  expect_same(gradients(sum(saved), {x})[0], gradients(sum(plain), {x})[0], 1e-12);
}

TEST(Checkpoint, OfLongRecurrentNetsIsLinear) {
  constexpr int kSteps = 6000;
  Parameter w(full({2, 2}, 0.25, kF64)), u(full({2, 2}, 0.5, kF64));
  const Tensor x = full({1, 2}, 0.1, kF64);
  const TensorFunction step = [&](const Tensors& in) {
    return tanh(matmul(in[0], w) + matmul(x, u));
  };
  Tensor saved = zeros({1, 2}, kF64), plain = saved;
  for (int i = 0; i < kSteps; ++i) {
    saved = checkpoint(step, {saved});
    plain = step({plain});
  }
  const Tensors by{w.tensor(), u.tensor()};
  const Tensors found = gradients(sum(saved), by), expected = gradients(sum(plain), by);
  for (int i = 0; i < 2; ++i) expect_same(found[i], expected[i], 1e-12);
}

// The walk that stops at what is older than every tensor asked for.
TEST(Gradients, ByTensorsOfEveryAge) {
  const Tensor a = trainable(tensor(2.0)), b = a * 3, c = trainable(tensor(5.0)), d = b * c;
  const Tensor loss = square(d) + a;
  EXPECT_EQ(gradients(loss, {d})[0].item(), 60);
  EXPECT_EQ(gradients(loss, {c})[0].item(), 360);
  EXPECT_EQ(gradients(loss, {b})[0].item(), 300);
  const Tensors all = gradients(loss, {d, a, c, b});
  EXPECT_EQ(all[0].item(), 60);
  EXPECT_EQ(all[1].item(), 901);
  EXPECT_EQ(all[2].item(), 360);
  EXPECT_EQ(all[3].item(), 300);
  EXPECT_EQ(gradients(b, {c})[0].item(), 0);  // the loss is older than what it is asked for
  EXPECT_THROW(gradients(b, {d}), Error);     // and d is made of it
}

}  // namespace
}  // namespace glia::test
